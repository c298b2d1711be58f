//! `unbounded-cache`: a map that only grows becomes a cache with a capacity, declaration and every use, or nothing of it.
//!
//! Only what stays right when an entry is gone is migrated: where a miss is an error, where all entries are gone through, or
//! where the value counts the entries, evicting would break more than it mends.

use rustc_hash::FxHashSet;
use uncork_lints::finding::{Applicability, Finding};
use uncork_lints::hir::{ExprId, ExprKind, ItemKind, StaticWrapper};
use uncork_lints::knowledge::{CloneCost, Container, Op};
use uncork_lints::places::{PlaceKey, UseKind, shape};
use uncork_lints::program::{BodyIx, DefId, Program};
use uncork_lints::source::{Location, Span};
use uncork_lints::ty::{Ty, TyKind};

use super::super::text::before_comments;
use super::index::Index;
use super::to::{Held, To};
use super::{Blocked, Context, Migration, Step, Target, dedup, target};
use crate::change::{Change, Plan, Refusal};

const NOT_UNDERSTOOD: &str = "the map's type is not understood";
const NEVER_REFILLED: &str =
    "nothing makes an entry again that was evicted, and the type is not called a cache";

pub(crate) fn plan(cx: &mut Context<'_>, findings: &[&Finding], plan: &mut Plan) {
    let index = Index::new(cx.analysis);
    for finding in findings {
        match migrate(cx, &index, finding) {
            Ok(change) => plan.changes.push(change),
            Err(refusal) => plan.refused.push(refusal),
        }
    }
}

fn migrate<'a>(cx: &mut Context<'a>, index: &Index<'a>, finding: &Finding) -> Result<Change, Refusal> {
    let to = To::cache(cx.options.unbounded_cache.cache);
    let (krate, manifest) =
        cx.dependency(finding.at.file, to.package(), &[]).map_err(|why| cx.refuse(finding, &why, None))?;
    let (target, ty) = target(cx, finding).ok_or_else(|| {
        cx.refuse(finding, "only fields and statics are migrated, not locals", Some(finding.at))
    })?;
    let made = Migration::cache(cx, index, target, ty, to, krate).and_then(|mut migration| {
        let place = migration.place_key();
        if !migration.is_called_cache() && !migration.is_refilled(place) {
            return Err(Blocked { reason: NEVER_REFILLED, at: None });
        }
        migration.made_again_the_same(place)?;
        migration.run()?;
        Ok(migration)
    });
    let mut migration = made.map_err(|b| cx.refuse(finding, b.reason, b.at))?;

    let name = finding.facts.iter().find(|(k, _)| k == "place").map_or("the map", |(_, v)| v.as_str());
    let title = format!(
        "bound `{name}`: make it a `{}` of at most {} entries, with {} rewritten",
        migration.plain_path(),
        grouped(cx.options.unbounded_cache.capacity),
        match migration.operations {
            1 => "1 operation".to_owned(),
            n => format!("{n} operations"),
        }
    );
    let mut caveat = String::from("entries beyond the capacity are evicted and have to be made again");
    if let Some(&at) = migration.refilled.first() {
        caveat += &format!(
            "; two that miss the same key at once may both make its value ({})",
            migration.cx.at_line(at)
        );
    }
    if migration.changed {
        caveat += "; what was changed in an entry goes with it";
    }
    if migration.peeked {
        caveat += "; reads under a shared lock do not count as use";
    }
    let edits = dedup(std::mem::take(&mut migration.edits));
    let mut change = cx.change(finding, title, Applicability::Unsafe);
    change.caveat = Some(caveat);
    change.edits = edits;
    change.manifest = manifest;
    Ok(change)
}

/// `10000` as `10_000`.
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('_');
        }
        out.push(c);
    }
    out
}

