//! Structs that are one manager written again: shared keyed state, the same fields in any order, and methods that
//! align up to names and types.

use rayon::prelude::*;

use crate::hir::ItemKind;
use crate::link::HeadKey;
use crate::program::{DefId, DefKind, Program};
use crate::source::{Location, Sources};

use super::build::Builder;
use super::fields::{FieldClass, classify, likeness};
use super::generalise::{Aligned, Hole, Param, Params, holes};
use super::index::{Index, Terms};
use super::similar;
use super::term::Atom;
use super::unify::{HoleKind, Pairing, Renaming, unify};

/// Structs that one generic type could replace.
#[derive(Clone, Debug, PartialEq)]
pub struct ManagerCluster {
    /// The structs, by path and line.
    pub members: Vec<Member>,
    /// The member that the others are aligned with.
    pub model: usize,
    /// Fields that correspond, in the model's order.
    pub fields: Vec<AlignedField>,
    /// Methods that correspond in all members, in the model's order.
    pub methods: Vec<AlignedMethod>,
    /// What fills each parameter, member by member. [`Hole::param`] counts here.
    pub params: Vec<Param>,
    /// Share of the members' method code that agrees, from 0 to 1.
    pub similarity: f64,
    /// Lines that would go if one generic type replaced the members.
    pub lines: u32,
}

/// A struct of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The struct.
    pub def: DefId,
    /// Methods that no counterpart was found for in every other member.
    pub own_methods: Vec<DefId>,
    /// Fields without counterpart in the model, by index.
    pub own_fields: Vec<usize>,
}

/// A field that the members share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlignedField {
    /// Index of the field in each member; `None` where it has none.
    pub field: Vec<Option<usize>>,
    /// Where the declared types differ.
    pub holes: Vec<Hole>,
}

/// A method that the members share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlignedMethod {
    /// The method in each member.
    pub functions: Vec<DefId>,
    /// Where the signatures and bodies differ.
    pub holes: Vec<Hole>,
}

impl ManagerCluster {
    /// Whether type parameters and associated constants can fill every hole, and no member has a field of its own.
    pub fn fits_one_type(&self) -> bool {
        self.params.iter().all(|p| matches!(p.kind, HoleKind::Type | HoleKind::Literal))
            && self.members.iter().all(|m| m.own_fields.is_empty())
            && self.fields.iter().all(|f| f.field.iter().all(Option::is_some))
    }
}

/// Fewest methods besides constructors that must correspond.
const MIN_METHODS: usize = 3;
/// Fewest nodes in them: below, there is too little to share.
const MIN_NODES: u32 = 48;
/// Share of a method's nodes that must agree for it to count as a copy.
const METHOD_SCORE: f64 = 0.8;
/// Share of each member's method code that must lie in methods that correspond.
const COVERAGE: f64 = 0.6;
/// Share of fields of the same class.
const FIELD_LIKENESS: f64 = 0.7;
/// One parameter for so many nodes at most, or the "copies" say different things.
const NODES_PER_PARAM: usize = 8;
/// Impls that a trait from outside dictates are not compared below so many statements.
const DICTATED_STATEMENTS: u32 = 5;

struct Candidate {
    def: DefId,
    fields: Vec<FieldClass>,
    /// Methods that count, as functions of the index.
    methods: Vec<u32>,
    /// Those without `self`.
    constructors: Vec<u32>,
    /// Nodes in `methods`.
    nodes: u32,
}

struct Match {
    /// Pairs of functions, with how they align.
    methods: Vec<(u32, u32, Pairing)>,
    renaming: Renaming,
    agreeing: f64,
}

/// Finds the clusters; they come by first member.
pub fn find(
    program: &Program,
    sources: &Sources,
    index: &Index,
    terms: &Terms<'_>,
    least: usize,
) -> Vec<ManagerCluster> {
    let candidates = candidates(program, sources, index);
    let sets: Vec<Vec<u64>> = candidates
        .iter()
        .map(|c| {
            let mut set: Vec<u64> = c
                .methods
                .iter()
                .map(|&m| &index.functions[m as usize].print)
                .flat_map(|p| p.pieces.iter().copied().chain([p.shape]))
                .collect();
            set.sort_unstable();
            set.dedup();
            set
        })
        .collect();
    let groups = similar::groups(&sets, |a, b| {
        compare(program, &candidates[a as usize], &candidates[b as usize], index, terms).is_some()
    });
    let mut clusters: Vec<ManagerCluster> = groups
        .into_par_iter()
        .flat_map_iter(|group| split(group, least, &candidates, program, index, terms))
        .collect();
    clusters.sort_by_key(|c| c.members.first().map(|m| place(program, m.def)));
    clusters
}

