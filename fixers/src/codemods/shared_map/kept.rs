//! Targets under which code goes on holding something while it uses the map: a pin of a `papaya` map, or the guard of the
//! lock that stays around an `lru` cache. References into the map keep their meaning; only operations change their names.

use uncork_lints::hir::{ExprId, ExprKind, LocalId, PatId, PatKind, SelfParam, Stmt};
use uncork_lints::program::BodyIx;
use uncork_lints::source::Span;
use uncork_lints::ty::TyKind;

use super::to::To;
use super::{Migration, Step};

const HANDED_ON: &str = "the guard is handed on";
const IN_PLACE: &str = "values are changed in place, which a `papaya` map does not offer";
const ALL: &str = "all entries are gone through, and evicted ones would be missing";

/// How a map is held at an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// With others that read.
    Shared,
    /// Alone.
    Alone,
}

impl<'a> Migration<'_, 'a> {
    /// `place.read()`, with whatever makes a guard of its result.
    pub(super) fn held(&mut self, body: BodyIx, place: ExprId, acquire: ExprId) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let guard = self.guard(body, acquire)?;
        let (place_span, guard_span) = (hir.expr(place).span, hir.expr(guard).span);
        let hold = match &hir.expr(acquire).kind {
            ExprKind::Method { name, .. } if name.as_str() == "read" => Hold::Shared,
            _ => Hold::Alone,
        };
        let between = self.text(body, Span::new(place_span.hi, guard_span.hi));
        if self.to == To::Papaya {
            if !between.trim_start().starts_with('.') || between.contains("//") {
                return self.blocked(body, acquire, "comments or parentheses stand inside the acquisition");
            }
            self.replace(body, Span::new(place_span.hi, guard_span.hi), ".pin()");
        }
        if let Some(at) = self.tree(body).stmt_of(guard) {
            let Some(Stmt::Let { pat, els: None, span, .. }) = self.tree(body).stmt(at) else {
                return self.blocked(body, guard, "the lock is taken for its own sake");
            };
            let (pat, span, end) = (*pat, *span, hir.expr(at.block).span.hi);
            let PatKind::Bind { local, sub: None } = hir.pat(pat).kind else {
                return self.blocked(body, guard, "the guard is taken apart");
            };
            return self.held_local(body, place, local, span, end, hold);
        }
        match self.tree(body).parent_kind(guard) {
            Some((call, ExprKind::Method { recv, .. })) if *recv == guard => {
                if self.to == To::Papaya {
                    let extent = self.until_statement_end(body, guard);
                    self.no_await(body, extent)?;
                }
                self.kept_operation(body, call, hold)
            }
            Some((cond, ExprKind::Let { pat, .. })) => self.held_if_let(body, place, cond, *pat, hold),
            _ => self.blocked(body, guard, HANDED_ON),
        }
    }

    /// `if let Ok(guard) = place.read() { … }`.
    fn held_if_let(&mut self, body: BodyIx, place: ExprId, cond: ExprId, pat: PatId, hold: Hold) -> Step {
        const REASON: &str = "code acts on the lock being poisoned";
        let hir = self.cx.analysis.program.body(body);
        let inner = match &hir.pat(pat).kind {
            PatKind::TupleStruct { path, pats }
                if pats.len() == 1 && path.segments.last().is_some_and(|s| s.name.as_str() == "Ok") =>
            {
                pats[0]
            }
            _ => return self.blocked(body, cond, REASON),
        };
        let PatKind::Bind { local, sub: None } = hir.pat(inner).kind else {
            return self.blocked(body, cond, REASON);
        };
        let Some((whole, ExprKind::If { cond: c, then, els })) = self.tree(body).parent_kind(cond) else {
            return self.blocked(body, cond, REASON);
        };
        let (whole_span, then, has_else) = (hir.expr(whole).span, *then, els.is_some());
        let head = Span::new(whole_span.lo, hir.expr(then).span.lo);
        if self.to == To::Papaya {
            // A pin is always had: the block alone stays, and begins with it.
            if *c != cond || has_else || !self.tree(body).stands_alone(whole) {
                return self.blocked(body, cond, REASON);
            }
            let name = hir.local(local).name;
            let text = self.text(body, hir.expr(place).span).to_owned();
            self.begin_with(body, then, &format!("let {name} = {text}.pin();"));
            let file = self.cx.analysis.program.body_info(body).file;
            let path = self.cx.path(file);
            // The acquisition goes with the head.
            self.edits.retain(|e| !(e.path == path && head.contains(e.span)));
            self.replace(body, head, "");
        }
        self.held_local(body, place, local, head, hir.expr(then).span.hi, hold)
    }

    fn held_local(
        &mut self,
        body: BodyIx,
        place: ExprId,
        local: LocalId,
        head: Span,
        end: u32,
        hold: Hold,
    ) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let mut operations = Vec::new();
        let mut end = end;
        for one in self.tree(body).uses(local) {
            match self.drop_statement(body, one) {
                Some(span) => end = end.min(span.lo),
                None => operations.push(one),
            }
        }
        self.mentioned.extend(operations.iter().map(|&id| (body, id)));
        if self.to == To::Papaya {
            self.one_operation(body, place, &operations, head, end)?;
            self.no_await(body, Span::new(head.hi, end.max(head.hi)))?;
            let declared = hir.local(local);
            if declared.mutable {
                // `mut` and the blanks after it.
                let before = self.text(body, Span::new(head.lo, declared.span.hi));
                let name = declared.name.as_str();
                if let Some(at) = before.strip_suffix(name).and_then(|b| b.trim_end().strip_suffix("mut")) {
                    let lo = head.lo + at.len() as u32;
                    let hi = declared.span.hi - name.len() as u32;
                    self.replace(body, Span::new(lo, hi), "");
                }
            }
        }
        let mut alone = false;
        for one in operations {
            match self.tree(body).parent_kind(one) {
                Some((call, ExprKind::Method { recv, .. })) if *recv == one => {
                    alone |= self.kept_operation_asks(body, call, hold)?;
                }
                Some((_, ExprKind::Index { .. })) => return self.blocked(body, one, "the map is indexed"),
                _ => return self.blocked(body, one, HANDED_ON),
            }
        }
        let declared = hir.local(local);
        if alone && !declared.mutable && self.to == To::Lru {
            self.replace(body, Span::new(declared.span.lo, declared.span.lo), "mut ");
        }
        Ok(())
    }

    fn no_await(&mut self, body: BodyIx, extent: Span) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let awaits = self.tree(body).ids().find(|&id| {
            extent.contains(hir.expr(id).span) && matches!(hir.expr(id).kind, ExprKind::Await(_))
        });
        match awaits {
            Some(id) => self.blocked(body, id, "the map would be pinned across an await"),
            None => Ok(()),
        }
    }

    pub(super) fn kept_operation(&mut self, body: BodyIx, call: ExprId, hold: Hold) -> Step {
        self.kept_operation_asks(body, call, hold).map(|_| ())
    }

    /// Rewrites one operation; answers whether it needs the map mutably where it did not before.
    fn kept_operation_asks(&mut self, body: BodyIx, call: ExprId, hold: Hold) -> Step<bool> {
        self.operations += 1;
        match self.to {
            To::Papaya => self.papaya(body, call).map(|()| false),
            To::QuickCache => self.unsync(body, call).map(|()| false),
            _ => self.lru(body, call, hold),
        }
    }

    /// How a map that nothing locks is held in a method.
    pub(super) fn plain_hold(&self, body: BodyIx) -> Hold {
        let program = &self.cx.analysis.program;
        let owner = program.body_info(body).owner;
        match program.fn_item(owner).and_then(|f| f.self_param.as_ref()) {
            Some(SelfParam::RefMut) => Hold::Alone,
            _ => Hold::Shared,
        }
    }

    fn papaya(&mut self, body: BodyIx, call: ExprId) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let ExprKind::Method { name, args, .. } = &hir.expr(call).kind else { return Ok(()) };
        let end = hir.expr(call).span.hi;
        match (name.as_str(), &args[..]) {
            ("get" | "contains_key" | "contains" | "get_key_value", [_])
            | ("len" | "is_empty" | "clear" | "iter" | "keys" | "values", []) => {
                if matches!(name.as_str(), "iter" | "keys" | "values") {
                    let at = self.place_of(body, call);
                    self.loosened.push(at);
                }
                Ok(())
            }
            ("insert" | "remove", _) if self.set => Ok(()),
            ("insert" | "remove", _) => {
                if self.is_discarded(body, call) || self.only_asked_whether(body, call) {
                    return Ok(());
                }
                let TyKind::Ext(_, types) = self.core.kind() else { return Ok(()) };
                if !types.get(1).is_some_and(|&v| super::cache::clonable(&self.cx.analysis.program, v, 0)) {
                    return self.blocked(body, call, "a removed value is taken out, and cannot be cloned");
                }
                self.replace(body, Span::new(end, end), ".cloned()");
                Ok(())
            }
            ("retain", [closure]) => {
                let inside = hir.expr(*closure).span;
                let assigns = self.tree(body).ids().any(|id| {
                    inside.contains(hir.expr(id).span)
                        && matches!(hir.expr(id).kind, ExprKind::Assign { .. } | ExprKind::AssignOp { .. })
                });
                if assigns { self.blocked(body, call, IN_PLACE) } else { Ok(()) }
            }
            ("entry", [key]) => self.papaya_entry(body, call, *key),
            ("get_mut" | "iter_mut" | "values_mut", _) => self.blocked(body, call, IN_PLACE),
            _ => self.blocked(body, call, "an operation without a counterpart"),
        }
    }

    /// `map.entry(key).or_insert(value)`, read only.
    fn papaya_entry(&mut self, body: BodyIx, id: ExprId, key: ExprId) -> Step {
        let Some((call, ExprKind::Method { recv, name, args, .. })) = self.tree(body).parent_kind(id) else {
            return self.blocked(body, id, "an entry used in a way that is not understood");
        };
        if *recv != id || name.as_str() == "and_modify" {
            return self.blocked(body, call, IN_PLACE);
        }
        if self.only_read(body, call).is_err() {
            return self.blocked(body, call, IN_PLACE);
        }
        let (method, rest) = match (name.as_str(), &args[..]) {
            ("or_insert", [value]) => ("get_or_insert", Some(*value)),
            ("or_insert_with", [made]) => ("get_or_insert_with", Some(*made)),
            ("or_default", []) => ("get_or_insert_with", None),
            _ => return self.blocked(body, call, "an entry used in a way that is not understood"),
        };
        self.entry_becomes(body, id, key, call, method, rest, "Default::default")
    }

    /// `entry(key).or_…(rest)` becomes `method(key, rest)`.
    #[allow(clippy::too_many_arguments, reason = "the parts of one call")]
    fn entry_becomes(
        &mut self,
        body: BodyIx,
        id: ExprId,
        key: ExprId,
        call: ExprId,
        method: &str,
        rest: Option<ExprId>,
        default: &str,
    ) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let ExprKind::Method { name_span, .. } = &hir.expr(id).kind else { return Ok(()) };
        let after_key = hir.expr(key).span.hi;
        let (until, text) = match rest {
            Some(rest) => (hir.expr(rest).span.lo, ", ".to_owned()),
            None => (hir.expr(call).span.hi - 1, format!(", {default}")),
        };
        let between = Span::new(after_key, until);
        let gone = self.text(body, between);
        if gone.contains("//") || gone.contains("/*") {
            return self.blocked(body, call, "comments stand inside the call");
        }
        self.replace(body, *name_span, method);
        self.replace(body, between, text);
        Ok(())
    }

    fn lru(&mut self, body: BodyIx, call: ExprId, hold: Hold) -> Step<bool> {
        let hir = self.cx.analysis.program.body(body);
        let ExprKind::Method { name, name_span, args, .. } = &hir.expr(call).kind else { return Ok(false) };
        match (name.as_str(), &args[..]) {
            ("get", [_]) => {
                self.miss_may_happen(body, call)?;
                if hold == Hold::Shared {
                    self.peeked = true;
                    self.replace(body, *name_span, "peek");
                    return Ok(false);
                }
                Ok(true)
            }
            ("get_mut", [_]) => {
                self.miss_may_happen(body, call)?;
                self.changed = true;
                Ok(true)
            }
            ("contains_key", [_]) => {
                self.replace(body, *name_span, "contains");
                Ok(false)
            }
            ("insert", [_, _]) => {
                self.replace(body, *name_span, "put");
                Ok(true)
            }
            ("remove", [_]) => {
                self.replace(body, *name_span, "pop");
                Ok(true)
            }
            ("len" | "is_empty", []) => Ok(false),
            ("clear" | "retain", _) => Ok(true),
            ("entry", [key]) => self.lru_entry(body, call, *key).map(|()| true),
            ("iter" | "keys" | "values" | "iter_mut" | "values_mut", []) => self.blocked(body, call, ALL),
            _ => self.blocked(body, call, "an operation without a counterpart"),
        }
    }

    fn lru_entry(&mut self, body: BodyIx, id: ExprId, key: ExprId) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let Some((call, ExprKind::Method { recv, name, args, .. })) = self.tree(body).parent_kind(id) else {
            return self.blocked(body, id, "an entry used in a way that is not understood");
        };
        match (name.as_str(), &args[..]) {
            _ if *recv != id => self.blocked(body, id, "an entry used in a way that is not understood"),
            ("or_insert", [value]) => {
                self.stays_in_closure(body, *value)?;
                let at = hir.expr(*value).span.lo;
                self.entry_becomes(body, id, key, call, "get_or_insert_mut", Some(*value), "")?;
                self.replace(body, Span::new(at, at), "|| ");
                Ok(())
            }
            ("or_insert_with", [made]) => {
                self.entry_becomes(body, id, key, call, "get_or_insert_mut", Some(*made), "")
            }
            ("or_default", []) => {
                self.entry_becomes(body, id, key, call, "get_or_insert_mut", None, "Default::default")
            }
            _ => self.blocked(body, call, "an entry used in a way that is not understood"),
        }
    }

    /// `quick_cache::unsync`: names as in a map, but no entries, and nothing comes back from an insertion.
    fn unsync(&mut self, body: BodyIx, call: ExprId) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let ExprKind::Method { name, args, .. } = &hir.expr(call).kind else { return Ok(()) };
        let end = hir.expr(call).span.hi;
        match (name.as_str(), &args[..]) {
            ("get", [_]) => self.miss_may_happen(body, call),
            ("contains_key", [_]) | ("len" | "is_empty" | "clear", []) => Ok(()),
            ("insert", [_, _]) => match self.is_discarded(body, call) {
                true => Ok(()),
                false => self.blocked(body, call, "the value that was replaced is asked for"),
            },
            ("remove", [_]) => {
                if !self.is_discarded(body, call) && !self.only_asked_whether(body, call) {
                    self.replace(body, Span::new(end, end), ".map(|(_, v)| v)");
                }
                Ok(())
            }
            ("entry" | "get_mut", _) => self.blocked(
                body,
                call,
                "an entry is changed in place or made on demand, for which only `cache = \"lru\"` would do",
            ),
            ("iter" | "keys" | "values" | "iter_mut" | "values_mut" | "retain", _) => {
                self.blocked(body, call, ALL)
            }
            _ => self.blocked(body, call, "an operation without a counterpart"),
        }
    }
}
