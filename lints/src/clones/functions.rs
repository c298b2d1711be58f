//! Methods written again in several types, and functions that are one function up to a few holes.

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::program::{DefId, DefKind, Program};

use super::generalise::{Aligned, Hole, Param, Params, holes};
use super::hash::mix;
use super::index::{Function, Index, Terms};
use super::similar;
use super::unify::{HoleKind, Pairing, Renaming, unify};

/// Functions that one could replace.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionCluster {
    /// The functions, by path and line.
    pub members: Vec<DefId>,
    /// The member that the others are aligned with.
    pub model: usize,
    /// Where the signatures and bodies differ.
    pub holes: Vec<Hole>,
    /// What fills each parameter, member by member. [`Hole::param`] counts here.
    pub params: Vec<Param>,
    /// Share of the code that agrees, from 0 to 1.
    pub similarity: f64,
    /// Lines that would go if one replaced all.
    pub lines: u32,
}

/// Bodies with fewer statements are nobody's copy.
const MIN_STATEMENTS: u32 = 3;
/// So many statements in nested blocks make up for too few in the outermost.
const MIN_NESTED: u32 = 5;
/// Impls that a trait from outside dictates are not compared below so many statements.
const DICTATED_STATEMENTS: u32 = 5;
/// Fewest nodes of a body.
const MIN_NODES: u32 = 24;
/// Fewest nodes of a handler: a macro must be worth its reading.
const MIN_HANDLER_NODES: u32 = 40;
/// Types in which methods may differ.
const METHOD_TYPES: usize = 2;
/// Share of a handler's nodes that must agree.
const HANDLER_SCORE: f64 = 0.85;
/// Parameters a macro may need.
const HANDLER_PARAMS: usize = 6;
/// Of these, whole expressions.
const HANDLER_EXPRS: usize = 2;
/// One parameter for so many nodes at most.
const NODES_PER_PARAM: usize = 10;

fn long_enough(function: &Function) -> bool {
    let print = &function.print;
    !print.table
        && (print.top_statements >= MIN_STATEMENTS || print.statements >= MIN_NESTED)
        && print.nodes >= MIN_NODES
        && !(function.dictated && print.statements < DICTATED_STATEMENTS)
}

/// Methods whose bodies are equal up to renaming in at least three types. `taken` functions are left out.
pub fn methods(
    program: &Program,
    index: &Index,
    terms: &Terms<'_>,
    taken: &FxHashSet<DefId>,
    least: usize,
) -> Vec<FunctionCluster> {
    let mut keys: Vec<(u64, u32)> = Vec::new();
    let mut owners: FxHashMap<u32, DefId> = FxHashMap::default();
    for (number, function) in index.functions.iter().enumerate() {
        let Some(parent) = function.parent else { continue };
        if program.def(parent).kind != DefKind::Impl
            || function.form.receiver == 0
            || !long_enough(function)
            || taken.contains(&function.def)
            || function.alternative
        {
            continue;
        }
        let Some(owner) = program.decls.impl_self_def(parent) else { continue };
        keys.push((function.print.alpha, number as u32));
        owners.insert(number as u32, owner);
    }
    let found = similar::equal(&keys).into_par_iter().flat_map_iter(|mut group| {
        let mut seen = FxHashSet::default();
        // Two equal methods of one type are one member here.
        group.retain(|f| owners.get(f).is_some_and(|owner| seen.insert(*owner)));
        clusters(group, (false, least), index, terms, |pairing, renaming, a, _| {
            let renamed = renaming.fields.renamed() + renaming.methods.renamed();
            pairing.only_a.is_empty()
                && pairing.only_b.is_empty()
                && pairing.holes.iter().all(|(.., kind)| *kind == HoleKind::Type)
                && renamed * NODES_PER_PARAM <= a.nodes.len()
        })
    });
    found.filter(|c| c.params.len() <= METHOD_TYPES).collect()
}

