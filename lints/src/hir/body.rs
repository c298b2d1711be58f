//! Bodies: expressions, patterns, statements, locals.

use serde::{Deserialize, Serialize};

use super::{GenericArgs, Path, ScopeId, TypeRef};
use crate::name::Name;
use crate::source::Span;

macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub struct $name(pub u32);
    };
}

index!(
    /// Index of a body in its file.
    BodyId
);
index!(
    /// Index of an expression in its body.
    ExprId
);
index!(
    /// Index of a pattern in its body.
    PatId
);
index!(
    /// Index of a local variable in its body.
    LocalId
);

/// The code of a function, a static's initialiser, or a const. Closures and async blocks lie inside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// Expressions; children before parents is **not** promised.
    pub exprs: Vec<Expr>,
    /// Patterns.
    pub pats: Vec<Pat>,
    /// Local variables: one a binding (an or-pattern's alternatives share one).
    pub locals: Vec<Local>,
    /// Parameters in order, `self` first where there is one.
    pub params: Box<[Param]>,
    /// The whole: for a function its block.
    pub root: ExprId,
    /// The scope names are resolved in (of the item that owns the body).
    pub scope: ScopeId,
}

impl Body {
    /// The expression.
    pub fn expr(&self, id: ExprId) -> &Expr {
        &self.exprs[id.0 as usize]
    }
    /// The pattern.
    pub fn pat(&self, id: PatId) -> &Pat {
        &self.pats[id.0 as usize]
    }
    /// The local.
    pub fn local(&self, id: LocalId) -> &Local {
        &self.locals[id.0 as usize]
    }
}

/// A parameter of a function or closure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Param {
    pub pat: PatId,
    /// `None` for an untyped closure parameter and for `self` without type.
    pub ty: Option<TypeRef>,
}

/// A local variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Local {
    /// Its name; `self` for the receiver.
    pub name: Name,
    /// Where it is bound.
    pub span: Span,
    /// `mut x`, `ref mut x`
    pub mutable: bool,
    /// `ref x` / `ref mut x`
    pub by_ref: bool,
}

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

/// The kinds of expression. Parentheses and groups are dropped (the inner expression keeps its own span).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum ExprKind {
    /// Not understood; it may do anything.
    Missing,
    Lit(Lit),
    Local(LocalId),
    /// Anything named that is not a local variable.
    Path(Box<Path>),
    Call {
        callee: ExprId,
        args: Box<[ExprId]>,
    },
    Method {
        recv: ExprId,
        name: Name,
        name_span: Span,
        generics: Option<Box<GenericArgs>>,
        args: Box<[ExprId]>,
    },
    /// `x.f`, `x.0`
    Field {
        base: ExprId,
        name: Name,
        name_span: Span,
    },
    Index {
        base: ExprId,
        index: ExprId,
    },
    Deref(ExprId),
    Not(ExprId),
    Neg(ExprId),
    Binary {
        op: BinaryOp,
        lhs: ExprId,
        rhs: ExprId,
    },
    Assign {
        lhs: ExprId,
        rhs: ExprId,
    },
    AssignOp {
        op: BinaryOp,
        lhs: ExprId,
        rhs: ExprId,
    },
    /// `&x`, `&mut x`, `&raw …`
    Ref {
        mutable: bool,
        expr: ExprId,
    },
    Cast {
        expr: ExprId,
        ty: Box<TypeRef>,
    },
    Tuple(Box<[ExprId]>),
    /// `[a, b]`, `vec![a, b]` is a [`ExprKind::Macro`].
    Array(Box<[ExprId]>),
    /// `[x; n]`
    Repeat {
        elem: ExprId,
        len: ExprId,
    },
    Range {
        start: Option<ExprId>,
        end: Option<ExprId>,
        inclusive: bool,
    },
    Struct {
        path: Box<Path>,
        fields: Box<[FieldInit]>,
        /// `..base`
        base: Option<ExprId>,
    },
    Block(Box<Block>),
    /// `cond` holds `Let` nodes for `if let` and chains (under [`BinaryOp::And`]).
    If {
        cond: ExprId,
        then: ExprId,
        els: Option<ExprId>,
    },
    /// `let pat = scrutinee` in a condition.
    Let {
        pat: PatId,
        scrutinee: ExprId,
    },
    Match {
        scrutinee: ExprId,
        arms: Box<[Arm]>,
    },
    Loop {
        body: ExprId,
        label: Option<Name>,
    },
    While {
        cond: ExprId,
        body: ExprId,
        label: Option<Name>,
    },
    For {
        pat: PatId,
        iter: ExprId,
        body: ExprId,
        label: Option<Name>,
    },
    Break {
        label: Option<Name>,
        value: Option<ExprId>,
    },
    Continue {
        label: Option<Name>,
    },
    Return(Option<ExprId>),
    Closure(Box<Closure>),
    /// `x.await`
    Await(ExprId),
    /// `x?`
    Try(ExprId),
    /// A macro whose arguments were lowered.
    Macro(Box<MacroCall>),
}