impl<'c, 'a> Migration<'c, 'a> {
    fn cache(
        cx: &'c Context<'a>,
        index: &'c Index<'a>,
        target: Target,
        ty: Ty,
        to: To,
        krate: String,
    ) -> Step<Migration<'c, 'a>> {
        let program = &cx.analysis.program;
        let no = |reason| Err(Blocked { reason, at: None });
        let Some(shape) = shape(&program.knowledge, ty) else { return no(NOT_UNDERSTOOD) };
        match shape.container {
            Some(Container::Map) => {}
            Some(Container::Set) => {
                return no("a set answers what was ever seen, which evicting would falsify");
            }
            Some(Container::OrderedMap | Container::OrderedSet) => {
                return no("an ordered map may be relied on for its order");
            }
            _ => return no(NOT_UNDERSTOOD),
        }
        if shape.cell {
            return no("the map lies in a cell");
        }
        let held = match (shape.locks, shape.concurrent) {
            (1, false) => Held::Locked,
            (0, true) => Held::Concurrent,
            (0, false) => Held::Plain,
            _ => return no(NOT_UNDERSTOOD),
        };
        let expected =
            if held == Held::Concurrent { "dashmap::DashMap" } else { "std::collections::HashMap" };
        if !shape.core.is_ext(expected) {
            return no("the map is neither one of std nor a `DashMap`");
        }
        if held == Held::Concurrent && to == To::Lru {
            return no("an `LruCache` would need a lock around it, which a `DashMap` does not");
        }
        let TyKind::Ext(_, args) = shape.core.kind() else { return no(NOT_UNDERSTOOD) };
        let [key, value, ..] = &args[..] else { return no(NOT_UNDERSTOOD) };
        let generic = |ty: &Ty| ty.any(&mut |t| matches!(t.kind(), TyKind::Param(_) | TyKind::Unknown));
        if generic(key) || generic(value) {
            return no("the map's types are generic or not known");
        }
        if to.gives_values(held) && !clonable(program, *value, 0) {
            return no("the values cannot be cloned, as a concurrent cache does when it gives them out");
        }
        if super::refill::stateful(program, *value, 8) {
            return no("the values hold state of their own, which evicting would lose");
        }
        if to == To::Moka && args.iter().any(|a| a.any(&mut |t| matches!(t.kind(), TyKind::Ref(..)))) {
            return no("the map holds references, which a `moka` cache cannot");
        }
        let mut migration = Migration::empty(cx, index, target, shape.core, to, held, false, krate);
        migration.fills = migration.filling();
        migration.capacity = Some(migration.constant());
        Ok(migration)
    }

    /// Whether the type around the map says what it is for: then whoever uses it fills it again. A field's name or
    /// comment does not say who would.
    fn is_called_cache(&self) -> bool {
        let Target::Field(def, _) = self.target else { return false };
        let name = self.cx.analysis.program.def(def).name.as_str().to_ascii_lowercase();
        name.contains("cache") || name.starts_with("memo") && !name.starts_with("memor")
    }

    /// The place as uses are told by.
    fn place_key(&self) -> PlaceKey {
        match self.target {
            Target::Field(def, name) => PlaceKey::Field(def, name),
            Target::Static(def) => PlaceKey::Static(def),
        }
    }

    /// The bodies that put entries in.
    fn filling(&self) -> FxHashSet<BodyIx> {
        let uses = self.cx.analysis.uses.uses_of(self.place_key());
        uses.iter()
            .filter(|u| matches!(u.kind, UseKind::Op(Op::Insert | Op::Entry)))
            .map(|u| u.body)
            .collect()
    }

    /// The constant's name: of the place, so that no two are the same.
    fn constant(&self) -> String {
        let program = &self.cx.analysis.program;
        let name = match self.target {
            Target::Field(def, field) => format!("{}_{field}", program.def(def).name),
            Target::Static(def) => program.def(def).name.to_string(),
        };
        let name = format!("{}_CAPACITY", screaming(&name));
        match super::decl::mentions_word(self.cx.text(self.declaring_file()), &name) {
            true => name + "_ENTRIES",
            false => name,
        }
    }

