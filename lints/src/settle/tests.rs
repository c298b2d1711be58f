//! Settling, seen from the text.

use super::Settled;
use crate::config::{Config, Selector};
use crate::discover::Request;
use crate::finding::Level;
use crate::run::{Outcome, check, with_room};

const HEAD: &str = "use std::sync::Mutex;\n";

fn run(text: &str, config: &Config) -> Outcome {
    let request = Request { stdin: Some(text.to_owned()), cwd: "/nowhere".into(), ..Request::default() };
    with_room(|| check(&request, config)).unwrap_or_else(|e| panic!("{e}"))
}

fn with_level(rule: &'static str, level: Level) -> Config {
    Config::with_level(Selector::Rule(rule), level)
}

fn with_tests() -> Config {
    let mut config = Config::default();
    config.asked.tests = Some(true);
    config
}

/// `line rule` of what is shown, and the counts.
fn shown(text: &str) -> (Vec<String>, Settled) {
    shown_with(text, &Config::default())
}

fn shown_with(text: &str, config: &Config) -> (Vec<String>, Settled) {
    let outcome = run(text, config);
    let line = |f: &crate::finding::Finding| {
        let at = outcome.analysis.sources.get(f.at.file).line_column(f.at.span.lo);
        format!("{} {}", at.line, f.rule)
    };
    (outcome.settled.findings.iter().map(line).collect(), outcome.settled.clone())
}

fn body(inside: &str) -> String {
    format!("{HEAD}pub fn f(m: &Mutex<u64>) -> u64 {{\n{inside}}}\n")
}

#[test]
fn trailing_above_and_stacked_comments() {
    for inside in [
        "    *m.lock().unwrap() // uncork: allow(lock-unwrap) why\n",
        "    *m.lock().unwrap() /* uncork: allow(lock-unwrap) */\n",
        "    /* uncork: allow(lock-unwrap) */ *m.lock().unwrap()\n",
        "    /* uncork: allow(lock-unwrap) a reason\n       that goes on */\n    *m.lock().unwrap()\n",
        "    // uncork: allow(lock-unwrap) why\n    #[allow(unused)]\n    #[cfg_attr(any(),\n        x)]\n    let n = *m.lock().unwrap();\n    n\n",
        "    // uncork: allow(lock-unwrap)\n    // uncork: allow(all)\n    *m.lock().unwrap()\n",
        "    // uncork: allow(lock-unwrap) why\n    *m.lock().unwrap()\n",
        "    // uncork: allow(lock-unwrap)\n\n    // more words\n\n    *m.lock().unwrap()\n",
        "    /* uncork: allow(reliability) */\n    *m.lock().unwrap()\n",
        "    // uncork: expect(lock-unwrap)\n    *m.lock().unwrap()\n",
        "    // uncork: allow(all)\n    *m.lock().unwrap()\n",
    ] {
        let (found, counts) = shown(&body(inside));
        assert_eq!(found, [""; 0], "{inside}");
        assert_eq!(counts.suppressed, 1, "{inside}");
    }
}

#[test]
fn comments_in_the_wrong_place_silence_nothing_and_are_named() {
    for (inside, line) in [
        ("    // uncork: allow(lock-unwrap)\n    let n = 1;\n    *m.lock().unwrap() + n\n", 3),
        ("    let n = 1; // uncork: allow(lock-unwrap)\n    *m.lock().unwrap() + n\n", 3),
        (
            "    let s = \"// uncork: allow(lock-unwrap)\"; let n = s.len() as u64;\n    *m.lock().unwrap() + n\n",
            0,
        ),
        ("    /// uncork: allow(lock-unwrap)\n    let n = 1;\n    *m.lock().unwrap() + n\n", 0),
    ] {
        let (found, counts) = shown(&body(inside));
        assert!(found.iter().any(|f| f.ends_with(" lock-unwrap")), "{inside}: {found:?}");
        assert_eq!(found.contains(&format!("{line} unused-suppression")), line > 0, "{inside}: {found:?}");
        assert_eq!(counts.suppressed, 0, "{inside}");
    }
}

#[test]
fn whole_files_and_several_rules() {
    let text = format!(
        "// uncork: allow-file(lock-unwrap)\n{}",
        body("    *m.lock().unwrap() + *m.lock().unwrap()\n")
    );
    let (found, _) = shown(&text);
    assert!(!found.iter().any(|f| f.contains("lock-unwrap") || f.contains("unused")), "{found:?}");
    let (found, _) =
        shown(&body("    // uncork: allow(lock-unwrap, lock-across-io)\n    *m.lock().unwrap()\n"));
    assert_eq!(found, ["3 unused-suppression"]);
}

