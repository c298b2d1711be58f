//! `cfg` predicates: what they mention, and whether they hold in the build that bodies are read for.
//!
//! A body is read as one build sees it, or two alternatives would look like two steps. That build is the same on every
//! machine, so that findings are too: Linux on x86-64, release, all features on, no `--cfg` of one's own (`loom`,
//! `miri`, `tokio_unstable`…).

use proc_macro2::{TokenStream, TokenTree};

/// What a predicate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cfg {
    /// It mentions `test`, not under `not(…)`.
    pub(super) test: bool,
    /// It mentions anything but `test`.
    pub(super) other: bool,
    /// It holds in the build that bodies are read for.
    pub(super) holds: bool,
}

/// Nesting that is followed; no build has predicates that deep.
const DEPTH: usize = 32;

/// Reads a predicate (`all(test, unix)`, `any(test, feature = "x")`, `not(test)`), in code that is test code or not.
/// O(tokens).
pub(super) fn read(tokens: TokenStream, in_test: bool) -> Cfg {
    let mut out = Cfg { test: false, other: false, holds: true };
    out.holds = all(tokens, in_test, false, DEPTH, &mut out).iter().all(|&holds| holds);
    out
}

/// What each predicate of a list comes to.
fn all(tokens: TokenStream, in_test: bool, negated: bool, depth: usize, seen: &mut Cfg) -> Vec<bool> {
    let mut out = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let TokenTree::Ident(word) = token else { continue };
        match tokens.peek() {
            Some(TokenTree::Group(group)) => {
                let group = group.stream();
                tokens.next();
                if depth == 0 {
                    out.push(true);
                    continue;
                }
                let inner = all(group, in_test, negated ^ (word == "not"), depth - 1, seen);
                out.push(if word == "any" {
                    inner.contains(&true)
                } else if word == "not" {
                    inner.first() != Some(&true)
                } else {
                    !inner.contains(&false)
                });
            }
            Some(TokenTree::Punct(p)) if p.as_char() == '=' => {
                tokens.next();
                seen.other = true;
                let value = tokens.next().map(|t| t.to_string()).unwrap_or_default();
                out.push(option(&word.to_string(), value.trim_matches('"')));
            }
            _ if word == "test" => {
                seen.test |= !negated;
                out.push(in_test);
            }
            _ => {
                seen.other = true;
                out.push(word == "unix" || word == "true" || word == "panic");
            }
        }
    }
    out
}

fn option(key: &str, value: &str) -> bool {
    match key {
        "feature" | "target_has_atomic" => true,
        "target_os" => value == "linux",
        "target_family" => value == "unix",
        "target_arch" => value == "x86_64",
        "target_pointer_width" => value == "64",
        "target_endian" => value == "little",
        "target_env" => value == "gnu",
        "target_vendor" => value == "unknown",
        "panic" => value == "unwind",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str) -> bool {
        read(text.parse().unwrap(), false).holds
    }

    #[test]
    fn one_build_is_chosen() {
        for yes in [
            "unix",
            "target_os = \"linux\"",
            "feature = \"x\"",
            "all()",
            "not(any())",
            "not(loom)",
            "not(test)",
            "any(windows, unix)",
            "all(unix, not(windows))",
            "not(all(windows, feature = \"x\"))",
            "not(debug_assertions)",
        ] {
            assert!(holds(yes), "{yes}");
        }
        for no in [
            "windows",
            "target_os = \"macos\"",
            "not(feature = \"x\")",
            "any()",
            "loom",
            "test",
            "all(tokio_unstable, feature = \"x\")",
            "all(target_family = \"wasm\", not(target_os = \"wasi\"))",
            "debug_assertions",
        ] {
            assert!(!holds(no), "{no}");
        }
        assert!(read("test".parse().unwrap(), true).holds);
    }

    #[test]
    fn mentions_are_told() {
        let told = |text: &str| {
            let cfg = read(text.parse().unwrap(), false);
            (cfg.test, cfg.other)
        };
        assert_eq!(told("test"), (true, false));
        assert_eq!(told("not(test)"), (false, false));
        assert_eq!(told("any(test, feature = \"testing\")"), (true, true));
        assert_eq!(told("not(not(test))"), (true, false));
    }
}
