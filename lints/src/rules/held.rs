//! What the lock rules share: going over guards and what happens while they are held.

use std::cell::OnceCell;

use rustc_hash::FxHashSet;

use crate::Analysis;
use crate::effects::{EffectCx, EventEffect, How, RootOf, Through, call_span, root_of};
use crate::finding::{Confidence, Finding, Hop, Level, Severity};
use crate::flow::cfg::Origin;
use crate::flow::locks::arguments;
use crate::flow::{Class, HeldEvent, LockInfo, Place, PlaceCx, Root, Step, TokenFlow, UnitIx, UnitKind};
use crate::hir::{ExprId, ExprKind, LocalId};
use crate::infer::Callee;
use crate::knowledge::Blocking;
use crate::program::{BodyIx, DefId};
use crate::rule::Rule;
use crate::source::{Location, Span};

/// So many locks within one another are looked through.
const LOCKS_WITHIN: u32 = 3;

/// One guard of a unit.
#[derive(Clone, Copy)]
pub(super) struct Guard<'a> {
    pub(super) ix: u32,
    pub(super) flow: &'a TokenFlow,
    pub(super) lock: &'a LockInfo,
}

/// A unit with guards.
#[derive(Clone, Copy)]
pub(super) struct Unit<'a> {
    pub(super) a: &'a Analysis,
    pub(super) ix: UnitIx,
    pub(super) body: BodyIx,
    pub(super) owner: DefId,
}

/// Which locks anything waits for; looked up only when a lock is taken by trying.
pub(super) struct Waited<'a> {
    a: &'a Analysis,
    classes: OnceCell<FxHashSet<Class>>,
}

impl<'a> Waited<'a> {
    pub(super) fn of(a: &'a Analysis) -> Waited<'a> {
        Waited { a, classes: OnceCell::new() }
    }

    /// Whether a guard keeps nobody waiting: its lock is only ever tried.
    pub(super) fn by_nobody(&self, guard: Guard<'_>) -> bool {
        let program = &self.a.program;
        guard.lock.mode.is_try
            && guard.lock.place.as_ref().and_then(|p| p.class(program)).is_some_and(|class| {
                let classes = self.classes.get_or_init(|| self.a.effects.waited_classes(program));
                !classes.contains(&class) && !classes.contains(&class.declared())
            })
    }
}

/// All units in which a guard lives.
pub(super) fn units(a: &Analysis) -> impl Iterator<Item = Unit<'_>> {
    a.flow.units.iter().filter(|(ix, _)| !a.flow.regions(*ix).tokens.is_empty()).map(|(ix, unit)| Unit {
        a,
        ix,
        body: unit.body,
        owner: a.program.body_info(unit.body).owner,
    })
}