    /// Declares the capacity above what it is for.
    pub(super) fn declare_capacity(&mut self) {
        let Some(name) = self.capacity.clone() else { return };
        let program = &self.cx.analysis.program;
        let (def, what) = match self.target {
            Target::Field(def, field) => (def, format!("{}.{field}", program.def(def).name)),
            Target::Static(def) => (def, program.def(def).name.to_string()),
        };
        let item = program.item(def);
        let file = program.def(def).file;
        let number = grouped(self.cx.options.unbounded_cache.capacity.max(1));
        let indent = super::decl::indent(self.cx.text(file), item.span.lo).to_owned();
        let (ty, value) = match self.to {
            To::Moka => ("u64", number),
            To::Lru => (
                "std::num::NonZeroUsize",
                format!(
                    "match std::num::NonZeroUsize::new({number}) {{\n{indent}    Some(n) => n,\n{indent}    None => \
                     std::num::NonZeroUsize::MIN,\n{indent}}}"
                ),
            ),
            _ => ("usize", number),
        };
        let text = format!(
            "/// Entries that `{what}` holds at most; beyond, some are evicted.\n{indent}const {name}: {ty} = \
             {value};\n\n{indent}"
        );
        // Comments right above the item are its own.
        let at = before_comments(self.cx.text(file), item.span.lo);
        let edit = self.cx.edit(file, Span::new(at, at), text);
        self.edits.push(edit);
    }

    /// `CAPACITY` as a body can say it.
    pub(super) fn capacity_in(&self, body: BodyIx, at: ExprId) -> Step<String> {
        let program = &self.cx.analysis.program;
        let (Target::Field(def, _) | Target::Static(def)) = self.target;
        let same = program.body_info(body).file == program.def(def).file
            && program.body(body).scope == program.item(def).scope;
        match &self.capacity {
            Some(name) if same => Ok(name.clone()),
            _ => self.blocked(body, at, "the map is made in another module than it is declared in"),
        }
    }

    /// Traits that the struct derives and the cache lacks; statics that are not plain.
    pub(super) fn cache_can_stand_there(&self, file: uncork_lints::source::FileId) -> Step {
        let program = &self.cx.analysis.program;
        let (Target::Field(def, _) | Target::Static(def)) = self.target;
        let item = program.item(def);
        let at = Some(Location { file, span: item.name_span });
        if let ItemKind::Static { wrapper, .. } = &item.kind
            && *wrapper != StaticWrapper::Plain
        {
            return Err(Blocked { reason: "the static stands in a macro", at });
        }
        let derives = |name: &str| item.attrs.derives.iter().any(|d| d.as_str() == name);
        if derives("Default") {
            return Err(Blocked {
                reason: "the struct derives `Default`, which has no capacity to give",
                at,
            });
        }
        if derives("Clone") && !self.in_handle && self.held != Held::Locked {
            return Err(Blocked {
                reason: "the struct derives `Clone`, and the map would be copied whole",
                at,
            });
        }
        Ok(())
    }

    /// A read whose miss is answered by an error would fail once the entry is evicted.
    pub(super) fn miss_may_happen(&mut self, body: BodyIx, id: ExprId) -> Step {
        const REASON: &str = "a missing entry is an error here, and evicting makes some miss";
        let hir = self.cx.analysis.program.body(body);
        let mut here = id;
        while let Some((parent, ExprKind::Method { recv, name, .. })) = self.tree(body).parent_kind(here) {
            if *recv != here {
                break;
            }
            match name.as_str() {
                "unwrap" | "expect" | "ok_or" | "ok_or_else" | "unwrap_unchecked" => {
                    return self.blocked(body, parent, REASON);
                }
                "cloned" | "copied" | "map" | "as_ref" | "filter" | "and_then" => here = parent,
                _ => break,
            }
        }
        if self.fills.contains(&body) {
            return Ok(());
        }
        let miss: Vec<ExprId> = match self.tree(body).parent_kind(here) {
            Some((_, ExprKind::Match { arms, .. })) => {
                arms.iter().map(|arm| arm.body).filter(|&b| !self.uses_binding(body, b)).collect()
            }
            Some((cond, ExprKind::Let { .. })) => match self.tree(body).parent_kind(cond) {
                Some((_, ExprKind::If { els: Some(els), .. })) => vec![*els],
                _ => Vec::new(),
            },
            _ => match self.tree(body).stmt_of(here).and_then(|at| self.tree(body).stmt(at)) {
                Some(uncork_lints::hir::Stmt::Let { els: Some(els), .. }) => vec![*els],
                _ => Vec::new(),
            },
        };
        for part in miss {
            let tree = self.tree(body);
            if tree.ids().any(|e| tree.within(e, part) && is_error(hir, e)) {
                return self.blocked(body, id, REASON);
            }
        }
        Ok(())
    }

