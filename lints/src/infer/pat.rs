//! Types of patterns and what they bind, with default binding modes (RFC 2005).

use super::cx::Cx;
use super::path::Value;
use crate::hir::{PatId, PatKind, Path};
use crate::name::Name;
use crate::program::{DefId, DefKind, Res};
use crate::ty::{Subst, Ty, TyKind};

/// How a name is bound, if its pattern does not say.
#[derive(Clone, Copy)]
enum Mode {
    /// By value.
    Move,
    /// By the reference that default binding puts around it; whether it is mutable.
    Ref(bool),
    /// What is taken apart has no known type: it may be a reference. Nothing may rest on owning what is bound.
    Unsure,
}

impl Mode {
    /// Inside a reference.
    fn through(self, mutable: bool) -> Mode {
        match self {
            Mode::Move => Mode::Ref(mutable),
            Mode::Ref(outer) => Mode::Ref(outer && mutable),
            Mode::Unsure => Mode::Ref(false),
        }
    }

    /// The type of a name bound to a `ty`.
    fn bind(self, ty: Ty) -> Ty {
        match self {
            Mode::Move => ty,
            Mode::Ref(mutable) => Ty::reference(mutable, ty),
            Mode::Unsure if ty == Ty::UNKNOWN => ty,
            Mode::Unsure => Ty::reference(false, ty),
        }
    }
}

