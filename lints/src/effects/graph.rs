//! The call graph and the spreading of effects along it.

use std::collections::VecDeque;
use std::sync::OnceLock;

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::collect::{BoundedSenders, Collected, Direct, What, collect};
use super::{Effect, Effects, Key, Kind, Object, OwnEffect, Places};
use crate::flow::locks::arguments;
use crate::flow::{Class, IoClass, PlaceCx, Root, Step, UnitIx, UnitKind};
use crate::hir::{ExprId, ExprKind, LocalId, PatKind};
use crate::infer::Callee;
use crate::knowledge::Acquire;
use crate::ty::TyKind;

/// How one unit runs another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// By calling it.
    Call,
    /// By calling a trait's method that it implements.
    Virtual,
    /// By giving it to a function that runs it before returning.
    Closure,
    /// By awaiting it.
    Awaited,
}

/// One unit runs another.
#[derive(Clone, Copy, Debug)]
pub struct Edge {
    /// Who.
    pub caller: UnitIx,
    /// The call or await in it.
    pub event: ExprId,
    /// The call whose arguments count.
    pub call: ExprId,
    /// Whom.
    pub target: UnitIx,
    /// How.
    pub how: How,
    /// Only on the way to a panic: a lock taken there still is waited for, time does not count any more.
    pub dying: bool,
}

/// As many instances of one lock are told apart in a unit; more are one of which nothing is known. Fields that lead to
/// fields of their own kind (trees, services in services) would make a place of every way through them.
const MAX_INSTANCES: u32 = 8;

/// Longer ways are not followed: nobody reads them, and what a `main` does thirty calls deep says little.
const MAX_DISTANCE: u16 = 16;

struct Spread<'a> {
    cx: PlaceCx<'a>,
    places: Places,
    edges: Vec<Edge>,
    into: Vec<Vec<u32>>,
    summaries: Vec<Vec<Effect>>,
    known: FxHashMap<(UnitIx, Key), u32>,
    /// How many instances of a lock a unit's effects name.
    instances: FxHashMap<(UnitIx, Option<Class>, Acquire, Kind), u32>,
    queue: VecDeque<(UnitIx, u32)>,
    given: Vec<(UnitIx, LocalId, u32)>,
}

/// Collects all units and spreads their effects.
pub(super) fn spread(cx: PlaceCx<'_>) -> Effects {
    let count = cx.units.len();
    let bounded = BoundedSenders::find(cx);
    let collected: Vec<Collected> =
        (0..count).into_par_iter().map(|u| collect(cx, UnitIx(u as u32), &bounded)).collect();
    let mut s = Spread {
        cx,
        places: Places::default(),
        edges: Vec::new(),
        into: vec![Vec::new(); count],
        summaries: vec![Vec::new(); count],
        known: FxHashMap::default(),
        instances: FxHashMap::default(),
        queue: VecDeque::new(),
        given: Vec::new(),
    };
    let mut direct = Vec::with_capacity(count);
    for (u, c) in collected.into_iter().enumerate() {
        for edge in c.edges {
            s.into[edge.target.0 as usize].push(s.edges.len() as u32);
            s.edges.push(edge);
        }
        let mut own = Vec::with_capacity(c.direct.len());
        for d in &c.direct {
            let key = key_of(&mut s.places, d);
            own.push(OwnEffect { event: d.event, call: d.call, key });
            s.add(
                UnitIx(u as u32),
                Effect { key, event: d.event, call: d.call, via: None, distance: 0, maybe: false },
            );
        }
        direct.push(own);
    }
    s.run();
    let mut out = vec![Vec::new(); count];
    for (i, edge) in s.edges.iter().enumerate() {
        out[edge.caller.0 as usize].push(i as u32);
    }
    for list in &mut out {
        list.sort_by_key(|&e| (s.edges[e as usize].event, e));
    }
    Effects {
        places: s.places.list,
        edges: s.edges,
        out,
        into: s.into,
        summaries: s.summaries,
        direct,
        given: s.given,
        tried: OnceLock::new(),
    }
}

fn key_of(places: &mut Places, d: &Direct) -> Key {
    match &d.what {
        What::Block(b, o) => Key::Block(*b, *o),
        What::AwaitIo(o) => Key::AwaitIo(*o),
        What::Acquire(place, mode, kind) => Key::Acquire(places.intern(place.clone()), *mode, *kind),
        What::Calls(l) => Key::Calls(*l),
    }
}

