//! What each unit does by itself, and what it calls.

use rustc_hash::FxHashSet;

use super::graph::{Edge, How};
use super::{Kind, Object};
use crate::flow::locks::arguments;
use crate::flow::{IoClass, Place, PlaceCx, Root, Unit, UnitIx, UnitKind, walk};
use crate::hir::{ExprId, ExprKind, LocalId, MacroCall, MacroKind};
use crate::infer::Callee;
use crate::knowledge::{Acquire, Blocking, ClosureUse, Tags};
use crate::name::{Name, well_known};
use crate::program::{BodyIx, DefId};
use crate::ty::{Ty, TyKind};

/// Something a unit does itself.
#[derive(Clone, Debug)]
pub(super) struct Direct {
    pub(super) event: ExprId,
    pub(super) call: ExprId,
    pub(super) what: What,
}

/// What it does.
#[derive(Clone, Debug)]
pub(super) enum What {
    Block(Blocking, Object),
    AwaitIo(Object),
    Acquire(Place, Acquire, Kind),
    Calls(LocalId),
}

/// What a unit does and calls.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub(super) direct: Vec<Direct>,
    pub(super) edges: Vec<Edge>,
}

pub(super) struct Collector<'a> {
    pub(super) cx: PlaceCx<'a>,
    pub(super) ix: BodyIx,
    unit: UnitIx,
    out: Collected,
    /// Calls that an `.await` directly waits for.
    awaited: Vec<ExprId>,
    /// What is evaluated only for the message of a panic.
    dying: FxHashSet<ExprId>,
    bounded: &'a BoundedSenders,
}

/// Types of senders all of whose channels are made with a capacity. One type of sender serves both kinds in
/// `crossbeam_channel` and `flume`; which it is only the constructor tells.
#[derive(Debug, Default)]
pub(super) struct BoundedSenders(FxHashSet<Ty>);

impl BoundedSenders {
    /// Looks for the constructors, `bounded` and `unbounded`, in the whole program.
    pub(super) fn find(cx: PlaceCx<'_>) -> BoundedSenders {
        let made = |name: &str| -> FxHashSet<Ty> {
            let of_body = |types: &crate::infer::BodyTypes| -> Vec<Ty> {
                let calls = types.calls.iter().filter(
                    |(_, c)| matches!(c, Callee::Ext(p) if p.as_str().rsplit("::").next() == Some(name)),
                );
                calls
                    .filter_map(|(&id, _)| match types.expr(id).kind() {
                        TyKind::Tuple(ends) => ends.first().copied(),
                        _ => None,
                    })
                    .collect()
            };
            cx.types.iter().flat_map(of_body).collect()
        };
        let unbounded = made("unbounded");
        BoundedSenders(made("bounded").into_iter().filter(|t| !unbounded.contains(t)).collect())
    }

    fn contains(&self, sender: Ty) -> bool {
        self.0.contains(&sender)
    }
}

/// Walks one unit.
pub(super) fn collect(cx: PlaceCx<'_>, unit_ix: UnitIx, bounded: &BoundedSenders) -> Collected {
    let unit: &Unit = cx.units.get(unit_ix);
    let body = cx.program.body(unit.body);
    // One look along the arena, which also brings it into the cache, before the walk by index.
    let acts = |kind: &ExprKind| {
        matches!(
            kind,
            ExprKind::Call { .. } | ExprKind::Method { .. } | ExprKind::Await(_) | ExprKind::Macro(_)
        )
    };
    if body.exprs.iter().filter(|e| acts(&e.kind)).count() == 0 {
        return Collected::default();
    }
    let mut c = Collector {
        cx,
        ix: unit.body,
        unit: unit_ix,
        out: Collected::default(),
        awaited: Vec::new(),
        dying: FxHashSet::default(),
        bounded,
    };
    let own = unit.kind == UnitKind::Async;
    walk::for_each_below(body, unit.root, &mut |id| {
        if walk::own_body(body, id).is_some() && !(own && id == unit.root) {
            return false;
        }
        match &body.expr(id).kind {
            ExprKind::Call { .. } | ExprKind::Method { .. } => c.call(id),
            ExprKind::Await(e) => {
                c.mark_awaited(*e);
                c.future(id, *e, 0);
            }
            // A stream runs when it is asked for its next item.
            ExprKind::Macro(m) if makes_stream(m) => return false,
            ExprKind::Macro(m) => c.macro_call(id, m),
            _ => {}
        }
        true
    });
    c.out
}