    /// Whether an arm's body is that of a hit: it uses what its pattern binds.
    fn uses_binding(&self, body: BodyIx, arm: ExprId) -> bool {
        let hir = self.cx.analysis.program.body(body);
        let Some(tree) = self.trees.get(&body) else { return false };
        let Some((_, ExprKind::Match { arms, .. })) = tree.parent_kind(arm) else { return false };
        let pattern = arms.iter().find(|a| a.body == arm).map(|a| hir.pat(a.pat).span);
        pattern.is_some_and(|span| hir.locals.iter().any(|l| span.contains(l.span)))
    }
}

/// `Err(…)` or a panic.
fn is_error(hir: &uncork_lints::hir::Body, id: ExprId) -> bool {
    let last = |path: &uncork_lints::hir::Path| path.segments.last().map(|s| s.name);
    match &hir.expr(id).kind {
        ExprKind::Call { callee, .. } => {
            matches!(&hir.expr(*callee).kind, ExprKind::Path(p) if last(p).is_some_and(|n| n.as_str() == "Err"))
        }
        ExprKind::Macro(call) => last(&call.path).is_some_and(|n| {
            matches!(n.as_str(), "panic" | "unreachable" | "bail" | "todo" | "unimplemented")
        }),
        _ => false,
    }
}

/// `QueryPlans_byText` as `QUERY_PLANS_BY_TEXT`.
fn screaming(name: &str) -> String {
    let mut out = String::new();
    let mut before = '_';
    for c in name.chars() {
        if c.is_uppercase() && (before.is_lowercase() || before.is_ascii_digit()) {
            out.push('_');
        }
        out.extend(c.to_uppercase());
        before = c;
    }
    out
}

/// Whether values of a type can be cloned, as far as it is known.
pub(super) fn clonable(program: &Program, ty: Ty, depth: u8) -> bool {
    if depth > 6 {
        return false;
    }
    let all = |parts: &[Ty]| parts.iter().all(|&t| clonable(program, t, depth + 1));
    match ty.kind() {
        TyKind::Bool | TyKind::Char | TyKind::Int(_) | TyKind::Float(_) | TyKind::Ref(false, _) => true,
        TyKind::Tuple(parts) => all(parts),
        TyKind::Array(item) => clonable(program, *item, depth + 1),
        TyKind::Ext(path, args) => match program.knowledge.types.get(path).map(|i| (i.clone, i.shared)) {
            Some((_, true)) | Some((CloneCost::Cheap, _)) => true,
            Some((CloneCost::Deep | CloneCost::Args, _)) => all(args),
            _ => matches!(
                path.as_str(),
                "std::time::Instant" | "std::time::SystemTime" | "std::time::Duration"
            ),
        },
        TyKind::Adt(def, _) => {
            program.item(*def).attrs.derives.iter().any(|d| d.as_str() == "Clone") || clones(program, *def)
        }
        _ => false,
    }
}

fn clones(program: &Program, def: DefId) -> bool {
    let decls = &program.decls;
    decls.impl_trait.iter().any(|(impl_, bound)| {
        decls.impl_self_def(*impl_) == Some(def)
            && matches!(bound.trait_, uncork_lints::ty::TraitRef::Ext(n) if n.as_str() == "std::clone::Clone")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        assert_eq!(screaming("QueryPlans_by_text"), "QUERY_PLANS_BY_TEXT");
        assert_eq!(screaming("LRUCache2Go_x"), "LRUCACHE2_GO_X");
        assert_eq!(grouped(10_000), "10_000");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1_234_567");
    }
}
