//! Where collections and locks are declared, and everything the program does to each: acquisitions, operations,
//! replacements, escapes. Computed once for all rules about shared maps, caches, buffers and queues.
//!
//! A *place* is a field, a static, a local, a parameter or a function's result whose type is, behind handles, locks and
//! cells, a collection. Inside a body every expression that still stands for a place carries it along
//! (`self.map.read().unwrap()`); an operation on it is a [`Use`]. Places flow into each other by calls, returns and
//! struct literals that share a handle; the uses of a place are those of all it flows into. Flow-insensitive and
//! linear in the code, as Steensgaard's alias analysis (POPL 1996), but directed.

mod shape;
mod walk;

pub use shape::{Shape, opened, record, shape};
pub(crate) use walk::walk;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::hir::{ExprId, LocalId};
use crate::knowledge::{Acquire, Op};
use crate::name::Name;
use crate::program::{BodyIx, DefId};
use crate::ty::Ty;

/// What a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum PlaceKey {
    Field(DefId, Name),
    Static(DefId),
    Local(BodyIx, LocalId),
    /// A function's parameter, `self` counted.
    Param(DefId, u32),
    /// What a function returns.
    Ret(DefId),
    /// What an expression yields that is one of several places (`if a { &mut self.x } else { &mut self.y }`).
    Either(BodyIx, ExprId),
}

/// What is done to a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum UseKind {
    Acquire(Acquire),
    Op(Op),
    /// Cloned as a whole.
    Snapshot,
    /// Overwritten as a whole.
    Assign,
    /// Moved out as a whole, something else left in its place (`take`, `replace`, `swap`).
    Take,
    /// Given to something that may do anything.
    Escape,
    /// Something is taken out of one of its entries, which is itself a collection.
    Emptied,
    /// Looked at in a way that does not change it.
    Peek,
}

/// One thing done to a place.
#[derive(Clone, Copy, Debug)]
pub struct Use {
    /// What.
    pub kind: UseKind,
    /// Where.
    pub body: BodyIx,
    /// The expression: the call, the assignment.
    pub expr: ExprId,
    /// The acquisition through which it happens, if it is in the same body.
    pub acquired: Option<ExprId>,
    /// For a length: whether it is compared with something.
    pub compared: bool,
    /// In test code.
    pub in_test: bool,
    /// Inside a closure or block that runs on another thread or task.
    pub spawned: bool,
}

/// What one body does.
#[derive(Clone, Debug, Default)]
pub(crate) struct BodyUses {
    uses: Vec<(PlaceKey, Use)>,
    /// `a` flows into `b`: what is done to `b` is done to `a`.
    flows: Vec<(PlaceKey, PlaceKey)>,
    /// Of these, handles given to a parameter.
    handed: Vec<(PlaceKey, PlaceKey)>,
    /// Locals that a spawned closure captures.
    spawned: Vec<PlaceKey>,
    /// Parameters of which the body makes a task or thread.
    spawns: Vec<PlaceKey>,
    /// What a closure or future has in it, and the parameter it is given to; a parameter given on to another.
    given: Vec<(PlaceKey, PlaceKey)>,
    /// Types of the locals that are places.
    locals: Vec<(LocalId, Ty)>,
    /// Workspace types of which a value is overwritten or taken where it is kept.
    replaced: Vec<DefId>,
    /// Workspace types of which a value is made.
    made: Vec<(DefId, Birth)>,
}

/// Where a value of a workspace type is made: its literal, its constructor, or its default.
#[derive(Clone, Copy, Debug)]
pub struct Birth {
    /// Where.
    pub body: BodyIx,
    /// The expression.
    pub expr: ExprId,
    /// By `default()`, with all its parts.
    pub default: bool,
}

/// All places and their uses.
#[derive(Debug, Default)]
pub struct Places {
    uses: FxHashMap<PlaceKey, Vec<Use>>,
    flows: FxHashMap<PlaceKey, Vec<PlaceKey>>,
    /// Locals that another thread or task sees.
    pub spawned: Vec<PlaceKey>,
    /// Parameters of which a function makes a task or thread, or that it gives to one that does.
    pub spawning: FxHashSet<PlaceKey>,
    /// Types of the locals that are places.
    pub locals: Vec<(BodyIx, LocalId, Ty)>,
    /// Types of which a value is overwritten or taken where it is kept, and in which functions outside tests: what
    /// such a value holds goes with it.
    pub replaced: Vec<(DefId, BodyIx)>,
    /// Where values of each workspace type are made.
    pub made: FxHashMap<DefId, Vec<Birth>>,
}

