//! Blocks, statements, and which temporaries of an initialiser live as long as the block.

use super::Builder;
use super::pat::Coverage;
use crate::flow::cfg::{Action, SlotIx};
use crate::flow::walk;
use crate::hir::{Block, BlockKind, ExprId, ExprKind, PatId, PatKind, Stmt};
use crate::infer::Callee;

impl Builder<'_> {
    /// A block's statements and value. With `result` the value goes there, else to a new temporary of the scope around.
    pub(super) fn block(&mut self, id: ExprId, block: &Block, result: Option<SlotIx>) -> Option<SlotIx> {
        let result = result.or_else(|| self.temp(id));
        let exit = block.label.map(|label| {
            let exit = self.new_block();
            self.loops.push(super::LoopTarget {
                label: Some(label),
                is_block: true,
                depth: self.scopes.len(),
                break_to: exit,
                continue_to: exit,
                result,
            });
            exit
        });
        self.push_scope();
        for stmt in &block.stmts {
            self.stmt(stmt);
        }
        if let Some(tail) = block.tail {
            if self.edition >= 2024 {
                self.terminating(|b| {
                    let value = b.value(tail);
                    b.transfer(value, result);
                });
            } else {
                let value = self.value(tail);
                self.transfer(value, result);
            }
        }
        self.pop_scope();
        if let Some(exit) = exit {
            self.loops.pop();
            self.go(exit);
        }
        result
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Expr { expr, .. } => self.terminating(|b| {
                let value = b.value(*expr);
                b.transfer(value, None);
            }),
            Stmt::Let { pat, init: None, .. } => {
                let scope = self.scopes.len() - 1;
                for local in self.bound_locals(*pat) {
                    self.declare_in(local, scope);
                }
            }
            Stmt::Let { pat, init: Some(init), els, .. } => self.let_stmt(*pat, *init, *els),
        }
    }

    fn let_stmt(&mut self, pat: PatId, init: ExprId, els: Option<ExprId>) {
        let scope = self.scopes.len() - 1;
        self.terminating(|b| {
            let body = b.cx.body;
            if matches!(body.pat(pat).kind, PatKind::Wild) {
                // A place is not moved by `let _ =`; a value is a temporary of the statement.
                if !b.extended(init, scope) {
                    b.place(init);
                }
                return;
            }
            if els.is_none()
                && let (PatKind::Tuple(pats), ExprKind::Tuple(values)) =
                    (&body.pat(pat).kind, &body.expr(init).kind)
                && pats.len() == values.len()
                && !pats.iter().any(|&p| matches!(body.pat(p).kind, PatKind::Rest))
            {
                let slots: Vec<_> = values.iter().map(|&v| b.init(v, scope)).collect();
                for ((&p, slot), &v) in pats.iter().zip(slots).zip(values) {
                    if !matches!(body.pat(p).kind, PatKind::Wild) {
                        b.bind(p, slot, Some(v), scope);
                    }
                }
                return;
            }
            let by_ref = b.bound_locals(pat).iter().any(|&l| body.local(l).by_ref);
            let whole = matches!(body.pat(pat).kind, PatKind::Bind { .. } | PatKind::Typed { .. });
            let from = if by_ref && !walk::is_place(body, init) {
                b.extend(init, scope)
            } else if whole {
                b.init(init, scope)
            } else {
                b.init_place(init, scope)
            };
            if let Some(els) = els {
                let other = b.fork();
                let here = b.fork();
                b.cur = other;
                // Temporaries die before the `else` block, and there is no guard in what did not match.
                if b.coverage(pat) == Coverage::All
                    && let Some(slot) = from
                {
                    b.act(Action::Drop { slot });
                }
                b.drop_above(scope + 1);
                b.terminating(|b| {
                    let value = b.value(els);
                    b.transfer(value, None);
                });
                b.cur = here;
            }
            b.bind(pat, from, Some(init), scope);
        });
    }

    fn init_place(&mut self, init: ExprId, scope: usize) -> Option<SlotIx> {
        if walk::is_place(self.cx.body, init) {
            self.place(init);
            self.place_slot(init)
        } else {
            self.init(init, scope)
        }
    }

    /// The value of a `let`'s initialiser; temporaries whose lifetime the `let` extends go to `scope`.
    pub(super) fn init(&mut self, id: ExprId, scope: usize) -> Option<SlotIx> {
        let body = self.cx.body;
        match &body.expr(id).kind {
            ExprKind::Ref { .. } => {
                self.extended(id, scope);
                None
            }
            ExprKind::Tuple(parts) | ExprKind::Array(parts)
                if !self.cx.facts.holds_guard(self.cx.types.expr(id)) =>
            {
                for &part in parts {
                    let slot = self.init(part, scope);
                    self.transfer(slot, None);
                }
                None
            }
            ExprKind::Struct { fields, base: None, .. }
                if !self.cx.facts.holds_guard(self.cx.types.expr(id)) =>
            {
                for field in fields {
                    let slot = self.init(field.value, scope);
                    self.transfer(slot, None);
                }
                None
            }
            ExprKind::Call { args, .. } if matches!(self.cx.types.callee(id), Callee::Ctor(_)) => {
                if args.iter().any(|&a| matches!(body.expr(a).kind, ExprKind::Ref { .. })) {
                    for &arg in args {
                        let slot = self.init(arg, scope);
                        self.transfer(slot, None);
                    }
                    return None;
                }
                self.value(id)
            }
            ExprKind::Cast { expr, .. } => self.init(*expr, scope),
            ExprKind::Block(block)
                if matches!(block.kind, BlockKind::Plain | BlockKind::Unsafe) && block.label.is_none() =>
            {
                let result = self.temp(id);
                self.push_scope();
                for stmt in &block.stmts {
                    self.stmt(stmt);
                }
                if let Some(tail) = block.tail {
                    let tail_value = |b: &mut Self| {
                        let value = b.init(tail, scope);
                        b.transfer(value, result);
                    };
                    if self.edition >= 2024 {
                        self.terminating(tail_value);
                    } else {
                        tail_value(self);
                    }
                }
                self.pop_scope();
                result
            }
            _ => self.value(id),
        }
    }

    /// `&temp`, `&temp.field`: evaluates with the temporary in `scope`. Whether it was such an expression.
    fn extended(&mut self, id: ExprId, scope: usize) -> bool {
        let ExprKind::Ref { expr, mutable } = self.cx.body.expr(id).kind else { return false };
        let mut base = expr;
        loop {
            match self.cx.body.expr(base).kind {
                ExprKind::Field { base: inner, .. } | ExprKind::Deref(inner) => base = inner,
                ExprKind::Index { base: inner, index } => {
                    self.value(index);
                    base = inner;
                }
                _ => break,
            }
        }
        match &self.cx.body.expr(base).kind {
            ExprKind::Local(_) | ExprKind::Path(_) => self.borrow(expr, mutable),
            ExprKind::Ref { .. } | ExprKind::Tuple(_) | ExprKind::Array(_) | ExprKind::Struct { .. } => {
                let slot = self.init(base, scope);
                self.keep(base, slot, scope);
            }
            _ => {
                self.extend(base, scope);
            }
        }
        true
    }

    /// The value of an expression in a temporary of `scope`.
    fn extend(&mut self, id: ExprId, scope: usize) -> Option<SlotIx> {
        let value = self.value(id);
        self.keep(id, value, scope)
    }

    fn keep(&mut self, id: ExprId, value: Option<SlotIx>, scope: usize) -> Option<SlotIx> {
        let kept = self.slot_in(scope, self.cx.types.expr(id));
        self.transfer(value, kept);
        kept
    }
}
