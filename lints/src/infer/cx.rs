//! The inference context of one body: variables, unification, projections.
//!
//! Unification is that of Hindley and Milner without errors: what does not fit is left alone, since the compiler has
//! accepted the program and a mismatch only means a coercion or something not modelled here.

use rustc_hash::FxHashMap;

use super::BodyTypes;
use crate::hir::{Body, ExprId};
use crate::knowledge::Knowledge;
use crate::link::{GenericDecl, HeadKey, TyCx};
use crate::name::{Name, well_known};
use crate::program::{BodyIx, DefId, DefKind, Program};
use crate::ty::{Bound, Subst, TraitRef, Ty, TyKind};

/// Types nest no deeper than this; what does is given up on.
const FUEL: u8 = 24;

pub(super) struct Cx<'a> {
    pub(super) program: &'a Program,
    pub(super) kb: &'a Knowledge,
    pub(super) body: &'a Body,
    pub(super) ix: BodyIx,
    pub(super) tycx: TyCx<'a>,
    /// Type parameters in scope with their bounds.
    pub(super) env: &'a [GenericDecl],
    pub(super) vars: Vec<Option<Ty>>,
    pub(super) out: BodyTypes,
    /// Parameters and result of each closure.
    pub(super) closures: FxHashMap<ExprId, (Vec<Ty>, Ty)>,
    /// What `return` and `?` leave: of the function, closure or async block at hand.
    pub(super) ret: Ty,
    /// How deep projections nest at the moment: impls can define associated types through each other.
    pub(super) depth: std::cell::Cell<u8>,
    /// Types of `break` values of the loops around.
    pub(super) breaks: Vec<Ty>,
}

impl<'a> Cx<'a> {
    pub(super) fn fresh(&mut self) -> Ty {
        self.vars.push(None);
        Ty::new(TyKind::Var(self.vars.len() as u32 - 1))
    }

    /// Follows a variable to what it stands for; the rest of the type stays as it is.
    pub(super) fn shallow(&self, mut ty: Ty) -> Ty {
        if !ty.has_vars() {
            return ty;
        }
        while let TyKind::Var(v) = ty.kind() {
            match self.vars.get(*v as usize).copied().flatten() {
                Some(next) => ty = next,
                None => break,
            }
        }
        match ty.kind() {
            TyKind::Assoc(..) => self.project(ty),
            _ => ty,
        }
    }

    /// Replaces all variables by what they stand for; unbound ones stay.
    pub(super) fn deep(&self, ty: Ty, fuel: u8) -> Ty {
        if !ty.has_vars() {
            return ty;
        }
        if fuel == 0 {
            return Ty::UNKNOWN;
        }
        let ty = self.shallow(ty);
        ty.map_parts(&mut |t| self.deep(t, fuel - 1))
    }

    /// As [`Self::deep`], with unbound variables unknown: what leaves inference.
    pub(super) fn finish(&self, ty: Ty, fuel: u8) -> Ty {
        if !ty.has_vars() {
            return ty;
        }
        if fuel == 0 {
            return Ty::UNKNOWN;
        }
        let ty = self.shallow(ty);
        match ty.kind() {
            TyKind::Var(_) => Ty::UNKNOWN,
            TyKind::Assoc(inner, _) if !matches!(self.shallow(*inner).kind(), TyKind::Param(_)) => {
                Ty::UNKNOWN
            }
            _ => ty.map_parts(&mut |t| self.finish(t, fuel - 1)),
        }
    }

    fn occurs(&self, var: u32, ty: Ty, fuel: u8) -> bool {
        ty.has_vars()
            && (fuel == 0
                || self.deep(ty, FUEL).any(&mut |t| matches!(t.kind(), TyKind::Var(v) if *v == var)))
    }

    pub(super) fn unify(&mut self, a: Ty, b: Ty) {
        self.unify_fuel(a, b, FUEL);
    }

