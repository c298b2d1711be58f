//! Which locks are part of a value that is still being made: the function that makes it has not returned it yet, so
//! nobody else waits for them.

use crate::Analysis;
use crate::flow::locks::arguments;
use crate::flow::{Place, Root, Step, UnitIx, UnitKind, walk};
use crate::hir::{ExprId, ExprKind, LocalId, Visibility};
use crate::infer::Callee;
use crate::program::{BodyIx, DefId};
use crate::ty::{Ty, TyKind};

/// How far up callers, and how deep into literals, the value is followed.
const DEPTH: u32 = 8;

/// Whether the place is part of a value that the function `unit`, or every caller of it that is known, is still making.
/// Closures and blocks of the function may run in another thread.
pub(super) fn is_part_of_new(a: &Analysis, unit: UnitIx, place: &Place) -> bool {
    let making = Making { a };
    making.is_item(unit) && making.new_at(place, DEPTH)
}

/// A struct or enum of the workspace.
fn is_own_type(ty: Ty) -> bool {
    matches!(ty.kind(), TyKind::Adt(..))
}

struct Making<'a> {
    a: &'a Analysis,
}

impl Making<'_> {
    fn is_item(&self, unit: UnitIx) -> bool {
        self.a.flow.units.get(unit).kind == UnitKind::Item
    }

    fn new_at(&self, place: &Place, depth: u32) -> bool {
        let (Some(depth), Root::Local(body, local)) = (depth.checked_sub(1), place.root) else {
            return false;
        };
        let owner = self.a.program.body_info(body).owner;
        if let Some(index) = self.a.places().param_index(body, local) {
            return self.given_new(owner, index, &place.steps, depth);
        }
        let Some(init) = self.a.flow.origins.get(&self.a.program, body).init(local) else { return false };
        self.returns(owner, body, local)
            && self.made(body, init, &place.steps, depth)
            && !self.shared_on(body, local)
    }

    /// Whether all known calls of a function that no other crate calls give it such a value.
    fn given_new(&self, function: DefId, index: usize, steps: &[Step], depth: u32) -> bool {
        let program = &self.a.program;
        let exported =
            program.item(function).vis == Visibility::Public && program.def(function).parent.is_some();
        let Some(unit) = self.a.flow.units.of_def(program, function).filter(|_| !exported) else {
            return false;
        };
        let mut calls = self.a.effects.calls_to(unit).peekable();
        calls.peek().is_some()
            && calls.all(|edge| {
                let caller = self.a.flow.units.get(edge.caller).body;
                let arg = arguments(self.a.places(), caller, edge.call).get(index).copied();
                self.is_item(edge.caller)
                    && arg
                        .and_then(|arg| self.a.places().place(caller, arg))
                        .is_some_and(|base| self.new_at(&base.append(steps), depth))
            })
    }

    /// Whether a function that is no method gives back a value of the variable's type.
    fn returns(&self, function: DefId, body: BodyIx, local: LocalId) -> bool {
        let ty = self.a.types[body.0 as usize].local(local);
        let method = self.a.program.fn_item(function).is_none_or(|f| f.self_param.is_some());
        let sig = self.a.program.decls.sigs.get(&function);
        !method && is_own_type(ty) && sig.is_some_and(|s| s.ret.any(&mut |t| t == ty))
    }

    /// Whether what the steps lead to in the value of an expression was made for it.
    fn made(&self, body: BodyIx, id: ExprId, steps: &[Step], depth: u32) -> bool {
        let Some(depth) = depth.checked_sub(1) else { return false };
        let types = &self.a.types[body.0 as usize];
        let part = |of: &dyn Fn(&str) -> Option<ExprId>| match steps.split_first() {
            None => true,
            Some((Step::Field(_, name), rest)) => {
                of(name.as_str()).is_some_and(|value| self.made(body, value, rest, depth))
            }
            Some(_) => false,
        };
        match &self.a.program.body(body).expr(id).kind {
            ExprKind::Struct { fields, base: None, .. } => {
                part(&|name| fields.iter().find(|f| f.name.as_str() == name).map(|f| f.value))
            }
            ExprKind::Call { args, .. } => match types.callee(id) {
                // A newtype that stands for what is in it (`Deref`) is no step.
                Callee::Ctor(_) => match (steps.first(), &args[..]) {
                    (Some(Step::Field(_, name)), &[value]) if name.as_str() != "0" => {
                        self.made(body, value, steps, depth)
                    }
                    _ => part(&|name| args.get(name.parse::<usize>().ok()?).copied()),
                },
                // `Arc::new(value)`, `RwLock::new(value)`: steps name the fields within.
                Callee::Ext(path) if path.as_str().ends_with("::new") => match args[..] {
                    [value] if !steps.is_empty() => self.made(body, value, steps, depth),
                    _ => true,
                },
                // A constructor of the workspace.
                Callee::Fn(def) => {
                    let program = &self.a.program;
                    program.def(def).parent.is_some()
                        && program.fn_item(def).is_some_and(|f| f.self_param.is_none())
                        && types.expr(id).any(&mut is_own_type)
                }
                _ => false,
            },
            ExprKind::Local(local) => {
                let init = self.a.flow.origins.get(&self.a.program, body).init(*local);
                init.is_some_and(|init| self.made(body, init, steps, depth))
            }
            ExprKind::Try(inner) | ExprKind::Await(inner) => self.made(body, *inner, steps, depth),
            _ => false,
        }
    }

    /// Whether a closure has the variable, or it is cloned: someone else may have the value before it is returned.
    fn shared_on(&self, body: BodyIx, local: LocalId) -> bool {
        let code = self.a.program.body(body);
        let is_it = |mut id: ExprId| loop {
            match code.expr(id).kind {
                ExprKind::Ref { expr, .. } => id = expr,
                ExprKind::Local(l) => return l == local,
                _ => return false,
            }
        };
        walk::is_captured(code, local)
            || code.exprs.iter().any(|e| match &e.kind {
                ExprKind::Method { recv, name, .. } => name.as_str() == "clone" && is_it(*recv),
                ExprKind::Call { callee, args, .. } => {
                    let clones =
                        |p: &crate::hir::Path| p.segments.last().is_some_and(|s| s.name.as_str() == "clone");
                    matches!(&code.expr(*callee).kind, ExprKind::Path(p) if clones(p))
                        && args.iter().any(|&arg| is_it(arg))
                }
                _ => false,
            })
    }
}
