//! `shared-map-lock`: a map behind one lock becomes a concurrent map, declaration and every use, or nothing of it.
//!
//! Each mention of the field or static must be understood: a constructor, a handle cloned to another name, or an
//! acquisition whose guard is used for one operation on each way through its region. Anything else refuses the whole
//! migration and names the place. Operations that give references out of the map are followed to where the reference
//! dies: no shard may be held while the same map is used again or across an `.await`.

pub(super) mod cache;
mod chain;
mod claim;
mod decl;
mod entry;
mod extent;
mod guard;
pub(super) mod index;
mod kept;
mod made;
mod mention;
mod numbered;
mod op;
mod owned;
mod public;
mod refill;
mod relied;
mod to;
mod var;

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};
use uncork_lints::finding::{Applicability, Finding};
use uncork_lints::hir::{ExprId, Import, LocalId};
use uncork_lints::knowledge::Container;
use uncork_lints::name::Name;
use uncork_lints::places::shape;
use uncork_lints::program::{BodyIx, DefId, DefKind};
use uncork_lints::source::{FileId, Location, Span};
use uncork_lints::ty::{Ty, TyKind};

use self::index::Index;
use self::to::{Held, To};
use super::Context;
use super::tree::Tree;
use crate::change::{Change, Plan, Refusal};
use crate::edit::Edit;

pub(super) fn plan(cx: &mut Context<'_>, findings: &[&Finding], plan: &mut Plan) {
    let index = Index::new(cx.analysis);
    for finding in findings {
        match migrate(cx, &index, finding) {
            Ok(change) => plan.changes.push(change),
            Err(refusal) => plan.refused.push(refusal),
        }
    }
}

/// Why a migration cannot be made: a reason that is the same for the same shape, and the place.
#[derive(Debug)]
pub(super) struct Blocked {
    reason: &'static str,
    at: Option<Location>,
}

type Step<T = ()> = Result<T, Blocked>;

/// What is migrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Field(DefId, Name),
    Static(DefId),
}

/// A migration in the making.
pub(super) struct Migration<'c, 'a> {
    cx: &'c Context<'a>,
    index: &'c Index<'a>,
    target: Target,
    /// What it becomes.
    to: To,
    /// What is around the map.
    held: Held,
    /// The declaration has a handle (`Arc`) around it.
    in_handle: bool,
    /// A set, not a map.
    set: bool,
    /// The guarded collection's type.
    core: Ty,
    /// How code names the new type's crate.
    krate: String,
    /// The new type's own name.
    new_name: String,
    /// The constant that bounds a cache.
    capacity: Option<String>,
    /// Bodies that put entries into a cache.
    fills: FxHashSet<BodyIx>,
    /// Where a value may now be made twice.
    refilled: Vec<Location>,
    /// Some read does not count as use.
    peeked: bool,
    /// Entries are changed after they were made.
    changed: bool,
    trees: FxHashMap<BodyIx, Rc<Tree<'a>>>,
    edits: Vec<Edit>,
    /// Locals that are handles to the place, and those that were guards of it.
    aliases: Vec<(BodyIx, LocalId)>,
    /// Places where an iteration no longer sees one state, or several reads no longer agree.
    loosened: Vec<Location>,
    /// Places where more was done under the lock than to touch the map.
    relied: Vec<Location>,
    /// Inserts that go through the entry that was checked.
    claims: Vec<Location>,
    /// Ranges in which a new name is known, to be left alone by others until it is written.
    reserved: Vec<Location>,
    /// How many operations were rewritten.
    operations: usize,
    /// Functions that reach the place, sorted.
    touching: Vec<DefId>,
    /// Expressions that stand for the place or for a guard of it.
    mentioned: FxHashSet<(BodyIx, ExprId)>,
    /// Guards given to `drop`, each with the variable that goes there in its place.
    released: FxHashMap<(BodyIx, ExprId), Option<String>>,
}

