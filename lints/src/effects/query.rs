//! Asking: what an event does, what leads there, and what an expression's value derives from.

use super::graph::{Intern, param_of, translate};
use super::{Edge, Effect, EffectCx, How, Key, Object, PlaceIx};
use crate::finding::Hop;
use crate::flow::{Place, PlaceCx, UnitIx, UnitKind};
use crate::hir::{ExprId, ExprKind, LocalId};
use crate::infer::Callee;
use crate::program::BodyIx;
use crate::source::{Location, Span};
use crate::ty::TyKind;

/// An effect of one event, in terms of the unit that the event is in.
#[derive(Clone, Debug)]
pub struct EventEffect {
    /// What. The place of an acquisition is in `place`, not in here.
    pub key: Key,
    /// What is acquired.
    pub place: Option<Place>,
    /// The call (for what is awaited, the call inside).
    pub call: ExprId,
    /// The edge and the effect of its target; `None` where the event itself is it.
    pub through: Option<Through>,
    /// Some hop is a virtual call that not all implementations answer alike.
    pub maybe: bool,
    /// Number of calls to the cause.
    pub distance: u16,
}

/// The way to an effect.
#[derive(Clone, Copy, Debug)]
pub struct Through {
    /// The edge taken first.
    pub edge: Edge,
    /// Index of the target's effect.
    pub effect: u32,
}

/// Places that are only looked at.
struct Scratch<'a> {
    known: &'a [Place],
    made: Option<Place>,
}

impl Intern for Scratch<'_> {
    fn get(&self, ix: PlaceIx) -> Place {
        self.known[ix.0 as usize].clone()
    }
    fn put(&mut self, place: Place) -> Option<PlaceIx> {
        self.made = Some(place);
        Some(PlaceIx(u32::MAX))
    }
}