#[test]
fn names_that_are_no_rule_and_rules_that_are_off() {
    let (found, _) = shown(&body("    // uncork: allow(no-such-rule)\n    1\n"));
    assert_eq!(found, ["3 unused-suppression"]);
    let (found, _) = shown(&body("    // uncork: lock-unwrap\n    1\n"));
    assert_eq!(found, ["3 unused-suppression"], "malformed");
    let off = with_level("lock-unwrap", Level::Allow);
    let text = body("    // uncork: allow(lock-unwrap)\n    1\n");
    let (found, _) = shown_with(&text, &off);
    assert_eq!(found, [""; 0], "whether it would silence anything is not known");
}

#[test]
fn a_comment_about_comments() {
    let text = body(
        "    // uncork: allow(unused-suppression) kept for the next release\n    let n = 1; // uncork: allow(lock-unwrap)\n    n\n",
    );
    assert_eq!(shown(&text).0, [""; 0]);
    // It excuses itself, alone or beside others, here or in the whole file.
    for comment in [
        "allow(unused-suppression)",
        "allow(lock-unwrap, unused-suppression)",
        "allow-file(unused-suppression)",
    ] {
        let text = body(&format!("    // uncork: {comment}\n    1\n"));
        assert_eq!(shown(&text).0, [""; 0], "{comment}");
    }
    let text = body(
        "    // uncork: allow(clone-in-loop, unused-suppression)\n    // uncork: allow(lock-unwrap)\n    1\n",
    );
    assert_eq!(shown(&text).0, [""; 0], "and what stands between it and the code");
    let text = body(
        "    // uncork: allow(lock-unwrap)\n    // uncork: allow(clone-in-loop, unused-suppression)\n    1\n",
    );
    assert_eq!(shown(&text).0, ["3 unused-suppression"], "but nothing above it");
    let text = body("    // uncork: allow(lock-unwrap)\n    1 // uncork: allow(clone-in-loop)\n");
    assert_eq!(shown(&text).0, ["3 unused-suppression", "4 unused-suppression"]);
}

#[test]
fn any_related_line_will_do() {
    let text = "use std::collections::HashMap;\nuse std::sync::{Arc, RwLock};\n\
        pub struct S {\n    map: Arc<RwLock<HashMap<u64, u64>>>,\n}\n\
        impl S {\n    pub fn get(&self, k: u64) -> Option<u64> {\n        let m = self.map.read().ok()?;\n        m.get(&k).copied()\n    }\n\
        \n    pub fn put(&self, k: u64) {\n        if let Ok(mut m) = self.map.write() {\n            m.insert(k, k);\n        }\n    }\n\
        \n    pub fn del(&self, k: u64) {\n        if let Ok(mut m) = self.map.write() {\n            m.remove(&k);\n        }\n    }\n}\n";
    assert_eq!(shown(text).0, ["4 shared-map-lock"]);
    let related =
        text.replace("self.map.read().ok()?;", "self.map.read().ok()?; // uncork: allow(shared-map-lock)");
    assert_eq!(shown(&related).0, [""; 0]);
}

#[test]
fn test_code_is_silent_and_counted() {
    let text = format!(
        "{HEAD}#[cfg(test)]\nmod tests {{\n    use super::*;\n    fn f(m: &Mutex<u64>) {{ *m.lock().unwrap() += 1; }}\n    // uncork: allow(clone-in-loop)\n    fn g() {{}}\n}}\n"
    );
    let (found, counts) = shown(&text);
    assert_eq!(found, [""; 0]);
    assert_eq!(counts.in_tests, 2, "the finding and the comment");
    let (found, _) = shown_with(&text, &with_tests());
    assert!(found.contains(&"6 unused-suppression".to_owned()), "{found:?}");
}

#[test]
fn fingerprints_tell_equals_apart_and_silencing_one_renames_none() {
    let two = body("    let a = *m.lock().unwrap();\n    let b = *m.lock().unwrap();\n    a + b\n");
    let prints = |text: &str| -> Vec<String> {
        let outcome = run(text, &Config::default());
        outcome
            .settled
            .findings
            .iter()
            .filter(|f| f.rule == "lock-unwrap")
            .map(|f| f.fingerprint.clone())
            .collect()
    };
    let both = prints(&two);
    assert_eq!(both.len(), 2);
    assert_ne!(both[0], both[1]);
    let first = two.replacen("unwrap();", "unwrap(); // uncork: allow(lock-unwrap)", 1);
    assert_eq!(prints(&first), both[1..]);
}

#[test]
fn unreadable_files_are_findings_unless_allowed() {
    let outcome = run("fn (", &Config::default());
    assert_eq!(outcome.unreadable, 1);
    assert_eq!(outcome.settled.findings[0].rule, "unreadable-file");
    let off = with_level("unreadable-file", Level::Allow);
    let outcome = run("fn (", &off);
    assert_eq!(outcome.settled.findings.len(), 0);
}

