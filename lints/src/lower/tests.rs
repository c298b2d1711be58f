//! Each construct, lowered and written as text.

use super::*;
use crate::hir::{ExprKind, ItemKind, SuppressionKind, dump, invariants};

fn hir(text: &str) -> FileHir {
    let hir = lower_file(text).unwrap_or_else(|e| panic!("{e:?}: {text}"));
    assert_eq!(invariants::violations(&hir, text), Vec::<String>::new(), "{text}");
    hir
}

fn body(code: &str) -> String {
    let hir = hir(&format!("fn f() {{ {code} }}"));
    let text = hir.bodies.last().map(dump::body).unwrap_or_default();
    text.strip_prefix("|| ").map(str::to_owned).unwrap_or(text)
}

fn items(text: &str) -> String {
    dump::file(&hir(text))
}

#[track_caller]
fn same(code: &str, wanted: &str) {
    assert_eq!(body(code), wanted, "{code}");
}

#[test]
fn statements_and_tails() {
    same("a(); b()", "{ (call a); => (call b)}");
    same("if x { 1 } else { 2 } y()", "{ (if x { => 1} { => 2}) => (call y)}");
    same("if x { 1 } else { 2 }", "{ => (if x { => 1} { => 2})}");
    same(
        "match a() { _ => {} } match b() { _ => {} };",
        "{ (match (call a) [_ => {}]) (match (call b) [_ => {}]);}",
    );
    same("{ a() }.b(); unsafe { c() } loop {}", "{ (.b { => (call a)}); {unsafe => (call c)} => (loop {})}");
    same("println!(\"x\") ; vec![1]", "{ (println! Format); => (vec! Vec 1)}");
    same("println!{\"x\"} y", "{ (println! Format) => y}");
}

#[test]
fn locals_are_seen_after_their_let_and_in_their_scope() {
    same("let x = x; { let x = x; x } x", "{ let x.0 = x; { let x.1 = x.0; => x.1} => x.0}");
    same("let Some(y) = y else { return y }; y", "{ let Some(y.0) = y else { => (return y)}; => y.0}");
    same("let a: u8; a = 1; _ = a;", "{ let a.0: u8; (= a.0 1); (= _ a.0);}");
    same("let N = 1; N", "{ let N.0 = 1; => N.0}");
    same("for i in 0..i { i } i", "{ (for i.0 (.. 0 i) { => i.0}) => i}");
    same("'a: while let Some(x) = x { break 'a; } x", "{ (while 'a (let Some(x.0) x) { (break 'a);}) => x}");
    same(
        "let f = move |x: u8, (y, _)| -> u8 { x + y + z };",
        "{ let f.2 = (move |x.0: u8, (y.1, _)| -> u8 { => (Add (Add x.0 y.1) z)});}",
    );
    same(
        "if let A(x) = m && x > 0 && let B(y) = x { y } else { x; y }",
        "{ => (if (And (And (let A(x.0) m) (Gt x.0 0)) (let B(y.1) x.0)) { => y.1} { x; => y})}",
    );
    same(
        "match v { A(x) | B(x) if x > n => x, C { x, y: ref mut z, .. } => z, n @ 1..=2 => n, NONE => 0, &[a, .., b] => a }",
        "{ => (match v [A(x.0) | B(x.0) if (Gt x.0 n) => x.0] [C {x: x.1, y: ref mut z.2, ..} => z.2] \
         [n.3 @ range => n.3] [NONE => 0] [&[a.4, .., b.5] => a.4])}",
    );
    // A function inside does not see what is around it.
    same("let x = 1; fn g() -> u8 { x }", "{ scope:1 let x.0 = 1;}");
    assert!(items("fn f() { let x = 1; fn g() -> u8 { x } }").contains("fn g() -> u8 || { => x}"));
    assert!(
        items("impl S { fn f(mut self: Box<Self>, x: u8) { self.a(x) } }")
            .contains("fn f(self: Box<Self> u8) |mut self.0: Box<Self>, x.1: u8| { => (.a self.0 x.1)}")
    );
}

