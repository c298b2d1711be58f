//! Who calls what outside tests, and from where.

use rustc_hash::FxHashMap;

use super::scopes::loop_around;
use crate::Analysis;
use crate::flow::UnitKind;
use crate::hir::{ExprId, ItemKind, SelfParam, Visibility};
use crate::program::{BodyIx, DefId, Program};
use crate::rules::contention::map_alias;

/// How far up callers are followed.
const DEPTH: u32 = 3;

/// The calls of functions outside tests.
pub(super) struct Callers {
    of: FxHashMap<DefId, Vec<Site>>,
}

/// A call.
#[derive(Clone, Copy)]
pub(super) struct Site {
    /// The function, static or const that calls.
    pub(super) caller: DefId,
    pub(super) body: BodyIx,
    pub(super) call: ExprId,
}

impl Callers {
    pub(super) fn of(cx: &Analysis) -> Callers {
        let program = &cx.program;
        let mut of: FxHashMap<DefId, Vec<Site>> = FxHashMap::default();
        for (ix, unit) in cx.flow.units.iter() {
            let caller = program.body_info(unit.body).owner;
            if program.def(caller).in_test {
                continue;
            }
            for edge in cx.effects.calls_of(ix) {
                let target = cx.flow.units.get(edge.target);
                if target.kind == UnitKind::Item {
                    let site = Site { caller, body: unit.body, call: edge.call };
                    of.entry(program.body_info(target.body).owner).or_default().push(site);
                }
            }
        }
        Callers { of }
    }

    /// The known calls of a function.
    pub(super) fn sites(&self, function: DefId) -> &[Site] {
        self.of.get(&function).map_or(&[], Vec::as_slice)
    }

    /// Whether anything outside tests may run a function: all but a private one that no code names.
    pub(super) fn reached(&self, cx: &Analysis, function: DefId) -> bool {
        let program = &cx.program;
        let item = program.item(function);
        let in_trait = program.def(function).parent.is_some_and(|p| match &program.item(p).kind {
            ItemKind::Impl(i) => i.trait_path.is_some(),
            ItemKind::Trait(_) => true,
            _ => false,
        });
        item.vis != Visibility::Private
            || in_trait
            || item.from_macro
            || program.fn_item(function).is_none()
            || self.of.contains_key(&function)
            || map_alias::is_named_elsewhere(cx, item.name)
    }

    pub(super) fn is_main(&self, program: &Program, function: DefId) -> bool {
        let def = program.def(function);
        def.name.as_str() == "main" && def.parent.is_none()
    }

    /// `main`, or called by nothing but what runs once itself, and not in a loop.
    pub(super) fn runs_once(&self, cx: &Analysis, function: DefId, depth: u32) -> bool {
        if self.is_main(&cx.program, function) {
            return true;
        }
        let Some(depth) = depth.checked_sub(1) else { return false };
        let sites = self.sites(function);
        let once = |s: &Site| {
            s.caller != function
                && loop_around(cx, s.body, s.call).is_none()
                && self.runs_once(cx, s.caller, depth)
        };
        !sites.is_empty() && sites.iter().all(once)
    }

    /// A function that makes a value, or one that only such functions call: what it inserts is there from the start.
    pub(super) fn at_start(&self, program: &Program, function: DefId) -> bool {
        self.at_start_at(program, function, DEPTH)
    }

    fn at_start_at(&self, program: &Program, function: DefId, depth: u32) -> bool {
        let Some(f) = program.fn_item(function) else { return true };
        match f.self_param {
            None => return program.def(function).parent.is_some(),
            Some(SelfParam::Value) => return true,
            _ => {}
        }
        let Some(depth) = depth.checked_sub(1) else { return false };
        let sites = self.sites(function);
        let before = |s: &Site| s.caller != function && self.at_start_at(program, s.caller, depth);
        !sites.is_empty() && sites.iter().all(before)
    }
}
