//! Whatever the text: no panic, no exhausted stack, and the HIR keeps its promises.

use proptest::prelude::*;

use super::*;
use crate::hir::invariants::violations;

/// Lowers on a thread with the stack that Rust gives by default, so that a caller with much room hides nothing.
fn lower(text: &str) -> Result<FileHir, Unreadable> {
    std::thread::scope(|s| {
        let thread = std::thread::Builder::new().stack_size(2 << 20).spawn_scoped(s, || lower_file(text));
        thread.expect("a thread").join().expect("no panic")
    })
}

fn around(open: &str, inside: &str, close: &str, times: usize) -> String {
    format!("fn f() {{ {}{inside}{}; }}", open.repeat(times), close.repeat(times))
}

#[test]
fn deep_nesting_is_read_or_refused() {
    for (open, inside, close) in [
        ("(", "x", ")"),
        ("[", "x", "]"),
        ("{", "x", "}"),
        ("f(", "x", ")"),
        ("|a| {", "x", "}"),
        ("if a { ", "x", "}"),
        ("match a { b => ", "x", "}"),
        ("vec![", "x", "]"),
        ("my!{", "x", "}"),
        ("println!(\"\", ", "x", ")"),
        ("let x: Vec<(", "u8", ")> = 1"),
        ("fn g() {", "x", "}"),
        ("x[", "x", "]"),
        ("async {", "x", "}"),
        ("S { a: ", "x", "}"),
        ("tokio::select!{ a = ", "x", "=> y }"),
    ] {
        for times in [200, 3_000] {
            let text = around(open, inside, close, times);
            if let Ok(hir) = lower(&text) {
                assert_eq!(violations(&hir, &text), Vec::<String>::new(), "{open}");
            }
        }
        assert!(lower(&around(open, inside, close, 200)).is_ok() || open.starts_with("let"), "{open}");
        let deep = lower(&around(open, inside, close, 100_000));
        assert!(deep.is_err_and(|e| e.message.lines().count() == 1), "{open}");
    }
}

#[test]
fn long_chains_are_read() {
    for (first, link, last) in [
        ("a", " + b", ""),
        ("a", ".b()", ""),
        ("a", ".b", ""),
        ("a", "?", ""),
        ("a", " as u8", ""),
        ("a", "[0]", ""),
        ("", "&", "x"),
        ("", "!", "x"),
        ("", "a = ", "x"),
        ("", "return ", "x"),
        ("", "|a| ", "x"),
        ("if a {}", " else if a {}", ""),
        ("let _: ", "&", "u8 = x"),
        ("let ", "&", "a = x"),
        ("let ", "a @ ", "b = x"),
        ("a::<", "Vec<", "u8"),
        ("let _: ", "fn() -> ", "u8 = x"),
        ("a", "::b", ""),
        ("\"a\".to_string()", " + \"b\"", ""),
        ("a", " && b || c", ""),
    ] {
        let times = 10_000;
        let close = if first == "a::<" { format!("{}>()", ">".repeat(times)) } else { String::new() };
        let text = format!("fn f() {{ {first}{}{last}{close}; }}", link.repeat(times));
        let hir = lower(&text).unwrap_or_else(|e| panic!("{link}: {e:?}"));
        assert_eq!(violations(&hir, &text), Vec::<String>::new(), "{link}");
    }
}

#[test]
fn a_long_line_is_read_in_linear_time() {
    for unit in ["f(a, 1);", "é(\"é\");"] {
        let text = format!("fn f() {{ {} }}", unit.repeat(400_000 / unit.len()));
        assert!(lower(&text).is_ok_and(|h| h.bodies[0].exprs.len() > 30_000));
    }
}

