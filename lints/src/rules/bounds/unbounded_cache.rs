//! Finds a map or set that lives as long as the program, is filled on demand, and from which nothing is ever taken away.
//!
//! ## Why it is bad
//!
//! Each new key stays for good. What looks like a cache is a memory leak that takes days to show: with a million
//! distinct queries of 5 KB it holds 5 GB.
//!
//! ## Example
//!
//! ```rust
//! fn plan(&self, sql: &str) -> Plan {
//!     let mut plans = self.plans.lock();
//!     plans.entry(sql.to_owned()).or_insert_with(|| optimise(sql)).clone()
//! }
//! ```
//!
//! ## Use instead
//!
//! A cache with a capacity, which evicts: `quick_cache::sync::Cache`, `lru::LruCache`, `moka::sync::Cache`; or remove
//! entries when what they stand for is gone.
//!
//! ## Not reported
//!
//! Maps keyed by a closed set (an enum, `TypeId`, a status code, `&'static str`), filled only while a value is built or
//! is still a local of whoever builds it, always under one constant key, in a crate of procedural macros, owned by a value that is made for one call (a query's context, shared or not), is replaced by a fresh one, or is itself an entry that goes (a
//! bucket of an hour, a room's state), bounded by a length check, or from which any code outside tests removes entries. Where the map
//! is handed to code that cannot be seen, nothing is said.
//!
//! ## Known limits
//!
//! `clear()` in a function named for reset or shutdown does not count as a bound, unless something else calls that on its way (`commit`). Whether keys come from requests or from
//! configuration is judged by how the map is filled; a registry filled from outside is low confidence. Which values are made for
//! one call each is judged by where they are made and who holds them; what a library hands out to code that is not seen
//! counts so where a value with state of its own makes it (`db.begin()`).

use rustc_hash::FxHashMap;

use crate::Analysis;
use crate::finding::{Applicability, Confidence, Finding, Level, Severity};
use crate::hir::{ExprKind, ItemKind, PatKind, Stmt};
use crate::infer::Callee;
use crate::knowledge::{Container, Op};
use crate::places::{PlaceKey, Shape, Use, UseKind, opened, shape};
use crate::program::{DefId, DefKind, Program, Res};
use crate::rule::{Group, Rule};
use crate::rules::contention::shared_map_lock::last;
use crate::source::Location;
use crate::ty::{Ty, TyKind};

use super::building::Building;
use super::callers::Callers;
use super::lifetimes::{Lifetimes, Owners};
use super::scopes::Scopes;

/// The declaration.
pub const RULE: Rule = Rule {
    id: "unbounded-cache",
    group: Group::Bounds,
    level: Level::Warn,
    severity: Severity::Critical,
    since: "0.1.0",
    fix: Some(Applicability::Unsafe),
    summary: "a long-lived map filled on demand that nothing ever shrinks",
    source: include_str!("unbounded_cache.rs"),
    check,
};

