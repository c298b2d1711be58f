//! Each construct, lowered and written as text.

use super::*;
use crate::hir::dump;

fn body(code: &str) -> String {
    let text = format!("fn f() {{ {code} }}");
    let hir = lower_file(&text).unwrap_or_else(|e| panic!("{e:?}: {text}"));
    hir.bodies.last().map(dump::body).unwrap_or_default()
}

fn items(text: &str) -> String {
    dump::file(&lower_file(text).unwrap_or_else(|e| panic!("{e:?}: {text}")))
}

#[test]
fn statements_and_tails() {
    assert_eq!(body("a(); b()"), "|| { (call a); => (call b)}");
    assert_eq!(body("if x { 1 } else { 2 } y()"), "|| { (if x { => 1} { => 2}) => (call y)}");
}

#[test]
fn items_have_scopes_and_parents() {
    assert_eq!(
        items("#[cfg(test)] mod m { struct S(u8); impl S { fn g(&self) { const X: u8 = 1; } } }"),
        "0 cfg(test) mod m scope:1\n\
         1 scope=1 cfg(test) struct S {0: u8}\n\
         2 scope=1 cfg(test) impl S\n\
         3 scope=1 in=2 cfg(test) fn g(&self ) |self.0| { scope:2}\n\
         4 scope=2 in=3 cfg(test) const X: u8 Plain || 1\n"
    );
}