/// What goes to other threads or tasks through functions that spawn what they are given; `spawning` are their
/// parameters, to which those are added that are given on.
fn through_spawners(spawning: &mut FxHashSet<PlaceKey>, given: &[(PlaceKey, PlaceKey)]) -> Vec<PlaceKey> {
    loop {
        let before = spawning.len();
        for (from, to) in given {
            if matches!(from, PlaceKey::Param(..)) && spawning.contains(to) {
                spawning.insert(*from);
            }
        }
        if spawning.len() == before {
            break;
        }
    }
    let gone =
        given.iter().filter(|(from, to)| !matches!(from, PlaceKey::Param(..)) && spawning.contains(to));
    gone.map(|g| g.0).collect()
}

impl Places {
    /// Puts together what each body does, in order of bodies.
    pub(crate) fn collect(per_body: Vec<BodyUses>) -> Places {
        let mut places = Places::default();
        let mut handed = Vec::new();
        let (mut spawning, mut given) = (FxHashSet::default(), Vec::new());
        for (index, body) in per_body.into_iter().enumerate() {
            for (key, one) in body.uses {
                places.uses.entry(key).or_default().push(one);
            }
            for (from, to) in body.flows {
                let targets = places.flows.entry(from).or_default();
                if from != to && !targets.contains(&to) {
                    targets.push(to);
                }
            }
            for (def, birth) in body.made {
                places.made.entry(def).or_default().push(birth);
            }
            handed.extend(body.handed);
            places.spawned.extend(body.spawned);
            spawning.extend(body.spawns);
            given.extend(body.given);
            places.replaced.extend(body.replaced.into_iter().map(|def| (def, BodyIx(index as u32))));
            places.locals.extend(body.locals.into_iter().map(|(l, t)| (BodyIx(index as u32), l, t)));
        }
        places.spawned.extend(through_spawners(&mut spawning, &given));
        places.spawning = spawning;
        // `Reader::new(Arc::clone(&map))` that keeps the handle in a field: what the field's owner does, it does to the
        // map of whoever else has one.
        for (from, param) in handed {
            let kept = places.flows.get(&param).into_iter().flatten().any(|field| {
                matches!(field, PlaceKey::Field(..))
                    && places.flows.get(field).is_some_and(|back| back.contains(&param))
            });
            let back = places.flows.entry(param).or_default();
            if kept && !back.contains(&from) {
                back.push(from);
            }
        }
        places
    }

    /// Everything done to a place, through whatever it flows into, in source order of bodies.
    pub fn uses_of(&self, key: PlaceKey) -> Vec<Use> {
        let mut seen = FxHashSet::default();
        let mut work = vec![key];
        let mut out = Vec::new();
        while let Some(key) = work.pop() {
            if !seen.insert(key) {
                continue;
            }
            out.extend(self.uses.get(&key).into_iter().flatten().copied());
            work.extend(self.flows.get(&key).into_iter().flatten().copied());
        }
        out.sort_by_key(|u| (u.body, u.expr));
        out
    }

    /// Of some fields and statics those that only share what another of them holds (`Arc::clone` given to a
    /// constructor), each with that other one. Of places that share with each other the first holds.
    pub fn shared_from(&self, among: &[PlaceKey]) -> FxHashMap<PlaceKey, PlaceKey> {
        let order: FxHashMap<PlaceKey, usize> =
            among.iter().copied().enumerate().map(|(i, key)| (key, i)).collect();
        let reached: Vec<Vec<usize>> = among
            .iter()
            .map(|&key| self.reach(key).iter().filter_map(|other| order.get(other).copied()).collect())
            .collect();
        let mut out = FxHashMap::default();
        for (holder, targets) in reached.iter().enumerate() {
            for &target in targets {
                let mutual = reached[target].contains(&holder);
                if target != holder && (!mutual || holder < target) {
                    out.entry(among[target]).or_insert(among[holder]);
                }
            }
        }
        out
    }

    /// The places that a place flows into, itself first.
    pub fn reach(&self, key: PlaceKey) -> Vec<PlaceKey> {
        let mut seen = Vec::new();
        let mut work = vec![key];
        while let Some(key) = work.pop() {
            if !seen.contains(&key) {
                seen.push(key);
                work.extend(self.flows.get(&key).into_iter().flatten().copied());
            }
        }
        seen
    }
}
