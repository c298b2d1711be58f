//! Which guards may be alive at which event: forward data flow over the graph, union at joins.
//!
//! A state says for each slot which tokens it may hold. The classic worklist over reverse postorder
//! (Kildall 1973; Kam and Ullman 1976) reaches its fixpoint because states only grow.

use super::cfg::{Action, BlockIx, Cfg, Event, EventKind, RETURN, SlotIx, Token, TokenIx};
use super::types::TypeFacts;
use crate::hir::{ExprId, LocalId};

/// What is known of the guards of one unit.
#[derive(Clone, Debug, Default)]
pub struct Regions {
    /// The guards.
    pub tokens: Vec<TokenFlow>,
    /// Events at which some guard may be alive or goes into the call, in the order of the code.
    pub events: Vec<HeldEvent>,
}

/// One guard's way.
#[derive(Clone, Debug)]
pub struct TokenFlow {
    /// What it is.
    pub token: Token,
    /// Variables that may hold it, in order of their slots.
    pub locals: Vec<LocalId>,
    /// Whether the unit may return it.
    pub returned: bool,
}

/// An event and the guards around it.
#[derive(Clone, Debug)]
pub struct HeldEvent {
    /// The call, await, macro or loop.
    pub expr: ExprId,
    /// Which.
    pub kind: EventKind,
    /// Guards that may be alive, those that go into the call left out.
    pub held: Vec<TokenIx>,
    /// Guards that go into the call by value: argument index and token.
    pub moved: Vec<(u8, TokenIx)>,
    /// Guards lent back for the time of the call.
    pub suspended: Vec<TokenIx>,
}

struct Flow<'a> {
    cfg: &'a Cfg,
    words: usize,
    fits: Vec<bool>,
}

impl Flow<'_> {
    fn row(&self, slot: SlotIx) -> std::ops::Range<usize> {
        let start = slot as usize * self.words;
        start..start + self.words
    }

    fn step(&self, state: &mut [u64], action: Action) {
        match action {
            Action::Birth { token, slot } => {
                state[self.row(slot).start + token as usize / 64] |= 1 << (token % 64);
            }
            Action::Move { from, to } => {
                for (a, b) in self.row(from).zip(self.row(to)) {
                    state[b] |= state[a];
                    state[a] = 0;
                }
            }
            Action::Copy { from, to } => {
                let tokens = self.cfg.tokens.len();
                for token in 0..tokens {
                    let (word, bit) = (token / 64, 1u64 << (token % 64));
                    if state[self.row(from).start + word] & bit != 0
                        && self.fits[to as usize * tokens + token]
                    {
                        state[self.row(to).start + word] |= bit;
                    }
                }
            }
            Action::Drop { slot } => state[self.row(slot)].fill(0),
            Action::Event(_) | Action::Access(_) => {}
        }
    }
}

/// Solves a unit's graph. Quadratic in nothing but tokens × slots, which are few.
pub fn solve(cfg: &Cfg, facts: TypeFacts<'_>) -> Regions {
    let tokens = cfg.tokens.len();
    if tokens == 0 {
        return Regions::default();
    }
    let words = tokens.div_ceil(64);
    let size = cfg.slots.len() * words;
    let guards: Vec<_> = cfg.tokens.iter().map(|t| facts.guard_in(t.ty)).collect();
    let mut fits = vec![false; cfg.slots.len() * tokens];
    for (s, slot) in cfg.slots.iter().enumerate() {
        for (t, guard) in guards.iter().enumerate() {
            // An iterator over shard references yields references of another type.
            let own = guard.is_some_and(|g| facts.holds_type(slot.ty, g));
            fits[s * tokens + t] = own || guard.is_some_and(|g| facts.is_iterator(g));
        }
    }
    let flow = Flow { cfg, words, fits };
    let order = reverse_postorder(cfg);
    let mut position = vec![u32::MAX; cfg.blocks.len()];
    for (i, &b) in order.iter().enumerate() {
        position[b as usize] = i as u32;
    }
    let mut entry = vec![0u64; cfg.blocks.len() * size];
    let mut dirty = vec![true; order.len()];
    let mut state = vec![0u64; size];
    let mut at = 0;
    while at < order.len() {
        if !std::mem::take(&mut dirty[at]) {
            at += 1;
            continue;
        }
        let block = order[at] as usize;
        state.copy_from_slice(&entry[block * size..(block + 1) * size]);
        for &action in &cfg.blocks[block].actions {
            flow.step(&mut state, action);
        }
        let mut next = at + 1;
        for &succ in &cfg.blocks[block].succs {
            let target = &mut entry[succ as usize * size..(succ as usize + 1) * size];
            let mut changed = false;
            for (t, s) in target.iter_mut().zip(&state) {
                changed |= *s & !*t != 0;
                *t |= s;
            }
            if changed {
                let pos = position[succ as usize] as usize;
                dirty[pos] = true;
                next = next.min(pos);
            }
        }
        at = next;
    }
    collect(&flow, &order, &entry, size)
}

