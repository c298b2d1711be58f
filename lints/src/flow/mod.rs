//! Flow inside one function: control flow, drop scopes, guard regions, where values come from, what is used later.
//!
//! Only units in which some value can hold a guard get a graph; the rest of the program costs one look at its types.

pub mod borrows;
pub mod build;
pub mod cfg;
pub mod liveness;
pub mod locks;
mod named;
pub mod origins;
pub mod place;
pub mod regions;
#[cfg(test)]
mod tests;
pub mod types;
pub mod units;
pub mod walk;

use rayon::prelude::*;

pub use locks::{Held, LockInfo};
pub use origins::{OriginTable, Origins};
pub use place::{Class, ClassOf, Place, PlaceCx, Root, Step};
pub use regions::{HeldEvent, Regions, TokenFlow};
pub use types::{IoClass, TypeFacts, TypeMemo};
pub use units::{Unit, UnitIx, UnitKind, Units};

use crate::infer::BodyTypes;
use crate::program::{BodyIx, Program};

/// What is known of the flow of all code.
#[derive(Debug, Default)]
pub struct Flow {
    /// Functions, closures, async blocks.
    pub units: Units,
    /// Guards and where they are held, by unit.
    pub regions: Vec<Regions>,
    /// Where variables come from, by body.
    pub origins: OriginTable,
    /// Remembered answers about types.
    pub memo: TypeMemo,
    /// What each guard locks: by unit, then by token.
    pub locks: Vec<Vec<LockInfo>>,
}

/// The flow of one body.
#[derive(Debug)]
pub(crate) struct BodyFlow {
    units: Vec<Unit>,
    regions: Vec<Regions>,
}

impl Flow {
    /// Analyses all bodies, in parallel.
    pub fn new(program: &Program, types: &[BodyTypes]) -> Flow {
        let memo = TypeMemo::default();
        let bodies =
            types.par_iter().enumerate().map(|(i, t)| body_flow(program, &memo, BodyIx(i as u32), t));
        let bodies = bodies.collect();
        Flow::assemble(program, types, memo, bodies)
    }

    /// Puts the bodies together, in order; what a guard locks may be decided in another body.
    pub(crate) fn assemble(
        program: &Program,
        types: &[BodyTypes],
        memo: TypeMemo,
        bodies: Vec<BodyFlow>,
    ) -> Flow {
        let count = bodies.len();
        let (units, regions): (Vec<_>, Vec<_>) = bodies.into_iter().map(|b| (b.units, b.regions)).unzip();
        let mut flow = Flow {
            units: Units::collect(units),
            regions: regions.into_iter().flatten().collect(),
            origins: OriginTable::new(count),
            memo,
            locks: Vec::new(),
        };
        flow.locks = locks::resolve(flow.cx(program, types), &flow.regions);
        flow
    }

    /// For asking about places.
    pub fn cx<'a>(&'a self, program: &'a Program, types: &'a [BodyTypes]) -> PlaceCx<'a> {
        PlaceCx {
            program,
            types,
            facts: TypeFacts::new(program, &self.memo),
            units: &self.units,
            origins: &self.origins,
        }
    }

    /// Guards and events of a unit.
    pub fn regions(&self, unit: UnitIx) -> &Regions {
        &self.regions[unit.0 as usize]
    }
}

/// Analyses one body.
pub(crate) fn body_flow(program: &Program, memo: &TypeMemo, ix: BodyIx, types: &BodyTypes) -> BodyFlow {
    let facts = TypeFacts::new(program, memo);
    let body = program.body(ix);
    let owner = program.body_info(ix).owner;
    let is_async = program.decls.sigs.get(&owner).is_some_and(|s| s.is_async);
    let units = units::units_of(ix, body, is_async);
    let guards = types.exprs.iter().chain(&types.locals).any(|&t| facts.holds_guard(t));
    let regions = if guards {
        let cx = build::BuildCx { program, facts, body, types, ix };
        units.iter().map(|unit| regions::solve(&build::build(cx, unit), facts)).collect()
    } else {
        units.iter().map(|_| Regions::default()).collect()
    };
    BodyFlow { units, regions }
}
