//! Reads Rust source without compiling it and finds what corks it up under load.

#![forbid(unsafe_code)]

pub mod again;
pub mod clone_sites;
pub mod clones;
pub mod config;
pub mod discover;
pub mod effects;
pub mod evidence;
pub mod finding;
pub mod flow;
pub mod hir;
pub mod infer;
pub mod knowledge;
pub mod link;
pub mod lower;
pub mod name;
pub mod places;
pub mod program;
pub mod rule;
pub mod rules;
pub mod run;
pub mod settle;
pub mod source;
pub mod ty;

use rayon::prelude::*;

/// A worker takes so many bodies at most: what it has begun with no other can help it with, and all wait for the last.
const BODIES_AT_ONCE: usize = 64;

/// Everything known about the code of a run; what rules read.
pub struct Analysis {
    /// The files.
    pub sources: source::Sources,
    /// The linked program.
    pub program: program::Program,
    /// Types of each body.
    pub types: Vec<infer::BodyTypes>,
    /// Guards, regions, origins of variables.
    pub flow: flow::Flow,
    /// What functions do through all they call.
    pub effects: effects::Effects,
    /// Collections and locks, and what is done to them.
    pub uses: places::Places,
    /// Options of rules.
    pub options: config::RuleOptions,
    /// How long each part took.
    pub timings: run::Timings,
    /// Copies in the code.
    pub clones: clones::Clones,
}

impl Analysis {
    /// Infers types, then flow, then effects, of a linked program.
    pub fn new(sources: source::Sources, program: program::Program) -> Analysis {
        Analysis::with_options(sources, program, config::RuleOptions::default())
    }

    /// As [`Analysis::new`], with the rules' options.
    pub fn with_options(
        sources: source::Sources,
        program: program::Program,
        options: config::RuleOptions,
    ) -> Analysis {
        let mut clock = std::time::Instant::now();
        let mut timings = Vec::new();
        let mut lap =
            |name| timings.push((name, std::mem::replace(&mut clock, std::time::Instant::now()).elapsed()));
        // All that is asked of a body alone, in one go: the second question finds it in the cache.
        let memo = flow::TypeMemo::default();
        type Halves<A, B, C, D> = ((Vec<A>, Vec<B>), (Vec<C>, Vec<D>));
        let ((types, flows), (uses, prints)): Halves<_, _, _, _> = (0..program.bodies.len() as u32)
            .into_par_iter()
            .with_max_len(BODIES_AT_ONCE)
            .map_init(clones::index::Printer::default, |printer, i| {
                let ix = program::BodyIx(i);
                let types = infer::infer_body(&program, ix);
                let flow = flow::body_flow(&program, &memo, ix, &types);
                let uses = places::walk(&program, ix, &types);
                ((types, flow), (uses, printer.print(&program, &sources, ix)))
            })
            .unzip();
        lap("- bodies");
        // Not when a rule first asks: rules run side by side, and a worker that waits here may take up another of them.
        let ((clones, uses), (flow, effects)) = rayon::join(
            || {
                (
                    clones::among(&program, &sources, prints, clones::Least::of(&options)),
                    places::Places::collect(uses),
                )
            },
            || {
                let flow = flow::Flow::assemble(&program, &types, memo, flows);
                let effects = effects::Effects::new(&program, &types, &flow);
                (flow, effects)
            },
        );
        lap("- effects, copies");
        Analysis { sources, program, types, flow, effects, uses, options, clones, timings }
    }

    /// For asking about places and origins.
    pub fn places(&self) -> flow::PlaceCx<'_> {
        self.flow.cx(&self.program, &self.types)
    }

    /// For asking about effects.
    pub fn effects(&self) -> effects::EffectCx<'_> {
        effects::EffectCx { places: self.places(), effects: &self.effects }
    }
}
