//! Clones: where they are, what they cost, and in which loop. Computed for all rules about copies.

use crate::hir::{Body, ExprId, ExprKind, LocalId, PatId, Stmt};
use crate::infer::{BodyTypes, Callee};
use crate::knowledge::{CloneCost, ClosureUse};
use crate::link::HeadKey;
use crate::name::{Name, well_known};
use crate::program::{BodyIx, DefId, Program};
use crate::ty::{Bound, TraitRef, Ty, TyKind};

/// What is around a site, outermost first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// `for`, `while`, `loop`.
    Loop(ExprId),
    /// A closure that an iterator adaptor or the like runs many times, and the call it is given to.
    Adaptor {
        /// The closure.
        closure: ExprId,
        /// The call.
        call: ExprId,
    },
    /// Any other closure or async block.
    Closure(ExprId),
}

/// A clone.
#[derive(Clone, Debug)]
pub struct CloneSite {
    /// The call.
    pub expr: ExprId,
    /// What is cloned, as written.
    pub base: ExprId,
    /// The type of what is cloned, owned.
    pub ty: Ty,
    /// What is around.
    pub frames: Vec<Frame>,
    /// The call whose argument it is, and at which position (`self` counted); behind `&` or not.
    pub argument: Option<(ExprId, usize, bool)>,
    /// What is copied lies behind a guard or handle that it cannot be moved out of.
    pub behind: bool,
    /// `.cloned()` on an iterator, not on a value.
    pub of_items: bool,
}

impl CloneSite {
    /// The innermost loop, if nothing but loops lies between it and the site.
    pub fn innermost_loop(&self) -> Option<Frame> {
        self.frames.last().copied().filter(|f| !matches!(f, Frame::Closure(_)))
    }
}

/// Whether cloning a value of the type copies heap memory. `None`: not known.
pub fn costly(program: &Program, ty: Ty) -> Option<bool> {
    costly_fuel(program, ty, 6)
}

fn costly_fuel(program: &Program, ty: Ty, fuel: u8) -> Option<bool> {
    if fuel == 0 {
        return None;
    }
    let any = |parts: &[Ty]| {
        let mut unknown = false;
        for &part in parts {
            match costly_fuel(program, part, fuel - 1) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => unknown = true,
            }
        }
        if unknown { None } else { Some(false) }
    };
    match ty.kind() {
        TyKind::Bool
        | TyKind::Char
        | TyKind::Int(_)
        | TyKind::Float(_)
        | TyKind::Never
        | TyKind::Ref(..)
        | TyKind::Ptr(_)
        | TyKind::FnDef(..)
        | TyKind::ExtFn(_)
        | TyKind::FnPtr(..) => Some(false),
        TyKind::Tuple(parts) => any(parts),
        TyKind::Array(t) => costly_fuel(program, *t, fuel - 1),
        TyKind::Slice(_) | TyKind::Str => Some(true),
        TyKind::Ext(path, args) => match program.knowledge.types.get(path)?.clone {
            CloneCost::Cheap => Some(false),
            CloneCost::Deep => Some(true),
            CloneCost::Args => any(args),
            CloneCost::Unknown => None,
        },
        TyKind::Adt(def, args) => {
            let item = program.item(*def);
            if item.attrs.derives.contains(&Name::new("Copy")) {
                return Some(false);
            }
            // A clone written by hand may do anything, a counter most often.
            if own_clone(program, *def) {
                return None;
            }
            let subst = crate::ty::Subst::pair(program.decls.params(*def), args);
            let mut tys: Vec<Ty> = Vec::new();
            let mut add = |d: DefId| {
                tys.extend(program.decls.fields.get(&d).into_iter().flatten().map(|(_, t)| t.subst(&subst)));
            };
            add(*def);
            for variant in program.variants.get(def).into_iter().flat_map(|v| v.values()) {
                add(*variant);
            }
            any(&tys)
        }
        _ => None,
    }
}

fn own_clone(program: &Program, def: DefId) -> bool {
    program.decls.impls_by_head.get(&HeadKey::Adt(def)).into_iter().flatten().any(|i| {
        matches!(program.decls.impl_trait.get(i), Some(Bound { trait_: TraitRef::Ext(p), .. })
            if p.as_str() == "std::clone::Clone")
    })
}

/// Whether dropping a value of the type runs code: its parts can then not be moved out.
pub fn has_drop(program: &Program, ty: Ty) -> bool {
    match ty.kind() {
        TyKind::Adt(def, _) => {
            program.decls.impls_by_head.get(&HeadKey::Adt(*def)).into_iter().flatten().any(|i| {
                matches!(program.decls.impl_trait.get(i), Some(Bound { trait_: TraitRef::Ext(p), .. })
                    if p.as_str() == "std::ops::Drop")
            })
        }
        _ => false,
    }
}