    fn unify_fuel(&mut self, a: Ty, b: Ty, fuel: u8) {
        if fuel == 0 {
            return;
        }
        let (a, b) = (self.shallow(a), self.shallow(b));
        if a == b {
            return;
        }
        match (a.kind(), b.kind()) {
            (TyKind::Unknown | TyKind::Never, _) | (_, TyKind::Unknown | TyKind::Never) => {}
            (TyKind::Var(v), _) => self.bind(*v, b, fuel),
            (_, TyKind::Var(v)) => self.bind(*v, a, fuel),
            (TyKind::Adt(d, x), TyKind::Adt(e, y)) if d == e => self.unify_lists(x, y, fuel),
            (TyKind::Ext(d, x), TyKind::Ext(e, y)) if d == e => self.unify_lists(x, y, fuel),
            (TyKind::Tuple(x), TyKind::Tuple(y)) => self.unify_lists(x, y, fuel),
            (TyKind::Ref(_, x), TyKind::Ref(_, y)) => self.unify_refs(*x, *y, fuel),
            (TyKind::Ptr(x), TyKind::Ptr(y) | TyKind::Ref(_, y)) | (TyKind::Ref(_, x), TyKind::Ptr(y)) => {
                self.unify_fuel(*x, *y, fuel - 1);
            }
            (TyKind::Slice(x) | TyKind::Array(x), TyKind::Slice(y) | TyKind::Array(y)) => {
                self.unify_fuel(*x, *y, fuel - 1);
            }
            (TyKind::Future(x), _) => {
                if let Some(y) = self.awaited(b) {
                    self.unify_fuel(*x, y, fuel - 1);
                }
            }
            (_, TyKind::Future(y)) => {
                if let Some(x) = self.awaited(a) {
                    self.unify_fuel(x, *y, fuel - 1);
                }
            }
            (TyKind::FnPtr(..), TyKind::FnPtr(..) | TyKind::Closure(..) | TyKind::FnDef(..))
            | (TyKind::Closure(..) | TyKind::FnDef(..), TyKind::FnPtr(..)) => {
                if let (Some((xs, x)), Some((ys, y))) = (self.callable_of(a), self.callable_of(b)) {
                    self.unify_lists(&xs, &ys, fuel);
                    self.unify_fuel(x, y, fuel - 1);
                }
            }
            (TyKind::Opaque(bounds) | TyKind::Dyn(bounds), _) => self.unify_bounds(bounds, b, fuel),
            (_, TyKind::Opaque(bounds) | TyKind::Dyn(bounds)) => self.unify_bounds(bounds, a, fuel),
            _ => {}
        }
    }

    fn unify_refs(&mut self, x: Ty, y: Ty, fuel: u8) {
        let (x, y) = (self.shallow(x), self.shallow(y));
        // `&String` given where `&str` is asked, `&Vec<T>` where `&[T]`: the element types still tell.
        if let TyKind::Slice(_) = x.kind()
            && let TyKind::Ext(..) = y.kind()
            && let Some(target) = self.deref_once(y)
        {
            return self.unify_fuel(x, target, fuel - 1);
        }
        self.unify_fuel(x, y, fuel - 1);
    }

    fn unify_bounds(&mut self, bounds: &[Bound], ty: Ty, fuel: u8) {
        for bound in bounds {
            for &(name, wanted) in &bound.bindings {
                let found = self.projection(ty, name);
                if let Some(found) = found {
                    self.unify_fuel(wanted, found, fuel - 1);
                }
            }
        }
    }

    fn unify_lists(&mut self, x: &[Ty], y: &[Ty], fuel: u8) {
        for (&a, &b) in x.iter().zip(y) {
            self.unify_fuel(a, b, fuel - 1);
        }
    }

    fn bind(&mut self, var: u32, ty: Ty, fuel: u8) {
        if !self.occurs(var, ty, fuel) {
            self.vars[var as usize] = Some(ty);
        }
    }

    /// Parameters and result of anything that can be called.
    pub(super) fn callable_of(&mut self, ty: Ty) -> Option<(Vec<Ty>, Ty)> {
        match self.shallow(ty).kind() {
            TyKind::FnPtr(ps, r) => Some((ps.to_vec(), *r)),
            TyKind::Closure(body, expr) if *body == self.ix => self.closures.get(expr).cloned(),
            TyKind::FnDef(def, args) => {
                let (params, ret, _) = self.instantiate(*def, args, None)?;
                Some((params, ret))
            }
            TyKind::Ref(_, inner) => self.callable_of(*inner),
            TyKind::Ext(path, args)
                if matches!(path.as_str(), "std::boxed::Box" | "std::sync::Arc" | "std::rc::Rc") =>
            {
                self.callable_of(*args.first()?)
            }
            TyKind::Param(name) => {
                let callable = self.env.iter().find(|g| g.name == *name)?.callable?;
                self.callable_of(callable)
            }
            _ => None,
        }
    }