fn candidates(program: &Program, sources: &Sources, index: &Index) -> Vec<Candidate> {
    let mut out = Vec::new();
    for (id, def) in program.defs.iter().enumerate() {
        let id = DefId(id as u32);
        if def.kind != DefKind::Struct || def.in_test {
            continue;
        }
        let item = program.item(id);
        if item.from_macro || program.file(def.file).generated {
            continue;
        }
        if index.alternatives.contains(program, sources, id) {
            continue;
        }
        let fields = classify(program, id);
        if !fields.iter().any(|f| f.is_store()) {
            continue;
        }
        let mut methods = Vec::new();
        let mut constructors = Vec::new();
        for impl_ in program.decls.impls_by_head.get(&HeadKey::Adt(id)).into_iter().flatten() {
            for child in program.children.get(impl_).into_iter().flatten() {
                let Some((number, function)) = index.get(*child) else { continue };
                if function.dictated && function.print.statements < DICTATED_STATEMENTS {
                    continue;
                }
                if function.form.receiver == 0 { constructors.push(number) } else { methods.push(number) }
            }
        }
        methods.sort_unstable();
        methods.dedup();
        let nodes = methods.iter().map(|&m| index.functions[m as usize].print.nodes).sum();
        if methods.len() >= MIN_METHODS && nodes >= MIN_NODES {
            out.push(Candidate { def: id, fields, methods, constructors, nodes });
        }
    }
    // By path and line, so that what is found does not depend on the order of linking.
    out.sort_by_key(|c| place(program, c.def));
    out.dedup_by_key(|c| place(program, c.def));
    out
}

fn place(program: &Program, def: DefId) -> (u32, u32) {
    (program.def(def).file.0, program.item(def).span.lo)
}

/// Whether `b` is `a` written again, and how they correspond.
fn compare(
    program: &Program,
    a: &Candidate,
    b: &Candidate,
    index: &Index,
    terms: &Terms<'_>,
) -> Option<Match> {
    if likeness(&a.fields, &b.fields) < FIELD_LIKENESS {
        return None;
    }
    let mut found = Match { methods: Vec::new(), renaming: Renaming::default(), agreeing: 0.0 };
    pair_up(&a.methods, &b.methods, index, terms, &mut found);
    let (mut left, mut right, mut agreeing) = (0, 0, 0);
    for (x, y, pairing) in &found.methods {
        left += index.functions[*x as usize].print.nodes;
        right += index.functions[*y as usize].print.nodes;
        agreeing += pairing.agreeing;
    }
    // A map that nobody else can reach makes a manager only of a type that keeps changing and asking it.
    let shared = |c: &Candidate| c.fields.iter().any(|f| f.is_shared_store());
    let kept = (shared(a) && shared(b)) || keeps_store(program, a, &found.methods, index, terms);
    if !kept {
        return None;
    }
    let covers = |part: u32, whole: u32| f64::from(part) >= COVERAGE * f64::from(whole);
    if found.methods.len() < MIN_METHODS
        || left.min(right) < MIN_NODES
        || !covers(left, a.nodes)
        || !covers(right, b.nodes)
    {
        return None;
    }
    found.agreeing = 2.0 * f64::from(agreeing) / f64::from(a.nodes + b.nodes);
    pair_up(&a.constructors, &b.constructors, index, terms, &mut found);
    Some(found)
}

/// Whether methods that correspond change a keyed collection of `self` through `&mut self`, and others ask it.
fn keeps_store(
    program: &Program,
    of: &Candidate,
    methods: &[(u32, u32, Pairing)],
    index: &Index,
    terms: &Terms<'_>,
) -> bool {
    let ItemKind::Struct(item) = &program.item(of.def).kind else { return false };
    let stores: Vec<_> =
        item.fields.iter().zip(&of.fields).filter(|(_, c)| c.is_store()).map(|(f, _)| f.name).collect();
    let (mut changes, mut asks) = (false, false);
    for (method, ..) in methods {
        let receiver = index.functions[*method as usize].form.receiver;
        let term = terms.get(*method);
        let touches = term.nodes.iter().any(|n| matches!(n.atom, Atom::OwnField(f) if stores.contains(&f)));
        changes |= touches && receiver == 3;
        asks |= touches && receiver == 2;
    }
    changes && asks
}