impl Spread<'_> {
    fn add(&mut self, unit: UnitIx, effect: Effect) {
        if self.known.contains_key(&(unit, effect.key)) {
            return;
        }
        let list = &mut self.summaries[unit.0 as usize];
        let ix = list.len() as u32;
        list.push(effect);
        self.known.insert((unit, effect.key), ix);
        self.queue.push_back((unit, ix));
    }

    fn run(&mut self) {
        while let Some((unit, ix)) = self.queue.pop_front() {
            let effect = self.summaries[unit.0 as usize][ix as usize];
            if effect.distance >= MAX_DISTANCE {
                continue;
            }
            for i in 0..self.into[unit.0 as usize].len() {
                let edge_ix = self.into[unit.0 as usize][i];
                self.along(edge_ix, ix, effect);
            }
        }
    }

    fn along(&mut self, edge_ix: u32, ix: u32, effect: Effect) {
        let edge = self.edges[edge_ix as usize];
        if let Key::Calls(local) = effect.key {
            self.function_argument(edge, local, effect.distance);
            return;
        }
        let Some(key) = translate(self.cx, &mut self.places, edge, effect.key) else { return };
        let Some(key) = self.bounded(edge.caller, key) else { return };
        self.add(
            edge.caller,
            Effect {
                key,
                event: edge.event,
                call: edge.call,
                via: Some((edge_ix, ix)),
                distance: effect.distance + u16::from(edge.how != How::Closure),
                maybe: effect.maybe || edge.how == How::Virtual,
            },
        );
    }

    /// The effect, with its instance forgotten where the unit names too many already.
    fn bounded(&mut self, unit: UnitIx, key: Key) -> Option<Key> {
        let Key::Acquire(ix, mode, kind) = key else { return Some(key) };
        if self.known.contains_key(&(unit, key)) {
            return Some(key);
        }
        let place = &self.places.list[ix.0 as usize];
        let count = self.instances.entry((unit, place.class(self.cx.program), mode, kind)).or_default();
        *count += 1;
        if *count <= MAX_INSTANCES {
            return Some(key);
        }
        let place = place.forget_instance()?;
        Some(Key::Acquire(self.places.intern(place), mode, kind))
    }

    /// The target calls its parameter: what the caller gives for it runs during the call.
    fn function_argument(&mut self, edge: Edge, local: LocalId, distance: u16) {
        let caller = self.cx.units.get(edge.caller);
        let Some(i) = param_of(self.cx, edge.target, local) else {
            // A closure that calls what the function around it was given.
            if runs_inside(self.cx, edge) {
                self.add(
                    edge.caller,
                    Effect {
                        key: Key::Calls(local),
                        event: edge.event,
                        call: edge.call,
                        via: None,
                        distance: distance + 1,
                        maybe: false,
                    },
                );
            }
            return;
        };
        if edge.how == How::Closure {
            return;
        }
        let Some(&arg) = arguments(self.cx, caller.body, edge.call).get(i) else { return };
        let types = &self.cx.types[caller.body.0 as usize];
        let found = match types.expr(arg).peel_refs().kind() {
            TyKind::Closure(body, expr) => self.cx.units.of_expr(*body, *expr),
            TyKind::FnDef(def, _) => self.cx.units.of_def(self.cx.program, *def),
            _ => {
                if let ExprKind::Local(l) = self.cx.program.body(caller.body).expr(arg).kind
                    && self.cx.origins.get(self.cx.program, caller.body).is_param(l)
                {
                    let key = Key::Calls(l);
                    let effect = Effect {
                        key,
                        event: edge.event,
                        call: edge.call,
                        via: None,
                        distance: distance + 1,
                        maybe: false,
                    };
                    self.add(edge.caller, effect);
                }
                None
            }
        };
        let Some(run) = found else { return };
        if self.cx.units.get(run).is_async
            || self.into[run.0 as usize].iter().any(|&e| {
                let e = self.edges[e as usize];
                e.caller == edge.caller && e.event == edge.event
            })
        {
            return;
        }
        let edge_ix = self.edges.len() as u32;
        self.edges.push(Edge { target: run, how: How::Closure, ..edge });
        self.given.push((edge.target, local, edge_ix));
        self.into[run.0 as usize].push(edge_ix);
        for ix in 0..self.summaries[run.0 as usize].len() {
            let effect = self.summaries[run.0 as usize][ix];
            self.along(edge_ix, ix as u32, effect);
        }
    }
}

/// The index of the unit's parameter that a variable of its body is.
pub(super) fn param_of(cx: PlaceCx<'_>, unit: UnitIx, local: LocalId) -> Option<usize> {
    let unit = cx.units.get(unit);
    let body = cx.program.body(unit.body);
    unit.params.iter().position(|&p| {
        let mut pat = p;
        while let PatKind::Typed { pat: inner, .. } | PatKind::Ref(inner) = &body.pat(pat).kind {
            pat = *inner;
        }
        matches!(body.pat(pat).kind, PatKind::Bind { local: l, .. } if l == local)
    })
}

