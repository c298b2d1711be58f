//! What `cargo test` said: which tests failed.

use super::diagnostics::{Outcome, Problem};

/// Reads libtest's own words. Failing tests are problems without a place; so is a test program that died.
pub(super) fn parse(stdout: &str, stderr: &str, success: bool) -> Outcome {
    let mut problems = Vec::new();
    for line in stdout.lines() {
        let Some(name) = line.strip_prefix("test ").and_then(|l| l.strip_suffix(" ... FAILED")) else {
            continue;
        };
        problems.push(problem(without_line_number(name), format!("test {name} failed")));
    }
    if !success {
        // "error: test failed, to rerun pass `-p x --lib`", also when the program was killed by a signal.
        let reruns = stderr.lines().filter_map(|l| l.split_once("to rerun pass `"));
        for (_, rest) in reruns {
            let target = rest.trim_end_matches('`');
            problems.push(problem(format!("target {target}"), format!("tests of `{target}` failed")));
        }
        if problems.is_empty() {
            let tail: Vec<&str> = stderr.lines().rev().take(20).collect();
            let words = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
            problems.push(problem("cargo test".into(), words));
        }
    }
    Outcome { problems }
}

fn problem(key: String, words: String) -> Problem {
    Problem { key, words, primary: Vec::new(), secondary: Vec::new(), about_manifest: false, unread: false }
}

/// Documentation tests are named by their line, which edits move.
fn without_line_number(name: &str) -> String {
    match name.split_once(" (line ") {
        Some((before, after)) => {
            let rest = after.split_once(')').map_or("", |(_, rest)| rest);
            format!("{before}{rest}")
        }
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::new_problems;

    #[test]
    fn failing_tests_are_compared_by_name() {
        let before = parse("test a::b ... ok\ntest src/lib.rs - f (line 3) ... FAILED\n", "", false);
        let after = parse(
            "test a::b ... FAILED\ntest src/lib.rs - f (line 9) ... FAILED\n",
            "error: test failed, to rerun pass `--lib`\n",
            false,
        );
        let new: Vec<String> = new_problems(&before, &after).into_iter().map(|p| p.key).collect();
        assert_eq!(new, ["a::b", "target --lib"]);
        assert!(parse("test a ... ok\n", "", true).is_clean());
        assert!(!parse("", "error: could not compile\n", false).is_clean());
    }
}
