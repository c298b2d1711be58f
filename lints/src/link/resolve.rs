//! What a path means in a module.

use super::prelude;
use crate::name::{Name, well_known};
use crate::program::{DefKind, ModIx, PerNs, Program, Res};

/// A namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ns {
    /// Types, modules, traits.
    Types,
    /// Functions, statics, consts, constructors.
    Values,
}

impl PerNs {
    fn get(&self, ns: Ns) -> Option<Res> {
        match ns {
            Ns::Types => self.types,
            Ns::Values => self.values,
        }
    }
}

impl Program {
    /// Resolves a path in a module as far as names go, from code that is `off` or in the build that bodies are read for.
    /// Returns what it means and how many segments that took; the rest (associated items) is for type inference. `None`:
    /// not known.
    pub fn resolve(
        &self,
        module: ModIx,
        off: bool,
        global: bool,
        path: &[Name],
        ns: Ns,
    ) -> Option<(Res, usize)> {
        let last = path.len().checked_sub(1)?;
        let ns_at = |i: usize| if i == last { ns } else { Ns::Types };
        // What one build's code names is that build's.
        let there = |res: Res| match self.twins.get(&res) {
            Some(&twin) if off => twin,
            _ => res,
        };
        let (mut res, mut used) = self.resolve_first(module, global, path, ns_at(0))?;
        res = there(res);
        while used < path.len() {
            let next = match res {
                Res::Module(m) => self.module_name(m, path[used], ns_at(used)),
                Res::Ext(p) => {
                    if self.knowledge.types.contains_key(&p) {
                        // `Option::Some` and the like are values of their own; anything else is an associated item.
                        return self.ext_variant(p, path[used]).map(|r| (r, used + 1)).or(Some((res, used)));
                    }
                    Some(Res::Ext(self.canonical(p, path[used])))
                }
                Res::Def(d) if self.def(d).kind == DefKind::Enum => {
                    match self.variants.get(&d).and_then(|v| v.get(&path[used])) {
                        Some(&variant) => Some(Res::Def(variant)),
                        None => return Some((res, used)),
                    }
                }
                _ => return Some((res, used)),
            };
            res = there(next?);
            used += 1;
        }
        Some((res, used))
    }

    fn ext_variant(&self, ty: Name, segment: Name) -> Option<Res> {
        let variants: &[Name] = match ty.as_str() {
            "std::option::Option" => &[well_known::SOME, well_known::NONE],
            "std::result::Result" => &[well_known::OK, well_known::ERR],
            _ => return None,
        };
        variants.contains(&segment).then(|| Res::Ext(Name::join(ty, segment)))
    }

    /// The canonical path of `segment` in the outside module `base`.
    pub fn canonical(&self, base: Name, segment: Name) -> Name {
        let joined = Name::join(base, segment);
        let text = joined.as_str();
        let name = match text.strip_prefix("core::").or_else(|| text.strip_prefix("alloc::")) {
            Some(rest) => Name::new(&format!("std::{rest}")),
            None => joined,
        };
        self.knowledge.aliases.get(&name).copied().unwrap_or(name)
    }

    fn resolve_first(&self, module: ModIx, global: bool, path: &[Name], ns: Ns) -> Option<(Res, usize)> {
        let first = path[0];
        let krate = self.krate(self.module(module).krate);
        if global && krate.edition >= 2018 {
            return self.extern_name(module, first, true).map(|r| (r, 1));
        }
        match first {
            well_known::CRATE => return Some((Res::Module(krate.root), 1)),
            well_known::SELF if path.len() > 1 || ns == Ns::Types => {
                return Some((Res::Module(self.enclosing_module(module)), 1));
            }
            well_known::SUPER => {
                let mut here = self.enclosing_module(module);
                let mut used = 0;
                while used < path.len() && path[used] == well_known::SUPER {
                    here = self.enclosing_module(self.module(here).parent?);
                    used += 1;
                }
                return Some((Res::Module(here), used));
            }
            well_known::SELF_TYPE => return Some((Res::SelfTy, 1)),
            _ => {}
        }
        if global {
            return self
                .module_name(krate.root, first, ns)
                .or_else(|| self.extern_name(module, first, true))
                .map(|r| (r, 1));
        }
        self.name_in_scope(module, first, ns).map(|r| (r, 1))
    }

    /// A name as seen from inside a module: its own names, those of blocks around, outside crates, the prelude.
    pub fn name_in_scope(&self, module: ModIx, name: Name, ns: Ns) -> Option<Res> {
        let mut here = Some(module);
        while let Some(m) = here {
            if let Some(res) = self.module_name(m, name, ns) {
                return Some(res);
            }
            here = if self.module(m).block { self.module(m).parent } else { None };
        }
        if ns == Ns::Types
            && let Some(res) = self.extern_name(module, name, false)
        {
            return Some(res);
        }
        prelude::lookup(name).and_then(|p| p.get(ns))
    }

    fn module_name(&self, module: ModIx, name: Name, ns: Ns) -> Option<Res> {
        self.module(module).names.get(&name).and_then(|p| p.get(ns))
    }

    /// The module around a block, or the module itself.
    pub fn enclosing_module(&self, module: ModIx) -> ModIx {
        let mut here = module;
        while self.module(here).block {
            match self.module(here).parent {
                Some(parent) => here = parent,
                None => break,
            }
        }
        here
    }

    /// An outside or workspace crate by its name in code. `guess`: a name not declared in any manifest counts too.
    pub(super) fn extern_name(&self, module: ModIx, name: Name, guess: bool) -> Option<Res> {
        let krate = self.krate(self.module(module).krate);
        if let Some(dep) = krate.deps.get(&name) {
            return self.crates.get(dep.0 as usize).map(|c| Res::Module(c.root));
        }
        if let Some(&own) = krate.renames.get(&name) {
            return Some(Res::Ext(own));
        }
        match name.as_str() {
            "std" | "core" | "alloc" => return Some(Res::Ext(well_known::STD)),
            "proc_macro" | "test" => return Some(Res::Ext(name)),
            _ => {}
        }
        let known = match &krate.externs {
            Some(externs) => externs.contains(&name),
            None => guess || self.knowledge.crates.contains(&name),
        };
        known.then_some(Res::Ext(name))
    }
}
