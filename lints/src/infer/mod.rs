//! What each expression's type is and what each call calls, as far as the rules need.

mod call;
mod cx;
mod expr;
mod mac;
mod method;
mod pat;
mod path;

use rayon::prelude::*;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::hir::{ExprId, ExprKind, LocalId, PatId};
use crate::link::{GenericDecl, TyCx};
use crate::name::{Name, well_known};
use crate::program::{BodyIx, DefId, DefKind, Program, Res};
use crate::ty::{Bound, TraitRef, Ty};

/// The types of one body.
#[derive(Clone, Debug, Default)]
pub struct BodyTypes {
    /// By [`ExprId`].
    pub exprs: Vec<Ty>,
    /// By [`LocalId`].
    pub locals: Vec<Ty>,
    /// By [`PatId`].
    pub pats: Vec<Ty>,
    /// What `Call` and `Method` expressions (and overloaded operators, `for`'s `into_iter`, never recorded) call.
    pub calls: FxHashMap<ExprId, Callee>,
    /// What non-local path expressions mean.
    pub paths: FxHashMap<ExprId, Res>,
    /// For methods: the type whose method was found, after autoderef (no references), and how it takes `self`.
    pub receivers: FxHashMap<ExprId, Receiver>,
}

/// How a method's receiver was adjusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// The type that has the method (`Mutex<..>` in `arc.lock()`).
    pub ty: Ty,
    /// How many `Deref`s (of boxes, arcs, guards; not of plain references) lie between.
    pub overloaded_derefs: u8,
    /// How the method takes `self`.
    pub mode: SelfMode,
}

/// How a method takes `self`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SelfMode {
    Value,
    Ref,
    RefMut,
    Unknown,
}

/// What a call calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Callee {
    /// A function or method of the workspace with a known body.
    Fn(DefId),
    /// A method of a workspace trait whose implementation is not known here (`dyn`, generic).
    Virtual(DefId),
    /// A tuple struct's or variant's constructor.
    Ctor(DefId),
    /// Something from outside by canonical path; methods as `std::sync::Mutex::lock` (the receiver's type, not the trait).
    Ext(Name),
    /// A value called: closure, function pointer, generic `F: Fn`. The callee expression tells.
    Value,
    Unknown,
}

impl BodyTypes {
    /// The type of an expression.
    pub fn expr(&self, id: ExprId) -> Ty {
        self.exprs.get(id.0 as usize).copied().unwrap_or(Ty::UNKNOWN)
    }
    /// The type of a local variable.
    pub fn local(&self, id: LocalId) -> Ty {
        self.locals.get(id.0 as usize).copied().unwrap_or(Ty::UNKNOWN)
    }
    /// The type a pattern matches.
    pub fn pat(&self, id: PatId) -> Ty {
        self.pats.get(id.0 as usize).copied().unwrap_or(Ty::UNKNOWN)
    }
    /// What a call calls.
    pub fn callee(&self, id: ExprId) -> Callee {
        self.calls.get(&id).copied().unwrap_or(Callee::Unknown)
    }
    /// What a path means.
    pub fn res(&self, id: ExprId) -> Option<Res> {
        self.paths.get(&id).copied()
    }
}

/// Infers all bodies, in parallel.
pub fn infer(program: &Program) -> Vec<BodyTypes> {
    (0..program.bodies.len()).into_par_iter().map(|i| infer_body(program, BodyIx(i as u32))).collect()
}

/// Infers one body. Linear in its size, but for unification along chains of variables.
pub fn infer_body(program: &Program, ix: BodyIx) -> BodyTypes {
    let info = program.body_info(ix);
    let body = program.body(ix);
    let mut tycx = TyCx::of(program, info.owner);
    if let Some(&module) = program.scopes.get(&(info.file, body.scope)) {
        tycx.module = module;
    }
    let env = environment(program, info.owner);
    let (mut calls, mut methods, mut paths) = (0, 0, 0);
    for expr in &body.exprs {
        match expr.kind {
            ExprKind::Call { .. } => calls += 1,
            ExprKind::Method { .. } => methods += 1,
            ExprKind::Path(_) => paths += 1,
            _ => {}
        }
    }
    let mut cx = cx::Cx {
        program,
        kb: &program.knowledge,
        body,
        ix,
        tycx,
        env: &env,
        vars: Vec::new(),
        out: BodyTypes {
            exprs: vec![Ty::UNKNOWN; body.exprs.len()],
            locals: vec![Ty::UNKNOWN; body.locals.len()],
            pats: vec![Ty::UNKNOWN; body.pats.len()],
            calls: FxHashMap::with_capacity_and_hasher(calls + methods, FxBuildHasher),
            paths: FxHashMap::with_capacity_and_hasher(paths, FxBuildHasher),
            receivers: FxHashMap::with_capacity_and_hasher(methods, FxBuildHasher),
        },
        closures: FxHashMap::default(),
        ret: Ty::UNKNOWN,
        depth: std::cell::Cell::new(0),
        breaks: Vec::new(),
    };
    match program.decls.sigs.get(&info.owner) {
        Some(sig) => {
            for (param, &ty) in body.params.iter().zip(&sig.params) {
                cx.pat(param.pat, ty);
            }
            cx.ret = sig.ret;
        }
        None => cx.ret = program.decls.statics.get(&info.owner).copied().unwrap_or(Ty::UNKNOWN),
    }
    let ret = cx.ret;
    let found = cx.expr(body.root, Some(ret));
    cx.unify(ret, found);
    let mut out = std::mem::take(&mut cx.out);
    for ty in out.exprs.iter_mut().chain(&mut out.locals).chain(&mut out.pats) {
        *ty = cx.finish(*ty, 24);
    }
    for receiver in out.receivers.values_mut() {
        receiver.ty = cx.finish(receiver.ty, 24);
    }
    out
}

/// Type parameters in scope of a body with their bounds; in a trait also `Self`, which has the trait.
fn environment(program: &Program, owner: DefId) -> Vec<GenericDecl> {
    let mut env: Vec<GenericDecl> = program.decls.generics.get(&owner).cloned().unwrap_or_default();
    if let Some(parent) = program.def(owner).parent {
        match program.def(parent).kind {
            DefKind::Trait => env.push(GenericDecl {
                name: well_known::SELF_TYPE,
                bounds: vec![Bound {
                    trait_: TraitRef::Local(parent),
                    args: Box::new([]),
                    bindings: Box::new([]),
                }],
                callable: None,
            }),
            // A function inside a function sees nothing of the outer one's parameters.
            DefKind::Impl => {}
            _ => {}
        }
    }
    env
}
