//! What a path in expression or pattern position means, and associated functions.

use super::cx::Cx;
use super::{Callee, SelfMode};
use crate::hir::{GenericArgs, Path, Segment, TypeKind};
use crate::knowledge::FnInfo;
use crate::link::{HeadKey, Ns};
use crate::name::{Name, well_known};
use crate::program::{DefId, DefKind, Res};
use crate::ty::{Bound, Subst, TraitRef, Ty, TyKind};

/// What a value path names.
pub(super) enum Value {
    /// A function, constructor or method of the workspace, with what is known of its parameters.
    Fn {
        def: DefId,
        given: Subst,
        args: Vec<Ty>,
        dynamic: bool,
    },
    /// A function from outside that is known: its callee path, description, parameters known.
    Known {
        path: Name,
        info: Box<FnInfo>,
        given: Subst,
    },
    /// A function or value from outside that is not.
    Ext(Name),
    /// A constant, static, unit struct or variant.
    Typed(Res, Ty),
    /// `Trait::method`: depends on the first argument.
    TraitMethod(Name),
    Unknown,
}

impl Cx<'_> {
    /// Arguments written on a segment, `_` as fresh variables; `None` if none are written.
    pub(super) fn written(&mut self, args: Option<&GenericArgs>) -> Option<Vec<Ty>> {
        let args = args?;
        let mut out = Vec::new();
        for t in args.types.iter() {
            match t.kind {
                TypeKind::Const => {}
                TypeKind::Infer => out.push(self.fresh()),
                _ => {
                    let ty = self.tycx.lower(t);
                    out.push(self.open(ty));
                }
            }
        }
        Some(out)
    }

    /// Replaces the unknown arguments of a written type (`Vec<_>`) by variables.
    pub(super) fn open(&mut self, ty: Ty) -> Ty {
        match ty.kind() {
            TyKind::Unknown => self.fresh(),
            TyKind::Adt(..) | TyKind::Ext(..) | TyKind::Ref(..) | TyKind::Tuple(_)
                if ty.any(&mut |t| t == Ty::UNKNOWN) =>
            {
                ty.map_parts(&mut |t| self.open(t))
            }
            _ => ty,
        }
    }

    /// A type path in expression position (`HashMap::<K, V>`, `Self`, `Foo`), missing arguments as variables.
    fn type_of(&mut self, res: Res, segment: Option<&Segment>) -> Option<Ty> {
        let args = self.written(segment.and_then(|s| s.args.as_deref()));
        Some(match res {
            Res::SelfTy => self.tycx.self_ty?,
            Res::Param(p) => Ty::new(TyKind::Param(p)),
            Res::Prim(ty) => ty,
            Res::Def(def) => {
                let d = self.program.def(def);
                match d.kind {
                    DefKind::Struct | DefKind::Enum | DefKind::Union => {
                        let count = self.program.decls.params(def).count();
                        let mut args = args.unwrap_or_default();
                        while args.len() < count {
                            args.push(self.fresh());
                        }
                        Ty::adt(def, args)
                    }
                    DefKind::TypeAlias => {
                        let ty = *self.program.decls.aliases.get(&def)?;
                        let params: Vec<Name> = self.program.decls.params(def).collect();
                        let mut subst = Subst::default();
                        for (i, p) in params.into_iter().enumerate() {
                            let arg =
                                args.as_ref().and_then(|a| a.get(i)).copied().unwrap_or_else(|| self.fresh());
                            subst.0.push((p, arg));
                        }
                        ty.subst(&subst)
                    }
                    _ => return None,
                }
            }
            Res::Ext(path) => {
                let kb = self.kb;
                if let Some((params, ty)) = kb.type_aliases.get(&path) {
                    let mut subst = Subst::default();
                    for (i, &p) in params.iter().enumerate() {
                        let arg =
                            args.as_ref().and_then(|a| a.get(i)).copied().unwrap_or_else(|| self.fresh());
                        subst.0.push((p, arg));
                    }
                    return Some(ty.subst(&subst));
                }
                let count = kb.types.get(&path)?.params.len();
                let mut args = args.unwrap_or_default();
                while args.len() < count {
                    args.push(self.fresh());
                }
                Ty::new(TyKind::Ext(path, args.into()))
            }
            Res::Module(_) => return None,
        })
    }

    /// What a path names as a value.
    pub(super) fn value(&mut self, path: &Path) -> Value {
        if let Some(qself) = &path.qself {
            let ty = self.tycx.lower(&qself.0);
            let ty = self.open(ty);
            let Some(last) = path.segments.last() else { return Value::Unknown };
            return self.assoc_value(ty, last);
        }
        let segments = &path.segments;
        let first = &segments[0];
        if self.tycx.params.contains(&first.name) && segments.len() > 1 {
            return self.rest(Ty::new(TyKind::Param(first.name)), &segments[1..]);
        }
        let names: Vec<Name> = segments.iter().map(|s| s.name).collect();
        let program = self.program;
        let Some((res, used)) =
            program.resolve(self.tycx.module, self.tycx.off, path.global, &names, Ns::Values)
        else {
            return Value::Unknown;
        };
        let last = &segments[used - 1];
        if used == segments.len() {
            return self.whole(res, last, if used >= 2 { Some(&segments[used - 2]) } else { None });
        }
        if let Res::Def(def) = res
            && program.def(def).kind == DefKind::Trait
            && used + 1 == segments.len()
        {
            return Value::TraitMethod(segments[used].name);
        }
        if let Res::Ext(p) = res
            && self.kb.types.get(&p).is_some_and(|t| t.is_trait)
        {
            return Value::TraitMethod(segments[used].name);
        }
        match self.type_of(res, Some(last)) {
            Some(ty) => self.rest(ty, &segments[used..]),
            None => Value::Unknown,
        }
    }

    fn rest(&mut self, mut ty: Ty, segments: &[Segment]) -> Value {
        for segment in &segments[..segments.len() - 1] {
            ty = Ty::new(TyKind::Assoc(ty, segment.name));
        }
        let ty = self.shallow(ty);
        self.assoc_value(ty, &segments[segments.len() - 1])
    }

    /// A path that names took whole.
    fn whole(&mut self, res: Res, last: &Segment, before: Option<&Segment>) -> Value {
        match res {
            Res::SelfTy => match self.tycx.self_ty.map(|t| (t, t.kind())) {
                Some((ty, TyKind::Adt(def, args))) => {
                    let given = Subst::pair(self.program.decls.params(*def), args);
                    self.ctor_or_unit(*def, given, ty)
                }
                _ => Value::Unknown,
            },
            Res::Def(def) => {
                let d = self.program.def(def);
                match d.kind {
                    DefKind::Fn => {
                        let args = self.written(last.args.as_deref()).unwrap_or_default();
                        Value::Fn { def, given: Subst::default(), args, dynamic: false }
                    }
                    DefKind::Struct | DefKind::Variant(_) => {
                        let owner =
                            if let DefKind::Variant(_) = d.kind { d.parent.unwrap_or(def) } else { def };
                        let written = last.args.as_deref().or_else(|| before.and_then(|b| b.args.as_deref()));
                        let args = self.written(written).unwrap_or_default();
                        let given = Subst::pair(self.program.decls.params(owner).take(args.len()), &args);
                        let subst = self.fresh_subst(owner, Some(&given));
                        let ty = Ty::adt(
                            owner,
                            self.program
                                .decls
                                .params(owner)
                                .map(|p| subst.get(p).unwrap_or(Ty::UNKNOWN))
                                .collect::<Vec<_>>(),
                        );
                        self.ctor_or_unit(def, subst, ty)
                    }
                    DefKind::Const | DefKind::Static => Value::Typed(
                        res,
                        self.program.decls.statics.get(&def).copied().unwrap_or(Ty::UNKNOWN),
                    ),
                    _ => Value::Unknown,
                }
            }
            Res::Ext(path) => {
                let kb = self.kb;
                if let Some(info) = kb.functions.get(&path) {
                    let mut given = Subst::default();
                    if let Some(args) = self.written(last.args.as_deref()) {
                        given = Subst::pair(info.generics.iter().copied().take(args.len()), &args);
                    }
                    return Value::Known { path, info: Box::new(info.clone()), given };
                }
                match path.as_str() {
                    "std::option::Option::None" => {
                        let t = self.fresh();
                        Value::Typed(res, Ty::ext("std::option::Option", [t]))
                    }
                    _ => Value::Ext(path),
                }
            }
            _ => Value::Unknown,
        }
    }

    fn ctor_or_unit(&mut self, def: DefId, given: Subst, ty: Ty) -> Value {
        match self.program.decls.fields.get(&def) {
            Some(fields) if !fields.is_empty() => Value::Fn { def, given, args: vec![], dynamic: false },
            _ => Value::Typed(Res::Def(def), ty),
        }
    }

    /// `Type::name`.
    pub(super) fn assoc_value(&mut self, ty: Ty, segment: &Segment) -> Value {
        let name = segment.name;
        let program = self.program;
        let ty = self.shallow(ty);
        let args = self.written(segment.args.as_deref()).unwrap_or_default();
        if let TyKind::Adt(def, targs) = ty.kind()
            && let Some(&variant) = program.variants.get(def).and_then(|v| v.get(&name))
        {
            let given = Subst::pair(program.decls.params(*def), targs);
            return self.ctor_or_unit(variant, given, ty);
        }
        if let Some(head) = HeadKey::of(ty)
            && head != HeadKey::Any
        {
            for def in self.methods(head, name) {
                let Some(impl_) = program.def(def).parent else { continue };
                let Some(&self_ty) = program.decls.impl_self.get(&impl_) else { continue };
                let mut subst = Subst::default();
                if !self.matches(self_ty.peel_refs(), ty.peel_refs(), &mut subst, 16) {
                    continue;
                }
                let given = subst.with(well_known::SELF_TYPE, ty);
                if program.def(def).kind == DefKind::Const {
                    let ty = program.decls.statics.get(&def).map_or(Ty::UNKNOWN, |t| t.subst(&given));
                    return Value::Typed(Res::Def(def), ty);
                }
                return Value::Fn { def, given, args, dynamic: false };
            }
        }
        match ty.kind() {
            TyKind::Ext(path, targs) => {
                let kb = self.kb;
                if let Some(info) = kb.types.get(path)
                    && let Some(f) = info.methods.get(&name)
                {
                    let mut given =
                        Subst::pair(info.params.iter().copied(), targs).with(well_known::SELF_TYPE, ty);
                    for (&g, &a) in f.generics.iter().zip(&args) {
                        given.0.push((g, a));
                    }
                    let path = Name::join(*path, name);
                    return Value::Known { path, info: Box::new(f.clone()), given };
                }
                if let Some(v) = self.universal_assoc(ty, name) {
                    return v;
                }
                Value::Ext(Name::join(*path, name))
            }
            TyKind::Param(p) => {
                let bounds: &[Bound] = self.env.iter().find(|g| g.name == *p).map_or(&[], |g| &g.bounds);
                for bound in bounds {
                    if let TraitRef::Local(trait_) = bound.trait_
                        && let Some(&item) = program.decls.trait_items.get(&(trait_, name))
                    {
                        let given = Subst::pair(program.decls.params(trait_), &bound.args)
                            .with(well_known::SELF_TYPE, ty);
                        if program.def(item).kind != DefKind::Fn {
                            let ty =
                                program.decls.statics.get(&item).map_or(Ty::UNKNOWN, |t| t.subst(&given));
                            return Value::Typed(Res::Def(item), ty);
                        }
                        return Value::Fn { def: item, given, args, dynamic: true };
                    }
                }
                self.universal_assoc(ty, name).unwrap_or(Value::Unknown)
            }
            TyKind::Adt(def, _) => {
                // Defaults of the traits it implements; then what derives and std traits give.
                for impl_ in program.decls.impls_by_head.get(&HeadKey::Adt(*def)).into_iter().flatten() {
                    if let Some(Bound { trait_: TraitRef::Local(t), args: bargs, .. }) =
                        program.decls.impl_trait.get(impl_)
                        && let Some(&item) = program.decls.trait_items.get(&(*t, name))
                        && program.def(item).kind == DefKind::Fn
                    {
                        let given =
                            Subst::pair(program.decls.params(*t), bargs).with(well_known::SELF_TYPE, ty);
                        return Value::Fn { def: item, given, args, dynamic: false };
                    }
                }
                self.universal_assoc(ty, name).unwrap_or(Value::Unknown)
            }
            TyKind::Int(_) | TyKind::Float(_) | TyKind::Str | TyKind::Bool | TyKind::Char => {
                let pseudo = match ty.kind() {
                    TyKind::Int(_) => "int",
                    TyKind::Float(_) => "float",
                    TyKind::Str => "str",
                    TyKind::Bool => "bool",
                    _ => "char",
                };
                let kb = self.kb;
                let pseudo = Name::new(pseudo);
                if let Some(f) = kb.types.get(&pseudo).and_then(|t| t.methods.get(&name)) {
                    let path = Name::join(pseudo, name);
                    return Value::Known {
                        path,
                        info: Box::new(f.clone()),
                        given: Subst(vec![(well_known::SELF_TYPE, ty)]),
                    };
                }
                if matches!(ty.kind(), TyKind::Int(_) | TyKind::Float(_))
                    && segment.name.as_str().chars().all(|c| c.is_uppercase() || c == '_')
                {
                    return Value::Typed(Res::Prim(ty), ty);
                }
                self.universal_assoc(ty, name).unwrap_or(Value::Unknown)
            }
            _ => self.universal_assoc(ty, name).unwrap_or(Value::Unknown),
        }
    }

    /// `T::default()`, `T::from(x)`, `T::clone(&x)`.
    fn universal_assoc(&mut self, ty: Ty, name: Name) -> Option<Value> {
        let kb = self.kb;
        let any = Name::new("any");
        let f = kb.types.get(&any)?.methods.get(&name)?;
        Some(Value::Known {
            path: Name::join(any, name),
            info: Box::new(f.clone()),
            given: Subst(vec![(well_known::SELF_TYPE, ty)]),
        })
    }

    /// Parameters (`self` first) and result of a known outside function.
    pub(super) fn known_signature(&mut self, info: &FnInfo, given: Subst) -> (Vec<Ty>, Ty) {
        let self_ty = given.get(well_known::SELF_TYPE).unwrap_or(Ty::UNKNOWN);
        let mut subst = given;
        for &generic in &info.generics {
            if subst.get(generic).is_none() {
                let var = self.fresh();
                subst.0.push((generic, var));
            }
        }
        let mut params: Vec<Ty> = Vec::new();
        match info.self_mode {
            Some(SelfMode::Value | SelfMode::Unknown) => params.push(self_ty),
            Some(SelfMode::Ref) => params.push(Ty::reference(false, self_ty)),
            Some(SelfMode::RefMut) => params.push(Ty::reference(true, self_ty)),
            None => {}
        }
        params.extend(info.params.iter().map(|t| t.subst(&subst)));
        (params, info.ret.subst(&subst))
    }

    /// The callee that a value path stands for when it is called.
    pub(super) fn callee_of(&self, value: &Value) -> Callee {
        match value {
            Value::Fn { def, dynamic, .. } => match self.program.def(*def).kind {
                DefKind::Fn if *dynamic => Callee::Virtual(*def),
                DefKind::Fn => Callee::Fn(*def),
                _ => Callee::Ctor(*def),
            },
            Value::Known { path, .. } | Value::Ext(path) => Callee::Ext(*path),
            Value::Typed(..) => Callee::Value,
            Value::TraitMethod(..) | Value::Unknown => Callee::Unknown,
        }
    }
}
