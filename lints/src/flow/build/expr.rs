//! Expressions as values (moved to who asks) and as places (looked at where they are).

use super::Builder;
use crate::flow::cfg::{AccessKind, Action, Event, EventKind, Origin, RETURN, SlotIx};
use crate::flow::{Origins, walk};
use crate::hir::{BinaryOp, BlockKind, ExprId, ExprKind, MacroCall, MacroKind};
use crate::infer::Callee;
use crate::ty::{Ty, TyKind};

/// Whether values of the type are surely copied, not moved.
fn is_copy(ty: Ty) -> bool {
    match ty.kind() {
        TyKind::Bool | TyKind::Char | TyKind::Int(_) | TyKind::Float(_) | TyKind::Never | TyKind::Ptr(_) => {
            true
        }
        TyKind::Ref(mutable, _) => !mutable,
        TyKind::FnDef(..) | TyKind::ExtFn(_) => true,
        TyKind::Tuple(parts) => parts.iter().all(|&t| is_copy(t)),
        TyKind::Array(t) => is_copy(*t),
        _ => false,
    }
}

impl Builder<'_> {
    /// Evaluates for the value. The slot, if any, is left to the caller: to move from, or to let die.
    pub(super) fn value(&mut self, id: ExprId) -> Option<SlotIx> {
        let body = self.cx.body;
        match &body.expr(id).kind {
            ExprKind::Missing | ExprKind::Lit(_) | ExprKind::Path(_) => None,
            ExprKind::Local(_) | ExprKind::Field { .. } | ExprKind::Index { .. } | ExprKind::Deref(_) => {
                self.move_out(id)
            }
            ExprKind::Call { callee, args } => self.call(id, *callee, args),
            ExprKind::Method { recv, args, .. } => self.method(id, *recv, args),
            ExprKind::Not(e) | ExprKind::Neg(e) => {
                let value = self.value(*e);
                self.transfer(value, None);
                None
            }
            ExprKind::Binary { op: BinaryOp::And | BinaryOp::Or, lhs, rhs } => {
                self.short_circuit(*lhs, *rhs);
                None
            }
            ExprKind::Binary { op, lhs, rhs } => {
                use BinaryOp::{Eq, Ge, Gt, Le, Lt, Ne};
                for e in [*lhs, *rhs] {
                    if matches!(op, Eq | Ne | Lt | Le | Gt | Ge) {
                        self.place_as(e, AccessKind::Borrow);
                    } else {
                        let value = self.value(e);
                        self.transfer(value, None);
                    }
                }
                None
            }
            ExprKind::Assign { lhs, rhs } => {
                let value = self.value(*rhs);
                self.assign(*lhs, *rhs, value);
                None
            }
            ExprKind::AssignOp { lhs, rhs, .. } => {
                let value = self.value(*rhs);
                self.transfer(value, None);
                self.place_as(*lhs, AccessKind::BorrowMut);
                None
            }
            ExprKind::Ref { mutable, expr } => {
                self.borrow(*expr, *mutable);
                None
            }
            ExprKind::Cast { expr, .. } => {
                let value = self.value(*expr);
                self.pass_on(id, value)
            }
            ExprKind::Tuple(parts) | ExprKind::Array(parts) => self.aggregate(id, parts),
            ExprKind::Repeat { elem, len } => {
                let value = self.value(*elem);
                self.value(*len);
                self.pass_on(id, value)
            }
            ExprKind::Range { start, end, .. } => {
                for &e in start.iter().chain(end) {
                    let value = self.value(e);
                    self.transfer(value, None);
                }
                None
            }
            ExprKind::Struct { fields, base, .. } => {
                let result = self.temp(id);
                let values: Vec<_> = fields.iter().map(|f| self.value(f.value)).collect();
                if let Some(base) = base {
                    self.place(*base);
                }
                for value in values {
                    self.transfer(value, result);
                }
                result
            }
            ExprKind::Block(block) => match block.kind {
                BlockKind::Async { is_move } => {
                    self.capture(id, is_move);
                    None
                }
                _ => self.block(id, block, None),
            },
            ExprKind::If { cond, then, els } => self.if_expr(id, *cond, *then, *els),
            ExprKind::Let { scrutinee, .. } => {
                // Only conditions hold these; one elsewhere is not Rust.
                self.place(*scrutinee);
                None
            }
            ExprKind::Match { scrutinee, arms } => self.match_expr(id, *scrutinee, arms),
            ExprKind::Loop { body, label } => self.loop_expr(id, *body, *label),
            ExprKind::While { cond, body, label } => self.while_expr(*cond, *body, *label),
            ExprKind::For { pat, iter, body, label } => self.for_expr(id, *pat, *iter, *body, *label),
            ExprKind::Break { label, value } => {
                let value = value.and_then(|v| self.value(v));
                self.break_to(*label, value);
                None
            }
            ExprKind::Continue { label } => {
                self.continue_to(*label);
                None
            }
            ExprKind::Return(value) => {
                let value = value.and_then(|v| self.value(v));
                self.transfer(value, Some(RETURN));
                self.drop_above(0);
                self.cur = self.new_block();
                None
            }
            ExprKind::Closure(c) => {
                self.capture(id, c.is_move);
                None
            }
            ExprKind::Await(e) => self.await_expr(id, *e),
            ExprKind::Try(e) => {
                let value = self.value(*e);
                let failed = self.fork();
                let here = self.fork();
                self.cur = failed;
                self.transfer(value, None);
                self.drop_above(0);
                self.cur = here;
                self.pass_on(id, value)
            }
            ExprKind::Macro(m) => self.macro_call(id, m),
        }
    }

    /// Carries a value on as that of another expression, if that can hold it.
    fn pass_on(&mut self, id: ExprId, value: Option<SlotIx>) -> Option<SlotIx> {
        let value = value?;
        let result = self.temp(id);
        self.transfer(Some(value), result);
        result
    }

    /// Looks at an expression where it is.
    pub(super) fn place(&mut self, id: ExprId) -> Option<SlotIx> {
        self.place_as(id, AccessKind::Read)
    }

    /// Looks at an expression where it is; the variable at its root is touched as `kind` says.
    pub(super) fn place_as(&mut self, id: ExprId, kind: AccessKind) -> Option<SlotIx> {
        self.place_evaluate(id, id, kind);
        self.place_slot(id)
    }

    fn place_evaluate(&mut self, id: ExprId, whole: ExprId, kind: AccessKind) {
        match self.cx.body.expr(id).kind {
            ExprKind::Local(local) => self.access(local, kind, Some(whole)),
            ExprKind::Path(_) => {}
            ExprKind::Field { base, .. } => self.place_evaluate(base, whole, kind),
            ExprKind::Deref(base) => {
                // What a reference points to is touched, not the reference.
                let through = matches!(self.cx.types.expr(base).kind(), TyKind::Ref(..));
                let kind = if through { AccessKind::Read } else { kind };
                self.place_evaluate(base, whole, kind);
            }
            ExprKind::Index { base, index } => {
                self.place_evaluate(base, whole, kind);
                let value = self.value(index);
                self.transfer(value, None);
            }
            _ => {
                if let Some(slot) = self.value(id) {
                    self.value_slots.insert(id, slot);
                }
            }
        }
    }

    /// The slot of the variable at the root of a place, if the place can hold a guard.
    pub(super) fn place_slot(&self, id: ExprId) -> Option<SlotIx> {
        if !self.cx.facts.holds_guard(self.cx.types.expr(id)) {
            return None;
        }
        let mut at = id;
        loop {
            match self.cx.body.expr(at).kind {
                ExprKind::Local(local) => return self.local_slots.get(&local).copied(),
                ExprKind::Field { base, .. } | ExprKind::Index { base, .. } | ExprKind::Deref(base) => {
                    at = base
                }
                _ => return self.value_slots.get(&at).copied(),
            }
        }
    }

    fn move_out(&mut self, id: ExprId) -> Option<SlotIx> {
        let ty = self.cx.types.expr(id);
        let kind = if is_copy(ty) { AccessKind::Read } else { AccessKind::Move };
        self.place_as(id, kind);
        let from = self.place_slot(id)?;
        if matches!(self.cx.body.expr(id).kind, ExprKind::Local(_)) {
            return Some(from);
        }
        let to = self.temp(id)?;
        self.act(Action::Move { from, to });
        Some(to)
    }

    pub(super) fn borrow(&mut self, id: ExprId, mutable: bool) {
        self.place_as(id, if mutable { AccessKind::BorrowMut } else { AccessKind::Borrow });
    }

    fn assign(&mut self, lhs: ExprId, rhs: ExprId, value: Option<SlotIx>) {
        match &self.cx.body.expr(lhs).kind {
            ExprKind::Local(local) => {
                self.access(*local, AccessKind::Write, Some(rhs));
                let slot = self.local_slots.get(local).copied();
                if let Some(slot) = slot {
                    self.act(Action::Drop { slot });
                }
                self.transfer(value, slot);
            }
            ExprKind::Tuple(parts) => {
                for &part in parts {
                    self.assign(part, rhs, None);
                }
                self.transfer(value, None);
            }
            _ => {
                self.place_as(lhs, AccessKind::WritePart);
                let slot = self.place_slot(lhs);
                self.transfer(value, slot);
            }
        }
    }

    fn aggregate(&mut self, id: ExprId, parts: &[ExprId]) -> Option<SlotIx> {
        let result = self.temp(id);
        let values: Vec<_> = parts.iter().map(|&p| self.value(p)).collect();
        for value in values {
            self.transfer(value, result);
        }
        result
    }

    /// A closure or async block is made: it takes what it captures.
    fn capture(&mut self, id: ExprId, is_move: bool) {
        let consumed = self.consumed_below(id);
        for local in self.captured_locals(id) {
            self.access(local, AccessKind::Capture, Some(id));
            if let Some(&slot) = self.local_slots.get(&local)
                && (is_move || consumed.contains(&local))
            {
                self.act(Action::Drop { slot });
            }
        }
    }

    /// Guards that code below drops or returns by value.
    fn consumed_below(&self, id: ExprId) -> Vec<crate::hir::LocalId> {
        let body = self.cx.body;
        let mut found = Vec::new();
        if self.local_slots.is_empty() {
            return found;
        }
        walk::for_each_below(body, id, &mut |e| {
            if let ExprKind::Call { args, .. } = &body.expr(e).kind {
                for &arg in args {
                    if let ExprKind::Local(local) = body.expr(arg).kind {
                        found.push(local);
                    }
                }
            }
            true
        });
        found
    }

    fn await_expr(&mut self, id: ExprId, future: ExprId) -> Option<SlotIx> {
        let value = self.value(future);
        self.event(Event { expr: id, kind: EventKind::Await, moved: Vec::new(), suspended: None });
        self.transfer(value, None);
        let result = self.temp(id);
        if let Some(slot) = result
            && let Some(origin) = self.awaited_origin(future)
        {
            let token = self.token(origin, self.cx.types.expr(id));
            self.act(Action::Birth { token, slot });
        }
        result
    }

    /// The call that makes the guard that awaiting `future` yields.
    fn awaited_origin(&self, future: ExprId) -> Option<Origin> {
        let body = self.cx.body;
        let mut made = future;
        while let ExprKind::Ref { expr, .. } | ExprKind::Deref(expr) = body.expr(made).kind {
            made = expr;
        }
        // `let waiting = lock.lock(); … waiting.await`
        if let ExprKind::Local(local) = body.expr(made).kind {
            let init = Origins::new(body).init(local)?;
            return match body.expr(init).kind {
                ExprKind::Local(_) | ExprKind::Await(_) => None,
                _ => self.awaited_origin(init),
            };
        }
        let mut found = None;
        walk::for_each_below(body, future, &mut |e| {
            if matches!(found, Some(Origin::Acquire(_))) || walk::own_body(body, e).is_some() {
                return false;
            }
            match body.expr(e).kind {
                ExprKind::Call { .. } | ExprKind::Method { .. } => {}
                // Over before the outer future begins.
                ExprKind::Await(_) => return false,
                _ => return true,
            }
            match self.cx.types.callee(e) {
                // In the arguments of a call too: `in_time(lock.lock(), limit).await`.
                Callee::Ext(path) if self.cx.facts.tags(path).is_some_and(|t| t.acquire.is_some()) => {
                    let future = matches!(self.cx.types.expr(e).kind(), TyKind::Future(_));
                    if found.is_none() || future {
                        found = Some(Origin::Acquire(e));
                    }
                }
                Callee::Fn(_) | Callee::Virtual(_) if found.is_none() => found = Some(Origin::Call(e)),
                _ => {}
            }
            true
        });
        found
    }

    fn macro_call(&mut self, id: ExprId, m: &MacroCall) -> Option<SlotIx> {
        let event = Event { expr: id, kind: EventKind::Macro, moved: Vec::new(), suspended: None };
        match m.kind {
            MacroKind::Format | MacroKind::Log | MacroKind::Assert => {
                // `write!` is a method call on its first argument, the others are blocks of their own.
                let name = m.path.segments.last().map_or("", |s| s.name.as_str());
                let run = |b: &mut Self| {
                    for &arg in &m.args {
                        b.borrow(arg, false);
                    }
                    b.event(event);
                };
                if name == "write" || name == "writeln" {
                    run(self)
                } else {
                    self.terminating(run)
                }
                None
            }
            MacroKind::Diverge => {
                self.terminating(|b| m.args.iter().for_each(|&a| b.borrow(a, false)));
                self.drop_above(0);
                self.cur = self.new_block();
                None
            }
            MacroKind::Matches => {
                if let Some((&scrutinee, guards)) = m.args.split_first() {
                    self.place(scrutinee);
                    self.terminating(|b| guards.iter().for_each(|&g| b.borrow(g, false)));
                }
                None
            }
            MacroKind::Vec | MacroKind::VecRepeat => self.aggregate(id, &m.args),
            MacroKind::Dbg => {
                let value = m.args.first().and_then(|&a| self.value(a));
                self.pass_on(id, value)
            }
            MacroKind::Select => self.select(id, m),
            MacroKind::Join => {
                for &arg in &m.args {
                    let value = self.value(arg);
                    self.transfer(value, None);
                }
                self.event(Event { kind: EventKind::Await, ..event });
                None
            }
            MacroKind::Known | MacroKind::Guess => {
                for &arg in &m.args {
                    self.place(arg);
                }
                self.event(event);
                None
            }
            MacroKind::Opaque => None,
        }
    }
}
