//! `poison = "parking-lot"`: the lock itself becomes one that does not poison, declaration and every use, or nothing of it.

mod uses;

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};
use uncork_lints::finding::{Applicability, Finding};
use uncork_lints::hir::{ExprId, ExprKind, ItemKind, LocalId, PatKind, Path, Stmt, TypeKind, TypeRef};
use uncork_lints::name::Name;
use uncork_lints::program::{BodyIx, DefId, Program, Res};
use uncork_lints::source::{FileId, Location, Span};
use uncork_lints::ty::{Subst, Ty, TyKind};

use super::super::Context;
use super::super::shared_map::index::Index;
use super::super::tree::Tree;
use crate::change::{Change, Plan};
use crate::edit::Edit;

const WRAPPERS: [&str; 5] = ["Arc", "LazyLock", "Lazy", "Box", "Rc"];
const MADE: &str = "the lock is made in a way that is not understood";
const HANDED_OUT: &str = "the lock is handed out";
const POISON: &str = "code acts on the lock being poisoned";

/// A lock by its declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Target {
    Field(DefId, Name),
    Static(DefId),
}

struct Blocked {
    reason: &'static str,
    at: Option<Location>,
}

type Step<T = ()> = Result<T, Blocked>;

pub(super) fn plan(cx: &mut Context<'_>, findings: &[&Finding], plan: &mut Plan) {
    let index = Index::new(cx.analysis);
    let mut of: FxHashMap<Target, Vec<&Finding>> = FxHashMap::default();
    for finding in findings {
        match which(cx, &index, finding) {
            Ok(target) => of.entry(target).or_default().push(finding),
            Err(b) => plan.refused.push(cx.refuse(finding, b.reason, b.at)),
        }
    }
    let mut locks: Vec<(Target, Vec<&Finding>)> = of.into_iter().collect();
    locks.sort_by_key(|(target, _)| *target);
    for (target, own) in locks {
        match migrate(cx, &index, target, &own) {
            Ok(change) => plan.changes.push(change),
            Err((reason, at)) => plan.refused.extend(own.iter().map(|f| cx.refuse(f, &reason, at))),
        }
    }
}

/// The lock whose result a finding unwraps.
fn which(cx: &Context<'_>, index: &Index<'_>, finding: &Finding) -> Step<Target> {
    let here = Some(finding.at);
    let no = |reason| Blocked { reason, at: here };
    let panic =
        super::find(cx, finding).ok_or_else(|| no("the call is written in a way that is not understood"))?;
    let hir = panic.tree.body;
    let ExprKind::Method { recv, .. } = &hir.expr(panic.result).kind else {
        return Err(no("the result of the lock was kept before it was unwrapped"));
    };
    let tree = index.tree(panic.body);
    let program = &cx.analysis.program;
    place(cx, &tree, panic.body, *recv, 0).ok_or_else(|| {
        let ty = cx.analysis.types[panic.body.0 as usize].expr(*recv);
        match ty.peel_refs().kind() {
            TyKind::Ext(path, _) if path.as_str() == "std::sync::Condvar" => {
                no("a condition variable of std waits with a guard of std")
            }
            _ => Blocked {
                reason: "the lock is a local or a parameter, not a field or static",
                at: Some(program.at(panic.body, hir.expr(*recv).span)),
            },
        }
    })
}

/// The declaration behind an expression: a field, a static, or a local that is a handle to one.
fn place(cx: &Context<'_>, tree: &Tree<'_>, body: BodyIx, id: ExprId, depth: u8) -> Option<Target> {
    if depth > 4 {
        return None;
    }
    let hir = tree.body;
    match &hir.expr(id).kind {
        ExprKind::Field { base, name, .. } => {
            let base = cx.analysis.types[body.0 as usize].expr(*base);
            owner(&cx.analysis.program, base, *name).map(|def| Target::Field(def, *name))
        }
        ExprKind::Path(_) => match cx.analysis.types[body.0 as usize].res(id) {
            Some(Res::Def(def)) => Some(Target::Static(def)),
            _ => None,
        },
        ExprKind::Local(local) => {
            let init = init_of(tree, *local)?;
            let inner = match &hir.expr(init).kind {
                ExprKind::Method { recv, name, args, .. } if name.as_str() == "clone" && args.is_empty() => {
                    *recv
                }
                ExprKind::Call { args, .. } if args.len() == 1 => match hir.expr(args[0]).kind {
                    ExprKind::Ref { expr, .. } => expr,
                    _ => return None,
                },
                ExprKind::Ref { expr, .. } => *expr,
                _ => return None,
            };
            place(cx, tree, body, inner, depth + 1)
        }
        _ => None,
    }
}

