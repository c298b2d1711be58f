//! Types of declarations: fields, signatures, statics, aliases, impls and the methods they give a type.

use rustc_hash::FxHashMap;

use crate::name::Name;
use crate::program::DefId;
use crate::ty::{Bound, Ty, TyKind};

/// Types of declarations.
#[derive(Debug, Default)]
pub struct Decls {
    /// Fields of structs, unions and variants, in order.
    pub fields: FxHashMap<DefId, Vec<(Name, Ty)>>,
    /// Type parameters of items with their bounds, those of the impl or trait around first.
    pub generics: FxHashMap<DefId, Vec<GenericDecl>>,
    /// Functions.
    pub sigs: FxHashMap<DefId, Sig>,
    /// Statics and consts.
    pub statics: FxHashMap<DefId, Ty>,
    /// Type aliases (free ones and those of impls).
    pub aliases: FxHashMap<DefId, Ty>,
    /// `impl` → self type.
    pub impl_self: FxHashMap<DefId, Ty>,
    /// `impl` → trait of the workspace or from outside.
    pub impl_trait: FxHashMap<DefId, Bound>,
    /// Trait → its supertraits.
    pub supers: FxHashMap<DefId, Vec<Bound>>,
    /// Workspace trait → its impls.
    pub impls_of: FxHashMap<DefId, Vec<DefId>>,
    /// Trait method → the methods that implement it.
    pub implementors: FxHashMap<DefId, Vec<DefId>>,
    /// Methods and associated functions by self type's head and name: of inherent impls first, then of trait impls.
    pub methods: FxHashMap<(HeadKey, Name), Vec<DefId>>,
    /// Items of a trait by name.
    pub trait_items: FxHashMap<(DefId, Name), DefId>,
    /// Impls by self type's head: to find associated types and outside traits.
    pub impls_by_head: FxHashMap<HeadKey, Vec<DefId>>,
}

/// The outermost constructor of a self type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum HeadKey {
    Adt(DefId),
    Ext(Name),
    /// `dyn Trait` of the workspace.
    Dyn(DefId),
    Prim(Ty),
    Slice,
    Tuple,
    /// `impl<T> Trait for T`
    Any,
}

impl HeadKey {
    /// The head of a type, references peeled.
    pub fn of(ty: Ty) -> Option<HeadKey> {
        Some(match ty.peel_refs().kind() {
            TyKind::Adt(d, _) => HeadKey::Adt(*d),
            TyKind::Ext(p, _) => HeadKey::Ext(*p),
            TyKind::Dyn(bounds) => match bounds.first()?.trait_ {
                crate::ty::TraitRef::Local(d) => HeadKey::Dyn(d),
                crate::ty::TraitRef::Ext(_) => return None,
            },
            TyKind::Slice(_) | TyKind::Array(_) => HeadKey::Slice,
            TyKind::Tuple(_) => HeadKey::Tuple,
            TyKind::Param(_) => HeadKey::Any,
            TyKind::Bool | TyKind::Char | TyKind::Str | TyKind::Int(_) | TyKind::Float(_) => {
                HeadKey::Prim(ty.peel_refs())
            }
            _ => return None,
        })
    }
}

/// A type parameter.
#[derive(Clone, Debug)]
pub struct GenericDecl {
    /// Its name.
    pub name: Name,
    /// Its bounds. A callable bound (`F: Fn(A) -> B`) is in `callable` as well.
    pub bounds: Vec<Bound>,
    /// The function type of a callable bound.
    pub callable: Option<Ty>,
}

/// A function's types.
#[derive(Clone, Debug)]
pub struct Sig {
    /// Parameters, `self` first where there is one.
    pub params: Vec<Ty>,
    /// Result; of an `async fn` the awaited type.
    pub ret: Ty,
    /// `async fn`.
    pub is_async: bool,
    /// Whether the first parameter is `self`.
    pub has_self: bool,
}

impl Decls {
    /// The workspace type that an `impl` is for.
    pub fn impl_self_def(&self, impl_: DefId) -> Option<DefId> {
        match self.impl_self.get(&impl_)?.peel_refs().kind() {
            TyKind::Adt(def, _) => Some(*def),
            _ => None,
        }
    }

    /// The type of a field of a struct, union or variant, in its own parameters.
    pub fn field(&self, def: DefId, name: Name) -> Option<Ty> {
        self.fields.get(&def)?.iter().find(|(n, _)| *n == name).map(|(_, t)| *t)
    }

    /// Names of the type parameters of an item (its own and those around).
    pub fn params(&self, def: DefId) -> impl Iterator<Item = Name> + '_ {
        self.generics.get(&def).into_iter().flatten().map(|g| g.name)
    }
}
