//! Modules and definitions: every file once, under the first target that reaches it.

use rustc_hash::FxHashMap;

use super::ProjectInput;
use crate::hir::{Import, Item, ItemId, ItemKind, ScopeId};
use crate::name::{Name, well_known};
use crate::program::{
    BodyInfo, BodyIx, Crate, CrateIx, Def, DefId, DefKind, ModIx, Module, PerNs, Program, Res,
};
use crate::source::FileId;

/// An import still to resolve.
pub(super) struct Use {
    pub(super) module: ModIx,
    pub(super) import: Import,
}

/// Fills crates, modules, definitions, bodies, and the names that are declared (not imported).
pub(super) fn build(program: &mut Program, input: &ProjectInput) -> Vec<Use> {
    let mut builder = Builder { program, input, uses: Vec::new() };
    for (index, krate) in input.crates.iter().enumerate() {
        let ix = CrateIx(index as u32);
        builder.program.crates.push(Crate {
            name: krate.name,
            edition: krate.edition,
            root: ModIx(0),
            package: krate.package,
            is_test: krate.is_test,
            is_bin: krate.is_bin,
            deps: krate.deps.iter().map(|&(name, dep)| (name, CrateIx(dep as u32))).collect(),
            renames: krate.renames.iter().copied().collect(),
            externs: krate.externs.as_ref().map(|names| names.iter().copied().collect()),
        });
        let root = builder.file(ix, None, None, krate.root, krate.is_test);
        builder.program.crates[index].root = root;
    }
    builder.uses
}

struct Builder<'a> {
    program: &'a mut Program,
    input: &'a ProjectInput,
    uses: Vec<Use>,
}

/// A file that a `mod` item names, whose own file may be another that includes it.
struct Child {
    name: Name,
    off: bool,
    module: ModIx,
    file: FileId,
    in_test: bool,
}