impl EffectCx<'_> {
    /// All effects of an event of a unit.
    pub fn at(&self, unit: UnitIx, event: ExprId) -> Vec<EventEffect> {
        let mut found = Vec::new();
        for own in &self.effects.direct[unit.0 as usize] {
            if own.event != event {
                continue;
            }
            let place = match own.key {
                Key::Acquire(ix, ..) => Some(self.effects.place(ix).clone()),
                _ => None,
            };
            found.push(EventEffect {
                key: own.key,
                place,
                call: own.call,
                through: None,
                maybe: false,
                distance: 0,
            });
        }
        let out = &self.effects.out[unit.0 as usize];
        let start = out.partition_point(|&e| self.effects.edges[e as usize].event < event);
        for &edge_ix in &out[start..] {
            let edge = self.effects.edges[edge_ix as usize];
            if edge.event != event {
                break;
            }
            for (i, effect) in self.effects.of(edge.target).iter().enumerate() {
                if let Some(e) = self.through(edge, i as u32, effect) {
                    found.push(e);
                }
            }
        }
        found
    }

    /// What the function values do that callers give for a unit's parameter, as effects of the unit's event that calls
    /// it. Objects and places stay in the giver's terms.
    pub fn given(&self, unit: UnitIx, calls: &EventEffect) -> Vec<EventEffect> {
        let Key::Calls(local) = calls.key else { return Vec::new() };
        let mut found = Vec::new();
        let tests = |unit: UnitIx| {
            let owner = self.places.program.body_info(self.places.units.get(unit).body).owner;
            self.places.program.def(owner).in_test
        };
        for &(_, _, edge) in self.effects.given.iter().filter(|g| g.0 == unit && g.1 == local) {
            let edge = self.effects.edges[edge as usize];
            if tests(edge.target) && !tests(unit) {
                continue;
            }
            for (i, effect) in self.effects.of(edge.target).iter().enumerate() {
                let key = match effect.key {
                    // What a closure captured is nothing of the unit's.
                    Key::Block(b, Object::Local(l)) if param_of(self.places, edge.target, l).is_none() => {
                        Key::Block(b, Object::Other)
                    }
                    key => key,
                };
                found.push(EventEffect {
                    key,
                    place: match effect.key {
                        Key::Acquire(ix, ..) => Some(self.effects.place(ix).clone()),
                        _ => None,
                    },
                    call: calls.call,
                    through: Some(Through { edge, effect: i as u32 }),
                    maybe: effect.maybe,
                    distance: effect.distance,
                });
            }
        }
        found
    }

    fn through(&self, edge: Edge, ix: u32, effect: &Effect) -> Option<EventEffect> {
        let mut scratch = Scratch { known: &self.effects.places, made: None };
        let key = translate(self.places, &mut scratch, edge, effect.key)?;
        Some(EventEffect {
            key,
            place: scratch.made,
            call: edge.call,
            through: Some(Through { edge, effect: ix }),
            maybe: effect.maybe || (edge.how == How::Virtual && !self.all_implementations(edge, effect.key)),
            distance: effect.distance + u16::from(edge.how != How::Closure),
        })
    }

    /// Whether every implementation that a virtual call can reach blocks (or acquires) like the one found.
    fn all_implementations(&self, edge: Edge, key: Key) -> bool {
        let like = |k: Key| match (k, key) {
            (Key::Block(..), Key::Block(..)) | (Key::AwaitIo(_), Key::AwaitIo(_)) => true,
            (Key::Acquire(..), Key::Acquire(..)) => k == key,
            _ => false,
        };
        self.effects.out[edge.caller.0 as usize]
            .iter()
            .map(|&e| self.effects.edges[e as usize])
            .filter(|e| e.event == edge.event && e.call == edge.call && e.how == How::Virtual)
            .all(|e| self.effects.of(e.target).iter().any(|x| like(x.key)))
    }

    /// The hops from an event to the cause, outermost first; empty if the event itself is the cause.
    pub fn chain(&self, unit: UnitIx, found: &EventEffect, last: &str) -> Vec<Hop> {
        let Some(Through { edge, effect }) = found.through else { return Vec::new() };
        let mut hops = Vec::new();
        self.hop(unit, edge, &mut hops);
        let (mut at, mut ix) = (edge.target, effect);
        for _ in 0..64 {
            let e = self.effects.of(at)[ix as usize];
            match e.via {
                Some((edge_ix, inner)) => {
                    let edge = self.effects.edges[edge_ix as usize];
                    self.hop(at, edge, &mut hops);
                    at = edge.target;
                    ix = inner;
                }
                None => {
                    let body = self.places.units.get(at).body;
                    hops.push(Hop { at: self.call_location(body, e.call), label: last.to_owned() });
                    break;
                }
            }
        }
        hops
    }

    /// Whether the way to the cause leads through a unit again.
    pub fn comes_back(&self, unit: UnitIx, found: &EventEffect) -> bool {
        let Some(Through { edge, effect }) = found.through else { return false };
        let (mut at, mut ix) = (edge.target, effect);
        for _ in 0..64 {
            if at == unit {
                return true;
            }
            let Some((edge_ix, inner)) = self.effects.of(at)[ix as usize].via else { return false };
            at = self.effects.edges[edge_ix as usize].target;
            ix = inner;
        }
        false
    }

    /// The call that is the cause: its body and expression.
    pub fn cause(&self, unit: UnitIx, found: &EventEffect) -> (BodyIx, ExprId) {
        let Some(Through { edge, effect }) = found.through else {
            return (self.places.units.get(unit).body, found.call);
        };
        let (mut at, mut ix) = (edge.target, effect);
        for _ in 0..64 {
            let e = self.effects.of(at)[ix as usize];
            match e.via {
                Some((edge_ix, inner)) => {
                    at = self.effects.edges[edge_ix as usize].target;
                    ix = inner;
                }
                None => return (self.places.units.get(at).body, e.call),
            }
        }
        (self.places.units.get(at).body, found.call)
    }

    fn hop(&self, unit: UnitIx, edge: Edge, hops: &mut Vec<Hop>) {
        let target = self.places.units.get(edge.target);
        // A closure or async block run on the spot reads as part of the code around it.
        if target.kind != UnitKind::Item && target.body == self.places.units.get(unit).body {
            return;
        }
        let body = self.places.units.get(unit).body;
        let owner = self.places.program.body_info(target.body).owner;
        let name = self.places.program.display(owner);
        if edge.how == How::Closure && target.kind == UnitKind::Closure {
            let span = self.places.program.body(target.body).expr(target.expr).span;
            let at = self.places.program.at(target.body, span);
            hops.push(Hop { at, label: format!("runs the closure that `{name}` gives") });
            return;
        }
        let verb = if edge.how == How::Awaited { "awaits" } else { "calls" };
        hops.push(Hop { at: self.call_location(body, edge.call), label: format!("{verb} `{name}`") });
    }

    /// The place of a call to show: a method's name, a function's path.
    pub fn call_location(&self, body: BodyIx, call: ExprId) -> Location {
        self.places.program.at(body, call_span(self.places, body, call))
    }
}

