//! Two regions of one lock made one: the first guard serves for the second as well.

use super::{Cx, Holding, Obstacle, Pos, obstacle, text};
use crate::effects::Key;
use crate::finding::{Applicability, Finding};
use crate::flow::Held;
use crate::flow::cfg::EventKind;
use crate::hir::{ExprId, ExprKind, LocalId, Stmt};
use crate::infer::SelfMode;
use crate::rules::held::{Guard, Unit};
use crate::source::Span;

/// How to make one region of two.
#[derive(Clone, Debug, Default)]
pub(in crate::rules::contention) struct Merging {
    /// The name of the one guard, and the place of the acquisition that it is bound from if it has none yet, with the
    /// statement before which it is to be bound.
    bind: Option<(Span, Span)>,
    name: String,
    /// Places of the guard that take the name in.
    named: Vec<Span>,
    /// `let second = …;`, which goes.
    removed: Option<Span>,
    /// `read` that becomes `write`.
    write: Option<Span>,
    /// The binding that becomes `mut`.
    mutable: Option<Span>,
    /// The statement after which the guard ends, if its block goes on.
    drop_after: Option<Span>,
}

impl Merging {
    /// Writes it down.
    pub(in crate::rules::contention) fn note(&self, finding: &mut Finding) {
        finding.fix = Some(Applicability::Unsafe);
        finding.fact(
            "caveat",
            "the lock is held from the first use to the last, and by a writer if one of them writes",
        );
        finding.fact("merge", self.name.clone());
        if let Some((from, before)) = self.bind {
            finding.fact("merge_bind", format!("{} {}", text(from), text(before)));
        }
        for &at in &self.named {
            finding.fact("merge_name", text(at));
        }
        let spans = [
            ("remove", self.removed),
            ("write", self.write),
            ("mutable", self.mutable),
            ("drop_after", self.drop_after),
        ];
        for (name, span) in spans {
            if let Some(span) = span {
                finding.fact(name, text(span));
            }
        }
    }
}

/// The lock is taken again at `again` while `guard` is alive: use the guard that is there.
pub(in crate::rules::contention) fn merge_held(
    unit: Unit<'_>,
    guard: Guard<'_>,
    again: ExprId,
) -> Result<Merging, Obstacle> {
    let cx = Cx::new(unit, guard)?;
    let Some(second) = second_guard(unit, again) else {
        return obstacle("the lock is acquired again in another function", cx.span(again));
    };
    let Holding::Named { local, .. } = cx.holding()? else {
        return obstacle("the first guard has no name", cx.span(cx.site));
    };
    let mut merging = Merging { name: cx.body.local(local).name.as_str().to_owned(), ..Merging::default() };
    if cx.in_closure(again) {
        return obstacle("the lock is acquired again in a closure", cx.span(again));
    }
    let alive_to = cx.mentions(local).into_iter().any(|id| cx.dropped_by(id).is_some());
    if alive_to {
        return obstacle("the first guard is dropped by hand", cx.span(cx.site));
    }
    cx.visible_at(local, cx.span(again).lo)?;
    let other = Cx::new(unit, second)?;
    other.use_name(&mut merging)?;
    cx.exclusive_enough(local, second, other.writes(), &mut merging)?;
    Ok(merging)
}

/// The lock is taken for `first`, let go, and taken again for `second`: keep it.
pub(in crate::rules::contention) fn merge_split(
    unit: Unit<'_>,
    first: Guard<'_>,
    second: Guard<'_>,
) -> Result<Merging, Obstacle> {
    let (cx, other) = (Cx::new(unit, first)?, Cx::new(unit, second)?);
    let (Some(from), Some(to)) = (cx.tree.stmt_around(cx.site), cx.tree.stmt_around(other.site)) else {
        return obstacle("the lock is acquired in a way that is not understood", cx.span(cx.site));
    };
    if from.block != to.block || from.index >= to.index {
        return obstacle("the two do not lie in one block", cx.span(other.site));
    }
    cx.quiet_between(from, to)?;
    let mut merging = Merging::default();
    match cx.holding()? {
        Holding::Named { .. } => {
            return obstacle("the first guard's block ends in between", cx.span(cx.site));
        }
        Holding::Temporary => {
            let chain = cx.acquisition();
            if !cx.comes_first(chain, from) {
                return obstacle("the lock is not the first thing in its statement", cx.span(cx.site));
            }
            merging.name = cx.guard_name();
            merging.bind = Some((cx.span(chain), from.span));
            merging.named.push(cx.span(chain));
        }
    }
    other.use_name(&mut merging)?;
    if first.lock.mode.exclusive != second.lock.mode.exclusive {
        let at = if first.lock.mode.exclusive { None } else { Some(cx.method_name()?) };
        merging.write = at;
    }
    let ExprKind::Block(block) = cx.tree.kind(to.block) else {
        return obstacle("the lock is acquired in a way that is not understood", cx.span(cx.site));
    };
    let last = other.last_use(to);
    if last.index + 1 < block.stmts.len() || (block.tail.is_some() && last.index < block.stmts.len()) {
        merging.drop_after = Some(last.span);
    }
    Ok(merging)
}

