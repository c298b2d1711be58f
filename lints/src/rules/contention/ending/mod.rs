//! How the region of a guard can be made to end before something that it should not span: let the guard go earlier, take
//! it later, or bind the copy that is needed and let go.
//!
//! What is said here holds for the code as it is typed and flows; the fixer only writes it down. What is not understood
//! is an [`Obstacle`].

mod bind;
mod later;
mod merge;
mod private;
mod tree;
mod values;

pub(super) use merge::{merge_held, merge_split};

use rustc_hash::FxHashSet;

use crate::finding::{Applicability, Finding};
use crate::flow::borrows;
use crate::flow::liveness::Liveness;
use crate::flow::{Held, walk};
use crate::hir::{Body, ExprId, ExprKind, LocalId, MacroKind, PatId, PatKind, Stmt};
use crate::infer::{BodyTypes, Callee, SelfMode};
use crate::rules::held::{Guard, Unit};
use crate::source::Span;
use crate::ty::Ty;
use tree::{Pos, Tree};

/// What stands in the way, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Obstacle {
    pub(super) reason: &'static str,
    pub(super) at: Option<Span>,
}

pub(super) fn obstacle<T>(reason: &'static str, at: impl Into<Option<Span>>) -> Result<T, Obstacle> {
    Err(Obstacle { reason, at: at.into() })
}

/// A value that gets a name of its own.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub(super) name: String,
    pub(super) value: Span,
    /// The statement before which it is bound; `None`: where it stands, in a block.
    pub(super) before: Option<Span>,
}

/// How a region can end earlier.
#[derive(Clone, Debug, Default)]
pub(super) struct Ending {
    /// Values to bind, in order of evaluation.
    pub(super) bound: Vec<Bound>,
    /// Statements before which the guard is dropped.
    pub(super) drops: Vec<Span>,
    /// Later explicit drops, which go.
    pub(super) removed: Vec<Span>,
    /// The statement that takes the guard, and the statement before which it is to stand.
    pub(super) moved: Option<(Span, Span)>,
    /// What is done without the lock that was done under it.
    pub(super) exposed: Vec<ExprId>,
}

/// How a guard is held.
enum Holding {
    /// By a variable that lives in a block.
    Named { local: LocalId, scope: ExprId, decl: Option<Pos> },
    /// By no variable: to the end of a statement or scrutinee.
    Temporary,
}

/// What all the questions are about.
pub(super) struct Cx<'a> {
    unit: Unit<'a>,
    guard: Guard<'a>,
    site: ExprId,
    body: &'a Body,
    types: &'a BodyTypes,
    tree: Tree<'a>,
}

