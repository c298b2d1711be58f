//! A check and an insert under one guard: `if map.contains_key(&k) { return … }`, then `map.insert(k, v)`. Nobody may come
//! between the two, so both become one entry, which keeps its shard locked from the check to the insert.

use uncork_lints::hir::{ExprId, ExprKind, MacroKind, Stmt};
use uncork_lints::program::BodyIx;
use uncork_lints::source::Span;
use uncork_lints::ty::{Ty, TyKind};

use super::to::{Held, To};
use super::{Migration, Step};

/// The two calls, understood.
struct Claim {
    /// The whole `if`, its block, and whether a `;` follows.
    check: ExprId,
    then: ExprId,
    semi: bool,
    /// The whole `insert`, and its second argument.
    insert: ExprId,
    value: ExprId,
    /// The key to ask for, as text.
    key: String,
}

impl<'a> Migration<'_, 'a> {
    /// Rewrites the operations of a guard if they are such a pair; says whether they were.
    pub(super) fn claimed(&mut self, body: BodyIx, place_text: &str, operations: &[ExprId]) -> Step<bool> {
        let &[first, second] = operations else { return Ok(false) };
        let Some(claim) = self.claim(body, first, second) else { return Ok(false) };
        let hir = self.cx.analysis.program.body(body);
        let span = |id: ExprId| hir.expr(id).span;
        self.nothing_happens(body, Span::new(span(claim.then).lo, span(claim.insert).lo))?;
        self.nothing_happens(body, span(claim.value))?;
        let name = self.fresh(body);
        let head = format!(
            "let dashmap::mapref::entry::Entry::Vacant({name}) = {place_text}.entry({}) else ",
            claim.key
        );
        self.replace(body, Span::new(span(claim.check).lo, span(claim.then).lo), head);
        if !claim.semi {
            let end = span(claim.check).hi;
            self.replace(body, Span::new(end, end), ";");
        }
        let until = Span::new(span(claim.insert).lo, span(claim.value).lo);
        self.replace(body, until, format!("{name}.insert("));
        self.operations += 2;
        let at = self.place_of(body, claim.insert);
        self.claims.push(at);
        // Another pair in here must not choose the same name in the same round.
        let whole = self.at(body, Span::new(span(claim.check).lo, span(claim.insert).hi));
        self.reserved.push(whole);
        Ok(true)
    }

    fn claim(&mut self, body: BodyIx, first: ExprId, second: ExprId) -> Option<Claim> {
        if self.set || self.to != To::Dashmap || self.held != Held::Locked {
            return None;
        }
        let hir = self.cx.analysis.program.body(body);
        let (asked, ExprKind::Method { recv, name, args, .. }) = self.tree(body).parent_kind(first)? else {
            return None;
        };
        let ([wanted], true) = (&args[..], *recv == first && name.as_str() == "contains_key") else {
            return None;
        };
        let (check, ExprKind::If { cond, then, els: None }) = self.tree(body).parent_kind(asked)? else {
            return None;
        };
        let (then, at) = (*then, self.tree(body).stmt_of(check)?);
        let Some(Stmt::Expr { semi, span: whole, .. }) = self.tree(body).stmt(at) else { return None };
        let semi = *semi && whole.hi > hir.expr(check).span.hi;
        if *cond != asked || !self.leaves(body, then) {
            return None;
        }
        let (insert, ExprKind::Method { recv, name, args, .. }) = self.tree(body).parent_kind(second)? else {
            return None;
        };
        let ([key, value], true) = (&args[..], *recv == second && name.as_str() == "insert") else {
            return None;
        };
        let placed = self.tree(body).stmt_of(insert)?;
        let thrown_away = matches!(self.tree(body).stmt(placed), Some(Stmt::Expr { semi: true, .. }));
        if placed.block != at.block || placed.index <= at.index || !thrown_away {
            return None;
        }
        let between = Span::new(hir.expr(insert).span.lo, hir.expr(*value).span.lo);
        if self.text(body, between).contains("//") || self.text(body, between).contains("/*") {
            return None;
        }
        let rest = Span::new(hir.expr(then).span.lo, hir.expr(insert).span.lo);
        let key = self.key(body, *wanted, *key, *value, rest)?;
        Some(Claim { check, then, semi, insert, value: *value, key })
    }

    /// Whether a block never ends in its closing brace.
    pub(super) fn leaves(&self, body: BodyIx, block: ExprId) -> bool {
        let hir = self.cx.analysis.program.body(body);
        let ExprKind::Block(block) = &hir.expr(block).kind else { return false };
        let last = block.tail.or_else(|| match block.stmts.last() {
            Some(Stmt::Expr { expr, .. }) => Some(*expr),
            _ => None,
        });
        last.is_some_and(|last| match &hir.expr(last).kind {
            ExprKind::Return(_) | ExprKind::Break { .. } | ExprKind::Continue { .. } => true,
            ExprKind::Macro(call) => call.kind == MacroKind::Diverge,
            _ => false,
        })
    }

    /// The key for the entry, if the one asked for is the one inserted. It is made before the check now, so that what
    /// is used later has to be copied.
    fn key(
        &mut self,
        body: BodyIx,
        wanted: ExprId,
        key: ExprId,
        value: ExprId,
        rest: Span,
    ) -> Option<String> {
        let hir = self.cx.analysis.program.body(body);
        let wanted = match &hir.expr(wanted).kind {
            ExprKind::Ref { mutable: false, expr } => *expr,
            _ => wanted,
        };
        let squeezed = |this: &Self, id: ExprId| -> String {
            this.text(body, hir.expr(id).span).split_whitespace().collect()
        };
        let (of, copied) = match &hir.expr(key).kind {
            ExprKind::Method { recv, name, args, .. }
                if args.is_empty() && matches!(name.as_str(), "clone" | "to_string" | "to_owned") =>
            {
                (*recv, true)
            }
            _ => (key, false),
        };
        if squeezed(self, of) != squeezed(self, wanted) {
            return None;
        }
        let begin = root(hir, of)?;
        let name = hir.local(begin).name;
        // The same words must mean the same value at both places.
        let changed = hir.exprs.iter().any(|e| match &e.kind {
            ExprKind::Assign { lhs, .. } | ExprKind::AssignOp { lhs, .. } => root(hir, *lhs) == Some(begin),
            ExprKind::Ref { mutable: true, expr } => root(hir, *expr) == Some(begin),
            _ => false,
        });
        if changed || hir.locals.iter().filter(|l| l.name == name).count() > 1 {
            return None;
        }
        let text = self.text(body, hir.expr(key).span).to_owned();
        let ty = self.ty(body, of);
        if copied || is_copy(ty) {
            return Some(text);
        }
        let later = [rest, hir.expr(value).span];
        let used_later = self
            .tree(body)
            .uses(begin)
            .into_iter()
            .any(|one| later.iter().any(|s| s.contains(hir.expr(one).span)));
        match (used_later, self.is_clone(ty)) {
            (false, _) => Some(text),
            (true, true) => Some(format!("{text}.clone()")),
            (true, false) => None,
        }
    }

    fn is_clone(&self, ty: Ty) -> bool {
        match ty.kind() {
            TyKind::Adt(def, _) => {
                let derives = &self.cx.analysis.program.item(*def).attrs.derives;
                derives.iter().any(|d| d.as_str() == "Clone")
            }
            _ => ty.is_ext("std::string::String"),
        }
    }
}

fn is_copy(ty: Ty) -> bool {
    matches!(ty.kind(), TyKind::Int(_) | TyKind::Bool | TyKind::Char | TyKind::Ref(false, _))
}

/// The variable that a path of fields begins with.
fn root(hir: &uncork_lints::hir::Body, id: ExprId) -> Option<uncork_lints::hir::LocalId> {
    match &hir.expr(id).kind {
        ExprKind::Local(local) => Some(*local),
        ExprKind::Field { base, .. } => root(hir, *base),
        _ => None,
    }
}
