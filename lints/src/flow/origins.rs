//! Where the variables of a body come from: what each is bound to, and whether that is all.

use rustc_hash::FxHashMap;

use super::walk;
use crate::hir::{Block, Body, ExprId, ExprKind, LocalId, PatId, PatKind, Stmt};
use crate::program::{BodyIx, Program};

/// How a variable got its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LocalDef {
    Param,
    /// Bound to the value of an expression, as a whole or to a part of it.
    Init(ExprId, Option<PatId>),
    /// Bound to the items of what is iterated.
    Item(ExprId),
    /// Assigned more than once, or bound in several ways.
    Varies,
}

/// Where the variables of one body come from.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    defs: FxHashMap<LocalId, LocalDef>,
    item_params: Vec<(PatId, ExprId)>,
}

impl Origins {
    /// Walks the body once.
    pub fn new(body: &Body) -> Origins {
        let mut origins = Origins::default();
        for param in &body.params {
            origins.bind_all(body, param.pat, LocalDef::Param);
        }
        walk::for_each_below(body, body.root, &mut |id| {
            match &body.expr(id).kind {
                ExprKind::Block(block) => origins.block(body, block),
                ExprKind::Let { pat, scrutinee } => origins.bind_init(body, *pat, *scrutinee),
                ExprKind::Match { scrutinee, arms } => {
                    for arm in arms {
                        origins.bind_init(body, arm.pat, *scrutinee);
                    }
                }
                ExprKind::For { pat, iter, .. } => origins.bind_all(body, *pat, LocalDef::Item(*iter)),
                ExprKind::Closure(c) => {
                    for param in &c.params {
                        origins.bind_all(body, param.pat, LocalDef::Param);
                    }
                }
                // The items that an adaptor's closure gets come from what is iterated.
                ExprKind::Method { recv, args, name, .. } if is_adaptor(name.as_str()) => {
                    for &arg in args {
                        if let ExprKind::Closure(c) = &body.expr(arg).kind
                            && let [param] = &c.params[..]
                        {
                            origins.item_params.push((param.pat, *recv));
                        }
                    }
                }
                ExprKind::Assign { lhs, .. } => {
                    if let ExprKind::Local(local) = body.expr(*lhs).kind {
                        origins.assigned(local);
                    }
                }
                _ => {}
            }
            true
        });
        for (pat, recv) in std::mem::take(&mut origins.item_params) {
            walk::for_each_pat(body, pat, &mut |p| {
                if let PatKind::Bind { local, .. } = body.pat(p).kind {
                    origins.defs.insert(local, LocalDef::Item(recv));
                }
            });
        }
        origins
    }

    pub(super) fn def(&self, local: LocalId) -> Option<LocalDef> {
        self.defs.get(&local).copied()
    }

    fn block(&mut self, body: &Body, block: &Block) {
        for stmt in &block.stmts {
            if let Stmt::Let { pat, init, .. } = stmt {
                match init {
                    Some(init) => self.bind_init(body, *pat, *init),
                    None => self.bind_all(body, *pat, LocalDef::Varies),
                }
            }
        }
    }

    fn bind_init(&mut self, body: &Body, pat: PatId, init: ExprId) {
        match &body.pat(pat).kind {
            PatKind::Bind { local, sub: None } => self.set(*local, LocalDef::Init(init, None)),
            PatKind::Typed { pat, .. } => self.bind_init(body, *pat, init),
            PatKind::Tuple(pats) => match &body.expr(init).kind {
                ExprKind::Tuple(values) if values.len() == pats.len() => {
                    for (&p, &v) in pats.iter().zip(values) {
                        self.bind_init(body, p, v);
                    }
                }
                _ => self.bind_all(body, pat, LocalDef::Init(init, Some(pat))),
            },
            _ => self.bind_all(body, pat, LocalDef::Init(init, Some(pat))),
        }
    }

    fn bind_all(&mut self, body: &Body, pat: PatId, def: LocalDef) {
        walk::for_each_pat(body, pat, &mut |p| {
            if let PatKind::Bind { local, .. } = body.pat(p).kind {
                self.set(local, def);
            }
        });
    }

    fn set(&mut self, local: LocalId, def: LocalDef) {
        match self.defs.entry(local) {
            std::collections::hash_map::Entry::Vacant(e) => {
                e.insert(def);
            }
            std::collections::hash_map::Entry::Occupied(mut e) => {
                if *e.get() != def {
                    e.insert(LocalDef::Varies);
                }
            }
        }
    }

    fn assigned(&mut self, local: LocalId) {
        self.defs.insert(local, LocalDef::Varies);
    }

    /// Whether the variable is a parameter of the body or of a closure in it, never assigned.
    pub fn is_param(&self, local: LocalId) -> bool {
        self.defs.get(&local) == Some(&LocalDef::Param)
    }

    /// Whether the variable is assigned more than once or bound in several ways.
    pub fn varies(&self, local: LocalId) -> bool {
        self.defs.get(&local) == Some(&LocalDef::Varies)
    }

    /// The expression that a variable is bound to, wholly, once.
    pub fn init(&self, local: LocalId) -> Option<ExprId> {
        match self.defs.get(&local)? {
            LocalDef::Init(init, None) => Some(*init),
            _ => None,
        }
    }

    /// The expression that a variable's value is, is part of, or is an item of.
    pub fn source(&self, local: LocalId) -> Option<ExprId> {
        match self.defs.get(&local)? {
            LocalDef::Init(e, _) | LocalDef::Item(e) => Some(*e),
            _ => None,
        }
    }
}

fn is_adaptor(name: &str) -> bool {
    matches!(
        name,
        "for_each"
            | "map"
            | "filter"
            | "filter_map"
            | "any"
            | "all"
            | "find"
            | "find_map"
            | "flat_map"
            | "position"
            | "take_while"
            | "skip_while"
            | "inspect"
            | "try_for_each"
            | "sum"
            | "max_by_key"
            | "min_by_key"
            | "retain"
    )
}

/// [`Origins`] of all bodies, each made when first asked for.
#[derive(Debug, Default)]
pub struct OriginTable {
    cells: Vec<std::sync::OnceLock<Origins>>,
}

impl OriginTable {
    /// For so many bodies.
    pub fn new(bodies: usize) -> OriginTable {
        OriginTable { cells: (0..bodies).map(|_| std::sync::OnceLock::new()).collect() }
    }

    /// Of one body.
    pub fn get(&self, program: &Program, body: BodyIx) -> &Origins {
        self.cells[body.0 as usize].get_or_init(|| Origins::new(program.body(body)))
    }
}
