//! `use` to a fixpoint: each round resolves what the rounds before made resolvable; globs copy names along.

use super::modules::{Use, merge};
use super::resolve::Ns;
use crate::hir::ScopeId;
use crate::program::{DefKind, ModIx, PerNs, Program, Res};

/// Resolves all imports. An import whose first segment stays unknown is taken for an outside crate at the end.
pub(super) fn resolve_all(program: &mut Program, uses: Vec<Use>) {
    let mut globs: Vec<(ModIx, ModIx)> = program
        .included
        .iter()
        .filter_map(|&(module, file)| Some((module, *program.scopes.get(&(file, ScopeId(0)))?)))
        .collect();
    let mut pending: Vec<(Use, PerNs)> = uses.into_iter().map(|u| (u, PerNs::default())).collect();
    // Chains of re-exports longer than this are not worth a slower run.
    for round in 0..32 {
        let last_chance = round > 0;
        let mut changed = false;
        let mut rest = Vec::with_capacity(pending.len());
        for (import, mut found) in pending {
            let complete = step(program, &import, &mut found, &mut globs, &mut changed, false);
            if !complete {
                rest.push((import, found));
            }
        }
        pending = rest;
        changed |= copy_globs(program, &globs);
        if !changed && last_chance {
            break;
        }
    }
    let mut changed = false;
    for (import, mut found) in pending {
        if found == PerNs::default() {
            step(program, &import, &mut found, &mut globs, &mut changed, true);
        }
    }
    while copy_globs(program, &globs) {}
}

/// Tries one import. True when nothing more can come of it.
fn step(
    program: &mut Program,
    import: &Use,
    found: &mut PerNs,
    globs: &mut Vec<(ModIx, ModIx)>,
    changed: &mut bool,
    guess: bool,
) -> bool {
    let Use { module, import } = import;
    let resolve = |ns: Ns| {
        let path = &import.path;
        let direct = match program.resolve(*module, false, import.global, path, ns) {
            Some((res, used)) if used == path.len() => Some(res),
            _ => None,
        };
        direct.or_else(|| {
            let base = guess.then(|| program.extern_name(*module, *path.first()?, true)).flatten()?;
            let Res::Ext(mut at) = base else { return None };
            for segment in path.iter().skip(1) {
                at = program.canonical(at, *segment);
            }
            Some(Res::Ext(at))
        })
    };
    if import.glob {
        let target = if import.path.is_empty() { None } else { resolve(Ns::Types) };
        return match target {
            Some(Res::Module(from)) => {
                if from != *module && !globs.contains(&(*module, from)) {
                    globs.push((*module, from));
                }
                *changed = true;
                true
            }
            Some(Res::Def(def)) if program.def(def).kind == DefKind::Enum => {
                let variants: Vec<_> = program
                    .variants
                    .get(&def)
                    .map(|v| v.iter().map(|(&n, &d)| (n, d)).collect())
                    .unwrap_or_default();
                for (name, variant) in variants {
                    let names = PerNs { types: Some(Res::Def(variant)), values: Some(Res::Def(variant)) };
                    merge(program.modules[module.0 as usize].names.entry(name).or_default(), &names);
                }
                *changed = true;
                true
            }
            Some(Res::Ext(path)) => {
                let names = program.knowledge.modules.get(&path).cloned().unwrap_or_default();
                for (name, target) in names {
                    let res = Some(Res::Ext(target));
                    // Explicit names win over globs; a glob must not hide what the module declares later.
                    merge(
                        program.modules[module.0 as usize].names.entry(name).or_default(),
                        &PerNs { types: res, values: res },
                    );
                }
                *changed = true;
                true
            }
            _ => false,
        };
    }
    let now = PerNs { types: resolve(Ns::Types), values: resolve(Ns::Values) };
    if now == *found {
        return now.types.is_some() && now.values.is_some();
    }
    *found = now.clone();
    if let Some(name) = import.name {
        let slot = program.modules[module.0 as usize].names.entry(name).or_default();
        // An import names exactly this; it wins over what a glob brought.
        let before = slot.clone();
        if now.types.is_some()
            && !matches!(slot.types, Some(Res::Def(d)) if program.defs[d.0 as usize].module == *module)
        {
            slot.types = now.types;
        }
        if now.values.is_some()
            && !matches!(slot.values, Some(Res::Def(d)) if program.defs[d.0 as usize].module == *module)
        {
            slot.values = now.values;
        }
        if *slot != before {
            *changed = true;
        }
    }
    now.types.is_some() && now.values.is_some()
}

/// Copies names along glob imports once. True if anything was new.
fn copy_globs(program: &mut Program, globs: &[(ModIx, ModIx)]) -> bool {
    let mut changed = false;
    for &(into, from) in globs {
        let names: Vec<_> = program.module(from).names.iter().map(|(&n, p)| (n, p.clone())).collect();
        let target = &mut program.modules[into.0 as usize].names;
        for (name, per_ns) in names {
            match target.get_mut(&name) {
                Some(there) => changed |= merge(there, &per_ns),
                None => {
                    target.insert(name, per_ns);
                    changed = true;
                }
            }
        }
    }
    changed
}
