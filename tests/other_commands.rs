//! `explain`, `rules`, `init`, `completions`, `man`.

mod common;

use std::fs;

use common::{UNWRAP, World};
use uncork_lints::rules;

#[test]
fn every_rule_is_listed_and_explained() {
    let world = World::new(&[]);
    let list = world.run(&["rules"]);
    let json: serde_json::Value =
        serde_json::from_str(&world.run(&["rules", "--format", "json"]).out).expect("JSON");
    assert_eq!(json.as_array().map(Vec::len), Some(rules::ALL.len()));
    for rule in rules::ALL {
        assert!(list.out.lines().any(|l| l.starts_with(rule.id) && l.contains(rule.summary)), "{}", rule.id);
        let page = world.run(&["explain", rule.id]);
        assert_eq!(page.status, 0, "{page:?}");
        assert!(page.out.starts_with(rule.id), "{page:?}");
        assert!(page.out.contains("Why it is bad"), "{}: {page:?}", rule.id);
        let evidence = rule.evidence().expect("every rule was measured").shown();
        let words = page.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(&format!("evidence: {evidence}")), "{}: {page:?}", rule.id);
        assert!(!page.out.contains("```") && !page.out.contains('\u{1b}'), "{}", rule.id);
    }
}

#[test]
fn init_writes_a_configuration_that_changes_nothing_and_never_overwrites() {
    let world = World::package(UNWRAP);
    let before = world.run(&["check", "--format", "json"]).out;
    assert_eq!(world.run(&["init"]).status, 0);
    let text = fs::read_to_string(world.path().join("uncork.toml")).expect("a file");
    assert_eq!(world.run(&["check", "--format", "json"]).out, before);
    world.run(&["init"]).fails_with(&["uncork.toml", "there already"]);
    assert_eq!(fs::read_to_string(world.path().join("uncork.toml")).expect("a file"), text);
    // Each example in it is one that is understood.
    let examples: String = text
        .lines()
        .map(|l| l.strip_prefix("# ").unwrap_or(l))
        .filter(|l| (l.contains(" = ") && !l.contains(". ")) || l.starts_with('['))
        .map(|l| format!("{l}\n"))
        .collect();
    world.write("uncork.toml", &examples);
    let ran = world.run(&["check"]);
    assert_eq!(ran.status, 0, "{examples}\n{ran:?}");
}

#[test]
fn completions_and_the_manual() {
    let world = World::new(&[]);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = world.run(&["completions", shell]);
        assert!(ran.status == 0 && ran.out.contains("check"), "{shell}: {ran:?}");
    }
    let man = world.run(&["man"]);
    assert!(man.out.starts_with(".ie") || man.out.contains(".TH"), "{man:?}");
    assert!(man.out.contains("deny"), "{man:?}");
}

#[test]
fn help_and_version() {
    let world = World::new(&[]);
    assert!(world.run(&["--version"]).out.contains(env!("CARGO_PKG_VERSION")));
    let help = world.run(&["check", "--help"]);
    assert_eq!(help.status, 0);
    assert!(help.out.contains("--manifest-path"), "{help:?}");
}

#[test]
fn words_that_are_nearly_right() {
    let world = World::package(UNWRAP);
    world.run(&["chekc"]).fails_with(&["chekc: no such file or folder", "the command `check`?"]);
    world.run(&["explain", "lock"]).fails_with(&["unknown rule `lock`", "lock-across-io", "lock-unwrap"]);
    let group = world.run(&["explain", "reliability"]);
    assert!(group.status == 0 && group.out.starts_with("lock-unwrap: "), "{group:?}");
}
