//! Operations on a concurrent cache, which gives values out and not references: nothing it gives keeps it busy.

use uncork_lints::clone_sites::costly;
use uncork_lints::hir::{Closure, ExprId, ExprKind, LocalId, PatId, PatKind, Stmt};
use uncork_lints::program::BodyIx;
use uncork_lints::source::Span;
use uncork_lints::ty::TyKind;

use super::to::{Held, To};
use super::{Migration, Step};

pub(super) const IN_PLACE: &str =
    "an entry is changed in place, for which only an `lru` cache behind the lock would do";
const ALL: &str = "all entries are gone through, and evicted ones would be missing";
const LATER: &str = "a length is asked, which a `moka` cache knows only once pending work is done";
const VALUE: &str = "a value of the map is used in a way that is not understood";
const COPY: &str = "reads would copy a costly value whole; keep it in an `Arc` first";

impl<'a> Migration<'_, 'a> {
    /// Rewrites the method call `call`, whose receiver now is the cache.
    pub(super) fn owned_operation(&mut self, body: BodyIx, call: ExprId) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let ExprKind::Method { name, name_span, args, .. } = &hir.expr(call).kind else {
            return self.blocked(body, call, "an operation that is not understood");
        };
        self.operations += 1;
        let end = hir.expr(call).span.hi;
        let tail = Span::new(name_span.lo, end);
        let moka = self.to == To::Moka;
        match (name.as_str(), &args[..]) {
            ("contains_key", [_]) => Ok(()),
            ("len", []) => {
                self.entries_are_not_numbered(body, call)?;
                if moka { self.blocked(body, call, LATER) } else { Ok(()) }
            }
            ("is_empty", []) if moka => self.blocked(body, call, LATER),
            ("is_empty", []) => Ok(()),
            ("clear", []) => {
                if moka {
                    self.replace(body, tail, "invalidate_all()");
                }
                Ok(())
            }
            ("insert", [_, _]) => match self.is_discarded(body, call) {
                true => Ok(()),
                false => self.blocked(body, call, "the value that was replaced is asked for"),
            },
            ("remove", [_]) => {
                if self.is_discarded(body, call) || self.only_asked_whether(body, call) {
                    return Ok(());
                }
                match (self.held, moka) {
                    (Held::Concurrent, false) | (Held::Locked, true) => Ok(()),
                    (Held::Locked, false) => {
                        self.replace(body, Span::new(end, end), ".map(|(_, v)| v)");
                        Ok(())
                    }
                    _ => self.blocked(body, call, "the removed key is asked for"),
                }
            }
            ("get", [_]) => {
                self.miss_may_happen(body, call)?;
                self.owned_optional(body, call)
            }
            ("entry", [_]) => self.owned_entry(body, call),
            ("get_mut" | "alter" | "try_entry", _) => self.blocked(body, call, IN_PLACE),
            (
                "iter" | "values" | "keys" | "iter_mut" | "values_mut" | "clone" | "retain" | "alter_all",
                _,
            ) => self.blocked(body, call, ALL),
            _ => self.blocked(body, call, "an operation without a counterpart"),
        }
    }

    /// A number of entries that goes into what is stored would be given twice once some are evicted.
    fn entries_are_not_numbered(&mut self, body: BodyIx, call: ExprId) -> Step {
        if !self.fills.contains(&body) {
            return Ok(());
        }
        match self.tree(body).parent_kind(call) {
            Some((_, ExprKind::Binary { .. } | ExprKind::Macro(_))) => Ok(()),
            _ => self.blocked(body, call, "entries are numbered by how many there are"),
        }
    }

    /// Each read copies the value: fine where it did so before, or where a copy costs little.
    fn copied_anew(&mut self, body: BodyIx, at: ExprId) -> Step {
        let TyKind::Ext(_, args) = self.core.kind() else { return Ok(()) };
        match args.get(1).and_then(|&value| costly(&self.cx.analysis.program, value)) {
            Some(false) => Ok(()),
            _ => self.blocked(body, at, COPY),
        }
    }

    /// `id` was an `Option` of a reference into the map, and is one of a value.
    pub(super) fn owned_optional(&mut self, body: BodyIx, id: ExprId) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let end = hir.expr(id).span.hi;
        if let Some(at) = self.tree(body).stmt_of(id) {
            return match self.tree(body).stmt(at) {
                Some(Stmt::Expr { semi: true, .. }) => Ok(()),
                Some(Stmt::Let { pat, els: Some(_), span, .. }) => {
                    let (pat, span) = (*pat, *span);
                    let inner = self.some(body, id, pat)?;
                    self.owned_pattern(body, inner, span, Place::After(span))
                }
                Some(Stmt::Let { pat, ty: None, els: None, span, .. }) => {
                    let (pat, span) = (*pat, *span);
                    let PatKind::Bind { local, sub: None } = hir.pat(pat).kind else {
                        return self.blocked(body, id, VALUE);
                    };
                    match self.tree(body).uses(local)[..] {
                        [] => Ok(()),
                        [one] if !self.in_loop_since(body, one, span) => self.owned_optional(body, one),
                        _ => self.blocked(body, id, "what a lookup gave is used more than once"),
                    }
                }
                _ => self.blocked(body, id, VALUE),
            };
        }
        let Some((parent, kind)) = self.tree(body).parent_kind(id) else {
            return self.blocked(body, id, VALUE);
        };
        match kind {
            ExprKind::Method { recv, name, args, .. } if *recv == id => {
                let whole = Span::new(end, hir.expr(parent).span.hi);
                match (name.as_str(), &args[..]) {
                    ("cloned" | "copied", []) => {
                        self.replace(body, whole, "");
                        Ok(())
                    }
                    ("is_some" | "is_none", []) => Ok(()),
                    ("map" | "and_then" | "is_some_and" | "is_none_or", [closure]) => {
                        if name.as_str() == "map" && self.only_clones(body, *closure) {
                            self.replace(body, whole, "");
                            return Ok(());
                        }
                        self.no_reference(body, parent)?;
                        self.owned_closure(body, *closure)
                    }
                    ("map_or" | "map_or_else", [_, closure]) => {
                        self.no_reference(body, parent)?;
                        self.owned_closure(body, *closure)
                    }
                    _ => self.blocked(body, parent, VALUE),
                }
            }
            ExprKind::Try(_) => self.owned_single(body, parent),
            ExprKind::Let { pat, .. } => {
                let pat = *pat;
                let inner = self.some(body, id, pat)?;
                let mut here = parent;
                loop {
                    match self.tree(body).parent_kind(here) {
                        Some((up, ExprKind::Binary { .. })) => here = up,
                        Some((
                            _,
                            ExprKind::If { cond, then, .. } | ExprKind::While { cond, body: then, .. },
                        )) if *cond == here => {
                            let place = if here == parent { Place::In(*then) } else { Place::Nowhere };
                            return self.owned_pattern(body, inner, hir.expr(parent).span, place);
                        }
                        _ => return self.blocked(body, parent, VALUE),
                    }
                }
            }
            ExprKind::Match { scrutinee, arms } if *scrutinee == id => {
                for arm in arms {
                    match &hir.pat(arm.pat).kind {
                        PatKind::TupleStruct { path, pats }
                            if path.segments.last().is_some_and(|s| s.name.as_str() == "Some") =>
                        {
                            let ([inner], None) = (&pats[..], arm.guard) else {
                                return self.blocked(body, id, VALUE);
                            };
                            let span = hir.pat(arm.pat).span;
                            self.owned_pattern(body, *inner, span, Place::In(arm.body))?;
                        }
                        PatKind::Wild | PatKind::Path(_) => {}
                        _ => return self.blocked(body, id, VALUE),
                    }
                }
                Ok(())
            }
            _ => self.blocked(body, id, VALUE),
        }
    }

    /// The pattern inside `Some(…)`.
    fn some(&mut self, body: BodyIx, id: ExprId, pat: PatId) -> Step<PatId> {
        let hir = self.cx.analysis.program.body(body);
        match &hir.pat(pat).kind {
            PatKind::TupleStruct { path, pats } if pats.len() == 1 => {
                match path.segments.last().is_some_and(|s| s.name.as_str() == "Some") {
                    true => Ok(pats[0]),
                    false => self.blocked(body, id, VALUE),
                }
            }
            _ => self.blocked(body, id, VALUE),
        }
    }

    /// A pattern that bound a reference, and now gets the value. `head`: where it stands.
    fn owned_pattern(&mut self, body: BodyIx, pat: PatId, head: Span, place: Place) -> Step {
        let hir = self.cx.analysis.program.body(body);
        match &hir.pat(pat).kind {
            PatKind::Wild => Ok(()),
            PatKind::Bind { local, sub: None } => self.owned_local(body, *local, head),
            PatKind::Ref(plain) => {
                let text = self.text(body, hir.pat(*plain).span).to_owned();
                self.replace(body, hir.pat(pat).span, text);
                Ok(())
            }
            // A concurrent map's reference cannot be taken apart: this is a plain one.
            _ => {
                let span = hir.pat(pat).span;
                let name = self.fresh(body);
                let again = format!("let {} = &{name};", self.text(body, span));
                match place {
                    Place::In(inside) => self.begin_with(body, inside, &again),
                    Place::After(statement) => {
                        let indent = self.indent(body, statement.lo);
                        let at = Span::new(statement.hi, statement.hi);
                        self.replace(body, at, format!("\n{indent}{again}"));
                    }
                    Place::Nowhere => {
                        let at = self.at(body, span);
                        return Err(super::Blocked { reason: VALUE, at: Some(at) });
                    }
                }
                self.replace(body, span, name);
                self.copied_pattern(body, pat)
            }
        }
    }

    fn copied_pattern(&mut self, body: BodyIx, pat: PatId) -> Step {
        let root = self.cx.analysis.program.body(body).root;
        let span = self.cx.analysis.program.body(body).pat(pat).span;
        self.copied_anew(body, root).map_err(|b| super::Blocked { at: Some(self.at(body, span)), ..b })
    }

    /// A variable that was a reference, and now is the value.
    fn owned_local(&mut self, body: BodyIx, local: LocalId, head: Span) -> Step {
        let uses = self.tree(body).uses(local);
        let single = match uses[..] {
            [one] => !self.in_loop_since(body, one, head),
            _ => false,
        };
        let mut copied = false;
        for &one in &uses {
            copied |= self.owned_use(body, one, single)?;
        }
        match uses.last() {
            Some(&last) if !copied => self.copied_anew(body, last),
            _ => Ok(()),
        }
    }

    /// One use of such a variable; `single`: the only one, so that it may be moved. Answers whether it copied the value.
    fn owned_use(&mut self, body: BodyIx, one: ExprId, single: bool) -> Step<bool> {
        let hir = self.cx.analysis.program.body(body);
        let span = hir.expr(one).span;
        let Some((parent, kind)) = self.tree(body).parent_kind(one) else {
            return self.blocked(body, one, VALUE);
        };
        let parent_span = hir.expr(parent).span;
        match kind {
            ExprKind::Method { recv, name, args, .. } if *recv == one => match name.as_str() {
                "clone" if args.is_empty() => {
                    if single {
                        self.replace(body, Span::new(span.hi, parent_span.hi), "");
                    }
                    Ok(true)
                }
                "value" if self.held == Held::Concurrent && args.is_empty() => {
                    self.value_call(body, parent, span, single)
                }
                "key" | "pair" if self.held == Held::Concurrent => self.blocked(body, parent, VALUE),
                _ => Ok(false),
            },
            ExprKind::Field { .. } | ExprKind::Macro(_) => Ok(false),
            ExprKind::Ref { mutable: false, .. } => {
                let call = self.tree(body).parent(parent);
                self.handle_cloned(body, call, span, single)
            }
            ExprKind::Deref(_) => {
                self.replace(body, Span::new(parent_span.lo, span.lo), "");
                Ok(true)
            }
            ExprKind::Call { args, .. } if args.contains(&one) => {
                if self.handle_cloned(body, Some(parent), span, single)? {
                    return Ok(true);
                }
                self.replace(body, Span::new(span.lo, span.lo), "&");
                Ok(false)
            }
            ExprKind::Method { args, .. } if args.contains(&one) => {
                self.replace(body, Span::new(span.lo, span.lo), "&");
                Ok(false)
            }
            ExprKind::Binary { .. } => {
                self.replace(body, Span::new(span.lo, span.lo), "&");
                Ok(false)
            }
            _ => self.blocked(body, one, VALUE),
        }
    }

    /// `found.value()` of a concurrent map's reference.
    fn value_call(&mut self, body: BodyIx, call: ExprId, span: Span, single: bool) -> Step<bool> {
        let hir = self.cx.analysis.program.body(body);
        let gone = Span::new(span.hi, hir.expr(call).span.hi);
        let Some((parent, kind)) = self.tree(body).parent_kind(call) else {
            return self.blocked(body, call, VALUE);
        };
        let parent_span = hir.expr(parent).span;
        match kind {
            ExprKind::Method { recv, name, args, .. } if *recv == call => {
                let clone = name.as_str() == "clone" && args.is_empty();
                let end = if clone && single { parent_span.hi } else { gone.hi };
                self.replace(body, Span::new(gone.lo, end), "");
                Ok(clone)
            }
            ExprKind::Field { .. } => {
                self.replace(body, gone, "");
                Ok(false)
            }
            ExprKind::Deref(_) => {
                self.replace(body, Span::new(parent_span.lo, span.lo), "");
                self.replace(body, gone, "");
                Ok(true)
            }
            ExprKind::Call { .. } | ExprKind::Method { .. } | ExprKind::Binary { .. } => {
                if self.handle_cloned(body, Some(parent), span, single)? {
                    if !single {
                        self.replace(body, Span::new(span.lo, span.lo), "&");
                        self.replace(body, gone, "");
                    }
                    return Ok(true);
                }
                self.replace(body, Span::new(span.lo, span.lo), "&");
                self.replace(body, gone, "");
                Ok(false)
            }
            ExprKind::Macro(_) => {
                self.replace(body, gone, "");
                Ok(false)
            }
            _ => self.blocked(body, call, VALUE),
        }
    }

    /// `Arc::clone(found)`: the value itself where nothing else needs it.
    fn handle_cloned(&mut self, body: BodyIx, call: Option<ExprId>, value: Span, single: bool) -> Step<bool> {
        let hir = self.cx.analysis.program.body(body);
        let Some(call) = call else { return Ok(false) };
        let ExprKind::Call { callee, args } = &hir.expr(call).kind else { return Ok(false) };
        let ExprKind::Path(path) = &hir.expr(*callee).kind else { return Ok(false) };
        let names: Vec<&str> = path.segments.iter().map(|s| s.name.as_str()).collect();
        if !matches!(names[..], [.., "Arc" | "Rc" | "Clone", "clone"]) || args.len() != 1 {
            return Ok(false);
        }
        if single {
            let text = self.text(body, value).to_owned();
            self.replace(body, hir.expr(call).span, text);
        }
        Ok(true)
    }

    /// `|v| v.clone()`, `Arc::clone`, `String::clone`: what the cache does by itself.
    fn only_clones(&mut self, body: BodyIx, id: ExprId) -> bool {
        let hir = self.cx.analysis.program.body(body);
        match &hir.expr(id).kind {
            ExprKind::Path(path) => path.segments.last().is_some_and(|s| s.name.as_str() == "clone"),
            ExprKind::Closure(closure) => {
                let [param] = &closure.params[..] else { return false };
                let PatKind::Bind { local, sub: None } = hir.pat(param.pat).kind else { return false };
                let is_local = |id: ExprId| hir.expr(id).kind == ExprKind::Local(local);
                match &hir.expr(closure.body).kind {
                    ExprKind::Method { recv, name, args, .. } => match &hir.expr(*recv).kind {
                        ExprKind::Method { recv: inner, name: value, args: none, .. } => {
                            name.as_str() == "clone"
                                && value.as_str() == "value"
                                && self.held == Held::Concurrent
                                && none.is_empty()
                                && is_local(*inner)
                        }
                        _ => name.as_str() == "clone" && args.is_empty() && is_local(*recv),
                    },
                    ExprKind::Deref(inner) => is_local(*inner),
                    ExprKind::Call { callee, args } => {
                        let clone = matches!(&hir.expr(*callee).kind, ExprKind::Path(p)
                            if p.segments.last().is_some_and(|s| s.name.as_str() == "clone"));
                        clone && matches!(args[..], [one] if is_local(one))
                    }
                    _ => false,
                }
            }
            _ => false,
        }
    }

    fn owned_closure(&mut self, body: BodyIx, id: ExprId) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let ExprKind::Closure(closure) = &hir.expr(id).kind else {
            return self.blocked(body, id, "a function by name is given references into the map");
        };
        let Closure { params, body: inside, .. } = &**closure;
        let ([param], inside) = (&params[..], *inside) else { return self.blocked(body, id, VALUE) };
        if param.ty.is_some() {
            return self.blocked(body, id, "a closure's parameter has a written type");
        }
        let head = hir.pat(param.pat).span;
        self.owned_pattern(body, param.pat, head, Place::In(inside))
    }

    /// `id` was a reference into the map, and is a value.
    pub(super) fn owned_single(&mut self, body: BodyIx, id: ExprId) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let span = hir.expr(id).span;
        if let Some(at) = self.tree(body).stmt_of(id) {
            return match self.tree(body).stmt(at) {
                Some(Stmt::Expr { semi: true, .. }) => Ok(()),
                Some(Stmt::Let { pat, ty: None, els: None, span, .. }) => {
                    let (pat, span) = (*pat, *span);
                    self.owned_pattern(body, pat, span, Place::After(span))
                }
                _ => self.blocked(body, id, VALUE),
            };
        }
        let Some((parent, kind)) = self.tree(body).parent_kind(id) else {
            return self.blocked(body, id, VALUE);
        };
        let parent_span = hir.expr(parent).span;
        match kind {
            ExprKind::Method { recv, name, args, .. } if *recv == id => match name.as_str() {
                "clone" if args.is_empty() => {
                    self.replace(body, Span::new(span.hi, parent_span.hi), "");
                    Ok(())
                }
                "value" | "key" | "pair" if self.held == Held::Concurrent => {
                    self.blocked(body, parent, VALUE)
                }
                _ => {
                    self.copied_anew(body, id)?;
                    self.temporary_result(body, parent)
                }
            },
            ExprKind::Field { .. } => {
                self.copied_anew(body, id)?;
                self.temporary_result(body, parent)
            }
            ExprKind::Deref(_) => {
                let start = self.start_of(body, id);
                self.replace(body, Span::new(parent_span.lo, start), "");
                Ok(())
            }
            ExprKind::Ref { mutable: false, .. } => {
                let call = self.tree(body).parent(parent);
                if self.handle_cloned(body, call, span, false)? {
                    return Ok(());
                }
                self.copied_anew(body, id)
            }
            ExprKind::Call { .. } | ExprKind::Binary { .. } | ExprKind::Method { .. } => {
                let handle = self.handle_cloned(body, Some(parent), span, false)?;
                let start = self.start_of(body, id);
                self.replace(body, Span::new(start, start), "&");
                if handle { Ok(()) } else { self.copied_anew(body, id) }
            }
            ExprKind::Macro(_) => self.copied_anew(body, id),
            _ => self.blocked(body, id, VALUE),
        }
    }

    /// Where an expression begins, parentheses that were dropped included.
    fn start_of(&self, body: BodyIx, id: ExprId) -> u32 {
        self.cx.analysis.program.body(body).expr(id).span.lo
    }
}

/// Where a pattern that cannot stay may be bound again.
#[derive(Clone, Copy)]
enum Place {
    In(ExprId),
    After(Span),
    Nowhere,
}
