//! Finds a map or set that many threads reach and that lies wholly behind one lock: a struct field, a static, or a local
//! moved into threads, in any spelling (`Arc<RwLock<HashMap<..>>>`, an alias, `Mutex<BTreeSet<..>>`).
//!
//! ## Why it is bad
//!
//! Every operation on any key takes the one lock. Under load threads queue for it even when they touch different keys;
//! with a read-write lock one writer stops all readers, and the lock's counter itself is a cache line that all cores
//! fight over.
//!
//! ## Example
//!
//! ```rust
//! struct Sessions {
//!     by_id: Arc<RwLock<HashMap<SessionId, Session>>>,
//! }
//! ```
//!
//! ## Use instead
//!
//! A concurrent map, which locks a shard for the time of one operation:
//!
//! ```rust
//! struct Sessions {
//!     by_id: DashMap<SessionId, Session>,
//! }
//! ```
//!
//! Where code needs the order of the keys (`range`, first, last), an ordered concurrent map
//! (`crossbeam_skiplist::SkipMap`) or sharding by key range; where a map is read a thousand times for each change,
//! `ArcSwap<HashMap<..>>`.
//!
//! ## Not reported
//!
//! A map under a lock together with other state (`Mutex<(Map, Order)>`, a struct of several fields, a type of its own
//! whose methods are the critical sections), two locks that are always taken together, copy on write (`RwLock<Arc<Map>>`), maps already split into shards
//! (`Vec<RwLock<HashMap<..>>>`), a lock that no shared reference ever takes.
//!
//! ## Known limits
//!
//! How often a lock is taken at run time is not known here; `--profile` ranks findings by where the time goes.

use rustc_hash::FxHashMap;

use super::companions::Companions;
use super::map_alias;
use super::map_wrapper::Wrappers;
use super::stripes::Stripes;
use crate::Analysis;
use crate::finding::{Applicability, Confidence, Finding, Level, Severity};
use crate::hir::{ExprKind, FieldDecl, ItemKind, SelfParam, TypeRef};
use crate::knowledge::{Container, LockKind, Op};
use crate::places::{PlaceKey, Shape, Use, UseKind, shape};
use crate::program::{DefId, DefKind, ModIx, Program};
use crate::rule::{Group, Rule};
use crate::source::Location;
use crate::ty::Ty;

/// The declaration.
pub const RULE: Rule = Rule {
    id: "shared-map-lock",
    group: Group::Contention,
    level: Level::Warn,
    severity: Severity::Critical,
    since: "0.1.0",
    fix: Some(Applicability::Safe),
    summary: "a shared map or set wholly behind one lock",
    source: include_str!("shared_map_lock.rs"),
    check,
};

/// What stands around a lock.
struct Around<'a> {
    companions: Companions,
    stripes: Stripes<'a>,
}

