//! Values that can be taken out of a statement and get a name.

use super::{Bound, Cx, Obstacle, Pos, obstacle};
use crate::flow::walk;
use crate::hir::{BinaryOp, ExprId, ExprKind, LocalId, MacroKind, PatId, PatKind};
use crate::infer::{Callee, SelfMode};
use crate::ty::{Ty, TyKind};

/// What does nothing but look.
pub(super) fn copied(ty: Ty) -> bool {
    match ty.kind() {
        TyKind::Bool | TyKind::Char | TyKind::Int(_) | TyKind::Float(_) => true,
        TyKind::Tuple(parts) => parts.iter().all(|&t| copied(t)),
        TyKind::Array(t) => copied(*t),
        TyKind::Ext(path, args) => match path.as_str() {
            "std::time::Duration" | "std::time::Instant" | "std::time::SystemTime" => true,
            "std::option::Option" => args.iter().all(|&t| copied(t)),
            _ => false,
        },
        _ => false,
    }
}

impl Cx<'_> {
    /// The largest value around an expression that owns what it holds and contains none of `hazards`.
    pub(super) fn owned_above(&self, start: ExprId, hazards: &[ExprId]) -> Option<ExprId> {
        let mut best = None;
        let mut here = start;
        loop {
            if hazards.iter().any(|&h| self.tree.within(h, here)) {
                return best;
            }
            let ty = self.types.expr(here);
            let takes =
                if walk::is_place(self.body, here) { copied(ty) } else { ty != Ty::UNIT && self.owned(ty) };
            if takes {
                best = Some(here);
            }
            let Some(parent) = self.tree.parent(here) else { return best };
            match self.tree.kind(parent) {
                ExprKind::Method { .. }
                | ExprKind::Field { .. }
                | ExprKind::Deref(_)
                | ExprKind::Not(_)
                | ExprKind::Neg(_)
                | ExprKind::Ref { .. }
                | ExprKind::Cast { .. }
                | ExprKind::Try(_)
                | ExprKind::Tuple(_)
                | ExprKind::Array(_)
                | ExprKind::Call { .. } => {}
                ExprKind::Await(_) => {}
                ExprKind::Index { base, .. } if *base == here => {}
                ExprKind::Binary { op, lhs, .. } => {
                    if matches!(op, BinaryOp::And | BinaryOp::Or) && *lhs != here {
                        return best;
                    }
                }
                ExprKind::Macro(m) if m.kind == MacroKind::Format && !self.writes_out(parent) => {}
                _ => return best,
            }
            here = parent;
        }
    }

    fn writes_out(&self, id: ExprId) -> bool {
        !matches!(self.tree.kind(id), ExprKind::Macro(m) if m.path.segments.last().is_some_and(|s| s.name.as_str() == "format"))
    }

    /// Whether the text of an expression stands where its tokens do: not inside a format string.
    pub(super) fn is_written_out(&self, id: ExprId) -> bool {
        let file = self.unit.a.program.body_info(self.unit.body).file;
        let source = self.unit.a.sources.get(file);
        let span = self.span(id);
        let before = source.text.get(..span.lo as usize).and_then(|t| t.chars().next_back());
        let inline = matches!(self.tree.parent(id).map(|p| self.tree.kind(p)), Some(ExprKind::Macro(_)))
            && before == Some('{');
        !inline && source.slice(span) != "{}" && !span.is_empty()
    }

    /// Whether a value is the first in its statement to do anything, and always evaluated.
    pub(super) fn comes_first(&self, value: ExprId, pos: Pos) -> bool {
        self.evaluated_with(value, pos, &|id| self.pure(id))
    }

    /// Whether a value is always evaluated when its statement is.
    pub(super) fn always_evaluated(&self, value: ExprId, pos: Pos) -> bool {
        self.evaluated_with(value, pos, &|_| true)
    }

    /// Whether a value is evaluated when its statement is, after nothing but what `fine` allows.
    fn evaluated_with(&self, value: ExprId, pos: Pos, fine_before: &dyn Fn(ExprId) -> bool) -> bool {
        let mut here = value;
        while self.tree.stmt_of(here) != Some(pos) {
            let Some(parent) = self.tree.parent(here) else { return false };
            let before =
                |earlier: &[ExprId]| earlier.iter().take_while(|&&e| e != here).all(|&e| fine_before(e));
            let fine = match self.tree.kind(parent) {
                ExprKind::Method { recv, args, .. } => *recv == here || (fine_before(*recv) && before(args)),
                ExprKind::Call { callee, args } => fine_before(*callee) && before(args),
                ExprKind::Field { .. }
                | ExprKind::Deref(_)
                | ExprKind::Not(_)
                | ExprKind::Neg(_)
                | ExprKind::Ref { .. }
                | ExprKind::Cast { .. }
                | ExprKind::Await(_)
                | ExprKind::Try(_)
                | ExprKind::Return(_)
                | ExprKind::Break { .. }
                | ExprKind::Let { .. } => true,
                ExprKind::Binary { op: BinaryOp::And | BinaryOp::Or, lhs, .. } => *lhs == here,
                ExprKind::Binary { lhs, .. } => *lhs == here || fine_before(*lhs),
                ExprKind::Index { base, .. } => *base == here || fine_before(*base),
                ExprKind::Assign { lhs, rhs } | ExprKind::AssignOp { lhs, rhs, .. } => {
                    *rhs == here && fine_before(*lhs)
                }
                ExprKind::Tuple(parts) | ExprKind::Array(parts) => before(parts),
                ExprKind::Struct { fields, .. } => {
                    fields.iter().take_while(|f| f.value != here).all(|f| fine_before(f.value))
                }
                ExprKind::If { cond, .. } => *cond == here,
                ExprKind::Match { scrutinee, .. } => *scrutinee == here,
                ExprKind::For { iter, .. } => *iter == here,
                ExprKind::Macro(m) => match m.kind {
                    MacroKind::Format | MacroKind::Assert | MacroKind::Vec | MacroKind::Dbg => {
                        before(&m.args)
                    }
                    _ => false,
                },
                _ => false,
            };
            if !fine {
                return false;
            }
            here = parent;
        }
        true
    }

    /// Whether evaluating an expression does nothing, whenever it happens: a name, a part of it, a literal.
    fn pure(&self, id: ExprId) -> bool {
        match self.tree.kind(id) {
            ExprKind::Lit(_) | ExprKind::Path(_) | ExprKind::Local(_) | ExprKind::Closure(_) => true,
            ExprKind::Field { base: e, .. } | ExprKind::Ref { expr: e, .. } | ExprKind::Deref(e) => {
                self.pure(*e)
            }
            _ => false,
        }
    }

    /// Whether evaluating an expression does nothing but look at values in memory.
    pub(super) fn reads(&self, id: ExprId) -> bool {
        match self.tree.kind(id) {
            ExprKind::Field { base: e, .. }
            | ExprKind::Ref { expr: e, .. }
            | ExprKind::Deref(e)
            | ExprKind::Cast { expr: e, .. } => self.reads(*e),
            ExprKind::Binary { lhs, rhs, .. } => self.reads(*lhs) && self.reads(*rhs),
            ExprKind::Method { recv, args, .. } => {
                let by_ref = self.types.receivers.get(&id).is_some_and(|r| r.mode == SelfMode::Ref);
                let known = match self.types.callee(id) {
                    Callee::Ext(path) => {
                        let tags = self.unit.cx().facts.tags(path);
                        path.as_str().starts_with("std::")
                            && tags.is_none_or(|t| t.blocks.is_none() && t.acquire.is_none())
                    }
                    _ => false,
                };
                by_ref && known && self.reads(*recv) && args.iter().all(|&a| self.pure(a))
            }
            _ => self.pure(id),
        }
    }

    /// A value with the name it gets: before its statement if nothing else is done there first.
    pub(super) fn bound(&self, value: ExprId, taken: &[Bound]) -> Result<Bound, Obstacle> {
        if !self.is_written_out(value) {
            return obstacle("the value stands in a format string", self.span(value));
        }
        let before =
            self.tree.stmt_around(value).filter(|&pos| self.comes_first(value, pos)).map(|pos| pos.span);
        if before.is_none() && self.maybe_skipped(value) {
            return obstacle("a logging macro may leave the value out", self.span(value));
        }
        let name = match before {
            Some(_) => self.name(value, taken),
            None => self.name_inside(value),
        };
        Ok(Bound { name, value: self.span(value), before })
    }

    fn maybe_skipped(&self, value: ExprId) -> bool {
        let parent = self.tree.parent(value).map(|p| self.tree.kind(p));
        matches!(parent, Some(ExprKind::Macro(m)) if m.kind == MacroKind::Log)
    }

    /// A name that nothing else in the body has.
    fn name(&self, value: ExprId, taken: &[Bound]) -> String {
        if let Some(own) = self.bound_name(value)
            && self.body.locals.iter().filter(|l| l.name.as_str() == own).count() == 1
            && !self.is_path(&own)
            && taken.iter().all(|b| b.name != own)
        {
            return own;
        }
        let wish = self.wish(value);
        let free = |name: &str| {
            self.body.locals.iter().all(|l| l.name.as_str() != name)
                && !self.is_path(name)
                && taken.iter().all(|b| b.name != name)
        };
        numbered(wish, &free)
    }

    /// A name for a block of its own, in which nothing but the value is: only what the value itself names is taken.
    fn name_inside(&self, value: ExprId) -> String {
        let inside = self.tree.below(value);
        let free = |name: &str| {
            inside.iter().all(|&id| match self.tree.kind(id) {
                ExprKind::Local(l) => self.body.local(*l).name.as_str() != name,
                ExprKind::Path(p) => p.segments.first().is_none_or(|s| s.name.as_str() != name),
                _ => true,
            })
        };
        numbered(self.bound_name(value).unwrap_or_else(|| self.wish(value)), &free)
    }

    fn is_path(&self, name: &str) -> bool {
        self.body.exprs.iter().any(|e| {
            matches!(&e.kind, ExprKind::Path(p) if p.segments.len() == 1
                && p.segments.first().is_some_and(|s| s.name.as_str() == name))
        })
    }

    /// `x` of `if let Some(x) = value`.
    fn bound_name(&self, value: ExprId) -> Option<String> {
        let parent = self.tree.parent(value)?;
        let pat = match self.tree.kind(parent) {
            ExprKind::Let { pat, .. } => *pat,
            ExprKind::Match { arms, .. } => arms.iter().find_map(|a| self.only_name(a.pat).map(|_| a.pat))?,
            _ => return None,
        };
        let local = self.only_name(pat)?;
        Some(self.body.local(local).name.as_str().to_owned())
    }

    fn only_name(&self, pat: PatId) -> Option<LocalId> {
        let mut found = Vec::new();
        walk::for_each_pat(self.body, pat, &mut |p| {
            if let PatKind::Bind { local, .. } = self.body.pat(p).kind {
                found.push(local);
            }
        });
        match found[..] {
            [one] if matches!(self.body.pat(pat).kind, PatKind::TupleStruct { .. }) => Some(one),
            _ => None,
        }
    }

    fn wish(&self, value: ExprId) -> String {
        let plain = |text: &str| {
            let lower = text.to_ascii_lowercase();
            let word = lower.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            let begins = lower.starts_with(|c: char| c.is_ascii_alphabetic());
            (word && begins && !KEYWORDS.contains(&lower.as_str())).then_some(lower)
        };
        let name = match self.tree.kind(value) {
            ExprKind::Field { name, .. } => plain(name.as_str()),
            ExprKind::Try(e) | ExprKind::Await(e) => return self.wish(*e),
            // `*self.total.lock()`: what the lock is called.
            ExprKind::Deref(e) if self.tree.within(self.site, *e) => match self.tree.kind(self.site) {
                ExprKind::Method { recv, .. } => match self.tree.kind(*recv) {
                    ExprKind::Field { name, .. } => plain(name.as_str()),
                    _ => None,
                },
                _ => None,
            },
            ExprKind::Method { name, recv, .. } => match name.as_str() {
                "clone" | "cloned" | "copied" | "to_owned" | "to_vec" | "to_string" | "into_iter" => {
                    match self.tree.kind(*recv) {
                        ExprKind::Field { name, .. } => plain(name.as_str()),
                        ExprKind::Method { name, .. }
                            if matches!(name.as_str(), "get" | "first" | "last" | "find") =>
                        {
                            Some("found".to_owned())
                        }
                        _ => None,
                    }
                }
                "pop" | "pop_front" | "pop_back" | "next" => Some("next".to_owned()),
                "remove" | "take" => Some("taken".to_owned()),
                "collect" | "drain" => Some("items".to_owned()),
                "len" | "count" | "is_empty" | "sum" => plain(name.as_str()),
                _ => None,
            },
            _ => None,
        };
        let asked = matches!(
            self.tree.parent(value).map(|p| self.tree.kind(p)),
            Some(ExprKind::Let { .. } | ExprKind::Match { .. })
        );
        name.unwrap_or_else(|| if asked { "found" } else { "value" }.to_owned())
    }
}

/// The name, with a number if it is not free.
fn numbered(wish: String, free: &dyn Fn(&str) -> bool) -> String {
    let mut name = wish.clone();
    let mut count = 2;
    while !free(&name) {
        name = format!("{wish}_{count}");
        count += 1;
    }
    name
}

const KEYWORDS: &[&str] = &[
    "as", "async", "await", "box", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern",
    "false", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub",
    "ref", "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "unsafe", "use",
    "where", "while", "yield",
];
