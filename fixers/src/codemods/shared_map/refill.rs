//! Whether a map is filled where something was missed. Only then may an entry be gone: it is made again.

use rustc_hash::FxHashSet;
use uncork_lints::hir::{ExprId, ExprKind, PatId, PatKind, Stmt};
use uncork_lints::infer::Callee;
use uncork_lints::knowledge::Op;
use uncork_lints::places::{PlaceKey, UseKind};
use uncork_lints::program::{BodyIx, DefId, Program};
use uncork_lints::ty::{Ty, TyKind};

use super::Migration;

impl<'a> Migration<'_, 'a> {
    /// Whether some function puts in what it did not find, or calls one that puts in where another found nothing.
    pub(super) fn is_refilled(&mut self, place: PlaceKey) -> bool {
        self.refills_itself(place) || self.is_refilled_by_callers(place)
    }

    fn is_refilled_by_callers(&mut self, place: PlaceKey) -> bool {
        let program = &self.cx.analysis.program;
        let (mut asks, mut fills) = (FxHashSet::default(), FxHashSet::default());
        for one in self.cx.analysis.uses.uses_of(place).iter().filter(|u| !u.in_test) {
            match one.kind {
                UseKind::Op(Op::Get | Op::Contains) => asks.insert(program.body_info(one.body).owner),
                UseKind::Op(Op::Insert) => fills.insert(program.body_info(one.body).owner),
                _ => false,
            };
        }
        let callers: FxHashSet<_> =
            fills.iter().flat_map(|f| self.index.callers.get(f).into_iter().flatten().copied()).collect();
        let mut bodies: Vec<BodyIx> =
            callers.iter().filter_map(|c| program.body_of.get(c).copied()).collect();
        bodies.sort();
        bodies.into_iter().any(|body| {
            let calls = &self.cx.analysis.types[body.0 as usize].calls;
            let to = |wanted: &FxHashSet<DefId>| -> Vec<ExprId> {
                let of = |c: &Callee| matches!(c, Callee::Fn(def) if wanted.contains(def));
                let mut out: Vec<ExprId> =
                    calls.iter().filter(|(_, callee)| of(callee)).map(|(&id, _)| id).collect();
                out.sort();
                out
            };
            let (asked, filled) = (to(&asks), to(&fills));
            asked.iter().any(|&ask| filled.iter().any(|&fill| self.on_miss(body, ask, fill)))
        })
    }

    fn refills_itself(&mut self, place: PlaceKey) -> bool {
        let uses = self.cx.analysis.uses.uses_of(place);
        uses.iter().filter(|u| !u.in_test).any(|fill| match fill.kind {
            UseKind::Op(Op::Entry) => true,
            UseKind::Op(Op::Insert) => uses.iter().any(|ask| {
                ask.body == fill.body
                    && matches!(ask.kind, UseKind::Op(Op::Get | Op::Contains))
                    && self.on_miss(fill.body, ask.expr, fill.expr)
            }),
            _ => false,
        })
    }

    /// Whether each insert among a guard's operations is reached only by way of a look-up that missed.
    pub(super) fn fills_on_miss(&mut self, body: BodyIx, operations: &[ExprId]) -> bool {
        let named = |this: &mut Self, id: ExprId| match this.tree(body).parent_kind(id) {
            Some((call, ExprKind::Method { recv, name, .. })) if *recv == id => Some((call, name.as_str())),
            _ => None,
        };
        let calls: Vec<(ExprId, &str)> = operations.iter().filter_map(|&o| named(self, o)).collect();
        let lookups: Vec<ExprId> =
            calls.iter().filter(|(_, n)| matches!(*n, "get" | "contains_key")).map(|(c, _)| *c).collect();
        let mut inserts = calls.iter().filter(|(_, n)| *n == "insert").map(|(c, _)| *c);
        inserts.all(|insert| lookups.iter().any(|&lookup| self.on_miss(body, lookup, insert)))
    }

    /// Whether `insert` is reached only where `lookup` (a whole call of `get` or `contains_key`) found nothing.
    fn on_miss(&mut self, body: BodyIx, lookup: ExprId, insert: ExprId) -> bool {
        let hir = self.cx.analysis.program.body(body);
        let mut asked = vec![lookup];
        // `let found = map.get(&key).cloned();`: what is asked of `found` is asked of the map.
        let whole = self.outermost(body, lookup);
        if let Some(at) = self.tree(body).stmt_of(whole)
            && let Some(Stmt::Let { pat, els, .. }) = self.tree(body).stmt(at)
        {
            if let Some(els) = els {
                return self.tree(body).within(insert, *els);
            }
            if let PatKind::Bind { local, sub: None } = hir.pat(*pat).kind {
                asked = self.tree(body).uses(local);
            }
        }
        asked.into_iter().any(|asked| self.misses(body, asked, insert))
    }

    /// A look-up with the methods on it that leave a miss a miss.
    fn outermost(&mut self, body: BodyIx, id: ExprId) -> ExprId {
        let mut here = id;
        while let Some((parent, kind)) = self.tree(body).parent_kind(here) {
            match kind {
                ExprKind::Await(_) => {}
                ExprKind::Try(_) if self.ty(body, here).is_ext("std::result::Result") => {}
                ExprKind::Method { recv, name, .. } if *recv == here && passes(name.as_str()) => {}
                _ => break,
            }
            here = parent;
        }
        here
    }

    fn misses(&mut self, body: BodyIx, asked: ExprId, insert: ExprId) -> bool {
        let hir = self.cx.analysis.program.body(body);
        let mut here = asked;
        let mut hit_first = true;
        while let Some((parent, kind)) = self.tree(body).parent_kind(here) {
            match kind {
                ExprKind::Not(_) => hit_first = !hit_first,
                ExprKind::Await(_) => {}
                ExprKind::Try(_) if self.ty(body, here).is_ext("std::result::Result") => {}
                ExprKind::Method { recv, name, .. } if *recv == here && name.as_str() == "is_none" => {
                    hit_first = !hit_first;
                }
                ExprKind::Let { pat, .. } => hit_first &= self.says_some(body, *pat),
                ExprKind::If { cond, then, els } if *cond == here => {
                    let (then, els) = (*then, *els);
                    let (hit, miss) = if hit_first { (Some(then), els) } else { (els, Some(then)) };
                    return match miss {
                        Some(miss) if self.tree(body).within(insert, miss) => true,
                        // The hit leaves, and what follows is the miss.
                        _ => {
                            hit.is_some_and(|hit| {
                                self.leaves(body, hit) && !self.tree(body).within(insert, hit)
                            }) && hir.expr(insert).span.lo > hir.expr(parent).span.hi
                        }
                    };
                }
                ExprKind::Match { scrutinee, arms } if *scrutinee == here => {
                    let arm = arms.iter().find(|arm| self.tree(body).within(insert, arm.body));
                    return match arm {
                        Some(arm) => !self.says_some(body, arm.pat),
                        None => {
                            hir.expr(insert).span.lo > hir.expr(parent).span.hi
                                && arms
                                    .iter()
                                    .all(|a| !self.says_some(body, a.pat) || self.leaves_by(body, a.body))
                        }
                    };
                }
                ExprKind::Method { recv, name, .. }
                    if *recv == here && (passes(name.as_str()) || name.as_str() == "is_some") => {}
                // What is done with the value says nothing of whether there was one.
                _ => return false,
            }
            here = parent;
        }
        false
    }

    fn says_some(&self, body: BodyIx, pat: PatId) -> bool {
        let hir = self.cx.analysis.program.body(body);
        match &hir.pat(pat).kind {
            PatKind::TupleStruct { path, .. } => {
                path.segments.last().is_some_and(|s| s.name.as_str() == "Some")
            }
            _ => false,
        }
    }

    fn leaves_by(&self, body: BodyIx, arm: ExprId) -> bool {
        let hir = self.cx.analysis.program.body(body);
        matches!(hir.expr(arm).kind, ExprKind::Return(_)) || self.leaves(body, arm)
    }
}