fn check(cx: &Analysis, out: &mut Vec<Finding>) {
    let program = &cx.program;
    let macros = program.macro_crates();
    let around = Around { companions: Companions::of(cx), stripes: Stripes::of(cx) };
    let wrappers = Wrappers::of(program);
    let mut found: Vec<(PlaceKey, Finding)> = Vec::new();
    let mut keep = |place: PlaceKey, finding: Option<Finding>| found.extend(finding.map(|f| (place, f)));
    for (index, def) in program.defs.iter().enumerate() {
        let id = DefId(index as u32);
        // One thread runs a procedural macro.
        if macros.contains(&program.module(def.module).krate) {
            continue;
        }
        match def.kind {
            DefKind::Struct | DefKind::Union | DefKind::Variant(_) => {
                for field in field_decls(program, id) {
                    let Some(declared) = program.decls.field(id, field.name) else { continue };
                    let ty = wrappers.opened(program, declared);
                    let mut at = Location { file: def.file, span: field.name_span };
                    let mut name = format!("{}.{}", owner_name(program, id), field.name);
                    let in_test = def.in_test || field.cfg_test;
                    let place = PlaceKey::Field(id, field.name);
                    // A newtype around the lock is told where it is used.
                    let users = wrappers.users(id);
                    if let Some(user) = users.first() {
                        (at, name) = (user.at, user.name.clone());
                    }
                    let mut finding = judge(cx, &around, place, ty, at, &name, in_test);
                    if let Some(finding) = &mut finding {
                        for also in users.iter().skip(1) {
                            finding.relate(also.at, "the same newtype");
                        }
                        if !users.is_empty() {
                            finding.relate(program.name_location(id), "the lock is in this type");
                        }
                        if ty != declared {
                            wrappers.tell_lock(cx, declared, finding);
                        }
                    }
                    keep(place, finding.map(|f| spelled(program, f, def.module, &field.ty)));
                }
            }
            DefKind::Static => {
                let Some(&ty) = program.decls.statics.get(&id) else { continue };
                let (place, at) = (PlaceKey::Static(id), program.name_location(id));
                let mut finding = judge(cx, &around, place, ty, at, def.name.as_str(), def.in_test);
                if let ItemKind::Static { ty, .. } = &program.item(id).kind {
                    finding = finding.map(|f| spelled(program, f, def.module, ty));
                }
                keep(place, finding);
            }
            _ => {}
        }
    }
    let mut seen = rustc_hash::FxHashSet::default();
    for &place in &cx.uses.spawned {
        let PlaceKey::Local(body, local) = place else { continue };
        if !seen.insert(place) {
            continue;
        }
        // A local that ends up in a field or static is reported there.
        let elsewhere =
            cx.uses.reach(place).iter().any(|p| matches!(p, PlaceKey::Field(..) | PlaceKey::Static(_)));
        if elsewhere {
            continue;
        }
        let ty = cx.types[body.0 as usize].local(local);
        let decl = program.body(body).local(local);
        let owner = program.body_info(body).owner;
        let name = format!("{} in {}", decl.name, program.display(owner));
        let at = program.at(body, decl.span);
        keep(place, judge(cx, &around, place, ty, at, &name, program.def(owner).in_test));
    }
    // One map that several values share is one finding; where it is seen by another name is told with it.
    let places: Vec<PlaceKey> = found.iter().map(|(place, _)| *place).collect();
    let shared = cx.uses.shared_from(&places);
    let mut also: FxHashMap<PlaceKey, Vec<Location>> = FxHashMap::default();
    for (place, finding) in &found {
        let mut holder = *place;
        // Sharing may go on: the one that shares from nobody is told.
        for _ in 0..shared.len() {
            let Some(&from) = shared.get(&holder) else { break };
            holder = from;
        }
        if holder != *place {
            also.entry(holder).or_default().push(finding.at);
        }
    }
    for (place, mut finding) in found {
        if shared.contains_key(&place) {
            continue;
        }
        for at in also.remove(&place).into_iter().flatten() {
            finding.relate(at, "the same map, shared");
        }
        out.push(finding);
    }
    out.extend(map_alias::free(cx).filter_map(|alias| unused_alias(cx, alias)));
}

/// Names the aliases through which a declaration is spelled.
fn spelled(program: &Program, mut finding: Finding, module: ModIx, ty: &TypeRef) -> Finding {
    for alias in map_alias::through(program, module, ty) {
        let corked = program.decls.aliases.get(&alias).and_then(|&ty| shape(&program.knowledge, ty));
        if corked.is_some_and(|s| s.lock.is_some() && is_map(&s)) {
            finding.relate(program.name_location(alias), "spelled out here");
        }
    }
    finding
}

/// An alias that puts a map behind a lock and that nothing uses yet.
fn unused_alias(cx: &Analysis, alias: DefId) -> Option<Finding> {
    let program = &cx.program;
    let shape = shape(&program.knowledge, *program.decls.aliases.get(&alias)?)?;
    let (lock, _) = shape.lock?;
    let name = program.def(alias).name;
    if !is_corked(&shape) || map_alias::is_named_elsewhere(cx, name) {
        return None;
    }
    let container = shape.core.as_ext().map_or("map", |(p, _)| last(p.as_str()));
    let lock = last(lock.as_str());
    let mut finding = Finding::new(
        &RULE,
        program.name_location(alias),
        format!("`{name}` puts a whole `{container}` behind one `{lock}`; nothing uses it yet"),
    );
    finding.label = format!("every key would wait for one `{lock}`");
    finding.help =
        "make it a concurrent map (`dashmap::DashMap`) before anything relies on the lock".to_owned();
    finding.confidence = Confidence::Medium;
    finding.key = name.to_string();
    Some(finding)
}

/// A whole map behind one lock, changed in place.
pub(super) fn is_corked(shape: &Shape) -> bool {
    is_map(shape)
        && !shape.copy_on_write
        && !shape.concurrent
        && shape.locks == 1
        && shape.lock.is_some_and(|(_, kind)| kind != LockKind::Semaphore)
}

