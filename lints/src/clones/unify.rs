//! Exact alignment of two terms: which nodes correspond, and where they differ. Lists (statements, arms, initialisers)
//! are aligned by their longest common subsequence of shapes; everything else by position.

use rustc_hash::FxHashMap;

use crate::hir::LocalId;
use crate::name::Name;

use super::hash::shape;
use super::term::{Atom, Kind, Term};

/// What differs at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HoleKind {
    /// A type's name: a type parameter could stand here.
    Type,
    /// A name of something else: field, method, function, constant, variant.
    Ident,
    /// A literal.
    Literal,
    /// Whole expressions, patterns or types.
    Expr,
    /// A statement, arm or initialiser that not all have.
    Statement,
}

/// How two terms correspond.
#[derive(Clone, Debug, Default)]
pub struct Pairing {
    /// Corresponding nodes, those with differing atoms included.
    pub pairs: Vec<(u32, u32)>,
    /// Places that differ.
    pub holes: Vec<(u32, u32, HoleKind)>,
    /// Nodes of the first without counterpart.
    pub only_a: Vec<u32>,
    /// Nodes of the second without counterpart, each with the list of the first that lacks it.
    pub only_b: Vec<(u32, u32)>,
    /// Nodes that agree, those that differ only by the name of a type included.
    pub agreeing: u32,
}

impl Pairing {
    /// Share of both terms' nodes that agree, from 0 to 1.
    pub fn score(&self, a: &Term, b: &Term) -> f64 {
        let total = a.nodes.len() + b.nodes.len();
        if total == 0 { 1.0 } else { 2.0 * f64::from(self.agreeing) / total as f64 }
    }
}

/// One-to-one renaming.
#[derive(Clone, Debug)]
pub struct Bijection<T> {
    forth: FxHashMap<T, T>,
    back: FxHashMap<T, T>,
}

impl<T> Default for Bijection<T> {
    fn default() -> Self {
        Bijection { forth: FxHashMap::default(), back: FxHashMap::default() }
    }
}

impl<T: Copy + Eq + std::hash::Hash> Bijection<T> {
    /// Whether `a` ↔ `b` holds, or can be made to hold.
    pub fn relate(&mut self, a: T, b: T) -> bool {
        let forth = *self.forth.entry(a).or_insert(b);
        let back = *self.back.entry(b).or_insert(a);
        if forth == b && back == a {
            return true;
        }
        // Do not leave half a relation behind.
        if back == a && forth != b {
            self.back.remove(&b);
        }
        if forth == b && back != a {
            self.forth.remove(&a);
        }
        false
    }

    /// What `a` is called on the other side.
    pub fn get(&self, a: T) -> Option<T> {
        self.forth.get(&a).copied()
    }
}

impl Bijection<Name> {
    /// How many names differ between the sides.
    pub fn renamed(&self) -> usize {
        self.forth.iter().filter(|(a, b)| a != b).count()
    }
}

/// What two types' members are called on either side; shared by all their methods.
#[derive(Clone, Debug, Default)]
pub struct Renaming {
    /// Within one type another member is another thing, not another name for it.
    pub same_type: bool,
    /// Fields of `self`.
    pub fields: Bijection<Name>,
    /// Methods of `self`.
    pub methods: Bijection<Name>,
}

/// Aligns `b` with `a`. O(nodes), and O(n × m) for lists of n and m entries.
pub fn unify(a: &Term, b: &Term, renaming: &mut Renaming) -> Pairing {
    let mut unifier = Unifier { a, b, renaming, locals: Bijection::default(), out: Pairing::default() };
    if !a.nodes.is_empty() && !b.nodes.is_empty() {
        unifier.node(0, 0);
    }
    unifier.out
}

struct Unifier<'a> {
    a: &'a Term,
    b: &'a Term,
    renaming: &'a mut Renaming,
    locals: Bijection<LocalId>,
    out: Pairing,
}

/// Lists longer than this (their lengths multiplied) are aligned by position.
const LARGEST_TABLE: usize = 40_000;