/// Methods whose result is there if what they are called on is.
fn passes(method: &str) -> bool {
    matches!(method, "cloned" | "copied" | "as_ref" | "as_deref" | "map")
}

/// Whether values of a type hold state that others change: once evicted, it is lost, and a new one begins from nothing.
pub(super) fn stateful(program: &Program, ty: Ty, depth: u8) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    match ty.kind() {
        TyKind::Tuple(parts) => parts.iter().any(|&t| stateful(program, t, depth)),
        TyKind::Array(item) | TyKind::Slice(item) | TyKind::Ref(_, item) => stateful(program, *item, depth),
        TyKind::Ext(path, args) => {
            let info = program.knowledge.types.get(path);
            path.as_str().starts_with("std::sync::atomic::")
                || path.as_str().starts_with("std::cell::")
                || path.as_str().rsplit("::").next().is_some_and(meets_others)
                || info.is_some_and(|i| i.lock.is_some() || i.concurrent_map || i.io_object)
                || args.iter().any(|&t| stateful(program, t, depth))
        }
        TyKind::Adt(def, _) => program
            .decls
            .fields
            .get(def)
            .is_some_and(|fields| fields.iter().any(|&(_, t)| stateful(program, t, depth))),
        _ => false,
    }
}

/// Types by which threads or tasks meet: who holds the evicted one waits for what the new one is told.
fn meets_others(name: &str) -> bool {
    name.ends_with("Sender")
        || name.ends_with("Receiver")
        || matches!(name, "Notify" | "Semaphore" | "Barrier" | "Condvar" | "JoinHandle" | "CancellationToken")
}
