//! Walking the expression tree of a body.

use crate::hir::{Block, Body, ExprId, ExprKind, LocalId, PatId, PatKind, Stmt};

/// Calls `f` with each direct child of an expression in evaluation order, bodies of closures and async blocks included.
pub fn for_each_child(body: &Body, id: ExprId, f: &mut dyn FnMut(ExprId)) {
    match &body.expr(id).kind {
        ExprKind::Missing
        | ExprKind::Lit(_)
        | ExprKind::Local(_)
        | ExprKind::Path(_)
        | ExprKind::Continue { .. } => {}
        ExprKind::Call { callee, args } => {
            f(*callee);
            args.iter().for_each(|&a| f(a));
        }
        ExprKind::Method { recv, args, .. } => {
            f(*recv);
            args.iter().for_each(|&a| f(a));
        }
        ExprKind::Field { base, .. } => f(*base),
        ExprKind::Index { base, index } => {
            f(*base);
            f(*index);
        }
        ExprKind::Deref(e)
        | ExprKind::Not(e)
        | ExprKind::Neg(e)
        | ExprKind::Ref { expr: e, .. }
        | ExprKind::Cast { expr: e, .. }
        | ExprKind::Await(e)
        | ExprKind::Try(e) => f(*e),
        ExprKind::Binary { lhs, rhs, .. } => {
            f(*lhs);
            f(*rhs);
        }
        ExprKind::Assign { lhs, rhs } | ExprKind::AssignOp { lhs, rhs, .. } => {
            f(*rhs);
            f(*lhs);
        }
        ExprKind::Tuple(es) | ExprKind::Array(es) => es.iter().for_each(|&e| f(e)),
        ExprKind::Repeat { elem, len } => {
            f(*elem);
            f(*len);
        }
        ExprKind::Range { start, end, .. } => {
            start.iter().for_each(|&e| f(e));
            end.iter().for_each(|&e| f(e));
        }
        ExprKind::Struct { fields, base, .. } => {
            fields.iter().for_each(|x| f(x.value));
            base.iter().for_each(|&e| f(e));
        }
        ExprKind::Block(b) => for_each_in_block(b, f),
        ExprKind::If { cond, then, els } => {
            f(*cond);
            f(*then);
            els.iter().for_each(|&e| f(e));
        }
        ExprKind::Let { scrutinee, .. } => f(*scrutinee),
        ExprKind::Match { scrutinee, arms } => {
            f(*scrutinee);
            for arm in arms {
                arm.guard.iter().for_each(|&e| f(e));
                f(arm.body);
            }
        }
        ExprKind::Loop { body, .. } => f(*body),
        ExprKind::While { cond, body, .. } => {
            f(*cond);
            f(*body);
        }
        ExprKind::For { iter, body, .. } => {
            f(*iter);
            f(*body);
        }
        ExprKind::Break { value, .. } => value.iter().for_each(|&e| f(e)),
        ExprKind::Return(value) => value.iter().for_each(|&e| f(e)),
        ExprKind::Closure(c) => f(c.body),
        ExprKind::Macro(m) => m.args.iter().for_each(|&e| f(e)),
    }
}

fn for_each_in_block(block: &Block, f: &mut dyn FnMut(ExprId)) {
    for stmt in &block.stmts {
        match stmt {
            Stmt::Let { init, els, .. } => {
                init.iter().for_each(|&e| f(e));
                els.iter().for_each(|&e| f(e));
            }
            Stmt::Expr { expr, .. } => f(*expr),
        }
    }
    block.tail.iter().for_each(|&e| f(e));
}

/// Calls `f` with an expression and all below it, parents first, without recursion on the machine's stack.
/// `f` says whether to go below.
pub fn for_each_below(body: &Body, root: ExprId, f: &mut dyn FnMut(ExprId) -> bool) {
    let mut stack = vec![root];
    while let Some(id) = stack.pop() {
        if f(id) {
            let start = stack.len();
            for_each_child(body, id, &mut |c| stack.push(c));
            stack[start..].reverse();
        }
    }
}

/// Calls `f` with a pattern and all below it.
pub fn for_each_pat(body: &Body, id: PatId, f: &mut dyn FnMut(PatId)) {
    f(id);
    match &body.pat(id).kind {
        PatKind::Bind { sub, .. } => sub.iter().for_each(|&p| for_each_pat(body, p, f)),
        PatKind::Ref(p) | PatKind::Typed { pat: p, .. } => for_each_pat(body, *p, f),
        PatKind::Tuple(ps) | PatKind::Slice(ps) | PatKind::Or(ps) | PatKind::TupleStruct { pats: ps, .. } => {
            ps.iter().for_each(|&p| for_each_pat(body, p, f));
        }
        PatKind::Struct { fields, .. } => fields.iter().for_each(|(_, p)| for_each_pat(body, *p, f)),
        PatKind::Missing
        | PatKind::Wild
        | PatKind::Rest
        | PatKind::Path(_)
        | PatKind::Lit(_)
        | PatKind::Range => {}
    }
}

/// The locals that patterns anywhere in an expression bind.
pub fn bound_below(body: &Body, root: ExprId) -> Vec<LocalId> {
    let mut out = Vec::new();
    let mut bound = |pat| {
        for_each_pat(body, pat, &mut |p| {
            if let PatKind::Bind { local, .. } = body.pat(p).kind {
                out.push(local);
            }
        });
    };
    for_each_below(body, root, &mut |id| {
        match &body.expr(id).kind {
            ExprKind::Block(block) => {
                for stmt in block.stmts.iter() {
                    if let Stmt::Let { pat, .. } = stmt {
                        bound(*pat);
                    }
                }
            }
            ExprKind::Let { pat, .. } | ExprKind::For { pat, .. } => bound(*pat),
            ExprKind::Match { arms, .. } => arms.iter().for_each(|arm| bound(arm.pat)),
            ExprKind::Closure(closure) => closure.params.iter().for_each(|param| bound(param.pat)),
            ExprKind::Macro(mac) => mac.pats.iter().for_each(|&pat| bound(pat)),
            _ => {}
        }
        true
    });
    out
}

/// Whether an expression names a place (and so is not moved by being looked at).
pub fn is_place(body: &Body, id: ExprId) -> bool {
    matches!(
        body.expr(id).kind,
        ExprKind::Local(_)
            | ExprKind::Path(_)
            | ExprKind::Field { .. }
            | ExprKind::Index { .. }
            | ExprKind::Deref(_)
    )
}

/// The expression whose code is a closure's or async block's own body.
pub fn own_body(body: &Body, id: ExprId) -> Option<ExprId> {
    match &body.expr(id).kind {
        ExprKind::Closure(c) => Some(c.body),
        ExprKind::Block(b) if matches!(b.kind, crate::hir::BlockKind::Async { .. }) => Some(id),
        _ => None,
    }
}

/// Whether a closure or async block uses a variable from around it.
pub fn is_captured(body: &Body, local: LocalId) -> bool {
    let bound = body.local(local).span;
    (0..body.exprs.len() as u32).map(ExprId).any(|id| {
        let Some(code) = own_body(body, id) else { return false };
        let mut used = false;
        if !body.expr(id).span.contains(bound) {
            for_each_below(body, code, &mut |e| {
                used |= matches!(body.expr(e).kind, ExprKind::Local(l) if l == local);
                !used
            });
        }
        used
    })
}