#[test]
fn expressions() {
    same("&mut *a.b[1].0?.await", "{ => (&mut (* (await (? (field 0 (index (field b a) 1))))))}");
    same("a.0.1", "{ => (field 1 (field 0 a))}");
    same("(-1i32 as u64) << 2", "{ => (Shl (as u64 (- 1i32)) 2)}");
    same("x.collect::<Vec<_>>()", "{ => (.collect<Vec<_>> x)}");
    same("<T as Trait>::new(<U>::X, ::std::y)", "{ => (call <T as Trait>::new <U>::X ::std::y)}");
    same("S { a, b: 1, ..c }", "{ => (struct S a~a b:1 ..c)}");
    same("[0u8; N]; [a, b]; (a, ); ()", "{ (repeat 0u8 N); (array a b); (tuple a); => (tuple)}");
    same("async move { x.await }", "{ => {async move => (await x)}}");
    same("'l: { break 'l 1 }", "{ => { 'l => (break 'l 1)}}");
    same("&raw const x; a += 1; a ..= b; ..", "{ (& x); (Add= a 1); (..= a b); => (.. _ _)}");
    same("((a + b)).c()", "{ => (.c (Add a b))}");
    same("async |x| x.await", "{ => (async |x.0| (await x.0))}");
    same("const { 1 }; unsafe { 2 }", "{ {const => 1}; => {unsafe => 2}}");
}

