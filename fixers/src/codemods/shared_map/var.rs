//! Variables and parameters that were plain references into the map and become guards of a shard.
//!
//! Where all a variable's uses mean the same through the guard's `Deref`, it is left alone. Else it is bound again to the
//! plain reference, `let v = v.value();`, so that every use keeps its type.

use uncork_lints::hir::{Closure, ExprId, ExprKind, LocalId, PatId, PatKind};
use uncork_lints::program::BodyIx;
use uncork_lints::source::Span;

use super::op::Item;
use super::{Migration, Step};

/// Whether a method call on a guard of a shard is the one on what it guards.
pub(super) fn keeps_meaning(method: &str) -> bool {
    !matches!(
        method,
        "key"
            | "value"
            | "pair"
            | "value_mut"
            | "pair_mut"
            | "downgrade"
            | "map"
            | "try_map"
            | "into_iter"
            | "as_ref"
            | "as_mut"
            | "borrow"
            | "borrow_mut"
            | "deref"
            | "into"
            | "take"
    )
}

impl<'a> Migration<'_, 'a> {
    /// A variable bound by `let`: alive to the end of its block.
    pub(super) fn bind_statement(
        &mut self,
        body: BodyIx,
        pat: PatId,
        block: ExprId,
        statement: Span,
        item: Item,
    ) -> Step {
        let extent = self.until_block_end(body, block, statement.hi);
        let hir = self.cx.analysis.program.body(body);
        match hir.pat(pat).kind {
            PatKind::Wild => self.nothing_happens(body, extent),
            PatKind::Bind { local, sub: None } => {
                let released = self.alive(body, extent)?;
                let name = hir.local(local).name;
                let plain = self.plain_uses(body, pat, item);
                if let Some(holder) = self.let_go(body, local, item, plain, &released)? {
                    let indent = self.indent(body, statement.lo);
                    let end = Span::new(statement.hi, statement.hi);
                    self.replace(body, end, format!("\n{indent}let {name} = {holder}.{}();", item.access));
                    return Ok(());
                }
                if item.mutable() && !hir.local(local).mutable {
                    let at = hir.local(local).span.lo;
                    self.replace(body, Span::new(at, at), "mut ");
                }
                if !plain {
                    let indent = self.indent(body, statement.lo);
                    let end = Span::new(statement.hi, statement.hi);
                    self.replace(body, end, format!("\n{indent}let {name} = {name}.{}();", item.access));
                }
                Ok(())
            }
            _ => self.blocked(body, block, "a reference into the map is taken apart"),
        }
    }

    /// A variable bound by a condition or arm, for the block (or expression) `inside`: alive throughout it, from `extent`'s
    /// beginning on.
    pub(super) fn bind_in(
        &mut self,
        body: BodyIx,
        pat: PatId,
        inside: ExprId,
        extent: Span,
        item: Item,
    ) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let (name, local) = match hir.pat(pat).kind {
            // Matched and not taken, it is alive as a temporary.
            PatKind::Wild => return self.nothing_happens(body, extent),
            PatKind::Bind { local, sub: None } => (hir.local(local).name, local),
            _ => return self.blocked(body, inside, "a reference into the map is matched in detail"),
        };
        let released = self.alive(body, extent)?;
        let plain = self.plain_uses(body, pat, item);
        if let Some(holder) = self.let_go(body, local, item, plain, &released)? {
            self.begin_with(body, inside, &format!("let {name} = {holder}.{}();", item.access));
            return Ok(());
        }
        if item.mutable() && !hir.local(local).mutable && !self.tree(body).uses(local).is_empty() {
            let at = hir.local(local).span.lo;
            self.replace(body, Span::new(at, at), "mut ");
        }
        if !plain {
            let again = format!("let {name} = {name}.{}();", item.access);
            self.begin_with(body, inside, &again);
        }
        Ok(())
    }

    /// A closure called with the reference (`by_ref`: with a reference to it).
    pub(super) fn closure(&mut self, body: BodyIx, id: ExprId, item: Item, by_ref: bool) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let closure = match &hir.expr(id).kind {
            ExprKind::Closure(closure) => closure,
            ExprKind::Path(_) => {
                // `String::len` becomes a closure that calls it on the plain reference.
                let span = hir.expr(id).span;
                let borrow = if by_ref { "&" } else { "" };
                let mutable = if item.mutable() { "mut " } else { "" };
                self.replace(body, Span::new(span.lo, span.lo), format!("|{mutable}e| "));
                self.replace(body, Span::new(span.hi, span.hi), format!("({borrow}e.{}())", item.access));
                return Ok(());
            }
            _ => return self.blocked(body, id, "a function by name is given references into the map"),
        };
        let inner = hir.expr(closure.body).span;
        self.nothing_happens(body, inner)?;
        let [param] = &closure.params[..] else {
            return self.blocked(body, id, "a reference into the map is taken apart");
        };
        if param.ty.is_some() {
            return self.blocked(body, id, "a closure's parameter has a written type");
        }
        self.parameter(body, closure, param.pat, item, by_ref)
    }

    /// One parameter of a closure.
    pub(super) fn parameter(
        &mut self,
        body: BodyIx,
        closure: &Closure,
        pat: PatId,
        item: Item,
        by_ref: bool,
    ) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let borrow = if by_ref { "&" } else { "" };
        match hir.pat(pat).kind {
            PatKind::Wild => Ok(()),
            PatKind::Bind { local, sub: None } => {
                if item.mutable() && !hir.local(local).mutable {
                    let at = hir.local(local).span.lo;
                    self.replace(body, Span::new(at, at), "mut ");
                }
                if !(self.plain_uses(body, pat, item) && !(by_ref && self.is_dereferenced(body, local))) {
                    let name = hir.local(local).name;
                    let again = format!("let {name} = {borrow}{name}.{}();", item.access);
                    self.begin_with(body, closure.body, &again);
                }
                Ok(())
            }
            _ => {
                let pattern = hir.pat(pat).span;
                let name = self.fresh(body);
                let text = self.text(body, pattern).to_owned();
                let mutable = if item.mutable() { "mut " } else { "" };
                self.replace(body, pattern, format!("{mutable}{name}"));
                let again = format!("let {text} = {borrow}{name}.{}();", item.access);
                self.begin_with(body, closure.body, &again);
                Ok(())
            }
        }
    }

    /// A name that the body does not use.
    pub(super) fn fresh(&self, body: BodyIx) -> &'static str {
        let hir = self.cx.analysis.program.body(body);
        let used = |name: &str| hir.locals.iter().any(|l| l.name.as_str() == name);
        ["entry", "shard_entry", "map_entry"].into_iter().find(|n| !used(n)).unwrap_or("uncork_entry")
    }

    /// Puts a statement at the beginning of a block, or makes a block of an expression.
    pub(super) fn begin_with(&mut self, body: BodyIx, inside: ExprId, statement: &str) {
        let hir = self.cx.analysis.program.body(body);
        let span = hir.expr(inside).span;
        let plain_block = matches!(&hir.expr(inside).kind, ExprKind::Block(b)
            if b.kind == uncork_lints::hir::BlockKind::Plain && b.label.is_none());
        if plain_block && self.text(body, span).starts_with('{') {
            let at = Span::new(span.lo + 1, span.lo + 1);
            if self.text(body, span).contains('\n') {
                let indent = self.indent(body, span.lo);
                self.replace(body, at, format!("\n{indent}    {statement}"));
            } else {
                self.replace(body, at, format!(" {statement}"));
            }
        } else {
            self.replace(body, Span::new(span.lo, span.lo), format!("{{ {statement} "));
            self.replace(body, Span::new(span.hi, span.hi), " }");
        }
    }

    pub(super) fn indent(&self, body: BodyIx, at: u32) -> String {
        let file = self.cx.analysis.program.body_info(body).file;
        let line = self.cx.text(file).get(..at as usize).unwrap_or("").rsplit('\n').next().unwrap_or("");
        line[..line.len() - line.trim_start().len()].to_owned()
    }

    /// Whether every use of the variable means the same through `Deref`.
    pub(super) fn plain_uses(&mut self, body: BodyIx, pat: PatId, item: Item) -> bool {
        let hir = self.cx.analysis.program.body(body);
        let PatKind::Bind { local, sub: None } = hir.pat(pat).kind else { return false };
        if !item.derefs(self.set) {
            return false;
        }
        let uses = self.tree(body).uses(local);
        let mut statements = Vec::new();
        for one in uses {
            let plain = match self.tree(body).parent_kind(one) {
                Some((_, ExprKind::Method { recv, name, .. })) => {
                    *recv == one && keeps_meaning(name.as_str())
                }
                Some((_, ExprKind::Field { .. })) => true,
                Some((_, ExprKind::Deref(_))) => true,
                _ => false,
            };
            if !plain {
                return false;
            }
            if item.mutable() {
                // Two parts of one value borrowed at once need the plain reference.
                let at = self.tree(body).stmt_around(one);
                if at.is_none() || statements.contains(&at) {
                    return false;
                }
                statements.push(at);
            }
        }
        true
    }

    fn is_dereferenced(&mut self, body: BodyIx, local: LocalId) -> bool {
        let uses = self.tree(body).uses(local);
        uses.into_iter().any(|one| matches!(self.tree(body).parent_kind(one), Some((_, ExprKind::Deref(_)))))
    }
}
