//! Paths and types as written.

use serde::{Deserialize, Serialize};

use crate::name::Name;
use crate::source::Span;

/// A path as written: `::std::sync::Mutex<T>`, `Self::new`, `<T as Trait>::Item`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Path {
    /// Begins with `::`.
    pub global: bool,
    /// `<T as Trait>::…`: the self type, and how many leading segments name the trait (0 for `<T>::…`).
    pub qself: Option<Box<(TypeRef, u32)>>,
    /// The segments; never empty.
    pub segments: Box<[Segment]>,
    /// The whole path.
    pub span: Span,
}

/// One segment of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Segment {
    /// The identifier (raw prefix removed).
    pub name: Name,
    /// Where the identifier stands.
    pub span: Span,
    /// Generic arguments, `None` where none are written.
    pub args: Option<Box<GenericArgs>>,
}

/// What stands in angle brackets (or `Fn(A) -> B` sugar). Lifetimes are dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GenericArgs {
    /// Types in order; a const argument is [`TypeKind::Const`].
    pub types: Box<[TypeRef]>,
    /// `Item = T`; for `Fn(A, B) -> C` sugar `types` holds one tuple and this holds `Output`.
    pub bindings: Box<[(Name, TypeRef)]>,
    /// Whether it was written with the `Fn(A) -> B` sugar.
    pub parenthesized: bool,
}

/// A type as written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TypeRef {
    /// What it is.
    pub kind: TypeKind,
    /// Where.
    pub span: Span,
}

/// The forms of a type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum TypeKind {
    /// `_`
    Infer,
    /// `!`
    Never,
    Path(Box<Path>),
    Ref {
        mutable: bool,
        inner: Box<TypeRef>,
    },
    Ptr {
        mutable: bool,
        inner: Box<TypeRef>,
    },
    Slice(Box<TypeRef>),
    Array(Box<TypeRef>),
    Tuple(Box<[TypeRef]>),
    /// `fn(A) -> B`
    Fn {
        params: Box<[TypeRef]>,
        ret: Option<Box<TypeRef>>,
    },
    /// `impl A + B`
    Impl(Box<[Bound]>),
    /// `dyn A + B`
    Dyn(Box<[Bound]>),
    /// A const generic argument or anything with no type meaning here.
    Const,
    /// A macro in type position, or what syn keeps verbatim.
    Unknown,
}

/// A trait bound; lifetimes and `?Sized` are dropped.
pub type Bound = Path;

/// Generic parameters of an item, with the bounds of its `where` clause folded in where they constrain a parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generics {
    /// Type and const parameters in order (lifetimes dropped).
    pub params: Box<[GenericParam]>,
    /// `where` clauses on anything but a plain parameter: `T::Item: Trait`.
    pub wheres: Box<[(TypeRef, Box<[Bound]>)]>,
}

/// One type or const parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenericParam {
    /// Its name.
    pub name: Name,
    /// Its bounds, inline and from `where`.
    pub bounds: Box<[Bound]>,
    /// `T = Default`
    pub default: Option<TypeRef>,
    /// `const N: usize`
    pub is_const: bool,
}
