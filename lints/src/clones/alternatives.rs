//! Which code is one of several alternatives, of which a build has one: backends for platforms and the like.

use rustc_hash::FxHashMap;

use crate::hir::{Item, ItemKind};
use crate::name::Name;
use crate::program::{DefId, ModIx, Program};
use crate::source::{FileId, Sources};

/// Modules under a `cfg` of the platform or under `cfg(not(…))`.
#[derive(Debug, Default)]
pub struct Alternatives {
    modules: Vec<bool>,
}

/// What in a `cfg` says that something else stands here in other builds. A feature alone does not: it may be on beside
/// others.
const MARKS: [&str; 7] = ["target_", "unix", "windows", "not(", "loom", "miri", "wasm"];

impl Alternatives {
    /// Finds the modules. O(items).
    pub fn find(program: &Program, sources: &Sources) -> Alternatives {
        let mut by_name: FxHashMap<(ModIx, Name), Vec<ModIx>> = FxHashMap::default();
        for (index, module) in program.modules.iter().enumerate() {
            if let (Some(parent), Some(name)) = (module.parent, module.name) {
                by_name.entry((parent, name)).or_default().push(ModIx(index as u32));
            }
        }
        let mut modules = vec![false; program.modules.len()];
        for (file, hir) in program.files.iter().enumerate() {
            let file = FileId(file as u32);
            for item in &hir.items {
                if !matches!(item.kind, ItemKind::Mod { .. }) || !is_alternative(item, file, sources) {
                    continue;
                }
                let around = program.scopes.get(&(file, item.scope));
                for module in around.and_then(|m| by_name.get(&(*m, item.name))).into_iter().flatten() {
                    if let Some(mark) = modules.get_mut(module.0 as usize) {
                        *mark = true;
                    }
                }
            }
        }
        // Parents come before their children.
        for index in 0..modules.len() {
            if let Some(parent) = program.modules[index].parent {
                modules[index] |= modules.get(parent.0 as usize).copied().unwrap_or(false);
            }
        }
        Alternatives { modules }
    }

    /// Whether a definition, what it stands in, or its module is an alternative.
    pub fn contains(&self, program: &Program, sources: &Sources, def: DefId) -> bool {
        let mut at = Some(def);
        while let Some(id) = at {
            let def = program.def(id);
            if is_alternative(program.item(id), def.file, sources) {
                return true;
            }
            at = def.parent;
        }
        self.modules.get(program.def(def).module.0 as usize).copied().unwrap_or(false)
    }
}

fn is_alternative(item: &Item, file: FileId, sources: &Sources) -> bool {
    if !item.attrs.cfg_other {
        return false;
    }
    let attributes = sources.get(file).slice(item.attrs_span);
    let mut conditions = attributes.split("cfg(").skip(1).map(|rest| rest.split(")]").next().unwrap_or(rest));
    conditions.any(|condition| MARKS.iter().any(|mark| condition.contains(mark)))
}