fn migrate<'a>(cx: &mut Context<'a>, index: &Index<'a>, finding: &Finding) -> Result<Change, Refusal> {
    let blocked = |cx: &Context<'_>, b: Blocked| cx.refuse(finding, b.reason, b.at);
    let to = To::map(cx.options.shared_map_lock.map);
    let file = finding.at.file;
    let (krate, manifest) =
        cx.dependency(file, to.package(), &[]).map_err(|why| cx.refuse(finding, &why, None))?;
    let (target, ty) = target(cx, finding).ok_or_else(|| {
        cx.refuse(finding, "only fields and statics are migrated, not locals", Some(finding.at))
    })?;
    let mut migration = Migration::new(cx, index, target, ty, to, krate).map_err(|b| blocked(cx, b))?;
    migration.run().map_err(|b| blocked(cx, b))?;

    let public = migration.is_public();
    let safe = migration.loosened.is_empty()
        && migration.claims.is_empty()
        && migration.relied.is_empty()
        && !public;
    let applicability = if safe { Applicability::Safe } else { Applicability::Unsafe };
    let name = finding.facts.iter().find(|(k, _)| k == "place").map_or("the map", |(_, v)| v.as_str());
    let title = format!(
        "make `{name}` a `{}`, with {} rewritten",
        if to == To::Dashmap { migration.new_name.clone() } else { migration.plain_path() },
        match migration.operations {
            1 => "1 operation".to_owned(),
            n => format!("{n} operations"),
        }
    );
    let caveat = (!safe).then(|| caveat(cx, &migration, public));
    let edits = std::mem::take(&mut migration.edits);
    let reserved = std::mem::take(&mut migration.reserved);
    let mut change = cx.change(finding, title, applicability);
    change.caveat = caveat;
    change.claims = reserved.into_iter().map(|at| cx.place(at)).collect();
    change.edits = dedup(edits);
    change.manifest = manifest;
    Ok(change)
}

/// Types that migrations take out of code.
const TAKEN_OUT: [&str; 6] = ["HashMap", "HashSet", "DashMap", "RwLock", "Mutex", "PoisonError"];

/// Adds what removes the imports of types that the edited files no longer mention.
pub(super) fn without_unused(cx: &Context<'_>, edits: &mut Vec<Edit>) {
    let files: Vec<FileId> = cx
        .analysis
        .sources
        .iter()
        .filter(|(_, f)| edits.iter().any(|e| e.path == f.path))
        .map(|(id, _)| id)
        .collect();
    for file in files {
        let taken = |i: &Import| i.path.last().is_some_and(|n| TAKEN_OUT.contains(&n.as_str()));
        for span in super::imports::unused(cx, file, edits, &taken) {
            edits.push(cx.edit(file, span, ""));
        }
    }
}

/// How behaviour may differ, in one line.
fn caveat(cx: &Context<'_>, migration: &Migration<'_, '_>, public: bool) -> String {
    let listed = |places: &[Location]| {
        let first = places.first().map(|&at| cx.at_line(at)).unwrap_or_default();
        format!("({first}{})", if places.len() > 1 { ", …" } else { "" })
    };
    let mut parts = Vec::new();
    let (count, claims) = (migration.loosened.len(), migration.claims.len());
    if count > 0 {
        let places = if count == 1 { "place reads" } else { "places read" };
        parts.push(format!(
            "{count} {places} through the whole map or more than once, and may now see it change meanwhile {}",
            listed(&migration.loosened)
        ));
    }
    if claims > 0 {
        let places = if claims == 1 { "place checks and inserts" } else { "places check and insert" };
        parts.push(format!(
            "{claims} {places} through one entry, which keeps others from its shard alone {}",
            listed(&migration.claims)
        ));
    }
    let relied = migration.relied.len();
    if relied > 0 {
        let places = if relied == 1 { "place does" } else { "places do" };
        parts.push(format!(
            "{relied} {places} more under the lock than touch the map, and others may now come in between {}",
            listed(&migration.relied)
        ));
    }
    if public {
        parts.push(
            "the type is part of the library's interface, and code outside that names it must follow".into(),
        );
    }
    parts.join("; ")
}

fn dedup(mut edits: Vec<Edit>) -> Vec<Edit> {
    let mut seen = rustc_hash::FxHashSet::default();
    edits.retain(|e| seen.insert(e.clone()));
    edits
}

/// The field or static that a finding is about, and its type.
fn target(cx: &Context<'_>, finding: &Finding) -> Option<(Target, Ty)> {
    let program = &cx.analysis.program;
    for (index, def) in program.defs.iter().enumerate() {
        if def.file != finding.at.file {
            continue;
        }
        let id = DefId(index as u32);
        match def.kind {
            DefKind::Struct => {
                let field = decl::fields(program, id).iter().find(|f| f.name_span == finding.at.span);
                if let Some(field) = field {
                    let ty = program.decls.field(id, field.name)?;
                    return Some(within_newtype(cx, ty).unwrap_or((Target::Field(id, field.name), ty)));
                }
            }
            DefKind::Static if program.item(id).name_span == finding.at.span => {
                let ty = program.decls.statics.get(&id).copied()?;
                return Some(within_newtype(cx, ty).unwrap_or((Target::Static(id), ty)));
            }
            _ => {}
        }
    }
    None
}