fn init_of(tree: &Tree<'_>, local: LocalId) -> Option<ExprId> {
    let hir = tree.body;
    hir.exprs.iter().find_map(|e| {
        match &e.kind {
        ExprKind::Block(block) => block.stmts.iter().find_map(|s| match s {
            Stmt::Let { pat, init: Some(init), els: None, .. }
                if matches!(hir.pat(*pat).kind, PatKind::Bind { local: l, sub: None } if l == local) =>
            {
                Some(*init)
            }
            _ => None,
        }),
        _ => None,
    }
    })
}

/// Whose field it is, through handles and guards; `None` if that is not known.
fn owner(program: &Program, base: Ty, field: Name) -> Option<DefId> {
    let mut ty = base;
    for _ in 0..12 {
        match ty.kind() {
            TyKind::Ref(_, inner) => ty = *inner,
            TyKind::Adt(def, _) => return program.decls.field(*def, field).map(|_| *def),
            TyKind::Ext(path, args) => {
                let info = program.knowledge.types.get(path)?;
                ty = info.deref?.subst(&Subst::pair(info.params.iter().copied(), args));
            }
            _ => return None,
        }
    }
    None
}

fn migrate<'a>(
    cx: &mut Context<'a>,
    index: &Index<'a>,
    target: Target,
    findings: &[&Finding],
) -> Result<Change, (String, Option<Location>)> {
    let program = &cx.analysis.program;
    let (Target::Field(def, _) | Target::Static(def)) = target;
    let file = program.def(def).file;
    let (krate, manifest) = cx.dependency(file, "parking_lot", &[]).map_err(|why| (why, None))?;
    let mut migration = Migration {
        cx,
        index,
        target,
        krate,
        edits: Vec::new(),
        aliases: FxHashSet::default(),
        name: String::new(),
    };
    migration.run().map_err(|b| (b.reason.to_owned(), b.at))?;
    let Migration { mut edits, name, .. } = migration;
    let mut seen = FxHashSet::default();
    edits.retain(|e| seen.insert(e.clone()));
    super::super::shared_map::without_unused(cx, &mut edits);
    let place = match target {
        Target::Field(def, field) => format!("{}.{field}", program.def(def).name),
        Target::Static(def) => program.def(def).name.to_string(),
    };
    let title = format!("make `{place}` a `parking_lot::{name}`, which does not poison");
    let Some(first) = findings.first() else { return Err((MADE.to_owned(), None)) };
    let mut change = cx.change(first, title, Applicability::Unsafe);
    change.fingerprints = findings.iter().map(|f| cx.fingerprint(f)).collect();
    change.caveat = Some(
        "after a panic in another thread this one goes on with what that thread left, in place of panicking too"
            .into(),
    );
    change.edits = edits;
    change.manifest = manifest;
    Ok(change)
}

struct Migration<'c, 'a> {
    cx: &'c Context<'a>,
    index: &'c Index<'a>,
    target: Target,
    krate: String,
    edits: Vec<Edit>,
    aliases: FxHashSet<(BodyIx, LocalId)>,
    /// `Mutex` or `RwLock`.
    name: String,
}

