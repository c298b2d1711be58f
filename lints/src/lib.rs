//! Reads Rust source without compiling it and finds what corks it up under load.

#![forbid(unsafe_code)]

pub mod clone_sites;
pub mod clones;
pub mod config;
pub mod discover;
pub mod effects;
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
        // Not when a rule first asks: rules run side by side, and a worker that waits here may take up another of them.
        let ((clones, copying), (types, flow, effects, uses, mut timings)) = rayon::join(
            || {
                let clock = std::time::Instant::now();
                (clones::analyze(&program, &sources), clock.elapsed())
            },
            || {
                let mut clock = std::time::Instant::now();
                let mut timings = Vec::new();
                let mut lap = |name| {
                    timings.push((name, std::mem::replace(&mut clock, std::time::Instant::now()).elapsed()))
                };
                let types = infer::infer(&program);
                lap("- infer");
                let flow = flow::Flow::new(&program, &types);
                lap("- flow");
                let effects = effects::Effects::new(&program, &types, &flow);
                lap("- effects");
                let uses = places::Places::analyze(&program, &types);
                lap("- places");
                (types, flow, effects, uses, timings)
            },
        );
        timings.push(("- clones, beside", copying));
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
