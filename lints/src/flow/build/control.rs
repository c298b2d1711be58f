//! Branches and loops.

use super::pat::Coverage;
use super::{Builder, LoopTarget};
use crate::flow::cfg::{Action, BlockIx, Event, EventKind, SlotIx};
use crate::hir::{Arm, BinaryOp, ExprId, ExprKind, MacroCall, PatId};
use crate::name::Name;

impl Builder<'_> {
    pub(super) fn if_expr(
        &mut self,
        id: ExprId,
        cond: ExprId,
        then: ExprId,
        els: Option<ExprId>,
    ) -> Option<SlotIx> {
        let result = self.temp(id);
        let els_block = self.new_block();
        let join = self.new_block();
        let outer_temps = self.temps;
        let depth = self.scopes.len();
        let scope = self.push_scope();
        // Before 2024 the scrutinee's temporaries belong to the statement around.
        if self.edition >= 2024 {
            self.temps = scope;
        }
        self.cond(cond, els_block, depth);
        self.terminating(|b| {
            let value = b.value(then);
            b.transfer(value, result);
        });
        self.pop_scope();
        self.temps = outer_temps;
        self.edge(self.cur, join);
        self.cur = els_block;
        if let Some(els) = els {
            self.terminating(|b| {
                let value = b.value(els);
                b.transfer(value, result);
            });
        }
        self.go(join);
        result
    }

    /// Evaluates a condition. What is built next runs if it holds; else scopes above `depth` end and `otherwise` runs.
    fn cond(&mut self, id: ExprId, otherwise: BlockIx, depth: usize) {
        match &self.cx.body.expr(id).kind {
            ExprKind::Binary { op: BinaryOp::And, lhs, rhs } => {
                self.cond(*lhs, otherwise, depth);
                self.cond(*rhs, otherwise, depth);
            }
            ExprKind::Let { pat, scrutinee } => {
                let from = self.place(*scrutinee);
                let other = self.fork();
                let here = self.fork();
                self.cur = other;
                if self.coverage(*pat) == Coverage::All
                    && let Some(slot) = from
                {
                    self.act(Action::Drop { slot });
                }
                self.drop_above(depth);
                self.edge(self.cur, otherwise);
                self.cur = here;
                self.matched(*pat, from, *scrutinee);
            }
            _ => {
                self.terminating(|b| {
                    let value = b.value(id);
                    b.transfer(value, None);
                });
                let other = self.fork();
                let here = self.fork();
                // `if held.is_none()`: no guard where it holds; `is_some`, `is_ok`: none where it does not.
                let (none_if_true, asked) = self.asks_for_none(id);
                self.cur = if none_if_true { here } else { other };
                if let Some(slot) = asked {
                    self.act(Action::Drop { slot });
                }
                self.cur = other;
                self.drop_above(depth);
                self.edge(self.cur, otherwise);
                self.cur = here;
            }
        }
    }

    /// The slot of a variable that a condition asks whether it holds a value, and which answer says that it does not.
    fn asks_for_none(&self, id: ExprId) -> (bool, Option<SlotIx>) {
        match &self.cx.body.expr(id).kind {
            ExprKind::Not(inner) => {
                let (answer, slot) = self.asks_for_none(*inner);
                (!answer, slot)
            }
            ExprKind::Method { recv, name, args, .. } if args.is_empty() => {
                let answer = matches!(name.as_str(), "is_none" | "is_err");
                let asked = answer || matches!(name.as_str(), "is_some" | "is_ok");
                // What a guard gives access to may be an `Option` as well: `guard.is_none()` asks that one.
                let local = matches!(self.cx.body.expr(*recv).kind, ExprKind::Local(_))
                    && self.cx.types.receivers.get(&id).is_some_and(|r| r.overloaded_derefs == 0);
                (answer, if asked && local { self.place_slot(*recv) } else { None })
            }
            _ => (false, None),
        }
    }

    /// Binds a pattern that matched; a variant without guard proves that there is none.
    fn matched(&mut self, pat: PatId, from: Option<SlotIx>, scrutinee: ExprId) {
        if self.coverage(pat) == Coverage::Without
            && let Some(slot) = from
        {
            self.act(Action::Drop { slot });
        }
        let scope = self.scopes.len() - 1;
        self.bind(pat, from, Some(scrutinee), scope);
    }

    /// `a && b`, `a || b` as a value: each side is a scope, the right one runs only sometimes.
    pub(super) fn short_circuit(&mut self, lhs: ExprId, rhs: ExprId) {
        let side = |b: &mut Self, e: ExprId| {
            b.terminating(|b| {
                let value = b.value(e);
                b.transfer(value, None);
            });
        };
        side(self, lhs);
        let right = self.fork();
        let join = self.fork();
        self.cur = right;
        side(self, rhs);
        self.go(join);
    }

    pub(super) fn match_expr(&mut self, id: ExprId, scrutinee: ExprId, arms: &[Arm]) -> Option<SlotIx> {
        let result = self.temp(id);
        let body = self.cx.body;
        // `match (a.lock(), b.lock()) { (x, y) => … }`: each element for itself.
        let parts: Option<Vec<Option<SlotIx>>> = match &body.expr(scrutinee).kind {
            ExprKind::Tuple(values) => Some(values.iter().map(|&v| self.place(v)).collect()),
            _ => None,
        };
        let from = if parts.is_none() { self.place(scrutinee) } else { None };
        let join = self.new_block();
        let mut covered = false;
        for arm in arms {
            let next = self.fork();
            let here = self.fork();
            self.cur = here;
            if covered && let Some(slot) = from {
                self.act(Action::Drop { slot });
            }
            self.push_scope();
            if let Some(guard) = arm.guard {
                let depth = self.scopes.len() - 1;
                self.cond(guard, next, depth);
            }
            match (&parts, &body.pat(arm.pat).kind) {
                (Some(parts), crate::hir::PatKind::Tuple(pats)) if parts.len() == pats.len() => {
                    for (&part, &pat) in parts.iter().zip(pats) {
                        self.matched(pat, part, scrutinee);
                    }
                }
                (Some(_), _) => self.matched(arm.pat, None, scrutinee),
                (None, _) => self.matched(arm.pat, from, scrutinee),
            }
            self.terminating(|b| {
                let value = b.value(arm.body);
                b.transfer(value, result);
            });
            self.pop_scope();
            self.edge(self.cur, join);
            covered |= arm.guard.is_none() && self.coverage(arm.pat) == Coverage::All;
            self.cur = next;
        }
        // No arm left: a match is exhaustive, so this is not reached, unless it has no arms at all.
        if arms.is_empty() {
            self.edge(self.cur, join);
        }
        self.cur = join;
        result
    }

    pub(super) fn loop_expr(&mut self, id: ExprId, code: ExprId, label: Option<Name>) -> Option<SlotIx> {
        let result = self.temp(id);
        let head = self.new_block();
        let exit = self.new_block();
        self.go(head);
        self.enter_loop(label, exit, head, result);
        self.terminating(|b| {
            let value = b.value(code);
            b.transfer(value, None);
        });
        self.edge(self.cur, head);
        self.loops.pop();
        self.cur = exit;
        result
    }

    pub(super) fn while_expr(&mut self, cond: ExprId, code: ExprId, label: Option<Name>) -> Option<SlotIx> {
        let head = self.new_block();
        let exit = self.new_block();
        self.go(head);
        self.enter_loop(label, exit, head, None);
        let depth = self.scopes.len();
        // The whole turn is one scope: a `while let` scrutinee's temporaries live through the body.
        self.terminating(|b| {
            b.cond(cond, exit, depth);
            b.terminating(|b| {
                let value = b.value(code);
                b.transfer(value, None);
            });
        });
        self.edge(self.cur, head);
        self.loops.pop();
        self.cur = exit;
        None
    }

    pub(super) fn for_expr(
        &mut self,
        id: ExprId,
        pat: PatId,
        iter: ExprId,
        code: ExprId,
        label: Option<Name>,
    ) -> Option<SlotIx> {
        self.terminating(|b| {
            let source = b.value(iter);
            let head = b.new_block();
            let exit = b.new_block();
            b.go(head);
            b.event(Event { expr: id, kind: EventKind::Next, moved: Vec::new(), suspended: None });
            b.edge(b.cur, exit);
            let turn = b.fork();
            b.cur = turn;
            b.enter_loop(label, exit, head, None);
            b.terminating(|b| {
                let scope = b.scopes.len() - 1;
                let item = b.slot_in(scope, b.cx.types.pat(pat));
                if let (Some(from), Some(to)) = (source, item) {
                    b.act(Action::Copy { from, to });
                }
                b.bind(pat, item, Some(iter), scope);
                b.terminating(|b| {
                    let value = b.value(code);
                    b.transfer(value, None);
                });
            });
            b.edge(b.cur, head);
            b.loops.pop();
            b.cur = exit;
            // The iterator itself dies with the loop even where it was a variable: it was moved into it.
            b.transfer(source, None);
        });
        None
    }

    fn enter_loop(&mut self, label: Option<Name>, exit: BlockIx, head: BlockIx, result: Option<SlotIx>) {
        self.loops.push(LoopTarget {
            label,
            is_block: false,
            depth: self.scopes.len(),
            break_to: exit,
            continue_to: head,
            result,
        });
    }

    pub(super) fn break_to(&mut self, label: Option<Name>, value: Option<SlotIx>) {
        let target = self.loops.iter().rev().find(|t| match label {
            Some(_) => t.label == label,
            None => !t.is_block,
        });
        let Some((depth, to, result)) = target.map(|t| (t.depth, t.break_to, t.result)) else {
            self.cur = self.new_block();
            return;
        };
        self.transfer(value, result);
        self.drop_above(depth);
        self.jump(to);
    }

    pub(super) fn continue_to(&mut self, label: Option<Name>) {
        let target = self.loops.iter().rev().find(|t| !t.is_block && (label.is_none() || t.label == label));
        let Some((depth, to)) = target.map(|t| (t.depth, t.continue_to)) else {
            self.cur = self.new_block();
            return;
        };
        self.drop_above(depth);
        self.jump(to);
    }

    /// `select!`: all futures are made and awaited together, they die, then one body runs.
    pub(super) fn select(&mut self, id: ExprId, m: &MacroCall) -> Option<SlotIx> {
        let result = self.temp(id);
        let branches = m.args.len() / 2;
        self.terminating(|b| {
            for i in 0..branches {
                let value = b.value(m.args[2 * i]);
                b.transfer(value, None);
            }
            b.event(Event { expr: id, kind: EventKind::Await, moved: Vec::new(), suspended: None });
        });
        let start = self.cur;
        let join = self.new_block();
        for i in 0..branches {
            self.cur = start;
            let here = self.fork();
            self.cur = here;
            self.terminating(|b| {
                let scope = b.scopes.len() - 1;
                if let Some(&pat) = m.pats.get(i) {
                    b.bind(pat, None, None, scope);
                }
                let value = b.value(m.args[2 * i + 1]);
                b.transfer(value, result);
            });
            self.edge(self.cur, join);
        }
        if m.args.len() % 2 == 1 {
            self.cur = start;
            let here = self.fork();
            self.cur = here;
            self.terminating(|b| {
                let value = b.value(m.args[2 * branches]);
                b.transfer(value, result);
            });
            self.edge(self.cur, join);
        }
        if branches == 0 {
            self.edge(start, join);
        }
        self.cur = join;
        result
    }
}
