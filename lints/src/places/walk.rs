//! What one body does to places.

mod bind;
mod calls;

use rustc_hash::FxHashMap;

use super::{Birth, BodyUses, PlaceKey, Use, UseKind, opened, shape};
use crate::hir::{BinaryOp, Block, BlockKind, Body, ExprId, ExprKind, LocalId, MacroKind, Stmt};
use crate::infer::BodyTypes;
use crate::knowledge::Op;
use crate::program::{BodyIx, DefId, DefKind, Program, Res};
use crate::ty::{Ty, TyKind};

/// What an expression stands for.
#[derive(Clone, Copy, Debug)]
struct Origin {
    place: PlaceKey,
    acquired: Option<ExprId>,
    /// It is not the collection but one entry of it (`map.entry(key)`), which can be taken out.
    entry: bool,
    /// What lies under a key (`map.get_mut(key)`): a collection within the collection. An entry as well.
    inner: bool,
}

impl Origin {
    fn of(place: PlaceKey) -> Origin {
        Origin { place, acquired: None, entry: false, inner: false }
    }
}

/// Walks one body.
pub(crate) fn walk(program: &Program, ix: BodyIx, types: &BodyTypes) -> BodyUses {
    let info = program.body_info(ix);
    let body = program.body(ix);
    let mut walker = Walker {
        program,
        body,
        types,
        ix,
        owner: info.owner,
        in_test: program.def(info.owner).in_test,
        locals: FxHashMap::default(),
        out: BodyUses::default(),
        spawned: 0,
        elsewhere: None,
        depth: 0,
        home: FxHashMap::default(),
        lent: None,
    };
    if program.def(info.owner).kind == DefKind::Fn {
        for (i, param) in body.params.iter().enumerate() {
            if let Some(local) = bind::single(body, param.pat)
                && walker.is_place(types.local(local))
            {
                walker.locals.insert(local, Origin::of(PlaceKey::Param(info.owner, i as u32)));
            }
        }
    }
    let result = walker.expr(body.root);
    walker.returned(result);
    walker.out
}

struct Walker<'a> {
    program: &'a Program,
    body: &'a Body,
    types: &'a BodyTypes,
    ix: BodyIx,
    owner: DefId,
    in_test: bool,
    /// What each local stands for.
    locals: FxHashMap<LocalId, Origin>,
    out: BodyUses,
    /// How many spawned closures lie around.
    spawned: u32,
    /// What is about to run on another thread or task.
    elsewhere: Option<ExprId>,
    /// How many closures lie around: `return` in them is not the function's.
    depth: u32,
    /// In which spawned closure a local is bound: one used in another is captured.
    home: FxHashMap<LocalId, u32>,
    /// What the method that runs the next closure is called on, and its type.
    lent: Option<(Origin, Ty)>,
}

