//! What holds of every lowered file. Property tests and the corpus example check it; analyses rely on it.

use super::{Body, ExprKind, FileHir, ItemKind, PatKind, Path, Stmt};
use crate::name::{Name, well_known};
use crate::source::Span;

/// Broken promises, one line each: ids out of range, spans outside the text or not on character bounds, names that are
/// not what the text says at their span.
pub fn violations(hir: &FileHir, text: &str) -> Vec<String> {
    let mut check = Check { text, out: Vec::new() };
    for (index, scope) in hir.scopes.iter().enumerate() {
        let before = scope.parent.map_or(index == 0, |p| (p.0 as usize) < index);
        check.that(before, || format!("scope {index} stands before its parent"));
    }
    for (index, item) in hir.items.iter().enumerate() {
        check.span(item.span, "item");
        check.span(item.attrs_span, "attributes");
        check.that(item.parent.is_none_or(|p| (p.0 as usize) < index), || {
            format!("item {index} before its parent")
        });
        check.that((item.scope.0 as usize) < hir.scopes.len(), || format!("item {index} has no scope"));
        if item.name != well_known::EMPTY {
            check.name(item.name, item.name_span);
        }
        if let ItemKind::Fn(f) = &item.kind {
            check.span(f.sig_span, "signature");
            check.that(item.span.contains(f.sig_span), || format!("signature of item {index} outside it"));
        }
    }
    for (index, body) in hir.bodies.iter().enumerate() {
        check.body(index, body);
    }
    for s in &hir.suppressions {
        check.span(s.span, "suppression");
        for (rule, span) in &s.rules {
            check.that(check.text_at(*span) == Some(rule), || format!("rule {rule} is not at {span:?}"));
        }
    }
    check.that(hir.blank_lines.is_sorted_by(|a, b| a < b), || "blank lines out of order".into());
    check.out
}

struct Check<'t> {
    text: &'t str,
    out: Vec<String>,
}

impl Check<'_> {
    fn that(&mut self, holds: bool, message: impl FnOnce() -> String) {
        if !holds {
            self.out.push(message());
        }
    }

    fn text_at(&self, span: Span) -> Option<&str> {
        self.text.get(span.lo as usize..span.hi as usize)
    }

    fn span(&mut self, span: Span, what: &str) {
        self.that(self.text_at(span).is_some(), || format!("{what} at {span:?}: no such text"));
    }

    fn name(&mut self, name: Name, span: Span) {
        let text = self.text_at(span).map(|t| t.trim_start_matches("r#").trim_start_matches('\'').to_owned());
        self.that(text.as_deref() == Some(name.as_str()), || {
            format!("{name:?} is not at {span:?}: {text:?}")
        });
    }

    fn path(&mut self, path: &Path) {
        self.span(path.span, "path");
        self.that(!path.segments.is_empty(), || "path without segment".into());
        for segment in &path.segments {
            self.name(segment.name, segment.span);
            self.that(path.span.contains(segment.span), || format!("{:?} outside its path", segment.name));
        }
    }

    fn body(&mut self, index: usize, body: &Body) {
        self.that((body.root.0 as usize) < body.exprs.len(), || format!("body {index} has no root"));
        for local in &body.locals {
            self.name(local.name, local.span);
        }
        for pat in &body.pats {
            self.span(pat.span, "pattern");
            match &pat.kind {
                PatKind::Bind { local, .. } => {
                    self.that((local.0 as usize) < body.locals.len(), || "pattern binds no local".into());
                }
                PatKind::Path(p) => self.path(p),
                PatKind::TupleStruct { path, .. } | PatKind::Struct { path, .. } => self.path(path),
                _ => {}
            }
        }
        for (n, expr) in body.exprs.iter().enumerate() {
            self.span(expr.span, "expression");
            match &expr.kind {
                ExprKind::Local(local) => match body.locals.get(local.0 as usize) {
                    Some(l) => self.name(l.name, expr.span),
                    None => self.that(false, || format!("expression {n} of body {index} names no local")),
                },
                ExprKind::Path(p) => self.path(p),
                ExprKind::Method { name, name_span, .. } | ExprKind::Field { name, name_span, .. } => {
                    self.name(*name, *name_span);
                    self.that(expr.span.contains(*name_span), || format!("{name:?} outside its expression"));
                }
                ExprKind::Block(b) => {
                    for stmt in &b.stmts {
                        let (Stmt::Let { span, .. } | Stmt::Expr { span, .. }) = stmt;
                        self.span(*span, "statement");
                        self.that(expr.span.contains(*span), || {
                            format!("statement at {span:?} outside its block")
                        });
                    }
                }
                ExprKind::Macro(m) => {
                    self.path(&m.path);
                    for arg in &m.args {
                        let inside =
                            body.exprs.get(arg.0 as usize).is_some_and(|a| expr.span.contains(a.span));
                        self.that(inside, || format!("argument of {:?} outside it", m.path.segments.last()));
                    }
                }
                _ => {}
            }
        }
    }
}