    /// Fresh variables for the parameters of a definition; callable ones become their function type.
    pub(super) fn fresh_subst(&mut self, def: DefId, given: Option<&Subst>) -> Subst {
        let generics: &[GenericDecl] = self.program.decls.generics.get(&def).map_or(&[], |g| g);
        let mut subst = Subst::default();
        for generic in generics {
            let ty = match given.and_then(|s| s.get(generic.name)) {
                Some(ty) if !ty.is_unknown() || ty.has_vars() => ty,
                _ if generic.callable.is_some() => continue,
                _ => self.fresh(),
            };
            subst.0.push((generic.name, ty));
        }
        for generic in generics {
            if let Some(callable) = generic.callable
                && subst.get(generic.name).is_none()
            {
                let ty = callable.subst(&subst);
                subst.0.push((generic.name, ty));
            }
        }
        if let Some(self_ty) = given.and_then(|s| s.get(well_known::SELF_TYPE)) {
            subst.0.push((well_known::SELF_TYPE, self_ty));
        }
        subst
    }

    /// The signature of a workspace function or constructor with its parameters replaced: parameters, result (a future
    /// for an `async fn`), and the substitution. `args` are explicit arguments of the last parameters, if any.
    pub(super) fn instantiate(
        &mut self,
        def: DefId,
        args: &[Ty],
        given: Option<&Subst>,
    ) -> Option<(Vec<Ty>, Ty, Subst)> {
        let program = self.program;
        let d = program.def(def);
        match d.kind {
            DefKind::Fn => {
                let mut given = given.cloned().unwrap_or_default();
                let names: Vec<Name> = program.decls.params(def).collect();
                if !args.is_empty() && args.len() <= names.len() {
                    for (name, &arg) in names[names.len() - args.len()..].iter().zip(args) {
                        given.0.push((*name, arg));
                    }
                }
                let subst = self.fresh_subst(def, Some(&given));
                let sig = program.decls.sigs.get(&def)?;
                let params = sig.params.iter().map(|t| t.subst(&subst)).collect();
                let ret = sig.ret.subst(&subst);
                let ret = if sig.is_async { Ty::new(TyKind::Future(ret)) } else { ret };
                Some((params, ret, subst))
            }
            DefKind::Struct | DefKind::Variant(_) => {
                let owner = match d.kind {
                    DefKind::Variant(_) => d.parent?,
                    _ => def,
                };
                let given = given.cloned().unwrap_or_else(|| Subst::pair(program.decls.params(owner), args));
                let subst = self.fresh_subst(owner, Some(&given));
                let fields = program.decls.fields.get(&def)?;
                let params = fields.iter().map(|(_, t)| t.subst(&subst)).collect();
                let ret = Ty::adt(
                    owner,
                    program
                        .decls
                        .params(owner)
                        .map(|p| subst.get(p).unwrap_or(Ty::UNKNOWN))
                        .collect::<Vec<_>>(),
                );
                Some((params, ret, subst))
            }
            _ => None,
        }
    }

    /// After the arguments are known: what the bounds of the parameters say of each other (`I: Iterator<Item = T>`).
    pub(super) fn apply_bounds(&mut self, def: DefId, subst: &Subst) {
        let program = self.program;
        for generic in program.decls.generics.get(&def).map_or(&[][..], |g| g) {
            let Some(ty) = subst.get(generic.name) else { continue };
            for bound in &generic.bounds {
                for &(name, wanted) in &bound.bindings {
                    if let Some(found) = self.projection(ty, name) {
                        let wanted = wanted.subst(subst);
                        self.unify(wanted, found);
                    }
                }
            }
        }
    }

    fn project(&self, ty: Ty) -> Ty {
        let TyKind::Assoc(inner, name) = ty.kind() else { return ty };
        let depth = self.depth.get();
        if depth > 16 {
            return ty;
        }
        self.depth.set(depth + 1);
        let found = match self.projection(*inner, *name) {
            Some(found) if found != ty => self.shallow(found),
            _ => ty,
        };
        self.depth.set(depth);
        found
    }