fn check(cx: &Analysis, out: &mut Vec<Finding>) {
    let program = &cx.program;
    let lifetimes = Lifetimes::of(cx);
    let callers = Callers::of(cx);
    let mut owners = Owners::of(cx);
    let mut found = Vec::new();
    let mut of_one_call: FxHashMap<DefId, bool> = FxHashMap::default();
    let macros = program.macro_crates();
    for (index, def) in program.defs.iter().enumerate() {
        if def.in_test || macros.contains(&program.module(def.module).krate) {
            continue;
        }
        let id = DefId(index as u32);
        match (def.kind, &program.item(id).kind) {
            (DefKind::Struct, ItemKind::Struct(s)) => {
                // What a value holds goes when the value is replaced.
                let stays = |body| at_the_end(cx, &callers, program.body_info(body).owner, CLEAR_DEPTH);
                if cx.uses.replaced.iter().any(|&(def, body)| def == id && !stays(body)) {
                    continue;
                }
                for field in s.fields.iter().filter(|f| !f.cfg_test) {
                    let Some(ty) = program.decls.field(id, field.name) else { continue };
                    let ty = opened(program, ty).unwrap_or(ty);
                    if keyed(program, ty).is_none() {
                        continue;
                    }
                    // And with the entry that the value is.
                    if owners.come_and_go(id, &lifetimes, &mut |place| shrinks(cx, &callers, place)) {
                        continue;
                    }
                    let candidate = Candidate {
                        place: PlaceKey::Field(id, field.name),
                        ty,
                        at: Location { file: def.file, span: field.name_span },
                        name: format!("{}.{}", def.name, field.name),
                        words: format!("{} {} {}", def.name, field.name, field.doc).to_lowercase(),
                        long_lived: lifetimes.long(id),
                    };
                    let before = found.len();
                    judge(cx, &callers, &candidate, &mut found);
                    // Nor what goes with the call that it was made for.
                    if found.len() > before {
                        let mut shrinks = |place| shrinks(cx, &callers, place);
                        let passing = *of_one_call
                            .entry(id)
                            .or_insert_with(|| Scopes::of_one_call(cx, &owners, &callers, id, &mut shrinks));
                        if passing {
                            found.truncate(before);
                        }
                    }
                }
            }
            (DefKind::Static, _) => {
                let Some(&ty) = program.decls.statics.get(&id) else { continue };
                let candidate = Candidate {
                    place: PlaceKey::Static(id),
                    ty,
                    at: program.name_location(id),
                    name: def.name.to_string(),
                    words: format!("{} {}", def.name, program.item(id).attrs.doc).to_lowercase(),
                    long_lived: true,
                };
                judge(cx, &callers, &candidate, &mut found);
            }
            _ => {}
        }
    }
    // One map that several values share is one cache.
    let places: Vec<PlaceKey> = found.iter().map(|(place, _)| *place).collect();
    let shared = cx.uses.shared_from(&places);
    out.extend(
        found.into_iter().filter(|(place, _)| !shared.contains_key(place)).map(|(_, finding)| finding),
    );
}

struct Candidate {
    place: PlaceKey,
    ty: Ty,
    at: Location,
    name: String,
    words: String,
    long_lived: bool,
}

/// What a type is, if it is a keyed collection that does not bound itself.
fn keyed(program: &Program, ty: Ty) -> Option<Shape> {
    use Container::{Map, OrderedMap, OrderedSet, Set};
    let shape = shape(&program.knowledge, ty)?;
    (matches!(shape.container, Some(Map | OrderedMap | Set | OrderedSet)) && !shape.bounded).then_some(shape)
}

fn judge(cx: &Analysis, callers: &Callers, candidate: &Candidate, out: &mut Vec<(PlaceKey, Finding)>) {
    let program = &cx.program;
    let Some(shape) = keyed(program, candidate.ty) else { return };
    // Changed by several threads, or part of something that lives on and changes. A cell alone (`Rc<RefCell<..>>`) may as
    // well belong to one request.
    let shared = shape.lock.is_some() || shape.concurrent;
    if !shared && !candidate.long_lived {
        return;
    }
    let key = shape.core.as_ext().and_then(|(_, args)| args.first().copied()).unwrap_or(Ty::UNKNOWN);
    if closed(program, key, CLOSED_DEPTH) {
        return;
    }
    let uses = cx.uses.uses_of(candidate.place);
    let production: Vec<&Use> = uses.iter().filter(|u| !u.in_test).collect();
    let mut grows: Vec<&Use> = Vec::new();
    if shrinks(cx, callers, candidate.place) {
        return;
    }
    for one in &production {
        if matches!(one.kind, UseKind::Op(Op::Insert | Op::Entry))
            && !callers.at_start(program, program.body_info(one.body).owner)
            && !constant_key(cx, one)
            && (shared || !Building::only(cx, callers, one))
        {
            grows.push(one);
        }
    }
    if grows.is_empty() {
        return;
    }
    // `if map.len() >= MAX { .. }` beside the insert is a bound of its own making.
    let guarded = |grow: &Use| {
        production.iter().any(|u| u.body == grow.body && u.kind == UseKind::Op(Op::Len) && u.compared)
    };
    if grows.iter().all(|g| guarded(g)) {
        return;
    }
    let named = ["cache", "memo", "history", "interner"].iter().any(|w| says(&candidate.words, w));
    let on_demand = grows.iter().any(|g| {
        (g.kind == UseKind::Op(Op::Entry) && !refuses_what_is_there(program, g))
            || asks_and_inserts(program, shape.container, g)
            || production.iter().any(|u| {
                u.body == g.body && matches!(u.kind, UseKind::Op(Op::Get | Op::GetMut)) && u.expr < g.expr
            })
    });
    // A group is emptied when what is in it goes; that its key stays is less.
    let emptied =
        production.iter().any(|u| u.kind == UseKind::Emptied && !grows.iter().any(|g| g.body == u.body));
    let confidence = match (named, on_demand) {
        _ if emptied => Confidence::Low,
        (true, true) => Confidence::High,
        (true, false) | (false, true) => Confidence::Medium,
        (false, false) => Confidence::Low,
    };
    let container = shape.core.as_ext().map_or("map", |(p, _)| last(p.as_str()));
    let why = if emptied {
        "what lies under a key is emptied, but stays"
    } else {
        "nothing outside tests removes an entry"
    };
    let mut finding = Finding::new(
        &RULE,
        candidate.at,
        format!("`{}` is a `{container}` that only ever grows: {why}", candidate.name),
    );
    finding.label = "has no bound".to_owned();
    finding.help = "give it a capacity and an eviction (`quick_cache::sync::Cache`, `lru::LruCache`, \
                    `moka::sync::Cache`), or remove entries when what they stand for is gone"
        .to_owned();
    finding.confidence = confidence;
    finding.fix = Some(Applicability::Unsafe);
    finding.key = candidate.name.clone();
    finding.fact("place", candidate.name.clone());
    if let Some(word) = ["cache", "memo", "interner"].iter().find(|w| says(&candidate.words, w)) {
        finding.fact("called", *word);
    }
    finding.fact("container", shape.core.as_ext().map_or("", |(p, _)| p.as_str()));
    finding.fact("lock", shape.lock.map_or("", |(p, _)| p.as_str()));
    for grow in grows {
        let expr = program.body(grow.body).expr(grow.expr);
        let span = match &expr.kind {
            ExprKind::Method { name_span, .. } => *name_span,
            _ => expr.span,
        };
        finding.relate(program.at(grow.body, span), "grows here");
    }
    out.push((candidate.place, finding));
}

