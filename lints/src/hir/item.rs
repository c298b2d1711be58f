//! Items and files.

use serde::{Deserialize, Serialize};

use super::{Body, BodyId, Bound, Generics, Path, TypeRef};
use crate::name::Name;
use crate::source::Span;

/// A lowered file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileHir {
    /// All items of the file, nested ones too, parents before children.
    pub items: Vec<Item>,
    /// The bodies that the items own.
    pub bodies: Vec<Body>,
    /// Inline modules and blocks that hold items; index 0 is the file itself.
    pub scopes: Vec<Scope>,
    /// `#![cfg(test)]` on the file.
    pub cfg_test: bool,
    /// `@generated` in the first lines, or `#![automatically_derived]`-like marks.
    pub generated: bool,
    /// Comments that begin with `uncork:`, doc comments excluded.
    pub suppressions: Vec<Suppression>,
    /// `include!("x.rs")` at item level: the literal, its span, and the scope it stands in.
    pub includes: Vec<(String, Span, ScopeId)>,
    /// Lines that hold only blanks or a plain comment, sorted, from 1 (for suppressions "above").
    pub blank_lines: Vec<u32>,
}

/// Index of an item in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ItemId(pub u32);

/// Index of a scope in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ScopeId(pub u32);

/// A namespace inside a file: the file, an inline `mod`, or a block that declares items.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The scope around; `None` for the file.
    pub parent: Option<ScopeId>,
    /// The module's name; `None` for the file and for blocks.
    pub name: Option<Name>,
    /// A block: names fall through to the parent, `self`/`super` mean the module around.
    pub block: bool,
    /// `#[cfg(test)]` on it or on what encloses it in this file.
    pub cfg_test: bool,
    /// `#[path]` of an inline module, which shifts where its children are looked for.
    pub path_attr: Option<String>,
}

/// Visibility, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Visibility {
    Private,
    Public,
    /// `pub(crate)`, `pub(in …)`, `pub(super)`.
    Restricted,
}

/// An item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Empty for `impl`, `use`, `_`.
    pub name: Name,
    /// Where the name stands; for an `impl` its self type.
    pub name_span: Span,
    /// The whole item with attributes.
    pub span: Span,
    /// Attributes and doc comments only (empty if none), for edits.
    pub attrs_span: Span,
    /// The scope it is declared in.
    pub scope: ScopeId,
    /// The trait, impl or function it stands in (associated items; items nested in a body).
    pub parent: Option<ItemId>,
    /// Visibility.
    pub vis: Visibility,
    /// What the attributes say.
    pub attrs: Attrs,
    /// Made by a macro whose arguments parsed as items: findings at lower confidence.
    pub from_macro: bool,
    /// What it is.
    pub kind: ItemKind,
}

/// What attributes say that analyses need.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attrs {
    /// `#[cfg(test)]`, `#[cfg(any(test, …))]`, `#[cfg(all(test, …))]` on the item or what encloses it in this file;
    /// `#[cfg(not(test))]` is not.
    pub cfg_test: bool,
    /// `#[test]`, `#[tokio::test]`, `#[bench]`, `#[rstest]`, any path that ends in `test`.
    pub test: bool,
    /// Traits of `#[derive(..)]`, last segments.
    pub derives: Box<[Name]>,
    /// Other attribute paths, last segments (`inline`, `main`, `async_trait`, `instrument`, `get`, `automatically_derived`…).
    pub others: Box<[Name]>,
    /// Words of the doc comment, lower case, at most the first 200 bytes (for "doc says cache").
    pub doc: Box<str>,
    /// `#[path = "…"]`
    pub path: Option<Box<str>>,
    /// Any `cfg` attribute other than test: the item may be absent.
    pub cfg_other: bool,
    /// A `cfg` that does not hold in the build that bodies are read for (another platform, `loom`, `not(feature)`): the
    /// item is read, but one of the same name that is in that build is meant.
    pub cfg_off: bool,
}