impl Cx<'_> {
    /// Binds a pattern against a type.
    pub(super) fn pat(&mut self, id: PatId, ty: Ty) {
        self.pat_mode(id, ty, Mode::Move);
    }

    fn pat_mode(&mut self, id: PatId, ty: Ty, mode: Mode) {
        let body = self.body;
        let mut ty = self.shallow(ty);
        let mut mode = mode;
        let kind = &body.pat(id).kind;
        if matches!(
            kind,
            PatKind::Tuple(_) | PatKind::Slice(_) | PatKind::TupleStruct { .. } | PatKind::Struct { .. }
        ) {
            while let TyKind::Ref(mutable, inner) = ty.kind() {
                mode = mode.through(*mutable);
                ty = self.shallow(*inner);
            }
            if ty == Ty::UNKNOWN && matches!(mode, Mode::Move) {
                mode = Mode::Unsure;
            }
        }
        if let Some(slot) = self.out.pats.get_mut(id.0 as usize) {
            *slot = ty;
        }
        match kind {
            PatKind::Bind { local, sub } => {
                let by_ref = body.local(*local).by_ref;
                let bound = match mode {
                    Mode::Move if by_ref => Ty::reference(body.local(*local).mutable, ty),
                    _ => mode.bind(ty),
                };
                let slot = self.out.locals.get(local.0 as usize).copied();
                match slot {
                    // Alternatives of an or-pattern share a local.
                    Some(there) if there != Ty::UNKNOWN => self.unify(there, bound),
                    _ => {
                        if let Some(slot) = self.out.locals.get_mut(local.0 as usize) {
                            *slot = bound;
                        }
                    }
                }
                if let Some(sub) = sub {
                    self.pat_mode(*sub, ty, mode);
                }
            }
            PatKind::Ref(inner) => {
                let target = match ty.kind() {
                    TyKind::Ref(_, t) => *t,
                    TyKind::Var(_) => {
                        let t = self.fresh();
                        self.unify(ty, Ty::reference(false, t));
                        t
                    }
                    _ if !matches!(mode, Mode::Move) => ty,
                    _ => Ty::UNKNOWN,
                };
                self.pat_mode(*inner, target, Mode::Move);
            }
            PatKind::Tuple(pats) => {
                let rest = pats.iter().position(|&p| matches!(body.pat(p).kind, PatKind::Rest));
                if let TyKind::Var(_) = ty.kind()
                    && rest.is_none()
                {
                    let parts: Vec<Ty> = pats.iter().map(|_| self.fresh()).collect();
                    self.unify(ty, Ty::new(TyKind::Tuple(parts.into())));
                    ty = self.shallow(ty);
                }
                let parts: Vec<Ty> = match ty.kind() {
                    TyKind::Tuple(parts) => parts.to_vec(),
                    _ => vec![],
                };
                self.positional(pats, &parts, rest, mode);
            }
            PatKind::Slice(pats) => {
                let elem = match ty.kind() {
                    TyKind::Slice(t) | TyKind::Array(t) => *t,
                    _ => match self.deref_once(ty).map(|t| self.shallow(t).kind()) {
                        Some(TyKind::Slice(t)) => *t,
                        _ => Ty::UNKNOWN,
                    },
                };
                for &p in pats.iter() {
                    match &body.pat(p).kind {
                        // `rest @ ..` binds a slice.
                        PatKind::Bind { sub: Some(s), .. } if matches!(body.pat(*s).kind, PatKind::Rest) => {
                            let mode = if matches!(mode, Mode::Move) { Mode::Ref(false) } else { mode };
                            self.pat_mode(p, Ty::new(TyKind::Slice(elem)), mode);
                        }
                        _ => self.pat_mode(p, elem, mode),
                    }
                }
            }
            PatKind::TupleStruct { path, pats } => {
                let fields = self.pattern_fields(id, path, ty);
                let parts: Vec<Ty> = fields.into_iter().map(|(_, t)| t).collect();
                let rest = pats.iter().position(|&p| matches!(body.pat(p).kind, PatKind::Rest));
                self.positional(pats, &parts, rest, mode);
            }
            PatKind::Struct { path, fields, .. } => {
                let declared = self.pattern_fields(id, path, ty);
                for (name, pat) in fields.iter() {
                    let ty = declared.iter().find(|(n, _)| n == name).map_or(Ty::UNKNOWN, |(_, t)| *t);
                    self.pat_mode(*pat, ty, mode);
                }
            }
            PatKind::Or(pats) => {
                for &p in pats.iter() {
                    self.pat_mode(p, ty, mode);
                }
            }
            PatKind::Typed { pat, ty: written } => {
                let written = self.tycx.lower(written);
                let written = self.open(written);
                self.unify(written, ty);
                self.pat_mode(*pat, written, mode);
            }
            PatKind::Missing
            | PatKind::Wild
            | PatKind::Rest
            | PatKind::Path(_)
            | PatKind::Lit(_)
            | PatKind::Range => {}
        }
    }

    fn positional(&mut self, pats: &[PatId], parts: &[Ty], rest: Option<usize>, mode: Mode) {
        for (i, &p) in pats.iter().enumerate() {
            let part = match rest {
                Some(r) if i > r => (parts.len() + i).checked_sub(pats.len()).and_then(|j| parts.get(j)),
                _ => parts.get(i),
            };
            self.pat_mode(p, part.copied().unwrap_or(Ty::UNKNOWN), mode);
        }
    }

    /// Fields of the constructor a pattern names, as parts of `ty`.
    fn pattern_fields(&mut self, id: PatId, path: &Path, ty: Ty) -> Vec<(Name, Ty)> {
        if let Some((ext, args)) = ty.as_ext() {
            let last = path.segments.last().map_or("", |s| s.name.as_str());
            let arg = |i: usize| args.get(i).copied().unwrap_or(Ty::UNKNOWN);
            let zero = crate::name::well_known::ZERO;
            return match (ext.as_str(), last) {
                ("std::option::Option", "Some") | ("std::result::Result", "Ok") => vec![(zero, arg(0))],
                ("std::result::Result", "Err") => vec![(zero, arg(1))],
                ("std::task::Poll", "Ready") => vec![(zero, arg(0))],
                ("std::borrow::Cow", "Borrowed") => vec![(zero, Ty::reference(false, arg(0)))],
                _ => self.variant_fields_known(ext, last, args),
            };
        }
        // What is taken apart is what the pattern says.
        let names_variant = |cx: &mut Self| match cx.value(path) {
            Value::Fn { def, .. } | Value::Typed(Res::Def(def), _) => Some(def),
            _ => cx.struct_literal(path, None).0,
        };
        let def: Option<DefId> = match ty.kind() {
            TyKind::Adt(owner, _) => {
                let last = path.segments.last().map(|s| s.name);
                let variant = last.and_then(|l| self.program.variants.get(owner)?.get(&l).copied());
                variant.or_else(|| (self.program.def(*owner).kind != DefKind::Enum).then_some(*owner))
            }
            TyKind::Var(_) => {
                // `Some(x)` against a type not yet known decides it.
                match path.segments.last().map(|s| s.name.as_str()) {
                    Some("Some") => {
                        let t = self.fresh();
                        self.unify(ty, Ty::ext("std::option::Option", [t]));
                        return vec![(crate::name::well_known::ZERO, t)];
                    }
                    Some("Ok" | "Err") => {
                        let (t, e) = (self.fresh(), self.fresh());
                        self.unify(ty, Ty::ext("std::result::Result", [t, e]));
                        let ok = path.segments.last().is_some_and(|s| s.name == crate::name::well_known::OK);
                        return vec![(crate::name::well_known::ZERO, if ok { t } else { e })];
                    }
                    _ => names_variant(self),
                }
            }
            TyKind::Unknown => names_variant(self),
            _ => None,
        };
        let Some(def) = def else { return vec![] };
        let owner = match self.program.def(def).kind {
            DefKind::Variant(_) => self.program.def(def).parent.unwrap_or(def),
            _ => def,
        };
        let params: Vec<Name> = self.program.decls.params(owner).collect();
        let subst = match ty.kind() {
            TyKind::Adt(_, args) => Subst::pair(params, args),
            TyKind::Var(_) => {
                let args: Vec<Ty> = params.iter().map(|_| self.fresh()).collect();
                self.unify(ty, Ty::adt(owner, args.clone()));
                Subst::pair(params, &args)
            }
            _ => Subst::pair(params, &[]),
        };
        if ty == Ty::UNKNOWN
            && let Some(slot) = self.out.pats.get_mut(id.0 as usize)
        {
            let args = self.program.decls.params(owner).map(|_| Ty::UNKNOWN);
            *slot = Ty::adt(owner, args.collect::<Vec<_>>());
        }
        let fields = self.program.decls.fields.get(&def);
        fields.into_iter().flatten().map(|&(n, t)| (n, t.subst(&subst))).collect()
    }

    fn variant_fields_known(&mut self, ext: Name, variant: &str, args: &[Ty]) -> Vec<(Name, Ty)> {
        let kb = self.kb;
        let Some(info) = kb.types.get(&ext) else { return vec![] };
        // Variants of outside enums are listed as associated functions: `Occupied(OccupiedEntry<K, V>) -> Self`; so is
        // a tuple struct's own constructor, whatever it is called here.
        let listed = |name: &str| info.methods.get(&Name::new(name)).filter(|f| f.self_mode.is_none());
        let own = ext.as_str().rsplit("::").next().unwrap_or_default();
        let Some(f) = listed(variant).or_else(|| listed(own)) else {
            return vec![];
        };
        let subst = Subst::pair(info.params.iter().copied(), args);
        f.params.iter().enumerate().map(|(i, t)| (Name::new(&i.to_string()), t.subst(&subst))).collect()
    }

    /// The definition and type of a struct literal's path, with its parameters as variables.
    pub(super) fn struct_literal(&mut self, path: &Path, expected: Option<Ty>) -> (Option<DefId>, Ty, Subst) {
        let ty = match self.variant_literal(path) {
            Some((variant, ty)) => {
                if let Some(expected) = expected {
                    self.unify(ty, expected);
                }
                let TyKind::Adt(owner, args) = ty.kind() else {
                    return (Some(variant), ty, Subst::default());
                };
                let params: Vec<Name> = self.program.decls.params(*owner).collect();
                return (Some(variant), ty, Subst::pair(params, args));
            }
            None => self.tycx.lower_path(path),
        };
        let ty = self.open(ty);
        match self.shallow(ty).kind() {
            TyKind::Adt(def, args) => {
                if let Some(expected) = expected {
                    self.unify(ty, expected);
                }
                let params: Vec<Name> = self.program.decls.params(*def).collect();
                (Some(*def), ty, Subst::pair(params, args))
            }
            _ => (None, ty, Subst::default()),
        }
    }

    fn variant_literal(&mut self, path: &Path) -> Option<(DefId, Ty)> {
        let variant = match self.value(path) {
            Value::Fn { def, .. } | Value::Typed(Res::Def(def), _) => def,
            _ => {
                // `Enum::Variant { .. }` of a struct-like variant resolves as a path of types.
                let names: Vec<Name> = path.segments.iter().map(|s| s.name).collect();
                match self.program.resolve(
                    self.tycx.module,
                    self.tycx.off,
                    path.global,
                    &names,
                    crate::link::Ns::Types,
                )? {
                    (Res::Def(def), used) if used == names.len() => def,
                    _ => return None,
                }
            }
        };
        if !matches!(self.program.def(variant).kind, DefKind::Variant(_)) {
            return None;
        }
        let owner = self.program.def(variant).parent?;
        let count = self.program.decls.params(owner).count();
        let args: Vec<Ty> = (0..count).map(|_| self.fresh()).collect();
        Some((variant, Ty::adt(owner, args)))
    }
}