/// Whether a name or its doc comment has a word in it; a memo is not what lies in memory.
fn says(words: &str, word: &str) -> bool {
    words.match_indices(word).any(|(at, _)| !(word == "memo" && words[at + word.len()..].starts_with('r')))
}

/// Whether production code takes anything away from a collection again, or may.
fn shrinks(cx: &Analysis, callers: &Callers, place: PlaceKey) -> bool {
    let program = &cx.program;
    cx.uses.uses_of(place).iter().filter(|u| !u.in_test).any(|one| {
        let reached = || callers.reached(cx, program.body_info(one.body).owner);
        match one.kind {
            // Someone else may shrink it.
            UseKind::Escape => true,
            UseKind::Op(Op::Remove) => reached(),
            UseKind::Op(Op::Clear) | UseKind::Assign | UseKind::Take => {
                !at_the_end(cx, callers, program.body_info(one.body).owner, CLEAR_DEPTH) && reached()
            }
            _ => false,
        }
    })
}

const CLOSED_DEPTH: u32 = 4;

/// A key of which there are only so many. One that is borrowed belongs to something that has them all (`&'static str`).
fn closed(program: &Program, key: Ty, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let all = |types: &[Ty]| types.iter().all(|&ty| closed(program, ty, depth));
    match key.kind() {
        TyKind::Ref(..) | TyKind::Bool => true,
        TyKind::Int(n) => matches!(n.as_str(), "u8" | "i8"),
        TyKind::Adt(def, _) => match &program.item(*def).kind {
            ItemKind::Enum(e) => (0..e.variants.len()).all(|i| {
                let variant = program.variants.get(def).and_then(|v| v.get(&e.variants[i].name));
                let fields = variant.and_then(|v| program.decls.fields.get(v));
                e.variants[i].fields.is_empty()
                    || fields.is_some_and(|fields| fields.iter().all(|&(_, ty)| closed(program, ty, depth)))
            }),
            ItemKind::Struct(s) if !s.fields.is_empty() => {
                let fields = program.decls.fields.get(def);
                fields.is_some_and(|fields| fields.iter().all(|&(_, ty)| closed(program, ty, depth)))
            }
            _ => false,
        },
        TyKind::Ext(path, args) => match path.as_str() {
            "std::any::TypeId"
            | "std::mem::Discriminant"
            | "std::thread::ThreadId"
            | "std::marker::PhantomData"
            | "std::io::ErrorKind"
            | "http::StatusCode"
            | "http::Version"
            | "tracing::Level"
            | "log::Level" => true,
            "std::option::Option" | "std::boxed::Box" | "std::sync::Arc" | "std::rc::Rc" => all(args),
            _ => false,
        },
        TyKind::Tuple(parts) => !parts.is_empty() && all(parts),
        TyKind::Array(_) => false,
        _ => false,
    }
}

