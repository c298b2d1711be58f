//! Types as written → types as known, and the types of all declarations.

use rayon::prelude::*;

use super::decls::{Decls, GenericDecl, Sig};
use super::resolve::Ns;
use crate::hir::{self, GenericArgs, Generics, ItemKind, Path, SelfParam, TypeKind, TypeRef};
use crate::name::{Name, well_known};
use crate::program::{DefId, DefKind, ModIx, Program, Res};
use crate::ty::{Bound, Subst, TraitRef, Ty, TyKind};

/// Where a type is written.
#[derive(Clone)]
pub struct TyCx<'a> {
    /// The program.
    pub program: &'a Program,
    /// The module or block.
    pub module: ModIx,
    /// Whether it is kept out of the build that bodies are read for.
    pub off: bool,
    /// Type parameters in scope.
    pub params: Vec<Name>,
    /// What `Self` is.
    pub self_ty: Option<Ty>,
    /// The impl or trait around: its associated types are `Self::X`.
    pub parent: Option<DefId>,
    /// How many aliases lie around (they may refer to each other in wrong code).
    depth: u8,
}

/// The parameters an item brings into scope, with those around it.
fn generics_in_scope(program: &Program, def: DefId) -> impl Iterator<Item = &hir::GenericParam> {
    let around = program
        .def(def)
        .parent
        .filter(|&p| matches!(program.def(p).kind, DefKind::Impl | DefKind::Trait | DefKind::Enum));
    around.into_iter().chain([def]).filter_map(|d| item_generics(program, d)).flat_map(|g| &g.params)
}

fn item_generics(program: &Program, def: DefId) -> Option<&Generics> {
    Some(match &program.item(def).kind {
        ItemKind::Fn(f) => &f.generics,
        ItemKind::Struct(s) | ItemKind::Union(s) => &s.generics,
        ItemKind::Enum(e) => &e.generics,
        ItemKind::Trait(t) => &t.generics,
        ItemKind::Impl(i) => &i.generics,
        ItemKind::Type { generics, .. } => generics,
        _ => return None,
    })
}

