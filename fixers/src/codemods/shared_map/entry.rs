//! `map.entry(key).or_insert_with(…)` of a concurrent cache: one call that makes the value on a miss.

use uncork_lints::hir::{ExprId, ExprKind, PatKind, Stmt};
use uncork_lints::program::BodyIx;
use uncork_lints::source::Span;
use uncork_lints::ty::TyKind;

use super::owned::IN_PLACE;
use super::to::To;
use super::{Migration, Step};

const ENTRY: &str = "an entry used in a way that is not understood";
/// What makes a value of the result of a closure that cannot fail.
const NEVER: &str = ".unwrap_or_else(|never| match never {})";
const OK: &str = "Ok::<_, std::convert::Infallible>";

/// Methods that read what they are called on.
fn reads(method: &str) -> bool {
    matches!(
        method,
        "clone"
            | "to_owned"
            | "to_string"
            | "to_vec"
            | "len"
            | "is_empty"
            | "contains"
            | "contains_key"
            | "iter"
            | "get"
            | "as_str"
            | "as_ref"
            | "as_slice"
            | "as_bytes"
            | "is_some"
            | "is_none"
            | "value"
            | "key"
    )
}

impl<'a> Migration<'_, 'a> {
    /// `map.entry(key).or_insert_with(…)`, read only.
    pub(super) fn owned_entry(&mut self, body: BodyIx, id: ExprId) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let ExprKind::Method { name_span, args: keys, .. } = &hir.expr(id).kind else {
            return self.blocked(body, id, ENTRY);
        };
        let key = keys[0];
        let Some((call, ExprKind::Method { recv, name, args, .. })) = self.tree(body).parent_kind(id) else {
            return self.blocked(body, id, ENTRY);
        };
        if *recv != id {
            return self.blocked(body, id, ENTRY);
        }
        if name.as_str() == "and_modify" {
            return self.blocked(body, call, IN_PLACE);
        }
        self.only_read(body, call)?;
        let (key_span, call_span) = (hir.expr(key).span, hir.expr(call).span);
        let between = |hi: u32| Span::new(key_span.hi, hi);
        let moka = self.to == To::Moka;
        self.replace(body, *name_span, if moka { "get_with" } else { "get_or_insert_with" });
        if !moka {
            self.key_by_reference(body, key)?;
        }
        let plain = |text: &str| !text.contains("//") && !text.contains("/*");
        match (name.as_str(), &args[..]) {
            ("or_insert", [value]) => {
                let value_span = hir.expr(*value).span;
                self.stays_in_closure(body, *value)?;
                if !plain(self.text(body, between(value_span.lo))) {
                    return self.blocked(body, call, "comments stand inside the call");
                }
                self.replace(
                    body,
                    between(value_span.lo),
                    if moka { ", || " } else { ", || Ok::<_, std::convert::Infallible>(" },
                );
                if !moka {
                    self.replace(body, Span::new(value_span.hi, value_span.hi), ")");
                }
            }
            ("or_insert_with", [made]) => {
                let made_span = hir.expr(*made).span;
                if !plain(self.text(body, between(made_span.lo))) {
                    return self.blocked(body, call, "comments stand inside the call");
                }
                self.replace(body, between(made_span.lo), ", ");
                match &hir.expr(*made).kind {
                    _ if moka => {}
                    ExprKind::Closure(closure) => {
                        self.stays_in_closure(body, closure.body)?;
                        let inner = hir.expr(closure.body).span;
                        self.replace(body, Span::new(inner.lo, inner.lo), format!("{OK}("));
                        self.replace(body, Span::new(inner.hi, inner.hi), ")");
                    }
                    ExprKind::Path(_) => {
                        self.replace(body, Span::new(made_span.lo, made_span.lo), format!("|| {OK}("));
                        self.replace(body, Span::new(made_span.hi, made_span.hi), "())");
                    }
                    _ => return self.blocked(body, call, ENTRY),
                }
            }
            ("or_default", []) => {
                let text = if moka {
                    ", Default::default".to_owned()
                } else {
                    format!(", || {OK}(Default::default())")
                };
                let end = call_span.hi - 1;
                self.replace(body, between(end), text);
            }
            _ => return self.blocked(body, call, ENTRY),
        }
        if !moka {
            self.replace(body, Span::new(call_span.hi, call_span.hi), NEVER);
        }
        self.owned_single(body, call)
    }

    /// The key of an entry as a reference: what `to_owned` and the like were called on, or the key itself borrowed.
    fn key_by_reference(&mut self, body: BodyIx, key: ExprId) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let span = hir.expr(key).span;
        if let ExprKind::Method { recv, name, args, .. } = &hir.expr(key).kind
            && args.is_empty()
            && matches!(name.as_str(), "to_owned" | "to_string" | "clone" | "to_vec")
        {
            let ty = self.ty(body, *recv);
            let same = match ty.peel_refs().kind() {
                TyKind::Str => self.ty(body, key).is_ext("std::string::String"),
                _ => ty.peel_refs() == self.ty(body, key) && name.as_str() != "to_string",
            };
            if same {
                let recv_span = hir.expr(*recv).span;
                if !matches!(ty.kind(), TyKind::Ref(..)) {
                    self.replace(body, Span::new(span.lo, span.lo), "&");
                }
                self.replace(body, Span::new(recv_span.hi, span.hi), "");
                return Ok(());
            }
        }
        let TyKind::Ext(_, args) = self.core.kind() else { return self.blocked(body, key, ENTRY) };
        if !args.first().is_some_and(|&k| super::cache::clonable(&self.cx.analysis.program, k, 0)) {
            return self.blocked(
                body,
                key,
                "the keys cannot be cloned, as the cache does when it makes an entry",
            );
        }
        self.replace(body, Span::new(span.lo, span.lo), "&");
        Ok(())
    }

    /// An expression that is put into a closure must not leave the function.
    pub(super) fn stays_in_closure(&mut self, body: BodyIx, id: ExprId) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let all: Vec<ExprId> = self.tree(body).ids().collect();
        for one in all {
            let leaves = matches!(
                hir.expr(one).kind,
                ExprKind::Try(_)
                    | ExprKind::Await(_)
                    | ExprKind::Return(_)
                    | ExprKind::Break { .. }
                    | ExprKind::Continue { .. }
            );
            if leaves && self.tree(body).within(one, id) {
                return self.blocked(body, one, "the value of an entry may not be made at all");
            }
        }
        Ok(())
    }

    /// Refuses if the entry that `call` gives is changed in place.
    pub(super) fn only_read(&mut self, body: BodyIx, call: ExprId) -> Step {
        let hir = self.cx.analysis.program.body(body);
        if let Some(at) = self.tree(body).stmt_of(call)
            && let Some(Stmt::Let { pat, .. }) = self.tree(body).stmt(at)
        {
            let PatKind::Bind { local, sub: None } = hir.pat(*pat).kind else {
                return self.blocked(body, call, IN_PLACE);
            };
            for one in self.tree(body).uses(local) {
                self.read_through(body, one)?;
            }
            return Ok(());
        }
        self.read_through(body, call)
    }

    fn read_through(&mut self, body: BodyIx, id: ExprId) -> Step {
        let mut here = id;
        loop {
            match self.tree(body).parent_kind(here) {
                Some((parent, ExprKind::Deref(_) | ExprKind::Field { .. } | ExprKind::Index { .. })) => {
                    here = parent;
                }
                Some((parent, ExprKind::Assign { lhs, .. } | ExprKind::AssignOp { lhs, .. }))
                    if *lhs == here =>
                {
                    return self.blocked(body, parent, IN_PLACE);
                }
                Some((parent, ExprKind::Method { recv, name, .. })) if *recv == here => {
                    return match reads(name.as_str()) {
                        true => Ok(()),
                        false => self.blocked(body, parent, IN_PLACE),
                    };
                }
                Some((parent, ExprKind::Ref { mutable: true, .. })) => {
                    return self.blocked(body, parent, IN_PLACE);
                }
                // A plain `&mut V` handed on may be written through; behind a `*` or `&` it is only read.
                Some((parent, ExprKind::Call { .. } | ExprKind::Method { .. })) if here == id => {
                    return self.blocked(body, parent, IN_PLACE);
                }
                _ => return Ok(()),
            }
        }
    }
}
