//! What calls do to places.

use super::{Origin, Walker};
use crate::flow::walk;
use crate::hir::{BlockKind, ExprId, ExprKind};
use crate::infer::Callee;
use crate::knowledge::{Acquire, ClosureUse, Op};
use crate::link::HeadKey;
use crate::name::Name;
use crate::places::{PlaceKey, Shape, UseKind, opened, record, shape};
use crate::program::DefId;
use crate::ty::{Ty, TyKind};

impl Walker<'_> {
    pub(super) fn closure_args(
        &mut self,
        args: &[ExprId],
        usage: ClosureUse,
        future: bool,
        recv: Option<(Origin, Ty)>,
    ) -> Vec<Option<Origin>> {
        let body = self.body;
        let in_place = matches!(usage, ClosureUse::InPlace | ClosureUse::Lazy);
        args.iter()
            .map(|&arg| {
                let closure = matches!(body.expr(arg).kind, ExprKind::Closure(_));
                self.lent = recv.filter(|_| closure && in_place);
                // `spawn({ let map = Arc::clone(&map); async move { .. } })`: what the block ends in is spawned.
                let mut spawned = arg;
                while let ExprKind::Block(block) = &body.expr(spawned).kind
                    && block.kind == BlockKind::Plain
                    && let Some(tail) = block.tail
                {
                    spawned = tail;
                }
                let runs_elsewhere = match &body.expr(spawned).kind {
                    ExprKind::Closure(_) => usage == ClosureUse::Spawn,
                    ExprKind::Block(b) => future && matches!(b.kind, BlockKind::Async { .. }),
                    // `spawn(serve(Arc::clone(&map)))`: what an async function is given goes along.
                    ExprKind::Call { .. } | ExprKind::Method { .. } => future,
                    // What the function itself was given.
                    ExprKind::Local(_) => future || usage == ClosureUse::Spawn,
                    _ => false,
                };
                if !runs_elsewhere {
                    return self.expr(arg);
                }
                let around = self.elsewhere.replace(spawned);
                let origin = self.expr(arg);
                self.elsewhere = around;
                origin
            })
            .collect()
    }

    pub(super) fn call(&mut self, id: ExprId, callee: ExprId, args: &[ExprId]) -> Option<Origin> {
        let target = self.types.callee(id);
        if !matches!(self.body.expr(callee).kind, ExprKind::Path(_)) {
            self.drop_expr(callee);
        }
        let (usage, future) = self.closure_use(target);
        let origins = self.closure_args(args, usage, future, None);
        match target {
            Callee::Ext(path) => {
                let text = path.as_str();
                if text.ends_with("::default") {
                    self.made(id, true);
                }
                let tags = self.program.knowledge.callee(path).map(|f| f.tags.clone());
                match text {
                    "std::mem::take" | "std::mem::replace" | "std::mem::swap" => {
                        if let Some(&kept) = args.first() {
                            self.replaced(kept);
                        }
                        for origin in origins.into_iter().flatten() {
                            self.record(origin, UseKind::Take, id);
                        }
                        return None;
                    }
                    "std::mem::drop" | "std::mem::forget" => return None,
                    _ => {}
                }
                // `Arc::clone(&self.map)`, `RwLock::read(&m)`, `HashMap::insert(&mut m, ..)`: methods by another name.
                if self.program.knowledge.callee(path).is_some_and(|f| f.self_mode.is_some())
                    && let Some((first, rest)) = origins.split_first()
                {
                    for origin in rest.iter().flatten() {
                        self.record(*origin, UseKind::Escape, id);
                    }
                    return match first {
                        Some(origin) => self.operate(*origin, id, args[0], target, tags.as_ref()),
                        None => None,
                    };
                }
                let result_is_place = self.is_place(self.types.expr(id));
                // `Arc::new(map)`, `Mutex::new(map)`: what was filled as a local is there from the start.
                if result_is_place && args.len() == 1 && self.moves_in(args[0], id) {
                    return None;
                }
                if text.starts_with("std::sync::Arc::") || text.starts_with("std::rc::Rc::") {
                    // `Arc::new(x)` wraps, `Arc::strong_count(&x)` looks.
                    return origins.into_iter().flatten().next();
                }
                for origin in origins.into_iter().flatten() {
                    // `Ok(guard)`, `Some(map)`, `Mutex::new(map)`: wrapped, and still followed.
                    if result_is_place && !text.contains("mem::") {
                        return Some(origin);
                    }
                    self.record(origin, UseKind::Escape, id);
                }
                None
            }
            Callee::Fn(def) => {
                self.pass(def, args, &origins, 0);
                self.ret_of(def, id, &Self::given(&origins, args))
            }
            Callee::Virtual(def) => {
                self.pass(def, args, &origins, 0);
                for &implementor in self.program.decls.implementors.get(&def).into_iter().flatten() {
                    self.pass(implementor, args, &origins, 0);
                }
                self.ret_of(def, id, &Self::given(&origins, args))
            }
            Callee::Ctor(def) => {
                self.made(id, false);
                for (i, origin) in origins.into_iter().enumerate() {
                    if let Some(origin) = origin {
                        self.share(origin, PlaceKey::Field(def, Name::new(&i.to_string())), args[i]);
                    }
                }
                None
            }
            Callee::Value | Callee::Unknown => {
                for origin in origins.into_iter().flatten() {
                    self.record(origin, UseKind::Escape, id);
                }
                None
            }
        }
    }

    /// Whether a call puts a collection that a local owns into a lock, cell or handle.
    fn moves_in(&self, arg: ExprId, call: ExprId) -> bool {
        let ExprKind::Local(local) = self.body.expr(arg).kind else { return false };
        let ty = self.types.local(local);
        let kb = &self.program.knowledge;
        let (Some(inner), Some(outer)) = (shape(kb, ty), shape(kb, self.types.expr(call))) else {
            return false;
        };
        let bare = |s: &Shape| !s.handle && s.lock.is_none() && !s.cell && !s.concurrent;
        !matches!(ty.kind(), TyKind::Ref(..)) && bare(&inner) && inner.core == outer.core && !bare(&outer)
    }

    pub(super) fn closure_use(&self, callee: Callee) -> (ClosureUse, bool) {
        match callee {
            Callee::Ext(path) => match self.program.knowledge.callee(path) {
                Some(f) => (f.tags.closure, f.tags.spawns_future),
                None => (ClosureUse::Unknown, false),
            },
            _ => (ClosureUse::Unknown, false),
        }
    }

    fn pass(&mut self, def: DefId, args: &[ExprId], origins: &[Option<Origin>], shift: u32) {
        for (i, origin) in origins.iter().enumerate() {
            if let Some(origin) = origin.filter(|o| !o.entry) {
                let param = PlaceKey::Param(def, i as u32 + shift);
                self.out.flows.push((origin.place, param));
                let ty = args.get(i).map_or(Ty::UNKNOWN, |&arg| self.types.expr(arg));
                if shape(&self.program.knowledge, ty).is_some_and(|s| s.handle) {
                    self.out.handed.push((origin.place, param));
                }
            }
        }
        for (i, &arg) in args.iter().enumerate() {
            self.give(arg, PlaceKey::Param(def, i as u32 + shift));
        }
    }

    /// Notes what goes along with a closure or future that a function of the workspace is given: it may spawn it.
    fn give(&mut self, arg: ExprId, to: PlaceKey) {
        let body = self.body;
        match &body.expr(arg).kind {
            ExprKind::Local(local) => {
                let own = self.param(*local);
                self.out.given.extend(own.map(|own| (own, to)));
            }
            ExprKind::Closure(_) | ExprKind::Block(_) | ExprKind::Call { .. } | ExprKind::Method { .. }
                if !self.locals.is_empty()
                    && matches!(self.types.expr(arg).kind(), TyKind::Future(_) | TyKind::Closure(..)) =>
            {
                let span = body.expr(arg).span;
                walk::for_each_below(body, arg, &mut |id| {
                    if let ExprKind::Local(local) = &body.expr(id).kind
                        && let Some(origin) = self.locals.get(local)
                        && matches!(origin.place, PlaceKey::Local(..))
                        && !span.contains(body.local(*local).span)
                    {
                        self.out.given.push((origin.place, to));
                    }
                    true
                });
            }
            _ => {}
        }
    }

    /// What a call of a workspace function yields. What one gives that is for anything (`fn locked<T>(_: &Mutex<T>)`) is
    /// another place for each caller: what it was given, if it still is that.
    fn ret_of(&self, def: DefId, call: ExprId, given: &[(Option<Origin>, ExprId)]) -> Option<Origin> {
        let ty = self.types.expr(call);
        if !self.is_place(ty) {
            return None;
        }
        let declared = self.program.decls.sigs.get(&def).map_or(Ty::UNKNOWN, |sig| sig.ret);
        let core = shape(&self.program.knowledge, declared).map_or(declared, |s| s.core);
        let for_anything = match core.kind() {
            TyKind::Param(_) => true,
            TyKind::Adt(..) => core.has_params(),
            _ => false,
        };
        if !for_anything {
            return Some(Origin::of(PlaceKey::Ret(def)));
        }
        let same = |arg: ExprId| self.same_core(self.types.expr(arg), ty);
        given.iter().find(|&&(origin, arg)| origin.is_some_and(|o| !o.entry) && same(arg)).and_then(|g| g.0)
    }

    /// What a call is given, with where each stands.
    fn given(origins: &[Option<Origin>], args: &[ExprId]) -> Vec<(Option<Origin>, ExprId)> {
        origins.iter().copied().zip(args.iter().copied()).collect()
    }

    pub(super) fn method(&mut self, id: ExprId, recv: ExprId, name: Name, args: &[ExprId]) -> Option<Origin> {
        let target = self.types.callee(id);
        // `CELL.replace(fresh)`: whether the method is of the cell or of the thread's key to it.
        let cell = self.types.expr(recv).peel_refs();
        if matches!(name.as_str(), "replace" | "set" | "take" | "swap")
            && ["std::cell::RefCell", "std::cell::Cell", "std::thread::LocalKey"]
                .iter()
                .any(|c| cell.is_ext(c))
        {
            self.replaced(recv);
        }
        let mut origin = self.expr(recv);
        if origin.is_none() {
            origin = self.derefs_to(id, recv);
        }
        if let Some(inner) = origin.filter(|o| o.inner) {
            return self.of_inner((inner, self.types.expr(recv)), id, target, args);
        }
        if let Some(entry) = origin.filter(|o| o.entry) {
            if matches!(name.as_str(), "remove" | "remove_entry") {
                self.record(entry, UseKind::Op(Op::Remove), id);
            }
            origin = None;
        }
        let (usage, future) = self.closure_use(target);
        let own = origin.map(|origin| (origin, self.types.expr(recv)));
        let origins = self.closure_args(args, usage, future, own);
        match target {
            Callee::Ext(path) => {
                if matches!(path.as_str(), "std::option::Option::take" | "std::option::Option::replace") {
                    self.replaced(recv);
                }
                let tags = self.program.knowledge.callee(path).map(|f| f.tags.clone());
                for given in origins.into_iter().flatten() {
                    // `a.append(&mut b)`, `a.extend(b)`: taken or read as a whole.
                    let kind =
                        if matches!(name.as_str(), "append") { UseKind::Take } else { UseKind::Escape };
                    self.record(given, kind, id);
                }
                self.operate(origin?, id, recv, target, tags.as_ref())
            }
            Callee::Fn(def) | Callee::Virtual(def) => {
                if let Some(origin) = origin
                    && let Some(acquire) = self.own_lock(id, recv)
                {
                    self.record(origin, UseKind::Acquire(acquire), id);
                    return Some(Origin { acquired: Some(id), ..origin });
                }
                if let Some(origin) = origin {
                    self.out.flows.push((origin.place, PlaceKey::Param(def, 0)));
                }
                self.pass(def, args, &origins, 1);
                if let Callee::Virtual(def) = target {
                    for &implementor in self.program.decls.implementors.get(&def).into_iter().flatten() {
                        self.pass(implementor, args, &origins, 1);
                    }
                }
                let mut given = Self::given(&origins, args);
                given.insert(0, (origin, recv));
                self.ret_of(def, id, &given)
            }
            Callee::Ctor(_) | Callee::Value | Callee::Unknown => {
                for given in origins.into_iter().flatten().chain(origin) {
                    self.record(given, UseKind::Escape, id);
                }
                None
            }
        }
    }

    /// `followers.read()` where `Followers` has a `Deref` to its own lock: the field that it gives.
    fn derefs_to(&self, call: ExprId, recv: ExprId) -> Option<Origin> {
        let program = self.program;
        let (def, _) = record(program, self.types.expr(recv))?;
        let on = self.types.receivers.get(&call)?.ty;
        if matches!(on.kind(), TyKind::Adt(..)) || !self.is_place(on) {
            return None;
        }
        let impls = program.decls.impls_by_head.get(&HeadKey::Adt(def)).into_iter().flatten();
        let items = impls.flat_map(|i| program.children.get(i).into_iter().flatten());
        let deref = items.copied().find(|&item| program.def(item).name.as_str() == "deref")?;
        let body = program.body(*program.body_of.get(&deref)?);
        let mut id = body.root;
        loop {
            id = match &body.expr(id).kind {
                ExprKind::Block(block) => block.tail?,
                ExprKind::Ref { expr: e, .. } | ExprKind::Deref(e) => *e,
                ExprKind::Field { base, name, .. } => {
                    let own = matches!(body.expr(*base).kind, ExprKind::Local(_));
                    return own.then(|| self.field_place(def, *name))?;
                }
                _ => return None,
            };
        }
    }

    /// A method on what lies under a key of a collection.
    fn of_inner(
        &mut self,
        recv: (Origin, Ty),
        id: ExprId,
        target: Callee,
        args: &[ExprId],
    ) -> Option<Origin> {
        let (usage, future) = self.closure_use(target);
        self.closure_args(args, usage, future, Some(recv));
        let inner = recv.0;
        let op = match target {
            Callee::Ext(path) => self.program.knowledge.callee(path).and_then(|f| f.tags.op),
            _ => None,
        };
        // `pop_front()`, `drain(..excess)`, `remove(0)` keep it short; what goes by its own name has come to its end.
        let named = args.first().is_some_and(|&arg| {
            !matches!(self.body.expr(arg).kind, ExprKind::Lit(_) | ExprKind::Range { .. })
        });
        if matches!(op, Some(Op::Remove)) && named {
            self.record(inner, UseKind::Emptied, id);
        }
        // `unwrap`, `as_mut`: still the same.
        (op.is_none() && self.is_group(self.types.expr(id))).then_some(inner)
    }

    /// Whether a type is a collection that nobody else has, no lock, handle or cell around it: if entries are such, what
    /// lies under a key goes or stays with it.
    pub(super) fn is_group(&self, ty: Ty) -> bool {
        shape(&self.program.knowledge, ty).is_some_and(|s| {
            (s.container.is_some() || s.concurrent) && s.lock.is_none() && !s.handle && !s.cell
        })
    }

    /// Whether a call takes a lock of the workspace's own (`struct Shared<T>(RwLock<T>)`) and yields the guard.
    fn own_lock(&self, call: ExprId, recv: ExprId) -> Option<Acquire> {
        opened(self.program, self.types.expr(recv))?;
        let mut ty = self.types.expr(call);
        loop {
            ty = match ty.kind() {
                TyKind::Future(inner) => *inner,
                TyKind::Ext(path, args)
                    if matches!(path.as_str(), "std::option::Option" | "std::result::Result") =>
                {
                    *args.first()?
                }
                TyKind::Ext(path, _) => {
                    let guard = self.program.knowledge.types.get(path)?.guard;
                    let exclusive = !path.as_str().ends_with("ReadGuard");
                    return guard.then_some(Acquire { exclusive, is_try: false, recursive: false });
                }
                _ => return None,
            };
        }
    }

    /// A known outside method on a place.
    fn operate(
        &mut self,
        origin: Origin,
        id: ExprId,
        recv: ExprId,
        callee: Callee,
        tags: Option<&crate::knowledge::Tags>,
    ) -> Option<Origin> {
        let _ = recv;
        let ty = self.types.expr(id);
        let receiver = self.types.receivers.get(&id).map_or(Ty::UNKNOWN, |r| r.ty);
        let kb = &self.program.knowledge;
        let on = kb.of(receiver);
        if let Some(acquire) = tags.and_then(|t| t.acquire)
            && on.is_some_and(|i| i.lock.is_some())
        {
            self.record(origin, UseKind::Acquire(acquire), id);
            return Some(Origin { acquired: Some(id), ..origin });
        }
        if matches!(callee, Callee::Ext(p) if matches!(p.as_str(), "std::clone::Clone::clone" | "std::borrow::ToOwned::to_owned"))
        {
            // A copy of the collection itself, or of a handle to it?
            if on.is_some_and(|i| i.container.is_some()) {
                self.record(origin, UseKind::Snapshot, id);
                return None;
            }
            return Some(origin);
        }
        if let Some(op) = tags.and_then(|t| t.op)
            && on.is_some_and(|i| i.container.is_some() || i.concurrent_map || i.bounded)
        {
            self.record(origin, UseKind::Op(op), id);
            let inner = matches!(op, Op::Get | Op::GetMut) && self.is_group(ty);
            let entry = inner || matches!(op, Op::Entry | Op::Iterate | Op::IterateMut);
            return entry.then_some(Origin { entry, inner, ..origin });
        }
        if matches!(callee, Callee::Ext(p) if leaves_another(p.as_str())) {
            self.record(origin, UseKind::Take, id);
            return None;
        }
        // `unwrap`, `borrow_mut`, `as_ref`, `get_or_init`: the result still is the collection.
        let same = match (shape(kb, ty), shape(kb, receiver)) {
            (Some(a), Some(b)) => a.core == b.core || a.container.is_some() && a.container == b.container,
            _ => false,
        };
        if same {
            return Some(origin);
        }
        // Slices of a vector: reading is not worth a word, growing is not possible.
        if matches!(receiver.kind(), TyKind::Slice(_) | TyKind::Str) {
            let kind = tags.and_then(|t| t.op).map_or(UseKind::Peek, UseKind::Op);
            self.record(origin, kind, id);
            return None;
        }
        let known = matches!(callee, Callee::Ext(p) if kb.callee(p).is_some());
        self.record(origin, if known { UseKind::Peek } else { UseKind::Escape }, id);
        None
    }
}

/// Whether a method takes what is there out as a whole, or puts something else in its place.
fn leaves_another(path: &str) -> bool {
    matches!(
        path.rsplit_once("::"),
        Some((
            "std::option::Option" | "std::cell::RefCell" | "std::cell::Cell" | "std::thread::LocalKey",
            "take" | "replace" | "set"
        ))
    )
}
