//! From the tree of a unit to its control flow graph, with Rust's drop scopes as the reference has them
//! ("Destructors": <https://doc.rust-lang.org/reference/destructors.html>).
//!
//! Every value that can hold a guard gets a slot in the scope its temporary would live in; moves carry the guard on, so
//! dropping a slot that was moved from is nothing. A place expression is not moved by being looked at.

mod call;
mod control;
mod expr;
mod pat;
mod stmt;

use rustc_hash::FxHashMap;

use super::cfg::{
    Access, AccessKind, Action, Block, BlockIx, Cfg, Event, Origin, RETURN, Slot, SlotIx, Token,
};
use super::types::TypeFacts;
use super::units::{Unit, UnitKind};
use super::walk;
use crate::hir::{Body, ExprId, ExprKind, LocalId};
use crate::infer::BodyTypes;
use crate::name::Name;
use crate::program::{BodyIx, Program};
use crate::ty::Ty;

/// What building needs to know.
#[derive(Clone, Copy)]
pub struct BuildCx<'a> {
    /// The program.
    pub program: &'a Program,
    /// Answers about types.
    pub facts: TypeFacts<'a>,
    /// The body's tree.
    pub body: &'a Body,
    /// Its types.
    pub types: &'a BodyTypes,
    /// Its index.
    pub ix: BodyIx,
}

/// Builds a unit's graph. Linear in the size of its code.
pub fn build(cx: BuildCx<'_>, unit: &Unit) -> Cfg {
    let mut b = Builder {
        cx,
        edition: cx.program.edition(cx.ix),
        cfg: Cfg::default(),
        cur: 0,
        scopes: Vec::new(),
        temps: 0,
        loops: Vec::new(),
        local_slots: FxHashMap::default(),
        value_slots: FxHashMap::default(),
    };
    b.new_block();
    let ret = cx.types.expr(unit.root);
    b.cfg.slots.push(Slot { local: None, ty: ret });
    b.unit(unit);
    b.cfg
}

/// A drop scope.
#[derive(Default)]
struct Scope {
    slots: Vec<SlotIx>,
}

/// Where `break` and `continue` go.
struct LoopTarget {
    label: Option<Name>,
    /// A labelled block: only `break 'label` means it.
    is_block: bool,
    /// Scopes up to here stay.
    depth: usize,
    break_to: BlockIx,
    continue_to: BlockIx,
    result: Option<SlotIx>,
}

struct Builder<'a> {
    cx: BuildCx<'a>,
    edition: u16,
    cfg: Cfg,
    cur: BlockIx,
    scopes: Vec<Scope>,
    /// Index of the scope that new temporaries belong to.
    temps: usize,
    loops: Vec<LoopTarget>,
    local_slots: FxHashMap<LocalId, SlotIx>,
    /// The temporaries of values that were asked for as places.
    value_slots: FxHashMap<ExprId, SlotIx>,
}

