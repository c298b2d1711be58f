//! Types of expressions, statements and blocks.

use super::cx::Cx;
use super::path::Value;
use crate::hir::{BinaryOp, Block, BlockKind, ExprId, ExprKind, Lit, Stmt};
use crate::name::{Name, well_known};
use crate::program::Res;
use crate::ty::{Ty, TyKind};

fn prim_int(suffix: Option<Name>) -> Ty {
    Ty::new(TyKind::Int(suffix.unwrap_or(well_known::EMPTY)))
}

impl Cx<'_> {
    /// Infers an expression; `expected` is a hint, unified where it helps.
    pub(super) fn expr(&mut self, id: ExprId, expected: Option<Ty>) -> Ty {
        let ty = self.expr_inner(id, expected);
        if let Some(slot) = self.out.exprs.get_mut(id.0 as usize) {
            *slot = ty;
        }
        ty
    }

    fn expr_inner(&mut self, id: ExprId, expected: Option<Ty>) -> Ty {
        let body = self.body;
        match &body.expr(id).kind {
            ExprKind::Missing => Ty::UNKNOWN,
            ExprKind::Lit(lit) => self.lit(lit),
            ExprKind::Local(local) => self.out.local(*local),
            ExprKind::Path(path) => {
                let value = self.value(path);
                self.path_value(id, value)
            }
            ExprKind::Call { callee, args } => self.call(id, *callee, args, expected),
            ExprKind::Method { recv, name, generics, args, .. } => {
                self.method_call(id, *recv, *name, generics.as_deref(), args, expected)
            }
            ExprKind::Field { base, name, .. } => {
                let base = self.expr(*base, None);
                self.field(base, *name)
            }
            ExprKind::Index { base, index } => {
                let base = self.expr(*base, None);
                let index = self.expr(*index, None);
                self.index(base, index)
            }
            ExprKind::Deref(inner) => {
                let inner = self.expr(*inner, None);
                self.deref_once(inner).map_or(Ty::UNKNOWN, |t| self.shallow(t))
            }
            ExprKind::Not(inner) | ExprKind::Neg(inner) => {
                let ty = self.expr(*inner, None);
                self.shallow(ty)
            }
            ExprKind::Binary { op, lhs, rhs } => {
                let l = self.expr(*lhs, None);
                let r = self.expr(*rhs, None);
                self.binary(*op, l, r)
            }
            ExprKind::Assign { lhs, rhs } => {
                let l = self.expr(*lhs, None);
                let r = self.expr(*rhs, Some(l));
                self.unify(l, r);
                Ty::UNIT
            }
            ExprKind::AssignOp { lhs, rhs, .. } => {
                self.expr(*lhs, None);
                self.expr(*rhs, None);
                Ty::UNIT
            }
            ExprKind::Ref { mutable, expr } => {
                let hint = expected.and_then(|t| match self.shallow(t).kind() {
                    TyKind::Ref(_, inner) => Some(*inner),
                    _ => None,
                });
                let inner = self.expr(*expr, hint);
                Ty::reference(*mutable, inner)
            }
            ExprKind::Cast { expr, ty } => {
                let ty = self.tycx.lower(ty);
                let inner = self.expr(*expr, None);
                let ty = self.open(ty);
                if ty.has_vars() {
                    self.unify(ty, inner);
                }
                ty
            }
            ExprKind::Tuple(parts) => {
                let hints: Vec<Ty> = match expected.map(|t| self.shallow(t).kind()) {
                    Some(TyKind::Tuple(parts)) => parts.to_vec(),
                    _ => vec![],
                };
                let parts: Vec<Ty> =
                    parts.iter().enumerate().map(|(i, &p)| self.expr(p, hints.get(i).copied())).collect();
                Ty::new(TyKind::Tuple(parts.into()))
            }
            ExprKind::Array(parts) => {
                let elem = self.fresh();
                for &part in parts.iter() {
                    let ty = self.expr(part, Some(elem));
                    self.unify(elem, ty);
                }
                Ty::new(TyKind::Array(elem))
            }
            ExprKind::Repeat { elem, len } => {
                let elem = self.expr(*elem, None);
                self.expr(*len, None);
                Ty::new(TyKind::Array(elem))
            }
            ExprKind::Range { start, end, .. } => {
                let elem = self.fresh();
                for part in [start, end].into_iter().flatten() {
                    let ty = self.expr(*part, None);
                    self.unify(elem, ty);
                }
                Ty::ext("std::ops::Range", [elem])
            }
            ExprKind::Struct { path, fields, base } => {
                let (def, ty, subst) = self.struct_literal(path, expected);
                for field in fields.iter() {
                    let declared = def
                        .and_then(|d| self.program.decls.field(d, field.name))
                        .map_or(Ty::UNKNOWN, |t| t.subst(&subst));
                    let found = self.expr(field.value, Some(declared));
                    self.unify(declared, found);
                }
                if let Some(base) = base {
                    self.expr(*base, Some(ty));
                }
                ty
            }
            ExprKind::Block(block) => self.block(block, expected),
            ExprKind::If { cond, then, els } => {
                self.expr(*cond, None);
                let t = self.expr(*then, expected);
                match els {
                    Some(els) => {
                        let e = self.expr(*els, expected);
                        self.join(t, e)
                    }
                    None => Ty::UNIT,
                }
            }
            ExprKind::Let { pat, scrutinee } => {
                let ty = self.expr(*scrutinee, None);
                self.pat(*pat, ty);
                Ty::BOOL
            }
            ExprKind::Match { scrutinee, arms } => {
                let scrutinee = self.expr(*scrutinee, None);
                let mut result = Ty::NEVER;
                for arm in arms.iter() {
                    self.pat(arm.pat, scrutinee);
                    if let Some(guard) = arm.guard {
                        self.expr(guard, None);
                    }
                    let ty = self.expr(arm.body, expected);
                    result = self.join(result, ty);
                }
                result
            }
            ExprKind::Loop { body, .. } => {
                let result = self.fresh();
                self.breaks.push(result);
                self.expr(*body, None);
                self.breaks.pop();
                result
            }
            ExprKind::While { cond, body, .. } => {
                self.expr(*cond, None);
                let unit = Ty::UNIT;
                self.breaks.push(unit);
                self.expr(*body, None);
                self.breaks.pop();
                Ty::UNIT
            }
            ExprKind::For { pat, iter, body, .. } => {
                let iter = self.expr(*iter, None);
                let item = self.item_of(iter).unwrap_or(Ty::UNKNOWN);
                self.pat(*pat, item);
                self.breaks.push(Ty::UNIT);
                self.expr(*body, None);
                self.breaks.pop();
                Ty::UNIT
            }
            ExprKind::Break { value, .. } => {
                if let Some(value) = value {
                    let ty = self.expr(*value, None);
                    if let Some(&target) = self.breaks.last() {
                        self.unify(target, ty);
                    }
                }
                Ty::NEVER
            }
            ExprKind::Continue { .. } => Ty::NEVER,
            ExprKind::Return(value) => {
                if let Some(value) = value {
                    let ret = self.ret;
                    let ty = self.expr(*value, Some(ret));
                    self.unify(ret, ty);
                }
                Ty::NEVER
            }
            ExprKind::Closure(closure) => self.closure(id, closure, expected),
            ExprKind::Await(inner) => {
                let ty = self.expr(*inner, None);
                self.awaited(ty).map_or(Ty::UNKNOWN, |t| self.shallow(t))
            }
            ExprKind::Try(inner) => {
                let ty = self.expr(*inner, None);
                match self.shallow(ty).as_ext() {
                    Some((p, args))
                        if matches!(p.as_str(), "std::result::Result" | "std::option::Option") =>
                    {
                        args.first().map_or(Ty::UNKNOWN, |&t| self.shallow(t))
                    }
                    _ => Ty::UNKNOWN,
                }
            }
            ExprKind::Macro(mac) => self.mac(mac, expected),
        }
    }

    fn lit(&mut self, lit: &Lit) -> Ty {
        match lit {
            Lit::Str(_) => Ty::reference(false, Ty::STR),
            Lit::ByteStr => {
                Ty::reference(false, Ty::new(TyKind::Array(Ty::new(TyKind::Int(Name::new("u8"))))))
            }
            Lit::CStr => Ty::UNKNOWN,
            Lit::Char => Ty::CHAR,
            Lit::Byte => Ty::new(TyKind::Int(Name::new("u8"))),
            Lit::Int(_, suffix) => prim_int(*suffix),
            Lit::Float(suffix) => Ty::new(TyKind::Float(suffix.unwrap_or(well_known::EMPTY))),
            Lit::Bool(_) => Ty::BOOL,
        }
    }

    /// The type both branches have; a branch that does not return gives way.
    pub(super) fn join(&mut self, a: Ty, b: Ty) -> Ty {
        let (a, b) = (self.shallow(a), self.shallow(b));
        if a == Ty::NEVER || a.is_unknown() && !a.has_vars() {
            return b;
        }
        if b != Ty::NEVER {
            self.unify(a, b);
        }
        a
    }

    fn path_value(&mut self, id: ExprId, value: Value) -> Ty {
        match value {
            Value::Fn { def, args, .. } => {
                self.out.paths.insert(id, Res::Def(def));
                Ty::new(TyKind::FnDef(def, args.into()))
            }
            Value::Known { path, info, given } => {
                self.out.paths.insert(id, Res::Ext(path));
                let (params, ret) = self.known_signature(&info, given);
                Ty::new(TyKind::FnPtr(params.into(), ret))
            }
            Value::Ext(path) => {
                self.out.paths.insert(id, Res::Ext(path));
                Ty::UNKNOWN
            }
            Value::Typed(res, ty) => {
                self.out.paths.insert(id, res);
                ty
            }
            Value::TraitMethod(..) | Value::Unknown => Ty::UNKNOWN,
        }
    }

    /// The type of a field after autoderef.
    pub(super) fn field(&mut self, base: Ty, name: Name) -> Ty {
        let mut ty = self.shallow(base);
        for _ in 0..12 {
            match ty.kind() {
                TyKind::Adt(def, args) => {
                    if let Some(field) = self.program.decls.field(*def, name) {
                        let params: Vec<Name> = self.program.decls.params(*def).collect();
                        let ty = field.subst(&crate::ty::Subst::pair(params, args));
                        return self.shallow(ty);
                    }
                }
                TyKind::Tuple(parts) => {
                    if let Some(part) = name.as_str().parse::<usize>().ok().and_then(|i| parts.get(i)) {
                        return self.shallow(*part);
                    }
                }
                _ => {}
            }
            match self.deref_once(ty) {
                Some(next) => ty = self.shallow(next),
                None => break,
            }
        }
        Ty::UNKNOWN
    }

    fn index(&mut self, base: Ty, index: Ty) -> Ty {
        let mut ty = self.shallow(base);
        let is_range = self.shallow(index).is_ext("std::ops::Range");
        for _ in 0..12 {
            match ty.kind() {
                TyKind::Slice(t) | TyKind::Array(t) => {
                    return if is_range { Ty::new(TyKind::Slice(*t)) } else { self.shallow(*t) };
                }
                TyKind::Str => return Ty::STR,
                TyKind::Ext(path, args) => {
                    let kb = self.kb;
                    if let Some(info) = kb.types.get(path)
                        && let Some(f) = info.methods.get(&Name::new("index"))
                    {
                        let subst = crate::ty::Subst::pair(info.params.iter().copied(), args);
                        let ret = f.ret.subst(&subst);
                        return self.shallow(ret);
                    }
                }
                TyKind::Adt(..) => {
                    if let Some(out) = self.assoc_type(ty, well_known::OUTPUT) {
                        return self.shallow(out);
                    }
                }
                _ => {}
            }
            match self.deref_once(ty) {
                Some(next) => ty = self.shallow(next),
                None => break,
            }
        }
        Ty::UNKNOWN
    }

    fn binary(&mut self, op: BinaryOp, l: Ty, r: Ty) -> Ty {
        use BinaryOp as B;
        match op {
            B::And | B::Or | B::Eq | B::Ne | B::Lt | B::Le | B::Gt | B::Ge => Ty::BOOL,
            B::Add
            | B::Sub
            | B::Mul
            | B::Div
            | B::Rem
            | B::BitAnd
            | B::BitOr
            | B::BitXor
            | B::Shl
            | B::Shr => {
                let (l, r) = (self.shallow(l), self.shallow(r));
                let lp = l.peel_refs();
                let rp = r.peel_refs();
                match lp.kind() {
                    TyKind::Int(n) if n.as_str().is_empty() && !matches!(op, B::Shl | B::Shr) => {
                        if rp.is_unknown() { lp } else { rp }
                    }
                    TyKind::Int(_) | TyKind::Float(_) => lp,
                    TyKind::Ext(p, _) => match (p.as_str(), op) {
                        ("std::time::Instant" | "std::time::SystemTime", B::Sub) if lp == rp => {
                            Ty::ext("std::time::Duration", [])
                        }
                        _ => lp,
                    },
                    TyKind::Adt(..) => {
                        self.assoc_type(lp, well_known::OUTPUT).map_or(Ty::UNKNOWN, |t| self.shallow(t))
                    }
                    _ => Ty::UNKNOWN,
                }
            }
        }
    }

    pub(super) fn block(&mut self, block: &Block, expected: Option<Ty>) -> Ty {
        let outer_module = self.tycx.module;
        if let Some(scope) = block.scope {
            let file = self.program.body_info(self.ix).file;
            if let Some(&module) = self.program.scopes.get(&(file, scope)) {
                self.tycx.module = module;
            }
        }
        let own = matches!(block.kind, BlockKind::Async { .. } | BlockKind::Try);
        let outer_ret = self.ret;
        let outer_breaks = if own { std::mem::take(&mut self.breaks) } else { vec![] };
        if own {
            self.ret = self.fresh();
        }
        let hint = match block.kind {
            BlockKind::Async { .. } => expected.and_then(|t| self.awaited(t)),
            BlockKind::Try => None,
            _ => expected,
        };
        let mut diverges = false;
        for stmt in block.stmts.iter() {
            match stmt {
                Stmt::Let { pat, ty, init, els, .. } => {
                    let declared = ty.as_ref().map(|t| {
                        let ty = self.tycx.lower(t);
                        self.open(ty)
                    });
                    let found = init.map(|init| self.expr(init, declared));
                    if let (Some(d), Some(f)) = (declared, found) {
                        self.unify(d, f);
                    }
                    diverges |= found == Some(Ty::NEVER);
                    let ty = declared.or(found).unwrap_or_else(|| self.fresh());
                    self.pat(*pat, ty);
                    if let Some(els) = els {
                        self.expr(*els, None);
                    }
                }
                Stmt::Expr { expr, .. } => {
                    let ty = self.expr(*expr, None);
                    diverges |= self.shallow(ty) == Ty::NEVER;
                }
            }
        }
        let mut ty = match block.tail {
            Some(tail) => self.expr(tail, hint),
            None if diverges => Ty::NEVER,
            None => Ty::UNIT,
        };
        if own {
            let ret = self.ret;
            if ty != Ty::NEVER {
                self.unify(ret, ty);
            }
            ty = match block.kind {
                BlockKind::Async { .. } => Ty::new(TyKind::Future(ret)),
                _ => Ty::UNKNOWN,
            };
            self.ret = outer_ret;
            self.breaks = outer_breaks;
        }
        self.tycx.module = outer_module;
        ty
    }

    fn closure(&mut self, id: ExprId, closure: &crate::hir::Closure, expected: Option<Ty>) -> Ty {
        let hint = expected.and_then(|t| self.callable_of(t));
        let mut params = Vec::new();
        for (i, param) in closure.params.iter().enumerate() {
            let hinted = hint.as_ref().and_then(|(ps, _)| ps.get(i).copied());
            let ty = match &param.ty {
                Some(t) => {
                    let ty = self.tycx.lower(t);
                    let ty = self.open(ty);
                    if let Some(h) = hinted {
                        self.unify(ty, h);
                    }
                    ty
                }
                None => hinted.unwrap_or_else(|| self.fresh()),
            };
            params.push(ty);
        }
        let declared = closure.ret.as_ref().map(|t| {
            let ty = self.tycx.lower(t);
            self.open(ty)
        });
        let ret = declared.unwrap_or_else(|| self.fresh());
        self.closures
            .insert(id, (params.clone(), if closure.is_async { Ty::new(TyKind::Future(ret)) } else { ret }));
        for (param, &ty) in closure.params.iter().zip(&params) {
            self.pat(param.pat, ty);
        }
        let outer = std::mem::replace(&mut self.ret, ret);
        let breaks = std::mem::take(&mut self.breaks);
        let hint = declared.or_else(|| hint.map(|(_, r)| r));
        let found = self.expr(closure.body, hint);
        if found != Ty::NEVER {
            self.unify(ret, found);
        }
        self.breaks = breaks;
        self.ret = outer;
        Ty::new(TyKind::Closure(self.ix, id))
    }
}
