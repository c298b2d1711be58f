//! Types as the analyses know them: interned, `Copy`, comparable by index. Unknown is an answer.

use std::cell::RefCell;
use std::sync::LazyLock;

use dashmap::DashMap;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::hir::ExprId;
use crate::name::Name;
use crate::program::{BodyIx, DefId};

/// An interned type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ty(u32);

/// What a type is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum TyKind {
    /// Nothing is known. Rules stay silent.
    Unknown,
    Never,
    Bool,
    Char,
    Str,
    /// An integer; the name is its spelling (`u64`), or empty for a literal without a decided type.
    Int(Name),
    Float(Name),
    /// A struct, enum or union of the workspace.
    Adt(DefId, Box<[Ty]>),
    /// A type from outside, by its canonical path (`std::sync::Mutex`), see `knowledge/`.
    Ext(Name, Box<[Ty]>),
    Ref(bool, Ty),
    Ptr(Ty),
    Slice(Ty),
    Array(Ty),
    Tuple(Box<[Ty]>),
    /// A function item or constructor of the workspace.
    FnDef(DefId, Box<[Ty]>),
    /// A function from outside, by canonical path.
    ExtFn(Name),
    /// `fn(A) -> B`, and the `Fn*` bounds and `dyn Fn*` types.
    FnPtr(Box<[Ty]>, Ty),
    /// A closure: its expression in its body.
    Closure(BodyIx, ExprId),
    /// A type parameter. Substitution is simultaneous, so no owner is needed.
    Param(Name),
    /// `dyn A + B` and `impl A + B`: the traits.
    Dyn(Box<[Bound]>),
    /// An opaque value known by its traits: `impl Trait`, iterator adaptors.
    Opaque(Box<[Bound]>),
    /// What an `async fn` or block gives: awaits to the type.
    Future(Ty),
    /// `<T as Trait>::Name` that could not be resolved yet.
    Assoc(Ty, Name),
    /// An inference variable of the body at hand; never outlives inference.
    Var(u32),
}

/// A trait with its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bound {
    /// The trait.
    pub trait_: TraitRef,
    /// Its type arguments.
    pub args: Box<[Ty]>,
    /// `Item = T`
    pub bindings: Box<[(Name, Ty)]>,
}

/// A trait of the workspace or from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum TraitRef {
    Local(DefId),
    Ext(Name),
}

/// Bits of a [`Ty`] that tell what it holds, so that most types need no walk.
const VARS: u32 = 1 << 31;
const PARAMS: u32 = 1 << 30;

impl TyKind {
    fn flags(&self) -> u32 {
        let list = |tys: &[Ty]| tys.iter().fold(0, |f, t| f | t.0);
        let all = match self {
            TyKind::Var(_) => VARS,
            TyKind::Param(_) => PARAMS,
            TyKind::Assoc(t, _) => t.0 | VARS,
            TyKind::Adt(_, args) | TyKind::Ext(_, args) | TyKind::Tuple(args) | TyKind::FnDef(_, args) => {
                list(args)
            }
            TyKind::Ref(_, t) | TyKind::Ptr(t) | TyKind::Slice(t) | TyKind::Array(t) | TyKind::Future(t) => {
                t.0
            }
            TyKind::FnPtr(ps, r) => list(ps) | r.0,
            TyKind::Dyn(bs) | TyKind::Opaque(bs) => {
                bs.iter().fold(0, |f, b| f | list(&b.args) | b.bindings.iter().fold(0, |f, (_, t)| f | t.0))
            }
            _ => 0,
        };
        all & (VARS | PARAMS)
    }
}

struct Interner {
    ids: DashMap<TyKind, u32, FxBuildHasher>,
    kinds: boxcar::Vec<TyKind>,
}

static INTERNER: LazyLock<Interner> = LazyLock::new(|| {
    let interner = Interner { ids: DashMap::default(), kinds: boxcar::Vec::new() };
    for kind in
        [TyKind::Unknown, TyKind::Never, TyKind::Bool, TyKind::Char, TyKind::Str, TyKind::Tuple(Box::new([]))]
    {
        let id = interner.kinds.push(kind.clone()) as u32;
        interner.ids.insert(kind, id);
    }
    interner
});