#[test]
fn macro_arguments() {
    same(
        "let (x, w) = t; println!(\"{x:>w$} {y} {{no}} {}\", z); write!(f, \"{n}\", n = x)?;",
        "{ let (x.0, w.1) = t; (println! Format x.0 w.1 y z); (? (write! Format f x.0));}",
    );
    same(
        "panic!(\"{e}\"); todo!(); bail!(err)",
        "{ (panic! Diverge e); (todo! Diverge); => (bail! Diverge err)}",
    );
    same(
        "info!(target: \"t\", a = ?b, %c, d.e = f, g, \"m {h}\", i); log::warn!(k = v; \"x\");",
        "{ (info! Log \"t\" b c f g h i); (log::warn! Log v);}",
    );
    same(
        "info!(parent: &p, { a = b }, \"m\"); error!(k:? = v; \"m\")",
        "{ (info! Log (& p) b); => (error! Log v)}",
    );
    same(
        "assert_eq!(a, b, \"{c}\"); ensure!(a > b, \"x\")",
        "{ (assert_eq! Assert a b c); => (ensure! Assert (Gt a b))}",
    );
    same("matches!(x, Some(y) if y > 1)", "{ => (matches! Matches [Some(y.0)] x (Gt y.0 1))}");
    same(
        "vec![x; n]; vec![vec![a()]]; dbg!(b)",
        "{ (vec! VecRepeat x n); (vec! Vec (vec! Vec (call a))); => (dbg! Dbg b)}",
    );
    same(
        "tokio::select! { biased; Some(m) = rx.recv(), if on => m, _ = b => { c }  else => d }",
        "{ => (tokio::select! Select [Some(m.0)] [_] (.recv rx) m.0 b { => c} d)}",
    );
    same("select! { recv(r) -> m => m, default => x }", "{ => (select! Select [m.0] (call recv r) m.0 x)}");
    same("tokio::join!(a(), b); try_join!(c)", "{ (tokio::join! Join (call a) b); => (try_join! Join c)}");
    same("my!(a, b.c(), k = d)", "{ => (my! Guess a (.c b) d)}");
    same("my! { let x = 1; x.f(); }", "{ => (my! Guess { let x.0 = 1; (.f x.0);})}");
    same("my!(a => b); quote! { a }", "{ (my! Opaque); => (quote! Opaque)}");
    same("cfg_if! { if #[cfg(unix)] { a() } else { b(); } }", "{ => (cfg_if! Guess { => (call a)})}");
    // Spans are the source's, inside literals and in macros in macros.
    let text = "fn f(é: u8, y: u8) { vec![format!(\"é{é} {y:?}\", \n é)]; }";
    let hir = hir(text);
    let spans: Vec<&str> = hir.bodies[0]
        .exprs
        .iter()
        .filter(|e| matches!(e.kind, ExprKind::Local(_)))
        .map(|e| &text[e.span.lo as usize..e.span.hi as usize])
        .collect();
    assert_eq!(spans, ["é", "y", "é"]);
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

#[test]
fn declarations() {
    assert_eq!(
        items("use a::{self, b as c, d::*, e::{f, g as _}}; use ::h; extern crate i as j; mod k;"),
        "0 use a a::b=c a::d::* a::e::f a::e::g=_\n1 use ::h\n2 extern crate i=j\n3 mod k;\n"
    );
    assert_eq!(
        items(
            "struct S<'a, T: Clone, const N: usize = 1> where T: Send + ?Sized, T::X: Eq { a: &'a mut [T; N] }"
        ),
        "0 struct S<T: Clone + Send, const N, where T::X: Eq> {a: &mut [T; _]}\n"
    );
    assert_eq!(
        items("trait A: B + 'static { type C: D = u8; fn e(&mut self) -> impl F<G = u8>; const H: u8; }"),
        "0 trait A: B\n1 in=0 type C: D = u8\n2 in=0 fn e(&mut self ) -> impl F<G=u8>\n3 in=0 const H: u8 Plain\n"
    );
    assert_eq!(
        items("impl<T> !A for Box<dyn Fn(T, u8) -> *const T + Send> {} type X = fn(u8) -> !;"),
        "0 impl<T> !A for Box<dyn Fn<(T, u8), Output=*const T> + Send>\n1 type X = fn(u8) -> !\n"
    );
    assert_eq!(
        items(
            "enum E { A, B(u8), C { x: u8 } } extern \"C\" { fn f(x: u8); static mut G: u8; } macro_rules! m { () => {} }"
        ),
        "0 enum E {A(), B(0: u8), C(x: u8)}\n1 fn f(u8)\n2 static mut G: u8 Plain\n3 macro_rules m\n"
    );
    assert_eq!(
        items(
            "lazy_static! { /// Doc.\n pub static ref A: u8 = f(); } thread_local! { static B: u8 = const { 1 } }"
        ),
        "0 static A: u8 LazyStatic || (call f)\n1 static B: u8 ThreadLocal || {const => 1}\n"
    );
    assert_eq!(
        items("cfg_if! { if #[cfg(unix)] { mod a; } else { mod b; } } cfg_rt! { fn c() {} } foo!(x + 1);"),
        "0 cfg mod a;\n1 cfg mod b;\n2 from-macro fn c() || {}\n3 foo!\n"
    );
}

#[test]
fn attributes() {
    let cfg = |text: &str| {
        hir(text).items.iter().map(|i| (i.attrs.cfg_test, i.attrs.cfg_other)).collect::<Vec<_>>()
    };
    assert_eq!(cfg("#[cfg(any(test, feature = \"x\"))] fn f() {}"), [(true, true)]);
    assert_eq!(cfg("#[cfg(not(test))] fn f() {}"), [(false, false)]);
    assert_eq!(cfg("#[cfg(not(any(not(test), unix)))] fn f() {}"), [(true, true)]);
    assert_eq!(cfg("#![cfg(test)] mod m { fn f() {} }"), [(true, false); 2]);
    assert_eq!(cfg("#[cfg(test)] impl S { fn f() {} }"), [(true, false); 2]);
    assert!(!hir("#[test] fn f() { #[cfg(test)] g(); }").bodies[0].exprs.is_empty());
    same("#[cfg(test)] a(); #[cfg(not(test))] b(); #[cfg(test)] let x = 1; x", "{ (call b); => x}");

    let text = "/// Keeps A Cache\n/// of things.\n#[derive(Clone, serde::Serialize)]\n// plain\n/** More. */\n\
                #[cfg_attr(x, derive(Eq), path = \"p.rs\")] #[inline] pub(crate) struct S { /** F */ pub a: u8 }";
    let hir = hir(text);
    let item = &hir.items[0];
    assert_eq!(item.attrs.doc.as_ref(), "keeps a cache of things. more.");
    let names: Vec<&str> = item.attrs.derives.iter().map(|n| n.as_str()).collect();
    assert_eq!(names, ["Clone", "Serialize", "Eq"]);
    assert_eq!(item.attrs.others.iter().map(|n| n.as_str()).collect::<Vec<_>>(), ["inline"]);
    assert_eq!(item.attrs.path.as_deref(), Some("p.rs"));
    assert_eq!(item.attrs_span.lo, 0);
    assert!(text[..item.attrs_span.hi as usize].ends_with("#[inline]"));
    let ItemKind::Struct(s) = &item.kind else { panic!("{item:?}") };
    assert_eq!(s.fields[0].doc.as_ref(), "f");
    assert!(text[s.fields[0].span.lo as usize..].starts_with("/** F */ pub a"));
    assert!(hir.items.iter().all(|i| !i.attrs.test));
    assert!(super::tests::hir("#[tokio::test(flavor = \"x\")] async fn f() {}").items[0].attrs.test);
}

#[test]
fn comments_and_blank_lines() {
    let text = "// uncork: allow(a, b) why\nfn f() { // uncork: expect(c)\n\n  \"// uncork: allow(d)\";\n\
                /* uncork: allow-file(e) */ /// uncork: allow(f)\n#[x(\n1)]\nlet r = r#\"\n\"// uncork: allow(g)\"#; }\n\
                // uncork: alow(h)\n/* a /* nested */ // uncork: allow(i)\n*/";
    let hir = lower_file(text).unwrap_or_else(|e| panic!("{e:?}"));
    let found: Vec<_> = hir
        .suppressions
        .iter()
        .map(|s| (s.kind, s.rules.iter().map(|r| r.0.to_string()).collect::<Vec<_>>().join(","), s.trailing))
        .collect();
    assert_eq!(
        found,
        [
            (SuppressionKind::Allow, "a,b".into(), false),
            (SuppressionKind::Expect, "c".into(), true),
            (SuppressionKind::AllowFile, "e".into(), false),
            (SuppressionKind::Malformed, String::new(), false),
        ]
    );
    assert_eq!(hir.blank_lines, [1, 3, 5, 6, 7, 10, 11, 12]);
    assert!(lower_file("// @generated by x\n").is_ok_and(|h| h.generated));
    let licence = "// A line of a licence.\n".repeat(14);
    assert!(
        lower_file(&format!("{licence}\n// This file is @generated by x\nfn a() {{}}"))
            .is_ok_and(|h| h.generated)
    );
    let late = format!("{licence}fn a() {{}}\n// @generated by x\nfn b() {{}}");
    assert!(lower_file(&late).is_ok_and(|h| !h.generated));
}

#[test]
fn includes_and_preludes() {
    let hir = hir("include!(\"x.rs\"); mod m { include!(\"y.rs\"); }");
    let found: Vec<_> = hir.includes.iter().map(|(path, _, scope)| (path.as_str(), scope.0)).collect();
    assert_eq!(found, [("x.rs", 0), ("y.rs", 1)]);
    assert_eq!(
        items("#!/usr/bin/env run\n---\n[dependencies]\n---\nfn é() { a() }"),
        "0 fn é() || { => (call a)}\n"
    );
    assert_eq!(items("#![allow(x)] fn f() {}\r\n// é\r\nfn g(){}"), "0 fn f() || {}\n1 fn g() || {}\n");
}

#[test]
fn an_attribute_may_read_what_the_language_lacks() {
    let plain = items("#[ext(Name)] impl u8 { fn f(&self) {} } fn g() {}");
    assert_eq!(items("#[ext(Name)] pub impl u8 { fn f(&self) {} } fn g() {}"), plain);
    assert_eq!(items("#[ext(Name)] pub(crate) impl u8 { fn f(&self) {} } fn g() {}"), plain);
}

#[test]
fn what_cannot_be_read_is_said_in_one_line() {
    let error = |text: &str| match lower_file(text) {
        Err(e) => (e.message, e.span.lo),
        Ok(_) => panic!("read: {text}"),
    };
    assert_eq!(error("fn f() { a( }"), ("`(` is closed by `}`".into(), 12));
    assert_eq!(error("fn f() {"), ("this `{` is never closed".into(), 7));
    assert_eq!(error("fn f() { \"x }"), ("this string is never closed".into(), 9));
    assert_eq!(error("/* é\nfn f() {}"), ("this block comment is never closed".into(), 0));
    assert_eq!(error("// é\n  fn f() { let = 1; }").1, 21);
    assert_eq!(error("fn f() {}\0").1, 9);
    assert_eq!(error("struct S").1, 8);
}

#[test]
fn an_item_in_a_body_leaves_its_patterns_alone() {
    let hir =
        hir("fn f(_: u8) { fn g(x: u8) -> u8 { x } } fn h() { let _: u8; struct S; impl S { fn i() {} } }");
    for body in &hir.bodies {
        let params = body.params.iter().map(|p| p.pat);
        for pat in params {
            assert!((pat.0 as usize) < body.pats.len());
        }
        for expr in &body.exprs {
            let ExprKind::Block(block) = &expr.kind else { continue };
            for stmt in block.stmts.iter() {
                if let crate::hir::Stmt::Let { pat, .. } = stmt {
                    assert!((pat.0 as usize) < body.pats.len());
                }
            }
        }
    }
}
