//! What else was done while the lock was held. Once the lock is gone, others may come between the map and it.

use uncork_lints::effects::{Key, Kind};
use uncork_lints::flow::cfg::{EventKind, Origin};
use uncork_lints::flow::{ClassOf, Place};
use uncork_lints::hir::{ExprId, ExprKind};
use uncork_lints::program::BodyIx;
use uncork_lints::ty::{Ty, TyKind};

use super::{Migration, Target};

/// Methods of a map that leave it as it is.
pub(super) fn writes(method: &str) -> bool {
    !matches!(
        method,
        "get"
            | "contains_key"
            | "contains"
            | "len"
            | "is_empty"
            | "iter"
            | "keys"
            | "values"
            | "clone"
            | "get_key_value"
    )
}

impl<'a> Migration<'_, 'a> {
    /// Notes an acquisition under which more is done than to touch the map: another lock is taken to write, or, where
    /// the map itself is changed, any lock is taken, or something blocks or awaits.
    pub(super) fn note_relied(&mut self, body: BodyIx, place: ExprId, acquire: ExprId) {
        if self.to.keeps_lock() {
            return;
        }
        let analysis = self.cx.analysis;
        let exclusive = match &analysis.program.body(body).expr(acquire).kind {
            ExprKind::Method { name, .. } => name.as_str() != "read",
            _ => true,
        };
        // A mutex is taken to read as well: what is done with it tells.
        let changes = exclusive && self.changes_under(body, acquire);
        let effects = analysis.effects();
        for unit in analysis.flow.units.in_body(body) {
            let regions = analysis.flow.regions(unit);
            let ours = |token: u32| {
                regions.tokens.get(token as usize).is_some_and(|t| t.token.origin == Origin::Acquire(acquire))
            };
            for event in regions.events.iter().filter(|e| e.held.iter().any(|&t| ours(t))) {
                let relied = (changes && event.kind == EventKind::Await)
                    || effects.at(unit, event.expr).iter().any(|effect| match effect.key {
                        Key::Acquire(_, mode, kind) if !self.is_target(effect.place.as_ref()) => {
                            mode.exclusive || (changes && kind != Kind::Map)
                        }
                        Key::Block(..) | Key::AwaitIo(_) => changes,
                        _ => false,
                    });
                if relied {
                    let at = self.place_of(body, place);
                    self.relied.push(at);
                    return;
                }
            }
        }
    }

    /// Whether a method that changes the map is called on the guard while it is held.
    fn changes_under(&self, body: BodyIx, acquire: ExprId) -> bool {
        let analysis = self.cx.analysis;
        let hir = analysis.program.body(body);
        analysis.flow.units.in_body(body).any(|unit| {
            let regions = analysis.flow.regions(unit);
            let ours = |token: u32| {
                regions.tokens.get(token as usize).is_some_and(|t| t.token.origin == Origin::Acquire(acquire))
            };
            let mut events = regions.events.iter().filter(|e| e.held.iter().any(|&t| ours(t)));
            events.any(|event| match &hir.expr(event.expr).kind {
                ExprKind::Method { recv, name, .. } => {
                    writes(name.as_str()) && self.is_core(self.ty(body, *recv))
                }
                _ => false,
            })
        })
    }

    /// Whether a type is the map, or a guard of one like it.
    fn is_core(&self, ty: Ty) -> bool {
        let ty = ty.peel_refs();
        ty == self.core
            || match ty.kind() {
                TyKind::Ext(path, args) => {
                    self.cx.analysis.program.knowledge.types.get(path).is_some_and(|i| i.guard)
                        && args.contains(&self.core)
                }
                _ => false,
            }
    }

    fn is_target(&self, place: Option<&Place>) -> bool {
        let class = place.and_then(|p| p.class(&self.cx.analysis.program));
        class.is_some_and(|class| match (class.declared().what, self.target) {
            (ClassOf::Field(def, name), Target::Field(own, field)) => def == own && name == field,
            (ClassOf::Static(def), Target::Static(own)) => def == own,
            _ => false,
        })
    }
}