impl<'a> Unit<'a> {
    pub(super) fn cx(&self) -> PlaceCx<'a> {
        self.a.places()
    }

    pub(super) fn effects(&self) -> EffectCx<'a> {
        self.a.effects()
    }

    pub(super) fn guard(&self, ix: u32) -> Guard<'a> {
        Guard {
            ix,
            flow: &self.a.flow.regions(self.ix).tokens[ix as usize],
            lock: &self.a.flow.locks[self.ix.0 as usize][ix as usize],
        }
    }

    pub(super) fn guards(&self) -> impl Iterator<Item = Guard<'a>> + use<'a> {
        let this = *self;
        (0..self.a.flow.regions(self.ix).tokens.len() as u32)
            .map(move |ix| this.guard(ix))
            .filter(|g| !g.lock.void)
    }

    pub(super) fn events(&self) -> &'a [HeldEvent] {
        &self.a.flow.regions(self.ix).events
    }

    pub(super) fn expr(&self, id: ExprId) -> &'a ExprKind {
        &self.a.program.body(self.body).expr(id).kind
    }

    pub(super) fn at(&self, span: Span) -> Location {
        self.one_line(self.a.program.at(self.body, span))
    }

    pub(super) fn one_line(&self, at: Location) -> Location {
        Location { file: at.file, span: self.a.sources.get(at.file).one_line(at.span) }
    }

    /// The place of a call to show.
    pub(super) fn call_at(&self, call: ExprId) -> Location {
        self.at(call_span(self.cx(), self.body, call))
    }

    /// Where a guard comes to life here: the acquisition, the call that returned it, the parameter.
    pub(super) fn acquired_at(&self, guard: Guard<'_>) -> Location {
        match (guard.lock.site, guard.flow.token.origin) {
            (Some(site), _) | (None, Origin::Acquire(site) | Origin::Call(site)) => self.call_at(site),
            (None, Origin::Param(local)) => self.at(self.a.program.body(self.body).local(local).span),
        }
    }

    /// The name of what a guard locks, for messages.
    pub(super) fn lock_name(&self, guard: Guard<'_>) -> String {
        let (cx, place) = (self.cx(), guard.lock.place.as_ref());
        let at = match (guard.lock.origin, guard.lock.site, guard.flow.token.origin) {
            (Some(origin), ..) => origin,
            (None, Some(site), _) | (None, None, Origin::Acquire(site) | Origin::Call(site)) => {
                (self.body, site)
            }
            // Its lock is the caller's: the guard alone has a name here.
            (None, None, Origin::Param(local)) => {
                return place
                    .and_then(|p| cx.name(p))
                    .unwrap_or_else(|| self.a.program.body(self.body).local(local).name.to_string());
            }
        };
        self.taken_name(place, at)
    }

    /// The name of what an effect acquires, for messages.
    pub(super) fn acquired_name(&self, effect: &EventEffect) -> String {
        self.taken_name(effect.place.as_ref(), self.effects().cause(self.ix, effect))
    }

    /// The name of what the call `at` takes, by its place or as the code there writes it.
    fn taken_name(&self, place: Option<&Place>, (body, call): (BodyIx, ExprId)) -> String {
        let taken = arguments(self.cx(), body, call).first().copied().unwrap_or(call);
        self.cx().name_of(place, body, taken)
    }

    /// Whether the lock was made locked, by the function that gave the guard: those who wait for it wait for what is
    /// done here, as for a promise.
    pub(super) fn made_locked(&self, guard: Guard<'_>) -> bool {
        let Some((body, call)) = guard.lock.origin else { return false };
        let Some(&target) = arguments(self.cx(), body, call).first() else { return false };
        let Some(Place { root: Root::Local(_, local), steps }) = self.cx().place(body, target) else {
            return false;
        };
        let made = self.a.flow.origins.get(&self.a.program, body).init(local);
        let is_new = |init| {
            let callee = self.a.types[body.0 as usize].callee(init);
            matches!(callee, Callee::Ext(path) if path.as_str().ends_with("::new"))
        };
        steps.is_empty() && made.is_some_and(is_new)
    }

    /// Whether a value is got from what the guard gives access to.
    pub(super) fn derives(&self, guard: Guard<'_>, value: ExprId) -> bool {
        match root_of(self.cx(), self.body, value) {
            Some(RootOf::Local(local)) => guard.flow.locals.contains(&local),
            Some(RootOf::Guard(call)) => guard.lock.site == Some(call),
            _ => false,
        }
    }

    /// The same, be it through other locks in there. What guards a collection does not guard what its items lock.
    pub(super) fn lies_within(&self, guard: Guard<'_>, mut value: ExprId) -> bool {
        for _ in 0..LOCKS_WITHIN {
            if self.derives(guard, value) {
                return true;
            }
            let lock = match root_of(self.cx(), self.body, value) {
                Some(RootOf::Guard(call)) => self.arguments(call).first().copied(),
                Some(RootOf::Local(local)) => self.locked_by(local),
                _ => None,
            };
            match lock.filter(|&l| self.cx().place(self.body, l).is_some_and(|p| guards_part(guard, &p))) {
                Some(lock) => value = lock,
                None => return false,
            }
        }
        false
    }

    /// The lock whose guard a variable is.
    fn locked_by(&self, local: LocalId) -> Option<ExprId> {
        let guard = self.guards().find(|g| g.flow.locals.contains(&local))?;
        self.arguments(guard.lock.site?).first().copied()
    }

    /// The arguments of a call, the receiver first.
    pub(super) fn arguments(&self, call: ExprId) -> Vec<ExprId> {
        arguments(self.cx(), self.body, call)
    }

    /// What a call calls, as a person writes it.
    pub(super) fn callee_name(&self, body: BodyIx, call: ExprId) -> String {
        callee_name(self.a, body, call)
    }

    /// Findings in code made by a macro are less sure.
    pub(super) fn confidence(&self, most: Confidence) -> Confidence {
        if self.a.program.item(self.owner).from_macro { most.min(Confidence::Medium) } else { most }
    }

    /// A finding with what all of these rules fill alike.
    pub(super) fn finding(&self, rule: &Rule, at: Location, lock: &str) -> Finding {
        Finding {
            rule: rule.id.to_owned(),
            level: rule.level,
            severity: rule.severity,
            confidence: self.confidence(Confidence::High),
            at: self.one_line(at),
            message: String::new(),
            label: String::new(),
            help: String::new(),
            related: Vec::new(),
            chain: Vec::new(),
            fix: None,
            facts: vec![("lock".to_owned(), lock.to_owned())],
            key: format!("{}/{lock}", self.a.program.display(self.owner)),
            fingerprint: String::new(),
            in_test: self.a.program.def(self.owner).in_test,
        }
    }

    /// The hops to an effect, each cut to one line.
    pub(super) fn chain(&self, effect: &EventEffect, last: &str) -> Vec<Hop> {
        let mut hops = self.effects().chain(self.ix, effect, last);
        for hop in &mut hops {
            hop.at = self.one_line(hop.at);
        }
        hops
    }

    /// Whether the effect comes through a closure that the call runs while it holds what was moved into it.
    pub(super) fn through_closure(effect: &EventEffect) -> bool {
        matches!(effect.through, Some(Through { edge, .. }) if edge.how == How::Closure)
    }

    /// Whether a guard that goes into a call by value stays alive in it while the effect happens.
    pub(super) fn alive_inside(&self, event: &HeldEvent, arg: u8, effect: &EventEffect) -> bool {
        let Some(Through { edge, effect: ix }) = effect.through else { return false };
        if edge.how == How::Closure {
            // `guard.unwrap_or_else(|| lock())`: the closure gets the guard, or there is none.
            if let Callee::Ext(path) = self.a.types[self.body.0 as usize].callee(edge.call)
                && (path.as_str().starts_with("std::option::") || path.as_str().starts_with("std::result::"))
            {
                return false;
            }
            // An outside function that maps a guard holds it while its closure runs, but a closure that is given the
            // guard itself is its owner.
            let unit = self.a.flow.units.get(edge.target);
            return unit.kind == UnitKind::Closure && !self.closure_takes_guard(edge.target);
        }
        if event.expr != edge.event {
            return false;
        }
        let target = Unit {
            a: self.a,
            ix: edge.target,
            body: self.a.flow.units.get(edge.target).body,
            owner: self.owner,
        };
        let Some(cause) = self.a.effects.of(edge.target).get(ix as usize) else { return false };
        target.events().iter().any(|e| {
            e.expr == cause.event
                && e.held.iter().any(|&t| match target.guard(t).flow.token.origin {
                    Origin::Param(local) => target.cx().param_index(target.body, local) == Some(arg as usize),
                    _ => false,
                })
        })
    }

    fn closure_takes_guard(&self, closure: UnitIx) -> bool {
        self.a.flow.regions(closure).tokens.iter().any(|t| matches!(t.token.origin, Origin::Param(_)))
    }
}

