//! Calls: what goes in by value, what comes out.

use super::Builder;
use crate::flow::cfg::{AccessKind, Action, Event, EventKind, Origin, SlotIx};
use crate::flow::walk;
use crate::hir::{ExprId, ExprKind};
use crate::infer::{Callee, SelfMode};
use crate::ty::Ty;

impl Builder<'_> {
    pub(super) fn call(&mut self, id: ExprId, callee: ExprId, args: &[ExprId]) -> Option<SlotIx> {
        if !matches!(self.cx.body.expr(callee).kind, ExprKind::Path(_)) {
            self.place_as(callee, AccessKind::Borrow);
        }
        let mut moved = Vec::new();
        for (i, &arg) in args.iter().enumerate() {
            if let Some(slot) = self.value(arg) {
                moved.push((i.min(255) as u8, slot));
            }
        }
        if matches!(self.cx.types.callee(id), Callee::Ctor(_)) || self.is_plain_ctor(callee) {
            let result = self.temp(id);
            for (_, slot) in moved {
                self.transfer(Some(slot), result);
            }
            return result;
        }
        let first = args.first().and_then(|&a| self.borrowed_slot(a));
        self.finish_call(id, moved, first)
    }

    /// `Some`, `Ok`, `Err`: constructors from outside.
    fn is_plain_ctor(&self, callee: ExprId) -> bool {
        let ExprKind::Path(path) = &self.cx.body.expr(callee).kind else { return false };
        matches!(path.segments.last().map(|s| s.name.as_str()), Some("Some" | "Ok" | "Err"))
    }

    /// The slot behind `&x` or `&mut x`.
    fn borrowed_slot(&self, arg: ExprId) -> Option<SlotIx> {
        match self.cx.body.expr(arg).kind {
            ExprKind::Ref { expr, .. } => self.place_slot(expr),
            _ => None,
        }
    }

    /// The slot of the guard that a call gets by `&mut`.
    fn lent_slot(&self, id: ExprId) -> Option<SlotIx> {
        let args = match &self.cx.body.expr(id).kind {
            ExprKind::Call { args, .. } | ExprKind::Method { args, .. } => args,
            _ => return None,
        };
        args.iter().find_map(|&arg| self.borrowed_slot(arg).or_else(|| self.place_slot(arg)))
    }

    pub(super) fn method(&mut self, id: ExprId, recv: ExprId, args: &[ExprId]) -> Option<SlotIx> {
        let receiver = self.cx.types.receivers.get(&id).copied();
        let by_value = match receiver.map(|r| (r.mode, r.overloaded_derefs)) {
            Some((SelfMode::Value, 0)) => true,
            Some((SelfMode::Value | SelfMode::Ref | SelfMode::RefMut, _)) => false,
            // Unsure: a value asked something unknown is taken to be used up, a place to stay.
            Some((SelfMode::Unknown, _)) | None => !walk::is_place(self.cx.body, recv),
        };
        let mut moved = Vec::new();
        let mut borrowed = None;
        if by_value {
            if let Some(slot) = self.value(recv) {
                moved.push((0, slot));
            }
        } else {
            let kind = match receiver.map(|r| r.mode) {
                Some(SelfMode::RefMut) => AccessKind::BorrowMut,
                Some(SelfMode::Value) => AccessKind::Read,
                _ => AccessKind::Borrow,
            };
            borrowed = self.place_as(recv, kind);
        }
        for (i, &arg) in args.iter().enumerate() {
            if let Some(slot) = self.value(arg) {
                moved.push(((i + 1).min(255) as u8, slot));
            }
        }
        self.finish_call(id, moved, borrowed)
    }

    /// The call itself: its event, then its result. `borrowed` is the slot that the receiver or first argument borrows.
    fn finish_call(
        &mut self,
        id: ExprId,
        moved: Vec<(u8, SlotIx)>,
        borrowed: Option<SlotIx>,
    ) -> Option<SlotIx> {
        let callee = self.cx.types.callee(id);
        let tags = match callee {
            Callee::Ext(path) => self.cx.facts.tags(path),
            _ => None,
        };
        // `unlocked` and a condvar's wait lend the guard back for the time of the call.
        let suspended =
            if tags.is_some_and(|t| t.unlocks || t.condvar_wait) { self.lent_slot(id) } else { None };
        self.event(Event { expr: id, kind: EventKind::Call, moved: moved.clone(), suspended });
        let ty = self.cx.types.expr(id);
        let result = self.temp(id);
        if let Some(slot) = result {
            let origin = match callee {
                Callee::Ext(_) if tags.is_some_and(|t| t.acquire.is_some()) && moved.is_empty() => {
                    Some(Origin::Acquire(id))
                }
                Callee::Fn(_) | Callee::Virtual(_) => Some(Origin::Call(id)),
                _ => None,
            };
            if let Some(origin) = origin {
                let token = self.token(origin, ty);
                self.act(Action::Birth { token, slot });
            } else if let (Some(from), true) = (borrowed, moved.is_empty()) {
                // `Option::take` leaves nothing behind; `Vec::pop` may.
                let whole = matches!(callee, Callee::Ext(path)
                    if matches!(path.as_str(), "std::option::Option::take" | "std::mem::take"));
                self.act(if whole {
                    Action::Move { from, to: slot }
                } else {
                    Action::Copy { from, to: slot }
                });
            }
        }
        // What is pushed into a collection of guards lives on in it; what a function takes and cannot give back dies there.
        let keeper = result.or(borrowed);
        let turned = tags.is_some_and(|t| t.maps_guard);
        for (_, slot) in moved {
            match keeper {
                Some(to) if !turned && to != slot => {
                    self.act(Action::Copy { from: slot, to });
                    self.act(Action::Drop { slot });
                }
                _ => self.transfer(Some(slot), keeper),
            }
        }
        if ty == Ty::NEVER || tags.is_some_and(|t| t.diverges) {
            self.drop_above(0);
            self.cur = self.new_block();
        }
        result
    }
}