impl<'a> TyCx<'a> {
    /// The context of an item's own signature, and of the body it owns.
    pub fn of(program: &'a Program, def: DefId) -> TyCx<'a> {
        let d = program.def(def);
        let parent = d.parent.filter(|&p| matches!(program.def(p).kind, DefKind::Impl | DefKind::Trait));
        let owner = if matches!(d.kind, DefKind::Impl | DefKind::Trait) { Some(def) } else { parent };
        let mut cx = TyCx {
            program,
            module: d.module,
            off: d.off,
            params: generics_in_scope(program, def).filter(|p| !p.is_const).map(|p| p.name).collect(),
            self_ty: None,
            parent: owner,
            depth: 0,
        };
        cx.self_ty = match owner {
            Some(o) => match &program.item(o).kind {
                ItemKind::Impl(i) => match program.decls.impl_self.get(&o) {
                    Some(&ty) => Some(ty),
                    None => Some(cx.lower(&i.self_ty)),
                },
                _ => Some(Ty::new(TyKind::Param(well_known::SELF_TYPE))),
            },
            None if matches!(d.kind, DefKind::Struct | DefKind::Enum | DefKind::Union) => {
                let args: Vec<Ty> = cx.params.iter().map(|&p| Ty::new(TyKind::Param(p))).collect();
                Some(Ty::adt(def, args))
            }
            None => None,
        };
        cx
    }

    /// Lowers a type.
    pub fn lower(&self, ty: &TypeRef) -> Ty {
        match &ty.kind {
            TypeKind::Infer | TypeKind::Const | TypeKind::Unknown => Ty::UNKNOWN,
            TypeKind::Never => Ty::NEVER,
            TypeKind::Path(path) => self.lower_path(path),
            TypeKind::Ref { mutable, inner } => Ty::reference(*mutable, self.lower(inner)),
            TypeKind::Ptr { inner, .. } => Ty::new(TyKind::Ptr(self.lower(inner))),
            TypeKind::Slice(inner) => Ty::new(TyKind::Slice(self.lower(inner))),
            TypeKind::Array(inner) => Ty::new(TyKind::Array(self.lower(inner))),
            TypeKind::Tuple(parts) => Ty::new(TyKind::Tuple(parts.iter().map(|t| self.lower(t)).collect())),
            TypeKind::Fn { params, ret } => Ty::new(TyKind::FnPtr(
                params.iter().map(|t| self.lower(t)).collect(),
                ret.as_ref().map_or(Ty::UNIT, |t| self.lower(t)),
            )),
            TypeKind::Impl(bounds) => self.bounded(bounds, false),
            TypeKind::Dyn(bounds) => self.bounded(bounds, true),
        }
    }

    fn bounded(&self, bounds: &[hir::Bound], dynamic: bool) -> Ty {
        let lowered: Vec<Bound> =
            bounds.iter().filter_map(|b| self.bound(b)).filter(|b| !is_marker(b)).collect();
        if let Some(callable) = lowered.iter().find_map(callable) {
            return callable;
        }
        if let Some(output) = lowered.iter().find_map(future_output) {
            return Ty::new(TyKind::Future(output));
        }
        if lowered.is_empty() && bounds.iter().all(|b| self.bound(b).is_none()) {
            return Ty::UNKNOWN;
        }
        Ty::new(if dynamic { TyKind::Dyn(lowered.into()) } else { TyKind::Opaque(lowered.into()) })
    }

    /// Lowers a trait bound.
    pub fn bound(&self, path: &hir::Bound) -> Option<Bound> {
        let names: Vec<Name> = path.segments.iter().map(|s| s.name).collect();
        let trait_ = match self.program.resolve(self.module, self.off, path.global, &names, Ns::Types) {
            Some((Res::Def(d), used)) if used == names.len() => TraitRef::Local(d),
            Some((Res::Ext(p), used)) if used == names.len() => TraitRef::Ext(p),
            _ => return None,
        };
        let args = path.segments.last().and_then(|s| s.args.as_deref());
        Some(Bound {
            trait_,
            args: args.map(|a| a.types.iter().map(|t| self.lower(t)).collect()).unwrap_or_default(),
            bindings: args
                .map(|a| a.bindings.iter().map(|(n, t)| (*n, self.lower(t))).collect())
                .unwrap_or_default(),
        })
    }

    /// Lowers the written arguments of a path segment.
    pub fn args(&self, args: Option<&GenericArgs>) -> Vec<Ty> {
        args.map(|a| {
            a.types.iter().filter(|t| !matches!(t.kind, TypeKind::Const)).map(|t| self.lower(t)).collect()
        })
        .unwrap_or_default()
    }

    /// Lowers a path in type position.
    pub fn lower_path(&self, path: &Path) -> Ty {
        if let Some(qself) = &path.qself {
            let ty = self.lower(&qself.0);
            return match path.segments.last() {
                Some(last) => self.assoc(ty, last.name),
                None => Ty::UNKNOWN,
            };
        }
        let first = &path.segments[0];
        if self.params.contains(&first.name) && !path.global {
            let ty = Ty::new(TyKind::Param(first.name));
            return self.rest(ty, &path.segments[1..]);
        }
        if first.name == well_known::SELF_TYPE {
            let Some(ty) = self.self_ty else { return Ty::UNKNOWN };
            return self.rest(ty, &path.segments[1..]);
        }
        let resolve =
            |names: &[Name]| self.program.resolve(self.module, self.off, path.global, names, Ns::Types);
        let found = match &path.segments[..] {
            [one] => resolve(&[one.name]),
            more => resolve(&more.iter().map(|s| s.name).collect::<Vec<_>>()),
        };
        let Some((res, used)) = found else { return Ty::UNKNOWN };
        let args = self.args(path.segments[used - 1].args.as_deref());
        let ty = match res {
            Res::Prim(ty) => ty,
            Res::Def(def) => self.def_type(def, args),
            Res::Ext(p) => self.ext_type(p, args),
            Res::Param(p) => Ty::new(TyKind::Param(p)),
            Res::SelfTy => self.self_ty.unwrap_or(Ty::UNKNOWN),
            Res::Module(_) => return Ty::UNKNOWN,
        };
        self.rest(ty, &path.segments[used..])
    }

    fn rest(&self, mut ty: Ty, segments: &[hir::Segment]) -> Ty {
        for segment in segments {
            ty = self.assoc(ty, segment.name);
        }
        ty
    }

    fn assoc(&self, ty: Ty, name: Name) -> Ty {
        // `Self::Item` inside an impl means what the impl says.
        if Some(ty) == self.self_ty
            && let Some(parent) = self.parent
            && let Some(found) = self.program.children.get(&parent).into_iter().flatten().find(|&&c| {
                self.program.def(c).name == name && self.program.def(c).kind == DefKind::TypeAlias
            })
            && let ItemKind::Type { ty: Some(t), .. } = &self.program.item(*found).kind
            && self.depth < 8
        {
            let mut cx = self.clone();
            cx.depth += 1;
            return cx.lower(t);
        }
        Ty::new(TyKind::Assoc(ty, name))
    }

    /// An item as a type with arguments.
    fn def_type(&self, def: DefId, mut args: Vec<Ty>) -> Ty {
        match &self.program.item(def).kind {
            ItemKind::Struct(_) | ItemKind::Enum(_) | ItemKind::Union(_) => {
                let owner = match self.program.def(def).kind {
                    DefKind::Variant(_) => self.program.def(def).parent.unwrap_or(def),
                    _ => def,
                };
                let params = item_generics(self.program, owner).map(|g| &g.params[..]).unwrap_or_default();
                let declared = self.program.def(owner);
                let (module, off) = (declared.module, declared.off);
                let cx = TyCx { module, off, depth: self.depth + 1, ..self.clone() };
                for param in params.iter().filter(|p| !p.is_const).skip(args.len()) {
                    args.push(match &param.default {
                        Some(default) if self.depth < 8 => cx.lower(default),
                        _ => Ty::UNKNOWN,
                    });
                }
                Ty::adt(owner, args)
            }
            ItemKind::Type { generics, ty: Some(ty), .. } if self.depth < 16 => {
                let params: Vec<Name> =
                    generics.params.iter().filter(|p| !p.is_const).map(|p| p.name).collect();
                let cx = TyCx {
                    program: self.program,
                    module: self.program.def(def).module,
                    off: self.program.def(def).off,
                    params: params.clone(),
                    self_ty: None,
                    parent: None,
                    depth: self.depth + 1,
                };
                for (param, i) in generics.params.iter().filter(|p| !p.is_const).zip(0..) {
                    if args.len() <= i {
                        args.push(param.default.as_ref().map_or(Ty::UNKNOWN, |d| cx.lower(d)));
                    }
                }
                cx.lower(ty).subst(&Subst::pair(params, &args))
            }
            ItemKind::Trait(_) => Ty::new(TyKind::Dyn(Box::new([Bound {
                trait_: TraitRef::Local(def),
                args: args.into(),
                bindings: Box::new([]),
            }]))),
            _ => Ty::UNKNOWN,
        }
    }

    fn ext_type(&self, path: Name, mut args: Vec<Ty>) -> Ty {
        if let Some((params, ty)) = self.program.knowledge.type_aliases.get(&path) {
            return ty.subst(&Subst::pair(params.iter().copied(), &args));
        }
        if let Some(info) = self.program.knowledge.types.get(&path) {
            args.resize(info.params.len().max(args.len()), Ty::UNKNOWN);
        }
        Ty::new(TyKind::Ext(path, args.into()))
    }
}

fn is_marker(bound: &Bound) -> bool {
    matches!(bound.trait_, TraitRef::Ext(p) if p.as_str().starts_with("std::marker::"))
}

/// `Fn(A) -> B` as a function type.
pub(crate) fn callable(bound: &Bound) -> Option<Ty> {
    let TraitRef::Ext(path) = bound.trait_ else { return None };
    if !matches!(path.as_str(), "std::ops::Fn" | "std::ops::FnMut" | "std::ops::FnOnce") {
        return None;
    }
    let params = match bound.args.first().map(|t| t.kind()) {
        Some(TyKind::Tuple(parts)) => parts.clone(),
        _ => Box::new([]),
    };
    let ret = bound.bindings.iter().find(|(n, _)| *n == well_known::OUTPUT).map_or(Ty::UNIT, |(_, t)| *t);
    Some(Ty::new(TyKind::FnPtr(params, ret)))
}

/// `Future<Output = T>`
pub(crate) fn future_output(bound: &Bound) -> Option<Ty> {
    match bound.trait_ {
        TraitRef::Ext(p) if matches!(p.as_str(), "std::future::Future" | "futures::Future") => Some(
            bound.bindings.iter().find(|(n, _)| *n == well_known::OUTPUT).map_or(Ty::UNKNOWN, |(_, t)| *t),
        ),
        _ => None,
    }
}

/// What one definition declares.
#[derive(Default)]
struct Declared {
    fields: Option<Vec<(Name, Ty)>>,
    generics: Option<Vec<GenericDecl>>,
    sig: Option<Sig>,
    ty: Option<Ty>,
    impl_: Option<(Ty, Option<Bound>)>,
    supers: Option<Vec<Bound>>,
}

/// Lowers the types of all declarations, in parallel: the impls first, so that their members know what `Self` is.
pub(super) fn declare(program: &mut Program) {
    let (impls, others): (Vec<DefId>, Vec<DefId>) =
        (0..program.defs.len() as u32).map(DefId).partition(|&d| program.def(d).kind == DefKind::Impl);
    for defs in [impls, others] {
        let declared: Vec<(DefId, Declared)> =
            defs.into_par_iter().with_max_len(256).map(|def| (def, declare_one(program, def))).collect();
        let decls = std::mem::take(&mut program.decls);
        program.decls = add(program, decls, declared);
    }
}

fn add(program: &Program, mut decls: Decls, declared: Vec<(DefId, Declared)>) -> Decls {
    decls.sigs.reserve(declared.iter().filter(|(_, d)| d.sig.is_some()).count());
    decls.fields.reserve(declared.iter().filter(|(_, d)| d.fields.is_some()).count());
    for (def, one) in declared {
        if let Some(fields) = one.fields {
            decls.fields.insert(def, fields);
        }
        if let Some(generics) = one.generics
            && !generics.is_empty()
        {
            decls.generics.insert(def, generics);
        }
        if let Some(sig) = one.sig {
            decls.sigs.insert(def, sig);
        }
        if let Some(supers) = one.supers {
            decls.supers.insert(def, supers);
        }
        if let Some(ty) = one.ty {
            match program.def(def).kind {
                DefKind::TypeAlias => decls.aliases.insert(def, ty),
                _ => decls.statics.insert(def, ty),
            };
        }
        if let Some((self_ty, trait_)) = one.impl_ {
            decls.impl_self.insert(def, self_ty);
            if let Some(bound) = trait_ {
                decls.impl_trait.insert(def, bound);
            }
        }
    }
    decls
}

fn declare_one(program: &Program, def: DefId) -> Declared {
    let cx = TyCx::of(program, def);
    let mut out = Declared::default();
    let fields = |fields: &[hir::FieldDecl], cx: &TyCx<'_>| -> Vec<(Name, Ty)> {
        fields.iter().map(|f| (f.name, cx.lower(&f.ty))).collect()
    };
    let d = program.def(def);
    match &program.item(def).kind {
        ItemKind::Struct(s) | ItemKind::Union(s) => out.fields = Some(fields(&s.fields, &cx)),
        ItemKind::Enum(e) => {
            if let DefKind::Variant(i) = d.kind {
                let owner = d.parent.unwrap_or(def);
                let cx = TyCx::of(program, owner);
                out.fields = e.variants.get(i as usize).map(|v| fields(&v.fields, &cx));
            }
        }
        ItemKind::Fn(f) => {
            let mut params = Vec::new();
            let self_ty = cx.self_ty.unwrap_or(Ty::UNKNOWN);
            match &f.self_param {
                Some(SelfParam::Value) => params.push(self_ty),
                Some(SelfParam::Ref) => params.push(Ty::reference(false, self_ty)),
                Some(SelfParam::RefMut) => params.push(Ty::reference(true, self_ty)),
                Some(SelfParam::Typed(t)) => params.push(cx.lower(t)),
                None => {}
            }
            let has_self = f.self_param.is_some();
            params.extend(f.params.iter().map(|t| cx.lower(t)));
            let ret = f.ret.as_ref().map_or(Ty::UNIT, |t| cx.lower(t));
            out.sig = Some(Sig { params, ret, is_async: f.is_async, has_self });
        }
        ItemKind::Static { ty, wrapper, .. } => {
            let inner = cx.lower(ty);
            out.ty = Some(match wrapper {
                hir::StaticWrapper::Plain => inner,
                hir::StaticWrapper::LazyStatic => Ty::ext("std::sync::LazyLock", [inner]),
                hir::StaticWrapper::ThreadLocal => Ty::ext("std::thread::LocalKey", [inner]),
            });
        }
        ItemKind::Type { ty: Some(ty), .. } => out.ty = Some(cx.lower(ty)),
        ItemKind::Impl(i) => {
            let bound = i.trait_path.as_ref().filter(|_| !i.negative).and_then(|p| cx.bound(p));
            out.impl_ = Some((cx.self_ty.unwrap_or(Ty::UNKNOWN), bound));
        }
        ItemKind::Trait(t) => out.supers = Some(t.supers.iter().filter_map(|b| cx.bound(b)).collect()),
        _ => {}
    }
    if !matches!(d.kind, DefKind::Variant(_)) {
        let decls = generics_in_scope(program, def)
            .filter(|p| !p.is_const)
            .map(|p| {
                let bounds: Vec<Bound> = p.bounds.iter().filter_map(|b| cx.bound(b)).collect();
                GenericDecl { name: p.name, callable: bounds.iter().find_map(callable), bounds }
            })
            .collect();
        out.generics = Some(decls);
    }
    out
}
