//! Types of declarations: fields, signatures, statics, aliases, impls and the methods they give a type.

use rustc_hash::FxHashMap;

use crate::name::Name;
use crate::program::DefId;
use crate::ty::Ty;

/// Types of declarations.
#[derive(Debug, Default)]
pub struct Decls {
    /// Fields of structs, unions and variants, in order.
    pub fields: FxHashMap<DefId, Vec<(Name, Ty)>>,
    /// Type parameters of items, those of the impl or trait around first.
    pub generics: FxHashMap<DefId, Vec<Name>>,
    /// Functions: parameter types (`self` first where there is one) and result (of an `async fn`: the awaited type).
    pub sigs: FxHashMap<DefId, Sig>,
    /// Statics and consts.
    pub statics: FxHashMap<DefId, Ty>,
    /// `impl` → self type.
    pub impl_self: FxHashMap<DefId, Ty>,
    /// `impl` → trait of the workspace or from outside.
    pub impl_trait: FxHashMap<DefId, crate::ty::Bound>,
    /// Workspace trait → its impls.
    pub impls_of: FxHashMap<DefId, Vec<DefId>>,
    /// Trait method → the methods that implement it.
    pub implementors: FxHashMap<DefId, Vec<DefId>>,
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
            crate::ty::TyKind::Adt(def, _) => Some(*def),
            _ => None,
        }
    }
}