#[test]
fn stacked_comments_add_up() {
    let map = "use std::collections::HashMap;\nuse std::sync::Mutex;\n\
        static MAP: Mutex<HashMap<u64, u64>> = Mutex::new(HashMap::new());\n\
        pub fn put(k: u64) {\n    COMMENTS\n    MAP.lock().unwrap().insert(k, k);\n}\n";
    let found = |comments: &str| shown(&map.replace("COMMENTS", comments)).0;
    let mut bare = found("");
    bare.retain(|f| f.ends_with("lock-unwrap"));
    assert_eq!(bare, ["6 lock-unwrap"]);
    let both = "// uncork: allow(lock-unwrap) a\n\n    // words\n    // uncork: allow(shared-map-lock) b";
    assert!(!found(both).iter().any(|f| f.contains("lock-unwrap")), "{:?}", found(both));
    let other = "// uncork: allow(lock-unwrap, lock-unwrap) twice";
    assert!(!found(other).iter().any(|f| f.contains("unused")), "{:?}", found(other));
}

#[test]
fn a_comment_above_a_statement_means_all_its_lines() {
    for inside in [
        "    // uncork: allow(lock-unwrap) why\n    let n = *m\n        .lock()\n        .unwrap();\n    n\n",
        "    // uncork: allow(lock-unwrap) why\n    *m\n        .lock()\n        .unwrap()\n",
        "    // uncork: allow(lock-unwrap) why\n    println!(\n        \"{}\",\n        m.lock().unwrap()\n    );\n    1\n",
        "    println!(\n        \"{}\",\n        // uncork: allow(lock-unwrap) why\n        m.lock()\n            .unwrap()\n    );\n    1\n",
        "    match 1 {\n        // uncork: allow(lock-unwrap) why\n        1 => *m\n            .lock()\n            .unwrap(),\n        n => n,\n    }\n",
        "    let n = *m\n        .lock()\n        // uncork: allow(lock-unwrap) why\n        .unwrap();\n    n\n",
    ] {
        for text in [body(inside), body(inside).replace('\n', "\r\n")] {
            let (found, counts) = shown(&text);
            assert_eq!(found, [""; 0], "{text}");
            assert_eq!(counts.suppressed, 1, "{text}");
        }
    }
}

#[test]
fn a_comment_above_a_block_does_not_mean_the_statements_in_it() {
    for inside in [
        "    // uncork: allow(lock-unwrap)\n    if true {\n        let n = *m.lock().unwrap();\n        return n;\n    }\n    1\n",
        "    // uncork: allow(lock-unwrap)\n    let f = || {\n        *m.lock().unwrap()\n    };\n    f()\n",
        "    // uncork: allow(lock-unwrap)\n    let n = 1\n        + 2;\n    n + *m.lock().unwrap()\n",
    ] {
        let (found, counts) = shown(&body(inside));
        assert!(found.contains(&"3 unused-suppression".to_owned()), "{inside}: {found:?}");
        assert_eq!((counts.suppressed, found.len()), (0, 2), "{inside}: {found:?}");
    }
}

#[test]
fn a_rule_that_is_off_uses_up_no_comment() {
    let text = body("    *m.lock().unwrap() // uncork: allow(lock-unwrap)\n");
    let (found, counts) = shown_with(&text, &with_level("lock-unwrap", Level::Allow));
    assert_eq!((found.len(), counts.suppressed), (0, 0));
    let (found, _) =
        shown_with(&body("    1 // uncork: allow(reliability)\n"), &with_level("lock-unwrap", Level::Allow));
    assert_eq!(found, [""; 0], "all rules of the group are off");
}

#[test]
fn warnings_may_be_denied() {
    let text = body("    *m.lock().unwrap()\n");
    let mut config = Config::default();
    config.asked.levels.push(Selector::Warnings, Level::Deny);
    let (_, settled) = shown_with(&text, &config);
    assert_eq!((settled.findings[0].level, settled.status()), (Level::Deny, 1));
    let (_, settled) = shown(&text);
    assert_eq!((settled.findings[0].level, settled.status()), (Level::Warn, 0));
}

#[test]
fn expectations_read_as_allowances_do() {
    let (found, _) = shown(&body("    // uncork: expect(lock-unwrap)\n    1\n"));
    assert_eq!(found, ["3 unused-suppression"]);
    let text = format!("// uncork: expect-file(lock-unwrap)\n{}", body("    *m.lock().unwrap()\n"));
    assert_eq!(shown(&text).0, [""; 0]);
    let text = format!("// uncork: expect-file(lock-unwrap)\n{}", body("    1\n"));
    assert_eq!(shown(&text).0, ["1 unused-suppression"]);
}

#[test]
fn a_comment_above_a_test_is_test_code() {
    let text = format!(
        "{HEAD}// uncork: allow(lock-unwrap)\n#[test]\nfn f() {{}}\n// uncork: allow(lock-unwrap)\nfn g() {{}}\n"
    );
    let (found, counts) = shown(&text);
    assert_eq!(found, ["5 unused-suppression"]);
    assert_eq!(counts.in_tests, 1);
}