/// `map.insert(KEY.to_owned(), value)`: each time the same entry.
fn constant_key(cx: &Analysis, one: &Use) -> bool {
    let body = cx.program.body(one.body);
    let types = &cx.types[one.body.0 as usize];
    let ExprKind::Method { args, .. } = &body.expr(one.expr).kind else { return false };
    let Some(&(mut key)) = args.first() else { return false };
    loop {
        key = match &body.expr(key).kind {
            ExprKind::Lit(_) => return true,
            ExprKind::Path(_) => {
                let constant = |def: DefId| {
                    matches!(cx.program.def(def).kind, DefKind::Const | DefKind::Static | DefKind::Variant(_))
                };
                return matches!(types.res(key), Some(Res::Def(def)) if constant(def));
            }
            ExprKind::Ref { expr, .. } => *expr,
            ExprKind::Method { recv, name, args, .. }
                if args.is_empty()
                    && matches!(name.as_str(), "to_string" | "to_owned" | "into" | "clone" | "to_vec") =>
            {
                *recv
            }
            ExprKind::Call { args, .. } => match (&args[..], types.callee(key)) {
                ([text], Callee::Ext(path)) if path.as_str().ends_with("::from") => *text,
                _ => return false,
            },
            _ => return false,
        };
    }
}

/// `if seen.insert(key)`: a set's insertion whose answer matters looks up and fills at once.
fn asks_and_inserts(program: &Program, container: Option<Container>, one: &Use) -> bool {
    let body = program.body(one.body);
    matches!(container, Some(Container::Set | Container::OrderedSet))
        && !body.exprs.iter().any(|e| match &e.kind {
            ExprKind::Block(block) => block
                .stmts
                .iter()
                .any(|s| matches!(s, Stmt::Expr { expr, semi: true, .. } if *expr == one.expr)),
            _ => false,
        })
}

/// `let Entry::Vacant(entry) = map.entry(key) else { … }`: a plain insert that reports what is there already.
fn refuses_what_is_there(program: &Program, one: &Use) -> bool {
    let body = program.body(one.body);
    let vacant = |pat| match &body.pat(pat).kind {
        PatKind::TupleStruct { path, .. } => {
            path.segments.last().is_some_and(|s| s.name.as_str() == "Vacant")
        }
        _ => false,
    };
    body.exprs.iter().any(|e| match &e.kind {
        ExprKind::Block(block) => block.stmts.iter().any(|s| match s {
            Stmt::Let { pat, init: Some(init), els: Some(_), .. } => *init == one.expr && vacant(*pat),
            _ => false,
        }),
        _ => false,
    })
}

/// Emptied where nothing goes on afterwards, or only when somebody asks for it: that bounds nothing. A `clear` that
/// something else calls on its way (`commit`) does.
fn at_the_end(cx: &Analysis, callers: &Callers, function: DefId, depth: u32) -> bool {
    const WORDS: [&str; 9] =
        ["clear", "reset", "restart", "shutdown", "close", "stop", "drop", "destroy", "teardown"];
    let name = cx.program.def(function).name.as_str();
    let named = match depth {
        CLEAR_DEPTH => WORDS
            .iter()
            .any(|w| name == *w || name.starts_with(&format!("{w}_")) || name.ends_with(&format!("_{w}"))),
        // `handle_clear_cache`
        _ => name.split('_').any(|part| WORDS.contains(&part)),
    };
    let Some(depth) = depth.checked_sub(1) else { return true };
    let elsewhere = |caller: DefId| caller != function && !at_the_end(cx, callers, caller, depth);
    let by_itself = ["clear", "reset"].iter().any(|w| name.split('_').any(|part| part == *w));
    named && !(by_itself && callers.sites(function).iter().any(|site| elsewhere(site.caller)))
}

/// How far up callers are asked whether they only clear as well.
const CLEAR_DEPTH: u32 = 3;