    /// `<ty as _>::name`.
    pub(super) fn projection(&self, ty: Ty, name: Name) -> Option<Ty> {
        let ty = self.shallow(ty);
        match (name.as_str(), ty.kind()) {
            ("Item", _) => self.item_of(ty),
            ("IntoIter", _) => self.item_of(ty).map(crate::knowledge::iterator_of),
            ("Output", TyKind::Future(t)) => Some(*t),
            ("Output", TyKind::FnPtr(_, r)) => Some(*r),
            ("Output", TyKind::Closure(_, e)) => self.closures.get(e).map(|c| c.1),
            ("Output", TyKind::Int(_) | TyKind::Float(_)) => Some(ty),
            ("Target", _) => self.deref_once(ty),
            ("Owned", TyKind::Str) => Some(Ty::ext("std::string::String", [])),
            ("Owned", TyKind::Slice(t)) => Some(Ty::ext("std::vec::Vec", [*t])),
            ("Owned", TyKind::Ext(p, _)) if p.as_str() == "std::path::Path" => {
                Some(Ty::ext("std::path::PathBuf", []))
            }
            ("Owned", _) if !ty.is_unknown() => Some(ty),
            // What a thread-local cell holds.
            ("Inner", TyKind::Ext(_, args)) => args.first().copied(),
            _ => self.assoc_type(ty, name),
        }
    }

    /// An associated type from an impl of the workspace or a bound.
    pub(super) fn assoc_type(&self, ty: Ty, name: Name) -> Option<Ty> {
        match ty.kind() {
            TyKind::Opaque(bounds) | TyKind::Dyn(bounds) => binding(bounds, name),
            TyKind::Param(p) => binding(&self.env.iter().find(|g| g.name == *p)?.bounds, name),
            _ => {
                let head = HeadKey::of(ty)?;
                let program = self.program;
                for &impl_ in program.decls.impls_by_head.get(&head)? {
                    let child =
                        program.children.get(&impl_).into_iter().flatten().find(|&&c| {
                            program.def(c).name == name && program.def(c).kind == DefKind::TypeAlias
                        });
                    let Some(child) = child else { continue };
                    let mut subst = Subst::default();
                    let self_ty = program.decls.impl_self.get(&impl_).copied()?;
                    if self.matches(self_ty.peel_refs(), ty.peel_refs(), &mut subst, FUEL) {
                        return program.decls.aliases.get(child).map(|t| t.subst(&subst));
                    }
                }
                None
            }
        }
    }

    /// One-way matching of an impl's self type against a type: fills `subst` with what its parameters stand for.
    pub(super) fn matches(&self, pattern: Ty, ty: Ty, subst: &mut Subst, fuel: u8) -> bool {
        let ty = self.shallow(ty);
        if fuel == 0 || ty.is_unknown() {
            return true;
        }
        let lists = |a: &[Ty], b: &[Ty], subst: &mut Subst| {
            a.len() == b.len() && a.iter().zip(b).all(|(&x, &y)| self.matches(x, y, subst, fuel - 1))
        };
        match (pattern.kind(), ty.kind()) {
            (TyKind::Param(p), _) => match subst.get(*p) {
                Some(known) => {
                    let mut inner = Subst::default();
                    known.is_unknown() || self.matches(known, ty, &mut inner, fuel - 1)
                }
                None => {
                    subst.0.push((*p, ty));
                    true
                }
            },
            (TyKind::Adt(d, x), TyKind::Adt(e, y)) => d == e && lists(x, y, subst),
            (TyKind::Ext(d, x), TyKind::Ext(e, y)) => d == e && lists(x, y, subst),
            (TyKind::Tuple(x), TyKind::Tuple(y)) => lists(x, y, subst),
            (TyKind::Ref(_, x), TyKind::Ref(_, y)) | (TyKind::Ptr(x), TyKind::Ptr(y)) => {
                self.matches(*x, *y, subst, fuel - 1)
            }
            (TyKind::Slice(x), TyKind::Slice(y) | TyKind::Array(y))
            | (TyKind::Array(x), TyKind::Array(y)) => self.matches(*x, *y, subst, fuel - 1),
            (TyKind::Int(a), TyKind::Int(b)) => a == b || b.as_str().is_empty(),
            (TyKind::Float(a), TyKind::Float(b)) => a == b || b.as_str().is_empty(),
            (TyKind::Dyn(a), TyKind::Dyn(b)) => a.first().map(|x| x.trait_) == b.first().map(|x| x.trait_),
            (TyKind::Unknown | TyKind::Assoc(..), _) => true,
            _ => pattern == ty,
        }
    }

    /// What `.await` gives.
    pub(super) fn awaited(&self, ty: Ty) -> Option<Ty> {
        let mut ty = self.shallow(ty);
        for _ in 0..6 {
            match ty.kind() {
                TyKind::Future(t) => return Some(*t),
                TyKind::Ref(_, inner) => ty = self.shallow(*inner),
                TyKind::Ext(path, args) => {
                    let info = self.kb.types.get(path)?;
                    if let Some(awaits) = info.awaits {
                        return Some(awaits.subst(&Subst::pair(info.params.iter().copied(), args)));
                    }
                    ty = self.deref_once(ty)?;
                }
                _ => return self.assoc_type(ty, well_known::OUTPUT),
            }
        }
        None
    }