impl<'a> Cx<'a> {
    pub(super) fn new(unit: Unit<'a>, guard: Guard<'a>) -> Result<Cx<'a>, Obstacle> {
        let body = unit.a.program.body(unit.body);
        let Some(site) = guard.lock.site else {
            return obstacle("the guard comes from outside of the function", None);
        };
        let cx =
            Cx { unit, guard, site, body, types: &unit.a.types[unit.body.0 as usize], tree: Tree::new(body) };
        if unit.a.program.item(unit.owner).from_macro || cx.in_strange_macro(site) {
            return obstacle("the code is made by a macro", body.expr(site).span);
        }
        if guard.flow.returned {
            return obstacle("the guard is returned", body.expr(site).span);
        }
        let class = guard.lock.place.as_ref().and_then(|p| p.class(&unit.a.program));
        if class.is_some_and(|class| unit.a.effects.is_tried(&unit.a.program, class)) {
            return obstacle(
                "elsewhere the lock is only tried, and code acts on its being held",
                body.expr(site).span,
            );
        }
        Ok(cx)
    }

    fn in_strange_macro(&self, id: ExprId) -> bool {
        let mut here = Some(id);
        while let Some(id) = here {
            if matches!(self.tree.kind(id), ExprKind::Macro(m) if !tree::readable(m.kind)) {
                return true;
            }
            here = self.tree.parent(id);
        }
        false
    }

    fn span(&self, id: ExprId) -> Span {
        self.body.expr(id).span
    }

    fn holding(&self) -> Result<Holding, Obstacle> {
        let facts = self.unit.cx().facts;
        let mut here = self.site;
        loop {
            if let Some(pos) = self.tree.stmt_of(here)
                && let Some(Stmt::Let { pat, init, .. }) = self.stmt(pos)
                && *init == Some(here)
            {
                return self.named(*pat, pos.block, Some(pos));
            }
            let Some(parent) = self.tree.parent(here) else { return Ok(Holding::Temporary) };
            match self.tree.kind(parent) {
                ExprKind::Method { recv, .. }
                    if *recv == here && facts.holds_guard(self.types.expr(parent)) =>
                {
                    // `iter().next()`: the iterator stays, as a temporary, and holds what it holds.
                    if self.types.receivers.get(&parent).is_some_and(|r| r.mode != SelfMode::Value) {
                        return obstacle("a temporary holds the lock as well", self.span(parent));
                    }
                }
                ExprKind::Try(_) | ExprKind::Await(_) if facts.holds_guard(self.types.expr(parent)) => {}
                ExprKind::Call { .. } if facts.holds_guard(self.types.expr(parent)) => {}
                ExprKind::Let { pat, .. } if !self.guard.flow.locals.is_empty() => {
                    let Some(then) = self.then_of(parent) else { return Ok(Holding::Temporary) };
                    return self.named(*pat, then, None);
                }
                ExprKind::Match { scrutinee, arms }
                    if *scrutinee == here && !self.guard.flow.locals.is_empty() =>
                {
                    let Some(&local) = self.guard.flow.locals.first() else { return Ok(Holding::Temporary) };
                    let arm = arms.iter().find(|arm| self.binds(arm.pat, local));
                    let Some(arm) = arm else { return Ok(Holding::Temporary) };
                    return self.named(arm.pat, arm.body, None);
                }
                _ if self.guard.flow.locals.is_empty() => return Ok(Holding::Temporary),
                _ => return obstacle("the guard is handed on", self.span(parent)),
            }
            here = parent;
        }
    }

    /// The branch in which the bindings of an `if let` live.
    fn then_of(&self, let_: ExprId) -> Option<ExprId> {
        let mut here = let_;
        loop {
            let parent = self.tree.parent(here)?;
            match self.tree.kind(parent) {
                ExprKind::Binary { op: crate::hir::BinaryOp::And, .. } => here = parent,
                ExprKind::If { cond, then, .. } if *cond == here => return Some(*then),
                _ => return None,
            }
        }
    }

    fn binds(&self, pat: PatId, local: LocalId) -> bool {
        let mut found = false;
        walk::for_each_pat(self.body, pat, &mut |p| {
            found |= matches!(self.body.pat(p).kind, PatKind::Bind { local: l, .. } if l == local);
        });
        found
    }

    fn named(&self, pat: PatId, scope: ExprId, decl: Option<Pos>) -> Result<Holding, Obstacle> {
        let [local] = self.guard.flow.locals[..] else {
            return obstacle("the guard goes by several names", self.body.pat(pat).span);
        };
        if !self.binds(pat, local) || self.body.local(local).by_ref {
            return obstacle("the guard is bound in a way that is not understood", self.body.pat(pat).span);
        }
        let plain = matches!(self.body.pat(pat).kind, PatKind::Bind { sub: None, .. });
        Ok(Holding::Named { local, scope, decl: decl.filter(|_| plain) })
    }

    fn stmt(&self, pos: Pos) -> Option<&'a Stmt> {
        match self.tree.kind(pos.block) {
            ExprKind::Block(block) => block.stmts.get(pos.index),
            _ => None,
        }
    }

    fn mentions(&self, local: LocalId) -> Vec<ExprId> {
        let mut found = self.tree.below(self.body.root);
        found.retain(|&id| self.body.expr(id).kind == ExprKind::Local(local));
        found
    }

    /// The call `drop(local)` that a mention of the variable stands in, as a statement of its own.
    fn dropped_by(&self, mention: ExprId) -> Option<Pos> {
        let call = self.tree.parent(mention)?;
        let drops = matches!(self.types.callee(call), Callee::Ext(path) if path.as_str() == "std::mem::drop");
        let pos = self.tree.stmt_of(call).filter(|_| drops)?;
        matches!(self.stmt(pos), Some(Stmt::Expr { semi: true, .. })).then_some(pos)
    }

    /// Whether a value owns all that it holds: nothing of it is borrowed, and it is no guard.
    fn owned(&self, ty: Ty) -> bool {
        !borrows::may_borrow(&self.unit.a.program, ty) && !self.unit.cx().facts.holds_guard(ty)
    }

    fn liveness(&self, points: &FxHashSet<ExprId>, ignored: &FxHashSet<ExprId>) -> Liveness {
        Liveness::without(&self.unit.a.program, self.unit.body, self.types, points, ignored)
    }

    /// Whether control leaves the function, or a loop around, at the end of the expression.
    fn leaves(&self, id: ExprId) -> bool {
        match self.tree.kind(id) {
            ExprKind::Return(_) | ExprKind::Break { .. } | ExprKind::Continue { .. } => true,
            ExprKind::Macro(m) => m.kind == MacroKind::Diverge,
            ExprKind::Block(b) => match (b.tail, b.stmts.last()) {
                (Some(tail), _) => self.leaves(tail),
                (None, Some(Stmt::Expr { expr, .. })) => self.leaves(*expr),
                _ => false,
            },
            _ => false,
        }
    }

    /// How to end the region before `hazards`.
    pub(super) fn end(&self, hazards: &[ExprId]) -> Result<Ending, Obstacle> {
        match self.holding()? {
            Holding::Temporary => self.bind_temporary(hazards),
            Holding::Named { local, scope, decl } => {
                let used = self.mentions(local).into_iter().any(|id| self.dropped_by(id).is_none());
                if !used && self.guard.lock.held != Held::Shard {
                    return obstacle(
                        "the guard is used for nothing but the lock: it orders what is done under it",
                        self.body.local(local).span,
                    );
                }
                let first = match self.drop_before(local, scope, hazards) {
                    Ok(ending) => return Ok(ending),
                    Err(obstacle) => obstacle,
                };
                if let Some(ending) = self.bind_before(local, scope, hazards)? {
                    return Ok(ending);
                }
                match decl {
                    Some(decl) if self.guard.lock.held != Held::Shard => {
                        self.take_later(local, decl, hazards).map_err(|later| later.unwrap_or(first))
                    }
                    _ => Err(first),
                }
            }
        }
    }

    /// `drop(guard)` before the outermost statement around each hazard at whose beginning the guard is dead.
    fn drop_before(&self, local: LocalId, scope: ExprId, hazards: &[ExprId]) -> Result<Ending, Obstacle> {
        let chains: Vec<Vec<Pos>> = hazards.iter().map(|&h| self.tree.chain(h, scope)).collect();
        let points: FxHashSet<ExprId> = chains.iter().flatten().map(|p| p.expr).collect();
        let explicit: Vec<Pos> =
            self.mentions(local).into_iter().filter_map(|m| self.dropped_by(m)).collect();
        let strict = self.liveness(&points, &FxHashSet::default());
        let relaxed = self.liveness(&points, &explicit.iter().map(|p| p.expr).collect());
        let mut at: Vec<Pos> = Vec::new();
        let mut order: Vec<usize> = (0..hazards.len()).collect();
        order.sort_by_key(|&i| self.span(hazards[i]).lo);
        for i in order {
            let hazard = self.span(hazards[i]);
            let covers = |p: &Pos| hazard.lo >= p.span.lo && self.span(p.block).contains(hazard);
            if at.iter().any(covers) {
                continue;
            }
            let free = |p: &&Pos| !strict.live_before(p.expr, local);
            let freed = |p: &&Pos| p.block == scope && !relaxed.live_before(p.expr, local);
            let found = chains[i].iter().find(free).or_else(|| chains[i].iter().find(freed));
            let Some(&pos) = found else {
                let after =
                    self.mentions(local).into_iter().map(|m| self.span(m)).find(|s| s.lo >= hazard.lo);
                return obstacle(
                    "the guard, or what was borrowed from it, is used afterwards",
                    after.unwrap_or(hazard),
                );
            };
            if let Some(last) = at.last()
                && !self.leaves(last.block)
            {
                return obstacle("the guard would have to end in two places of one path", hazard);
            }
            at.push(pos);
        }
        let mut ending = Ending::default();
        for pos in at {
            self.droppable_at(local, pos)?;
            ending.removed.extend(
                explicit.iter().filter(|d| d.span.lo > pos.span.lo && pos.block == scope).map(|d| d.span),
            );
            ending.drops.push(pos.span);
            ending.exposed.extend(self.tree.evaluated(pos.block, pos.index, usize::MAX));
        }
        ending.removed.sort_unstable();
        ending.removed.dedup();
        Ok(ending)
    }

    /// Refuses if the variable's name means another by the time of a statement.
    fn visible_at(&self, local: LocalId, at: u32) -> Result<(), Obstacle> {
        let own = self.body.local(local);
        let shadows =
            |l: &&crate::hir::Local| l.name == own.name && l.span.lo > own.span.lo && l.span.lo < at;
        match self.body.locals.iter().find(shadows) {
            Some(shadow) => obstacle("the guard's name means something else by then", shadow.span),
            None => Ok(()),
        }
    }

    /// Refuses if the guard cannot be named at a statement, or if something made from it, and still there, does
    /// something when it is dropped.
    fn droppable_at(&self, local: LocalId, pos: Pos) -> Result<(), Obstacle> {
        self.visible_at(local, pos.span.lo)?;
        let dropped = self
            .mentions(local)
            .into_iter()
            .filter_map(|m| self.dropped_by(m))
            .find(|d| d.span.hi <= pos.span.lo && self.span(d.block).contains(pos.span));
        if let Some(dropped) = dropped {
            return obstacle("the guard is dropped already: something else holds the lock", dropped.span);
        }
        let borrows = borrows::borrows(&self.unit.a.program, self.body, self.types);
        let begin = self.span(self.site).hi;
        for (&other, from) in &borrows {
            let span = self.body.local(other).span;
            let there = span.lo > begin && span.lo < pos.span.lo;
            if other != local
                && there
                && from.contains(&local)
                && self.may_drop_borrow(self.types.local(other))
            {
                return obstacle("what was made from the guard is dropped after it", span);
            }
        }
        Ok(())
    }

    /// Whether dropping a value may use what it borrows.
    fn may_drop_borrow(&self, ty: Ty) -> bool {
        use crate::ty::TyKind;
        match ty.kind() {
            TyKind::Ref(..) | TyKind::Ptr(_) => false,
            TyKind::Tuple(parts) => parts.iter().any(|&t| self.may_drop_borrow(t)),
            TyKind::Array(t) | TyKind::Slice(t) => self.may_drop_borrow(*t),
            TyKind::Ext(path, args)
                if matches!(
                    path.as_str(),
                    "std::option::Option" | "std::result::Result" | "std::vec::Vec"
                ) =>
            {
                args.iter().any(|&t| self.may_drop_borrow(t))
            }
            _ => borrows::may_borrow(&self.unit.a.program, ty),
        }
    }
}