/// All clones of one body, in source order of the walk.
pub fn clone_sites(program: &Program, ix: BodyIx, types: &BodyTypes) -> Vec<CloneSite> {
    let body = program.body(ix);
    // Most bodies clone nothing, and one look along the arena says so.
    if !body.exprs.iter().any(|e| may_clone(body, &e.kind)) {
        return Vec::new();
    }
    let mut walk = Walk { program, body, types, frames: Vec::new(), out: Vec::new(), leaving: Vec::new() };
    walk.expr(body.root, None);
    walk.out
}

/// Whether an expression is spelt like a clone.
fn may_clone(body: &Body, kind: &ExprKind) -> bool {
    use well_known::{CLONE, CLONED, TO_OWNED, TO_STRING, TO_VEC};
    match kind {
        ExprKind::Method { name, args, .. } => {
            args.is_empty() && matches!(*name, CLONE | CLONED | TO_OWNED | TO_STRING | TO_VEC)
        }
        ExprKind::Call { callee, args } => match &body.expr(*callee).kind {
            ExprKind::Path(path) => args.len() == 1 && path.segments.last().is_some_and(|s| s.name == CLONE),
            _ => false,
        },
        _ => false,
    }
}

struct Walk<'a> {
    program: &'a Program,
    body: &'a Body,
    types: &'a BodyTypes,
    frames: Vec<Frame>,
    out: Vec<CloneSite>,
    /// Calls whose closures make the error that a `?` leaves with.
    leaving: Vec<ExprId>,
}

/// Methods whose closure runs only for a value that is not there.
const ON_FAILURE: [&str; 3] = ["map_err", "ok_or_else", "with_context"];

