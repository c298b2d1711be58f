//! What each guard locks: from its acquisition, through functions that return guards.

use rayon::prelude::*;

use super::cfg::Origin;
use super::place::{Place, PlaceCx};
use super::regions::Regions;
use super::units::UnitIx;
use crate::hir::{ExprId, ExprKind};
use crate::infer::Callee;
use crate::knowledge::Acquire;
use crate::program::{BodyIx, DefId};
use crate::ty::Ty;

/// The kinds of thing held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Held {
    /// A lock that blocks the thread.
    Lock,
    /// A lock that is awaited.
    AsyncLock,
    /// A reference into a concurrent map.
    Shard,
    /// A `RefCell` borrow.
    Cell,
}

/// What a guard locks.
#[derive(Clone, Debug)]
pub struct LockInfo {
    /// Which kind of thing.
    pub held: Held,
    /// Which lock, as far as known, in terms of the unit's body.
    pub place: Option<Place>,
    /// How it was taken.
    pub mode: Acquire,
    /// What it guards.
    pub guarded: Ty,
    /// The acquisition or the call that returned the guard; `None` if it came in by a parameter.
    pub site: Option<ExprId>,
    /// The acquisition itself where that is in another function.
    pub origin: Option<(BodyIx, ExprId)>,
    /// Nothing is known to be held: a function whose result could hold a guard returned none.
    pub void: bool,
}

/// Resolves all tokens of all units.
pub fn resolve(cx: PlaceCx<'_>, regions: &[Regions]) -> Vec<Vec<LockInfo>> {
    regions
        .par_iter()
        .enumerate()
        .map(|(u, r)| (0..r.tokens.len()).map(|t| info(cx, regions, UnitIx(u as u32), t, 6)).collect())
        .collect()
}

const UNSURE: Acquire = Acquire { exclusive: false, is_try: false, recursive: false };

fn info(cx: PlaceCx<'_>, regions: &[Regions], unit: UnitIx, token: usize, depth: u32) -> LockInfo {
    let flow = &regions[unit.0 as usize].tokens[token];
    let body = cx.units.get(unit).body;
    let guard = cx.facts.guard_in(flow.token.ty).unwrap_or(flow.token.ty);
    let by_type = LockInfo {
        held: held_by_guard(cx, guard),
        place: None,
        mode: UNSURE,
        guarded: cx.facts.guarded(guard),
        site: None,
        origin: None,
        void: false,
    };
    match flow.token.origin {
        Origin::Param(_) => by_type,
        Origin::Acquire(call) => acquisition(cx, body, call, guard).unwrap_or(by_type),
        Origin::Call(call) => {
            let types = &cx.types[body.0 as usize];
            let returned = match types.callee(call) {
                Callee::Fn(def) => returned_by(cx, regions, def, depth),
                Callee::Virtual(def) => cx
                    .program
                    .decls
                    .implementors
                    .get(&def)
                    .into_iter()
                    .flatten()
                    .find_map(|&d| returned_by(cx, regions, d, depth)),
                _ => None,
            };
            let Some((callee, inner)) = returned else {
                return LockInfo { void: true, site: Some(call), ..by_type };
            };
            let args = arguments(cx, body, call);
            let place = inner
                .place
                .as_ref()
                .and_then(|p| cx.substitute(callee, p, |i| cx.place(body, *args.get(i)?)));
            // The callee may know it as its `T` only.
            let guarded = if by_type.guarded.is_unknown() { inner.guarded } else { by_type.guarded };
            LockInfo {
                place,
                guarded,
                site: Some(call),
                origin: inner.origin.or(inner.site.map(|s| (callee, s))),
                ..inner
            }
        }
    }
}

fn returned_by(cx: PlaceCx<'_>, regions: &[Regions], def: DefId, depth: u32) -> Option<(BodyIx, LockInfo)> {
    let depth = depth.checked_sub(1)?;
    let unit = cx.units.of_def(cx.program, def)?;
    let flow = &regions[unit.0 as usize];
    let infos = flow
        .tokens
        .iter()
        .enumerate()
        .filter(|(_, t)| t.returned && !matches!(t.token.origin, Origin::Param(_)))
        .map(|(t, _)| info(cx, regions, unit, t, depth));
    let found = infos.into_iter().find(|i| !i.void)?;
    Some((cx.units.get(unit).body, found))
}

/// The arguments of a call, the receiver first.
pub fn arguments(cx: PlaceCx<'_>, body: BodyIx, call: ExprId) -> Vec<ExprId> {
    match &cx.program.body(body).expr(call).kind {
        ExprKind::Method { recv, args, .. } => {
            let mut all = Vec::with_capacity(args.len() + 1);
            all.push(*recv);
            all.extend_from_slice(args);
            all
        }
        ExprKind::Call { args, .. } => args.to_vec(),
        ExprKind::Macro(m) => m.args.to_vec(),
        _ => Vec::new(),
    }
}

/// What a call that acquires its receiver (or first argument) takes.
fn acquisition(cx: PlaceCx<'_>, body: BodyIx, call: ExprId, guard: Ty) -> Option<LockInfo> {
    let types = &cx.types[body.0 as usize];
    let Callee::Ext(path) = types.callee(call) else { return None };
    let mode = cx.facts.tags(path)?.acquire?;
    let target = *arguments(cx, body, call).first()?;
    let ty = types.receivers.get(&call).map_or_else(|| types.expr(target).peel_refs(), |r| r.ty);
    let held = match cx.program.knowledge.of(ty) {
        Some(info) if info.concurrent_map => Held::Shard,
        Some(info) if info.lock.is_some() && info.is_async => Held::AsyncLock,
        Some(info) if info.lock.is_some() => Held::Lock,
        Some(_) => Held::Cell,
        None => held_by_guard(cx, guard),
    };
    let guarded = match ty.as_ext() {
        Some((_, args)) if held != Held::Shard => args.first().copied().unwrap_or(Ty::UNKNOWN),
        _ => ty,
    };
    Some(LockInfo {
        held,
        place: cx.place(body, target),
        mode,
        guarded,
        site: Some(call),
        origin: None,
        void: false,
    })
}

fn held_by_guard(cx: PlaceCx<'_>, guard: Ty) -> Held {
    let Some((path, _)) = guard.as_ext() else { return Held::Lock };
    let text = path.as_str();
    if text.starts_with("std::cell::") {
        Held::Cell
    } else if text.starts_with("dashmap::") {
        Held::Shard
    } else if cx.program.knowledge.of(guard).is_some_and(|i| i.is_async) {
        Held::AsyncLock
    } else {
        Held::Lock
    }
}
