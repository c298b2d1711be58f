//! Only a copy of the guarded data is needed: bind it, and let the guard go.

use rustc_hash::FxHashSet;

use super::{Cx, Ending, Obstacle, Pos, obstacle};
use crate::flow::borrows;
use crate::hir::{ExprId, LocalId};

impl Cx<'_> {
    /// The guard is a temporary of the statement: bind what the statement wants of it.
    pub(super) fn bind_temporary(&self, hazards: &[ExprId]) -> Result<Ending, Obstacle> {
        let Some(value) = self.owned_above(self.site, hazards) else {
            let at = hazards.first().map_or(self.span(self.site), |&h| self.span(h));
            return obstacle("what is borrowed from the guard is still needed there", at);
        };
        let mut ending = Ending::default();
        let bound = self.bound(value, &[])?;
        if let Some(pos) = self.tree.stmt_around(value).filter(|_| bound.before.is_some()) {
            ending.exposed.push(pos.expr);
        } else {
            ending.exposed.push(self.body.root);
        }
        ending.bound.push(bound);
        Ok(ending)
    }

    /// A statement in which, and not after which, the guard is used, for copies only: bind them, drop the guard.
    pub(super) fn bind_before(
        &self,
        local: LocalId,
        scope: ExprId,
        hazards: &[ExprId],
    ) -> Result<Option<Ending>, Obstacle> {
        let Some(&first) = hazards.iter().min_by_key(|&&h| self.span(h).lo) else { return Ok(None) };
        let chain = self.tree.chain(first, scope);
        let points: FxHashSet<ExprId> = chain.iter().map(|p| p.expr).collect();
        let mentions = self.mentions(local);
        let explicit: Vec<Pos> = mentions.iter().filter_map(|&m| self.dropped_by(m)).collect();
        let strict = self.liveness(&points, &FxHashSet::default());
        let relaxed = self.liveness(&points, &explicit.iter().map(|p| p.expr).collect());
        for &pos in chain.iter().rev() {
            let free = !strict.live_after(pos.expr, local)
                || pos.block == scope && !relaxed.live_after(pos.expr, local);
            let covered = hazards.iter().all(|&h| {
                let span = self.span(h);
                span.lo >= pos.span.lo && self.span(pos.block).contains(span)
            });
            if !free || !covered {
                continue;
            }
            let inside: Vec<ExprId> =
                mentions.iter().copied().filter(|&m| pos.span.contains(self.span(m))).collect();
            if let Some(ending) = self.copies(local, pos, &inside, hazards)? {
                let mut ending = ending;
                let later = explicit.iter().filter(|d| d.span.lo > pos.span.lo && pos.block == scope);
                ending.removed.extend(later.map(|d| d.span));
                ending.exposed.extend(self.tree.evaluated(pos.block, pos.index, usize::MAX));
                return Ok(Some(ending));
            }
        }
        Ok(None)
    }

    fn copies(
        &self,
        local: LocalId,
        pos: Pos,
        inside: &[ExprId],
        hazards: &[ExprId],
    ) -> Result<Option<Ending>, Obstacle> {
        // Something that borrows from the guard and is used in the statement goes on borrowing.
        let borrows = borrows::borrows(&self.unit.a.program, self.body, self.types);
        let mentioned = borrows::mentioned(self.body, pos.expr);
        if mentioned.iter().any(|m| *m != local && borrows.get(m).is_some_and(|from| from.contains(&local))) {
            return Ok(None);
        }
        let mut ending = Ending::default();
        let mut values: Vec<ExprId> = Vec::new();
        for &mention in inside {
            if values.iter().any(|&v| self.tree.within(mention, v)) {
                continue;
            }
            let Some(value) = self.owned_above(mention, hazards) else { return Ok(None) };
            values.push(value);
        }
        values.sort_by_key(|&v| self.span(v).lo);
        for &value in &values {
            // The earlier ones are names by then.
            if self.tree.stmt_around(value) != Some(pos) || !self.first_but_for(value, pos, &values) {
                return Ok(None);
            }
            let mut bound = match self.bound(value, &ending.bound) {
                Ok(bound) => bound,
                Err(_) => return Ok(None),
            };
            bound.before = Some(pos.span);
            ending.bound.push(bound);
        }
        if ending.bound.is_empty() {
            return Ok(None);
        }
        self.droppable_at(local, pos)?;
        ending.drops.push(pos.span);
        Ok(Some(ending))
    }

    /// Whether a value can be evaluated before its statement, given that the earlier `values` are too.
    fn first_but_for(&self, value: ExprId, pos: Pos, values: &[ExprId]) -> bool {
        // What is only looked at is the same a little earlier: the guard is held all the while.
        if self.comes_first(value, pos) || self.reads(value) && self.always_evaluated(value, pos) {
            return true;
        }
        // `f(a(), b())` with both taken out keeps their order; anything else in between does not.
        let earlier = values.iter().take_while(|&&v| v != value).last();
        earlier.is_some_and(|&e| self.tree.parent(e) == self.tree.parent(value) && self.comes_first(e, pos))
            && self.adjacent(earlier.copied(), value)
    }

    fn adjacent(&self, earlier: Option<ExprId>, value: ExprId) -> bool {
        let Some(earlier) = earlier else { return false };
        let Some(parent) = self.tree.parent(value) else { return false };
        let mut children = Vec::new();
        crate::flow::walk::for_each_child(self.body, parent, &mut |c| children.push(c));
        let at = |id: ExprId| children.iter().position(|&c| c == id);
        matches!((at(earlier), at(value)), (Some(a), Some(b)) if b == a + 1)
    }
}
