//! Anti-unification (Plotkin, 1970) of several terms against a model: one pattern with numbered holes, and what fills
//! each hole in each member.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::source::{FileId, Span};

use super::index::Terms;
use super::term::{Kind, Term};
use super::unify::{HoleKind, Pairing};

/// A place where the members differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// What differs.
    pub kind: HoleKind,
    /// Where, in each member; `None` where the member has nothing there (or lacks the whole function).
    pub at: Vec<Option<Span>>,
    /// Holes filled alike in all members share a number: they are one parameter.
    pub param: u32,
}

/// What fills a parameter in each member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// The most general kind among its holes.
    pub kind: HoleKind,
    /// Source text, white space collapsed; empty where the member has nothing there.
    pub texts: Vec<String>,
}

/// Numbers the distinct fillings.
#[derive(Debug, Default)]
pub struct Params {
    /// In order of first appearance.
    pub all: Vec<Param>,
    numbers: FxHashMap<Vec<String>, u32>,
}

impl Params {
    fn number(&mut self, kind: HoleKind, texts: Vec<String>) -> u32 {
        if let Some(&number) = self.numbers.get(&texts) {
            let known = &mut self.all[number as usize];
            known.kind = known.kind.max(kind);
            return number;
        }
        let number = self.all.len() as u32;
        self.numbers.insert(texts.clone(), number);
        self.all.push(Param { kind, texts });
        number
    }
}

/// One function in all members: the file it is in, and how it pairs with the model's.
pub struct Aligned<'a> {
    /// The member's file.
    pub file: FileId,
    /// The member's term.
    pub term: &'a Term,
    /// How it pairs with the model (which comes first in the pairing); `None` for the model itself.
    pub pairing: Option<&'a Pairing>,
}

/// The holes of one function over all members, in the model's order. `members[i]` is `None` where member `i` lacks it.
pub fn holes(
    members: &[Option<Aligned<'_>>],
    model: usize,
    terms: &Terms<'_>,
    params: &mut Params,
) -> Vec<Hole> {
    let Some(Some(of_model)) = members.get(model) else { return Vec::new() };
    let mut kinds: FxHashMap<u32, HoleKind> = FxHashMap::default();
    let mut insertions: Vec<(u32, usize, Span)> = Vec::new();
    let mut maps: Vec<Option<FxHashMap<u32, u32>>> = Vec::with_capacity(members.len());
    for (index, member) in members.iter().enumerate() {
        let Some(Aligned { term, pairing: Some(pairing), .. }) = member else {
            maps.push(None);
            continue;
        };
        let mut add = |node: u32, kind: HoleKind| {
            kinds.entry(node).and_modify(|k| *k = (*k).max(kind)).or_insert(kind);
        };
        for &(a, _, kind) in &pairing.holes {
            add(a, kind);
        }
        for &a in &pairing.only_a {
            add(a, HoleKind::Statement);
        }
        for &(list, b) in &pairing.only_b {
            insertions.push((list, index, term.node(b).span));
        }
        maps.push(Some(
            pairing.pairs.iter().copied().chain(pairing.holes.iter().map(|&(a, b, _)| (a, b))).collect(),
        ));
    }

    // A hole that another hole encloses is part of it. A differing atom leaves what is below alone.
    let whole: FxHashSet<u32> = kinds
        .iter()
        .filter(|&(&node, kind)| {
            matches!(kind, HoleKind::Expr | HoleKind::Statement)
                || of_model.term.node(node).kind == Kind::Path
        })
        .map(|(&node, _)| node)
        .collect();
    let mut nodes: Vec<(u32, HoleKind)> = kinds.into_iter().collect();
    nodes.sort_unstable();
    let mut end = 0;
    nodes.retain(|&(node, _)| {
        let keep = node >= end;
        if keep && whole.contains(&node) {
            end = node + of_model.term.node(node).size;
        }
        keep
    });

    let mut out = Vec::new();
    for (node, kind) in nodes {
        let at: Vec<Option<Span>> = members
            .iter()
            .zip(&maps)
            .enumerate()
            .map(|(index, (member, map))| {
                let member = member.as_ref()?;
                let other = if index == model { node } else { *map.as_ref()?.get(&node)? };
                Some(member.term.node(other).span)
            })
            .collect();
        out.push(hole(kind, at, members, terms, params));
    }
    insertions.sort_unstable();
    for (_, index, span) in insertions {
        let at = (0..members.len()).map(|i| (i == index).then_some(span)).collect();
        out.push(hole(HoleKind::Statement, at, members, terms, params));
    }
    out
}

fn hole(
    kind: HoleKind,
    at: Vec<Option<Span>>,
    members: &[Option<Aligned<'_>>],
    terms: &Terms<'_>,
    params: &mut Params,
) -> Hole {
    let texts = at
        .iter()
        .zip(members)
        .map(|(span, member)| match (span, member) {
            (Some(span), Some(member)) => terms.text(member.file, *span),
            _ => String::new(),
        })
        .collect();
    let param = params.number(kind, texts);
    Hole { kind, at, param }
}