impl<'a> Migration<'_, 'a> {
    fn run(&mut self) -> Step {
        self.declaration()?;
        let mentions = self.mentions()?;
        let mut bodies: Vec<BodyIx> = mentions.iter().map(|(body, _)| *body).collect();
        bodies.dedup();
        for &body in &bodies {
            self.no_guard_is_named(body)?;
        }
        for (body, id) in mentions {
            self.mention(body, id)?;
        }
        Ok(())
    }

    fn blocked<T>(&self, body: BodyIx, id: ExprId, reason: &'static str) -> Step<T> {
        let program = &self.cx.analysis.program;
        Err(Blocked { reason, at: Some(program.at(body, program.body(body).expr(id).span)) })
    }

    fn replace(&mut self, body: BodyIx, span: Span, text: impl Into<String>) {
        let edit = self.cx.edit(self.cx.analysis.program.body_info(body).file, span, text);
        self.edits.push(edit);
    }

    fn text(&self, body: BodyIx, span: Span) -> &'a str {
        self.cx.slice(self.cx.analysis.program.body_info(body).file, span)
    }

    fn ty(&self, body: BodyIx, id: ExprId) -> Ty {
        self.cx.analysis.types[body.0 as usize].expr(id)
    }

    fn tree(&self, body: BodyIx) -> Rc<Tree<'a>> {
        self.index.tree(body)
    }

    fn declaration(&mut self) -> Step {
        let program = &self.cx.analysis.program;
        let (def, ty, declared) = match self.target {
            Target::Field(def, field) => {
                let fields = match &program.item(def).kind {
                    ItemKind::Struct(s) => &s.fields[..],
                    _ => &[],
                };
                let decl = fields.iter().find(|f| f.name == field);
                (def, decl.map(|f| &f.ty), program.decls.field(def, field))
            }
            Target::Static(def) => match &program.item(def).kind {
                ItemKind::Static { ty, .. } => (def, Some(ty), program.decls.statics.get(&def).copied()),
                _ => (def, None, None),
            },
        };
        let item = program.item(def);
        let file = program.def(def).file;
        let at = |ty: Option<&TypeRef>| Some(Location { file, span: ty.map_or(item.name_span, |t| t.span) });
        let no = |reason| Blocked { reason, at: at(ty) };
        if item.from_macro {
            return Err(no("the declaration stands in a macro"));
        }
        if item.attrs.derives.iter().any(|d| matches!(d.as_str(), "Serialize" | "Deserialize")) {
            return Err(no("the struct derives `Serialize`, which the lock has only by a feature"));
        }
        let mut here = ty.ok_or_else(|| no("the declaration is spelled in a way that is not understood"))?;
        let mut meant = declared.unwrap_or(Ty::UNKNOWN);
        loop {
            let TypeKind::Path(path) = &here.kind else {
                return Err(no("the declaration is spelled in a way that is not understood"));
            };
            let Some(segment) = path.segments.last() else { return Err(no(MADE)) };
            let name = segment.name.as_str();
            let inner = match meant.kind() {
                TyKind::Ext(lock, _)
                    if matches!(lock.as_str(), "std::sync::Mutex" | "std::sync::RwLock")
                        && lock.as_str().ends_with(&format!("::{name}")) =>
                {
                    self.name = name.to_owned();
                    self.new_path(file, path, 0);
                    return Ok(());
                }
                TyKind::Ext(_, args) => args.first().copied(),
                _ => None,
            };
            let args = segment.args.as_ref().map_or(&[][..], |a| &a.types[..]);
            match (args, inner) {
                ([next, ..], Some(next_ty)) if WRAPPERS.contains(&name) => {
                    here = next;
                    meant = next_ty;
                }
                _ => return Err(no("the declaration hides the lock behind an alias or another type")),
            }
        }
    }

    /// A path to the lock, but for its last `rest` segments, becomes one to that of `parking_lot`.
    fn new_path(&mut self, file: FileId, path: &Path, rest: usize) {
        let Some(segment) = path.segments.len().checked_sub(1 + rest).and_then(|i| path.segments.get(i))
        else {
            return;
        };
        let span = Span::new(path.span.lo, segment.span.hi);
        let edit = self.cx.edit(file, span, format!("{}::{}", self.krate, self.name));
        self.edits.push(edit);
    }

    /// All mentions of the lock; what it is made with is rewritten on the way.
    fn mentions(&mut self) -> Step<Vec<(BodyIx, ExprId)>> {
        let program = &self.cx.analysis.program;
        let (def, field) = match self.target {
            Target::Static(def) => {
                let out = self.index.statics.get(&def).cloned().unwrap_or_default();
                for (number, info) in program.bodies.iter().enumerate() {
                    let body = BodyIx(number as u32);
                    if info.owner == def && matches!(program.item(def).kind, ItemKind::Static { .. }) {
                        self.made(body, program.body(body).root)?;
                    }
                }
                return Ok(out);
            }
            Target::Field(def, field) => (def, field),
        };
        for &(body, pat) in self.index.patterns.get(&def).into_iter().flatten() {
            let pat = program.body(body).pat(pat);
            let PatKind::Struct { fields, .. } = &pat.kind else { continue };
            let named = fields.iter().find(|(name, _)| *name == field);
            if named.is_some_and(|(_, p)| !matches!(program.body(body).pat(*p).kind, PatKind::Wild)) {
                return Err(Blocked {
                    reason: "the field is taken out by a pattern",
                    at: Some(program.at(body, pat.span)),
                });
            }
        }
        let mut out = Vec::new();
        for &(body, id) in self.index.fields.get(&field).into_iter().flatten() {
            let ExprKind::Field { base, .. } = program.body(body).expr(id).kind else { continue };
            let tree = self.tree(body);
            if !tree.hangs(id) {
                continue;
            }
            let base = self.ty(body, base);
            match owner(program, base, field) {
                Some(owner) if owner == def => out.push((body, id)),
                Some(_) => {}
                None => {
                    let acquires = matches!(tree.parent_kind(id), Some((_, ExprKind::Method { recv, name, .. }))
                        if *recv == id && matches!(name.as_str(), "lock" | "read" | "write" | "try_lock"));
                    let unknown = base.any(&mut |t| matches!(t.kind(), TyKind::Unknown | TyKind::Var(_)));
                    if acquires && unknown {
                        return self.blocked(body, id, "a use through a value whose type is not known");
                    }
                }
            }
        }
        for &(body, id) in self.index.constructors.get(&def).into_iter().flatten() {
            if !self.tree(body).hangs(id) {
                continue;
            }
            match &program.body(body).expr(id).kind {
                ExprKind::Struct { fields, .. } => {
                    if let Some(init) = fields.iter().find(|f| f.name == field) {
                        self.made(body, init.value)?;
                    }
                }
                ExprKind::Call { args, .. } => {
                    if let Some(&arg) = field.as_str().parse::<usize>().ok().and_then(|i| args.get(i)) {
                        self.made(body, arg)?;
                    }
                }
                _ => {}
            }
        }
        Ok(out)
    }

    /// What the lock is made with.
    fn made(&mut self, body: BodyIx, value: ExprId) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let file = self.cx.analysis.program.body_info(body).file;
        match &hir.expr(value).kind {
            ExprKind::Call { callee, args } => {
                let ExprKind::Path(path) = &hir.expr(*callee).kind else {
                    return self.blocked(body, value, MADE);
                };
                let names: Vec<&str> = path.segments.iter().map(|s| s.name.as_str()).collect();
                match (&names[..], &args[..]) {
                    ([.., "Default", "default"] | ["default"], []) => Ok(()),
                    ([.., wrapper, "default"], []) if WRAPPERS.contains(wrapper) => Ok(()),
                    ([.., lock, "new" | "default" | "from"], _) if *lock == self.name => {
                        self.new_path(file, path, 1);
                        Ok(())
                    }
                    ([.., wrapper, "new"], [inner]) if WRAPPERS.contains(wrapper) => self.made(body, *inner),
                    ([.., "Arc" | "Rc" | "Clone", "clone"], [inner]) => match hir.expr(*inner).kind {
                        ExprKind::Ref { expr, .. } => self.made(body, expr),
                        _ => self.made(body, *inner),
                    },
                    _ => self.blocked(body, value, MADE),
                }
            }
            ExprKind::Path(path) => match path.segments.last().map(|s| s.name.as_str()) {
                Some("default")
                    if path.segments.len() == 2 && path.segments[0].name.as_str() == "Default" =>
                {
                    Ok(())
                }
                _ => self.blocked(body, value, MADE),
            },
            ExprKind::Closure(closure) => self.made(body, closure.body),
            ExprKind::Block(block) => match block.tail {
                Some(tail) => self.made(body, tail),
                None => self.blocked(body, value, MADE),
            },
            ExprKind::Method { recv, name, args, .. } if name.as_str() == "clone" && args.is_empty() => {
                self.made(body, *recv)
            }
            ExprKind::Field { .. }
                if place(self.cx, &self.tree(body), body, value, 0) == Some(self.target) =>
            {
                Ok(())
            }
            ExprKind::Local(local) => {
                let local = *local;
                if !self.aliases.insert((body, local)) {
                    return Ok(());
                }
                let tree = self.tree(body);
                let Some(init) = init_of(&tree, local) else {
                    return self.blocked(body, value, "the lock is made elsewhere and passed in");
                };
                self.made(body, init)?;
                for one in tree.uses(local) {
                    if one != value && !self.goes_into_place(body, one) {
                        self.mention(body, one)?;
                    }
                }
                Ok(())
            }
            _ => self.blocked(body, value, MADE),
        }
    }

    /// Whether a use of a local (or a clone of it) is the value of the field in a literal.
    fn goes_into_place(&self, body: BodyIx, id: ExprId) -> bool {
        let Target::Field(def, field) = self.target else { return false };
        let tree = self.tree(body);
        let mut here = id;
        for _ in 0..4 {
            let Some((parent, kind)) = tree.parent_kind(here) else { return false };
            match kind {
                ExprKind::Struct { fields, .. } => {
                    return matches!(self.ty(body, parent).peel_refs().kind(), TyKind::Adt(d, _) if *d == def)
                        && fields.iter().any(|f| f.name == field && f.value == here);
                }
                ExprKind::Method { recv, name, .. } if *recv == here && name.as_str() == "clone" => {
                    here = parent
                }
                ExprKind::Ref { .. } => here = parent,
                ExprKind::Call { callee, .. } => {
                    let clone = matches!(&tree.body.expr(*callee).kind, ExprKind::Path(p)
                        if p.segments.last().is_some_and(|s| s.name.as_str() == "clone"));
                    if !clone {
                        return false;
                    }
                    here = parent;
                }
                _ => return false,
            }
        }
        false
    }

    /// A function that gives a guard away says its type, and so does a `let` with a type.
    fn no_guard_is_named(&self, body: BodyIx) -> Step {
        let program = &self.cx.analysis.program;
        let info = program.body_info(body);
        let guard = |ty: Ty| {
            ty.any(&mut |t| {
                matches!(t.kind(), TyKind::Ext(p, _) if matches!(p.as_str(),
                "std::sync::MutexGuard" | "std::sync::RwLockReadGuard" | "std::sync::RwLockWriteGuard"
                | "std::sync::PoisonError"))
            })
        };
        let reason = "a guard of std is named in a type";
        if program
            .decls
            .sigs
            .get(&info.owner)
            .is_some_and(|s| guard(s.ret) || s.params.iter().any(|&p| guard(p)))
        {
            return Err(Blocked { reason, at: Some(program.name_location(info.owner)) });
        }
        let hir = program.body(body);
        for expr in &hir.exprs {
            let ExprKind::Block(block) = &expr.kind else { continue };
            for stmt in &block.stmts {
                if let Stmt::Let { ty: Some(_), init: Some(init), .. } = stmt
                    && guard(self.ty(body, *init))
                {
                    return self.blocked(body, *init, reason);
                }
            }
        }
        Ok(())
    }
}