fn collect(flow: &Flow<'_>, order: &[BlockIx], entry: &[u64], size: usize) -> Regions {
    let cfg = flow.cfg;
    let mut ever = vec![0u64; size];
    let mut events = Vec::new();
    let mut state = vec![0u64; size];
    for &block in order {
        let block = block as usize;
        state.copy_from_slice(&entry[block * size..(block + 1) * size]);
        for &action in &cfg.blocks[block].actions {
            if let Action::Event(ix) = action {
                let event = &cfg.events[ix as usize];
                if let Some(held) = held_at(flow, &state, event) {
                    events.push((ix, held));
                }
            }
            flow.step(&mut state, action);
            for (e, s) in ever.iter_mut().zip(&state) {
                *e |= s;
            }
        }
    }
    events.sort_by_key(|(ix, _)| *ix);
    let tokens = cfg
        .tokens
        .iter()
        .enumerate()
        .map(|(t, &token)| {
            let has = |slot: usize| ever[slot * flow.words + t / 64] & (1 << (t % 64)) != 0;
            let locals =
                cfg.slots.iter().enumerate().filter(|(s, _)| has(*s)).filter_map(|(_, s)| s.local).collect();
            TokenFlow { token, locals, returned: has(RETURN as usize) }
        })
        .collect();
    Regions { tokens, events: events.into_iter().map(|(_, e)| e).collect() }
}

fn held_at(flow: &Flow<'_>, state: &[u64], event: &Event) -> Option<HeldEvent> {
    if state.iter().all(|&w| w == 0) {
        return None;
    }
    let tokens_in = |slot: SlotIx| {
        let row = flow.row(slot);
        let words = state[row].to_vec();
        (0..flow.cfg.tokens.len() as u32).filter(move |&t| words[t as usize / 64] & (1 << (t % 64)) != 0)
    };
    let mut out = HeldEvent {
        expr: event.expr,
        kind: event.kind,
        held: Vec::new(),
        moved: Vec::new(),
        suspended: event.suspended.into_iter().flat_map(tokens_in).collect(),
    };
    for &(arg, slot) in &event.moved {
        out.moved.extend(tokens_in(slot).map(|t| (arg, t)));
    }
    for slot in 0..flow.cfg.slots.len() as SlotIx {
        if event.moved.iter().any(|m| m.1 == slot) {
            continue;
        }
        for token in tokens_in(slot) {
            if !out.held.contains(&token) && !out.suspended.contains(&token) {
                out.held.push(token);
            }
        }
    }
    out.held.sort_unstable();
    Some(out)
}

fn reverse_postorder(cfg: &Cfg) -> Vec<BlockIx> {
    let mut seen = vec![false; cfg.blocks.len()];
    let mut order = Vec::with_capacity(cfg.blocks.len());
    let mut stack: Vec<(BlockIx, usize)> = vec![(0, 0)];
    seen[0] = true;
    while let Some((block, next)) = stack.last_mut() {
        match cfg.blocks[*block as usize].succs.get(*next) {
            Some(&succ) => {
                *next += 1;
                if !std::mem::replace(&mut seen[succ as usize], true) {
                    stack.push((succ, 0));
                }
            }
            None => {
                order.push(*block);
                stack.pop();
            }
        }
    }
    order.reverse();
    order
}
