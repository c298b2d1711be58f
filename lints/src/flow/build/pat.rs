//! Patterns: what binding moves where.

use super::Builder;
use crate::flow::cfg::{AccessKind, Action, SlotIx};
use crate::flow::walk;
use crate::hir::{ExprId, LocalId, PatId, PatKind, Path};
use crate::name::well_known;

/// Whether a pattern can match a value that holds a guard, and leaves none unmatched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coverage {
    /// `None`, `Err(_)`: no guard here.
    Without,
    /// `Some(g)`, `Ok(_)`: every value that has a guard matches.
    All,
    /// Cannot tell.
    Some,
}

impl Builder<'_> {
    /// Variables that a pattern binds, in order.
    pub(super) fn bound_locals(&self, pat: PatId) -> Vec<LocalId> {
        let mut found = Vec::new();
        walk::for_each_pat(self.cx.body, pat, &mut |p| {
            if let PatKind::Bind { local, .. } = self.cx.body.pat(p).kind
                && !found.contains(&local)
            {
                found.push(local);
            }
        });
        found
    }

    /// Declares a pattern's variables in `scope` and moves into them what `from` holds.
    pub(super) fn bind(&mut self, pat: PatId, from: Option<SlotIx>, init: Option<ExprId>, scope: usize) {
        let locals = self.bound_locals(pat);
        let mut takers = Vec::new();
        for &local in &locals {
            self.access(local, AccessKind::Write, init);
            self.declare_in(local, scope);
            if let Some(&slot) = self.local_slots.get(&local)
                && !self.cx.body.local(local).by_ref
            {
                takers.push(slot);
            }
        }
        let Some(from) = from else { return };
        match takers[..] {
            [] => {}
            [to] => self.act(Action::Move { from, to }),
            _ => {
                // Which part goes where is not known: each gets what its type can hold.
                for to in takers {
                    self.act(Action::Copy { from, to });
                }
                self.act(Action::Drop { slot: from });
            }
        }
    }

    pub(super) fn coverage(&self, pat: PatId) -> Coverage {
        let body = self.cx.body;
        let last = |path: &Path| path.segments.last().map(|s| s.name);
        match &body.pat(pat).kind {
            PatKind::Path(path) if last(path) == Some(well_known::NONE) => Coverage::Without,
            PatKind::TupleStruct { path, pats } => {
                let name = last(path);
                if name == Some(well_known::ERR) && !self.binds_guard(pat) {
                    Coverage::Without
                } else if (name == Some(well_known::OK) || name == Some(well_known::SOME))
                    && pats.iter().all(|&p| self.irrefutable(p))
                {
                    Coverage::All
                } else {
                    Coverage::Some
                }
            }
            PatKind::Typed { pat, .. } => self.coverage(*pat),
            PatKind::Wild => Coverage::All,
            PatKind::Bind { sub: None, .. } => Coverage::All,
            PatKind::Or(alternatives) => {
                let all: Vec<_> = alternatives.iter().map(|&p| self.coverage(p)).collect();
                match all[..] {
                    [first, ref rest @ ..] if rest.iter().all(|&c| c == first) => first,
                    _ if all.contains(&Coverage::All) => Coverage::All,
                    _ => Coverage::Some,
                }
            }
            _ => Coverage::Some,
        }
    }

    fn binds_guard(&self, pat: PatId) -> bool {
        self.bound_locals(pat)
            .iter()
            .any(|&l| !self.cx.body.local(l).by_ref && self.cx.facts.holds_guard(self.cx.types.local(l)))
    }

    fn irrefutable(&self, pat: PatId) -> bool {
        match &self.cx.body.pat(pat).kind {
            PatKind::Wild | PatKind::Rest | PatKind::Bind { sub: None, .. } => true,
            PatKind::Bind { sub: Some(p), .. } | PatKind::Ref(p) | PatKind::Typed { pat: p, .. } => {
                self.irrefutable(*p)
            }
            PatKind::Tuple(ps) => ps.iter().all(|&p| self.irrefutable(p)),
            _ => false,
        }
    }
}