thread_local! {
    // Bodies ask for the same types again and again: a thread's own table keeps the shared one out of the way.
    static RECENT: RefCell<FxHashMap<TyKind, Ty>> = RefCell::default();
}

impl Ty {
    /// Nothing is known.
    pub const UNKNOWN: Ty = Ty(0);
    /// `!`
    pub const NEVER: Ty = Ty(1);
    /// `bool`
    pub const BOOL: Ty = Ty(2);
    /// `char`
    pub const CHAR: Ty = Ty(3);
    /// `str`
    pub const STR: Ty = Ty(4);
    /// `()`
    pub const UNIT: Ty = Ty(5);

    /// Interns a kind.
    pub fn new(kind: TyKind) -> Ty {
        RECENT.with_borrow_mut(|recent| {
            if let Some(&ty) = recent.get(&kind) {
                return ty;
            }
            let interner = &*INTERNER;
            let known = interner.ids.get(&kind).map(|id| *id);
            let id = known.unwrap_or_else(|| {
                let flags = kind.flags();
                let add = || interner.kinds.push(kind.clone()) as u32 | flags;
                *interner.ids.entry(kind.clone()).or_insert_with(add)
            });
            recent.insert(kind, Ty(id));
            Ty(id)
        })
    }

    /// Whether it holds an inference variable or an unresolved projection.
    pub(crate) fn has_vars(self) -> bool {
        self.0 & VARS != 0
    }

    /// Whether it holds a type parameter.
    pub fn has_params(self) -> bool {
        self.0 & PARAMS != 0
    }

    /// Where it is in tables that hold one entry a type.
    pub(crate) fn index(self) -> usize {
        (self.0 & !(VARS | PARAMS)) as usize
    }

