//! Types of calls: methods, functions, constructors, values; and what their arguments are held against.

use super::cx::Cx;
use super::path::Value;
use super::{Callee, Receiver};
use crate::hir::{ExprId, ExprKind};
use crate::name::Name;
use crate::program::Res;
use crate::ty::{Ty, TyKind};

impl Cx<'_> {
    pub(super) fn method_call(
        &mut self,
        id: ExprId,
        recv: ExprId,
        name: Name,
        generics: Option<&crate::hir::GenericArgs>,
        args: &[ExprId],
        expected: Option<Ty>,
    ) -> Ty {
        let recv_ty = self.expr(recv, None);
        let Some(found) = self.find_method(recv_ty, name) else {
            // A field that holds a callable is written `(x.f)(..)`, never `x.f(..)`: nothing more can be known.
            for &arg in args {
                self.expr(arg, None);
            }
            return Ty::UNKNOWN;
        };
        self.out.calls.insert(id, found.callee);
        self.out
            .receivers
            .insert(id, Receiver { ty: found.self_ty, overloaded_derefs: found.derefs, mode: found.mode });
        if let Some(written) = self.written(generics) {
            self.apply_turbofish(&found, &written);
        }
        if let Some(expected) = expected
            && matches!(found.ret.kind(), TyKind::Var(_))
        {
            self.unify(found.ret, expected);
        }
        self.args(&found.params, args);
        if let Some((def, subst)) = &found.bounds {
            self.apply_bounds(*def, subst);
        }
        self.shallow(found.ret)
    }

    fn apply_turbofish(&mut self, found: &super::method::Found, written: &[Ty]) {
        match (&found.bounds, found.callee) {
            (Some((def, subst)), _) => {
                let own: Vec<Name> = match self.program.fn_item(*def) {
                    Some(f) => f.generics.params.iter().filter(|p| !p.is_const).map(|p| p.name).collect(),
                    None => vec![],
                };
                for (name, &ty) in own.iter().zip(written) {
                    if let Some(var) = subst.get(*name) {
                        self.unify(var, ty);
                    }
                }
            }
            // `collect::<Vec<_>>()`, `parse::<T>()`, `sum::<T>()`: the one parameter is what the result is made of.
            (None, Callee::Ext(_)) => {
                let target = match self.shallow(found.ret).kind() {
                    TyKind::Ext(p, args) if p.as_str() == "std::result::Result" => args.first().copied(),
                    _ => Some(found.ret),
                };
                if let (Some(target), [only]) = (target, written) {
                    self.unify(target, *only);
                }
            }
            _ => {}
        }
    }

    /// Infers arguments against parameters: closures last, since the others decide what they are given.
    pub(super) fn args(&mut self, params: &[Ty], args: &[ExprId]) {
        let body = self.body;
        let is_closure = |id: ExprId| matches!(body.expr(id).kind, ExprKind::Closure(_));
        for pass in [false, true] {
            for (i, &arg) in args.iter().enumerate() {
                if is_closure(arg) != pass {
                    continue;
                }
                let param = params.get(i).copied();
                let ty = self.expr(arg, param);
                if let Some(param) = param {
                    self.unify(param, ty);
                }
            }
        }
    }

    pub(super) fn call(&mut self, id: ExprId, callee: ExprId, args: &[ExprId], expected: Option<Ty>) -> Ty {
        let body = self.body;
        if let ExprKind::Path(path) = &body.expr(callee).kind {
            let value = self.value(path);
            return self.call_value(id, callee, value, args, expected);
        }
        let ty = self.expr(callee, None);
        self.out.calls.insert(id, Callee::Value);
        self.call_of(ty, args)
    }

    /// A call of a value of the type.
    fn call_of(&mut self, ty: Ty, args: &[ExprId]) -> Ty {
        match self.callable_of(ty) {
            Some((params, ret)) => {
                self.args(&params, args);
                self.shallow(ret)
            }
            None => {
                self.args(&[], args);
                Ty::UNKNOWN
            }
        }
    }

    fn call_value(
        &mut self,
        id: ExprId,
        callee_expr: ExprId,
        value: Value,
        args: &[ExprId],
        expected: Option<Ty>,
    ) -> Ty {
        let callee = self.callee_of(&value);
        self.out.calls.insert(id, callee);
        match value {
            Value::Fn { def, given, args: targs, .. } => {
                self.out.paths.insert(callee_expr, Res::Def(def));
                let Some((params, ret, subst)) = self.instantiate(def, &targs, Some(&given)) else {
                    self.args(&[], args);
                    return Ty::UNKNOWN;
                };
                if let (Callee::Ctor(_), Some(expected)) = (callee, expected) {
                    self.unify(ret, expected);
                }
                self.args(&params, args);
                self.apply_bounds(def, &subst);
                self.shallow(ret)
            }
            Value::Known { path, info, given } => {
                self.out.paths.insert(callee_expr, Res::Ext(path));
                let (params, ret) = self.known_signature(&info, given);
                if let Some(expected) = expected
                    && matches!(ret.kind(), TyKind::Var(_))
                {
                    self.unify(ret, expected);
                }
                self.args(&params, args);
                if let (Some(mode), Some(&first)) = (info.self_mode, params.first()) {
                    let ty = self.shallow(first.peel_refs());
                    self.out.receivers.insert(id, Receiver { ty, overloaded_derefs: 0, mode });
                }
                self.shallow(ret)
            }
            Value::Ext(path) => {
                self.out.paths.insert(callee_expr, Res::Ext(path));
                // `Some`, `Ok`, `Err` and `Box::new`-like constructors are known; the rest is not.
                let tys: Vec<Ty> = {
                    self.args(&[], args);
                    args.iter().map(|a| self.out.expr(*a)).collect()
                };
                let first = tys.first().copied().unwrap_or(Ty::UNKNOWN);
                match path.as_str() {
                    "std::option::Option::Some" => Ty::ext("std::option::Option", [first]),
                    "std::result::Result::Ok" => {
                        let e = self.fresh();
                        Ty::ext("std::result::Result", [first, e])
                    }
                    "std::result::Result::Err" => {
                        let t = self.fresh();
                        Ty::ext("std::result::Result", [t, first])
                    }
                    _ => Ty::UNKNOWN,
                }
            }
            Value::Typed(res, ty) => {
                self.out.paths.insert(callee_expr, res);
                self.call_of(ty, args)
            }
            Value::TraitMethod(name) => {
                let Some((&first, rest)) = args.split_first() else { return expected.unwrap_or(Ty::UNKNOWN) };
                let recv = self.expr(first, None);
                match self.find_method(recv, name) {
                    Some(found) => {
                        self.out.calls.insert(id, found.callee);
                        self.out.receivers.insert(
                            id,
                            Receiver { ty: found.self_ty, overloaded_derefs: found.derefs, mode: found.mode },
                        );
                        self.args(&found.params, rest);
                        self.shallow(found.ret)
                    }
                    None => {
                        self.args(&[], rest);
                        Ty::UNKNOWN
                    }
                }
            }
            Value::Unknown => {
                self.args(&[], args);
                Ty::UNKNOWN
            }
        }
    }
}