/// Writes down how a region can end, or why it cannot.
pub(super) fn note(
    found: Result<Ending, Obstacle>,
    grade: impl FnOnce(&Ending) -> (Applicability, Option<&'static str>),
    finding: &mut Finding,
) {
    match found {
        Ok(ending) => {
            let (applicability, caveat) = grade(&ending);
            finding.fix = Some(applicability);
            if let Some(caveat) = caveat {
                finding.fact("caveat", caveat);
            }
            for bound in &ending.bound {
                let before = bound.before.map_or_else(String::new, |b| format!(" {}", text(b)));
                finding.fact("bind", format!("{} {}{before}", bound.name, text(bound.value)));
            }
            for &at in &ending.drops {
                finding.fact("drop_before", text(at));
            }
            for &at in &ending.removed {
                finding.fact("remove", text(at));
            }
            if let Some((from, to)) = ending.moved {
                finding.fact("move", format!("{} {}", text(from), text(to)));
            }
        }
        Err(obstacle) => refuse(obstacle, finding),
    }
}

/// Writes down why there is no fix.
pub(super) fn refuse(obstacle: Obstacle, finding: &mut Finding) {
    finding.fix = None;
    finding.fact("refused", obstacle.reason);
    if let Some(at) = obstacle.at {
        finding.fact("blocked_at", text(at));
    }
}

pub(super) fn text(span: Span) -> String {
    format!("{}..{}", span.lo, span.hi)
}
