//! Where a comment above code reaches: from the line it stands above to the end of what begins there.
//!
//! A statement may take several lines (`self`, `.lock()`, `.unwrap()`), and who writes a comment above it means all of it;
//! but not the statements in the blocks inside, which have lines of their own to write above.

use rustc_hash::FxHashMap;

use crate::hir::{Body, ExprKind, FileHir, Stmt};
use crate::source::{SourceFile, Span};

/// What a file's bodies are made of, by where it lies.
pub(super) struct Reach {
    /// Statements and blocks' last expressions, in order of where they begin; outer ones first.
    statements: Vec<Span>,
    /// Statements, expressions and arms by the line they begin on.
    begins: FxHashMap<u32, Vec<Span>>,
}

impl Reach {
    /// Looks through a file's bodies. O(expressions · log lines).
    pub(super) fn of(source: &SourceFile, hir: &FileHir) -> Reach {
        let mut reach = Reach { statements: Vec::new(), begins: FxHashMap::default() };
        for body in &hir.bodies {
            reach.body(source, body);
        }
        reach.statements.sort_by_key(|s| (s.lo, std::cmp::Reverse(s.hi)));
        reach
    }

    fn body(&mut self, source: &SourceFile, body: &Body) {
        for expr in &body.exprs {
            self.begin(source, expr.span);
            match &expr.kind {
                ExprKind::Block(block) => {
                    for stmt in &block.stmts {
                        let (Stmt::Let { span, .. } | Stmt::Expr { span, .. }) = stmt;
                        self.begin(source, *span);
                        self.statements.push(*span);
                    }
                    self.statements.extend(block.tail.map(|tail| body.expr(tail).span));
                }
                ExprKind::Match { arms, .. } => {
                    for arm in arms {
                        self.begin(source, body.pat(arm.pat).span.to(body.expr(arm.body).span));
                    }
                }
                _ => {}
            }
        }
    }

    fn begin(&mut self, source: &SourceFile, span: Span) {
        self.begins.entry(source.line_column(span.lo).line).or_default().push(span);
    }

    /// Whether something that begins on `line` holds the byte `at`, and no statement between them does.
    pub(super) fn covers(&self, line: u32, at: u32) -> bool {
        let holds = |s: &Span| s.lo <= at && at < s.hi.max(s.lo + 1);
        let around: Vec<&Span> = self.begins.get(&line).into_iter().flatten().filter(|s| holds(s)).collect();
        if around.is_empty() {
            return false;
        }
        let before = self.statements.partition_point(|s| s.lo <= at);
        let innermost = self.statements[..before].iter().rev().find(|s| holds(s));
        innermost.is_some_and(|inner| around.iter().any(|s| s.lo >= inner.lo))
    }
}