pub(super) fn field_decls(program: &Program, def: DefId) -> &[FieldDecl] {
    match (&program.item(def).kind, program.def(def).kind) {
        (ItemKind::Struct(s) | ItemKind::Union(s), _) => &s.fields,
        (ItemKind::Enum(e), DefKind::Variant(i)) => e.variants.get(i as usize).map_or(&[], |v| &v.fields),
        _ => &[],
    }
}

pub(super) fn owner_name(program: &Program, def: DefId) -> String {
    match program.def(def).kind {
        DefKind::Variant(_) => program.display(def),
        _ => program.def(def).name.to_string(),
    }
}

pub(super) fn is_map(shape: &Shape) -> bool {
    matches!(
        shape.container,
        Some(Container::Map | Container::OrderedMap | Container::Set | Container::OrderedSet)
    )
}

fn judge(
    cx: &Analysis,
    around: &Around<'_>,
    place: PlaceKey,
    ty: Ty,
    at: Location,
    name: &str,
    in_test: bool,
) -> Option<Finding> {
    let program = &cx.program;
    let shape = shape(&program.knowledge, ty)?;
    let (lock, kind) = shape.lock?;
    if !is_corked(&shape) {
        return None;
    }
    let uses = cx.uses.uses_of(place);
    let production: Vec<&Use> = uses.iter().filter(|u| in_test || !u.in_test).collect();
    let acquires: Vec<&Use> =
        production.iter().copied().filter(|u| matches!(u.kind, UseKind::Acquire(_))).collect();
    let is_static = matches!(place, PlaceKey::Static(_));
    let is_local = matches!(place, PlaceKey::Local(..));
    let through_shared = acquires.iter().any(|u| !exclusive_self(cx, u));
    if !shape.handle && !is_static && !is_local && !through_shared {
        return None;
    }
    if acquires.is_empty() && !shape.handle && !is_static {
        return None;
    }
    // Two locks around one state: the critical sections span both.
    if around.companions.always(cx, place, &acquires) {
        return None;
    }
    // One of many locks, each with its part of the keys.
    if matches!(place, PlaceKey::Field(owner, _) if around.stripes.is_one(owner)) {
        return None;
    }
    let (mut reads, mut writes, mut compound) = (0, 0, 0);
    let mut sites = Vec::new();
    for acquire in &acquires {
        let ops: Vec<Op> = production
            .iter()
            .filter(|u| u.body == acquire.body && u.acquired == Some(acquire.expr))
            .filter_map(|u| match u.kind {
                UseKind::Op(op) => Some(op),
                UseKind::Snapshot => Some(Op::Iterate),
                UseKind::Assign | UseKind::Take => Some(Op::Clear),
                _ => None,
            })
            .collect();
        let write = match acquire.kind {
            // An upgradable read may become a write.
            UseKind::Acquire(a) if kind == LockKind::RwLock => {
                a.exclusive || ops.iter().any(|op| writes_to(*op))
            }
            _ => ops.is_empty() || ops.iter().any(|op| writes_to(*op)),
        };
        if write {
            writes += 1;
        } else {
            reads += 1;
        }
        let whole =
            ops.len() > 1 || ops.iter().any(|op| matches!(op, Op::Iterate | Op::IterateMut | Op::Ordered));
        if whole {
            compound += 1;
        }
        let what = match (&ops[..], whole) {
            ([], _) => "taken here".to_owned(),
            ([op], false) => format!("taken for one {}", verb(*op)),
            _ => format!("taken for {}", list(&ops)),
        };
        let expr = program.body(acquire.body).expr(acquire.expr);
        sites.push((
            program.at(
                acquire.body,
                cx.sources
                    .get(program.body_info(acquire.body).file)
                    .one_line(call_name(program, acquire, expr.span)),
            ),
            what,
        ));
    }
    let ordered = production.iter().any(|u| u.kind == UseKind::Op(Op::Ordered));
    let container = shape.core.as_ext().map_or("map", |(p, _)| last(p.as_str()));
    let lock_name = last(lock.as_str());
    let uses_text = match acquires.len() {
        0 if is_static => "nothing takes it yet".to_owned(),
        0 => "it is handed out behind an `Arc`".to_owned(),
        1 => "taken at 1 place".to_owned(),
        n => format!("taken at {n} places, {reads} to read and {writes} to write"),
    };
    let mut finding = Finding::new(
        &RULE,
        at,
        format!("`{name}` keeps a whole `{container}` behind one `{lock_name}`: {uses_text}"),
    );
    finding.label = format!("every key waits for this one `{lock_name}`");
    let (what, concurrent) = match shape.container {
        Some(Container::Set | Container::OrderedSet) => ("set", "`dashmap::DashSet`"),
        _ => ("map", "`dashmap::DashMap`"),
    };
    finding.help = if ordered {
        "code relies on the order of the keys: use an ordered concurrent map (`crossbeam_skiplist::SkipMap`) or shard \
         by key range"
            .to_owned()
    } else {
        let atomic = "`entry`, `alter` or `retain` to stay atomic";
        let advice = format!("use a concurrent {what} ({concurrent})");
        match (compound, acquires.len()) {
            (0, 0) => advice,
            (0, 1) => format!("{advice}: the only region is one operation"),
            (0, _) => format!("{advice}: every region is one operation"),
            (_, 1) => format!("{advice}; the only region does more than one operation and needs {atomic}"),
            (1, n) => format!("{advice}; 1 of {n} regions does more than one operation and needs {atomic}"),
            (c, n) => format!("{advice}; {c} of {n} regions do more than one operation and need {atomic}"),
        }
    };
    if acquires.is_empty() {
        finding.confidence = Confidence::Medium;
    }
    if let PlaceKey::Field(def, _) = place
        && program.item(def).from_macro
    {
        finding.confidence = Confidence::Medium;
    }
    finding.fix = if ordered {
        None
    } else if compound > 0 || acquires.is_empty() {
        Some(Applicability::Unsafe)
    } else {
        Some(Applicability::Safe)
    };
    finding.key = name.to_owned();
    finding.in_test = in_test;
    finding.fact("place", name);
    finding.fact("lock", lock.as_str());
    finding.fact("container", shape.core.as_ext().map_or("", |(p, _)| p.as_str()));
    finding.fact("reads", reads.to_string());
    finding.fact("writes", writes.to_string());
    finding.fact("compound", compound.to_string());
    for (at, label) in sites {
        finding.relate(at, label);
    }
    Some(finding)
}

