//! What awaiting a future does: the calls that make it, the blocks in it, whoever is at the other end of it.

use super::Object;
use super::collect::{Collector, What};
use super::graph::How;
use crate::flow::locks::arguments;
use crate::flow::{UnitKind, walk};
use crate::hir::{ExprId, ExprKind};
use crate::infer::Callee;
use crate::knowledge::{ClosureUse, Tags};
use crate::name::Name;
use crate::program::DefId;
use crate::ty::TyKind;

impl Collector<'_> {
    /// A future that is awaited: what the calls that make it do, and the blocks in it.
    pub(super) fn future(&mut self, event: ExprId, e: ExprId, depth: u32) {
        if depth > 8 {
            return;
        }
        let body = self.cx.program.body(self.ix);
        let mut later = Vec::new();
        walk::for_each_below(body, e, &mut |id| {
            match self.expr(id) {
                ExprKind::Closure(_) => return false,
                ExprKind::Block(_) if walk::own_body(body, id).is_some() => {
                    if let Some(unit) = self.cx.units.of_expr(self.ix, id) {
                        self.edge(event, id, unit, How::Awaited);
                    }
                    return false;
                }
                ExprKind::Await(_) if id != e => return false,
                ExprKind::Local(local) if id == e || self.is_future(id) => later.push(*local),
                ExprKind::Call { .. } | ExprKind::Method { .. } => {
                    return self.awaited_call(event, id, id == e);
                }
                _ => {}
            }
            true
        });
        // A task's handle, the receiving end of a single answer: whoever is at the other end takes the time it takes.
        let ty = self.ty(e).peel_refs();
        if self.cx.program.knowledge.of(ty).is_some_and(|i| i.awaits.is_some()) {
            let object = self.root_local(e).map_or(Object::Other, Object::Local);
            self.direct(event, e, What::AwaitIo(object));
        }
        let origins = self.cx.origins.get(self.cx.program, self.ix);
        for local in later {
            if let Some(init) = origins.init(local)
                && !matches!(self.expr(init), ExprKind::Await(_))
            {
                self.future(event, init, depth + 1);
            }
        }
    }

    fn is_future(&self, id: ExprId) -> bool {
        matches!(self.ty(id).peel_refs().kind(), TyKind::Future(_))
    }

    /// A call in a future that is awaited. Whether its arguments may hold more of it.
    fn awaited_call(&mut self, event: ExprId, id: ExprId, whole: bool) -> bool {
        match self.callee(id) {
            Callee::Fn(def) => {
                if self.is_async(def) || self.is_future(id) || whole {
                    self.edge_to(event, id, def, How::Awaited);
                    self.returned_blocks(event, id, def);
                }
                false
            }
            Callee::Virtual(def) => {
                if self.is_async(def) || self.is_future(id) || whole {
                    self.virtual_edges(event, id, def);
                }
                false
            }
            Callee::Ext(path) => {
                let tags = self.cx.facts.tags(path);
                if tags.is_some_and(|t| t.spawns_future || t.closure == ClosureUse::Spawn) {
                    return false;
                }
                if self.is_future(id) || whole {
                    if let Some(tags) = tags {
                        self.acquire(event, id, tags);
                    }
                    if let Some(object) = self.awaited_io(id, path, tags) {
                        self.direct(event, id, What::AwaitIo(object));
                    }
                }
                true
            }
            // Nothing is known of it but what it was given to work on.
            Callee::Unknown if whole => {
                if let Some(object) = self.given_handle(id) {
                    self.direct(event, id, What::AwaitIo(object));
                }
                true
            }
            _ => true,
        }
    }

    /// The database or socket that is handed to a call.
    fn given_handle(&self, call: ExprId) -> Option<Object> {
        let types = &self.cx.types[self.ix.0 as usize];
        let is_handle = |&arg: &ExprId| {
            let ty = types.expr(arg);
            matches!(ty.kind(), TyKind::Ref(..))
                && self.cx.program.knowledge.of(ty.peel_refs()).is_some_and(|i| i.io_object)
        };
        let arg = arguments(self.cx, self.ix, call)
            .into_iter()
            .skip(usize::from(self.is_method(call)))
            .find(is_handle)?;
        Some(self.root_local(arg).map_or(Object::Other, Object::Local))
    }

    /// Async blocks that a plain function returns: `fn f() -> impl Future { async move { … } }`.
    fn returned_blocks(&mut self, event: ExprId, call: ExprId, def: DefId) {
        if self.is_async(def) {
            return;
        }
        let Some(unit) = self.cx.units.of_def(self.cx.program, def) else { return };
        let body = self.cx.units.get(unit).body;
        let root = &self.cx.program.body(body).expr(self.cx.program.body(body).root).kind;
        let ExprKind::Block(block) = root else { return };
        let Some(tail) = block.tail else { return };
        walk::for_each_below(self.cx.program.body(body), tail, &mut |id| {
            if let Some(target) = self.cx.units.of_expr(body, id) {
                if self.cx.units.get(target).kind == UnitKind::Async {
                    self.edge(event, call, target, How::Awaited);
                }
                return false;
            }
            true
        });
    }

    /// Whether awaiting an outside call waits for I/O or without bound, and on what.
    fn awaited_io(&self, id: ExprId, path: Name, tags: Option<&Tags>) -> Option<Object> {
        let types = &self.cx.types[self.ix.0 as usize];
        let receiver = arguments(self.cx, self.ix, id).first().copied();
        let ty = types.receivers.get(&id).map(|r| r.ty);
        let object = ty.is_some_and(|t| self.cx.program.knowledge.of(t).is_some_and(|i| i.io_object));
        let blocks = tags.is_some_and(|t| t.blocks.is_some() && !t.condvar_wait);
        if !(object || blocks || self.cx.program.knowledge.waits(path)) {
            return None;
        }
        let root = receiver.filter(|_| self.is_method(id)).and_then(|r| self.root_local(r));
        Some(root.map_or(Object::Other, Object::Local))
    }
}
