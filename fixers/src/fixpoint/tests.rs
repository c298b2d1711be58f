use proptest::prelude::*;
use uncork_lints::source::Span;

use super::*;
use crate::change::Place;

/// A folder with one file.
fn folder(text: &str) -> (tempfile::TempDir, Utf8PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
    std::fs::write(root.join("a.txt"), text).unwrap();
    (dir, root)
}

fn change(rule: &str, edits: Vec<(usize, usize, &str)>) -> Change {
    Change {
        rule: rule.into(),
        title: format!("{edits:?}"),
        fingerprints: vec![format!("{edits:?}")],
        applicability: Applicability::Safe,
        caveat: None,
        edits: edits
            .into_iter()
            .map(|(lo, hi, text)| Edit::new("a.txt", Span::new(lo as u32, hi as u32), text))
            .collect(),
        manifest: Vec::new(),
        claims: Vec::new(),
    }
}

fn mark(rule: &str, key: &str, lo: usize, hi: usize) -> Mark {
    Mark {
        identity: format!("{rule}/{key}"),
        rule: rule.into(),
        message: format!("{key} is bad"),
        places: vec![Place::new("a.txt", Span::new(lo as u32, hi as u32))],
    }
}

/// Replaces each `from` by `to`.
fn replacing(from: &'static str, to: &'static str) -> impl FnMut(&mut Overlay) -> Result<Plan, String> {
    move |overlay| {
        let text = overlay.read("a.txt".into()).map_err(|e| e.to_string())?;
        let changes = text
            .match_indices(from)
            .map(|(at, _)| change("replace", vec![(at, at + from.len(), to)]))
            .collect();
        Ok(Plan { changes, ..Plan::default() })
    }
}

fn run(planner: &mut dyn Planner, root: &Utf8PathBuf) -> Fixed {
    let mut gate = |_: &Change, _: &Overlay| Answer::Apply;
    let mut driver =
        Driver { planner, gate: &mut gate, least: Applicability::Safe, limits: Limits::default() };
    driver.run(root.clone(), &BTreeMap::new()).unwrap()
}

fn text(fixed: &mut Fixed) -> String {
    fixed.overlay.read("a.txt".into()).unwrap().to_string()
}

#[test]
fn overlapping_changes_are_made_in_later_rounds() {
    let (_dir, root) = folder("aaaa b");
    // "aa" overlaps itself: two of three matches fit in one round, and "aa" → "a" goes on until one is left.
    let mut fixed = run(&mut replacing("aa", "a"), &root);
    assert_eq!(text(&mut fixed), "a b");
    assert!(fixed.applied.iter().any(|a| a.round > 0));
    assert_eq!(fixed.stopped, None);
}

#[test]
fn an_endless_planner_is_stopped() {
    let (_dir, root) = folder("x");
    let mut flip = |overlay: &mut Overlay| {
        let text = overlay.read("a.txt".into()).unwrap();
        let to = if &*text == "x" { "y" } else { "x" };
        Ok(Plan { changes: vec![change("flip", vec![(0, 1, to)])], ..Plan::default() })
    };
    assert_eq!(run(&mut flip, &root).stopped, Some(Stopped::Rounds));
}

#[test]
fn growth_is_guarded() {
    let (_dir, root) = folder("x");
    let mut grow = |overlay: &mut Overlay| {
        let text = overlay.read("a.txt".into()).unwrap();
        let doubled = format!("{text}{text}{}", "x".repeat(10_000));
        let end = text.len();
        Ok(Plan { changes: vec![change("grow", vec![(0, end, &doubled)])], ..Plan::default() })
    };
    let mut fixed = run(&mut grow, &root);
    assert_eq!(fixed.stopped, Some(Stopped::Growth));
    assert!(text(&mut fixed).len() <= 2 + FREE_GROWTH);
}

#[test]
fn a_change_that_makes_a_new_problem_is_not_made() {
    let (_dir, root) = folder("lock clone");
    let mut planner = |overlay: &mut Overlay| {
        let text = overlay.read("a.txt".into()).unwrap();
        let mut plan = Plan::default();
        if let Some(at) = text.find("lock") {
            plan.changes.push(change("one", vec![(at, at + 4, "shard")]));
        }
        if let Some(at) = text.find("clone") {
            plan.changes.push(change("two", vec![(at, at + 5, "move")]));
        }
        if let Some(at) = text.find("shard") {
            plan.marks.push(mark("reentry", "shard", at, at + 5));
        }
        Ok(plan)
    };
    let mut fixed = run(&mut planner, &root);
    assert_eq!(text(&mut fixed), "lock move");
    assert_eq!(fixed.refused.len(), 1);
    assert!(fixed.refused[0].reason.contains("reentry: shard is bad"), "{}", fixed.refused[0].reason);
}

#[test]
fn a_finding_that_changes_its_name_is_not_a_new_problem() {
    let (_dir, root) = folder("lock");
    let mut planner = |overlay: &mut Overlay| {
        let text = overlay.read("a.txt".into()).unwrap();
        let mut plan = Plan { marks: vec![mark("copies", &text, 0, 4)], ..Plan::default() };
        if &*text == "lock" {
            plan.changes.push(change("one", vec![(0, 4, "shard")]));
        }
        Ok(plan)
    };
    assert_eq!(text(&mut run(&mut planner, &root)), "shard");
}

#[test]
fn the_gate_decides_and_what_was_skipped_is_not_asked_again() {
    let (_dir, root) = folder("a b c");
    let mut asked = Vec::new();
    let mut gate = |change: &Change, _: &Overlay| {
        asked.push(change.edits[0].span.lo);
        if change.edits[0].span.lo == 0 { Answer::Skip } else { Answer::Apply }
    };
    let mut planner = |overlay: &mut Overlay| {
        let text = overlay.read("a.txt".into()).unwrap();
        let found = text.char_indices().filter(|(_, c)| "abc".contains(*c));
        let changes = found.map(|(at, _)| change("r", vec![(at, at + 1, "-")])).collect();
        Ok(Plan { changes, ..Plan::default() })
    };
    let mut driver = Driver {
        planner: &mut planner,
        gate: &mut gate,
        least: Applicability::Safe,
        limits: Limits::default(),
    };
    let mut fixed = driver.run(root, &BTreeMap::new()).unwrap();
    assert_eq!(text(&mut fixed), "a - -");
    assert_eq!(asked, [0, 2, 4]);
}

#[test]
fn banned_changes_are_left_out() {
    let (_dir, root) = folder("a");
    let id = change("replace", vec![(0, 1, "b")]).id();
    let banned = BTreeMap::from([(id, "the compiler said no".to_owned())]);
    let mut gate = |_: &Change, _: &Overlay| Answer::Apply;
    let mut planner = replacing("a", "b");
    let mut driver = Driver {
        planner: &mut planner,
        gate: &mut gate,
        least: Applicability::Safe,
        limits: Limits::default(),
    };
    let fixed = driver.run(root, &banned).unwrap();
    assert!(fixed.applied.is_empty() && fixed.refused.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_second_run_changes_nothing(input in "[ab ]{0,40}") {
        let (_dir, root) = folder(&input);
        let mut once = run(&mut replacing("ab", "b"), &root);
        let result = text(&mut once);
        std::fs::write(root.join("a.txt"), &result).unwrap();
        let mut twice = run(&mut replacing("ab", "b"), &root);
        prop_assert!(twice.applied.is_empty());
        prop_assert_eq!(text(&mut twice), result);
    }
}
