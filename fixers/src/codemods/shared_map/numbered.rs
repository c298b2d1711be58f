//! Values that are not made twice: those that hold a number given out in turn (`let id = self.next; self.next += 1;`),
//! something drawn by chance, or what has come in since they were made. Made again after an eviction, such a value would
//! be another one, while the first lives on wherever it was handed out.

use uncork_lints::hir::{Body, ExprId, ExprKind, LocalId, PatKind, Stmt};
use uncork_lints::infer::Callee;
use uncork_lints::knowledge::Op;
use uncork_lints::places::{PlaceKey, UseKind};
use uncork_lints::program::{BodyIx, DefId};

use super::super::tree::children;
use super::{Migration, Step};

const GATHERS: &str = "entries gather what comes in, and evicting would lose it";
/// How many variables and calls a value is followed through.
const HOPS: u8 = 4;

impl<'a> Migration<'_, 'a> {
    /// Refuses if what is put in holds such a number.
    pub(super) fn made_again_the_same(&mut self, place: PlaceKey) -> Step {
        let uses = self.cx.analysis.uses.uses_of(place);
        for one in uses.iter().filter(|u| !u.in_test) {
            let hir = self.cx.analysis.program.body(one.body);
            if one.kind == UseKind::Op(Op::Entry) && self.gathers(one.body, one.expr) {
                return self.blocked(one.body, one.expr, GATHERS);
            }
            let values: Vec<ExprId> = match one.kind {
                UseKind::Op(Op::Insert) => match &hir.expr(one.expr).kind {
                    ExprKind::Method { args, .. } => args.iter().skip(1).copied().collect(),
                    _ => Vec::new(),
                },
                UseKind::Op(Op::Entry) => match self.tree(one.body).parent_kind(one.expr) {
                    Some((_, ExprKind::Method { args, .. })) => args.to_vec(),
                    _ => Vec::new(),
                },
                _ => Vec::new(),
            };
            if values.iter().any(|&value| self.numbered(one.body, value, HOPS)) {
                return self.blocked(one.body, one.expr, "an entry made again would be another one");
            }
        }
        Ok(())
    }

    /// Whether an entry is made to be changed: `entry(key).or_default().push(item)`, `*entry(key).or_insert(0) += 1`.
    fn gathers(&mut self, body: BodyIx, entry: ExprId) -> bool {
        match self.tree(body).parent_kind(entry) {
            Some((_, ExprKind::Method { name, .. })) if name.as_str() == "and_modify" => true,
            Some((made, ExprKind::Method { recv, .. })) if *recv == entry => {
                self.only_read(body, made).is_err()
            }
            _ => false,
        }
    }

    fn numbered(&mut self, body: BodyIx, value: ExprId, hops: u8) -> bool {
        let hir = self.cx.analysis.program.body(body);
        match &hir.expr(value).kind {
            ExprKind::Method { name, .. } if name.as_str() == "fetch_add" => return true,
            ExprKind::Local(_) | ExprKind::Field { .. } if counted(hir, value) => return true,
            ExprKind::Local(local) => {
                return hops > 0
                    && initial(hir, *local).is_some_and(|init| self.numbered(body, init, hops - 1));
            }
            // Of a call, what is given in, and what a function of one's own gives back.
            ExprKind::Call { .. } | ExprKind::Method { .. } => {
                match self.cx.analysis.types[body.0 as usize].callee(value) {
                    Callee::Fn(def) if hops > 0 && self.gives_numbers(def, hops - 1) => return true,
                    Callee::Ext(name) if random(name.as_str()) => return true,
                    _ => {}
                }
            }
            _ => {}
        }
        children(hir, value).into_iter().any(|child| self.numbered(body, child, hops))
    }

    /// Whether what a function of the workspace returns at its end is such a number, or something drawn in it.
    fn gives_numbers(&mut self, def: DefId, hops: u8) -> bool {
        let program = &self.cx.analysis.program;
        let Some(&body) = program.body_of.get(&def) else { return false };
        let calls = &self.cx.analysis.types[body.0 as usize].calls;
        if calls.values().any(|callee| matches!(callee, Callee::Ext(name) if random(name.as_str()))) {
            return true;
        }
        match &program.body(body).expr(program.body(body).root).kind {
            ExprKind::Block(block) => block.tail.is_some_and(|tail| self.numbered(body, tail, hops)),
            _ => false,
        }
    }
}

/// What gives something else each time.
fn random(path: &str) -> bool {
    ["rand::", "fastrand::", "getrandom::", "uuid::Uuid::new_v4", "uuid::Uuid::now_v7"]
        .iter()
        .any(|begin| path.starts_with(begin))
}

/// Whether the body adds to this very place: a field, a variable, or what a guard gives.
fn counted(hir: &Body, read: ExprId) -> bool {
    hir.exprs.iter().any(|e| match &e.kind {
        ExprKind::AssignOp { lhs, .. } => same_place(hir, *lhs, read),
        _ => false,
    })
}

fn same_place(hir: &Body, a: ExprId, b: ExprId) -> bool {
    match (&hir.expr(a).kind, &hir.expr(b).kind) {
        (ExprKind::Deref(a), _) => same_place(hir, *a, b),
        (_, ExprKind::Deref(b)) => same_place(hir, a, *b),
        (ExprKind::Local(a), ExprKind::Local(b)) => a == b,
        (ExprKind::Field { base: a, name: one, .. }, ExprKind::Field { base: b, name: other, .. }) => {
            one == other && same_place(hir, *a, *b)
        }
        _ => false,
    }
}

/// What a variable is bound to where it is declared.
fn initial(hir: &Body, local: LocalId) -> Option<ExprId> {
    hir.exprs.iter().find_map(|e| match &e.kind {
        ExprKind::Block(block) => block.stmts.iter().find_map(|stmt| match stmt {
            Stmt::Let { pat, init, .. } => match hir.pat(*pat).kind {
                PatKind::Bind { local: bound, .. } if bound == local => *init,
                _ => None,
            },
            Stmt::Expr { .. } => None,
        }),
        _ => None,
    })
}
