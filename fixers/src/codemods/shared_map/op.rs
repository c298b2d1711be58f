//! One operation on the map: what it becomes, and where what it gives goes.

use uncork_lints::hir::{Arm, ExprId, ExprKind, PatId, PatKind, Stmt};
use uncork_lints::program::BodyIx;
use uncork_lints::source::Span;
use uncork_lints::ty::TyKind;

use super::{Migration, Step};

/// A reference into the map, and what to call to get the plain reference that code had before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// `value`, `value_mut`, `key`, `pair`, `pair_mut`.
    pub(super) access: &'static str,
}

impl Item {
    pub(super) fn mutable(self) -> bool {
        self.access.ends_with("_mut")
    }

    /// Whether it stands for one value and derefs to it.
    pub(super) fn derefs(self, set: bool) -> bool {
        match self.access {
            "value" | "value_mut" => true,
            "key" => set,
            _ => false,
        }
    }
}

impl<'a> Migration<'_, 'a> {
    /// Rewrites the method call `call`, whose receiver now is the concurrent map.
    pub(super) fn operation(&mut self, body: BodyIx, call: ExprId) -> Step {
        if self.to.gives_values(self.held) {
            return self.owned_operation(body, call);
        }
        let hir = self.cx.analysis.program.body(body);
        let ExprKind::Method { name, args, .. } = &hir.expr(call).kind else {
            return self.blocked(body, call, "an operation that is not understood");
        };
        self.operations += 1;
        let end = hir.expr(call).span.hi;
        let value = Item { access: if self.set { "key" } else { "value" } };
        match name.as_str() {
            "contains_key" | "contains" | "len" | "is_empty" | "clear" | "insert" => Ok(()),
            "retain" => {
                let inside = args.first().map_or(Span::new(end, end), |a| hir.expr(*a).span);
                self.nothing_happens(body, inside)
            }
            "remove" => {
                if !self.is_discarded(body, call) && !self.only_asked_whether(body, call) {
                    let map = if self.set { ".is_some()" } else { ".map(|(_, v)| v)" };
                    self.replace(body, Span::new(end, end), map);
                }
                Ok(())
            }
            "get" => self.optional(body, call, value),
            "get_mut" if !self.set => self.optional(body, call, Item { access: "value_mut" }),
            "entry" => self.entry(body, call),
            "iter" if self.set => self.items(body, call, Item { access: "key" }, false),
            "iter" => self.items(body, call, Item { access: "pair" }, false),
            "values" => self.items(body, call, Item { access: "value" }, false),
            "keys" => self.items(body, call, Item { access: "key" }, false),
            "iter_mut" => self.items(body, call, Item { access: "pair_mut" }, true),
            "values_mut" => self.items(body, call, Item { access: "value_mut" }, true),
            "clone" => self.snapshot(body, call),
            _ => self.blocked(body, call, "an operation without a counterpart"),
        }
    }

    fn snapshot(&mut self, body: BodyIx, call: ExprId) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let ExprKind::Method { name_span, .. } = &hir.expr(call).kind else { return Ok(()) };
        let text = if self.set {
            "iter().map(|e| e.key().clone()).collect::<std::collections::HashSet<_>>()"
        } else {
            "iter().map(|e| (e.key().clone(), e.value().clone())).collect::<std::collections::HashMap<_, _>>()"
        };
        self.replace(body, Span::new(name_span.lo, hir.expr(call).span.hi), text);
        let at = self.place_of(body, call);
        self.loosened.push(at);
        Ok(())
    }

    pub(super) fn is_discarded(&mut self, body: BodyIx, id: ExprId) -> bool {
        let Some(at) = self.tree(body).stmt_of(id) else { return false };
        match self.tree(body).stmt(at) {
            Some(Stmt::Expr { semi, .. }) => *semi,
            Some(Stmt::Let { pat, .. }) => {
                matches!(self.cx.analysis.program.body(body).pat(*pat).kind, PatKind::Wild)
            }
            None => false,
        }
    }

    pub(super) fn only_asked_whether(&mut self, body: BodyIx, id: ExprId) -> bool {
        !self.set
            && matches!(self.tree(body).parent_kind(id), Some((_, ExprKind::Method { recv, name, .. }))
                if *recv == id && matches!(name.as_str(), "is_some" | "is_none"))
    }

    /// `map.entry(key).or_insert(…)`.
    fn entry(&mut self, body: BodyIx, id: ExprId) -> Step {
        let hir = self.cx.analysis.program.body(body);
        match self.tree(body).parent_kind(id) {
            Some((call, ExprKind::Method { recv, name, args, .. })) if *recv == id => {
                for arg in args.iter() {
                    self.nothing_happens(body, hir.expr(*arg).span)?;
                }
                match name.as_str() {
                    "or_insert" | "or_insert_with" | "or_default" => {
                        self.single(body, call, Item { access: "value_mut" })
                    }
                    "and_modify" => self.entry(body, call),
                    _ => self.blocked(body, call, "an entry used in a way that is not understood"),
                }
            }
            _ => self.blocked(body, id, "an entry used in a way that is not understood"),
        }
    }

    /// `id` is an `Option` (or `Result`) of a reference into the map.
    pub(super) fn optional(&mut self, body: BodyIx, id: ExprId, item: Item) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let end = hir.expr(id).span.hi;
        if let Some(at) = self.tree(body).stmt_of(id) {
            return match self.tree(body).stmt(at) {
                Some(Stmt::Expr { semi: true, .. }) => Ok(()),
                Some(Stmt::Let { pat, els: Some(_), span, .. }) => {
                    let (pat, span) = (*pat, *span);
                    self.some_pattern(body, id, pat, item)?
                        .map_or(Ok(()), |inner| self.bind_statement(body, inner, at.block, span, item))
                }
                Some(Stmt::Let { pat, ty: None, els: None, span, .. }) => {
                    let (pat, span) = (*pat, *span);
                    self.optional_local(body, pat, at.block, span, item)
                }
                _ => self.blocked(body, id, "a reference into the map is kept"),
            };
        }
        let Some((parent, kind)) = self.tree(body).parent_kind(id) else {
            return self.blocked(body, id, "a reference into the map is handed out");
        };
        match kind {
            ExprKind::Method { recv, name, name_span, args, .. } if *recv == id => {
                let whole = Span::new(name_span.lo, hir.expr(parent).span.hi);
                let temporary = self.until_statement_end(body, id);
                match (name.as_str(), &args[..]) {
                    ("cloned", []) => {
                        self.replace(body, whole, format!("map(|e| e.{}().clone())", item.access));
                        Ok(())
                    }
                    ("copied", []) => {
                        self.replace(body, whole, format!("map(|e| *e.{}())", item.access));
                        Ok(())
                    }
                    ("is_some" | "is_none", []) => Ok(()),
                    ("map" | "and_then" | "is_some_and" | "is_none_or", [closure]) => {
                        self.owned_result(body, parent)?;
                        self.closure(body, *closure, item, false)
                    }
                    ("map_or" | "map_or_else", [_, closure]) => {
                        self.owned_result(body, parent)?;
                        self.nothing_happens(body, temporary)?;
                        self.closure(body, *closure, item, false)
                    }
                    ("filter", [closure]) => {
                        self.closure(body, *closure, item, true)?;
                        self.optional(body, parent, item)
                    }
                    ("unwrap" | "expect", _) => self.single(body, parent, item),
                    ("ok_or" | "ok_or_else", [arg]) => {
                        self.nothing_happens(body, hir.expr(*arg).span)?;
                        self.optional(body, parent, item)
                    }
                    ("map_err", [_]) => self.optional(body, parent, item),
                    _ => self.blocked(
                        body,
                        parent,
                        "a reference into the map is used in a way that is not understood",
                    ),
                }
            }
            ExprKind::Try(_) => self.single(body, parent, item),
            ExprKind::Let { pat, .. } => {
                let pat = *pat;
                let Some(inner) = self.some_pattern(body, id, pat, item)? else { return Ok(()) };
                self.conditional(body, parent, inner, end, item)
            }
            ExprKind::Match { scrutinee, arms } if *scrutinee == id => {
                self.value_owned(body, parent)?;
                for arm in arms {
                    let extent = Span::new(hir.pat(arm.pat).span.lo, hir.expr(arm.body).span.hi);
                    match &hir.pat(arm.pat).kind {
                        PatKind::TupleStruct { path, pats }
                            if matches!(
                                path.segments.last().map(|s| s.name.as_str()),
                                Some("Some" | "Ok")
                            ) =>
                        {
                            let [inner] = pats[..] else {
                                return self.blocked(
                                    body,
                                    id,
                                    "a reference into the map is matched in detail",
                                );
                            };
                            if arm.guard.is_some() {
                                return self.blocked(
                                    body,
                                    id,
                                    "a reference into the map is matched in detail",
                                );
                            }
                            if matches!(hir.pat(inner).kind, PatKind::Ref(_)) {
                                return self.blocked(
                                    body,
                                    id,
                                    "a reference into the map is matched in detail",
                                );
                            }
                            self.bind_in(body, inner, arm.body, extent, item)?;
                        }
                        PatKind::Wild
                        | PatKind::Path(_)
                        | PatKind::Bind { .. }
                        | PatKind::TupleStruct { .. } => {
                            // On a miss no reference is alive.
                            if !self.is_miss(body, arms, arm.pat) {
                                self.nothing_happens(body, extent)?;
                            }
                        }
                        _ => return self.blocked(body, id, "a reference into the map is matched in detail"),
                    }
                }
                Ok(())
            }
            _ => self.blocked(body, id, "a reference into the map is handed out"),
        }
    }

    /// Whether an arm is that of `None`, by name or as what is left.
    fn is_miss(&self, body: BodyIx, arms: &[Arm], pat: PatId) -> bool {
        let hir = self.cx.analysis.program.body(body);
        let any_hit = |arm: &Arm| match &hir.pat(arm.pat).kind {
            PatKind::TupleStruct { pats, .. } => {
                let [inner] = pats[..] else { return false };
                arm.guard.is_none()
                    && matches!(hir.pat(inner).kind, PatKind::Bind { sub: None, .. } | PatKind::Wild)
            }
            _ => false,
        };
        match &hir.pat(pat).kind {
            PatKind::Path(path) => path.segments.last().is_some_and(|s| s.name.as_str() == "None"),
            PatKind::Wild => arms.iter().take_while(|a| a.pat != pat).any(any_hit),
            _ => false,
        }
    }

    /// `if let Some(inner) = map.get(…) { … }`, also `while let` and chains.
    fn conditional(&mut self, body: BodyIx, cond: ExprId, inner: PatId, end: u32, item: Item) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let mut here = cond;
        loop {
            match self.tree(body).parent_kind(here) {
                Some((parent, ExprKind::Binary { op: uncork_lints::hir::BinaryOp::And, .. })) => {
                    here = parent
                }
                Some((parent, ExprKind::If { cond: c, then, .. })) if *c == here => {
                    let chained = here != cond;
                    let edition = self.cx.analysis.program.edition(body);
                    // Before 2024 the temporary lives through the `else`. Where that is the miss, it holds nothing.
                    let missed = !chained
                        && matches!(hir.pat(inner).kind, PatKind::Bind { sub: None, .. } | PatKind::Wild);
                    let ends = edition >= 2024 || missed;
                    let until = if ends { hir.expr(*then).span.hi } else { hir.expr(parent).span.hi };
                    self.value_owned(body, parent)?;
                    let then_ends = hir.expr(*then).span.hi;
                    self.nothing_happens(body, Span::new(then_ends, until))?;
                    let let_go = !self.releases_in(body, hir.expr(*then).span).is_empty();
                    if chained && (let_go || !self.plain_uses(body, inner, item)) {
                        return self.blocked(
                            body,
                            cond,
                            "a reference into the map is used in a chain of conditions",
                        );
                    }
                    return self.bind_in(body, inner, *then, Span::new(end, then_ends), item);
                }
                Some((parent, ExprKind::While { cond: c, body: then, .. })) if *c == here => {
                    let extent = Span::new(end, hir.expr(parent).span.hi);
                    return self.bind_in(body, inner, *then, extent, item);
                }
                _ => {
                    return self.blocked(
                        body,
                        cond,
                        "a reference into the map is used in a chain of conditions",
                    );
                }
            }
        }
    }

    /// `let x = map.get(…);`: an option with a name, used once.
    fn optional_local(&mut self, body: BodyIx, pat: PatId, block: ExprId, span: Span, item: Item) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let PatKind::Bind { local, sub: None } = hir.pat(pat).kind else {
            return self.blocked(body, block, "a reference into the map is taken apart");
        };
        let extent = self.until_block_end(body, block, span.hi);
        self.nothing_happens(body, extent)?;
        let uses = self.tree(body).uses(local);
        match uses[..] {
            [] => Ok(()),
            [one] => self.optional(body, one, item),
            _ => self.blocked(body, uses[1], "a reference into the map is used more than once"),
        }
    }

    /// The pattern inside `Some(…)`. A copied value (`Some(&x)`) is copied out at once, and nothing is left to bind.
    fn some_pattern(&mut self, body: BodyIx, id: ExprId, pat: PatId, item: Item) -> Step<Option<PatId>> {
        let hir = self.cx.analysis.program.body(body);
        let PatKind::TupleStruct { path, pats } = &hir.pat(pat).kind else {
            return self.blocked(body, id, "a reference into the map is matched in detail");
        };
        let some = path.segments.last().is_some_and(|s| matches!(s.name.as_str(), "Some" | "Ok"));
        let ([inner], true) = (&pats[..], some) else {
            return self.blocked(body, id, "a reference into the map is matched in detail");
        };
        match &hir.pat(*inner).kind {
            PatKind::Ref(plain) => {
                let (outer, plain) = (hir.pat(*inner).span, hir.pat(*plain).span);
                let text = self.text(body, plain).to_owned();
                self.replace(body, outer, text);
                let end = hir.expr(id).span.hi;
                self.replace(body, Span::new(end, end), format!(".map(|e| *e.{}())", item.access));
                Ok(None)
            }
            _ => Ok(Some(*inner)),
        }
    }

    /// `id` is a reference into the map.
    pub(super) fn single(&mut self, body: BodyIx, id: ExprId, item: Item) -> Step {
        let hir = self.cx.analysis.program.body(body);
        if let Some(at) = self.tree(body).stmt_of(id) {
            return match self.tree(body).stmt(at) {
                Some(Stmt::Expr { semi: true, .. }) => Ok(()),
                Some(Stmt::Let { pat, ty: None, els: None, span, .. }) => {
                    let (pat, span) = (*pat, *span);
                    match &hir.pat(pat).kind {
                        PatKind::Ref(plain) => {
                            // `let &x = …`: copied.
                            let text = format!("{} = *", self.text(body, hir.pat(*plain).span));
                            self.replace(body, Span::new(hir.pat(pat).span.lo, hir.expr(id).span.lo), text);
                            Ok(())
                        }
                        _ => self.bind_statement(body, pat, at.block, span, item),
                    }
                }
                _ => self.blocked(body, id, "a reference into the map is kept"),
            };
        }
        let extent = self.until_statement_end(body, id);
        self.nothing_happens(body, extent)?;
        let end = hir.expr(id).span.hi;
        let plain = |this: &mut Self| {
            this.replace(body, Span::new(end, end), format!(".{}()", item.access));
            Ok(())
        };
        match self.tree(body).parent_kind(id) {
            Some((parent, ExprKind::Method { recv, name, .. })) if *recv == id => {
                if !super::var::keeps_meaning(name.as_str()) || !item.derefs(self.set) {
                    plain(self)?;
                }
                self.temporary_result(body, parent)
            }
            Some((parent, ExprKind::Field { .. })) => {
                if !item.derefs(self.set) {
                    plain(self)?;
                }
                self.temporary_result(body, parent)
            }
            Some((parent, ExprKind::Deref(_))) => {
                if !item.derefs(self.set) {
                    plain(self)?;
                }
                self.temporary_result(body, parent)
            }
            Some((
                _,
                ExprKind::Call { .. }
                | ExprKind::Method { .. }
                | ExprKind::Binary { .. }
                | ExprKind::Macro(_),
            )) => plain(self),
            _ => self.blocked(body, id, "a reference into the map is handed out"),
        }
    }

    /// What is read through a temporary reference must not outlive its statement.
    pub(super) fn temporary_result(&mut self, body: BodyIx, id: ExprId) -> Step {
        // Up the chain of fields and methods to what the statement keeps.
        let mut here = id;
        while let Some((parent, kind)) = self.tree(body).parent_kind(here) {
            match kind {
                ExprKind::Field { .. } | ExprKind::Try(_) | ExprKind::Deref(_) | ExprKind::Ref { .. } => {
                    here = parent
                }
                ExprKind::Method { recv, .. } if *recv == here => here = parent,
                _ => break,
            }
        }
        let kept = self.tree(body).stmt_of(here).is_some_and(|at| {
            matches!(self.trees.get(&body).and_then(|t| t.stmt(at)), Some(Stmt::Let { .. }))
        });
        let leaves = matches!(
            self.tree(body).parent_kind(here),
            Some((_, ExprKind::Return(_) | ExprKind::Block(_) | ExprKind::Closure(_)))
        );
        if kept || leaves { self.no_reference(body, here) } else { Ok(()) }
    }

    /// Refuses if a value is or holds a reference, or nothing is known of it.
    pub(super) fn no_reference(&mut self, body: BodyIx, id: ExprId) -> Step {
        let ty = self.ty(body, id);
        if ty.any(&mut |t| matches!(t.kind(), TyKind::Ref(..))) {
            return self.blocked(body, id, "a reference into the map is handed out");
        }
        if ty.any(&mut |t| t.is_unknown()) {
            return self.blocked(body, id, "whether a reference is handed out is not known");
        }
        Ok(())
    }

    fn owned_result(&mut self, body: BodyIx, call: ExprId) -> Step {
        self.no_reference(body, call)
    }

    /// The value of an `if let` or `match` must not be a reference into the map; one that is thrown away may be anything.
    fn value_owned(&mut self, body: BodyIx, id: ExprId) -> Step {
        if self.tree(body).stmt_of(id).is_some_and(|at| {
            matches!(self.trees.get(&body).and_then(|t| t.stmt(at)), Some(Stmt::Expr { .. }))
        }) {
            return Ok(());
        }
        let ty = self.ty(body, id);
        if ty.any(&mut |t| matches!(t.kind(), TyKind::Ref(..))) {
            return self.blocked(body, id, "a reference into the map is handed out");
        }
        Ok(())
    }
}