/// `stream! { .. }`, `try_stream! { .. }` of `async-stream` and its like.
fn makes_stream(m: &MacroCall) -> bool {
    m.path.segments.last().is_some_and(|s| matches!(s.name.as_str(), "stream" | "try_stream"))
}

impl<'a> Collector<'a> {
    pub(super) fn expr(&self, id: ExprId) -> &'a ExprKind {
        &self.cx.program.body(self.ix).expr(id).kind
    }

    pub(super) fn ty(&self, id: ExprId) -> Ty {
        self.cx.types[self.ix.0 as usize].expr(id)
    }

    pub(super) fn callee(&self, id: ExprId) -> Callee {
        self.cx.types[self.ix.0 as usize].callee(id)
    }

    fn mark_awaited(&mut self, e: ExprId) {
        if matches!(self.expr(e), ExprKind::Call { .. } | ExprKind::Method { .. }) {
            self.awaited.push(e);
        }
    }

    pub(super) fn direct(&mut self, event: ExprId, call: ExprId, what: What) {
        if !self.dying.contains(&event) || matches!(what, What::Acquire(..)) {
            self.out.direct.push(Direct { event, call, what });
        }
    }

    pub(super) fn edge(&mut self, event: ExprId, call: ExprId, target: UnitIx, how: How) {
        let dying = self.dying.contains(&event);
        self.out.edges.push(Edge { caller: self.unit, event, call, target, how, dying });
    }

    /// A call, as far as it runs at once.
    fn call(&mut self, id: ExprId) {
        match self.callee(id) {
            Callee::Fn(def) => {
                if !self.is_async(def) {
                    self.edge_to(id, id, def, How::Call);
                }
            }
            Callee::Virtual(def) => {
                if !self.is_async(def) {
                    self.virtual_edges(id, id, def);
                }
            }
            Callee::Ext(path) => self.ext(id, path),
            Callee::Value => {
                let ExprKind::Call { callee, .. } = self.expr(id) else { return };
                self.function_value(id, *callee, How::Call);
            }
            Callee::Ctor(_) | Callee::Unknown => {}
        }
    }

    pub(super) fn is_async(&self, def: DefId) -> bool {
        self.cx.program.decls.sigs.get(&def).is_some_and(|s| s.is_async)
    }

    pub(super) fn edge_to(&mut self, event: ExprId, call: ExprId, def: DefId, how: How) {
        if let Some(target) = self.cx.units.of_def(self.cx.program, def) {
            self.edge(event, call, target, how);
        }
    }

    pub(super) fn virtual_edges(&mut self, event: ExprId, call: ExprId, def: DefId) {
        let program = self.cx.program;
        for &implementor in program.decls.implementors.get(&def).into_iter().flatten() {
            if !program.def(implementor).in_test {
                self.edge_to(event, call, implementor, How::Virtual);
            }
        }
        self.edge_to(event, call, def, How::Virtual);
    }

    /// A function value that runs during the event.
    fn function_value(&mut self, event: ExprId, value: ExprId, how: How) {
        match self.ty(value).peel_refs().kind() {
            TyKind::Closure(body, expr) => {
                if let Some(target) = self.cx.units.of_expr(*body, *expr)
                    && !self.cx.units.get(target).is_async
                {
                    self.edge(event, event, target, if how == How::Call { How::Call } else { How::Closure });
                }
            }
            TyKind::FnDef(def, _) if !self.is_async(*def) => self.edge_to(event, event, *def, How::Closure),
            _ => {
                if let ExprKind::Local(local) = self.expr(value)
                    && self.cx.origins.get(self.cx.program, self.ix).is_param(*local)
                {
                    self.direct(event, event, What::Calls(*local));
                }
            }
        }
    }

    fn ext(&mut self, id: ExprId, path: Name) {
        let Some(tags) = self.cx.facts.tags(path) else { return };
        let future = matches!(self.ty(id).kind(), TyKind::Future(_)) || self.awaited.contains(&id);
        if !future {
            if let Some(blocking) = tags.blocks
                && (!tags.if_bounded || self.bounded_sender(id))
                && let Some(object) = self.object(id, path, blocking)
            {
                self.direct(id, id, What::Block(self.refine(id, blocking), object));
            }
            self.acquire(id, id, tags);
        }
        // What fills a static at its first use runs once in the life of the process, whoever comes first.
        let filled_once = tags.once && self.on_static(id);
        if matches!(tags.closure, ClosureUse::InPlace | ClosureUse::Loop | ClosureUse::Lazy) && !filled_once {
            for arg in arguments(self.cx, self.ix, id).into_iter().skip(usize::from(self.is_method(id))) {
                self.function_value(id, arg, How::Closure);
            }
        }
    }

    /// A standard stream: writing to it counts no more than `print!` does.
    fn writes_as_print(&self, writer: ExprId) -> bool {
        let info = self.cx.program.knowledge.of(self.ty(writer).peel_refs());
        info.and_then(|i| i.methods.get(&well_known::WRITE_FMT)).is_some_and(|m| m.tags.blocks.is_none())
    }

    fn on_static(&self, call: ExprId) -> bool {
        let receiver = arguments(self.cx, self.ix, call).first().and_then(|&e| self.cx.place(self.ix, e));
        receiver.is_some_and(|place| matches!(place.root, Root::Static(_)))
    }

    fn bounded_sender(&self, send: ExprId) -> bool {
        let receiver = self.cx.types[self.ix.0 as usize].receivers.get(&send);
        receiver.is_some_and(|r| self.bounded.contains(r.ty))
    }

    pub(super) fn is_method(&self, id: ExprId) -> bool {
        matches!(self.expr(id), ExprKind::Method { .. })
    }

    /// A lock taken or a concurrent map touched.
    pub(super) fn acquire(&mut self, event: ExprId, call: ExprId, tags: &Tags) {
        if tags.acquire.is_none() && tags.op.is_none() {
            return;
        }
        let Some(&target) = arguments(self.cx, self.ix, call).first() else { return };
        let types = &self.cx.types[self.ix.0 as usize];
        let ty = types.receivers.get(&call).map_or_else(|| types.expr(target).peel_refs(), |r| r.ty);
        let Some(info) = self.cx.program.knowledge.of(ty) else { return };
        let (mode, kind) = if info.concurrent_map && info.methods.values().any(|m| m.tags.acquire.is_some()) {
            use crate::knowledge::Op;
            let exclusive = matches!(
                tags.op,
                Some(Op::GetMut | Op::Insert | Op::Entry | Op::Remove | Op::Clear | Op::IterateMut)
            );
            let mode = tags.acquire.unwrap_or(Acquire { exclusive, is_try: false, recursive: false });
            (mode, Kind::Map)
        } else if let (Some(_), Some(mode)) = (info.lock, tags.acquire) {
            (mode, if info.is_async { Kind::AsyncLock } else { Kind::Lock })
        } else {
            return;
        };
        if let Some(place) = self.cx.place(self.ix, target) {
            self.direct(event, call, What::Acquire(place, mode, kind));
        }
    }

    /// What a blocking outside call works on; `None` if that is memory.
    fn object(&self, id: ExprId, path: Name, blocking: Blocking) -> Option<Object> {
        let types = &self.cx.types[self.ix.0 as usize];
        let args = arguments(self.cx, self.ix, id);
        // Methods of traits are as blocking as what has them.
        let through_trait = path
            .as_str()
            .rsplit_once("::")
            .and_then(|(ty, _)| self.cx.program.knowledge.type_info(Name::new(ty)))
            .is_some_and(|i| i.is_trait);
        let receiver = types.receivers.get(&id).map(|r| r.ty);
        let subject = match (args.first(), receiver) {
            (Some(&arg), Some(ty)) => Some((arg, ty)),
            (Some(&arg), None) => Some((arg, types.expr(arg).peel_refs())),
            _ => None,
        };
        let Some((arg, ty)) = subject else { return Some(Object::Other) };
        let class = self.cx.facts.io_class(ty);
        let root = self.root_local(arg);
        if self.is_method(id) || through_trait {
            // A thread, a process, a channel waits whatever it carries.
            let transfers =
                matches!(blocking, Blocking::Fs | Blocking::Fsync | Blocking::Net | Blocking::Stdio);
            return match class {
                IoClass::Memory if transfers && (through_trait || self.in_memory(ty)) => None,
                IoClass::Memory => Some(root.map_or(Object::Other, Object::Local)),
                IoClass::Io => Some(root.map_or(Object::Other, Object::Local)),
                IoClass::Generic => root.map(Object::Generic),
                IoClass::Unknown if through_trait => None,
                IoClass::Unknown => Some(root.map_or(Object::Other, Object::Local)),
            };
        }
        // `io::copy(&mut a, &mut b)`: in memory only if both are.
        let classes: Vec<_> = args.iter().map(|&a| self.cx.facts.io_class(types.expr(a))).collect();
        if path.as_str().starts_with("std::io::") {
            if classes.contains(&IoClass::Io) {
                let at = classes.iter().position(|&c| c == IoClass::Io).unwrap_or(0);
                return Some(self.root_local(args[at]).map_or(Object::Other, Object::Local));
            }
            let at = classes.iter().position(|&c| c == IoClass::Generic)?;
            return self.root_local(args[at]).map(Object::Generic);
        }
        Some(match (class, root) {
            (IoClass::Io, Some(local)) => Object::Local(local),
            _ => Object::Other,
        })
    }

    fn in_memory(&self, ty: Ty) -> bool {
        self.cx.program.knowledge.of(ty).is_some_and(|i| i.in_memory || i.io_object)
    }

    /// A stream's `write` is as slow as the stream.
    fn refine(&self, id: ExprId, blocking: Blocking) -> Blocking {
        let types = &self.cx.types[self.ix.0 as usize];
        let net = types.receivers.get(&id).is_some_and(|r| {
            r.ty.any(&mut |t| t.as_ext().is_some_and(|(path, _)| path.as_str().contains("::net::")))
        });
        if blocking == Blocking::Fs && net { Blocking::Net } else { blocking }
    }

    /// The variable that an expression leads back to, through fields, methods and aliases.
    pub(super) fn root_local(&self, id: ExprId) -> Option<LocalId> {
        match super::query::root_of(self.cx, self.ix, id) {
            Some(super::query::RootOf::Local(l)) => Some(l),
            _ => None,
        }
    }

    fn macro_call(&mut self, id: ExprId, m: &MacroCall) {
        match m.kind {
            // `bail!` gives an error back and goes on.
            MacroKind::Diverge if m.path.segments.last().is_some_and(|s| s.name.as_str() != "bail") => {
                for &arg in &m.args {
                    walk::for_each_below(self.cx.program.body(self.ix), arg, &mut |e| self.dying.insert(e));
                }
            }
            MacroKind::Join => {
                for &arg in &m.args {
                    self.mark_awaited(arg);
                    self.future(id, arg, 0);
                }
            }
            MacroKind::Select => {
                for pair in m.args.chunks_exact(2) {
                    self.mark_awaited(pair[0]);
                    self.future(id, pair[0], 0);
                }
            }
            MacroKind::Format => {
                let name = m.path.segments.last().map_or("", |s| s.name.as_str());
                if name != "write" && name != "writeln" {
                    return;
                }
                let Some(&writer) = m.args.first() else { return };
                if self.writes_as_print(writer) {
                    return;
                }
                let root = self.root_local(writer);
                let object = match self.cx.facts.io_class(self.ty(writer)) {
                    IoClass::Io => root.map_or(Object::Other, Object::Local),
                    IoClass::Generic => match root {
                        Some(local) => Object::Generic(local),
                        None => return,
                    },
                    IoClass::Memory | IoClass::Unknown => return,
                };
                self.direct(id, id, What::Block(Blocking::Fs, object));
            }
            _ => {}
        }
    }
}