/// Pairs methods, largest first: equal shapes, equal names before others; then equal names; then what shares at least
/// half of its statements' shapes.
fn pair_up(a: &[u32], b: &[u32], index: &Index, terms: &Terms<'_>, found: &mut Match) {
    let print = |m: u32| &index.functions[m as usize];
    let name = |terms: &Terms<'_>, m: u32| terms.name(m);
    let mut order: Vec<u32> = a.to_vec();
    order.sort_by_key(|&m| (std::cmp::Reverse(print(m).print.nodes), m));
    let mut free: Vec<u32> = b.to_vec();
    for pass in 0..3 {
        order.retain(|&x| {
            let mut best: Option<(bool, f64, usize, Pairing, Renaming)> = None;
            for (at, &y) in free.iter().enumerate() {
                let (f, g) = (print(x), print(y));
                let same_name = name(terms, x) == name(terms, y);
                let likely = match pass {
                    0 => f.print.shape == g.print.shape,
                    1 => same_name,
                    _ => f.print.share(&g.print) >= 0.5,
                };
                if f.form != g.form || !likely {
                    continue;
                }
                let mut renaming = found.renaming.clone();
                let (s, t) = (terms.get(x), terms.get(y));
                let pairing = unify(s, t, &mut renaming);
                let score = pairing.score(s, t);
                if score < METHOD_SCORE {
                    continue;
                }
                if best.as_ref().is_none_or(|(n, s, ..)| (same_name, score) > (*n, *s)) {
                    best = Some((same_name, score, at, pairing, renaming));
                }
            }
            let Some((_, _, at, pairing, renaming)) = best else { return true };
            found.methods.push((x, free.remove(at), pairing));
            found.renaming = renaming;
            false
        });
    }
}

/// A group is held together by neighbours; a cluster must hold together around one member.
fn split(
    group: Vec<u32>,
    least: usize,
    candidates: &[Candidate],
    program: &Program,
    index: &Index,
    terms: &Terms<'_>,
) -> Vec<ManagerCluster> {
    /// How many members are tried as the model.
    const TRIALS: usize = 4;
    let mut rest = group;
    let mut out = Vec::new();
    while rest.len() >= least {
        let mut best: Vec<u32> = Vec::new();
        let mut model = rest[0];
        for &centre in rest.iter().take(TRIALS) {
            let mut alike = vec![centre];
            for &other in rest.iter().filter(|&&o| o != centre) {
                if compare(program, &candidates[centre as usize], &candidates[other as usize], index, terms)
                    .is_some()
                {
                    alike.push(other);
                }
            }
            if alike.len() > best.len() {
                (best, model) = (alike, centre);
            }
            // None can hold more of them together.
            if best.len() == rest.len() {
                break;
            }
        }
        best.sort_unstable();
        if best.len() >= least
            && let Some(cluster) = assemble(&best, model, candidates, program, index, terms)
        {
            out.push(cluster);
            rest.retain(|m| !best.contains(m));
        } else {
            // The model is no centre of anything; the others may be.
            rest.retain(|&m| m != model);
        }
    }
    out
}

fn assemble(
    members: &[u32],
    model: u32,
    candidates: &[Candidate],
    program: &Program,
    index: &Index,
    terms: &Terms<'_>,
) -> Option<ManagerCluster> {
    let at = members.iter().position(|&m| m == model)?;
    let of_model = &candidates[model as usize];
    let mut matches: Vec<Option<Match>> = Vec::with_capacity(members.len());
    for &member in members {
        if member == model {
            matches.push(None);
        } else {
            matches.push(Some(compare(program, of_model, &candidates[member as usize], index, terms)?));
        }
    }

    let mut params = Params::default();
    let mut methods = Vec::new();
    let mut lines = 0;
    let mut shared: Vec<Vec<u32>> = vec![Vec::new(); members.len()];
    let mut shared_methods = 0;
    let mut shared_nodes = 0;
    for &method in of_model.methods.iter().chain(&of_model.constructors) {
        let row: Option<Vec<(u32, Option<&Pairing>)>> = matches
            .iter()
            .map(|m| match m {
                None => Some((method, None)),
                Some(m) => m.methods.iter().find(|(x, ..)| *x == method).map(|(_, y, p)| (*y, Some(p))),
            })
            .collect();
        let Some(row) = row else { continue };
        if index.functions[method as usize].form.receiver != 0 {
            shared_methods += 1;
            shared_nodes += index.functions[method as usize].print.nodes;
        }
        for (i, &(function, _)) in row.iter().enumerate() {
            shared[i].push(function);
            if i != at {
                lines += terms.lines(terms.item_location(function));
            }
        }
        let built: Vec<_> = row.iter().map(|&(f, _)| terms.get(f)).collect();
        let aligned: Vec<Option<Aligned<'_>>> = row
            .iter()
            .zip(&built)
            .map(|(&(f, pairing), term)| {
                Some(Aligned { file: index.functions[f as usize].file, term, pairing })
            })
            .collect();
        let found = holes(&aligned, at, terms, &mut params);
        methods.push(AlignedMethod {
            functions: row.iter().map(|&(f, _)| index.functions[f as usize].def).collect(),
            holes: found,
        });
    }
    if shared_methods < MIN_METHODS
        || f64::from(shared_nodes) < COVERAGE * f64::from(of_model.nodes)
        || params.all.len() * NODES_PER_PARAM > shared_nodes as usize
    {
        return None;
    }

    let (fields, own_fields) = align_fields(members, at, &matches, candidates, program, terms, &mut params);
    let similarity = matches.iter().flatten().map(|m| m.agreeing).sum::<f64>() / (members.len() - 1) as f64;
    let members: Vec<Member> = members
        .iter()
        .zip(shared)
        .zip(own_fields)
        .map(|((&m, shared), own_fields)| {
            let candidate = &candidates[m as usize];
            let own = candidate.methods.iter().chain(&candidate.constructors);
            Member {
                def: candidate.def,
                own_methods: own
                    .filter(|f| !shared.contains(f))
                    .map(|&f| index.functions[f as usize].def)
                    .collect(),
                own_fields,
            }
        })
        .collect();
    for (i, member) in members.iter().enumerate() {
        if i != at {
            let file = program.def(member.def).file;
            lines += terms.lines(Location { file, span: program.item(member.def).span });
        }
    }
    Some(ManagerCluster { members, model: at, fields, methods, params: params.all, similarity, lines })
}

