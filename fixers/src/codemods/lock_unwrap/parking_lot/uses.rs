//! What becomes of each use of a lock that no longer poisons: its results are what was in them, `try_` gives options.

use uncork_lints::hir::{ExprId, ExprKind, PatId, PatKind, Stmt};
use uncork_lints::infer::Callee;
use uncork_lints::program::{BodyIx, DefId};
use uncork_lints::source::Span;
use uncork_lints::ty::Ty;

use super::{Blocked, HANDED_OUT, Migration, POISON, Step};

impl<'a> Migration<'_, 'a> {
    pub(super) fn mention(&mut self, body: BodyIx, id: ExprId) -> Step {
        let tree = self.tree(body);
        let hir = tree.body;
        let Some((parent, kind)) = tree.parent_kind(id) else { return self.blocked(body, id, HANDED_OUT) };
        match kind {
            ExprKind::Method { recv, name, args, .. } if *recv == id && args.is_empty() => {
                match name.as_str() {
                    "lock" | "read" | "write" | "into_inner" | "get_mut" => self.result(body, parent),
                    "try_lock" | "try_read" | "try_write" => self.tried(body, parent),
                    "clone" => self.handle(body, parent),
                    _ => self.blocked(body, parent, "a method of the lock that has no counterpart"),
                }
            }
            ExprKind::Ref { mutable: false, .. } => {
                let Some((call, ExprKind::Call { callee, .. })) = tree.parent_kind(parent) else {
                    return self.blocked(body, id, HANDED_OUT);
                };
                let ExprKind::Path(path) = &hir.expr(*callee).kind else {
                    return self.blocked(body, id, HANDED_OUT);
                };
                let names: Vec<&str> = path.segments.iter().map(|s| s.name.as_str()).collect();
                match &names[..] {
                    [.., "Arc" | "Rc" | "Clone", "clone"] => self.handle(body, call),
                    [.., "Arc" | "Rc", "strong_count" | "weak_count" | "ptr_eq"] => Ok(()),
                    _ => self.blocked(body, id, HANDED_OUT),
                }
            }
            ExprKind::Assign { lhs, rhs } if *lhs == id => self.made(body, *rhs),
            _ => self.blocked(body, id, HANDED_OUT),
        }
    }

    /// A clone of the handle: good if it gets a name, or goes into the same field again.
    fn handle(&mut self, body: BodyIx, clone: ExprId) -> Step {
        let tree = self.tree(body);
        if let Some(at) = tree.stmt_of(clone)
            && let Some(Stmt::Let { pat, ty: None, els: None, .. }) = tree.stmt(at)
            && let PatKind::Bind { local, sub: None } = tree.body.pat(*pat).kind
        {
            if self.aliases.insert((body, local)) {
                for one in tree.uses(local) {
                    if !self.goes_into_place(body, one) {
                        self.mention(body, one)?;
                    }
                }
            }
            return Ok(());
        }
        if self.goes_into_place(body, clone) {
            return Ok(());
        }
        self.blocked(body, clone, "a handle to the lock is handed out")
    }

    /// `call` gave a `LockResult`, and gives what was in it.
    fn result(&mut self, body: BodyIx, call: ExprId) -> Step {
        let tree = self.tree(body);
        let hir = tree.body;
        let span = hir.expr(call).span;
        if let Some(at) = tree.stmt_of(call) {
            return match tree.stmt(at) {
                Some(Stmt::Let { pat, init: Some(init), els: Some(els), .. }) if *init == call => {
                    let inner = self
                        .inside(body, *pat, "Ok")
                        .ok_or(())
                        .or_else(|()| self.blocked(body, call, POISON))?;
                    let (outer, inner) = (hir.pat(*pat).span, hir.pat(inner).span);
                    let text = self.text(body, inner).to_owned();
                    self.replace(body, outer, text);
                    self.replace(body, Span::new(span.hi, hir.expr(*els).span.hi), "");
                    self.no_wait(body)
                }
                _ => self.blocked(body, call, POISON),
            };
        }
        let Some((parent, kind)) = tree.parent_kind(call) else {
            return self.blocked(body, call, HANDED_OUT);
        };
        let end = hir.expr(parent).span.hi;
        match kind {
            ExprKind::Method { recv, name, args, .. } if *recv == call => match name.as_str() {
                "unwrap" | "expect" => {
                    self.replace(body, Span::new(span.hi, end), "");
                    self.no_wait(body)
                }
                "unwrap_or_else" if self.recovers(body, &args[..]) => {
                    self.replace(body, Span::new(span.hi, end), "");
                    self.no_wait(body)
                }
                "map_err" => match tree.parent_kind(parent) {
                    Some((question, ExprKind::Try(_))) => {
                        let end = hir.expr(question).span.hi;
                        self.replace(body, Span::new(span.hi, end), "");
                        self.no_wait(body)
                    }
                    _ => self.blocked(body, parent, POISON),
                },
                _ => self.blocked(body, parent, POISON),
            },
            ExprKind::Try(_) => {
                self.replace(body, Span::new(span.hi, end), "");
                self.no_wait(body)
            }
            ExprKind::Let { pat, .. } => self.conditional(body, call, parent, *pat),
            ExprKind::Match { scrutinee, arms } if *scrutinee == call => {
                // `match lock.lock() { Ok(guard) => guard, Err(…) => … }`
                let same = arms.iter().any(|arm| {
                    let inner = self.inside(body, arm.pat, "Ok");
                    matches!((inner.map(|p| &hir.pat(p).kind), &hir.expr(arm.body).kind),
                        (Some(PatKind::Bind { local, sub: None }), ExprKind::Local(used)) if local == used)
                });
                if !same || arms.len() != 2 {
                    return self.blocked(body, parent, POISON);
                }
                let whole = hir.expr(parent).span;
                self.replace(body, Span::new(whole.lo, span.lo), "");
                self.replace(body, Span::new(span.hi, whole.hi), "");
                self.no_wait(body)
            }
            _ => self.blocked(body, call, POISON),
        }
    }

    /// A guard that waits on a condition variable of std has to be one of std.
    fn no_wait(&self, body: BodyIx) -> Step {
        let hir = self.cx.analysis.program.body(body);
        for (number, expr) in hir.exprs.iter().enumerate() {
            if let ExprKind::Method { recv, .. } = &expr.kind
                && self.ty(body, *recv).peel_refs().any(&mut |t| t.is_ext("std::sync::Condvar"))
            {
                let id = ExprId(number as u32);
                return self.blocked(body, id, "a condition variable of std waits with a guard of std");
            }
        }
        self.no_type_named(body)
    }

    /// A guard does not go where its type is written out: into a function that takes one of std, or to the caller.
    fn no_type_named(&self, body: BodyIx) -> Step {
        const REASON: &str = "the guard goes where its type is written out";
        let program = &self.cx.analysis.program;
        let hir = program.body(body);
        let guard = |ty: Ty| {
            ty.any(&mut |t| {
                ["MutexGuard", "RwLockReadGuard", "RwLockWriteGuard"]
                    .iter()
                    .any(|name| t.is_ext(&format!("std::sync::{name}")))
            })
        };
        let sig = |def: &DefId| program.decls.sigs.get(def);
        if sig(&program.body_info(body).owner).is_some_and(|s| guard(s.ret)) {
            return self.blocked(body, hir.root, REASON);
        }
        let types = &self.cx.analysis.types[body.0 as usize];
        for (number, expr) in hir.exprs.iter().enumerate() {
            let id = ExprId(number as u32);
            if matches!(expr.kind, ExprKind::Call { .. } | ExprKind::Method { .. })
                && let Callee::Fn(def) | Callee::Virtual(def) = types.callee(id)
                && sig(&def).is_some_and(|s| s.params.iter().any(|&p| guard(p)))
            {
                return self.blocked(body, id, REASON);
            }
        }
        Ok(())
    }

    /// `if let Ok(guard) = place.lock() { … }`: a block that begins with the guard.
    fn conditional(&mut self, body: BodyIx, call: ExprId, cond: ExprId, pat: PatId) -> Step {
        let tree = self.tree(body);
        let hir = tree.body;
        let Some(inner) = self.inside(body, pat, "Ok") else { return self.blocked(body, cond, POISON) };
        let Some((whole, ExprKind::If { cond: c, then, els: None })) = tree.parent_kind(cond) else {
            return self.blocked(body, cond, POISON);
        };
        if *c != cond || !tree.stands_alone(whole) {
            return self.blocked(body, cond, POISON);
        }
        let (block, lock) = (hir.expr(*then).span, self.text(body, hir.expr(call).span).to_owned());
        let pattern = self.text(body, hir.pat(inner).span).to_owned();
        self.replace(body, Span::new(hir.expr(whole).span.lo, block.lo), "");
        let at = Span::new(block.lo + 1, block.lo + 1);
        let text = if self.text(body, block).contains('\n') {
            let before = self.cx.text(self.cx.analysis.program.body_info(body).file);
            let line = before.get(..block.lo as usize).unwrap_or("").rsplit('\n').next().unwrap_or("");
            let indent = &line[..line.len() - line.trim_start().len()];
            format!("\n{indent}    let {pattern} = {lock};")
        } else {
            format!(" let {pattern} = {lock};")
        };
        self.replace(body, at, text);
        self.no_wait(body)
    }

    /// The pattern inside `Ok(…)`.
    fn inside(&self, body: BodyIx, pat: PatId, variant: &str) -> Option<PatId> {
        match &self.cx.analysis.program.body(body).pat(pat).kind {
            PatKind::TupleStruct { path, pats } if path.segments.last()?.name.as_str() == variant => {
                match pats[..] {
                    [one] => Some(one),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// `PoisonError::into_inner`, `|e| e.into_inner()`.
    fn recovers(&self, body: BodyIx, args: &[ExprId]) -> bool {
        let hir = self.cx.analysis.program.body(body);
        let [arg] = args else { return false };
        match &hir.expr(*arg).kind {
            ExprKind::Path(path) => path.segments.last().is_some_and(|s| s.name.as_str() == "into_inner"),
            ExprKind::Closure(closure) => {
                matches!(&hir.expr(closure.body).kind, ExprKind::Method { name, .. } if name.as_str() == "into_inner")
            }
            _ => false,
        }
    }

    /// `try_lock` gives an `Option` in place of a `Result`.
    fn tried(&mut self, body: BodyIx, call: ExprId) -> Step {
        let tree = self.tree(body);
        let hir = tree.body;
        let span = hir.expr(call).span;
        let reason = "the error of a lock that is taken is looked at";
        if let Some(at) = tree.stmt_of(call) {
            return match tree.stmt(at) {
                Some(Stmt::Let { pat, els: Some(_), .. }) => self.some_for_ok(body, *pat, reason),
                _ => self.blocked(body, call, reason),
            };
        }
        let Some((parent, kind)) = tree.parent_kind(call) else {
            return self.blocked(body, call, HANDED_OUT);
        };
        let end = hir.expr(parent).span.hi;
        match kind {
            ExprKind::Method { recv, name, name_span, .. } if *recv == call => {
                match name.as_str() {
                    "unwrap" | "expect" => {}
                    "ok" => self.replace(body, Span::new(span.hi, end), ""),
                    "is_ok" => self.replace(body, *name_span, "is_some"),
                    "is_err" => self.replace(body, *name_span, "is_none"),
                    _ => return self.blocked(body, parent, reason),
                }
                Ok(())
            }
            ExprKind::Let { pat, .. } => self.some_for_ok(body, *pat, reason),
            ExprKind::Match { scrutinee, arms } if *scrutinee == call => {
                for arm in arms {
                    match &hir.pat(arm.pat).kind {
                        PatKind::Wild => {}
                        PatKind::TupleStruct { path, .. }
                            if path.segments.last().is_some_and(|s| s.name.as_str() == "Ok") =>
                        {
                            self.some_for_ok(body, arm.pat, reason)?;
                        }
                        PatKind::TupleStruct { pats, .. } if matches!(pats[..], [one] if matches!(hir.pat(one).kind, PatKind::Wild)) =>
                        {
                            self.replace(body, hir.pat(arm.pat).span, "None");
                        }
                        _ => return self.blocked(body, parent, reason),
                    }
                }
                Ok(())
            }
            _ => self.blocked(body, call, reason),
        }
    }

    fn some_for_ok(&mut self, body: BodyIx, pat: PatId, reason: &'static str) -> Step {
        let program = &self.cx.analysis.program;
        let pat = program.body(body).pat(pat);
        match &pat.kind {
            PatKind::TupleStruct { path, .. }
                if path.segments.last().is_some_and(|s| s.name.as_str() == "Ok") =>
            {
                self.replace(body, path.span, "Some");
                Ok(())
            }
            _ => Err(Blocked { reason, at: Some(program.at(body, pat.span)) }),
        }
    }
}
