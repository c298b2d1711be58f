//! An acquisition: its guard, and every use of it.

use uncork_lints::hir::{BlockKind, ExprId, ExprKind, LocalId, PatId, PatKind, Stmt};
use uncork_lints::program::BodyIx;
use uncork_lints::source::Span;
use uncork_lints::ty::{Ty, TyKind};

use super::super::text;
use super::{Migration, Step};

/// What stands where the guard stood.
pub(super) struct Receiver {
    /// The bytes that go.
    pub(super) span: Span,
    /// What takes their place.
    pub(super) text: String,
}

impl<'a> Migration<'_, 'a> {
    /// `place.read()`, with whatever makes a guard of its result.
    pub(super) fn acquired(&mut self, body: BodyIx, place: ExprId, acquire: ExprId) -> Step {
        self.note_relied(body, place, acquire);
        if self.to.keeps_guard() {
            return self.held(body, place, acquire);
        }
        let hir = self.cx.analysis.program.body(body);
        let guard = self.guard(body, acquire)?;
        let (place_span, guard_span) = (hir.expr(place).span, hir.expr(guard).span);
        let between = self.text(body, Span::new(place_span.hi, guard_span.hi));
        if !between.trim_start().starts_with('.') || between.contains("//") {
            return self.blocked(body, acquire, "comments or parentheses stand inside the acquisition");
        }
        if let Some(at) = self.tree(body).stmt_of(guard) {
            return match self.tree(body).stmt(at) {
                Some(Stmt::Let { pat, els: None, span, .. }) => {
                    match hir.pat(*pat).kind {
                        PatKind::Bind { local, sub: None } => {
                            let end = hir.expr(at.block).span.hi;
                            self.guard_local(body, place, local, *span, end, true)
                        }
                        // `let _ = lock.read();` waits for writers and nothing else.
                        _ => self.blocked(body, guard, "the guard is taken apart"),
                    }
                }
                _ => self.blocked(body, guard, "the lock is taken for its own sake"),
            };
        }
        match self.tree(body).parent_kind(guard) {
            Some((call, ExprKind::Method { recv, .. })) if *recv == guard => {
                let receiver =
                    Receiver { span: Span::new(place_span.hi, guard_span.hi), text: String::new() };
                self.replace(body, receiver.span, receiver.text);
                self.operation(body, call)
            }
            Some((parent, ExprKind::Let { pat, .. })) => self.if_let_guard(body, place, parent, *pat),
            Some((_, ExprKind::Deref(_))) => {
                self.blocked(body, guard, "the map is read or replaced as a whole")
            }
            Some((_, ExprKind::Ref { .. })) => self.blocked(body, guard, "the map is borrowed and handed on"),
            _ => self.blocked(body, guard, "the guard is handed on"),
        }
    }

    /// `if let Ok(guard) = place.read() { … }`: the block alone stays.
    fn if_let_guard(&mut self, body: BodyIx, place: ExprId, cond: ExprId, pat: PatId) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let reason = "code acts on the lock being poisoned";
        let PatKind::TupleStruct { path, pats } = &hir.pat(pat).kind else {
            return self.blocked(body, cond, reason);
        };
        let local = match (&pats[..], path.segments.last().map(|s| s.name.as_str())) {
            ([one], Some("Ok")) => match hir.pat(*one).kind {
                PatKind::Bind { local, sub: None } => local,
                _ => return self.blocked(body, cond, reason),
            },
            _ => return self.blocked(body, cond, reason),
        };
        let Some((whole, ExprKind::If { cond: c, then, els: None })) = self.tree(body).parent_kind(cond)
        else {
            return self.blocked(body, cond, reason);
        };
        if *c != cond || !self.tree(body).stands_alone(whole) {
            return self.blocked(body, cond, reason);
        }
        let head = Span::new(hir.expr(whole).span.lo, hir.expr(*then).span.lo);
        let end = hir.expr(*then).span.hi;
        self.guard_local(body, place, local, head, end, false)
    }

    /// The expression that is the guard: the acquisition with its `unwrap`, `?` or `await`.
    pub(super) fn guard(&mut self, body: BodyIx, acquire: ExprId) -> Step<ExprId> {
        let mut here = acquire;
        for _ in 0..6 {
            if self.is_guard(self.ty(body, here)) {
                return Ok(here);
            }
            match self.tree(body).parent_kind(here) {
                Some((parent, ExprKind::Await(_) | ExprKind::Try(_))) => here = parent,
                Some((parent, ExprKind::Method { recv, name, .. }))
                    if *recv == here
                        && matches!(
                            name.as_str(),
                            "unwrap" | "expect" | "unwrap_or_else" | "map_err" | "ok"
                        ) =>
                {
                    here = parent;
                }
                // The guard of `if let Ok(guard) = …` is in its pattern.
                Some((_, ExprKind::Let { .. })) => return Ok(here),
                _ => break,
            }
        }
        self.blocked(body, acquire, "the guard's type is not known")
    }

    fn is_guard(&self, ty: Ty) -> bool {
        match ty.kind() {
            TyKind::Ext(path, _) => {
                self.cx.analysis.program.knowledge.types.get(path).is_some_and(|i| i.guard)
            }
            // `get_mut` of a lock that is owned.
            TyKind::Ref(true, inner) => *inner == self.core,
            _ => false,
        }
    }

    /// A guard with a name. `head`: the statement that declares it, or the condition of its `if let`.
    fn guard_local(
        &mut self,
        body: BodyIx,
        place: ExprId,
        local: LocalId,
        head: Span,
        end: u32,
        statement: bool,
    ) -> Step {
        let place_text = self.place_text(body, place)?;
        let uses = self.tree(body).uses(local);
        let mut operations = Vec::new();
        let mut releases = Vec::new();
        let mut end = end;
        for one in uses {
            if let Some(span) = self.drop_statement(body, one) {
                end = end.min(span.lo);
                self.released.insert((body, one), None);
                releases.push((one, span));
                continue;
            }
            self.captured_in_place(body, one, head)?;
            operations.push(one);
        }
        self.mentioned.extend(operations.iter().map(|&id| (body, id)));
        if self.claimed(body, &place_text, &operations)? {
            operations.clear();
        } else {
            self.one_operation(body, place, &operations, head, end)?;
        }

        let removed = match statement {
            true => text::removal(self.cx.text(self.cx.analysis.program.body_info(body).file), head),
            false => head,
        };
        self.replace(body, removed, "");
        let hir = self.cx.analysis.program.body(body);
        for one in operations {
            let span = hir.expr(one).span;
            match self.tree(body).parent_kind(one) {
                Some((call, ExprKind::Method { recv, .. })) if *recv == one => {
                    self.replace(body, span, place_text.clone());
                    self.operation(body, call)?;
                }
                Some((_, ExprKind::Deref(_))) => {
                    return self.blocked(body, one, "the map is read or replaced as a whole");
                }
                Some((_, ExprKind::Index { .. })) => {
                    return self.blocked(body, one, "the map is indexed");
                }
                Some((_, ExprKind::Ref { .. })) => {
                    return self.blocked(body, one, "the map is borrowed and handed on");
                }
                _ => return self.blocked(body, one, "the guard is handed on"),
            }
        }
        for (one, statement) in releases {
            self.release(body, one, statement);
        }
        Ok(())
    }

    /// `drop(guard);` goes, or drops the reference that the guard kept alive.
    fn release(&mut self, body: BodyIx, one: ExprId, statement: Span) {
        if let Some(holder) = self.released.get(&(body, one)).cloned().flatten() {
            let span = self.cx.analysis.program.body(body).expr(one).span;
            return self.replace(body, span, holder);
        }
        let file = self.cx.analysis.program.body_info(body).file;
        let removed = text::removal(self.cx.text(file), statement);
        self.replace(body, removed, "");
    }

    /// The place as text to stand where the guard's name stood.
    fn place_text(&mut self, body: BodyIx, place: ExprId) -> Step<String> {
        let hir = self.cx.analysis.program.body(body);
        let mut here = place;
        loop {
            match &hir.expr(here).kind {
                ExprKind::Field { base, .. } => here = *base,
                ExprKind::Path(_) => break,
                ExprKind::Local(local) => {
                    let name = hir.local(*local).name;
                    let same = hir.locals.iter().filter(|l| l.name == name).count();
                    if same > 1 && name.as_str() != "self" {
                        return self.blocked(
                            body,
                            place,
                            "the map is reached through a name that is used twice",
                        );
                    }
                    break;
                }
                _ => return self.blocked(body, place, "the map is reached through a call"),
            }
        }
        let text = self.text(body, hir.expr(place).span);
        Ok(text.split_whitespace().collect())
    }

    /// The statement `drop(guard);`.
    pub(super) fn drop_statement(&mut self, body: BodyIx, one: ExprId) -> Option<Span> {
        let hir = self.cx.analysis.program.body(body);
        let (call, ExprKind::Call { callee, .. }) = self.tree(body).parent_kind(one)? else { return None };
        let ExprKind::Path(path) = &hir.expr(*callee).kind else { return None };
        if path.segments.last()?.name.as_str() != "drop" {
            return None;
        }
        let at = self.tree(body).stmt_of(call)?;
        match self.tree(body).stmt(at)? {
            Stmt::Expr { span, .. } => Some(*span),
            Stmt::Let { .. } => None,
        }
    }

    /// A use inside a closure that takes its captures along cannot be given the place instead.
    fn captured_in_place(&mut self, body: BodyIx, one: ExprId, head: Span) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let mut here = one;
        while let Some((parent, kind)) = self.tree(body).parent_kind(here) {
            let outside = hir.expr(parent).span.contains(head);
            match kind {
                _ if outside => break,
                ExprKind::Closure(closure) if closure.is_move => {
                    return self.blocked(body, one, "the guard is moved into a closure");
                }
                ExprKind::Block(block) if matches!(block.kind, BlockKind::Async { .. }) => {
                    return self.blocked(body, one, "the guard is moved into an async block");
                }
                _ => here = parent,
            }
        }
        Ok(())
    }

    /// Each way through the region must do one thing to the map, or only read.
    pub(super) fn one_operation(
        &mut self,
        body: BodyIx,
        place: ExprId,
        operations: &[ExprId],
        head: Span,
        end: u32,
    ) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let method = |id: ExprId, this: &mut Self| match this.tree(body).parent_kind(id) {
            Some((_, ExprKind::Method { recv, name, .. })) if *recv == id => name.as_str(),
            _ => "",
        };
        let mut several = false;
        let mut any_write = false;
        for (i, &a) in operations.iter().enumerate() {
            any_write |= super::relied::writes(method(a, self));
            several |= self.in_loop_since(body, a, head);
            for &b in &operations[i + 1..] {
                several |= !self.exclusive(body, a, b);
            }
        }
        let names: Vec<&str> = operations.iter().map(|&o| method(o, self)).collect();
        // A cache is asked, and filled on a miss: at worst two make the same value.
        let filled_on_miss =
            names.iter().all(|n| matches!(*n, "get" | "contains_key" | "insert" | "len" | "is_empty"));
        if several
            && any_write
            && self.to.is_cache()
            && filled_on_miss
            && self.fills_on_miss(body, operations)
        {
            let at = self.place_of(body, place);
            self.refilled.push(at);
            return Ok(());
        }
        if several && any_write {
            let last = operations.last().copied().unwrap_or(place);
            let has = |name: &str| names.contains(&name);
            let reason = if operations.len() == 1 {
                "writes in a loop under one guard must appear together"
            } else if has("insert")
                && (has("contains_key") || has("get") || has("get_mut") || has("contains"))
            {
                "a check and an insert under one guard must stay together"
            } else if has("len") {
                "a length and a change under one guard must stay together"
            } else {
                "several operations under one guard must stay together"
            };
            return self.blocked(body, last, reason);
        }
        let at = self.place_of(body, place);
        if several {
            self.loosened.push(at);
            return Ok(());
        }
        // What else the region does may have relied on the lock to keep others out.
        let inside = Span::new(head.hi, end.max(head.hi));
        let relied = self.tree(body).ids().any(|id| {
            let expr = hir.expr(id);
            inside.contains(expr.span)
                && match &expr.kind {
                    ExprKind::Method { name, recv, .. } => {
                        let shared = matches!(
                            name.as_str(),
                            "store" | "swap" | "fetch_add" | "fetch_sub" | "compare_exchange"
                        );
                        shared && !operations.contains(recv)
                    }
                    ExprKind::Assign { lhs, .. } | ExprKind::AssignOp { lhs, .. } => {
                        matches!(hir.expr(*lhs).kind, ExprKind::Field { .. }) && root_is_self(hir, *lhs)
                    }
                    _ => false,
                }
        });
        if relied && any_write {
            self.relied.push(at);
        }
        Ok(())
    }

    /// Whether two expressions lie on different arms of one branch.
    fn exclusive(&mut self, body: BodyIx, a: ExprId, b: ExprId) -> bool {
        let tree = self.tree(body);
        let mut here = a;
        while let Some((parent, kind)) = tree.parent_kind(here) {
            if tree.within(b, parent) {
                return match kind {
                    ExprKind::If { then, els: Some(els), .. } => {
                        (here == *then && tree.within(b, *els)) || (here == *els && tree.within(b, *then))
                    }
                    ExprKind::Match { scrutinee, .. } => here != *scrutinee && !tree.within(b, *scrutinee),
                    _ => false,
                };
            }
            here = parent;
        }
        false
    }

    /// Whether a loop, or a closure that runs many times, lies between an expression and the guard's declaration.
    pub(super) fn in_loop_since(&mut self, body: BodyIx, id: ExprId, head: Span) -> bool {
        let hir = self.cx.analysis.program.body(body);
        let tree = self.tree(body);
        let mut here = id;
        while let Some((parent, kind)) = tree.parent_kind(here) {
            if hir.expr(parent).span.contains(head) {
                return false;
            }
            let turns = match kind {
                ExprKind::For { body, .. } => *body == here,
                ExprKind::While { .. } | ExprKind::Loop { .. } | ExprKind::Closure(_) => true,
                _ => false,
            };
            if turns {
                return true;
            }
            here = parent;
        }
        false
    }
}

fn root_is_self(body: &uncork_lints::hir::Body, id: ExprId) -> bool {
    match &body.expr(id).kind {
        ExprKind::Field { base, .. } => root_is_self(body, *base),
        ExprKind::Local(local) => body.local(*local).name.as_str() == "self",
        _ => false,
    }
}
