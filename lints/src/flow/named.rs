//! What a place or an expression is called in messages.

use super::place::{ClassOf, Place, PlaceCx, Step};
use crate::hir::{ExprId, ExprKind, Path};
use crate::program::BodyIx;

/// Parts of an expression that are shown: what stands last says most.
const PARTS: usize = 2;

/// Methods that say nothing of which value it is.
const SEEN_THROUGH: [&str; 8] =
    ["unwrap", "expect", "clone", "as_ref", "as_mut", "as_deref", "borrow", "deref"];

impl PlaceCx<'_> {
    /// A name for a place as a person would write it: `Pool.map`, `CACHE`, `conns[_]`. `None`: nothing in it has one.
    pub fn name(&self, place: &Place) -> Option<String> {
        let mut out = match place.class(self.program).map(|c| c.what) {
            Some(ClassOf::Field(owner, name)) => format!("{}.{name}", self.program.def(owner).name),
            Some(ClassOf::Static(def)) => self.program.def(def).name.to_string(),
            Some(ClassOf::Local(body, local)) => self.program.body(body).local(local).name.to_string(),
            // A number alone tells nobody which lock is meant.
            None => place.steps.iter().rev().find_map(|s| match s {
                Step::Field(_, name) => Some(name.to_string()),
                _ => None,
            })?,
        };
        if out.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        if matches!(place.steps.last(), Some(Step::Elem | Step::At(_))) {
            out.push_str("[_]");
        }
        Some(out)
    }

    /// A name for what a call works on: of its place, else as the code writes it (`shard(..)`, `pair.0`).
    pub fn name_of(&self, place: Option<&Place>, body: BodyIx, expr: ExprId) -> String {
        place.and_then(|p| self.name(p)).unwrap_or_else(|| self.written(body, expr))
    }

    /// An expression as the code writes it, cut to its last parts and without arguments.
    fn written(&self, body: BodyIx, expr: ExprId) -> String {
        let mut parts = Vec::new();
        self.parts(body, expr, &mut parts);
        let from = parts.len().saturating_sub(PARTS);
        let text = parts[from..].concat();
        text.trim_start_matches('.').to_owned()
    }

    fn parts(&self, ix: BodyIx, id: ExprId, parts: &mut Vec<String>) {
        let body = self.program.body(ix);
        let path = |p: &Path| {
            let from = p.segments.len().saturating_sub(PARTS);
            let names: Vec<&str> = p.segments[from..].iter().map(|s| s.name.as_str()).collect();
            names.join("::")
        };
        match &body.expr(id).kind {
            ExprKind::Local(local) => parts.push(body.local(*local).name.to_string()),
            ExprKind::Path(p) => parts.push(path(p)),
            ExprKind::Field { base, name, .. } => {
                self.parts(ix, *base, parts);
                parts.push(format!(".{name}"));
            }
            ExprKind::Method { recv, name, args, .. } => {
                self.parts(ix, *recv, parts);
                if !SEEN_THROUGH.contains(&name.as_str()) {
                    parts.push(format!(".{name}({})", if args.is_empty() { "" } else { ".." }));
                }
            }
            ExprKind::Call { callee, args } => {
                self.parts(ix, *callee, parts);
                if let Some(last) = parts.last_mut() {
                    last.push_str(if args.is_empty() { "()" } else { "(..)" });
                }
            }
            ExprKind::Index { base, .. } => {
                self.parts(ix, *base, parts);
                if let Some(last) = parts.last_mut() {
                    last.push_str("[_]");
                }
            }
            ExprKind::Deref(e)
            | ExprKind::Ref { expr: e, .. }
            | ExprKind::Cast { expr: e, .. }
            | ExprKind::Try(e)
            | ExprKind::Await(e) => self.parts(ix, *e, parts),
            ExprKind::Block(block) => match block.tail {
                Some(tail) => self.parts(ix, tail, parts),
                None => parts.push("the lock".to_owned()),
            },
            ExprKind::Macro(m) => parts.push(format!("{}!", path(&m.path))),
            _ => parts.push("the lock".to_owned()),
        }
    }
}
