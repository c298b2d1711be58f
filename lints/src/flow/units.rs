//! Units: what runs as one piece of code. A function's body is one; each closure and each async block in it is its own.

use rustc_hash::FxHashMap;

use super::walk;
use crate::hir::{Body, ExprId, ExprKind, PatId};
use crate::program::{BodyIx, DefId, Program};

/// Index of a unit of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnitIx(pub u32);

/// What a unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitKind {
    /// The body of a function, static or const.
    Item,
    /// A closure.
    Closure,
    /// An async block: runs where it is awaited.
    Async,
}

/// A unit.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Its body.
    pub body: BodyIx,
    /// What it is.
    pub kind: UnitKind,
    /// The closure or async block; the body's root for an item.
    pub expr: ExprId,
    /// Its code.
    pub root: ExprId,
    /// The unit it is written in.
    pub parent: Option<UnitIx>,
    /// Its effects come when it is awaited.
    pub is_async: bool,
    /// Its parameters.
    pub params: Box<[PatId]>,
}

/// All units, those of one body side by side, the item's first.
#[derive(Clone, Debug, Default)]
pub struct Units {
    units: Vec<Unit>,
    first: Vec<u32>,
    by_expr: FxHashMap<(BodyIx, ExprId), UnitIx>,
}

impl Units {
    /// Puts together what [`units_of`] found for each body, in order of bodies.
    pub fn collect(per_body: Vec<Vec<Unit>>) -> Units {
        let mut all = Units::default();
        for mut units in per_body {
            let base = all.units.len() as u32;
            all.first.push(base);
            for (i, unit) in units.iter_mut().enumerate() {
                unit.parent = unit.parent.map(|p| UnitIx(p.0 + base));
                if i > 0 {
                    all.by_expr.insert((unit.body, unit.expr), UnitIx(base + i as u32));
                }
            }
            all.units.append(&mut units);
        }
        all
    }

    /// The unit.
    pub fn get(&self, ix: UnitIx) -> &Unit {
        &self.units[ix.0 as usize]
    }

    /// The unit of a body as a whole.
    pub fn of_body(&self, body: BodyIx) -> UnitIx {
        UnitIx(self.first[body.0 as usize])
    }

    /// The unit of a function with a body.
    pub fn of_def(&self, program: &Program, def: DefId) -> Option<UnitIx> {
        program.body_of.get(&def).map(|&b| self.of_body(b))
    }

    /// The unit of a closure or async block.
    pub fn of_expr(&self, body: BodyIx, expr: ExprId) -> Option<UnitIx> {
        self.by_expr.get(&(body, expr)).copied()
    }

    /// All units with their index.
    pub fn iter(&self) -> impl Iterator<Item = (UnitIx, &Unit)> {
        self.units.iter().enumerate().map(|(i, u)| (UnitIx(i as u32), u))
    }

    /// The units of one body, the item's first.
    pub fn in_body(&self, body: BodyIx) -> impl Iterator<Item = UnitIx> {
        let at = |i: usize| self.first.get(i).copied().unwrap_or(self.units.len() as u32);
        (at(body.0 as usize)..at(body.0 as usize + 1)).map(UnitIx)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.units.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }
}

/// The units of one body; parents are indexes into the result.
pub fn units_of(ix: BodyIx, body: &Body, is_async: bool) -> Vec<Unit> {
    let mut units = vec![Unit {
        body: ix,
        kind: UnitKind::Item,
        expr: body.root,
        root: body.root,
        parent: None,
        is_async,
        params: body.params.iter().map(|p| p.pat).collect(),
    }];
    // Most bodies have none, and one look along the arena says so.
    if !(0..body.exprs.len() as u32).any(|id| walk::own_body(body, ExprId(id)).is_some()) {
        return units;
    }
    let mut at = 0;
    while at < units.len() {
        let root = units[at].root;
        let own = units[at].kind == UnitKind::Async;
        walk::for_each_below(body, root, &mut |id| {
            if id == root && own {
                return true;
            }
            let Some(code) = walk::own_body(body, id) else { return true };
            let (kind, is_async, params) = match &body.expr(id).kind {
                ExprKind::Closure(c) => {
                    (UnitKind::Closure, c.is_async, c.params.iter().map(|p| p.pat).collect())
                }
                _ => (UnitKind::Async, true, Box::default()),
            };
            units.push(Unit {
                body: ix,
                kind,
                expr: id,
                root: code,
                parent: Some(UnitIx(at as u32)),
                is_async,
                params,
            });
            false
        });
        at += 1;
    }
    units
}