impl Builder<'_> {
    fn unit(&mut self, unit: &Unit) {
        let body = self.cx.body;
        self.push_scope();
        for &pat in &unit.params {
            self.param(pat);
        }
        if unit.kind != UnitKind::Item {
            self.captures(unit);
        }
        // Temporaries of the tail expression outlive the variables of the block before 2024.
        self.temps = self.scopes.len() - 1;
        let value = match &body.expr(unit.root).kind {
            ExprKind::Block(block) if unit.kind == UnitKind::Async => {
                self.block(unit.root, block, Some(RETURN))
            }
            _ => self.value(unit.root),
        };
        if let Some(slot) = value
            && slot != RETURN
        {
            self.act(Action::Move { from: slot, to: RETURN });
        }
        self.pop_scope();
    }

    /// A parameter that is a guard is held from the start; on whose behalf only the caller knows.
    fn param(&mut self, pat: crate::hir::PatId) {
        for local in self.bound_locals(pat) {
            self.access(local, AccessKind::Write, None);
            self.declare(local);
            if let Some(&slot) = self.local_slots.get(&local) {
                let ty = self.cx.types.local(local);
                let token = self.token(Origin::Param(local), ty);
                self.act(Action::Birth { token, slot });
            }
        }
    }

    /// Guards of the code around that a moving closure or async block takes with it.
    fn captures(&mut self, unit: &Unit) {
        let is_move = match &self.cx.body.expr(unit.expr).kind {
            ExprKind::Closure(c) => c.is_move,
            ExprKind::Block(b) => b.kind == (crate::hir::BlockKind::Async { is_move: true }),
            _ => false,
        };
        for local in self.captured_locals(unit.expr) {
            self.access(local, AccessKind::Write, None);
            if is_move && self.cx.facts.holds_guard(self.cx.types.local(local)) {
                self.declare(local);
                if let Some(&slot) = self.local_slots.get(&local) {
                    let token = self.token(Origin::Param(local), self.cx.types.local(local));
                    self.act(Action::Birth { token, slot });
                }
            }
        }
    }

    /// Variables used below `root` that are not bound there.
    fn captured_locals(&self, root: ExprId) -> Vec<LocalId> {
        let body = self.cx.body;
        let span = body.expr(root).span;
        let mut found = Vec::new();
        walk::for_each_below(body, root, &mut |id| {
            if let ExprKind::Local(local) = body.expr(id).kind
                && !span.contains(body.local(local).span)
                && !found.contains(&local)
            {
                found.push(local);
            }
            true
        });
        found
    }

    // Blocks and actions.

    fn new_block(&mut self) -> BlockIx {
        self.cfg.blocks.push(Block::default());
        self.cfg.blocks.len() as BlockIx - 1
    }

    fn act(&mut self, action: Action) {
        self.cfg.blocks[self.cur as usize].actions.push(action);
    }

    fn edge(&mut self, from: BlockIx, to: BlockIx) {
        self.cfg.blocks[from as usize].succs.push(to);
    }

    /// Goes on in `to`; what is built next is in a new block that nothing leads to.
    fn jump(&mut self, to: BlockIx) {
        self.edge(self.cur, to);
        self.cur = self.new_block();
    }

    /// A new block that the current one may go to.
    fn fork(&mut self) -> BlockIx {
        let to = self.new_block();
        self.edge(self.cur, to);
        to
    }

    fn go(&mut self, to: BlockIx) {
        self.edge(self.cur, to);
        self.cur = to;
    }

    fn event(&mut self, event: Event) {
        let ix = self.cfg.events.len() as u32;
        self.cfg.events.push(event);
        self.act(Action::Event(ix));
    }

    fn access(&mut self, local: LocalId, kind: AccessKind, expr: Option<ExprId>) {
        let ix = self.cfg.accesses.len() as u32;
        self.cfg.accesses.push(Access { local, kind, expr });
        self.act(Action::Access(ix));
    }

    fn token(&mut self, origin: Origin, ty: Ty) -> u32 {
        let known = self.cfg.tokens.iter().position(|t| t.origin == origin);
        let ix = known.unwrap_or_else(|| {
            self.cfg.tokens.push(Token { origin, ty });
            self.cfg.tokens.len() - 1
        });
        ix as u32
    }

    // Scopes and slots.

    fn push_scope(&mut self) -> usize {
        self.scopes.push(Scope::default());
        self.scopes.len() - 1
    }

    fn pop_scope(&mut self) {
        if let Some(scope) = self.scopes.pop() {
            for &slot in scope.slots.iter().rev() {
                self.act(Action::Drop { slot });
            }
        }
    }

    /// Runs `f` with a new scope that temporaries belong to.
    fn terminating<T>(&mut self, f: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.temps;
        self.temps = self.push_scope();
        let out = f(self);
        self.pop_scope();
        self.temps = outer;
        out
    }

    /// Drops what lives in the scopes above `depth`, without closing them: the way of `break`, `return`, `?`.
    fn drop_above(&mut self, depth: usize) {
        let slots: Vec<SlotIx> = self.scopes[depth.min(self.scopes.len())..]
            .iter()
            .flat_map(|s| s.slots.iter().copied())
            .collect();
        for &slot in slots.iter().rev() {
            self.act(Action::Drop { slot });
        }
    }

    /// A slot in a scope for values of a type that can hold a guard.
    fn slot_in(&mut self, scope: usize, ty: Ty) -> Option<SlotIx> {
        if !self.cx.facts.holds_guard(ty) {
            return None;
        }
        let ix = self.cfg.slots.len() as SlotIx;
        self.cfg.slots.push(Slot { local: None, ty });
        if let Some(scope) = self.scopes.get_mut(scope) {
            scope.slots.push(ix);
        }
        Some(ix)
    }

    /// A temporary for the value of an expression.
    fn temp(&mut self, id: ExprId) -> Option<SlotIx> {
        self.slot_in(self.temps, self.cx.types.expr(id))
    }

    /// Gives a variable its slot in the innermost scope.
    fn declare(&mut self, local: LocalId) {
        let scope = self.scopes.len().saturating_sub(1);
        self.declare_in(local, scope);
    }

    fn declare_in(&mut self, local: LocalId, scope: usize) {
        if self.cx.body.local(local).by_ref {
            return;
        }
        let ty = self.cx.types.local(local);
        if let Some(&slot) = self.local_slots.get(&local) {
            // An or-pattern's alternatives share the variable, and so does the same body built in two places.
            if let Some(scope) = self.scopes.get_mut(scope)
                && !scope.slots.contains(&slot)
            {
                scope.slots.push(slot);
            }
            return;
        }
        if let Some(slot) = self.slot_in(scope, ty) {
            self.cfg.slots[slot as usize].local = Some(local);
            self.local_slots.insert(local, slot);
        }
    }

    fn transfer(&mut self, from: Option<SlotIx>, to: Option<SlotIx>) {
        match (from, to) {
            (Some(from), Some(to)) if from != to => self.act(Action::Move { from, to }),
            (Some(from), None) => self.act(Action::Drop { slot: from }),
            _ => {}
        }
    }
}