/// Free functions, and methods of one impl, that are equal up to a few holes. `taken` functions are left out.
pub fn handlers(
    program: &Program,
    index: &Index,
    terms: &Terms<'_>,
    taken: &FxHashSet<DefId>,
    least: usize,
) -> Vec<FunctionCluster> {
    let mut chosen: Vec<u32> = Vec::new();
    let mut sets: Vec<Vec<u64>> = Vec::new();
    for (number, function) in index.functions.iter().enumerate() {
        if !long_enough(function)
            || function.print.nodes < MIN_HANDLER_NODES
            || taken.contains(&function.def)
            || function.alternative
        {
            continue;
        }
        let impl_ = function
            .parent
            .filter(|&parent| matches!(program.def(parent).kind, DefKind::Impl | DefKind::Trait));
        // Methods meet only within their impl: its number is part of what they are found by.
        let salt = impl_.map_or(0, |d| mix(u64::from(d.0) + 1));
        let form = mix(u64::from(function.form.params) << 1 | u64::from(function.form.is_async));
        let print = &function.print;
        chosen.push(number as u32);
        sets.push(print.pieces.iter().copied().chain([print.shape]).map(|p| p ^ salt ^ form).collect());
    }
    let alike = |a: u32, b: u32, terms: &Terms<'_>| {
        let (f, g) = (&index.functions[a as usize], &index.functions[b as usize]);
        if f.form != g.form {
            return false;
        }
        let (s, t) = (terms.get(a), terms.get(b));
        let pairing = unify(s, t, &mut Renaming { same_type: true, ..Renaming::default() });
        pairing.score(s, t) >= HANDLER_SCORE
    };
    let groups = similar::groups(&sets, |a, b| alike(chosen[a as usize], chosen[b as usize], terms));
    let found = groups.into_par_iter().flat_map_iter(|group| {
        let group = group.into_iter().map(|i| chosen[i as usize]).collect();
        clusters(group, (true, least), index, terms, |pairing, _, a, b| pairing.score(a, b) >= HANDLER_SCORE)
    });
    let fits = |c: &FunctionCluster| {
        let whole = c.params.iter().filter(|p| p.kind >= HoleKind::Expr).count();
        let nodes = c.members.first().and_then(|d| index.get(*d)).map_or(0, |(_, f)| f.print.nodes as usize);
        c.params.len() <= HANDLER_PARAMS
            && whole <= HANDLER_EXPRS
            && c.params.iter().all(|p| p.kind != HoleKind::Statement)
            && c.params.len() * NODES_PER_PARAM <= nodes
    };
    found.filter(fits).collect()
}

/// Splits a group into clusters that each hold together around their first member.
fn clusters(
    group: Vec<u32>,
    (same_type, least): (bool, usize),
    index: &Index,
    terms: &Terms<'_>,
    fits: impl Fn(&Pairing, &Renaming, &super::term::Term, &super::term::Term) -> bool,
) -> Vec<FunctionCluster> {
    let mut out = Vec::new();
    let mut rest = group;
    while rest.len() >= least {
        let model = rest[0];
        let of_model = terms.get(model);
        let mut members: Vec<(u32, Option<Pairing>)> = vec![(model, None)];
        for &other in &rest[1..] {
            if index.functions[other as usize].form != index.functions[model as usize].form {
                continue;
            }
            let term = terms.get(other);
            let mut renaming = Renaming { same_type, ..Renaming::default() };
            let pairing = unify(of_model, term, &mut renaming);
            if fits(&pairing, &renaming, of_model, term) {
                members.push((other, Some(pairing)));
            }
        }
        rest.retain(|f| members.iter().all(|(m, _)| m != f));
        if members.len() < least {
            continue;
        }
        let built: Vec<_> = members.iter().map(|(f, _)| terms.get(*f)).collect();
        let aligned: Vec<Option<Aligned<'_>>> = members
            .iter()
            .zip(&built)
            .map(|((f, pairing), term)| {
                let file = index.functions[*f as usize].file;
                Some(Aligned { file, term, pairing: pairing.as_ref() })
            })
            .collect();
        let mut params = Params::default();
        let holes = holes(&aligned, 0, terms, &mut params);
        let scores =
            members.iter().zip(&built).filter_map(|((_, p), term)| Some(p.as_ref()?.score(of_model, term)));
        let similarity = scores.sum::<f64>() / (members.len() - 1) as f64;
        let lines = members.iter().skip(1).map(|(f, _)| terms.lines(terms.item_location(*f))).sum();
        out.push(FunctionCluster {
            members: members.iter().map(|(f, _)| index.functions[*f as usize].def).collect(),
            model: 0,
            holes,
            params: params.all,
            similarity,
            lines,
        });
    }
    out
}
