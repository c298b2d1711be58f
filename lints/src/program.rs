//! The linked program: crates, modules, definitions, and where each body is.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::hir::{Body, BodyId, FileHir, FnItem, Item, ItemId, ItemKind, ScopeId};
use crate::knowledge::Knowledge;
use crate::name::{Name, well_known};
use crate::source::{FileId, Location, Span};
use crate::ty::{Subst, Ty, TyKind};

macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u32);
    };
}

index!(
    /// A definition: item, variant.
    DefId
);
index!(
    /// A crate of the workspace (a target).
    CrateIx
);
index!(
    /// A module or item-holding block.
    ModIx
);
index!(
    /// A body of the program.
    BodyIx
);

/// A target of a package.
#[derive(Clone, Debug)]
pub struct Crate {
    /// The name code uses (`my_crate`).
    pub name: Name,
    /// `2015`, `2018`, `2021`, `2024`.
    pub edition: u16,
    /// Its root module.
    pub root: ModIx,
    /// The package it belongs to; crates of one package share it.
    pub package: u32,
    /// Whether it is a test, bench, example or build script.
    pub is_test: bool,
    /// Whether it is a binary.
    pub is_bin: bool,
    /// Extern names usable in paths: crates of the workspace. Names not here are outside crates.
    pub deps: FxHashMap<Name, CrateIx>,
    /// Renamed outside dependencies: name in code → crate's own name.
    pub renames: FxHashMap<Name, Name>,
    /// Outside dependencies by name in code, where a manifest tells.
    pub externs: Option<rustc_hash::FxHashSet<Name>>,
}

/// A module, or a block that declares items.
#[derive(Clone, Debug)]
pub struct Module {
    /// Its crate.
    pub krate: CrateIx,
    /// The module or block around it.
    pub parent: Option<ModIx>,
    /// Its name; `None` for a crate root and blocks.
    pub name: Option<Name>,
    /// Whether it is a block.
    pub block: bool,
    /// Its file.
    pub file: FileId,
    /// Its scope in the file.
    pub scope: ScopeId,
    /// `#[cfg(test)]` on it or around it, or in a test target.
    pub in_test: bool,
    /// Kept out of the build that bodies are read for, by a `cfg` on it or around it.
    pub off: bool,
    /// What names mean in it, imports resolved.
    pub names: FxHashMap<Name, PerNs>,
}

/// What a name means in the three namespaces (macros are not tracked).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PerNs {
    /// Types, modules, traits.
    pub types: Option<Res>,
    /// Functions, statics, consts, constructors.
    pub values: Option<Res>,
}

/// What a path means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Res {
    Module(ModIx),
    Def(DefId),
    /// A thing from outside the workspace, by canonical path.
    Ext(Name),
    /// A primitive type.
    Prim(Ty),
    /// A type parameter in scope.
    Param(Name),
    /// `Self` in an impl or trait.
    SelfTy,
}

/// A definition.
#[derive(Clone, Debug)]
pub struct Def {
    /// What it is.
    pub kind: DefKind,
    /// Its name.
    pub name: Name,
    /// The module or block it is declared in.
    pub module: ModIx,
    /// Its file.
    pub file: FileId,
    /// Its item (for a variant, its enum's).
    pub item: ItemId,
    /// Trait or impl of an associated item; enum of a variant; function around a nested item.
    pub parent: Option<DefId>,
    /// In test code.
    pub in_test: bool,
    /// Kept out of the build that bodies are read for, by a `cfg` on it or around it.
    pub off: bool,
}

/// The kinds of definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum DefKind {
    Fn,
    Struct,
    Enum,
    Union,
    /// Index among its enum's variants.
    Variant(u32),
    Trait,
    Impl,
    TypeAlias,
    Const,
    Static,
}

/// A body and whose it is.
#[derive(Clone, Copy, Debug)]
pub struct BodyInfo {
    /// Its file.
    pub file: FileId,
    /// Its index there.
    pub body: BodyId,
    /// The function, static or const it belongs to.
    pub owner: DefId,
}

/// The linked program.
pub struct Program {
    /// Lowered files by [`FileId`]; empty for one that could not be read.
    pub files: Vec<FileHir>,
    /// Targets.
    pub crates: Vec<Crate>,
    /// Modules.
    pub modules: Vec<Module>,
    /// Definitions.
    pub defs: Vec<Def>,
    /// Bodies.
    pub bodies: Vec<BodyInfo>,
    /// The body of a definition.
    pub body_of: FxHashMap<DefId, BodyIx>,
    /// Variants of an enum by name.
    pub variants: FxHashMap<DefId, FxHashMap<Name, DefId>>,
    /// The module of a scope.
    pub scopes: FxHashMap<(FileId, ScopeId), ModIx>,
    /// Files that `include!` puts into a module.
    pub included: Vec<(ModIx, FileId)>,
    /// What a name means where that build's item is not there: items and modules of one name under opposite `cfg`s.
    pub twins: FxHashMap<Res, Res>,
    /// Associated items of a trait or impl.
    pub children: FxHashMap<DefId, Vec<DefId>>,
    /// Definition of an item.
    pub def_of_item: FxHashMap<(FileId, ItemId), DefId>,
    /// What is known of code outside.
    pub knowledge: Knowledge,
    /// Types of declarations; filled by `link::types`.
    pub decls: crate::link::Decls,
}

