//! Functions as uniform terms: a flat tree whose nodes say what they are (kind and what is kept of names) and, apart from
//! that, what may vary between copies (the [`Atom`]). Hashing, alignment and anti-unification all read this one form.

use crate::hir::LocalId;
use crate::name::Name;
use crate::source::Span;

/// What a node is, names aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Kind {
    Missing,
    Lit,
    Local,
    SelfValue,
    Path,
    Segment,
    Call,
    Method,
    Field,
    Index,
    Unary,
    Binary,
    Assign,
    AssignOp,
    Ref,
    Cast,
    Tuple,
    Array,
    Repeat,
    Range,
    Struct,
    FieldInit,
    Block,
    If,
    LetCond,
    Match,
    Arm,
    Loop,
    While,
    For,
    Jump,
    Return,
    Closure,
    Await,
    Try,
    Macro,
    Let,
    Pat,
    Type,
    Absent,
}

/// What may vary between copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Atom {
    /// Nothing varies here.
    None,
    /// A local variable.
    Local(LocalId),
    /// A field of `self`.
    OwnField(Name),
    /// A method called on `self`, or an associated function through `Self`.
    OwnMethod(Name),
    /// A field of something else.
    Field(Name),
    /// A method of something else whose name is not common vocabulary.
    Method(Name),
    /// A segment that names a type (or the module before a function).
    Type(Name),
    /// A segment that names a function, constant, static or variant.
    Value(Name),
    /// A literal, or text that was not understood, by hash.
    Lit(u64),
}

/// A node; its children follow it.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// What is kept of it besides the kind: operator, arity, vocabulary name; by text, so equal in every run.
    pub extra: u64,
    /// What may vary.
    pub atom: Atom,
    /// Nodes in the subtree, itself included.
    pub size: u32,
    /// Where it stands.
    pub span: Span,
}

impl Node {
    /// Whether two nodes are the same apart from what may vary.
    pub fn same_label(&self, other: &Node) -> bool {
        self.kind == other.kind && self.extra == other.extra
    }
}

/// A function in preorder. The root is node 0.
#[derive(Clone, Debug, Default)]
pub struct Term {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// Statements in all blocks, tails included.
    pub statements: u32,
    /// Statements of the outermost block.
    pub top_statements: u32,
}

impl Term {
    /// The children of a node, in order.
    pub fn children(&self, node: u32) -> Children<'_> {
        let end = node + self.nodes.get(node as usize).map_or(1, |n| n.size);
        Children { term: self, next: node + 1, end }
    }

    /// The node.
    pub fn node(&self, node: u32) -> &Node {
        &self.nodes[node as usize]
    }
}

/// Iterator over the children of a node.
pub struct Children<'a> {
    term: &'a Term,
    next: u32,
    end: u32,
}

impl Iterator for Children<'_> {
    type Item = u32;
    fn next(&mut self) -> Option<u32> {
        if self.next >= self.end {
            return None;
        }
        let at = self.next;
        self.next += self.term.nodes.get(at as usize).map_or(1, |n| n.size.max(1));
        Some(at)
    }
}
