//! What discovery wants to know of a file: which files it leads to. Far less than the lowered file, so it is kept from
//! run to run, and the module tree can be followed without lowering anything.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::hir::{FileHir, ItemId, ItemKind};
use crate::name::Name;

/// What a lowered file is made from: its text, and the edition it is read as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileKey {
    /// XXH3 of the text (without byte-order mark), 128 bits.
    pub text: u128,
    /// `2015`, `2018`, `2021`, `2024`.
    pub edition: u16,
}

impl FileKey {
    /// The key of a text. O(length).
    pub fn of(text: &str, edition: u16) -> FileKey {
        FileKey { text: xxh3_128(text.as_bytes()), edition }
    }
}

/// The files that a file names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    /// Its `mod name;` items.
    pub(super) mods: Vec<ModDecl>,
    /// Literals of its `include!`s, in order.
    pub(super) includes: Vec<String>,
}

/// `mod name;`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ModDecl {
    pub(super) item: ItemId,
    pub(super) name: Name,
    /// `#[path = "…"]`
    pub(super) path: Option<Box<str>>,
    /// Folders of the inline modules around it, outermost first.
    pub(super) around: Vec<String>,
}

impl Outline {
    /// The outline of a lowered file.
    pub fn of(hir: &FileHir) -> Outline {
        let mut outline = Outline::default();
        for (index, item) in hir.items.iter().enumerate() {
            if !matches!(item.kind, ItemKind::Mod { inline: None }) {
                continue;
            }
            let mut around = Vec::new();
            let mut scope = Some(item.scope);
            while let Some(here) = scope.and_then(|s| hir.scopes.get(s.0 as usize)) {
                if let Some(name) = here.name {
                    around.push(here.path_attr.clone().unwrap_or_else(|| name.to_string()));
                }
                scope = here.parent;
            }
            around.reverse();
            let item_id = ItemId(index as u32);
            outline.mods.push(ModDecl {
                item: item_id,
                name: item.name,
                path: item.attrs.path.clone(),
                around,
            });
        }
        outline.includes = hir.includes.iter().map(|(literal, _, _)| literal.clone()).collect();
        outline
    }
}

/// Outlines known from an earlier run, of files that could be lowered.
pub type Outlines = FxHashMap<FileKey, Outline>;
