//! Which of a round's changes can be made together.

use camino::Utf8Path;
use rustc_hash::FxHashMap;
use uncork_lints::finding::Applicability;
use uncork_lints::source::Span;

use crate::change::{Change, ChangeId};
use crate::edit::conflicts;

/// The outcome of [`resolve`], in order of priority.
#[derive(Debug, Default)]
pub struct Resolved {
    /// Can be made together.
    pub accepted: Vec<Change>,
    /// Stand in the way of an accepted one (named second): to be planned anew on the next text.
    pub postponed: Vec<(Change, ChangeId)>,
    /// Contradict themselves; a fault of their planner.
    pub broken: Vec<(Change, String)>,
}

#[derive(Default)]
struct Taken<'a> {
    edits: Vec<(Span, &'a str, usize)>,
    claims: Vec<(Span, usize)>,
}

/// Chooses, by a fixed priority, changes none of which edits what another edits or relies on. Identical edits of two
/// changes are no conflict. A change is taken whole or not at all. Changes below `least` are left out.
/// O(edits² per file) at worst.
pub fn resolve(changes: Vec<Change>, least: Applicability) -> Resolved {
    let mut sorted: Vec<Change> = changes.into_iter().filter(|c| c.applicability >= least).collect();
    sorted.sort_by_cached_key(Change::priority);
    sorted.dedup_by(|a, b| a.id() == b.id() && a.edits == b.edits);

    // A change that mends all that another does and more makes that one needless.
    let covered = |change: &Change| {
        sorted.iter().position(|other| {
            other.fingerprints.len() > change.fingerprints.len()
                && !change.fingerprints.is_empty()
                && change.fingerprints.iter().all(|f| other.fingerprints.contains(f))
        })
    };
    let covered: Vec<Option<usize>> = match sorted.iter().any(|c| c.fingerprints.len() > 1) {
        true => sorted.iter().map(covered).collect(),
        false => vec![None; sorted.len()],
    };
    let mut verdicts: Vec<Verdict> = Vec::with_capacity(sorted.len());
    let mut taken: FxHashMap<&Utf8Path, Taken<'_>> = FxHashMap::default();
    for (index, change) in sorted.iter().enumerate() {
        let verdict = match contradiction(change) {
            Some(why) => Verdict::Broken(why),
            None => match covered[index].or_else(|| blocker(change, &taken)) {
                Some(by) => Verdict::Postponed(by),
                None => Verdict::Accepted,
            },
        };
        if matches!(verdict, Verdict::Accepted) {
            for edit in &change.edits {
                let file = taken.entry(&edit.path).or_default();
                file.edits.push((edit.span, &edit.replacement, index));
            }
            for claim in &change.claims {
                taken.entry(&claim.path).or_default().claims.push((claim.span, index));
            }
        }
        verdicts.push(verdict);
    }

    let ids: Vec<ChangeId> = sorted.iter().map(Change::id).collect();
    let mut out = Resolved::default();
    for (change, verdict) in sorted.into_iter().zip(verdicts) {
        match verdict {
            Verdict::Accepted => out.accepted.push(change),
            Verdict::Postponed(by) => out.postponed.push((change, ids[by].clone())),
            Verdict::Broken(why) => out.broken.push((change, why)),
        }
    }
    out
}

enum Verdict {
    Accepted,
    Postponed(usize),
    Broken(String),
}

fn contradiction(change: &Change) -> Option<String> {
    for (i, a) in change.edits.iter().enumerate() {
        if a.span.hi < a.span.lo {
            return Some(format!("{}: reversed span", a.path));
        }
        for b in change.edits.iter().skip(i + 1) {
            if a.path == b.path && a != b && conflicts(a.span, b.span) {
                return Some(format!(
                    "{}: its own edits overlap at {}..{} and {}..{}",
                    a.path, a.span.lo, a.span.hi, b.span.lo, b.span.hi
                ));
            }
        }
    }
    None
}

fn blocker(change: &Change, taken: &FxHashMap<&Utf8Path, Taken<'_>>) -> Option<usize> {
    for edit in &change.edits {
        let Some(file) = taken.get(edit.path.as_path()) else { continue };
        for &(span, text, by) in &file.edits {
            let same = span == edit.span && text == edit.replacement;
            if !same && conflicts(span, edit.span) {
                return Some(by);
            }
        }
        if let Some(&(_, by)) = file.claims.iter().find(|(claim, _)| touches(*claim, edit.span)) {
            return Some(by);
        }
    }
    for claim in &change.claims {
        let Some(file) = taken.get(claim.path.as_path()) else { continue };
        if let Some(&(_, _, by)) = file.edits.iter().find(|(span, _, _)| touches(claim.span, *span)) {
            return Some(by);
        }
    }
    None
}