/// The method's name of an acquisition, which lies on one line when its chain does not.
fn call_name(program: &Program, one: &Use, whole: crate::source::Span) -> crate::source::Span {
    match &program.body(one.body).expr(one.expr).kind {
        crate::hir::ExprKind::Method { name_span, .. } => *name_span,
        _ => whole,
    }
}

/// Whether an acquisition happens in a method that has its `self`, and with it the lock, for itself anyway.
fn exclusive_self(cx: &Analysis, one: &Use) -> bool {
    let program = &cx.program;
    let owner = program.body_info(one.body).owner;
    program.fn_item(owner).is_some_and(|f| matches!(f.self_param, Some(SelfParam::RefMut | SelfParam::Value)))
        && !through_handle(cx, one)
}

/// Whether the way to a lock goes through a handle that others may have too (`self.store.map` with an `Arc<Store>`).
fn through_handle(cx: &Analysis, one: &Use) -> bool {
    let types = &cx.types[one.body.0 as usize];
    let body = cx.program.body(one.body);
    let mut id = one.expr;
    loop {
        id = match &body.expr(id).kind {
            ExprKind::Method { recv: e, .. }
            | ExprKind::Field { base: e, .. }
            | ExprKind::Ref { expr: e, .. }
            | ExprKind::Deref(e) => *e,
            _ => return false,
        };
        if cx.program.knowledge.of(types.expr(id).peel_refs()).is_some_and(|info| info.shared) {
            return true;
        }
    }
}

fn writes_to(op: Op) -> bool {
    matches!(op, Op::Insert | Op::Entry | Op::Remove | Op::Clear | Op::GetMut | Op::IterateMut)
}

fn verb(op: Op) -> &'static str {
    match op {
        Op::Get => "get",
        Op::GetMut => "change in place",
        Op::Insert => "insert",
        Op::Entry => "entry",
        Op::Remove => "removal",
        Op::Clear => "clear",
        Op::Len => "length",
        Op::Contains => "look-up",
        Op::Iterate => "iteration",
        Op::IterateMut => "changing iteration",
        Op::Ordered => "ordered access",
    }
}

fn list(ops: &[Op]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for op in ops {
        if !names.contains(&verb(*op)) {
            names.push(verb(*op));
        }
    }
    names.join(", ")
}

pub(crate) fn last(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path)
}