fn second_guard(unit: Unit<'_>, again: ExprId) -> Option<Guard<'_>> {
    unit.guards().find(|g| g.lock.site == Some(again) && g.lock.origin.is_none())
}

impl Cx<'_> {
    fn in_closure(&self, id: ExprId) -> bool {
        let mut here = id;
        while let Some(parent) = self.tree.parent(here) {
            if matches!(self.tree.kind(parent), ExprKind::Closure(_)) {
                return true;
            }
            here = parent;
        }
        false
    }

    /// The acquisition with what unwraps its result.
    fn acquisition(&self) -> ExprId {
        let facts = self.unit.cx().facts;
        let mut here = self.site;
        while let Some(parent) = self.tree.parent(here) {
            match self.tree.kind(parent) {
                ExprKind::Method { recv, .. }
                    if *recv == here && facts.holds_guard(self.types.expr(parent)) => {}
                ExprKind::Try(_) | ExprKind::Await(_) if facts.holds_guard(self.types.expr(parent)) => {}
                _ => return here,
            }
            here = parent;
        }
        here
    }

    /// The second guard becomes the first: its variable's mentions, or its acquisition, take the name.
    fn use_name(&self, merging: &mut Merging) -> Result<(), Obstacle> {
        match self.holding()? {
            Holding::Temporary => merging.named.push(self.span(self.acquisition())),
            Holding::Named { local, decl: Some(decl), .. } => {
                for mention in self.mentions(local) {
                    if self.dropped_by(mention).is_some() || !self.is_written_out(mention) {
                        return obstacle(
                            "the second guard is used in a way that is not understood",
                            self.span(mention),
                        );
                    }
                    merging.named.push(self.span(mention));
                }
                merging.removed = Some(decl.span);
            }
            Holding::Named { .. } => {
                return obstacle(
                    "the second guard is bound in a way that is not understood",
                    self.span(self.site),
                );
            }
        }
        Ok(())
    }

    /// A first guard that only reads becomes one that writes if the second writes.
    fn exclusive_enough(
        &self,
        local: LocalId,
        second: Guard<'_>,
        writes: bool,
        merging: &mut Merging,
    ) -> Result<(), Obstacle> {
        if writes && !self.body.local(local).mutable {
            merging.mutable = Some(self.body.local(local).span);
        }
        if second.lock.mode.exclusive && !self.guard.lock.mode.exclusive {
            merging.write = Some(self.method_name()?);
        }
        if !second.lock.mode.exclusive && !self.guard.lock.mode.exclusive {
            return Ok(());
        }
        // Something borrowed from the first guard cannot be there while the second writes.
        let borrows = crate::flow::borrows::borrows(&self.unit.a.program, self.body, self.types);
        let begin = self.span(self.site).hi;
        for (other, from) in &borrows {
            if from.contains(&local) && self.body.local(*other).span.lo > begin {
                return obstacle(
                    "something borrowed from the first guard is there",
                    self.body.local(*other).span,
                );
            }
        }
        Ok(())
    }

    /// Whether something is written through the guard.
    fn writes(&self) -> bool {
        let mut here = match self.holding() {
            Ok(Holding::Named { local, .. }) => return self.body.local(local).mutable,
            _ => self.acquisition(),
        };
        while let Some(parent) = self.tree.parent(here) {
            match self.tree.kind(parent) {
                ExprKind::Deref(_) | ExprKind::Field { .. } => {}
                ExprKind::Index { base, .. } if *base == here => {}
                ExprKind::Assign { lhs, .. } | ExprKind::AssignOp { lhs, .. } => return *lhs == here,
                ExprKind::Ref { mutable, .. } => return *mutable,
                ExprKind::Method { recv, .. } if *recv == here => {
                    return self.types.receivers.get(&parent).is_none_or(|r| r.mode != SelfMode::Ref);
                }
                _ => return false,
            }
            here = parent;
        }
        false
    }

    fn method_name(&self) -> Result<Span, Obstacle> {
        match self.tree.kind(self.site) {
            ExprKind::Method { name, name_span, .. } if name.as_str() == "read" => Ok(*name_span),
            _ => obstacle("the first guard only reads", self.span(self.site)),
        }
    }

    /// Whether nothing between two statements blocks, awaits, leaves, or takes a lock; both statements included.
    fn quiet_between(&self, from: Pos, to: Pos) -> Result<(), Obstacle> {
        let over = Span::new(from.span.lo, to.span.hi);
        for root in self.tree.evaluated(from.block, from.index, to.index + 1) {
            for id in self.tree.below(root) {
                match self.tree.kind(id) {
                    ExprKind::Return(_)
                    | ExprKind::Try(_)
                    | ExprKind::Break { .. }
                    | ExprKind::Continue { .. } => {
                        return obstacle("the code in between may leave", self.span(id));
                    }
                    ExprKind::Await(_) => return obstacle("the code in between awaits", self.span(id)),
                    ExprKind::Call { .. } | ExprKind::Method { .. } | ExprKind::Macro(_) => {
                        for effect in self.unit.effects().at(self.unit.ix, id) {
                            match effect.key {
                                Key::Block(..) | Key::AwaitIo(_) => {
                                    return obstacle("the code in between blocks", self.span(id));
                                }
                                Key::Calls(_) => {
                                    return obstacle(
                                        "the code in between calls what is not known",
                                        self.span(id),
                                    );
                                }
                                Key::Acquire(..) => {}
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
        let mut own = 0;
        for guard in self.unit.guards() {
            let Some(site) = guard.lock.site else { continue };
            if over.contains(self.span(site)) && guard.lock.held != Held::Cell {
                own += 1;
                if guard.lock.place != self.guard.lock.place {
                    return obstacle("another lock is taken in between", self.span(site));
                }
            }
        }
        // A call in between that takes the lock itself would wait for its caller.
        let called = self.unit.events().iter().find(|e| {
            e.kind == EventKind::Call
                && over.contains(self.span(e.expr))
                && self
                    .unit
                    .effects()
                    .at(self.unit.ix, e.expr)
                    .iter()
                    .any(|x| x.through.is_some() && matches!(x.key, Key::Acquire(..)))
        });
        match called {
            Some(event) => obstacle("a function called in between takes a lock", self.span(event.expr)),
            None if own == 2 => Ok(()),
            None => obstacle("the lock is taken more than twice", over),
        }
    }

    /// A name for the guard: that of the field or variable the lock is in.
    fn guard_name(&self) -> String {
        let lock = match self.tree.kind(self.site) {
            ExprKind::Method { recv, .. } => *recv,
            _ => return "guard".to_owned(),
        };
        let wish = match self.tree.kind(lock) {
            ExprKind::Field { name, .. } => name.as_str().to_owned(),
            _ => "guard".to_owned(),
        };
        let plain = wish.starts_with(|c: char| c.is_ascii_lowercase());
        let taken = self.body.locals.iter().any(|l| l.name.as_str() == wish);
        if plain && !taken { wish } else { "guard".to_owned() }
    }

    /// The last statement of the block that uses the guard, if it has a name; else the one that takes it.
    fn last_use(&self, to: Pos) -> Pos {
        let Ok(Holding::Named { local, .. }) = self.holding() else { return to };
        let ExprKind::Block(block) = self.tree.kind(to.block) else { return to };
        let mentions = self.mentions(local);
        let mut last = to;
        for (index, stmt) in block.stmts.iter().enumerate().skip(to.index) {
            let (Stmt::Let { span, .. } | Stmt::Expr { span, .. }) = stmt;
            if mentions.iter().any(|&m| span.contains(self.span(m))) {
                last = Pos { index, span: *span, ..to };
            }
        }
        if let Some(tail) = block.tail
            && mentions.iter().any(|&m| self.span(tail).contains(self.span(m)))
        {
            last = Pos { index: block.stmts.len(), span: self.span(tail), ..to };
        }
        last
    }
}