/// Whether an edit changes something inside a claimed range.
fn touches(claim: Span, edit: Span) -> bool {
    if edit.is_empty() {
        return claim.lo < edit.lo && edit.lo < claim.hi;
    }
    claim.lo < edit.hi && edit.lo < claim.hi
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Place;
    use crate::edit::Edit;

    fn change(name: &str, edits: &[(u32, u32, &str)]) -> Change {
        Change {
            rule: "r".into(),
            title: name.into(),
            fingerprints: vec![name.into()],
            applicability: Applicability::Safe,
            caveat: None,
            edits: edits.iter().map(|&(lo, hi, t)| Edit::new("a.rs", Span::new(lo, hi), t)).collect(),
            manifest: Vec::new(),
            claims: Vec::new(),
        }
    }

    fn names(changes: &[Change]) -> Vec<&str> {
        changes.iter().map(|c| c.title.as_str()).collect()
    }

    #[test]
    fn overlap_keeps_the_larger_whole() {
        let resolved = resolve(
            vec![change("small", &[(4, 6, "x")]), change("large", &[(0, 1, "y"), (5, 9, "z")])],
            Applicability::Safe,
        );
        assert_eq!(names(&resolved.accepted), ["large"]);
        assert_eq!(resolved.postponed.len(), 1);
        assert_eq!(resolved.postponed[0].1, ChangeId("r:large".into()));
    }

    #[test]
    fn identical_edits_are_benign() {
        let resolved = resolve(
            vec![
                change("a", &[(0, 0, "use x;\n"), (4, 5, "1")]),
                change("b", &[(0, 0, "use x;\n"), (8, 9, "2")]),
            ],
            Applicability::Safe,
        );
        assert_eq!(resolved.accepted.len(), 2);
    }

    #[test]
    fn what_mends_more_makes_the_other_needless() {
        let mut one = change("one", &[(0, 1, "x")]);
        one.fingerprints = vec!["map".into()];
        let mut both = change("both", &[(4, 5, "y")]);
        both.fingerprints = vec!["cache".into(), "map".into()];
        both.applicability = Applicability::Unsafe;
        let all = || vec![one.clone(), both.clone()];
        assert_eq!(names(&resolve(all(), Applicability::Unsafe).accepted), ["both"]);
        // Where the larger change is not asked for, the smaller is made.
        assert_eq!(names(&resolve(all(), Applicability::Safe).accepted), ["one"]);
    }

    #[test]
    fn an_edit_in_a_claimed_place_waits() {
        let mut relies = change("a", &[(0, 1, "x")]);
        relies.claims.push(Place::new("a.rs", Span::new(10, 20)));
        let resolved = resolve(vec![change("b", &[(12, 13, "y")]), relies], Applicability::Safe);
        assert_eq!(resolved.accepted.len(), 1);
        assert_eq!(resolved.postponed.len(), 1);
    }

    #[test]
    fn order_of_input_does_not_matter() {
        let all = || {
            vec![
                change("a", &[(0, 2, "x")]),
                change("b", &[(1, 3, "y")]),
                change("c", &[(2, 4, "z")]),
                change("d", &[(8, 9, "w")]),
            ]
        };
        let mut reversed = all();
        reversed.reverse();
        let (one, two) = (resolve(all(), Applicability::Safe), resolve(reversed, Applicability::Safe));
        assert_eq!(one.accepted, two.accepted);
    }

    #[test]
    fn the_less_certain_is_left_out() {
        let mut unsafe_one = change("u", &[(0, 1, "x")]);
        unsafe_one.applicability = Applicability::Unsafe;
        assert!(resolve(vec![unsafe_one.clone()], Applicability::Safe).accepted.is_empty());
        assert_eq!(resolve(vec![unsafe_one], Applicability::Unsafe).accepted.len(), 1);
    }

    #[test]
    fn a_change_at_odds_with_itself_is_broken() {
        let resolved = resolve(vec![change("a", &[(0, 3, "x"), (2, 4, "y")])], Applicability::Safe);
        assert_eq!(resolved.broken.len(), 1);
    }
}