    /// The item type when a value of this type is iterated (`for`, `IntoIterator`).
    pub(super) fn item_of(&self, ty: Ty) -> Option<Ty> {
        let ty = self.shallow(ty);
        match ty.kind() {
            TyKind::Ext(path, args) => {
                let info = self.kb.types.get(path)?;
                let subst = Subst::pair(info.params.iter().copied(), args);
                match info.item {
                    Some(item) => Some(item.subst(&subst)),
                    None if matches!(path.as_str(), "std::boxed::Box" | "std::pin::Pin") => {
                        self.item_of(*args.first()?)
                    }
                    None => None,
                }
            }
            TyKind::Array(t) => Some(*t),
            TyKind::Ref(mutable, inner) => {
                let inner = self.shallow(*inner);
                match inner.kind() {
                    TyKind::Slice(t) | TyKind::Array(t) => Some(Ty::reference(*mutable, *t)),
                    TyKind::Ext(path, args) => {
                        let info = self.kb.types.get(path)?;
                        let subst = Subst::pair(info.params.iter().copied(), args);
                        match info.item_ref {
                            Some(item) => Some(item.subst(&subst)),
                            None => self.item_of(inner),
                        }
                    }
                    TyKind::Adt(..) => self.adt_item(ty).or_else(|| self.adt_item(inner)),
                    _ => self.item_of(inner),
                }
            }
            TyKind::Adt(..) => self.adt_item(ty),
            TyKind::Opaque(bounds) | TyKind::Dyn(bounds) => binding(bounds, well_known::ITEM),
            TyKind::Param(p) => {
                let bounds = &self.env.iter().find(|g| g.name == *p)?.bounds;
                binding(bounds, well_known::ITEM).or_else(|| {
                    bounds
                        .iter()
                        .any(|b| matches!(b.trait_, TraitRef::Ext(p) if matches!(p.as_str(), "std::iter::Iterator" | "std::iter::IntoIterator")))
                        .then(|| Ty::new(TyKind::Assoc(ty, well_known::ITEM)))
                })
            }
            _ => None,
        }
    }

    /// `Item` of an impl of `Iterator` or `IntoIterator` whose self type is a reference exactly when `ty` is.
    fn adt_item(&self, ty: Ty) -> Option<Ty> {
        let head = HeadKey::of(ty)?;
        let program = self.program;
        let is_ref = matches!(ty.kind(), TyKind::Ref(..));
        for &impl_ in program.decls.impls_by_head.get(&head)? {
            let self_ty = program.decls.impl_self.get(&impl_).copied()?;
            if matches!(self_ty.kind(), TyKind::Ref(..)) != is_ref {
                continue;
            }
            let item = program.children.get(&impl_).into_iter().flatten().find(|&&c| {
                program.def(c).name == well_known::ITEM && program.def(c).kind == DefKind::TypeAlias
            });
            let Some(item) = item else { continue };
            let mut subst = Subst::default();
            if self.matches(self_ty, ty, &mut subst, FUEL) {
                return program.decls.aliases.get(item).map(|t| t.subst(&subst));
            }
        }
        None
    }

    /// What `*ty` is for a type that is not a plain reference: boxes, arcs, guards, `Deref` impls.
    pub(super) fn deref_once(&self, ty: Ty) -> Option<Ty> {
        let ty = self.shallow(ty);
        match ty.kind() {
            TyKind::Ref(_, inner) | TyKind::Ptr(inner) => Some(*inner),
            TyKind::Ext(path, args) => {
                let info = self.kb.types.get(path)?;
                Some(info.deref?.subst(&Subst::pair(info.params.iter().copied(), args)))
            }
            TyKind::Adt(..) => {
                let target = self.assoc_type(ty, well_known::TARGET)?;
                (target != ty).then_some(target)
            }
            TyKind::Array(t) => Some(Ty::new(TyKind::Slice(*t))),
            _ => None,
        }
    }
}

fn binding(bounds: &[Bound], name: Name) -> Option<Ty> {
    bounds.iter().flat_map(|b| b.bindings.iter()).find(|(n, _)| *n == name).map(|(_, t)| *t)
}