/// The lock of a newtype, which is told where the newtype is used.
fn within_newtype(cx: &Context<'_>, ty: Ty) -> Option<(Target, Ty)> {
    let program = &cx.analysis.program;
    let mut ty = ty.peel_refs();
    while let TyKind::Ext(path, args) = ty.kind() {
        let info = program.knowledge.types.get(path)?;
        if info.lock.is_some() || info.container.is_some() {
            return None;
        }
        ty = args.first()?.peel_refs();
    }
    let TyKind::Adt(def, _) = ty.kind() else { return None };
    match program.decls.fields.get(def)?.as_slice() {
        [(name, inner)] => Some((Target::Field(*def, *name), *inner)),
        _ => None,
    }
}

impl<'c, 'a> Migration<'c, 'a> {
    fn new(
        cx: &'c Context<'a>,
        index: &'c Index<'a>,
        target: Target,
        ty: Ty,
        to: To,
        krate: String,
    ) -> Step<Migration<'c, 'a>> {
        let blocked = |reason| Blocked { reason, at: None };
        let shape =
            shape(&cx.analysis.program.knowledge, ty).ok_or(blocked("the map's type is not understood"))?;
        let set = match shape.container {
            Some(Container::Map) => false,
            Some(Container::Set) => true,
            Some(Container::OrderedMap | Container::OrderedSet) => {
                return Err(blocked("an ordered map may be relied on for its order"));
            }
            _ => return Err(blocked("the map's type is not understood")),
        };
        let std_map =
            shape.core.is_ext("std::collections::HashMap") || shape.core.is_ext("std::collections::HashSet");
        if !std_map {
            return Err(blocked("the map is not one of std"));
        }
        if shape.cell {
            return Err(blocked("the lock lies in a cell that is filled later"));
        }
        Ok(Migration::empty(cx, index, target, shape.core, to, Held::Locked, set, krate))
    }

    #[allow(clippy::too_many_arguments, reason = "what a migration begins with")]
    fn empty(
        cx: &'c Context<'a>,
        index: &'c Index<'a>,
        target: Target,
        core: Ty,
        to: To,
        held: Held,
        set: bool,
        krate: String,
    ) -> Migration<'c, 'a> {
        Migration {
            cx,
            index,
            target,
            to,
            held,
            in_handle: false,
            set,
            core,
            krate,
            new_name: to.type_in(held, set).1.to_owned(),
            capacity: None,
            fills: FxHashSet::default(),
            refilled: Vec::new(),
            peeked: false,
            changed: false,
            trees: FxHashMap::default(),
            edits: Vec::new(),
            aliases: Vec::new(),
            loosened: Vec::new(),
            relied: Vec::new(),
            claims: Vec::new(),
            reserved: Vec::new(),
            operations: 0,
            touching: Vec::new(),
            mentioned: FxHashSet::default(),
            released: FxHashMap::default(),
        }
    }

    /// The new type's path from its crate on.
    fn plain_path(&self) -> String {
        let (modules, name) = self.to.type_in(self.held, self.set);
        let mut parts = vec![self.krate.as_str()];
        parts.extend(modules);
        parts.push(name);
        parts.join("::")
    }

    fn run(&mut self) -> Step {
        self.declaration()?;
        self.declare_capacity();
        let mentions = self.mentions()?;
        self.touching = self.touching(&mentions);
        self.mentioned.extend(mentions.iter().copied());
        for &(body, expr) in &mentions {
            self.mention(body, expr)?;
        }
        without_unused(self.cx, &mut self.edits);
        Ok(())
    }

    fn at(&self, body: BodyIx, span: Span) -> Location {
        self.cx.analysis.program.at(body, span)
    }

    fn blocked<T>(&self, body: BodyIx, expr: ExprId, reason: &'static str) -> Step<T> {
        let span = self.cx.analysis.program.body(body).expr(expr).span;
        Err(Blocked { reason, at: Some(self.at(body, span)) })
    }

    fn tree(&mut self, body: BodyIx) -> &Tree<'a> {
        self.trees.entry(body).or_insert_with(|| self.index.tree(body))
    }

    fn replace(&mut self, body: BodyIx, span: Span, text: impl Into<String>) {
        let file = self.cx.analysis.program.body_info(body).file;
        let edit = self.cx.edit(file, span, text);
        self.edits.push(edit);
    }

    fn text(&self, body: BodyIx, span: Span) -> &'a str {
        self.cx.slice(self.cx.analysis.program.body_info(body).file, span)
    }

    fn ty(&self, body: BodyIx, expr: ExprId) -> Ty {
        self.cx.analysis.types[body.0 as usize].expr(expr)
    }
}