/// A field of a struct literal; `S { x }` has the path or local `x` as value with the field's span.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldInit {
    pub name: Name,
    pub name_span: Span,
    pub value: ExprId,
    /// `S { x }`
    pub shorthand: bool,
}

/// A `match` arm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arm {
    pub pat: PatId,
    pub guard: Option<ExprId>,
    pub body: ExprId,
}

/// A block and what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    pub kind: BlockKind,
    pub stmts: Box<[Stmt]>,
    /// The last expression without `;`.
    pub tail: Option<ExprId>,
    pub label: Option<Name>,
    /// The scope of items declared inside, if any.
    pub scope: Option<ScopeId>,
}

/// The kinds of block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum BlockKind {
    Plain,
    Unsafe,
    Const,
    /// A body of its own, run when awaited.
    Async {
        is_move: bool,
    },
    Try,
}

/// A statement. Items are not statements here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Stmt {
    Let {
        pat: PatId,
        ty: Option<Box<TypeRef>>,
        init: Option<ExprId>,
        /// `let … else { … }`
        els: Option<ExprId>,
        span: Span,
    },
    /// With or without `;`: temporaries die at its end either way.
    Expr { expr: ExprId, semi: bool, span: Span },
}

/// A closure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closure {
    pub params: Box<[Param]>,
    pub ret: Option<TypeRef>,
    pub body: ExprId,
    pub is_move: bool,
    pub is_async: bool,
}

/// A macro invocation in expression position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MacroCall {
    pub path: Path,
    /// What its arguments were understood as.
    pub kind: MacroKind,
    /// Argument expressions in source order, inline format captures (`{x}`) as locals included. For `select!` see
    /// [`MacroKind::Select`].
    pub args: Box<[ExprId]>,
    /// Only for [`MacroKind::Select`]: pattern of each branch's future, aligned with `args` taken in pairs.
    pub pats: Box<[PatId]>,
    /// The literal format string of the format family, if there is one.
    pub format: Option<Box<str>>,
}

/// How a macro's arguments are evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum MacroKind {
    /// `format!`, `print!`, `write!` (first argument the writer), `panic!`…: arguments are borrowed.
    Format,
    /// `tracing`/`log` macros: arguments are borrowed, may not be evaluated.
    Log,
    /// `assert!`, `assert_eq!`, `debug_assert!`…: arguments are borrowed.
    Assert,
    /// `matches!(expr, pat if guard)`: `args[0]` the scrutinee (then the guard), `pats[0]` the pattern.
    Matches,
    /// `vec![a, b]` (arguments moved in) and `vec![x; n]` (then `args` = x, n).
    Vec,
    VecRepeat,
    /// `dbg!(x)`: moved through.
    Dbg,
    /// `todo!`, `unreachable!`, `unimplemented!`, `panic!`, `bail!`: does not return.
    Diverge,
    /// `tokio::select!`: `args` = future, (guard dropped), body in pairs, `pats` one a branch; all futures are built and
    /// polled, each body runs after its future won. A last unpaired arg is the `else` body.
    Select,
    /// `tokio::join!`, `try_join!`, `futures::join!`: arguments are awaited in place.
    Join,
    /// `std::ptr::addr_of!`, `pin!`, `ready!`, `try!`, `concat!`…: understood, arguments evaluated.
    Known,
    /// Unknown macro whose tokens parsed as comma-separated expressions or as statements (then one block).
    Guess,
    /// Nothing was understood.
    Opaque,
}

/// A literal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Lit {
    Str(Box<str>),
    ByteStr,
    CStr,
    Char,
    Byte,
    /// Value if it fits, and the suffix.
    Int(Option<u64>, Option<Name>),
    Float(Option<Name>),
    Bool(bool),
}

/// Binary operators; `&&` and `||` evaluate the right side only sometimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum BinaryOp {
    And,
    Or,
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    BitAnd,
    BitOr,
    BitXor,
    Shl,
    Shr,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pat {
    pub kind: PatKind,
    pub span: Span,
}

/// The kinds of pattern. A lone identifier that begins in upper case is taken for a path (const or unit variant).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum PatKind {
    Missing,
    /// `_`
    Wild,
    /// `..` inside a tuple or slice.
    Rest,
    Bind {
        local: LocalId,
        /// `x @ sub`
        sub: Option<PatId>,
    },
    Ref(PatId),
    Tuple(Box<[PatId]>),
    Slice(Box<[PatId]>),
    TupleStruct {
        path: Box<Path>,
        pats: Box<[PatId]>,
    },
    Struct {
        path: Box<Path>,
        fields: Box<[(Name, PatId)]>,
        rest: bool,
    },
    Path(Box<Path>),
    Lit(Lit),
    Range,
    Or(Box<[PatId]>),
    /// `box p`, const blocks, macros.
    Typed {
        pat: PatId,
        ty: Box<TypeRef>,
    },
}
