//! How long values live: those that stay and change meanwhile, and those that are entries of something that loses them.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::Analysis;
use crate::places::PlaceKey;
use crate::program::{DefId, DefKind, Program};
use crate::ty::{Subst, TraitRef, Ty, TyKind};

use super::scopes::implements;

/// Which types live long and change meanwhile: held in a lock or cell somewhere, or owned by such a type. What only lies
/// in an `Arc` or a static cannot change any more.
pub(super) struct Lifetimes {
    long: FxHashSet<DefId>,
}

impl Lifetimes {
    pub(super) fn of(cx: &Analysis) -> Lifetimes {
        let program = &cx.program;
        let mut long = FxHashSet::default();
        let mut work = Vec::new();
        let mut seed = |ty: Ty| {
            ty.any(&mut |t| {
                if let TyKind::Ext(path, args) = t.kind()
                    && (path.as_str() == "std::cell::RefCell"
                        || program.knowledge.types.get(path).is_some_and(|i| i.lock.is_some()))
                {
                    for arg in args.iter() {
                        arg.any(&mut |t| {
                            if let TyKind::Adt(def, _) = t.kind() {
                                work.push(*def);
                            }
                            false
                        });
                    }
                }
                false
            });
        };
        for ty in program.decls.statics.values() {
            seed(*ty);
        }
        for (def, fields) in &program.decls.fields {
            if !program.def(*def).in_test {
                for (_, ty) in fields {
                    seed(*ty);
                }
            }
        }
        for (def, sig) in &program.decls.sigs {
            if !program.def(*def).in_test {
                for ty in sig.params.iter().chain([&sig.ret]) {
                    seed(*ty);
                }
            }
        }
        while let Some(def) = work.pop() {
            if !long.insert(def) {
                continue;
            }
            let mut owned = |ty: Ty| {
                ty.any(&mut |t| {
                    if let TyKind::Adt(inner, _) = t.kind() {
                        work.push(*inner);
                    }
                    false
                });
            };
            for (_, ty) in program.decls.fields.get(&def).into_iter().flatten() {
                owned(*ty);
            }
        }
        Lifetimes { long }
    }

    pub(super) fn long(&self, def: DefId) -> bool {
        self.long.contains(&def)
    }
}

/// Where values of a type are kept: in which fields and statics, as what.
#[derive(Default)]
pub(super) struct Owners {
    kept: FxHashMap<DefId, Vec<Kept>>,
    /// The same for `dyn Trait`.
    dyns: FxHashMap<TraitRef, Vec<Kept>>,
    /// What a struct or variant has a shared handle of: the type, and the owner.
    shared: FxHashSet<(DefId, DefId)>,
    /// Answers so far; `false` while one is being looked for.
    known: FxHashMap<DefId, bool>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// One of several in a collection.
    Entry(PlaceKey),
    /// A part of the struct or variant.
    Part(DefId),
    /// In a static.
    Always,
    /// In a channel, until it is taken out.
    Passing,
}

/// How deep types are looked into.
const DEPTH: u32 = 8;

impl Owners {
    pub(super) fn of(cx: &Analysis) -> Owners {
        let program = &cx.program;
        let mut owners = Owners::default();
        for (&def, fields) in &program.decls.fields {
            if program.def(def).in_test {
                continue;
            }
            // What a variant holds is its enum's.
            let owner = match program.def(def) {
                def if matches!(def.kind, DefKind::Variant(_)) => def.parent,
                _ => None,
            };
            for &(name, ty) in fields {
                let part = Kept::Part(owner.unwrap_or(def));
                owners.look(program, ty, part, PlaceKey::Field(def, name), DEPTH);
            }
        }
        for (&def, &ty) in &program.decls.statics {
            if !program.def(def).in_test {
                owners.look(program, ty, Kept::Always, PlaceKey::Static(def), DEPTH);
            }
        }
        owners
    }