/// Fields correspond as the methods use them; what no method decides, by class and then by name.
fn align_fields(
    members: &[u32],
    model: usize,
    matches: &[Option<Match>],
    candidates: &[Candidate],
    program: &Program,
    terms: &Terms<'_>,
    params: &mut Params,
) -> (Vec<AlignedField>, Vec<Vec<usize>>) {
    let decls = |m: u32| match &program.item(candidates[m as usize].def).kind {
        ItemKind::Struct(s) => s.fields.as_ref(),
        _ => &[],
    };
    let of_model = decls(members[model]);
    let mut columns: Vec<Vec<Option<usize>>> = Vec::new();
    let mut own: Vec<Vec<usize>> = Vec::new();
    for (i, &member) in members.iter().enumerate() {
        let Some(found) = &matches[i] else {
            columns.push((0..of_model.len()).map(Some).collect());
            own.push(Vec::new());
            continue;
        };
        let theirs = decls(member);
        let classes = (&candidates[members[model] as usize].fields, &candidates[member as usize].fields);
        let mut column = vec![None; of_model.len()];
        let mut free: Vec<usize> = (0..theirs.len()).collect();
        for pass in 0..3 {
            for (k, field) in of_model.iter().enumerate() {
                if column[k].is_some() {
                    continue;
                }
                let fits = |&other: &usize| match pass {
                    0 => found.renaming.fields.get(field.name) == Some(theirs[other].name),
                    1 => theirs[other].name == field.name && classes.0.get(k) == classes.1.get(other),
                    _ => classes.0.get(k) == classes.1.get(other),
                };
                if let Some(position) = free.iter().position(fits) {
                    column[k] = Some(free.remove(position));
                }
            }
        }
        columns.push(column);
        own.push(free);
    }

    let fields = of_model
        .iter()
        .enumerate()
        .map(|(k, _)| {
            let field: Vec<Option<usize>> = columns.iter().map(|c| c[k]).collect();
            let types: Vec<_> = members
                .iter()
                .zip(&field)
                .map(|(&m, &at)| {
                    let file = program.def(candidates[m as usize].def).file;
                    let ty = decls(m).get(at?)?;
                    Some((file, Builder::new(program.file(file), terms.source(file)).type_term(&ty.ty)))
                })
                .collect();
            let pairings: Vec<Option<Pairing>> = types
                .iter()
                .enumerate()
                .map(|(i, ty)| {
                    let (_, model_type) = types[model].as_ref()?;
                    (i != model).then_some(())?;
                    Some(unify(model_type, &ty.as_ref()?.1, &mut Renaming::default()))
                })
                .collect();
            let aligned: Vec<Option<Aligned<'_>>> = types
                .iter()
                .zip(&pairings)
                .map(|(ty, pairing)| {
                    let (file, term) = ty.as_ref()?;
                    Some(Aligned { file: *file, term, pairing: pairing.as_ref() })
                })
                .collect();
            let holes = holes(&aligned, model, terms, params);
            AlignedField { field, holes }
        })
        .collect();
    (fields, own)
}