impl Program {
    /// The definition.
    pub fn def(&self, id: DefId) -> &Def {
        &self.defs[id.0 as usize]
    }
    /// The module.
    pub fn module(&self, id: ModIx) -> &Module {
        &self.modules[id.0 as usize]
    }
    /// The crate.
    pub fn krate(&self, id: CrateIx) -> &Crate {
        &self.crates[id.0 as usize]
    }
    /// The file's HIR.
    pub fn file(&self, id: FileId) -> &FileHir {
        &self.files[id.0 as usize]
    }
    /// The item of a definition.
    pub fn item(&self, id: DefId) -> &Item {
        let def = self.def(id);
        &self.file(def.file).items[def.item.0 as usize]
    }
    /// The function item of a definition, if it is one.
    pub fn fn_item(&self, id: DefId) -> Option<&FnItem> {
        match &self.item(id).kind {
            ItemKind::Fn(f) => Some(f),
            _ => None,
        }
    }
    /// What a body is and whose.
    pub fn body_info(&self, id: BodyIx) -> BodyInfo {
        self.bodies[id.0 as usize]
    }
    /// The body.
    pub fn body(&self, id: BodyIx) -> &Body {
        let info = self.body_info(id);
        &self.file(info.file).bodies[info.body.0 as usize]
    }
    /// Crates of procedural macros: a compiler runs them, one after the other, for as long as it compiles one crate.
    pub fn macro_crates(&self) -> FxHashSet<CrateIx> {
        let is_macro = |def: &&Def| {
            let attrs = &self.file(def.file).items[def.item.0 as usize].attrs;
            def.kind == DefKind::Fn && attrs.others.iter().any(|name| name.as_str().starts_with("proc_macro"))
        };
        self.defs.iter().filter(is_macro).map(|def| self.module(def.module).krate).collect()
    }
    /// The crate a definition belongs to.
    pub fn crate_of(&self, id: DefId) -> &Crate {
        self.krate(self.module(self.def(id).module).krate)
    }
    /// The edition a body is written in.
    pub fn edition(&self, id: BodyIx) -> u16 {
        self.crate_of(self.body_info(id).owner).edition
    }
    /// The workspace type whose field `name` is meant on a value of type `base`, after autoderef: the one that declares
    /// it.
    pub fn field_owner(&self, base: Ty, name: Name) -> Option<DefId> {
        let mut ty = base;
        for _ in 0..12 {
            match ty.kind() {
                TyKind::Adt(def, _) if self.decls.field(*def, name).is_some() => return Some(*def),
                TyKind::Ref(_, inner) | TyKind::Ptr(inner) => ty = *inner,
                TyKind::Ext(path, args) => {
                    let info = self.knowledge.types.get(path)?;
                    ty = info.deref?.subst(&Subst::pair(info.params.iter().copied(), args));
                }
                TyKind::Adt(def, args) => {
                    // `Deref` of the workspace: its target is declared in the impl.
                    let head = crate::link::HeadKey::Adt(*def);
                    let target = self.decls.impls_by_head.get(&head)?.iter().find_map(|i| {
                        self.children.get(i)?.iter().find_map(|c| {
                            (self.def(*c).name == well_known::TARGET)
                                .then(|| self.decls.aliases.get(c).copied())
                                .flatten()
                        })
                    })?;
                    let params: Vec<Name> = self.decls.params(*def).collect();
                    ty = target.subst(&Subst::pair(params, args));
                }
                _ => return None,
            }
        }
        None
    }
    /// The place of a definition's name.
    pub fn name_location(&self, id: DefId) -> Location {
        let def = self.def(id);
        let item = self.item(id);
        let span = match (def.kind, &item.kind) {
            (DefKind::Variant(i), ItemKind::Enum(e)) => {
                e.variants.get(i as usize).map_or(item.name_span, |v| v.span)
            }
            _ => item.name_span,
        };
        Location { file: def.file, span }
    }
    /// A span of a body's file as a location.
    pub fn at(&self, body: BodyIx, span: Span) -> Location {
        Location { file: self.body_info(body).file, span }
    }
    /// `Type::method`, `function`, `Trait::method` as a person writes it.
    pub fn display(&self, id: DefId) -> String {
        let def = self.def(id);
        match def.parent {
            Some(parent) => match self.def(parent).kind {
                DefKind::Impl => match self.decls.impl_self_def(parent) {
                    Some(ty) => format!("{}::{}", self.def(ty).name, def.name),
                    None => def.name.to_string(),
                },
                DefKind::Trait | DefKind::Enum => format!("{}::{}", self.def(parent).name, def.name),
                _ => def.name.to_string(),
            },
            None => def.name.to_string(),
        }
    }
}