/// Pieces that meet in real code, and some that should not.
const PIECES: &[&str] = &[
    "fn",
    "f",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    "<",
    ">",
    "let",
    "x",
    "=",
    ";",
    ",",
    ".",
    "..",
    "..=",
    "::",
    ":",
    "&",
    "&&",
    "|",
    "||",
    "mut",
    "match",
    "if",
    "else",
    "for",
    "in",
    "while",
    "loop",
    "=>",
    "->",
    "async",
    "await",
    "move",
    "return",
    "break",
    "'a",
    "'x'",
    "\"s {x} {\"",
    "r#\"q\"#",
    "b\"b\"",
    "1",
    "1.0",
    "0.0.1",
    "self",
    "Self",
    "struct",
    "enum",
    "impl",
    "trait",
    "use",
    "mod",
    "pub",
    "const",
    "static",
    "type",
    "where",
    "dyn",
    "unsafe",
    "extern",
    "crate",
    "#",
    "!",
    "#[cfg(test)]",
    "/// doc\n",
    "// uncork: allow(x) y\n",
    "/* c */",
    "é",
    "?",
    "*",
    "+",
    "-",
    "@",
    "_",
    "$",
    "as",
    "println!(\"{x}\", y)",
    "select!{",
    "vec![",
    "matches!(",
    "info!(",
    "macro_rules!",
    "lazy_static!{",
    "static ref",
    "\n",
    "\u{200e}",
    "\r\n",
    "\\",
    "'",
    "\"",
    "/*",
    "*/",
    "r#",
    "if let Some(x) = y",
    "cfg_if!{",
    "#[cfg(a)]",
    "|x| x",
    "c\"\"",
];

fn soup() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(PIECES), 0..60).prop_map(|p| p.join(" "))
}

/// A file with most constructs in it.
const REAL: &str = include_str!("exprs.rs");

#[test]
fn nul_bytes_where_rustc_reads_them() {
    let text = "fn f() { let s = \"a\0b\"; let b = b'\0'; let c = '\0'; /* \0 */ } // \0";
    assert!(lower_file(text).is_ok());
    assert!(lower_file("fn f() {} \0").is_err_and(|e| e.message.contains("NUL") && e.span.lo == 10));
}

#[test]
fn parts_are_one_file() {
    // Long enough to be cut, with what a cut has to leave alone.
    let mut text = String::from("#![allow(dead_code)]\nuse std::{fmt, io};\n");
    for n in 0..400 {
        text.push_str(&format!(
            "/// Größe {n}\n#[inline]\npub fn f{n}<const N: usize>() -> [u8; {{ 1 }}] {{ [{n} as u8; {{ 1 }}] }}\n\
             const C{n}: S<{{ {n} }}> = S {{ at: \"line\nbreak é\" }};\n\
             impl T for S<{{ {n} }}>\nwhere\n    u8: Copy,\n{{}}\n"
        ));
    }
    let hir = lower_file(&text).expect("Rust");
    assert_eq!(violations(&hir, &text), Vec::<String>::new());
    assert!(super::scan::scan(&text, 0).cuts.len() > 5);
    assert_eq!(hir.items.len(), 1 + 3 * 400);
    for item in hir.items.iter().skip(1) {
        let at = |span: crate::source::Span| &text[span.lo as usize..span.hi as usize];
        if !item.name.as_str().is_empty() {
            assert_eq!(at(item.name_span), item.name.as_str());
        }
        assert!(at(item.span).ends_with(['}', ';']) && !at(item.span).starts_with(char::is_whitespace));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn token_soup(text in soup()) {
        for text in [text.clone(), format!("fn f() {{ {text} }}"), format!("fn f() {{ my!{{ {text} }} }}")] {
            if let Ok(hir) = lower_file(&text) {
                prop_assert_eq!(violations(&hir, &text), Vec::<String>::new());
            }
        }
    }

    #[test]
    fn any_text(text in "\\PC{0,80}|[ -~\\n]{0,80}") {
        let _ = lower_file(&text);
    }

    #[test]
    fn mutated_source(at in 0usize..14_000, len in 0usize..12, piece in proptest::sample::select(PIECES)) {
        let start = (0..=at.min(REAL.len())).rev().find(|&i| REAL.is_char_boundary(i)).unwrap_or(0);
        let end = (start..=(start + len).min(REAL.len())).rev().find(|&i| REAL.is_char_boundary(i)).unwrap_or(start);
        let text = format!("{}{piece}{}", &REAL[..start], &REAL[end..]);
        if let Ok(hir) = lower_file(&text) {
            prop_assert_eq!(violations(&hir, &text), Vec::<String>::new());
        }
    }
}
