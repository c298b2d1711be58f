//! Fingerprints of terms, after Baxter et al., "Clone Detection Using Abstract Syntax Trees" (1998), and Jiang et al.,
//! "DECKARD" (2007): hashes of subtrees with what may vary left out, so that equal shapes meet in one bucket.

use rustc_hash::{FxHashMap, FxHasher};
use std::hash::{Hash, Hasher};

use super::term::{Atom, Kind, Node, Term};

/// Statements smaller than this many nodes (`Ok(())`, `return x;`) say nothing about where code came from.
const SMALLEST_PIECE: u32 = 5;

/// What is kept of a body to find others like it. Plain data, equal in every run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    /// Nodes of the term.
    pub nodes: u32,
    /// Statements in all blocks.
    pub statements: u32,
    /// Statements of the outermost block.
    pub top_statements: u32,
    /// One statement again and again: a table written as code.
    pub table: bool,
    /// The tree with all that may vary left out.
    pub shape: u64,
    /// The tree up to renaming: names numbered by first occurrence, literals by value.
    pub alpha: u64,
    /// Shapes of its statements, nested ones too, sorted, each once.
    pub pieces: Box<[u64]>,
}

impl Fingerprint {
    /// Statement shapes that both have over those that either has, from 0 to 1.
    pub fn share(&self, other: &Fingerprint) -> f64 {
        let common = self.pieces.iter().filter(|piece| other.pieces.binary_search(piece).is_ok()).count();
        let all = self.pieces.len() + other.pieces.len() - common;
        if all == 0 { 0.0 } else { common as f64 / all as f64 }
    }
}

/// The shape of one subtree given as its preorder nodes. With the sizes, preorder determines the tree, so one linear
/// hash will do.
pub fn shape_of(nodes: &[Node]) -> u64 {
    let mut hasher = FxHasher::default();
    for node in nodes {
        (node.kind as u8, node.size).hash(&mut hasher);
        node.extra.hash(&mut hasher);
    }
    mix(hasher.finish())
}

/// The shape of a subtree.
pub fn shape(term: &Term, node: u32) -> u64 {
    let size = term.node(node).size;
    shape_of(&term.nodes[node as usize..(node + size) as usize])
}

/// Whether all statements of the outermost block, but for two, are calls of one shape.
fn is_table(term: &Term) -> bool {
    let Some(block) = term.children(0).last().filter(|&b| term.node(b).kind == Kind::Block) else {
        return false;
    };
    let statements = term.children(block).count();
    let calls = term.children(block).filter(|&s| {
        matches!(term.node(s).kind, Kind::Call | Kind::Method | Kind::Macro | Kind::Assign | Kind::Try)
    });
    let mut shapes: Vec<u64> = calls.map(|statement| shape(term, statement)).collect();
    shapes.sort_unstable();
    let longest = shapes.chunk_by(|a, b| a == b).map(<[u64]>::len).max().unwrap_or(0);
    longest >= 3 && longest + 2 >= statements
}

/// Fingerprints terms; keeps its tables between them.
#[derive(Default)]
pub struct Fingerprinter {
    numbers: FxHashMap<Atom, u32>,
    pieces: Vec<u64>,
}

impl Fingerprinter {
    /// The fingerprint of a body's term. O(nodes × depth of blocks).
    pub fn fingerprint(&mut self, term: &Term) -> Fingerprint {
        if term.nodes.is_empty() {
            return Fingerprint::default();
        }
        self.pieces.clear();
        for (index, node) in term.nodes.iter().enumerate() {
            if node.kind == Kind::Block {
                for child in term.children(index as u32) {
                    if term.node(child).size >= SMALLEST_PIECE {
                        self.pieces.push(shape(term, child));
                    }
                }
            }
        }
        self.pieces.sort_unstable();
        self.pieces.dedup();
        Fingerprint {
            nodes: term.nodes.len() as u32,
            statements: term.statements,
            top_statements: term.top_statements,
            table: is_table(term),
            shape: shape(term, 0),
            alpha: self.alpha(term),
            pieces: self.pieces.as_slice().into(),
        }
    }

    fn alpha(&mut self, term: &Term) -> u64 {
        self.numbers.clear();
        let mut hasher = FxHasher::default();
        for node in &term.nodes {
            (node.kind as u8, node.size).hash(&mut hasher);
            node.extra.hash(&mut hasher);
            match node.atom {
                Atom::None => {}
                Atom::Lit(value) => value.hash(&mut hasher),
                atom => {
                    let next = self.numbers.len() as u32;
                    self.numbers.entry(atom).or_insert(next).hash(&mut hasher);
                }
            }
        }
        mix(hasher.finish())
    }
}

/// A hash of text that is the same in every run and on every thread (a [`Name`]'s number is not).
pub fn text_hash(text: &str) -> u64 {
    let mut hasher = FxHasher::default();
    text.hash(&mut hasher);
    hasher.finish() | 1
}

/// The hash of a format string with the names of its inline captures left out: they are arguments of the macro too.
pub fn format_hash(text: &str) -> u64 {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        if c != '{' {
            continue;
        }
        if chars.next_if_eq(&'{').is_some() {
            out.push('{');
        } else if chars.peek().is_some_and(|c| c.is_alphabetic() || *c == '_') {
            while chars.next_if(|c| c.is_alphanumeric() || *c == '_').is_some() {}
        }
    }
    text_hash(&out)
}

/// Finaliser of MurmurHash3: FxHash alone leaves its low bits weak.
pub fn mix(mut x: u64) -> u64 {
    x ^= x >> 33;
    x = x.wrapping_mul(0xff51_afd7_ed55_8ccd);
    x ^= x >> 33;
    x = x.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}