impl Walker<'_> {
    /// Whether a type is worth following: a collection, or something with a lock around it.
    fn is_place(&self, ty: Ty) -> bool {
        match ty.kind() {
            TyKind::Unknown | TyKind::Int(_) | TyKind::Bool | TyKind::Str | TyKind::Float(_) => false,
            TyKind::Adt(_, args) => !args.is_empty() && opened(self.program, ty).is_some(),
            _ => {
                shape(&self.program.knowledge, ty)
                    .is_some_and(|s| s.container.is_some() || s.lock.is_some() || s.concurrent || s.bounded)
                    || opened(self.program, ty).is_some()
            }
        }
    }

    /// The parameter of the function that a variable is.
    fn param(&self, local: LocalId) -> Option<PlaceKey> {
        let at = self.body.params.iter().position(|p| bind::single(self.body, p.pat) == Some(local))?;
        Some(PlaceKey::Param(self.owner, at as u32))
    }

    fn record(&mut self, origin: Origin, kind: UseKind, expr: ExprId) {
        self.record_compared(origin, kind, expr, false);
    }

    fn record_compared(&mut self, origin: Origin, kind: UseKind, expr: ExprId, compared: bool) {
        // Of an entry only that it goes is told.
        if origin.entry && !matches!(kind, UseKind::Op(Op::Remove) | UseKind::Emptied) {
            return;
        }
        let acquired = match kind {
            UseKind::Acquire(_) => Some(expr),
            _ => origin.acquired,
        };
        let one = Use {
            kind,
            body: self.ix,
            expr,
            acquired,
            compared,
            in_test: self.in_test,
            spawned: self.spawned > 0,
        };
        self.out.uses.push((origin.place, one));
    }

    /// A kept value of a workspace type, in an `Option` or not, makes room for another.
    fn replaced(&mut self, kept: ExprId) {
        if self.in_test {
            return;
        }
        let mut ty = self.types.expr(kept).peel_refs();
        while let TyKind::Ext(path, args) = ty.kind()
            && matches!(
                path.as_str(),
                "std::option::Option"
                    | "std::boxed::Box"
                    | "std::cell::RefCell"
                    | "std::cell::Cell"
                    | "std::thread::LocalKey"
            )
            && let Some(&inner) = args.first()
        {
            ty = inner;
        }
        if let TyKind::Adt(def, _) = ty.kind() {
            self.out.replaced.push(*def);
        }
    }

    /// A value of a workspace type comes to be.
    fn made(&mut self, expr: ExprId, default: bool) {
        if self.in_test {
            return;
        }
        let birth = Birth { body: self.ix, expr, default };
        self.types.expr(expr).any(&mut |ty| {
            if let TyKind::Adt(def, _) = ty.kind() {
                self.out.made.push((*def, birth));
            }
            // Of a literal only the type itself, not what it is made with.
            !default
        });
    }

    fn returned(&mut self, origin: Option<Origin>) {
        if let Some(origin) = origin.filter(|o| !o.entry)
            && self.program.def(self.owner).kind == DefKind::Fn
        {
            self.out.flows.push((origin.place, PlaceKey::Ret(self.owner)));
        }
    }

    /// What a branching expression stands for: where its branches differ, what is done to it is done to each.
    fn either(&mut self, id: ExprId, a: Option<Origin>, b: Option<Origin>) -> Option<Origin> {
        let (Some(a), Some(b)) = (a, b) else { return a.or(b) };
        if a.place == b.place || a.entry || b.entry {
            return Some(a);
        }
        let place = PlaceKey::Either(self.ix, id);
        for branch in [a, b] {
            if branch.place != place {
                self.out.flows.push((branch.place, place));
            }
        }
        let acquired = a.acquired.filter(|_| a.acquired == b.acquired);
        Some(Origin { acquired, ..Origin::of(place) })
    }

    /// Walks for effect; what it stands for is dropped unused.
    fn drop_expr(&mut self, id: ExprId) {
        self.expr(id);
    }

    fn expr(&mut self, id: ExprId) -> Option<Origin> {
        let body = self.body;
        if self.elsewhere == Some(id) {
            self.elsewhere = None;
            self.spawned += 1;
            let origin = self.expr(id);
            self.spawned -= 1;
            return origin;
        }
        match &body.expr(id).kind {
            ExprKind::Missing | ExprKind::Lit(_) | ExprKind::Continue { .. } => None,
            ExprKind::Local(local) => {
                let origin = self.locals.get(local).copied();
                let home = self.home.get(local).copied().unwrap_or(0);
                if self.spawned > home
                    && let Some(origin) = origin
                {
                    self.out.spawned.push(origin.place);
                }
                if self.spawned > home
                    && let Some(param) = self.param(*local)
                {
                    self.out.spawns.push(param);
                }
                origin
            }
            ExprKind::Path(_) => match self.types.res(id) {
                Some(Res::Def(def))
                    if self.program.def(def).kind == DefKind::Static
                        && self.is_place(self.types.expr(id)) =>
                {
                    Some(Origin::of(PlaceKey::Static(def)))
                }
                _ => None,
            },
            ExprKind::Field { base, name, .. } => {
                self.expr(*base);
                let ty = self.types.expr(id);
                if !self.is_place(ty) {
                    return None;
                }
                let owner = self.program.field_owner(self.types.expr(*base), *name)?;
                // A field reached through a guard keeps that guard's acquisition out: it is another place.
                Some(Origin::of(PlaceKey::Field(owner, *name)))
            }
            ExprKind::Index { base, index } => {
                if let Some(origin) = self.expr(*base) {
                    self.record(origin, UseKind::Op(Op::Get), id);
                }
                self.drop_expr(*index);
                None
            }
            ExprKind::Deref(inner)
            | ExprKind::Ref { expr: inner, .. }
            | ExprKind::Cast { expr: inner, .. } => self.expr(*inner),
            ExprKind::Not(inner) | ExprKind::Neg(inner) => {
                self.drop_expr(*inner);
                None
            }
            ExprKind::Try(inner) | ExprKind::Await(inner) => self.expr(*inner),
            ExprKind::Binary { op, lhs, rhs } => {
                let before = self.out.uses.len();
                self.drop_expr(*lhs);
                self.drop_expr(*rhs);
                if matches!(
                    op,
                    BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge | BinaryOp::Eq | BinaryOp::Ne
                ) {
                    for (_, one) in &mut self.out.uses[before..] {
                        one.compared |= one.kind == UseKind::Op(Op::Len);
                    }
                }
                None
            }
            ExprKind::Assign { lhs, rhs } => {
                let value = self.expr(*rhs);
                let target = self.expr(*lhs);
                if matches!(
                    body.expr(*lhs).kind,
                    ExprKind::Field { .. } | ExprKind::Deref(_) | ExprKind::Index { .. }
                ) {
                    self.replaced(*lhs);
                }
                if let Some(target) = target {
                    self.record(target, UseKind::Assign, id);
                    if let Some(value) = value {
                        self.share(value, target.place, *rhs);
                    }
                } else if let Some(value) = value {
                    self.record(value, UseKind::Escape, id);
                }
                None
            }
            ExprKind::AssignOp { lhs, rhs, .. } => {
                self.drop_expr(*lhs);
                self.drop_expr(*rhs);
                None
            }
            ExprKind::Tuple(parts) | ExprKind::Array(parts) => {
                for &part in parts.iter() {
                    if let Some(origin) = self.expr(part) {
                        self.record(origin, UseKind::Escape, part);
                    }
                }
                None
            }
            ExprKind::Repeat { elem, len } => {
                self.drop_expr(*elem);
                self.drop_expr(*len);
                None
            }
            ExprKind::Range { start, end, .. } => {
                for part in [start, end].into_iter().flatten() {
                    self.drop_expr(*part);
                }
                None
            }
            ExprKind::Struct { path, fields, base } => {
                self.made(id, false);
                let owner = self.record_of(self.types.expr(id), path);
                for field in fields.iter() {
                    if let Some(origin) = self.expr(field.value) {
                        match owner {
                            Some(owner) => {
                                self.share(origin, PlaceKey::Field(owner, field.name), field.value)
                            }
                            None => self.record(origin, UseKind::Escape, field.value),
                        }
                    }
                }
                if let Some(base) = base {
                    self.drop_expr(*base);
                }
                None
            }
            ExprKind::Block(block) => self.block(block),
            ExprKind::If { cond, then, els } => {
                self.drop_expr(*cond);
                let t = self.expr(*then);
                let e = els.and_then(|e| self.expr(e));
                self.either(id, t, e)
            }
            ExprKind::Let { pat, scrutinee } => {
                let origin = self.expr(*scrutinee);
                self.only_occupied(*pat, origin);
                self.bind(*pat, origin, *scrutinee);
                None
            }
            ExprKind::Match { scrutinee, arms } => {
                let origin = self.expr(*scrutinee);
                let mut result = None;
                for arm in arms.iter() {
                    self.bind(arm.pat, origin, *scrutinee);
                    if let Some(guard) = arm.guard {
                        self.drop_expr(guard);
                    }
                    let value = self.expr(arm.body);
                    result = self.either(id, result, value);
                }
                result
            }
            ExprKind::Loop { body, .. } => {
                self.drop_expr(*body);
                None
            }
            ExprKind::While { cond, body, .. } => {
                self.drop_expr(*cond);
                self.drop_expr(*body);
                None
            }
            ExprKind::For { pat, iter, body, .. } => {
                let origin = self.expr(*iter);
                if let Some(origin) = origin {
                    self.record(origin, UseKind::Op(Op::Iterate), *iter);
                }
                self.bind_each(*pat, origin, *iter);
                self.drop_expr(*body);
                None
            }
            ExprKind::Break { value, .. } => {
                if let Some(value) = value {
                    self.drop_expr(*value);
                }
                None
            }
            ExprKind::Return(value) => {
                if let Some(value) = value {
                    let origin = self.expr(*value);
                    if self.depth == 0 {
                        self.returned(origin);
                    }
                }
                None
            }
            ExprKind::Closure(closure) => {
                self.depth += 1;
                let lent = self.lent.take();
                for param in closure.params.iter() {
                    // `KEY.with(|map| ..)`, `guard.as_mut().map(|map| ..)`: the receiver's own value.
                    let own = lent.filter(|(_, ty)| self.same_core(self.types.pat(param.pat), *ty));
                    self.bind(param.pat, own.map(|(origin, _)| origin), id);
                }
                let result = self.expr(closure.body);
                self.depth -= 1;
                result
            }
            ExprKind::Macro(mac) => {
                for (i, &arg) in mac.args.iter().enumerate() {
                    if let Some(origin) = self.expr(arg) {
                        let kind = match mac.kind {
                            MacroKind::Format | MacroKind::Log | MacroKind::Assert | MacroKind::Matches => {
                                UseKind::Peek
                            }
                            _ => UseKind::Escape,
                        };
                        self.record(origin, kind, arg);
                    }
                    if mac.kind == MacroKind::Select
                        && i % 2 == 0
                        && let Some(&pat) = mac.pats.get(i / 2)
                    {
                        self.bind(pat, None, arg);
                    }
                }
                None
            }
            ExprKind::Call { callee, args } => self.call(id, *callee, args),
            ExprKind::Method { recv, name, args, .. } => self.method(id, *recv, *name, args),
        }
    }

    /// A place's value is stored in another place: what is done there is done here if they share it.
    fn share(&mut self, origin: Origin, target: PlaceKey, expr: ExprId) {
        if origin.entry {
            return;
        }
        let ty = self.types.expr(expr);
        let shared = shape(&self.program.knowledge, ty).is_some_and(|s| s.handle || s.concurrent)
            || matches!(ty.kind(), TyKind::Ref(..));
        self.out.flows.push((origin.place, target));
        // A wrapper for anything is another one for each thing it wraps.
        let for_anything = |owner, name| {
            let declared = self.program.decls.field(owner, name);
            declared
                .and_then(|ty| shape(&self.program.knowledge, ty))
                .is_some_and(|s| matches!(s.core.kind(), TyKind::Param(_)))
        };
        if shared && !matches!(target, PlaceKey::Field(owner, name) if for_anything(owner, name)) {
            self.out.flows.push((target, origin.place));
        }
    }

    fn block(&mut self, block: &Block) -> Option<Origin> {
        let own = matches!(block.kind, BlockKind::Async { .. });
        if own {
            self.depth += 1;
        }
        for stmt in block.stmts.iter() {
            match stmt {
                Stmt::Let { pat, init, els, .. } => {
                    if let Some(init) = init {
                        let origin = self.expr(*init);
                        self.bind(*pat, origin, *init);
                    } else {
                        self.bind(*pat, None, ExprId(0));
                    }
                    if let Some(els) = els {
                        self.drop_expr(*els);
                    }
                }
                Stmt::Expr { expr, .. } => self.drop_expr(*expr),
            }
        }
        let result = block.tail.and_then(|t| self.expr(t));
        if own {
            self.depth -= 1;
        }
        result
    }

    /// Whether two types are one collection, locks, cells and handles around it aside.
    fn same_core(&self, a: Ty, b: Ty) -> bool {
        let kb = &self.program.knowledge;
        matches!((shape(kb, a), shape(kb, b)), (Some(a), Some(b)) if a.core == b.core)
    }
}
