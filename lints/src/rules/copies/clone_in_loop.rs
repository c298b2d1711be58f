//! Finds a clone of a value that owns heap memory, made in each turn of a loop, that could be a move or a borrow.
//!
//! ## Why it is bad
//!
//! Each turn allocates and copies what is thrown away right after. In a loop over a million rows of 500 bytes that is
//! half a gigabyte of copies, and the allocator is where the threads meet.
//!
//! ## Example
//!
//! ```rust
//! fn process(rows: Vec<Row>) -> Vec<Row> {
//!     let mut out = Vec::new();
//!     for row in rows {
//!         out.push(normalise(row.clone())); // `row` is not used again
//!     }
//!     out
//! }
//! ```
//!
//! ## Use instead
//!
//! Move the item (`normalise(row)`); iterate by value (`for row in rows`, `into_iter()`) where the collection is not used
//! afterwards; pass a borrow where the callee only reads; where a key is looked up and inserted if it is missing, `entry`.
//!
//! ## Not reported
//!
//! Clones of handles (`Arc`, `Rc`, `Sender`, `Bytes`) and of `Copy` values, clones moved into spawned closures or futures, clones of
//! something that is used again, borrowed elsewhere, or not owned here, clones on a path that leaves the loop.
//!
//! ## Known limits
//!
//! A type whose `Clone` is written by hand, and type parameters, are taken for possibly cheap: nothing is said.

use rayon::prelude::*;
use rustc_hash::FxHashSet;

use crate::Analysis;
use crate::clone_sites::{CloneSite, Frame, bound_by, clone_sites, costly, local_path};
use crate::finding::{Applicability, Confidence, Finding, Level, Severity};
use crate::flow::liveness::Liveness;
use crate::hir::{Body, ExprId, ExprKind};
use crate::infer::{BodyTypes, Callee};
use crate::name::well_known;
use crate::program::{BodyIx, Program};
use crate::rule::{Group, Rule};
use crate::ty::TyKind;

use super::lookup::{self, awaited};
use super::ownership::{only_reads, outermost_chain};

/// The declaration.
pub const RULE: Rule = Rule {
    id: "clone-in-loop",
    group: Group::Copies,
    level: Level::Warn,
    severity: Severity::High,
    since: "0.1.0",
    fix: Some(Applicability::Safe),
    summary: "a costly clone in each turn of a loop that a move or a borrow would save",
    source: include_str!("clone_in_loop.rs"),
    check,
};

fn check(cx: &Analysis, out: &mut Vec<Finding>) {
    let found: Vec<Vec<Finding>> =
        (0..cx.program.bodies.len()).into_par_iter().map(|i| check_body(cx, BodyIx(i as u32))).collect();
    out.extend(found.into_iter().flatten());
}

fn check_body(cx: &Analysis, ix: BodyIx) -> Vec<Finding> {
    let program = &cx.program;
    let types = &cx.types[ix.0 as usize];
    let sites: Vec<CloneSite> = clone_sites(program, ix, types)
        .into_iter()
        .filter(|s| {
            let looped = s.innermost_loop().is_some() || s.of_items;
            looped && costly(program, s.ty) == Some(true)
        })
        .collect();
    if sites.is_empty() {
        return Vec::new();
    }
    let body = program.body(ix);
    let mut points: FxHashSet<ExprId> = FxHashSet::default();
    for site in &sites {
        points.insert(site.expr);
        for frame in &site.frames {
            match frame {
                Frame::Loop(id) => points.insert(*id),
                Frame::Adaptor { call, .. } => points.insert(outermost_chain(body, *call)),
                Frame::Closure(_) => false,
            };
        }
        points.insert(outermost_chain(body, site.expr));
    }
    let liveness = Liveness::of(program, ix, types, &points);
    let judge = Judge { cx, program, body, ix, types, liveness };
    let mut out = Vec::new();
    for site in &sites {
        if let Some(finding) = judge.site(site) {
            out.push(finding);
        }
    }
    out
}

/// What is known of one body.
pub(super) struct Judge<'a> {
    pub(super) cx: &'a Analysis,
    pub(super) program: &'a Program,
    pub(super) body: &'a Body,
    pub(super) ix: BodyIx,
    pub(super) types: &'a BodyTypes,
    pub(super) liveness: Liveness,
}