/// The kinds of item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum ItemKind {
    /// `use`, one entry a leaf.
    Use(Box<[Import]>),
    ExternCrate {
        /// The crate as named (`self` for the own).
        krate: Name,
        alias: Option<Name>,
    },
    /// `mod name;` (`inline` is `None`) or `mod name { }` (its scope).
    Mod {
        inline: Option<ScopeId>,
    },
    Fn(Box<FnItem>),
    Struct(Box<StructItem>),
    Enum(Box<EnumItem>),
    Union(Box<StructItem>),
    Trait(Box<TraitItem>),
    Impl(Box<ImplItem>),
    /// Free or associated type alias; `ty` is `None` for an associated type without default.
    Type {
        generics: Generics,
        ty: Option<TypeRef>,
        bounds: Box<[Bound]>,
    },
    /// A const or static; `lazy_static!` and `thread_local!` members appear as statics with `wrapper` set.
    Static {
        ty: TypeRef,
        body: Option<BodyId>,
        is_const: bool,
        mutable: bool,
        wrapper: StaticWrapper,
    },
    /// `macro_rules!`; its body is not lowered.
    MacroRules,
    /// A macro invocation at item level that was not understood.
    MacroCall {
        path: Path,
    },
}

/// How a static's value is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum StaticWrapper {
    Plain,
    LazyStatic,
    ThreadLocal,
}

/// One leaf of a `use` tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// Begins with `::`.
    pub global: bool,
    /// The path; for `use a::{self}` just `a`. A glob's path is what is globbed.
    pub path: Box<[Name]>,
    /// The name it gets here; `None` for a glob and for `as _`.
    pub name: Option<Name>,
    /// `*`
    pub glob: bool,
    /// The leaf.
    pub span: Span,
}

/// A function, method, or trait method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FnItem {
    pub generics: Generics,
    /// The `self` parameter; it is then the body's first local and `params[0]` of the body too.
    pub self_param: Option<SelfParam>,
    /// Types of the other parameters.
    pub params: Box<[TypeRef]>,
    /// `None` for `()`. For an `async fn` the type awaited.
    pub ret: Option<TypeRef>,
    pub is_async: bool,
    pub is_unsafe: bool,
    pub is_const: bool,
    /// From `fn` to the end of the signature.
    pub sig_span: Span,
    /// `None` for a trait method without default and for `extern` declarations.
    pub body: Option<BodyId>,
}

/// The `self` parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SelfParam {
    /// `self`, `mut self`
    Value,
    /// `&self`
    Ref,
    /// `&mut self`
    RefMut,
    /// `self: Arc<Self>` and the like.
    Typed(TypeRef),
}

/// A struct or union.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StructItem {
    pub generics: Generics,
    pub fields: Box<[FieldDecl]>,
    /// `struct S(A, B);`: fields are named `0`, `1`…
    pub tuple: bool,
}

/// A field of a struct, union or variant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldDecl {
    /// Name, or index in digits.
    pub name: Name,
    /// Where the name stands (the type for tuple fields).
    pub name_span: Span,
    pub ty: TypeRef,
    pub vis: Visibility,
    /// The whole declaration with attributes.
    pub span: Span,
    /// Doc words as in [`Attrs::doc`].
    pub doc: Box<str>,
    /// `#[cfg(test)]` on it.
    pub cfg_test: bool,
}

/// An enum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnumItem {
    pub generics: Generics,
    pub variants: Box<[Variant]>,
}

/// A variant; unit variants have no fields and are not `tuple`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    pub name: Name,
    pub span: Span,
    pub fields: Box<[FieldDecl]>,
    pub tuple: bool,
}

/// A trait; its items have it as parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraitItem {
    pub generics: Generics,
    pub supers: Box<[Bound]>,
}

/// An `impl` block; its items have it as parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImplItem {
    pub generics: Generics,
    pub self_ty: TypeRef,
    /// The trait implemented; `None` for an inherent impl.
    pub trait_path: Option<Path>,
    /// `impl !Trait`
    pub negative: bool,
}

/// A comment that silences findings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppression {
    /// `allow` or `expect`, file-wide or not.
    pub kind: SuppressionKind,
    /// The rules named, with the span of each.
    pub rules: Box<[(Box<str>, Span)]>,
    /// What follows the parenthesis, trimmed.
    pub reason: Box<str>,
    /// The comment.
    pub span: Span,
    /// Whether code stands before it on its line (then it means this line, else the next line of code).
    pub trailing: bool,
}

/// The forms of a suppression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum SuppressionKind {
    Allow,
    AllowFile,
    Expect,
    ExpectFile,
    /// `uncork:` and something not understood.
    Malformed,
}