impl Builder<'_> {
    /// The module of a file, made if this is the first to reach it. Files are walked with a work list so that a deep
    /// module tree costs no stack.
    fn file(
        &mut self,
        krate: CrateIx,
        parent: Option<ModIx>,
        name: Option<Name>,
        file: FileId,
        in_test: bool,
    ) -> ModIx {
        if let Some(&known) = self.program.scopes.get(&(file, ScopeId(0))) {
            return known;
        }
        let root = self.add_file(krate, parent, name, file, in_test, false);
        let mut work = vec![(file, root)];
        while let Some((file, _)) = work.pop() {
            for Child { name, off, module, file: child, in_test: test } in self.declare_items(krate, file) {
                let off = off || self.program.module(module).off;
                let (child_mod, fresh) = match self.program.scopes.get(&(child, ScopeId(0))) {
                    Some(&known) => (known, false),
                    None => (self.add_file(krate, Some(module), Some(name), child, test, off), true),
                };
                self.name_module(module, name, child_mod);
                if fresh {
                    work.push((child, child_mod));
                }
            }
        }
        root
    }

    fn add_file(
        &mut self,
        krate: CrateIx,
        parent: Option<ModIx>,
        name: Option<Name>,
        file: FileId,
        in_test: bool,
        off: bool,
    ) -> ModIx {
        let hir = &self.program.files[file.0 as usize];
        let in_test = in_test || hir.cfg_test;
        let scopes = hir.scopes.clone();
        let inner_off: Vec<ScopeId> =
            hir.items.iter().filter(|item| item.attrs.cfg_off).filter_map(inline).collect();
        let root = ModIx(self.program.modules.len() as u32);
        for (index, scope) in scopes.iter().enumerate() {
            let ix = ModIx(self.program.modules.len() as u32);
            let scope_id = ScopeId(index as u32);
            let scope_parent = match scope.parent {
                Some(p) => self.program.scopes.get(&(file, p)).copied(),
                None => parent,
            };
            self.program.scopes.insert((file, scope_id), ix);
            let off = off
                || inner_off.contains(&scope_id)
                || scope_parent.is_some_and(|parent| index > 0 && self.program.module(parent).off);
            self.program.modules.push(Module {
                krate,
                parent: scope_parent,
                name: if index == 0 { name } else { scope.name },
                block: scope.block,
                file,
                scope: scope_id,
                in_test: in_test || scope.cfg_test,
                off,
                names: FxHashMap::default(),
            });
            if let (Some(name), Some(parent), false) = (scope.name, scope_parent, scope.block) {
                self.name_module(parent, name, ix);
            }
        }
        if scopes.is_empty() {
            // A file that could not be read: an empty module, so that `mod` items still resolve.
            self.program.scopes.insert((file, ScopeId(0)), root);
            self.program.modules.push(Module {
                krate,
                parent,
                name,
                block: false,
                file,
                scope: ScopeId(0),
                in_test,
                off,
                names: FxHashMap::default(),
            });
        }
        root
    }

    /// Gives a module its name in another. Of two that have one name the one in the build is meant.
    fn name_module(&mut self, parent: ModIx, name: Name, module: ModIx) {
        let off = self.program.module(module).off;
        let slot = &mut self.program.modules[parent.0 as usize].names.entry(name).or_default().types;
        let (res, before) = (Res::Module(module), *slot);
        match before {
            Some(before) if before == res => {}
            Some(before) if off => _ = self.program.twins.entry(before).or_insert(res),
            Some(before @ Res::Module(other)) => {
                *slot = Some(res);
                if self.program.module(other).off {
                    self.program.twins.insert(res, before);
                }
            }
            _ => *slot = Some(res),
        }
    }

    /// Declares the items of a file; returns the `mod name;` items with their files.
    fn declare_items(&mut self, krate: CrateIx, file: FileId) -> Vec<Child> {
        let _ = krate;
        let hir = std::mem::take(&mut self.program.files[file.0 as usize]);
        let mut children = Vec::new();
        // Of items with one name the first is meant: those that are in the build come first.
        for index in in_build_first(&hir.items) {
            let (id, item) = (ItemId(index as u32), &hir.items[index]);
            let Some(&module) = self.program.scopes.get(&(file, item.scope)) else { continue };
            if let ItemKind::Mod { inline: None } = item.kind {
                if let Some(&child) = self.input.mod_files.get(&(file, id)) {
                    let in_test = self.program.modules[module.0 as usize].in_test || item.attrs.cfg_test;
                    let (name, off) = (item.name, item.attrs.cfg_off);
                    children.push(Child { name, off, module, file: child, in_test });
                }
                continue;
            }
            self.declare(file, id, item, module);
        }
        let includes = hir.includes.len();
        self.program.files[file.0 as usize] = hir;
        for n in 0..includes {
            // `include!` at item level: its items are seen as those of a module globbed into this place.
            if let Some(&child) = self.input.includes.get(&(file, n)) {
                let (_, _, scope) = self.program.files[file.0 as usize].includes[n];
                if let Some(&module) = self.program.scopes.get(&(file, scope)) {
                    self.program.included.push((module, child));
                    if !self.program.scopes.contains_key(&(child, ScopeId(0))) {
                        let test = self.program.modules[module.0 as usize].in_test;
                        let off = self.program.module(module).off;
                        let ix = self.add_file(krate, Some(module), None, child, test, off);
                        self.program.modules[ix.0 as usize].block = true;
                        let nested = self.declare_items(krate, child);
                        children.extend(nested);
                    }
                }
            }
        }
        children
    }

    fn declare(&mut self, file: FileId, id: ItemId, item: &Item, module: ModIx) {
        let kind = match &item.kind {
            ItemKind::Use(imports) => {
                self.uses.extend(imports.iter().map(|i| Use { module, import: i.clone() }));
                return;
            }
            ItemKind::ExternCrate { krate, alias } => {
                self.extern_crate(module, *krate, *alias);
                return;
            }
            ItemKind::Fn(_) => DefKind::Fn,
            ItemKind::Struct(_) => DefKind::Struct,
            ItemKind::Enum(_) => DefKind::Enum,
            ItemKind::Union(_) => DefKind::Union,
            ItemKind::Trait(_) => DefKind::Trait,
            ItemKind::Impl(_) => DefKind::Impl,
            ItemKind::Type { .. } => DefKind::TypeAlias,
            ItemKind::Static { is_const: true, .. } => DefKind::Const,
            ItemKind::Static { .. } => DefKind::Static,
            ItemKind::Mod { .. } | ItemKind::MacroRules | ItemKind::MacroCall { .. } => return,
        };
        let parent = item.parent.and_then(|p| self.program.def_of_item.get(&(file, p)).copied());
        let in_test = self.program.modules[module.0 as usize].in_test
            || item.attrs.cfg_test
            || item.attrs.test
            || parent.is_some_and(|p| self.program.def(p).in_test);
        let off = item.attrs.cfg_off
            || self.program.module(module).off
            || parent.is_some_and(|p| self.program.def(p).off);
        let def = DefId(self.program.defs.len() as u32);
        self.program.defs.push(Def { kind, name: item.name, module, file, item: id, parent, in_test, off });
        self.program.def_of_item.insert((file, id), def);
        let body = match &item.kind {
            ItemKind::Fn(f) => f.body,
            ItemKind::Static { body, .. } => *body,
            _ => None,
        };
        if let Some(body) = body {
            let ix = BodyIx(self.program.bodies.len() as u32);
            self.program.bodies.push(BodyInfo { file, body, owner: def });
            self.program.body_of.insert(def, ix);
        }
        if let Some(parent) = parent
            && matches!(self.program.def(parent).kind, DefKind::Impl | DefKind::Trait)
        {
            self.program.children.entry(parent).or_default().push(def);
            return;
        }
        if item.name == well_known::EMPTY || item.name == well_known::UNDERSCORE {
            return;
        }
        let names = self.program.modules[module.0 as usize].names.entry(item.name).or_default();
        let res = Res::Def(def);
        // First declaration wins; one that is not in the build stands beside it.
        let mut set = |slot: &mut Option<Res>| match *slot {
            Some(first) if off => _ = self.program.twins.entry(first).or_insert(res),
            Some(_) => {}
            None => *slot = Some(res),
        };
        match &item.kind {
            ItemKind::Fn(_) | ItemKind::Static { .. } => set(&mut names.values),
            ItemKind::Struct(s) => {
                set(&mut names.types);
                if s.tuple || s.fields.is_empty() {
                    set(&mut names.values);
                }
            }
            _ => set(&mut names.types),
        }
        if let ItemKind::Enum(e) = &item.kind {
            let mut by_name = FxHashMap::default();
            for (i, variant) in e.variants.iter().enumerate() {
                let vdef = DefId(self.program.defs.len() as u32);
                self.program.defs.push(Def {
                    kind: DefKind::Variant(i as u32),
                    name: variant.name,
                    module,
                    file,
                    item: id,
                    parent: Some(def),
                    in_test,
                    off,
                });
                by_name.insert(variant.name, vdef);
            }
            self.program.variants.insert(def, by_name);
        }
    }

    fn extern_crate(&mut self, module: ModIx, krate: Name, alias: Option<Name>) {
        let this = self.program.modules[module.0 as usize].krate;
        let res = if krate == well_known::SELF {
            Res::Module(self.program.crates[this.0 as usize].root)
        } else if let Some(&dep) = self.program.crates[this.0 as usize].deps.get(&krate) {
            match self.program.crates.get(dep.0 as usize) {
                Some(dep) => Res::Module(dep.root),
                None => return,
            }
        } else {
            Res::Ext(krate)
        };
        let name = alias.unwrap_or(krate);
        self.program.modules[module.0 as usize].names.entry(name).or_default().types = Some(res);
    }
}

/// The scope of a `mod name { }`.
fn inline(item: &Item) -> Option<ScopeId> {
    match item.kind {
        ItemKind::Mod { inline } => inline,
        _ => None,
    }
}

/// Items in the order in which they are declared: those that the build has before those that it has not. What an item
/// stands in comes before it.
fn in_build_first(items: &[Item]) -> impl Iterator<Item = usize> + use<> {
    let mut off = vec![false; items.len()];
    for (index, item) in items.iter().enumerate() {
        let around = item.parent.and_then(|p| off.get(p.0 as usize).copied()).unwrap_or(false);
        off[index] = item.attrs.cfg_off || around;
    }
    let (order, rest): (Vec<usize>, Vec<usize>) = (0..items.len()).partition(|&index| !off[index]);
    order.into_iter().chain(rest)
}

/// Merges what a name means; what is there stays.
pub(super) fn merge(into: &mut PerNs, from: &PerNs) -> bool {
    let before = into.clone();
    if into.types.is_none() {
        into.types = from.types;
    }
    if into.values.is_none() {
        into.values = from.values;
    }
    *into != before
}
