//! What functions do, through all they call: block, await, acquire.
//!
//! Each unit has a summary, a set of effects, in the manner of Infer's starvation analysis: an effect names places in
//! terms of the unit's own parameters, and is translated at every call. Effects spread from where they happen to the
//! callers breadth first, so the first way found is a shortest one, recursion ends by itself, and the hop towards the
//! cause is kept for the message.

mod awaits;
mod collect;
mod graph;
mod query;

pub use graph::{Edge, How};
pub use query::{EventEffect, RootOf, Through, call_span, root_of};

use std::sync::OnceLock;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::flow::{Class, Flow, Place, PlaceCx, UnitIx};
use crate::hir::{ExprId, LocalId};
use crate::infer::BodyTypes;
use crate::knowledge::{Acquire, Blocking};
use crate::program::Program;

/// Index of an interned place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlaceIx(pub u32);

/// What an I/O effect is done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Object {
    /// Something made or found inside: a path, a static, a field of something else.
    Other,
    /// What a variable of the unit (a parameter, mostly) is or leads to.
    Local(LocalId),
    /// The same, and whether it blocks depends on what type the caller gives.
    Generic(LocalId),
}

/// An effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// Blocks the thread.
    Block(Blocking, Object),
    /// Awaits I/O or something without bound.
    AwaitIo(Object),
    /// Acquires a lock or touches a concurrent map.
    Acquire(PlaceIx, Acquire, Kind),
    /// Calls the function value in a variable.
    Calls(LocalId),
}

/// What is acquired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Kind {
    Lock,
    AsyncLock,
    /// Any use of a concurrent map: takes a shard for the time of the call at least.
    Map,
}

/// An effect of a unit and the way to it.
#[derive(Clone, Copy, Debug)]
pub struct Effect {
    /// What.
    pub key: Key,
    /// The call or await in the unit that leads to it, or that it is.
    pub event: ExprId,
    /// The call itself (differs from the event for what is awaited).
    pub call: ExprId,
    /// The edge taken and the effect of its target; `None` where it happens here.
    pub via: Option<(u32, u32)>,
    /// Number of calls to the cause.
    pub distance: u16,
    /// Some hop is a virtual call that not all implementations answer alike.
    pub maybe: bool,
}

/// Effects of all units.
#[derive(Debug, Default)]
pub struct Effects {
    places: Vec<Place>,
    edges: Vec<Edge>,
    /// Edges by caller.
    out: Vec<Vec<u32>>,
    /// Edges by target.
    into: Vec<Vec<u32>>,
    /// By unit.
    summaries: Vec<Vec<Effect>>,
    direct: Vec<Vec<OwnEffect>>,
    /// Function values given to a unit's parameter: unit, parameter, the edge from the giver to the function value.
    given: Vec<(UnitIx, LocalId, u32)>,
    /// Classes of locks that somebody only tries to take, once asked for.
    tried: OnceLock<FxHashSet<Class>>,
}

/// Something a unit does itself.
#[derive(Clone, Copy, Debug)]
struct OwnEffect {
    event: ExprId,
    call: ExprId,
    key: Key,
}

impl Effects {
    /// Computes all summaries.
    pub fn new(program: &Program, types: &[BodyTypes], flow: &Flow) -> Effects {
        graph::spread(flow.cx(program, types))
    }

    /// The effects of a unit.
    pub fn of(&self, unit: UnitIx) -> &[Effect] {
        self.summaries.get(unit.0 as usize).map_or(&[], Vec::as_slice)
    }

    /// Calls in a unit that use a concurrent map themselves.
    pub fn own_map_calls(&self, unit: UnitIx) -> Vec<ExprId> {
        self.direct[unit.0 as usize]
            .iter()
            .filter(|d| matches!(d.key, Key::Acquire(_, _, Kind::Map)))
            .map(|d| d.event)
            .collect()
    }

    /// Classes of locks that something acquires exclusively, `try_` forms included.
    pub fn written_classes(&self, program: &Program) -> FxHashSet<Class> {
        self.direct
            .iter()
            .flatten()
            .filter_map(|d| match d.key {
                Key::Acquire(ix, mode, _) if mode.exclusive => self.place(ix).class(program),
                _ => None,
            })
            .collect()
    }

    /// Classes of locks that something waits for. Of others there are `try_` acquisitions only: whoever holds one keeps
    /// nobody waiting.
    pub fn waited_classes(&self, program: &Program) -> FxHashSet<Class> {
        let own = self.direct.iter().flatten().map(|d| d.key);
        let keys = own.chain(self.summaries.iter().flatten().map(|e| e.key));
        keys.filter_map(|key| match key {
            Key::Acquire(ix, mode, _) if !mode.is_try => self.place(ix).class(program),
            _ => None,
        })
        .collect()
    }

    /// Whether somebody only tries to take a lock of this class, and so acts on its being held.
    pub fn is_tried(&self, program: &Program, class: Class) -> bool {
        let tried = || {
            let own = self.direct.iter().flatten().filter_map(|d| match d.key {
                Key::Acquire(ix, mode, _) if mode.is_try => self.place(ix).class(program),
                _ => None,
            });
            own.collect()
        };
        self.tried.get_or_init(tried).contains(&class)
    }

    /// An interned place.
    pub fn place(&self, ix: PlaceIx) -> &Place {
        &self.places[ix.0 as usize]
    }

    /// An edge of the call graph.
    pub fn edge(&self, ix: u32) -> &Edge {
        &self.edges[ix as usize]
    }

    /// Calls of a unit.
    pub fn calls_to(&self, unit: UnitIx) -> impl Iterator<Item = &Edge> {
        self.into.get(unit.0 as usize).into_iter().flatten().map(|&e| &self.edges[e as usize])
    }

    /// Calls out of a unit, in the order of the code.
    pub fn calls_of(&self, unit: UnitIx) -> impl Iterator<Item = &Edge> {
        self.out.get(unit.0 as usize).into_iter().flatten().map(|&e| &self.edges[e as usize])
    }
}

/// Interns places.
#[derive(Default)]
struct Places {
    list: Vec<Place>,
    index: FxHashMap<Place, PlaceIx>,
}

impl Places {
    fn intern(&mut self, place: Place) -> PlaceIx {
        if let Some(&ix) = self.index.get(&place) {
            return ix;
        }
        let ix = PlaceIx(self.list.len() as u32);
        self.list.push(place.clone());
        self.index.insert(place, ix);
        ix
    }
}

/// What reading effects needs besides the effects.
#[derive(Clone, Copy)]
pub struct EffectCx<'a> {
    /// Places and types.
    pub places: PlaceCx<'a>,
    /// The effects.
    pub effects: &'a Effects,
}
