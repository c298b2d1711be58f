//! A body's expressions with their parents, which rewriting needs and analysing does not.

use uncork_lints::hir::{Body, ExprId, ExprKind, LocalId, Stmt};

/// The statement an expression is, or begins: its block and its index there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StmtAt {
    pub(crate) block: ExprId,
    pub(crate) index: usize,
}

/// A body and who holds whom.
pub(crate) struct Tree<'a> {
    pub(crate) body: &'a Body,
    parents: Vec<Option<ExprId>>,
    stmts: Vec<Option<StmtAt>>,
}

impl<'a> Tree<'a> {
    /// One walk over the body.
    pub(crate) fn new(body: &'a Body) -> Tree<'a> {
        let mut tree =
            Tree { body, parents: vec![None; body.exprs.len()], stmts: vec![None; body.exprs.len()] };
        for index in 0..body.exprs.len() {
            let id = ExprId(index as u32);
            for child in children(body, id) {
                if let Some(slot) = tree.parents.get_mut(child.0 as usize) {
                    *slot = Some(id);
                }
            }
            if let ExprKind::Block(block) = &body.expr(id).kind {
                for (at, stmt) in block.stmts.iter().enumerate() {
                    let direct = match stmt {
                        Stmt::Let { init, .. } => *init,
                        Stmt::Expr { expr, .. } => Some(*expr),
                    };
                    if let Some(slot) = direct.and_then(|e| tree.stmts.get_mut(e.0 as usize)) {
                        *slot = Some(StmtAt { block: id, index: at });
                    }
                }
            }
        }
        tree
    }

    /// The expression around one.
    pub(crate) fn parent(&self, id: ExprId) -> Option<ExprId> {
        self.parents.get(id.0 as usize).copied().flatten()
    }

    /// The kind of the expression around one.
    pub(crate) fn parent_kind(&self, id: ExprId) -> Option<(ExprId, &'a ExprKind)> {
        let parent = self.parent(id)?;
        Some((parent, &self.body.expr(parent).kind))
    }

    /// The statement whose whole value an expression is.
    pub(crate) fn stmt_of(&self, id: ExprId) -> Option<StmtAt> {
        self.stmts.get(id.0 as usize).copied().flatten()
    }

    /// The statement an expression stands in, the innermost, with its block; `None` in a block's last expression.
    pub(crate) fn stmt_around(&self, id: ExprId) -> Option<StmtAt> {
        let mut here = id;
        loop {
            if let Some(at) = self.stmt_of(here) {
                return Some(at);
            }
            let parent = self.parent(here)?;
            if matches!(self.body.expr(parent).kind, ExprKind::Block(_)) && !self.is_stmt(parent, here) {
                return None;
            }
            here = parent;
        }
    }

    fn is_stmt(&self, block: ExprId, id: ExprId) -> bool {
        self.stmt_of(id).is_some_and(|at| at.block == block)
    }

    /// Whether an expression is a statement, or the last thing in a block.
    pub(crate) fn stands_alone(&self, id: ExprId) -> bool {
        self.stmt_of(id).is_some()
            || matches!(self.parent_kind(id), Some((_, ExprKind::Block(block))) if block.tail == Some(id))
    }

    /// A statement.
    pub(crate) fn stmt(&self, at: StmtAt) -> Option<&'a Stmt> {
        match &self.body.expr(at.block).kind {
            ExprKind::Block(block) => block.stmts.get(at.index),
            _ => None,
        }
    }

    /// Whether `inner` lies in `outer` (or is it).
    pub(crate) fn within(&self, inner: ExprId, outer: ExprId) -> bool {
        let mut here = Some(inner);
        while let Some(id) = here {
            if id == outer {
                return true;
            }
            here = self.parent(id);
        }
        false
    }

    /// All mentions of a local variable, in order of place.
    pub(crate) fn uses(&self, local: LocalId) -> Vec<ExprId> {
        let mut out: Vec<ExprId> =
            self.ids().filter(|&id| self.body.expr(id).kind == ExprKind::Local(local)).collect();
        out.sort_by_key(|&id| self.body.expr(id).span.lo);
        out
    }