/// What to underline of a call: the method's name or the callee's path, with nothing of the arguments.
pub fn call_span(cx: PlaceCx<'_>, body: BodyIx, call: ExprId) -> Span {
    let b = cx.program.body(body);
    match &b.expr(call).kind {
        ExprKind::Method { name_span, .. } => *name_span,
        ExprKind::Call { callee, .. } => b.expr(*callee).span,
        ExprKind::Macro(m) => m.path.span,
        ExprKind::Await(e) => match b.expr(*e).kind {
            ExprKind::Call { .. } | ExprKind::Method { .. } => call_span(cx, body, *e),
            _ => b.expr(call).span,
        },
        _ => b.expr(call).span,
    }
}

/// What a value was got from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootOf {
    /// A variable that is bound to nothing further known: a parameter, a guard's own variable.
    Local(LocalId),
    /// A call that yields a guard.
    Guard(ExprId),
    /// Another expression that makes a value: a constructor.
    Expr(ExprId),
}

/// What an expression's value derives from, through fields, methods, operators and single bindings. Looser than a
/// place: `g.get(k).unwrap().len()` derives from `g`.
pub fn root_of(cx: PlaceCx<'_>, ix: BodyIx, id: ExprId) -> Option<RootOf> {
    root_at(cx, ix, id, 32)
}

/// What a buffer is around that is made of what is lent to it: `BufReader::new(&mut *stream)`.
fn lent_to(cx: PlaceCx<'_>, ix: BodyIx, call: ExprId) -> Option<ExprId> {
    let types = &cx.types[ix.0 as usize];
    let ExprKind::Call { args, .. } = &cx.program.body(ix).expr(call).kind else { return None };
    let lent = *args.first()?;
    let (_, held) = types.expr(call).as_ext()?;
    let view = matches!(types.expr(lent).kind(), TyKind::Ref(..)) && held.contains(&types.expr(lent));
    (view && matches!(types.callee(call), Callee::Ext(_))).then_some(lent)
}

fn root_at(cx: PlaceCx<'_>, ix: BodyIx, id: ExprId, depth: u32) -> Option<RootOf> {
    let depth = depth.checked_sub(1)?;
    let body = cx.program.body(ix);
    let types = &cx.types[ix.0 as usize];
    match &body.expr(id).kind {
        ExprKind::Local(local) => {
            let guard = cx.facts.holds_guard(types.local(*local));
            match cx.origins.get(cx.program, ix).source(*local) {
                Some(source) if !guard => {
                    // A variable made here stands for itself.
                    match root_at(cx, ix, source, depth) {
                        Some(RootOf::Expr(_)) | None => Some(RootOf::Local(*local)),
                        found => found,
                    }
                }
                _ => Some(RootOf::Local(*local)),
            }
        }
        ExprKind::Field { base: e, .. }
        | ExprKind::Index { base: e, .. }
        | ExprKind::Deref(e)
        | ExprKind::Ref { expr: e, .. }
        | ExprKind::Cast { expr: e, .. }
        | ExprKind::Try(e) => root_at(cx, ix, *e, depth),
        // `self.lock().await` of the workspace's own `async fn lock`: its future holds no guard yet, what it awaits to does.
        ExprKind::Await(e)
            if cx.facts.holds_guard(types.expr(id))
                && matches!(types.callee(*e), Callee::Fn(_) | Callee::Virtual(_)) =>
        {
            Some(RootOf::Guard(*e))
        }
        ExprKind::Await(e) => root_at(cx, ix, *e, depth),
        ExprKind::Method { recv, .. } => {
            if let Callee::Ext(path) = types.callee(id)
                && cx.facts.tags(path).is_some_and(|t| t.acquire.is_some())
            {
                return Some(RootOf::Guard(id));
            }
            if matches!(types.callee(id), Callee::Fn(_) | Callee::Virtual(_))
                && cx.facts.holds_guard(types.expr(id))
            {
                return Some(RootOf::Guard(id));
            }
            root_at(cx, ix, *recv, depth)
        }
        ExprKind::Call { args, .. } => match types.callee(id) {
            Callee::Ext(path) if path.as_str().ends_with("::clone") => root_at(cx, ix, *args.first()?, depth),
            _ if lent_to(cx, ix, id).is_some() => root_at(cx, ix, lent_to(cx, ix, id)?, depth),
            _ if cx.facts.holds_guard(types.expr(id)) => Some(RootOf::Guard(id)),
            _ => Some(RootOf::Expr(id)),
        },
        ExprKind::Block(b) => root_at(cx, ix, b.tail?, depth),
        ExprKind::Match { scrutinee, .. } => root_at(cx, ix, *scrutinee, depth),
        ExprKind::Path(_) => None,
        _ => Some(RootOf::Expr(id)),
    }
}
