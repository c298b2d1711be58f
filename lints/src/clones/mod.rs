//! Copies in the code, found once for all duplication rules, in time near-linear in the code.
//!
//! Bodies become uniform terms ([`term`]); hashes of their statements with names, types and literals left out
//! ([`hash`]) bring likely copies together ([`similar`]: MinHash and banding); only those are aligned exactly
//! ([`unify`]) and generalised to one pattern with holes ([`generalise`]), which is what the fixers build on.

pub mod alternatives;
mod build;
mod build_types;
pub mod fields;
pub mod functions;
pub mod generalise;
pub mod hash;
pub mod index;
pub mod managers;
pub mod similar;
pub mod term;
pub mod unify;
mod vocabulary;

use rustc_hash::FxHashSet;

use crate::config::{DuplicateOptions, RuleOptions};
use crate::program::{DefId, Program};
use crate::source::Sources;

pub use functions::FunctionCluster;
pub use generalise::{Hole, Param};
pub use managers::{AlignedField, AlignedMethod, ManagerCluster, Member};
pub use unify::HoleKind;

/// All copies found, each kind by first member. No function is in two clusters.
#[derive(Clone, Debug, Default)]
pub struct Clones {
    /// Structs that are one manager written again.
    pub managers: Vec<ManagerCluster>,
    /// Methods that several types have alike.
    pub methods: Vec<FunctionCluster>,
    /// Functions that are one up to a few holes.
    pub handlers: Vec<FunctionCluster>,
}

/// Fewest members of a cluster, by kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Least {
    managers: usize,
    methods: usize,
    handlers: usize,
}

impl Default for Least {
    fn default() -> Least {
        Least::of(&RuleOptions::default())
    }
}

impl Least {
    /// What is configured; one alone is no cluster.
    pub(crate) fn of(options: &RuleOptions) -> Least {
        let least = |o: &DuplicateOptions| o.min_members.unwrap_or(3).max(2);
        Least {
            managers: least(&options.duplicate_manager),
            methods: least(&options.duplicate_method),
            handlers: least(&options.duplicate_handler),
        }
    }
}

/// Finds the copies of a program. Test code, generated code and what macros make are left out.
pub fn analyze(program: &Program, sources: &Sources) -> Clones {
    among(program, sources, index::prints(program, sources), Least::default())
}

/// The same, with the bodies fingerprinted already.
pub(crate) fn among(
    program: &Program,
    sources: &Sources,
    prints: Vec<Option<hash::Fingerprint>>,
    least: Least,
) -> Clones {
    let index = index::Index::build(program, sources, prints);
    let terms = index::Terms::new(program, sources, &index);
    let managers = managers::find(program, sources, &index, &terms, least.managers);
    let mut taken: FxHashSet<DefId> = managers
        .iter()
        .flat_map(|cluster| cluster.methods.iter().flat_map(|m| m.functions.iter().copied()))
        .collect();
    let methods = functions::methods(program, &index, &terms, &taken, least.methods);
    taken.extend(methods.iter().flat_map(|cluster| cluster.members.iter().copied()));
    let handlers = functions::handlers(program, &index, &terms, &taken, least.handlers);
    Clones { managers, methods, handlers }
}