impl Judge<'_> {
    fn site(&self, site: &CloneSite) -> Option<Finding> {
        if site.of_items {
            return self.cloned_items(site);
        }
        let frame = site.innermost_loop()?;
        let loop_ = match frame {
            Frame::Loop(id) => id,
            Frame::Adaptor { closure, .. } => closure,
            Frame::Closure(_) => return None,
        };
        if !self.liveness.goes_round(site.expr, loop_) {
            return None;
        }
        self.owned_item(site, frame)
            .or_else(|| self.dead_collection(site, frame))
            .or_else(|| self.read_only(site, frame))
            .or_else(|| self.looked_up(site, frame))
    }

    /// (a) The item is owned and not used again in this turn.
    fn owned_item(&self, site: &CloneSite, frame: Frame) -> Option<Finding> {
        let (local, fields) = local_path(self.body, site.base)?;
        if site.behind || !self.owns(local) || !self.bound_inside(local, frame) {
            return None;
        }
        // `pair.0.clone()` with `pair: (&K, &V)` copies what somebody else owns.
        if fields && !(self.movable_path(site.base) && self.owned(self.types.expr(site.base))) {
            return None;
        }
        // `Option<&T>::cloned`: what the reference leads to is somebody else's.
        if matches!(&self.body.expr(site.expr).kind, ExprKind::Method { name, .. } if *name == well_known::CLONED)
        {
            return None;
        }
        if self.liveness.live_after(site.expr, local) {
            return None;
        }
        let name = self.text(site.base);
        let mut finding = self.finding(
            site,
            format!("`{name}` is cloned in each turn of the loop and not used again: move it"),
            "cloned, then dropped unused",
        );
        finding.help = format!("write `{name}` instead of the clone");
        finding.fix = Some(Applicability::Safe);
        finding.fact("kind", "owned-item");
        Some(finding)
    }

    /// (b) The collection is owned and dead after the loop; its items could be taken out by value.
    fn dead_collection(&self, site: &CloneSite, frame: Frame) -> Option<Finding> {
        let ExprKind::Local(item) = self.body.expr(site.base).kind else { return None };
        // One reference: the item of `iter()` or `&collection`.
        let TyKind::Ref(false, inner) = self.types.local(item).kind() else { return None };
        if matches!(inner.kind(), TyKind::Ref(..)) || *inner != site.ty {
            return None;
        }
        let (source, done) = match frame {
            Frame::Loop(id) => {
                let ExprKind::For { pat, iter, .. } = &self.body.expr(id).kind else { return None };
                if !bound_by(self.body, *pat).contains(&item) {
                    return None;
                }
                (*iter, id)
            }
            Frame::Adaptor { closure, call } => {
                let ExprKind::Closure(c) = &self.body.expr(closure).kind else { return None };
                let ExprKind::Method { recv, name, .. } = &self.body.expr(call).kind else { return None };
                // Adaptors that give the item itself to their closure.
                if !matches!(name.as_str(), "map" | "for_each" | "flat_map" | "filter_map") {
                    return None;
                }
                if !c.params.iter().any(|p| bound_by(self.body, p.pat).contains(&item)) {
                    return None;
                }
                (*recv, outermost_chain(self.body, call))
            }
            Frame::Closure(_) => return None,
        };
        if self.liveness.live_after(site.expr, item) {
            return None;
        }
        let collection = self.dead_source(source, done, Some(site.expr))?;
        let name = self.text(site.base);
        let mut finding = self.finding(
            site,
            format!(
                "`{name}` is cloned in each turn, and `{collection}` is not used after the loop: iterate it by value"
            ),
            "a copy of an item that nobody else needs",
        );
        finding.help = format!("iterate with `{collection}.into_iter()` and move `{name}`");
        finding.fix = Some(Applicability::Safe);
        finding.fact("kind", "dead-collection");
        finding.fact("collection", collection);
        Some(finding)
    }

    /// `.iter().cloned()` on a collection that is owned and dead afterwards.
    fn cloned_items(&self, site: &CloneSite) -> Option<Finding> {
        if site.frames.iter().any(|f| matches!(f, Frame::Closure(_))) && site.innermost_loop().is_none() {
            // Inside a closure that may run again the collection is not ours to consume, unless it is bound there.
        }
        let ExprKind::Method { recv, name, .. } = &self.body.expr(site.base).kind else { return None };
        if name.as_str() != "iter" {
            return None;
        }
        let chain = outermost_chain(self.body, site.expr);
        let collection = self.dead_source(site.base, chain, None)?;
        let (local, _) = local_path(self.body, *recv)?;
        if !self.same_closure(local, &site.frames) {
            return None;
        }
        let mut finding = self.finding(
            site,
            format!("every item of `{collection}` is cloned, and `{collection}` is not used again: take the items out"),
            "copies what could be moved",
        );
        finding.help = format!("write `{collection}.into_iter()` without the `cloned()`");
        finding.fix = Some(Applicability::Safe);
        finding.fact("kind", "cloned-items");
        finding.fact("collection", collection);
        Some(finding)
    }

    /// (c) Cloned only to lend the copy.
    fn read_only(&self, site: &CloneSite, frame: Frame) -> Option<Finding> {
        let (call, position, by_ref) = site.argument?;
        let (local, _) = local_path(self.body, site.base)?;
        if self.bound_inside(local, frame) && !by_ref {
            return None;
        }
        // The copy may be there because the callee changes the original through its receiver.
        if self.changes(call, local) {
            return None;
        }
        let name = self.text(site.base);
        if by_ref {
            let mut finding = self.finding(
                site,
                format!("`{name}` is cloned in each turn only to lend the copy: lend `{name}` itself"),
                "a copy made to be borrowed",
            );
            finding.help = format!("pass `&{name}`");
            finding.fix = Some(Applicability::Safe);
            finding.fact("kind", "borrowed-copy");
            return Some(finding);
        }
        if self.assigned_inside(local, frame) {
            return None;
        }
        let Callee::Fn(def) = self.types.callee(call) else { return None };
        // A future that is not awaited at once may outlive what it would borrow.
        let is_async = self.program.fn_item(def).is_some_and(|f| f.is_async);
        if !only_reads(self.cx, def, position)
            || (is_async && !awaited(self.program, self.body, self.types, call))
        {
            return None;
        }
        let callee = self.program.display(def);
        let mut finding = self.finding(
            site,
            format!("`{name}` does not change in the loop, and `{callee}` only reads it: each turn's clone is wasted"),
            "the same value copied each turn",
        );
        finding.help = format!("let `{callee}` take a reference");
        finding.confidence = Confidence::Medium;
        finding.fix = Some(Applicability::Display);
        finding.relate(
            self.program.name_location(def),
            format!("`{callee}` takes it by value and only reads it"),
        );
        finding.fact("kind", "read-only-callee");
        Some(finding)
    }

    /// (d) Looked up, then inserted under a copy of the key, though the key is this turn's own.
    fn looked_up(&self, site: &CloneSite, frame: Frame) -> Option<Finding> {
        let (key, false) = local_path(self.body, site.base)? else { return None };
        if site.behind || !self.owns(key) || !self.bound_inside(key, frame) {
            return None;
        }
        let root = match frame {
            Frame::Loop(id) | Frame::Adaptor { closure: id, .. } | Frame::Closure(id) => id,
        };
        let found = lookup::before_insert(self.program, self.body, self.types, root, site, key)?;
        let (name, map) = (self.text(site.base), self.text(found.map));
        let mut finding = self.finding(
            site,
            format!("`{name}` is looked up in `{map}` and then cloned to be inserted: `entry` takes the key itself"),
            "a copy that `entry` saves, and a second search",
        );
        finding.help = format!("write `{map}.entry({name})` and go on with the reference it gives");
        finding.confidence = Confidence::Medium;
        finding.fix = Some(Applicability::Display);
        finding.relate(
            self.program.at(self.ix, self.one_line(self.body.expr(found.lookup).span)),
            "looked up here",
        );
        finding.fact("kind", "lookup-insert");
        Some(finding)
    }

    fn one_line(&self, span: crate::source::Span) -> crate::source::Span {
        self.cx.sources.get(self.program.body_info(self.ix).file).one_line(span)
    }

    fn finding(&self, site: &CloneSite, message: String, label: &str) -> Finding {
        let expr = self.body.expr(site.expr);
        let file = self.cx.sources.get(self.program.body_info(self.ix).file);
        let span = match &expr.kind {
            ExprKind::Method { name_span, .. }
                if file.line_column(expr.span.lo).line != file.line_column(expr.span.hi).line =>
            {
                *name_span
            }
            _ => expr.span,
        };
        let owner = self.program.body_info(self.ix).owner;
        let mut finding = Finding::new(&RULE, self.program.at(self.ix, file.one_line(span)), message);
        finding.label = label.to_owned();
        finding.key = format!("{}/{}", self.program.display(owner), self.text(site.base));
        finding.in_test = self.program.def(owner).in_test;
        if self.program.item(owner).from_macro {
            finding.confidence = Confidence::Medium;
        }
        finding
    }

    fn text(&self, id: ExprId) -> String {
        let file = self.cx.sources.get(self.program.body_info(self.ix).file);
        file.slice(self.body.expr(id).span).split_whitespace().collect::<Vec<_>>().join(" ")
    }
}
