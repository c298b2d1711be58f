//! What the field or static is made with: `Arc::new(RwLock::new(HashMap::new()))` and its like.

use uncork_lints::hir::{ExprId, ExprKind, LocalId, PatKind, Stmt};
use uncork_lints::program::BodyIx;
use uncork_lints::source::Span;
use uncork_lints::ty::TyKind;

use super::decl::{LOCKS, WRAPPERS};
use super::to::Held;
use super::{Migration, Step, Target};

impl<'a> Migration<'_, 'a> {
    /// Rewrites what the field is made with: `Arc::new(RwLock::new(HashMap::new()))`.
    pub(super) fn initialiser(&mut self, body: BodyIx, value: ExprId, shorthand: bool) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let expr = hir.expr(value);
        match &expr.kind {
            ExprKind::Call { callee, args } => {
                let ExprKind::Path(path) = &hir.expr(*callee).kind else {
                    return self.blocked(body, value, "the map is made in a way that is not understood");
                };
                let names = self.plain_names(body, path);
                match (names.as_slice(), &args[..]) {
                    ([.., "default"], []) if self.to.is_cache() => self.made_by_default(body, value),
                    ([.., "Default", "default"] | ["default"], []) => Ok(()),
                    ([.., wrapper, "default"], []) if WRAPPERS.contains(wrapper) => Ok(()),
                    ([.., lock, "default"], []) if LOCKS.contains(lock) => {
                        let name = self.name_in(body);
                        self.replace(body, expr.span, format!("{name}::default()"));
                        Ok(())
                    }
                    ([.., wrapper, "new"], [inner]) if WRAPPERS.contains(wrapper) => {
                        self.initialiser(body, *inner, false)
                    }
                    ([.., lock, "new" | "const_new"], [inner]) if LOCKS.contains(lock) => {
                        self.contents(body, value, *inner)
                    }
                    ([.., "HashMap" | "DashMap", "new" | "with_capacity"], _)
                        if self.held != Held::Locked =>
                    {
                        let made = self.empty_one(body, value)?;
                        self.replace(body, expr.span, made);
                        Ok(())
                    }
                    ([.., "Arc" | "Clone", "clone"], [inner]) => match hir.expr(*inner).kind {
                        ExprKind::Ref { expr, .. } if self.is_mention(body, expr) => Ok(()),
                        _ => self.local_handle(body, value, *inner),
                    },
                    _ => self.blocked(body, value, "the map is made in a way that is not understood"),
                }
            }
            ExprKind::Closure(closure) => self.initialiser(body, closure.body, false),
            // `LazyLock::new(DashMap::new)`, `LazyLock::new(Default::default)`.
            ExprKind::Path(path)
                if self.to.is_cache()
                    && path.segments.last().is_some_and(|s| matches!(s.name.as_str(), "new" | "default"))
                    && self.held != Held::Locked =>
            {
                let made = self.empty_one(body, value)?;
                self.replace(body, expr.span, format!("|| {made}"));
                Ok(())
            }
            ExprKind::Block(block) if block.stmts.is_empty() => match block.tail {
                Some(tail) => self.initialiser(body, tail, false),
                None => self.blocked(body, value, "the map is made in a way that is not understood"),
            },
            ExprKind::Method { recv, name, args, .. } if name.as_str() == "clone" && args.is_empty() => {
                if self.is_mention(body, *recv) {
                    return Ok(());
                }
                self.local_handle(body, value, *recv)
            }
            ExprKind::Local(_) => self.local_handle(body, value, value),
            ExprKind::Field { .. } if self.is_mention(body, value) => Ok(()),
            _ if shorthand => self.local_handle(body, value, value),
            _ => self.blocked(body, value, "the map is made in a way that is not understood"),
        }
    }

    /// An empty one.
    fn empty_one(&mut self, body: BodyIx, at: ExprId) -> Step<String> {
        let name = self.name_in(body);
        Ok(match self.to.is_cache() {
            true => format!("{name}::new({})", self.capacity_in(body, at)?),
            false => format!("{name}::new()"),
        })
    }

    /// `Default::default()`, which a cache does not have: what it made is written out.
    fn made_by_default(&mut self, body: BodyIx, value: ExprId) -> Step {
        let mut made = self.empty_one(body, value)?;
        let mut around = Vec::new();
        let mut ty = self.ty(body, value);
        while ty != self.core {
            let TyKind::Ext(path, args) = ty.kind() else {
                return self.blocked(body, value, "the map is made in a way that is not understood");
            };
            let Some(&inner) = args.first() else {
                return self.blocked(body, value, "the map is made in a way that is not understood");
            };
            let lock = self.cx.analysis.program.knowledge.types.get(path).is_some_and(|i| i.lock.is_some());
            if lock && self.to.keeps_lock() || matches!(path.as_str(), "std::sync::Arc" | "std::boxed::Box") {
                around.push(path.to_string());
            } else if !lock {
                return self.blocked(body, value, "the map is made in a way that is not understood");
            }
            ty = inner;
        }
        for path in around.into_iter().rev() {
            made = format!("{path}::new({made})");
        }
        let span = self.cx.analysis.program.body(body).expr(value).span;
        self.replace(body, span, made);
        Ok(())
    }

    /// `let map = Arc::new(RwLock::new(…)); S { map }`: the local is migrated with the field.
    fn local_handle(&mut self, body: BodyIx, value: ExprId, expr: ExprId) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let inner = match hir.expr(expr).kind {
            ExprKind::Ref { expr, .. } => expr,
            _ => expr,
        };
        let ExprKind::Local(local) = hir.expr(inner).kind else {
            return self.blocked(body, value, "the map is made in a way that is not understood");
        };
        let init = hir.exprs.iter().find_map(|e| match &e.kind {
            ExprKind::Block(block) => block.stmts.iter().find_map(|s| match s {
                uncork_lints::hir::Stmt::Let { pat, ty: None, init: Some(init), els: None, .. }
                    if matches!(hir.pat(*pat).kind, uncork_lints::hir::PatKind::Bind { local: l, sub: None } if l == local) =>
                {
                    Some(*init)
                }
                _ => None,
            }),
            _ => None,
        });
        let Some(init) = init else {
            return self.blocked(body, value, "the map's lock is made elsewhere and passed in");
        };
        if self.aliases.contains(&(body, local)) {
            return Ok(());
        }
        self.initialiser(body, init, false)?;
        self.aliases.push((body, local));
        let uses = self.tree(body).uses(local);
        for one in uses {
            // The literal itself, or a clone that goes into it, is what brought us here.
            if one == inner || self.goes_into_literal(body, one) {
                continue;
            }
            self.mention(body, one)?;
        }
        Ok(())
    }

    fn goes_into_literal(&mut self, body: BodyIx, id: ExprId) -> bool {
        let Target::Field(def, field) = self.target else { return false };
        let mut here = id;
        for _ in 0..3 {
            let Some((parent, kind)) = self.tree(body).parent_kind(here) else { return false };
            match kind {
                ExprKind::Struct { fields, .. } => {
                    return matches!(self.ty(body, parent).kind(), TyKind::Adt(d, _) if *d == def)
                        && fields.iter().any(|f| f.name == field && f.value == here);
                }
                ExprKind::Method { name, .. } if name.as_str() == "clone" => here = parent,
                ExprKind::Ref { .. } | ExprKind::Call { .. } => here = parent,
                _ => return false,
            }
        }
        false
    }

    fn is_mention(&self, body: BodyIx, id: ExprId) -> bool {
        let Target::Field(def, field) = self.target else { return false };
        let hir = self.cx.analysis.program.body(body);
        match &hir.expr(id).kind {
            ExprKind::Field { base, name, .. } => {
                *name == field
                    && matches!(self.ty(body, *base).peel_refs().kind(), TyKind::Adt(d, _) if *d == def)
            }
            _ => false,
        }
    }

    /// What the lock was made with.
    fn contents(&mut self, body: BodyIx, lock: ExprId, inner: ExprId) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let span = if self.to.keeps_lock() { hir.expr(inner).span } else { hir.expr(lock).span };
        let name = self.name_in(body);
        let inner_expr = hir.expr(inner);
        if let ExprKind::Call { callee, args } = &inner_expr.kind
            && let ExprKind::Path(path) = &hir.expr(*callee).kind
        {
            let names = self.plain_names(body, path);
            let text = match (names.as_slice(), &args[..]) {
                ([.., "HashMap" | "HashSet", "new"], []) => Some(format!("{name}::new()")),
                ([.., "HashMap" | "HashSet" | "Default", "default"], []) => {
                    Some(format!("{name}::default()"))
                }
                ([.., "HashMap" | "HashSet", "with_capacity"], [n]) => {
                    Some(format!("{name}::with_capacity({})", self.text(body, hir.expr(*n).span)))
                }
                _ => None,
            };
            let text = match text {
                Some(_) if self.to.is_cache() => Some(self.empty_one(body, lock)?),
                text => text,
            };
            if let Some(text) = text {
                self.replace(body, span, text);
                return Ok(());
            }
        }
        if !matches!(self.ty(body, inner).kind(), TyKind::Ext(path, _) if path.as_str().starts_with("std::collections::Hash"))
        {
            return self.blocked(body, inner, "the map is made in a way that is not understood");
        }
        if self.to.is_cache() {
            return self.blocked(body, inner, "the map begins with entries in it");
        }
        // Any other map: its entries go over one by one; what is collected anyway is collected into the new type.
        let generics = if self.set { "<_>" } else { "<_, _>" };
        if let ExprKind::Method { name: method, name_span, args, .. } = &inner_expr.kind
            && method.as_str() == "collect"
            && args.is_empty()
        {
            let call = Span::new(name_span.lo, span.hi);
            if self.text(body, call).contains("//") {
                return self.blocked(body, inner, "comments stand inside the call");
            }
            self.replace(body, Span::new(span.lo, inner_expr.span.lo), "");
            self.replace(body, call, format!("collect::<{name}{generics}>()"));
            return Ok(());
        }
        // A variable's type may come from this very use.
        let known = match inner_expr.kind {
            ExprKind::Local(local) => !self.is_untyped(body, local),
            _ => true,
        };
        let (before, after) = match (known, self.set) {
            (true, _) => ("", ".into_iter()"),
            (false, false) => ("<std::collections::HashMap<_, _>>::into_iter(", ")"),
            (false, true) => ("<std::collections::HashSet<_>>::into_iter(", ")"),
        };
        self.replace(body, Span::new(span.lo, inner_expr.span.lo), before);
        self.replace(
            body,
            Span::new(inner_expr.span.hi, span.hi),
            format!("{after}.collect::<{name}{generics}>()"),
        );
        Ok(())
    }

    /// Whether a variable is declared without a type, and with something that does not tell it either.
    fn is_untyped(&self, body: BodyIx, local: LocalId) -> bool {
        let hir = self.cx.analysis.program.body(body);
        hir.exprs.iter().any(|e| match &e.kind {
            ExprKind::Block(block) => block.stmts.iter().any(|stmt| match stmt {
                Stmt::Let { pat, ty: None, init, .. } => {
                    matches!(hir.pat(*pat).kind, PatKind::Bind { local: bound, .. } if bound == local)
                        && init.is_none_or(|init| !matches!(hir.expr(init).kind, ExprKind::Call { .. }))
                }
                _ => false,
            }),
            _ => false,
        })
    }
}
