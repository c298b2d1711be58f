//! Locks that are always taken together guard one state between them: each alone is no corked-up map.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::Analysis;
use crate::flow::{Class, ClassOf};
use crate::hir::ExprId;
use crate::places::{PlaceKey, Use};
use crate::program::BodyIx;
use crate::rules::held;

/// Which other locks are held, or taken, while the guard of an acquisition lives.
pub(super) struct Companions {
    at: FxHashMap<(BodyIx, ExprId), FxHashSet<ClassOf>>,
}

impl Companions {
    /// Goes over all guards. O(events × guards held at each).
    pub(super) fn of(a: &Analysis) -> Companions {
        let mut at: FxHashMap<(BodyIx, ExprId), FxHashSet<ClassOf>> = FxHashMap::default();
        for unit in held::units(a) {
            let class = |ix: u32| -> Option<(ExprId, Class)> {
                let lock = unit.guard(ix).lock;
                Some((lock.site?, lock.place.as_ref()?.class(&a.program)?))
            };
            for event in unit.events() {
                // The guards alive at an acquisition, and the one that it yields.
                let mut together: Vec<(ExprId, Class)> =
                    event.held.iter().filter_map(|&t| class(t)).collect();
                let made = unit.guards().filter(|g| g.lock.site == Some(event.expr));
                together.extend(made.filter_map(|g| class(g.ix)));
                for &(site, own) in &together {
                    let others = together.iter().map(|&(_, c)| c.what).filter(|&what| what != own.what);
                    at.entry((unit.body, site)).or_default().extend(others);
                }
            }
        }
        Companions { at }
    }

    /// Whether another lock of the same type as `place` is held at every one of two or more acquisitions.
    pub(super) fn always(&self, place: PlaceKey, acquires: &[&Use]) -> bool {
        let PlaceKey::Field(owner, _) = place else { return false };
        let siblings = |one: &Use| -> FxHashSet<ClassOf> {
            let others = self.at.get(&(one.body, one.expr)).into_iter().flatten().copied();
            others.filter(|c| matches!(c, ClassOf::Field(def, _) if *def == owner)).collect()
        };
        let Some((first, rest)) = acquires.split_first() else { return false };
        let mut common = siblings(first);
        for one in rest {
            let here = siblings(one);
            common.retain(|c| here.contains(c));
        }
        !rest.is_empty() && !common.is_empty()
    }
}