impl Walk<'_> {
    fn closure_use(&self, call: ExprId) -> ClosureUse {
        match self.types.callee(call) {
            Callee::Ext(path) => {
                self.program.knowledge.callee(path).map_or(ClosureUse::Unknown, |f| f.tags.closure)
            }
            _ => ClosureUse::Unknown,
        }
    }

    fn args(&mut self, call: ExprId, args: &[ExprId], shift: usize) {
        let usage = self.closure_use(call);
        for (i, &arg) in args.iter().enumerate() {
            if let ExprKind::Closure(closure) = &self.body.expr(arg).kind {
                self.frames.push(if self.leaving.contains(&call) {
                    Frame::Closure(arg)
                } else if usage == ClosureUse::Loop {
                    Frame::Adaptor { closure: arg, call }
                } else if usage == ClosureUse::InPlace {
                    // Runs once at most, right here: as if it were a block.
                    self.expr(closure.body, None);
                    continue;
                } else {
                    Frame::Closure(arg)
                });
                self.expr(closure.body, None);
                self.frames.pop();
            } else if let ExprKind::Ref { mutable: false, expr } = self.body.expr(arg).kind {
                self.expr(expr, Some((call, i + shift, true)));
            } else {
                self.expr(arg, Some((call, i + shift, false)));
            }
        }
    }

    fn site(&mut self, id: ExprId, base: ExprId, name: Name, argument: Option<(ExprId, usize, bool)>) {
        let Some(ty) = self.cloned_type(id, base, name) else { return };
        let of_items = matches!(name, well_known::CLONED)
            && !matches!(self.types.expr(base).as_ext(), Some((p, _)) if matches!(p.as_str(), "std::option::Option" | "std::result::Result"));
        // `text.to_string()` is a method of `str`, and copies the `String` all the same.
        let behind = self.types.receivers.get(&id).is_some_and(|r| r.overloaded_derefs > 0)
            && self.types.expr(base).peel_refs() != ty;
        let frames = self.frames.clone();
        self.out.push(CloneSite { expr: id, base, ty, frames, argument, behind, of_items });
    }

    /// What type of value the call copies, if it is a clone at all.
    fn cloned_type(&self, id: ExprId, base: ExprId, name: Name) -> Option<Ty> {
        let callee = self.types.callee(id);
        let receiver = self.types.receivers.get(&id)?.ty;
        let base_ty = self.types.expr(base).peel_refs();
        let is_text = |ty: Ty| ty.is_ext("std::string::String");
        match (callee, name) {
            (Callee::Ext(p), _) if p.as_str() == "std::clone::Clone::clone" => Some(receiver),
            (Callee::Ext(p), _) if p.as_str() == "any::clone" => Some(receiver),
            (Callee::Ext(p), _) if p.as_str() == "std::borrow::ToOwned::to_owned" => Some(receiver),
            (Callee::Fn(_), well_known::CLONE) => Some(receiver),
            (Callee::Ext(p), well_known::TO_STRING | well_known::TO_OWNED)
                if matches!(p.as_str(), "str::to_string" | "str::to_owned") =>
            {
                is_text(base_ty).then_some(base_ty)
            }
            (Callee::Ext(_), well_known::TO_STRING) if is_text(receiver) => Some(receiver),
            (Callee::Ext(p), well_known::TO_VEC) if p.as_str() == "slice::to_vec" => {
                base_ty.is_ext("std::vec::Vec").then_some(base_ty)
            }
            (Callee::Ext(p), well_known::CLONED) if p.as_str().ends_with("::cloned") => {
                // The item of the result is what was copied.
                let ty = self.types.expr(id);
                match ty.kind() {
                    TyKind::Opaque(bounds) => bounds.first()?.bindings.first().map(|(_, t)| *t),
                    TyKind::Ext(_, args) => args.first().copied(),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn expr(&mut self, id: ExprId, argument: Option<(ExprId, usize, bool)>) {
        let body = self.body;
        match &body.expr(id).kind {
            ExprKind::Method { recv, name, args, .. } => {
                if args.is_empty() {
                    self.site(id, *recv, *name, argument);
                }
                self.expr(*recv, None);
                self.args(id, args, 1);
            }
            ExprKind::Call { callee, args } => {
                if let ([one], ExprKind::Path(path)) = (&args[..], &body.expr(*callee).kind)
                    && path.segments.last().is_some_and(|s| s.name == well_known::CLONE)
                    && let ExprKind::Ref { expr, .. } = body.expr(*one).kind
                {
                    self.site(id, expr, well_known::CLONE, argument);
                }
                self.expr(*callee, None);
                self.args(id, args, 0);
            }
            ExprKind::Loop { body: inner, .. } => self.looped(id, *inner),
            ExprKind::While { cond, body: inner, .. } => {
                self.looped(id, *cond);
                self.looped(id, *inner);
            }
            ExprKind::For { iter, body: inner, .. } => {
                self.expr(*iter, None);
                self.looped(id, *inner);
            }
            ExprKind::Closure(closure) => {
                self.frames.push(Frame::Closure(id));
                self.expr(closure.body, None);
                self.frames.pop();
            }
            ExprKind::Try(inner) => {
                self.leaving_through(*inner);
                self.expr(*inner, None);
            }
            ExprKind::Block(block) if matches!(block.kind, crate::hir::BlockKind::Async { .. }) => {
                self.frames.push(Frame::Closure(id));
                self.block(block);
                self.frames.pop();
            }
            ExprKind::Block(block) => self.block(block),
            _ => {
                let mut children = Vec::new();
                crate::flow::walk::for_each_child(body, id, &mut |c| children.push(c));
                for child in children {
                    self.expr(child, None);
                }
            }
        }
    }

    /// `x.ok_or_else(..).map_err(..)?`: no turn of a loop follows after these closures.
    fn leaving_through(&mut self, tried: ExprId) {
        let mut here = tried;
        loop {
            here = match &self.body.expr(here).kind {
                ExprKind::Method { recv, name, .. } if ON_FAILURE.contains(&name.as_str()) => {
                    self.leaving.push(here);
                    *recv
                }
                ExprKind::Method { recv, name, .. } if name.as_str() == "context" => *recv,
                ExprKind::Await(inner) => *inner,
                _ => return,
            };
        }
    }

    fn looped(&mut self, id: ExprId, inner: ExprId) {
        self.frames.push(Frame::Loop(id));
        self.expr(inner, None);
        self.frames.pop();
    }

    fn block(&mut self, block: &crate::hir::Block) {
        for stmt in block.stmts.iter() {
            match stmt {
                Stmt::Let { init, els, .. } => {
                    for e in [init, els].into_iter().flatten() {
                        self.expr(*e, None);
                    }
                }
                Stmt::Expr { expr, .. } => self.expr(*expr, None),
            }
        }
        if let Some(tail) = block.tail {
            self.expr(tail, None);
        }
    }
}

/// The local at the root of a path of fields (`x`, `x.a.b`), and whether any field was taken.
pub fn local_path(body: &Body, id: ExprId) -> Option<(LocalId, bool)> {
    let mut here = id;
    let mut fields = false;
    loop {
        match body.expr(here).kind {
            ExprKind::Local(local) => return Some((local, fields)),
            ExprKind::Field { base, .. } => {
                fields = true;
                here = base;
            }
            _ => return None,
        }
    }
}

/// The locals a pattern binds.
pub fn bound_by(body: &Body, pat: PatId) -> Vec<LocalId> {
    let mut out = Vec::new();
    crate::flow::walk::for_each_pat(body, pat, &mut |p| {
        if let crate::hir::PatKind::Bind { local, .. } = body.pat(p).kind {
            out.push(local);
        }
    });
    out
}
