//! Locks that are always taken together guard one state between them: each alone is no corked-up map.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::Analysis;
use crate::flow::{Class, ClassOf};
use crate::hir::ExprId;
use crate::places::{PlaceKey, Use, UseKind};
use crate::program::{BodyIx, DefId};
use crate::rules::held;

/// Which other locks are held, or taken, while the guard of an acquisition lives.
pub(super) struct Companions {
    at: FxHashMap<(BodyIx, ExprId), FxHashSet<Other>>,
}

/// Another lock, and whether it is taken for writing there.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Other {
    what: ClassOf,
    exclusive: bool,
}

impl Companions {
    /// Goes over all guards. O(events × guards held at each).
    pub(super) fn of(a: &Analysis) -> Companions {
        let mut at: FxHashMap<(BodyIx, ExprId), FxHashSet<Other>> = FxHashMap::default();
        for unit in held::units(a) {
            let other = |ix: u32| -> Option<(ExprId, Other)> {
                let lock = unit.guard(ix).lock;
                let class = lock.place.as_ref()?.class(&a.program)?;
                let fields = |owner: &DefId| a.program.decls.fields.get(owner).map_or(0, |f| f.len());
                // What lies side by side in one generic type belongs together there.
                let inner = class.part.as_ref().is_some_and(|(owner, _)| fields(owner) > 1);
                let Class { what, .. } = if inner { class.declared() } else { class };
                Some((lock.site?, Other { what, exclusive: lock.mode.exclusive }))
            };
            for event in unit.events() {
                // The guards alive at an acquisition, and the one that it yields.
                let mut together: Vec<(ExprId, Other)> =
                    event.held.iter().filter_map(|&t| other(t)).collect();
                let made = unit.guards().filter(|g| g.lock.site == Some(event.expr));
                together.extend(made.filter_map(|g| other(g.ix)));
                for &(site, own) in &together {
                    let others = together.iter().map(|&(_, o)| o).filter(|o| o.what != own.what);
                    at.entry((unit.body, site)).or_default().extend(others);
                }
            }
        }
        Companions { at }
    }

    /// Whether another lock of the same type as `place` is held at every acquisition: for writing, so that nobody ever
    /// waits for this one, or never without it either.
    pub(super) fn always(&self, a: &Analysis, place: PlaceKey, acquires: &[&Use]) -> bool {
        let PlaceKey::Field(owner, name) = place else { return false };
        let own = ClassOf::Field(owner, name);
        let siblings = |one: &Use| -> FxHashSet<Other> {
            let others = self.at.get(&(one.body, one.expr)).into_iter().flatten().copied();
            others.filter(|o| matches!(o.what, ClassOf::Field(def, _) if def == owner)).collect()
        };
        let all: Vec<FxHashSet<Other>> = acquires.iter().map(|one| siblings(one)).collect();
        let Some(first) = all.first() else { return false };
        first.iter().any(|candidate| {
            let ClassOf::Field(def, field) = candidate.what else { return false };
            let everywhere = all.iter().all(|here| here.iter().any(|o| o.what == candidate.what));
            let for_writing = all.len() > 1
                && all.iter().all(|here| here.iter().any(|o| o.what == candidate.what && o.exclusive));
            let never_alone = || {
                a.uses
                    .uses_of(PlaceKey::Field(def, field))
                    .iter()
                    .filter(|u| !u.in_test && matches!(u.kind, UseKind::Acquire(_)))
                    .all(|u| siblings(u).iter().any(|o| o.what == own))
            };
            everywhere && (for_writing || never_alone())
        })
    }
}