/// Where places of a translated effect go.
pub(super) trait Intern {
    fn get(&self, ix: super::PlaceIx) -> crate::flow::Place;
    fn put(&mut self, place: crate::flow::Place) -> Option<super::PlaceIx>;
}

impl Intern for Places {
    fn get(&self, ix: super::PlaceIx) -> crate::flow::Place {
        self.list[ix.0 as usize].clone()
    }
    fn put(&mut self, place: crate::flow::Place) -> Option<super::PlaceIx> {
        Some(self.intern(place))
    }
}

/// An effect of an edge's target in terms of its caller; `None` if it is none there.
pub(super) fn translate(cx: PlaceCx<'_>, places: &mut dyn Intern, edge: Edge, key: Key) -> Option<Key> {
    let caller = cx.units.get(edge.caller).body;
    let target = cx.units.get(edge.target);
    if edge.dying && matches!(key, Key::Block(..) | Key::AwaitIo(_)) {
        return None;
    }
    match key {
        Key::Block(blocking, object) => Some(Key::Block(blocking, translate_object(cx, edge, object)?)),
        Key::AwaitIo(object) => Some(Key::AwaitIo(translate_object(cx, edge, object)?)),
        Key::Acquire(ix, mode, kind) => {
            let place = places.get(ix);
            let new = match place.root {
                Root::Static(_) => place,
                Root::Local(b, local) if b == target.body => match param_of(cx, edge.target, local) {
                    // Which of the implementations runs is not known, and so not what its fields are fields of.
                    Some(_) if edge.how == How::Virtual => place.forget_instance()?,
                    Some(i) if edge.how != How::Closure => {
                        let base = arguments(cx, caller, edge.call).get(i).and_then(|&a| cx.place(caller, a));
                        match base {
                            Some(base) => base.append(&place.steps),
                            None => place.forget_instance()?,
                        }
                    }
                    Some(_) => place.forget_instance()?,
                    // A closure's own variables and those of the function around it.
                    None if runs_inside(cx, edge) => place,
                    None => place.forget_instance()?,
                },
                _ => place.forget_instance()?,
            };
            // A lock that the callee makes and keeps to itself concerns nobody else.
            if new.root == Root::Unknown && !new.steps.iter().any(|s| matches!(s, Step::Field(Some(_), _))) {
                return None;
            }
            Some(Key::Acquire(places.put(new)?, mode, kind))
        }
        Key::Calls(_) => None,
    }
}

/// Whether an edge leads to a closure or block of the very run of the function that the caller belongs to: their variables
/// are the same. A function that calls itself begins anew, and so do the blocks that it returns.
fn runs_inside(cx: PlaceCx<'_>, edge: Edge) -> bool {
    let caller = cx.units.get(edge.caller).body;
    let target = cx.units.get(edge.target);
    let again = || {
        let callee = cx.types[caller.0 as usize].callee(edge.call);
        matches!(callee, Callee::Fn(def) | Callee::Virtual(def) if def == cx.program.body_info(caller).owner)
    };
    target.body == caller && target.kind != UnitKind::Item && !again()
}

fn translate_object(cx: PlaceCx<'_>, edge: Edge, object: Object) -> Option<Object> {
    let (local, generic) = match object {
        Object::Other => return Some(Object::Other),
        Object::Local(l) => (l, false),
        Object::Generic(l) => (l, true),
    };
    let caller = cx.units.get(edge.caller).body;
    let Some(i) = param_of(cx, edge.target, local) else {
        if runs_inside(cx, edge) {
            return Some(object);
        }
        return if generic { None } else { Some(Object::Other) };
    };
    if edge.how == How::Closure {
        return if generic { None } else { Some(Object::Other) };
    }
    let Some(&arg) = arguments(cx, caller, edge.call).get(i) else {
        return if generic { None } else { Some(Object::Other) };
    };
    let root = match super::query::root_of(cx, caller, arg) {
        Some(super::query::RootOf::Local(l)) => Some(l),
        _ => None,
    };
    if !generic {
        return Some(root.map_or(Object::Other, Object::Local));
    }
    match cx.facts.io_class(cx.types[caller.0 as usize].expr(arg)) {
        IoClass::Io => Some(root.map_or(Object::Other, Object::Local)),
        IoClass::Generic => root.map(Object::Generic),
        IoClass::Memory | IoClass::Unknown => None,
    }
}