    /// What it is. O(1), no lock.
    pub fn kind(self) -> &'static TyKind {
        // The interner lives as long as the process, and `boxcar` never moves what it holds.
        INTERNER.kinds.get((self.0 & !(VARS | PARAMS)) as usize).unwrap_or(&TyKind::Unknown)
    }

    /// A workspace type.
    pub fn adt(def: DefId, args: impl Into<Box<[Ty]>>) -> Ty {
        Ty::new(TyKind::Adt(def, args.into()))
    }

    /// A type from outside by canonical path.
    pub fn ext(path: &str, args: impl Into<Box<[Ty]>>) -> Ty {
        Ty::new(TyKind::Ext(Name::new(path), args.into()))
    }

    /// `&inner` or `&mut inner`.
    pub fn reference(mutable: bool, inner: Ty) -> Ty {
        Ty::new(TyKind::Ref(mutable, inner))
    }

    /// Whether nothing is known of the outermost constructor.
    pub fn is_unknown(self) -> bool {
        matches!(self.kind(), TyKind::Unknown | TyKind::Var(_) | TyKind::Assoc(..))
    }

    /// The type behind all references.
    pub fn peel_refs(self) -> Ty {
        let mut ty = self;
        while let TyKind::Ref(_, inner) = ty.kind() {
            ty = *inner;
        }
        ty
    }

    /// The canonical path and arguments of a type from outside.
    pub fn as_ext(self) -> Option<(Name, &'static [Ty])> {
        match self.kind() {
            TyKind::Ext(path, args) => Some((*path, args)),
            _ => None,
        }
    }

    /// Whether it is the outside type of that canonical path.
    pub fn is_ext(self, path: &str) -> bool {
        self.as_ext().is_some_and(|(p, _)| p.as_str() == path)
    }

    /// Rebuilds the type with `f` applied to what it holds directly (not to itself).
    pub fn map_parts(self, f: &mut dyn FnMut(Ty) -> Ty) -> Ty {
        let list =
            |tys: &[Ty], f: &mut dyn FnMut(Ty) -> Ty| -> Box<[Ty]> { tys.iter().map(|&t| f(t)).collect() };
        let bounds = |bs: &[Bound], f: &mut dyn FnMut(Ty) -> Ty| -> Box<[Bound]> {
            bs.iter()
                .map(|b| Bound {
                    trait_: b.trait_,
                    args: b.args.iter().map(|&t| f(t)).collect(),
                    bindings: b.bindings.iter().map(|&(n, t)| (n, f(t))).collect(),
                })
                .collect()
        };
        match self.kind() {
            TyKind::Adt(_, args) | TyKind::Ext(_, args) | TyKind::Tuple(args) | TyKind::FnDef(_, args)
                if args.is_empty() =>
            {
                self
            }
            TyKind::Adt(d, args) => Ty::new(TyKind::Adt(*d, list(args, f))),
            TyKind::Ext(p, args) => Ty::new(TyKind::Ext(*p, list(args, f))),
            TyKind::FnDef(d, args) => Ty::new(TyKind::FnDef(*d, list(args, f))),
            TyKind::Tuple(args) => Ty::new(TyKind::Tuple(list(args, f))),
            TyKind::Ref(m, t) => Ty::new(TyKind::Ref(*m, f(*t))),
            TyKind::Ptr(t) => Ty::new(TyKind::Ptr(f(*t))),
            TyKind::Slice(t) => Ty::new(TyKind::Slice(f(*t))),
            TyKind::Array(t) => Ty::new(TyKind::Array(f(*t))),
            TyKind::Future(t) => Ty::new(TyKind::Future(f(*t))),
            TyKind::Assoc(t, n) => Ty::new(TyKind::Assoc(f(*t), *n)),
            TyKind::FnPtr(ps, r) => {
                let ps = list(ps, f);
                Ty::new(TyKind::FnPtr(ps, f(*r)))
            }
            TyKind::Dyn(bs) => Ty::new(TyKind::Dyn(bounds(bs, f))),
            TyKind::Opaque(bs) => Ty::new(TyKind::Opaque(bounds(bs, f))),
            _ => self,
        }
    }

    /// Replaces type parameters by what `subst` says; others stay.
    pub fn subst(self, subst: &Subst) -> Ty {
        if subst.0.is_empty() || !self.has_params() {
            return self;
        }
        match self.kind() {
            TyKind::Param(name) => subst.get(*name).unwrap_or(self),
            _ => self.map_parts(&mut |t| t.subst(subst)),
        }
    }

    /// Whether `pred` holds for the type or anything it holds.
    pub fn any(self, pred: &mut dyn FnMut(Ty) -> bool) -> bool {
        if pred(self) {
            return true;
        }
        let list = |tys: &[Ty], pred: &mut dyn FnMut(Ty) -> bool| tys.iter().any(|&t| t.any(pred));
        match self.kind() {
            TyKind::Adt(_, args) | TyKind::Ext(_, args) | TyKind::Tuple(args) | TyKind::FnDef(_, args) => {
                list(args, pred)
            }
            TyKind::Ref(_, t)
            | TyKind::Ptr(t)
            | TyKind::Slice(t)
            | TyKind::Array(t)
            | TyKind::Future(t)
            | TyKind::Assoc(t, _) => t.any(pred),
            TyKind::FnPtr(ps, r) => list(ps, pred) || r.any(pred),
            TyKind::Dyn(bs) | TyKind::Opaque(bs) => {
                bs.iter().any(|b| list(&b.args, pred) || b.bindings.iter().any(|(_, t)| t.any(pred)))
            }
            _ => false,
        }
    }
}

/// A simultaneous substitution of type parameters.
#[derive(Clone, Debug, Default)]
pub struct Subst(pub Vec<(Name, Ty)>);

impl Subst {
    /// Pairs parameters with arguments; missing arguments are unknown.
    pub fn pair(params: impl IntoIterator<Item = Name>, args: &[Ty]) -> Subst {
        Subst(
            params
                .into_iter()
                .enumerate()
                .map(|(i, p)| (p, args.get(i).copied().unwrap_or(Ty::UNKNOWN)))
                .collect(),
        )
    }

    /// What a parameter stands for.
    pub fn get(&self, name: Name) -> Option<Ty> {
        self.0.iter().rev().find(|(n, _)| *n == name).map(|(_, t)| *t)
    }

    /// Adds or overrides one.
    pub fn with(mut self, name: Name, ty: Ty) -> Subst {
        self.0.push((name, ty));
        self
    }
}

impl std::fmt::Debug for Ty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self.kind(), f)
    }
}