    /// Notes the workspace types in `ty`, which `place` holds.
    fn look(&mut self, program: &Program, ty: Ty, kept: Kept, place: PlaceKey, depth: u32) {
        let Some(depth) = depth.checked_sub(1) else { return };
        match ty.kind() {
            TyKind::Ref(_, inner) | TyKind::Array(inner) | TyKind::Slice(inner) => {
                self.look(program, *inner, kept, place, depth);
            }
            TyKind::Tuple(parts) => {
                parts.iter().for_each(|&part| self.look(program, part, kept, place, depth));
            }
            TyKind::Ext(path, args) => {
                let info = program.knowledge.types.get(path);
                if let (Kept::Part(owner), true) = (kept, info.is_some_and(|i| i.shared)) {
                    let handle = |ty: Ty| match ty.kind() {
                        TyKind::Adt(def, _) => Some((*def, owner)),
                        _ => None,
                    };
                    self.shared.extend(args.iter().copied().filter_map(handle));
                }
                let many = info.is_some_and(|i| i.container.is_some() || i.concurrent_map || i.bounded);
                let end = path.as_str().rsplit("::").next().unwrap_or_default();
                let kept = if end.ends_with("Sender") || end.ends_with("Receiver") {
                    Kept::Passing
                } else if many && !matches!(kept, Kept::Entry(_)) {
                    Kept::Entry(place)
                } else {
                    kept
                };
                args.iter().for_each(|&arg| self.look(program, arg, kept, place, depth));
            }
            TyKind::Adt(def, args) => {
                let of_def = self.kept.entry(*def).or_default();
                if !of_def.contains(&kept) {
                    of_def.push(kept);
                }
                // `Buckets<State>`: kept where the generic type keeps what it is given.
                if args.is_empty() {
                    return;
                }
                let subst = Subst::pair(program.decls.params(*def), args);
                for &(name, inner) in program.decls.fields.get(def).into_iter().flatten() {
                    if inner.has_params() {
                        let place = PlaceKey::Field(*def, name);
                        self.look(program, inner.subst(&subst), Kept::Part(*def), place, depth);
                    }
                }
            }
            TyKind::Dyn(bounds) => {
                for bound in bounds.iter() {
                    let of_trait = self.dyns.entry(bound.trait_).or_default();
                    if !of_trait.contains(&kept) {
                        of_trait.push(kept);
                    }
                }
            }
            _ => {}
        }
    }

    /// Where values of a type are kept.
    pub(super) fn kept(&self, def: DefId) -> impl Iterator<Item = Kept> {
        self.kept.get(&def).into_iter().flatten().copied()
    }

    /// Where values are kept of which only a trait is known that the type implements.
    pub(super) fn kept_as_dyn(&self, program: &Program, def: DefId) -> impl Iterator<Item = Kept> {
        implements(program, def).into_iter().flat_map(|t| self.dyns.get(&t).into_iter().flatten().copied())
    }

    /// Whether values of a type are nowhere kept for long but as entries of collections that lose entries (`shrinks`), or
    /// as parts of such values. Of many values those that are part of something not known to live long go as well, if
    /// they are its own.
    pub(super) fn come_and_go(
        &mut self,
        def: DefId,
        lives: &Lifetimes,
        shrinks: &mut dyn FnMut(PlaceKey) -> bool,
    ) -> bool {
        if let Some(&known) = self.known.get(&def) {
            return known;
        }
        self.known.insert(def, false);
        let for_long = |kept: &Kept| match kept {
            Kept::Passing => false,
            Kept::Part(owner) => *owner == def || lives.long(*owner) || self.shared.contains(&(def, *owner)),
            Kept::Entry(_) | Kept::Always => true,
        };
        let kept: Vec<Kept> = self.kept(def).filter(for_long).collect();
        // What only goes through channels stays nowhere.
        let passes = || self.kept(def).next().is_some() && self.kept(def).all(|k| k == Kept::Passing);
        let goes = if kept.is_empty() {
            passes()
        } else {
            kept.iter().all(|&kept| match kept {
                Kept::Entry(place) => shrinks(place),
                // A value within a value of its own type goes with the outer one.
                Kept::Part(owner) => owner == def || self.come_and_go(owner, lives, shrinks),
                Kept::Always | Kept::Passing => false,
            }) && kept.iter().any(|&k| k != Kept::Part(def))
        };
        self.known.insert(def, goes);
        goes
    }
}
