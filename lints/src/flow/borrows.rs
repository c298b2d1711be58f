//! Which variables may borrow from which, by their types and what they are bound to.

use rustc_hash::FxHashMap;

use super::walk::{for_each_below, for_each_pat};
use crate::hir::{Body, ExprId, ExprKind, LocalId, PatId, PatKind, Stmt};
use crate::infer::BodyTypes;
use crate::program::Program;
use crate::ty::{Ty, TyKind};

/// Whether a value of the type may borrow from something.
pub fn may_borrow(program: &Program, ty: Ty) -> bool {
    may_borrow_fuel(program, ty, 4)
}

fn may_borrow_fuel(program: &Program, ty: Ty, fuel: u8) -> bool {
    ty.any(&mut |t| match t.kind() {
        TyKind::Unknown
        | TyKind::Ref(..)
        | TyKind::Ptr(_)
        | TyKind::Var(_)
        | TyKind::Param(_)
        | TyKind::Assoc(..)
        | TyKind::Opaque(_)
        | TyKind::Dyn(_)
        | TyKind::Closure(..)
        | TyKind::Future(_)
        | TyKind::Slice(_)
        | TyKind::Str => true,
        TyKind::Ext(path, _) => match program.knowledge.types.get(path) {
            Some(info) => {
                let owns = info.container.is_some() || info.clone_is_value();
                info.guard || !owns && (info.item.is_some() || info.lends())
            }
            None => true,
        },
        TyKind::Adt(def, _) => {
            fuel > 0
                && program
                    .decls
                    .fields
                    .get(def)
                    .into_iter()
                    .flatten()
                    .any(|(_, f)| !f.has_params() && may_borrow_fuel(program, *f, fuel - 1) && *f != ty)
        }
        _ => false,
    })
}

/// For each local that may hold a borrow, the locals it may borrow from.
pub fn borrows(program: &Program, body: &Body, types: &BodyTypes) -> FxHashMap<LocalId, Vec<LocalId>> {
    let mut direct: FxHashMap<LocalId, Vec<LocalId>> = FxHashMap::default();
    let mut note = |pat: PatId, init: ExprId| {
        let mut bound = Vec::new();
        for_each_pat(body, pat, &mut |p| {
            if let PatKind::Bind { local, .. } = body.pat(p).kind
                && may_borrow(program, types.local(local))
            {
                bound.push(local);
            }
        });
        if !bound.is_empty() {
            let from = mentioned(body, init);
            for local in bound {
                direct.entry(local).or_default().extend(from.iter().copied().filter(|f| *f != local));
            }
        }
    };
    for_each_below(body, body.root, &mut |id| {
        match &body.expr(id).kind {
            ExprKind::Block(block) => {
                for stmt in block.stmts.iter() {
                    if let Stmt::Let { pat, init: Some(init), .. } = stmt {
                        note(*pat, *init);
                    }
                }
            }
            ExprKind::Let { pat, scrutinee } => note(*pat, *scrutinee),
            ExprKind::Match { scrutinee, arms } => {
                for arm in arms.iter() {
                    note(arm.pat, *scrutinee);
                }
            }
            _ => {}
        }
        true
    });
    // `r = &x` later on.
    let mut later = Vec::new();
    for_each_below(body, body.root, &mut |id| {
        if let ExprKind::Assign { lhs, rhs } = &body.expr(id).kind
            && let ExprKind::Local(local) = body.expr(*lhs).kind
            && may_borrow(program, types.local(local))
        {
            later.push((local, mentioned(body, *rhs)));
        }
        true
    });
    for (local, from) in later {
        direct.entry(local).or_default().extend(from);
    }
    // Transitively: what borrows a borrower borrows what that borrows.
    for _ in 0..4 {
        let snapshot = direct.clone();
        for from in direct.values_mut() {
            let more: Vec<LocalId> =
                from.iter().flat_map(|f| snapshot.get(f).into_iter().flatten().copied()).collect();
            from.extend(more);
            from.sort();
            from.dedup();
        }
    }
    direct
}

/// The locals named anywhere in an expression.
pub fn mentioned(body: &Body, root: ExprId) -> Vec<LocalId> {
    let mut out = Vec::new();
    for_each_below(body, root, &mut |id| {
        if let ExprKind::Local(local) = body.expr(id).kind {
            out.push(local);
        }
        true
    });
    out.sort();
    out.dedup();
    out
}