/// Whether a place is a field somewhere in what the guard's lock guards.
fn guards_part(guard: Guard<'_>, place: &Place) -> bool {
    let Some(lock) = guard.lock.place.as_ref().filter(|lock| lock.root == place.root) else { return false };
    let within = place.steps.strip_prefix(&lock.steps[..]);
    within.is_some_and(|steps| {
        steps.first() == Some(&Step::Guarded) && !steps.iter().any(|s| matches!(s, Step::Elem | Step::At(_)))
    })
}

/// What a call calls, as a person writes it: `std::fs::write`, `File::sync_all`, `Pool::flush`.
pub(super) fn callee_name(a: &Analysis, body: BodyIx, call: ExprId) -> String {
    match a.types[body.0 as usize].callee(call) {
        Callee::Fn(def) | Callee::Virtual(def) | Callee::Ctor(def) => a.program.display(def),
        Callee::Ext(path) => {
            let text = path.as_str();
            let parts: Vec<&str> = text.split("::").collect();
            match parts[..] {
                [.., ty, method] if ty.starts_with(|c: char| c.is_uppercase()) => format!("{ty}::{method}"),
                _ => text.to_owned(),
            }
        }
        _ => match &a.program.body(body).expr(call).kind {
            ExprKind::Method { name, .. } => name.to_string(),
            ExprKind::Call { callee, .. } => match a.program.body(body).expr(*callee).kind {
                ExprKind::Local(local) => a.program.body(body).local(local).name.to_string(),
                _ => "a call".to_owned(),
            },
            ExprKind::Local(local) => a.program.body(body).local(*local).name.to_string(),
            ExprKind::Field { name, .. } => name.to_string(),
            ExprKind::Macro(m) => format!("{}!", m.path.segments.last().map_or("", |s| s.name.as_str())),
            _ => "a call".to_owned(),
        },
    }
}

/// What a blocking call waits for.
pub(super) fn blocks_on(blocking: Blocking) -> &'static str {
    match blocking {
        Blocking::Stdio => "writes to a standard stream",
        Blocking::Fs => "blocks on file I/O",
        Blocking::Fsync => "waits for the disk (fsync)",
        Blocking::Net => "blocks on the network",
        Blocking::Process => "waits for a process",
        Blocking::Db => "blocks on the database",
        Blocking::Sleep => "sleeps",
        Blocking::Join => "waits for a thread",
        Blocking::Recv => "waits for a message",
        Blocking::Send => "may wait for room in a channel",
        Blocking::Wait => "waits on a condition variable",
        Blocking::Park => "parks the thread",
        Blocking::BlockOn => "blocks the thread on a future",
    }
}

/// Sets level and severity together.
pub(super) fn grade(finding: &mut Finding, level: Level, severity: Severity, confidence: Confidence) {
    finding.level = level;
    finding.severity = severity;
    finding.confidence = finding.confidence.min(confidence);
}
