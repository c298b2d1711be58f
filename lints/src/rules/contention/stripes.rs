//! Structs that stand in a row of which a number made of the key chooses one: each has a part of the keys and a lock of its
//! own, as a sharded map does.

use std::cell::OnceCell;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::Analysis;
use crate::flow::walk;
use crate::hir::{BinaryOp, ExprId, ExprKind};
use crate::infer::Callee;
use crate::name::Name;
use crate::program::{BodyIx, DefId};
use crate::ty::{Ty, TyKind};

/// How far a number is followed to where it is made.
const DEPTH: u32 = 4;

/// What is known of rows; looked up only when a struct stands in one.
pub(super) struct Stripes<'a> {
    a: &'a Analysis,
    holders: OnceCell<Holders>,
    chosen: OnceCell<FxHashSet<Name>>,
}

/// Where the structs of the workspace are kept.
#[derive(Default)]
struct Holders {
    /// In fields that are arrays, slices or vectors of them, by the fields' names.
    rows: FxHashMap<DefId, Vec<Name>>,
    /// Anywhere else.
    alone: FxHashSet<DefId>,
}

impl<'a> Stripes<'a> {
    pub(super) fn of(a: &'a Analysis) -> Stripes<'a> {
        Stripes { a, holders: OnceCell::new(), chosen: OnceCell::new() }
    }

    /// Whether all values of a struct stand in such rows.
    pub(super) fn is_one(&self, def: DefId) -> bool {
        let holders = self.holders.get_or_init(|| self.holders());
        let Some(rows) = holders.rows.get(&def).filter(|_| !holders.alone.contains(&def)) else {
            return false;
        };
        let chosen = self.chosen.get_or_init(|| self.chosen());
        rows.iter().all(|row| chosen.contains(row))
    }

    fn holders(&self) -> Holders {
        let decls = &self.a.program.decls;
        let mut out = Holders::default();
        for (owner, fields) in &decls.fields {
            if !self.a.program.def(*owner).in_test {
                fields.iter().for_each(|&(name, ty)| out.look(ty, name, false));
            }
        }
        for (def, &ty) in &decls.statics {
            out.look(ty, self.a.program.def(*def).name, false);
        }
        out
    }

    /// Names of the rows out of which an index picks that is cut down to their length. O(expressions).
    fn chosen(&self) -> FxHashSet<Name> {
        let mut out = FxHashSet::default();
        for ix in (0..self.a.program.bodies.len() as u32).map(BodyIx) {
            let body = self.a.program.body(ix);
            for expr in &body.exprs {
                let (row, index) = match &expr.kind {
                    ExprKind::Index { base, index } => (*base, *index),
                    ExprKind::Method { recv, name, args, .. }
                        if args.len() == 1 && matches!(name.as_str(), "get" | "get_unchecked") =>
                    {
                        (*recv, args[0])
                    }
                    _ => continue,
                };
                let name = match &body.expr(row).kind {
                    ExprKind::Field { name, .. } => *name,
                    ExprKind::Path(path) => match path.segments.last() {
                        Some(last) => last.name,
                        None => continue,
                    },
                    _ => continue,
                };
                if !out.contains(&name) && self.cut_down(ix, index, DEPTH) {
                    out.insert(name);
                }
            }
        }
        out
    }

    /// Whether a number is made by a remainder, a mask or a shift.
    fn cut_down(&self, ix: BodyIx, id: ExprId, depth: u32) -> bool {
        let Some(depth) = depth.checked_sub(1) else { return false };
        let body = self.a.program.body(ix);
        let mut found = false;
        walk::for_each_below(body, id, &mut |e| {
            found |= match &body.expr(e).kind {
                ExprKind::Binary { op, .. } => matches!(op, BinaryOp::Rem | BinaryOp::BitAnd | BinaryOp::Shr),
                ExprKind::Local(local) => {
                    let init = self.a.flow.origins.get(&self.a.program, ix).init(*local);
                    init.is_some_and(|init| self.cut_down(ix, init, depth))
                }
                ExprKind::Call { .. } | ExprKind::Method { .. } => {
                    let called = match self.a.types[ix.0 as usize].callee(e) {
                        Callee::Fn(def) => self.a.program.body_of.get(&def),
                        _ => None,
                    };
                    called.is_some_and(|&b| self.cut_down(b, self.a.program.body(b).root, depth))
                }
                _ => false,
            };
            !found
        });
        found
    }
}

impl Holders {
    fn look(&mut self, ty: Ty, name: Name, in_row: bool) {
        match ty.kind() {
            TyKind::Array(item) | TyKind::Slice(item) => self.look(*item, name, true),
            TyKind::Ref(_, inner) => self.look(*inner, name, in_row),
            TyKind::Tuple(parts) => parts.iter().for_each(|&part| self.look(part, name, false)),
            TyKind::Ext(path, args) => {
                let wraps = args.len() == 1;
                let row = path.as_str() == "std::vec::Vec";
                args.iter().for_each(|&arg| self.look(arg, name, row || wraps && in_row));
            }
            TyKind::Adt(def, args) => {
                if in_row {
                    self.rows.entry(*def).or_default().push(name);
                } else {
                    self.alone.insert(*def);
                }
                args.iter().for_each(|&arg| self.look(arg, name, false));
            }
            _ => {}
        }
    }
}
