//! Which methods a type has: an index by the head of the self type.

use rustc_hash::FxHashSet;

use super::decls::HeadKey;
use crate::program::{DefId, DefKind, Program};
use crate::ty::TraitRef;

/// Fills the method and impl indexes of the declarations.
pub(super) fn index(program: &mut Program) {
    let mut decls = std::mem::take(&mut program.decls);
    let mut impls: Vec<DefId> = decls.impl_self.keys().copied().collect();
    // Inherent impls first, so that their methods win; then in source order.
    impls.sort_by_key(|d| (decls.impl_trait.contains_key(d), *d));
    for impl_ in impls {
        let self_ty = decls.impl_self[&impl_];
        let head = HeadKey::of(self_ty);
        if let Some(head) = head {
            decls.impls_by_head.entry(head).or_default().push(impl_);
        }
        let trait_ = decls.impl_trait.get(&impl_).map(|b| b.trait_);
        if let Some(TraitRef::Local(t)) = trait_ {
            decls.impls_of.entry(t).or_default().push(impl_);
        }
        for &child in program.children.get(&impl_).into_iter().flatten() {
            let def = program.def(child);
            if let Some(head) = head
                && matches!(def.kind, DefKind::Fn | DefKind::Const)
            {
                decls.methods.entry((head, def.name)).or_default().push(child);
            }
        }
    }
    for (index, def) in program.defs.iter().enumerate() {
        if let Some(parent) = def.parent
            && program.def(parent).kind == DefKind::Trait
        {
            decls.trait_items.insert((parent, def.name), DefId(index as u32));
        }
    }
    let mut implementors: Vec<(DefId, DefId)> = Vec::new();
    for (&trait_, impls) in &decls.impls_of {
        for impl_ in impls {
            for &child in program.children.get(impl_).into_iter().flatten() {
                if let Some(&item) = decls.trait_items.get(&(trait_, program.def(child).name)) {
                    implementors.push((item, child));
                }
            }
        }
    }
    implementors.sort();
    // Of two impls for one type a build has one.
    let for_type = |child: DefId| decls.impl_self.get(&program.def(child).parent?);
    let in_build: FxHashSet<_> = implementors
        .iter()
        .filter(|(_, child)| !program.def(*child).off)
        .map(|&(item, child)| (item, for_type(child).copied()))
        .collect();
    implementors.retain(|&(item, child)| {
        !program.def(child).off || !in_build.contains(&(item, for_type(child).copied()))
    });
    for (item, child) in implementors {
        decls.implementors.entry(item).or_default().push(child);
    }
    program.decls = decls;
}
