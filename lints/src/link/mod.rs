//! From the items of all files to one program: modules, names, types of declarations, impls and methods.

mod decls;
mod imports;
mod methods;
mod modules;
mod prelude;
mod resolve;
mod types;

pub use decls::{Decls, GenericDecl, HeadKey, Sig};
pub use resolve::Ns;
pub use types::TyCx;

use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::hir::{FileHir, ItemId};
use crate::knowledge::Knowledge;
use crate::name::Name;
use crate::program::Program;
use crate::source::FileId;

/// A target to link.
#[derive(Clone, Debug)]
pub struct CrateInput {
    /// The name code uses (`my_crate`).
    pub name: Name,
    /// `2015`, `2018`, `2021`, `2024`.
    pub edition: u16,
    /// Which package it belongs to.
    pub package: u32,
    /// A test, bench, example or build script.
    pub is_test: bool,
    /// A binary.
    pub is_bin: bool,
    /// Its root file.
    pub root: FileId,
    /// Names of workspace crates as this one sees them → index among the inputs.
    pub deps: Vec<(Name, usize)>,
    /// Renamed outside dependencies: name in code → crate's own name.
    pub renames: Vec<(Name, Name)>,
    /// Outside dependencies by name in code, where a manifest tells; `None`: not known, any name may be one.
    pub externs: Option<Vec<Name>>,
}

impl CrateInput {
    /// A library that uses no other crate of the workspace, and whose manifest is not known.
    pub fn alone(name: &str, edition: u16, root: FileId) -> CrateInput {
        CrateInput {
            name: Name::new(name),
            edition,
            package: 0,
            is_test: false,
            is_bin: false,
            root,
            deps: Vec::new(),
            renames: Vec::new(),
            externs: None,
        }
    }
}

/// What discovery found.
#[derive(Clone, Debug, Default)]
pub struct ProjectInput {
    /// Targets; libraries before what depends on them in their package.
    pub crates: Vec<CrateInput>,
    /// The file that a `mod name;` item names.
    pub mod_files: FxHashMap<(FileId, ItemId), FileId>,
    /// The file that the n-th `include!` of a file names.
    pub includes: FxHashMap<(FileId, usize), FileId>,
}

/// Links lowered files (indexed by [`FileId`]) into a program. Linear in the number of items, plus a fixpoint over
/// imports that ends after as many rounds as the longest chain of re-exports.
pub fn link(files: Vec<FileHir>, input: &ProjectInput, knowledge: Knowledge) -> Program {
    // Tables that grow step by step leave their smaller selves behind, on pages that the kernel had to clear.
    let count = |of: fn(&FileHir) -> usize| files.iter().map(of).sum::<usize>();
    let (items, bodies, scopes) =
        (count(|f| f.items.len()), count(|f| f.bodies.len()), count(|f| f.scopes.len()));
    let mut program = Program {
        files,
        crates: Vec::new(),
        modules: Vec::with_capacity(scopes),
        defs: Vec::with_capacity(items),
        bodies: Vec::with_capacity(bodies),
        body_of: FxHashMap::with_capacity_and_hasher(bodies, FxBuildHasher),
        def_of_item: FxHashMap::with_capacity_and_hasher(items, FxBuildHasher),
        variants: FxHashMap::default(),
        scopes: FxHashMap::with_capacity_and_hasher(scopes, FxBuildHasher),
        included: Vec::new(),
        twins: FxHashMap::default(),
        children: FxHashMap::default(),
        knowledge,
        decls: Decls::default(),
    };
    let uses = modules::build(&mut program, input);
    imports::resolve_all(&mut program, uses);
    types::declare(&mut program);
    methods::index(&mut program);
    program
}
