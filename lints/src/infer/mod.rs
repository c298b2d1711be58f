//! What each expression's type is and what each call calls, as far as the rules need.

use rustc_hash::FxHashMap;

use crate::hir::{ExprId, LocalId, PatId};
use crate::name::Name;
use crate::program::{DefId, Res};
use crate::ty::Ty;

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
