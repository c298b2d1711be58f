//! A body's expressions with what is around them, and the statements they stand in.

use crate::flow::walk;
use crate::hir::{BlockKind, Body, ExprId, ExprKind, MacroKind, Stmt};
use crate::source::Span;

/// A statement, or the last expression of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pos {
    pub(super) block: ExprId,
    /// Among the block's statements; their number for the last expression.
    pub(super) index: usize,
    pub(super) span: Span,
    /// What is evaluated in it, first of all.
    pub(super) expr: ExprId,
}

/// Parents and statements.
pub(super) struct Tree<'a> {
    pub(super) body: &'a Body,
    parents: Vec<Option<ExprId>>,
    stmts: Vec<Option<Pos>>,
}

impl<'a> Tree<'a> {
    pub(super) fn new(body: &'a Body) -> Tree<'a> {
        let count = body.exprs.len();
        let mut tree = Tree { body, parents: vec![None; count], stmts: vec![None; count] };
        walk::for_each_below(body, body.root, &mut |id| {
            walk::for_each_child(body, id, &mut |child| {
                if let Some(slot) = tree.parents.get_mut(child.0 as usize) {
                    *slot = Some(id);
                }
            });
            if let ExprKind::Block(block) = &body.expr(id).kind {
                for (index, stmt) in block.stmts.iter().enumerate() {
                    match stmt {
                        Stmt::Let { init: Some(expr), els, span, .. } => {
                            let pos = Pos { block: id, index, span: *span, expr: *expr };
                            tree.note(*expr, pos);
                            els.iter().for_each(|&e| tree.note(e, pos));
                        }
                        Stmt::Let { .. } => {}
                        Stmt::Expr { expr, span, .. } => {
                            tree.note(*expr, Pos { block: id, index, span: *span, expr: *expr });
                        }
                    }
                }
                if let Some(tail) = block.tail {
                    let index = block.stmts.len();
                    tree.note(tail, Pos { block: id, index, span: body.expr(tail).span, expr: tail });
                }
            }
            true
        });
        tree
    }

    fn note(&mut self, id: ExprId, pos: Pos) {
        if let Some(slot) = self.stmts.get_mut(id.0 as usize) {
            *slot = Some(pos);
        }
    }

    pub(super) fn parent(&self, id: ExprId) -> Option<ExprId> {
        self.parents.get(id.0 as usize).copied().flatten()
    }

    pub(super) fn kind(&self, id: ExprId) -> &'a ExprKind {
        &self.body.expr(id).kind
    }

    /// The statement that an expression is the whole of.
    pub(super) fn stmt_of(&self, id: ExprId) -> Option<Pos> {
        self.stmts.get(id.0 as usize).copied().flatten()
    }

    /// The innermost statement around an expression, if it can be edited: none inside a closure without a block, an
    /// arm without one, or a macro whose text is not known to be code.
    pub(super) fn stmt_around(&self, id: ExprId) -> Option<Pos> {
        let mut here = id;
        loop {
            if let Some(pos) = self.stmt_of(here) {
                return Some(pos);
            }
            let parent = self.parent(here)?;
            match self.kind(parent) {
                ExprKind::Closure(_) => return None,
                ExprKind::Macro(m) if !readable(m.kind) => return None,
                ExprKind::Match { arms, .. }
                    if arms.iter().any(|a| a.body == here || a.guard == Some(here)) =>
                {
                    return None;
                }
                _ => {}
            }
            here = parent;
        }
    }

    /// The statements around an expression inside the block `scope`, outermost first, as far as each is reached at most
    /// once each time the block is entered: those inside of a loop or closure are left out.
    pub(super) fn chain(&self, id: ExprId, scope: ExprId) -> Vec<Pos> {
        let mut out = Vec::new();
        let mut here = id;
        loop {
            out.extend(self.stmt_of(here));
            if here == scope {
                return Vec::new();
            }
            let Some(parent) = self.parent(here) else { return Vec::new() };
            match self.kind(parent) {
                ExprKind::Loop { .. } | ExprKind::While { .. } | ExprKind::Closure(_) => out.clear(),
                ExprKind::For { body, .. } if *body == here => out.clear(),
                ExprKind::Block(b) if matches!(b.kind, BlockKind::Async { .. }) && parent != scope => {
                    out.clear()
                }
                ExprKind::Macro(m) if !readable(m.kind) => out.clear(),
                _ => {}
            }
            if parent == scope {
                out.reverse();
                return out;
            }
            here = parent;
        }
    }

    /// Whether `inner` lies in `outer` or is it.
    pub(super) fn within(&self, inner: ExprId, outer: ExprId) -> bool {
        let mut here = Some(inner);
        while let Some(id) = here {
            if id == outer {
                return true;
            }
            here = self.parent(id);
        }
        false
    }

    /// All expressions below one, itself included.
    pub(super) fn below(&self, root: ExprId) -> Vec<ExprId> {
        let mut out = Vec::new();
        walk::for_each_below(self.body, root, &mut |id| {
            out.push(id);
            true
        });
        out
    }

    /// What is evaluated in the statements of a block from one index on, up to another (excluded).
    pub(super) fn evaluated(&self, block: ExprId, from: usize, to: usize) -> Vec<ExprId> {
        let ExprKind::Block(block) = self.kind(block) else { return Vec::new() };
        let mut out = Vec::new();
        for stmt in block.stmts.iter().skip(from).take(to.saturating_sub(from)) {
            match stmt {
                Stmt::Let { init, els, .. } => out.extend(init.iter().chain(els)),
                Stmt::Expr { expr, .. } => out.push(*expr),
            }
        }
        if to > block.stmts.len() {
            out.extend(block.tail);
        }
        out
    }
}

/// Whether the text of a macro's arguments is code that may be edited.
pub(super) fn readable(kind: MacroKind) -> bool {
    !matches!(kind, MacroKind::Guess | MacroKind::Opaque)
}