impl Unifier<'_> {
    fn node(&mut self, i: u32, j: u32) {
        let (x, y) = (*self.a.node(i), *self.b.node(j));
        if !x.same_label(&y) || !self.names_fit(i, j) {
            let types = is_type(self.a, i) && is_type(self.b, j);
            let kind = if types { HoleKind::Type } else { HoleKind::Expr };
            self.out.holes.push((i, j, kind));
            return;
        }
        self.out.pairs.push((i, j));
        match self.atoms(x.atom, y.atom) {
            None => self.out.agreeing += 1,
            Some(kind) => {
                if kind == HoleKind::Type {
                    self.out.agreeing += 1;
                }
                self.out.holes.push((i, j, kind));
            }
        }
        if x.size == 1 && y.size == 1 {
            return;
        }
        let left: Vec<u32> = self.a.children(i).collect();
        let right: Vec<u32> = self.b.children(j).collect();
        match x.kind {
            Kind::Block | Kind::Match | Kind::Struct => self.list(i, &left, &right),
            _ if left.len() == right.len() => {
                for (&l, &r) in left.iter().zip(&right) {
                    self.node(l, r);
                }
            }
            _ => {
                // Same label, other number of children (an annotated parameter, generic arguments): take the pair back.
                self.out.pairs.pop();
                self.out.agreeing = self.out.agreeing.saturating_sub(1);
                self.out.holes.push((i, j, HoleKind::Expr));
            }
        }
    }

    /// A path or call whose names differ in vocabulary (`insert` and `remove`) is another expression, not a hole in a name.
    fn names_fit(&self, i: u32, j: u32) -> bool {
        if !matches!(self.a.node(i).kind, Kind::Path | Kind::Method | Kind::Field) {
            return true;
        }
        let mut left = self.a.children(i);
        let mut right = self.b.children(j);
        loop {
            match (left.next(), right.next()) {
                (Some(l), Some(r)) => {
                    // `Vec<T>` for `String`: the arguments belong to the type they stand on.
                    let arguments = self.a.children(l).count() == self.b.children(r).count();
                    let (l, r) = (self.a.node(l), self.b.node(r));
                    if l.kind != Kind::Segment && r.kind != Kind::Segment {
                        continue;
                    }
                    if !arguments {
                        return false;
                    }
                    if !l.same_label(r) || std::mem::discriminant(&l.atom) != std::mem::discriminant(&r.atom)
                    {
                        return false;
                    }
                }
                (None, None) => return true,
                _ => return false,
            }
        }
    }

    fn atoms(&mut self, a: Atom, b: Atom) -> Option<HoleKind> {
        match (a, b) {
            (Atom::Local(x), Atom::Local(y)) => (!self.locals.relate(x, y)).then_some(HoleKind::Ident),
            (Atom::OwnField(x), Atom::OwnField(y)) | (Atom::OwnMethod(x), Atom::OwnMethod(y))
                if self.renaming.same_type =>
            {
                (x != y).then_some(HoleKind::Ident)
            }
            (Atom::OwnField(x), Atom::OwnField(y)) => {
                (!self.renaming.fields.relate(x, y)).then_some(HoleKind::Ident)
            }
            (Atom::OwnMethod(x), Atom::OwnMethod(y)) => {
                (!self.renaming.methods.relate(x, y)).then_some(HoleKind::Ident)
            }
            (Atom::Type(x), Atom::Type(y)) => (x != y).then_some(HoleKind::Type),
            (Atom::Lit(x), Atom::Lit(y)) => (x != y).then_some(HoleKind::Literal),
            (x, y) => (x != y).then_some(HoleKind::Ident),
        }
    }

    fn list(&mut self, at: u32, left: &[u32], right: &[u32]) {
        let (mut i, mut j) = (0, 0);
        for (l, r) in self.common(left, right) {
            self.gap(at, &left[i..l], &right[j..r]);
            self.node(left[l], right[r]);
            (i, j) = (l + 1, r + 1);
        }
        self.gap(at, &left[i..], &right[j..]);
    }

    /// Longest common subsequence of shapes, as index pairs.
    fn common(&self, left: &[u32], right: &[u32]) -> Vec<(usize, usize)> {
        let xs: Vec<u64> = left.iter().map(|&n| shape(self.a, n)).collect();
        let ys: Vec<u64> = right.iter().map(|&n| shape(self.b, n)).collect();
        if xs == ys {
            return (0..xs.len()).map(|i| (i, i)).collect();
        }
        let (n, m) = (xs.len(), ys.len());
        if n * m > LARGEST_TABLE {
            return (0..n.min(m)).filter(|&i| xs[i] == ys[i]).map(|i| (i, i)).collect();
        }
        let mut table = vec![0u16; (n + 1) * (m + 1)];
        let cell = |i: usize, j: usize| i * (m + 1) + j;
        for i in (0..n).rev() {
            for j in (0..m).rev() {
                table[cell(i, j)] = if xs[i] == ys[j] {
                    table[cell(i + 1, j + 1)] + 1
                } else {
                    table[cell(i + 1, j)].max(table[cell(i, j + 1)])
                };
            }
        }
        let (mut i, mut j) = (0, 0);
        let mut found = Vec::new();
        while i < n && j < m {
            if xs[i] == ys[j] {
                found.push((i, j));
                (i, j) = (i + 1, j + 1);
            } else if table[cell(i + 1, j)] >= table[cell(i, j + 1)] {
                i += 1;
            } else {
                j += 1;
            }
        }
        found
    }

    /// Between two equal shapes: entries of one kind and like size are taken for edited copies, in order.
    fn gap(&mut self, at: u32, left: &[u32], right: &[u32]) {
        let mut rest = right;
        for &l in left {
            let x = *self.a.node(l);
            let fits = |&r: &u32| {
                let y = self.b.node(r);
                let (small, large) = (x.size.min(y.size), x.size.max(y.size));
                x.same_label(y) && small * 2 >= large
            };
            match rest.iter().position(fits) {
                Some(found) => {
                    self.out.only_b.extend(rest[..found].iter().map(|&r| (at, r)));
                    self.node(l, rest[found]);
                    rest = &rest[found + 1..];
                }
                None => self.out.only_a.push(l),
            }
        }
        self.out.only_b.extend(rest.iter().map(|&r| (at, r)));
    }
}

/// Whether a node is a type, as far as it can be told from a value.
fn is_type(term: &Term, at: u32) -> bool {
    match term.node(at).kind {
        Kind::Type => true,
        Kind::Path => {
            term.children(at).last().is_some_and(|last| matches!(term.node(last).atom, Atom::Type(_)))
        }
        _ => false,
    }
}