    /// All expressions that hang on the root.
    pub(crate) fn ids(&self) -> impl Iterator<Item = ExprId> + '_ {
        (0..self.body.exprs.len() as u32).map(ExprId).filter(|&id| self.hangs(id))
    }

    /// Whether an expression hangs on the root, and is not a left-over of the arena.
    pub(crate) fn hangs(&self, id: ExprId) -> bool {
        id == self.body.root || self.parent(id).is_some()
    }

    /// Whether a closure or async block lies between an expression and the body's root.
    pub(crate) fn in_inner_body(&self, id: ExprId) -> bool {
        let mut here = self.parent(id);
        while let Some(parent) = here {
            match &self.body.expr(parent).kind {
                ExprKind::Closure(_) => return true,
                ExprKind::Block(block)
                    if matches!(block.kind, uncork_lints::hir::BlockKind::Async { .. }) =>
                {
                    return true;
                }
                _ => here = self.parent(parent),
            }
        }
        false
    }
}

/// The expressions directly inside one, in order of evaluation.
pub(crate) fn children(body: &Body, id: ExprId) -> Vec<ExprId> {
    let mut out = Vec::new();
    match &body.expr(id).kind {
        ExprKind::Missing
        | ExprKind::Lit(_)
        | ExprKind::Local(_)
        | ExprKind::Path(_)
        | ExprKind::Continue { .. } => {}
        ExprKind::Call { callee, args } => {
            out.push(*callee);
            out.extend(args.iter());
        }
        ExprKind::Method { recv, args, .. } => {
            out.push(*recv);
            out.extend(args.iter());
        }
        ExprKind::Field { base, .. } => out.push(*base),
        ExprKind::Index { base, index } => out.extend([*base, *index]),
        ExprKind::Deref(e)
        | ExprKind::Not(e)
        | ExprKind::Neg(e)
        | ExprKind::Await(e)
        | ExprKind::Try(e)
        | ExprKind::Ref { expr: e, .. }
        | ExprKind::Cast { expr: e, .. } => out.push(*e),
        ExprKind::Binary { lhs, rhs, .. } | ExprKind::AssignOp { lhs, rhs, .. } => out.extend([*lhs, *rhs]),
        ExprKind::Assign { lhs, rhs } => out.extend([*rhs, *lhs]),
        ExprKind::Tuple(list) | ExprKind::Array(list) => out.extend(list.iter()),
        ExprKind::Repeat { elem, len } => out.extend([*elem, *len]),
        ExprKind::Range { start, end, .. } => out.extend(start.iter().chain(end)),
        ExprKind::Struct { fields, base, .. } => {
            out.extend(fields.iter().map(|f| f.value));
            out.extend(base);
        }
        ExprKind::Block(block) => {
            for stmt in &block.stmts {
                match stmt {
                    Stmt::Let { init, els, .. } => out.extend(init.iter().chain(els)),
                    Stmt::Expr { expr, .. } => out.push(*expr),
                }
            }
            out.extend(block.tail);
        }
        ExprKind::If { cond, then, els } => {
            out.extend([*cond, *then]);
            out.extend(els);
        }
        ExprKind::Let { scrutinee, .. } => out.push(*scrutinee),
        ExprKind::Match { scrutinee, arms } => {
            out.push(*scrutinee);
            for arm in arms {
                out.extend(arm.guard);
                out.push(arm.body);
            }
        }
        ExprKind::Loop { body, .. } => out.push(*body),
        ExprKind::While { cond, body, .. } => out.extend([*cond, *body]),
        ExprKind::For { iter, body, .. } => out.extend([*iter, *body]),
        ExprKind::Break { value, .. } => out.extend(value),
        ExprKind::Return(value) => out.extend(value),
        ExprKind::Closure(closure) => out.push(closure.body),
        ExprKind::Macro(call) => out.extend(call.args.iter()),
    }
    out
}
