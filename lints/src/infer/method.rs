//! Which function a method call means: the receiver's autoderef steps, and at each the workspace's impls, what is known
//! of outside types, and the bounds of parameters.

use super::cx::Cx;
use super::{Callee, SelfMode};
use crate::hir::{ItemKind, SelfParam};
use crate::knowledge::{CloneCost, FnInfo};
use crate::link::HeadKey;
use crate::name::{Name, well_known};
use crate::program::{DefId, DefKind};
use crate::ty::{Bound, Subst, TraitRef, Ty, TyKind};

/// A method found.
pub(super) struct Found {
    pub(super) callee: Callee,
    /// The type that has it, without references.
    pub(super) self_ty: Ty,
    pub(super) derefs: u8,
    pub(super) mode: SelfMode,
    /// Parameters without `self`.
    pub(super) params: Vec<Ty>,
    pub(super) ret: Ty,
    /// For bounds to be applied after the arguments.
    pub(super) bounds: Option<(DefId, Subst)>,
}

/// Autoderef goes no further.
const STEPS: usize = 12;

impl<'a> Cx<'a> {
    /// Finds `name` on a receiver of type `recv`.
    pub(super) fn find_method(&mut self, recv: Ty, name: Name) -> Option<Found> {
        if matches!(name, well_known::CLONE | well_known::TO_OWNED)
            && let Some(found) = self.find_clone(recv, name)
        {
            return Some(found);
        }
        let mut ty = self.shallow(recv);
        let mut derefs = 0;
        let first = ty;
        let mut behind_ref = false;
        for _ in 0..STEPS {
            match ty.kind() {
                TyKind::Var(_) | TyKind::Unknown => return None,
                TyKind::Ref(_, inner) => {
                    behind_ref = true;
                    if let Some(found) = self.method_of_ref(ty, name, derefs) {
                        return Some(found);
                    }
                    ty = self.shallow(*inner);
                    continue;
                }
                _ => {}
            }
            if let Some(found) = self.method_at(ty, name, derefs, behind_ref) {
                return Some(found);
            }
            match self.deref_once(ty) {
                Some(next) => {
                    if !matches!(ty.kind(), TyKind::Array(_)) {
                        derefs += 1;
                    }
                    ty = self.shallow(next);
                }
                None => break,
            }
        }
        self.universal(first, name)
    }

    /// Impls on reference types: `impl Trait for &T`, `impl IntoIterator for &Coll`.
    fn method_of_ref(&mut self, ty: Ty, name: Name, derefs: u8) -> Option<Found> {
        if name == well_known::INTO_ITER {
            let item = self.item_of(ty)?;
            return Some(Found {
                callee: Callee::Ext(Name::new("std::iter::IntoIterator::into_iter")),
                self_ty: ty,
                derefs,
                mode: SelfMode::Value,
                params: vec![],
                ret: crate::knowledge::iterator_of(item),
                bounds: None,
            });
        }
        None
    }

    fn method_at(&mut self, ty: Ty, name: Name, derefs: u8, behind_ref: bool) -> Option<Found> {
        if let Some(head) = HeadKey::of(ty)
            && !matches!(ty.kind(), TyKind::Param(_))
            && let Some(found) = self.workspace_method(head, ty, name, derefs)
        {
            return Some(found);
        }
        match ty.kind() {
            TyKind::Ext(path, args) => {
                let info = self.kb.types.get(path);
                let Some(info) = info else {
                    return Some(self.unknown_ext(*path, ty, name, derefs));
                };
                let subst = Subst::pair(info.params.iter().copied(), args);
                if let Some(f) = info.methods.get(&name).filter(|f| f.self_mode.is_some()) {
                    return Some(self.known(path.as_str(), name, f, subst, ty, derefs));
                }
                for trait_ in &info.traits {
                    if let Some(f) = self.kb.types.get(trait_).and_then(|t| t.methods.get(&name)) {
                        let subst = match self.item_of(ty) {
                            Some(item) => subst.with(well_known::ITEM, item),
                            None => subst,
                        };
                        return Some(self.known(path.as_str(), name, f, subst, ty, derefs));
                    }
                }
                if info.item.is_some() && info.container.is_none() && info.deref.is_none() {
                    return self.pseudo("std::iter::Iterator", ty, name, derefs);
                }
                if matches!(path.as_str(), "std::boxed::Box" | "std::pin::Pin") {
                    return None;
                }
                None
            }
            TyKind::Str => self.pseudo("str", ty, name, derefs),
            TyKind::Slice(item) => {
                let item = *item;
                let f = self.kb.types.get(&Name::new("slice"))?.methods.get(&name)?;
                Some(self.known("slice", name, f, Subst(vec![(Name::new("T"), item)]), ty, derefs))
            }
            TyKind::Int(_) => self.pseudo("int", ty, name, derefs),
            TyKind::Float(_) => self.pseudo("float", ty, name, derefs),
            TyKind::Bool => self.pseudo("bool", ty, name, derefs),
            TyKind::Char => self.pseudo("char", ty, name, derefs),
            TyKind::Future(_) => self.pseudo("std::future::Future", ty, name, derefs),
            TyKind::Param(p) => {
                let bounds: &[Bound] = self.env.iter().find(|g| g.name == *p).map_or(&[], |g| &g.bounds);
                self.in_bounds(bounds, ty, name, derefs, 0)
            }
            TyKind::Opaque(bounds) | TyKind::Dyn(bounds) => self.in_bounds(bounds, ty, name, derefs, 0),
            TyKind::Adt(def, _) => self.through_traits(*def, ty, name, derefs),
            _ => None,
        }
        .or_else(|| self.blanket(ty, name, derefs, behind_ref))
    }

