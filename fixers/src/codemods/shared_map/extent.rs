//! How long a reference into the map is alive after the migration, and what must not happen meanwhile.

use uncork_lints::hir::{ExprId, ExprKind};
use uncork_lints::infer::Callee;
use uncork_lints::program::BodyIx;
use uncork_lints::source::Span;

use super::{Migration, Step};

impl<'a> Migration<'_, 'a> {
    /// A temporary reference lives to the end of the statement around it.
    pub(super) fn until_statement_end(&mut self, body: BodyIx, from: ExprId) -> Span {
        let hir = self.cx.analysis.program.body(body);
        let lo = hir.expr(from).span.hi;
        let tree = self.tree(body);
        if let Some(at) = tree.stmt_around(from) {
            let end = match tree.stmt(at) {
                Some(
                    uncork_lints::hir::Stmt::Let { span, .. } | uncork_lints::hir::Stmt::Expr { span, .. },
                ) => span.hi,
                None => lo,
            };
            return Span::new(lo, end.max(lo));
        }
        // A block's last expression, or a closure's body.
        let mut here = from;
        while let Some((parent, kind)) = tree.parent_kind(here) {
            if matches!(kind, ExprKind::Block(_) | ExprKind::Closure(_)) {
                break;
            }
            here = parent;
        }
        Span::new(lo, hir.expr(here).span.hi)
    }

    /// A variable lives to the end of the block it is declared in.
    pub(super) fn until_block_end(&mut self, body: BodyIx, block: ExprId, from: u32) -> Span {
        let end = self.cx.analysis.program.body(body).expr(block).span.hi;
        Span::new(from, end.max(from))
    }

    /// Refuses if, inside `extent`, the map is used again or the task may be parked.
    pub(super) fn nothing_happens(&mut self, body: BodyIx, extent: Span) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let ids: Vec<ExprId> = self.tree(body).ids().collect();
        for id in ids {
            let expr = hir.expr(id);
            if !extent.contains(expr.span) || expr.span.is_empty() {
                continue;
            }
            if self.mentioned.contains(&(body, id)) {
                return self.blocked(body, id, "the map is used again while a reference into it is alive");
            }
            if self.released.contains(&(body, id)) {
                return self.blocked(
                    body,
                    id,
                    "the lock is let go while a reference into the map would live on",
                );
            }
            match &expr.kind {
                ExprKind::Await(_) => {
                    return self.blocked(body, id, "a reference into the map would be alive across an await");
                }
                ExprKind::Call { .. } | ExprKind::Method { .. } => {
                    let callee = self.cx.analysis.types[body.0 as usize].callee(id);
                    if let Callee::Fn(def) | Callee::Virtual(def) = callee
                        && self.touching.binary_search(&def).is_ok()
                    {
                        return self.blocked(
                            body,
                            id,
                            "a function that uses the map is called while a reference into it is alive",
                        );
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}