    fn unknown_ext(&mut self, path: Name, ty: Ty, name: Name, derefs: u8) -> Found {
        Found {
            callee: Callee::Ext(Name::join(path, name)),
            self_ty: ty,
            derefs,
            mode: SelfMode::Unknown,
            params: vec![],
            ret: Ty::UNKNOWN,
            bounds: None,
        }
    }

    /// The methods of a name, those first that are in the same build as what calls them.
    pub(super) fn methods(&self, head: HeadKey, name: Name) -> impl Iterator<Item = DefId> + use<'a> {
        let (program, off) = (self.program, self.tycx.off);
        let all = program.decls.methods.get(&(head, name)).map_or(&[][..], Vec::as_slice);
        let with = move |as_here: bool| {
            let wanted = move |&def: &DefId| (program.def(def).off == off) == as_here;
            all.iter().copied().filter(wanted)
        };
        with(true).chain(with(false))
    }

    fn workspace_method(&mut self, head: HeadKey, ty: Ty, name: Name, derefs: u8) -> Option<Found> {
        let program = self.program;
        for def in self.methods(head, name) {
            let Some(sig) = program.decls.sigs.get(&def) else { continue };
            if !sig.has_self {
                continue;
            }
            let Some(impl_) = program.def(def).parent else { continue };
            let Some(&self_ty) = program.decls.impl_self.get(&impl_) else { continue };
            let mut subst = Subst::default();
            if self.matches(self_ty.peel_refs(), ty, &mut subst, 16) {
                return self.workspace_found(def, subst.with(well_known::SELF_TYPE, ty), ty, derefs, false);
            }
        }
        None
    }

    pub(super) fn workspace_found(
        &mut self,
        def: DefId,
        subst: Subst,
        ty: Ty,
        derefs: u8,
        dynamic: bool,
    ) -> Option<Found> {
        let (mut params, ret, subst) = self.instantiate(def, &[], Some(&subst))?;
        if params.is_empty() {
            return None;
        }
        params.remove(0);
        let mode = match &self.program.item(def).kind {
            ItemKind::Fn(f) => match &f.self_param {
                Some(SelfParam::Value) => SelfMode::Value,
                Some(SelfParam::Ref) => SelfMode::Ref,
                Some(SelfParam::RefMut) => SelfMode::RefMut,
                _ => SelfMode::Unknown,
            },
            _ => SelfMode::Unknown,
        };
        let callee = if dynamic { Callee::Virtual(def) } else { Callee::Fn(def) };
        Some(Found { callee, self_ty: ty, derefs, mode, params, ret, bounds: Some((def, subst)) })
    }

    /// A method known by data: `owner` is what the callee's path begins with.
    pub(super) fn known(
        &mut self,
        owner: &str,
        name: Name,
        f: &FnInfo,
        subst: Subst,
        ty: Ty,
        derefs: u8,
    ) -> Found {
        let subst = self.known_subst(f, subst.with(well_known::SELF_TYPE, ty));
        Found {
            callee: Callee::Ext(Name::join(Name::new(owner), name)),
            self_ty: ty,
            derefs,
            mode: f.self_mode.unwrap_or(SelfMode::Unknown),
            params: f.params.iter().map(|t| t.subst(&subst)).collect(),
            ret: f.ret.subst(&subst),
            bounds: None,
        }
    }

    pub(super) fn known_subst(&mut self, f: &FnInfo, mut subst: Subst) -> Subst {
        for &generic in &f.generics {
            let var = self.fresh();
            subst.0.push((generic, var));
        }
        subst
    }

    /// A method of a trait or primitive described as a pseudo-type.
    fn pseudo(&mut self, path: &str, ty: Ty, name: Name, derefs: u8) -> Option<Found> {
        let kb = self.kb;
        let f = kb.types.get(&Name::new(path))?.methods.get(&name)?;
        let mut subst = Subst::default();
        if path == "std::iter::Iterator" {
            subst.0.push((well_known::ITEM, self.item_of(ty).unwrap_or(Ty::UNKNOWN)));
        }
        if path == "std::future::Future" {
            subst.0.push((well_known::OUTPUT, self.awaited(ty).unwrap_or(Ty::UNKNOWN)));
        }
        Some(self.known(path, name, f, subst, ty, derefs))
    }

    /// A method that a bound promises.
    fn in_bounds(&mut self, bounds: &[Bound], ty: Ty, name: Name, derefs: u8, depth: u8) -> Option<Found> {
        let program = self.program;
        for bound in bounds {
            match bound.trait_ {
                TraitRef::Local(trait_) => {
                    if let Some(&item) = program.decls.trait_items.get(&(trait_, name))
                        && program.def(item).kind == DefKind::Fn
                    {
                        let subst = Subst::pair(program.decls.params(trait_), &bound.args)
                            .with(well_known::SELF_TYPE, ty);
                        return self.workspace_found(item, subst, ty, derefs, true);
                    }
                    if depth < 8
                        && let Some(supers) = program.decls.supers.get(&trait_)
                        && let Some(found) = self.in_bounds(supers, ty, name, derefs, depth + 1)
                    {
                        return Some(found);
                    }
                }
                TraitRef::Ext(path) => {
                    if let Some(found) = self.pseudo(path.as_str(), ty, name, derefs) {
                        return Some(found);
                    }
                }
            }
        }
        None
    }

    /// Methods that a workspace type has from traits without defining them: defaults.
    fn through_traits(&mut self, def: DefId, ty: Ty, name: Name, derefs: u8) -> Option<Found> {
        let program = self.program;
        for &impl_ in program.decls.impls_by_head.get(&HeadKey::Adt(def))? {
            let Some(bound) = program.decls.impl_trait.get(&impl_) else { continue };
            match bound.trait_ {
                TraitRef::Local(trait_) => {
                    if let Some(&item) = program.decls.trait_items.get(&(trait_, name))
                        && program.def(item).kind == DefKind::Fn
                    {
                        let subst = Subst::pair(program.decls.params(trait_), &bound.args)
                            .with(well_known::SELF_TYPE, ty);
                        return self.workspace_found(item, subst, ty, derefs, false);
                    }
                }
                TraitRef::Ext(path) => {
                    if let Some(found) = self.pseudo(path.as_str(), ty, name, derefs) {
                        return Some(found);
                    }
                }
            }
        }
        None
    }

    /// `impl<T: Bound> Trait for T` of the workspace.
    fn blanket(&mut self, ty: Ty, name: Name, derefs: u8, _behind_ref: bool) -> Option<Found> {
        let program = self.program;
        let (def, param) = self.methods(HeadKey::Any, name).find_map(|def| {
            let param = self.reached_by(program.def(def).parent?, ty, &mut Vec::new())?;
            Some((def, param))
        })?;
        self.workspace_found(def, Subst(vec![(param, ty), (well_known::SELF_TYPE, ty)]), ty, derefs, false)
    }

    /// The parameter that a blanket impl is for, if its bounds let it apply to a type. `asked` are the traits on the way.
    fn reached_by(&self, impl_: DefId, ty: Ty, asked: &mut Vec<DefId>) -> Option<Name> {
        let decls = &self.program.decls;
        let TyKind::Param(param) = decls.impl_self.get(&impl_)?.kind() else { return None };
        let bounds = &decls.generics.get(&impl_)?.iter().find(|g| g.name == *param)?.bounds;
        bounds.iter().all(|bound| self.may_implement(ty, bound.trait_, asked)).then_some(*param)
    }

    /// Whether a type may implement a trait, as far as impls and bounds tell.
    fn may_implement(&self, ty: Ty, trait_: TraitRef, asked: &mut Vec<DefId>) -> bool {
        match (trait_, ty.kind()) {
            (TraitRef::Local(_), TyKind::Param(p)) => self
                .env
                .iter()
                .find(|g| g.name == *p)
                .is_some_and(|g| g.bounds.iter().any(|b| b.trait_ == trait_)),
            (TraitRef::Local(t), _) => {
                // An impl that needs the very trait gives nobody a first one.
                if asked.contains(&t) {
                    return false;
                }
                asked.push(t);
                let decls = &self.program.decls;
                let impls = decls.impls_of.get(&t).map_or(&[][..], |v| v);
                let found = impls.iter().any(|&i| {
                    let Some(&own) = decls.impl_self.get(&i) else { return false };
                    match HeadKey::of(own) {
                        Some(HeadKey::Any) => self.reached_by(i, ty, asked).is_some(),
                        head => {
                            let (own, ty) = (own.peel_refs(), ty.peel_refs());
                            head == HeadKey::of(ty) && self.matches(own, ty, &mut Subst::default(), 16)
                        }
                    }
                });
                asked.pop();
                found
            }
            (TraitRef::Ext(path), _) => match path.as_str() {
                "std::iter::Iterator" => self.item_of(ty).is_some(),
                "std::future::Future" => self.awaited(ty).is_some(),
                _ => true,
            },
        }
    }

    /// `x.clone()`: Rust's probing order decides between the value and a reference to it.
    fn find_clone(&mut self, recv: Ty, name: Name) -> Option<Found> {
        let mut ty = self.shallow(recv);
        let mut derefs = 0;
        for _ in 0..STEPS {
            let (candidate, next) = match ty.kind() {
                TyKind::Ref(_, inner) => (self.shallow(*inner), Some(self.shallow(*inner))),
                _ => (ty, None),
            };
            if let Some(found) = self.clone_of(candidate, name, derefs) {
                return Some(found);
            }
            if candidate.is_unknown() {
                return None;
            }
            ty = match next {
                // `&T` with `T: !Clone`: the reference itself is copied, unless what `T` derefs to comes first.
                Some(inner) => inner,
                None => {
                    derefs += 1;
                    let next = self.deref_once(ty)?;
                    self.shallow(next)
                }
            };
        }
        None
    }

    fn clone_of(&mut self, ty: Ty, name: Name, derefs: u8) -> Option<Found> {
        let ret = match ty.kind() {
            TyKind::Str if name == well_known::TO_OWNED => Ty::ext("std::string::String", []),
            TyKind::Slice(t) if name == well_known::TO_OWNED => Ty::ext("std::vec::Vec", [*t]),
            TyKind::Ext(p, _) if p.as_str() == "std::path::Path" && name == well_known::TO_OWNED => {
                Ty::ext("std::path::PathBuf", [])
            }
            _ if self.is_clone(ty) => ty,
            _ => return None,
        };
        if let TyKind::Adt(def, _) = ty.kind()
            && let Some(found) = self.workspace_method(HeadKey::Adt(*def), ty, name, derefs)
        {
            return Some(found);
        }
        let path = if name == well_known::CLONE {
            "std::clone::Clone::clone"
        } else {
            "std::borrow::ToOwned::to_owned"
        };
        Some(Found {
            callee: Callee::Ext(Name::new(path)),
            self_ty: ty,
            derefs,
            mode: SelfMode::Ref,
            params: vec![],
            ret,
            bounds: None,
        })
    }

    /// Whether a type is known to be `Clone`.
    pub(super) fn is_clone(&self, ty: Ty) -> bool {
        match ty.kind() {
            TyKind::Adt(def, _) => {
                let item = self.program.item(*def);
                item.attrs.derives.contains(&Name::new("Clone"))
                    || self.program.decls.impls_by_head.get(&HeadKey::Adt(*def)).into_iter().flatten().any(|i| {
                        matches!(self.program.decls.impl_trait.get(i), Some(Bound { trait_: TraitRef::Ext(p), .. })
                            if p.as_str() == "std::clone::Clone")
                    })
            }
            TyKind::Ext(path, _) => match self.kb.types.get(path) {
                Some(info) => info.clone != CloneCost::Unknown,
                None => true,
            },
            TyKind::Param(p) => self.env.iter().find(|g| g.name == *p).is_some_and(|g| {
                g.bounds.iter().any(|b| matches!(b.trait_, TraitRef::Ext(p) if matches!(p.as_str(), "std::clone::Clone" | "std::marker::Copy")))
            }),
            TyKind::Slice(_) | TyKind::Str | TyKind::Dyn(_) => false,
            TyKind::Var(_) | TyKind::Unknown | TyKind::Assoc(..) => false,
            _ => true,
        }
    }

    /// Methods that anything has: `to_string`, `into`, `borrow`.
    fn universal(&mut self, first: Ty, name: Name) -> Option<Found> {
        let ty = self.shallow(first);
        let self_ty = ty.peel_refs();
        let kb = self.kb;
        let f = kb.types.get(&Name::new("any"))?.methods.get(&name)?;
        let subject = if f.self_mode == Some(SelfMode::Value) { ty } else { self_ty };
        if subject.is_unknown() {
            return None;
        }
        Some(self.known("any", name, f, Subst::default(), subject, 0))
    }
}
