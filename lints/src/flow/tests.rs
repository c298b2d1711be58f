//! Which guards are alive where. Each source calls `at_…()`; a test says how many guards are held at each such call.

use super::cfg::EventKind;
use super::{Flow, walk};
use crate::hir::ExprKind;
use crate::infer::infer;
use crate::knowledge::Knowledge;
use crate::link::{CrateInput, ProjectInput, link};
use crate::lower::lower_file;
use crate::source::FileId;

const HEAD: &str = "
    use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard, Condvar};
    fn at_a() {} fn at_b() {} fn at_c() {} fn look<T>(_: &T) -> bool { true } fn eat<T>(_: T) {}
";

/// Guards held at each `at_…()` call in a function `f`, by name, closures and async blocks included.
fn held(edition: u16, body: &str) -> Vec<(String, usize)> {
    let text = format!("{HEAD}\n{body}");
    let file = lower_file(&text).expect("the source parses");
    let input =
        ProjectInput { crates: vec![CrateInput::alone("t", edition, FileId(0))], ..ProjectInput::default() };
    let program = link(vec![file], &input, Knowledge::builtin());
    let types = infer(&program);
    let flow = Flow::new(&program, &types);
    let mut found = Vec::new();
    for (ix, unit) in flow.units.iter() {
        let body = program.body(unit.body);
        walk::for_each_below(body, unit.root, &mut |id| {
            if walk::own_body(body, id).is_some() && id != unit.root {
                return false;
            }
            if let ExprKind::Call { callee, .. } = &body.expr(id).kind
                && let ExprKind::Path(path) = &body.expr(*callee).kind
                && let Some(name) = path.segments.last().map(|s| s.name.as_str())
                && name.starts_with("at_")
            {
                let event =
                    flow.regions(ix).events.iter().find(|e| e.expr == id && e.kind == EventKind::Call);
                found.push((name.to_owned(), event.map_or(0, |e| e.held.len())));
            }
            true
        });
    }
    found.sort();
    found
}

#[track_caller]
fn check(edition: u16, body: &str, expected: &[(&str, usize)]) {
    let expected: Vec<_> = expected.iter().map(|&(n, c)| (n.to_owned(), c)).collect();
    assert_eq!(held(edition, body), expected, "edition {edition}:{body}");
}

fn check_all(body: &str, expected: &[(&str, usize)]) {
    for edition in [2021, 2024] {
        check(edition, body, expected);
    }
}

#[test]
fn a_variable_lives_to_the_end_of_its_scope() {
    check_all("fn f(m: &Mutex<u8>) { { let _g = m.lock(); at_a(); } at_b(); }", &[("at_a", 1), ("at_b", 0)]);
}

#[test]
fn an_underscore_keeps_nothing() {
    check_all("fn f(m: &Mutex<u8>) { let _ = m.lock(); at_a(); }", &[("at_a", 0)]);
    check_all("fn f(m: &Mutex<u8>) { let g = m.lock(); let _ = g; at_a(); }", &[("at_a", 1)]);
}

#[test]
fn a_drop_or_move_ends_it_and_shadowing_does_not() {
    check_all("fn f(m: &Mutex<u8>) { let g = m.lock(); drop(g); at_a(); }", &[("at_a", 0)]);
    check_all("fn f(m: &Mutex<u8>) { let g = m.lock(); eat(g); at_a(); }", &[("at_a", 0)]);
    check_all("fn f(m: &Mutex<u8>) { let g = m.lock(); let g = *g; at_a(); eat(g); }", &[("at_a", 1)]);
    check_all(
        "fn f(m: &Mutex<u8>, c: bool) { let g = m.lock(); if c { drop(g); at_a(); } at_b(); }",
        &[("at_a", 0), ("at_b", 1)],
    );
}

#[test]
fn assignment_drops_the_old_value() {
    check_all(
        "fn f(m: &Mutex<u8>, n: &Mutex<u8>) { let mut g = m.lock(); at_a(); g = n.lock(); at_b(); look(&g); }",
        &[("at_a", 1), ("at_b", 1)],
    );
}

#[test]
fn temporaries_live_to_the_end_of_the_statement() {
    check_all(
        "fn f(m: &Mutex<u8>) { let x = (*m.lock(), at_a()); at_b(); eat(x); }",
        &[("at_a", 1), ("at_b", 0)],
    );
    check_all("fn f(m: &Mutex<u8>) { let r = &*m.lock(); at_a(); look(r); }", &[("at_a", 1)]);
    check_all("fn f(m: &Mutex<Vec<u8>>) { let n = m.lock().len(); at_a(); eat(n); }", &[("at_a", 0)]);
}

#[test]
fn a_match_keeps_its_scrutinee_and_a_plain_if_does_not() {
    check_all(
        "fn f(m: &Mutex<u8>) { match *m.lock() { 0 => at_a(), _ => {} } at_b(); }",
        &[("at_a", 1), ("at_b", 0)],
    );
    check_all(
        "fn f(m: &Mutex<u8>) { if *m.lock() == 0 { at_a(); } else { at_b(); } }",
        &[("at_a", 0), ("at_b", 0)],
    );
    check_all("fn f(m: &Mutex<u8>) { while *m.lock() == 0 { at_a(); } }", &[("at_a", 0)]);
    check_all(
        "fn f(m: &Mutex<Vec<u8>>) { while let Some(x) = m.lock().pop() { at_a(); eat(x); } at_b(); }",
        &[("at_a", 1), ("at_b", 0)],
    );
    check_all(
        "fn f(m: &Mutex<Vec<u8>>) { while let Some(x) = { let mut g = m.lock(); g.pop() } { at_a(); eat(x); } }",
        &[("at_a", 0)],
    );
}

#[test]
fn an_if_let_ends_before_its_else_since_2024() {
    let source = "fn f(m: &Mutex<Vec<u8>>) { if let Some(x) = m.lock().pop() { at_a(); eat(x); } else { at_b(); } at_c(); }";
    check(2021, source, &[("at_a", 1), ("at_b", 1), ("at_c", 0)]);
    check(2024, source, &[("at_a", 1), ("at_b", 0), ("at_c", 0)]);
}

#[test]
fn a_let_else_ends_before_its_else() {
    check_all(
        "fn f(m: &Mutex<Vec<u8>>) { let Some(x) = m.lock().pop() else { at_a(); return; }; at_b(); eat(x); }",
        &[("at_a", 0), ("at_b", 0)],
    );
}

#[test]
fn a_tail_ends_with_its_block_since_2024() {
    let source = "fn f(m: &Mutex<u8>) { let n = (1, { let x = 1; x + *m.lock() }, at_a()); eat(n); }";
    check(2021, source, &[("at_a", 1)]);
    check(2024, source, &[("at_a", 0)]);
}

#[test]
fn a_for_keeps_what_it_iterates() {
    check_all(
        "fn f(m: &Mutex<Vec<u8>>) { for x in m.lock().iter() { at_a(); eat(x); } at_b(); }",
        &[("at_a", 1), ("at_b", 0)],
    );
}

#[test]
fn leaving_early_drops() {
    check_all(
        "fn f(m: &Mutex<u8>, c: bool) { loop { let _g = m.lock(); if c { break; } at_a(); } at_b(); }",
        &[("at_a", 1), ("at_b", 0)],
    );
    check_all(
        "fn f(m: &Mutex<u8>, c: bool) { 'o: { let _g = m.lock(); if c { break 'o; } at_a(); } at_b(); }",
        &[("at_a", 1), ("at_b", 0)],
    );
}

#[test]
fn a_miss_holds_nothing() {
    check(
        2021,
        "fn f(m: &Mutex<u8>) { match m.try_lock() { Some(_g) => at_a(), None => at_b() } }",
        &[("at_a", 1), ("at_b", 0)],
    );
    check(
        2021,
        "fn f(m: &Mutex<u8>) { if let Some(_g) = m.try_lock() { at_a(); } else { at_b(); } }",
        &[("at_a", 1), ("at_b", 0)],
    );
}

#[test]
fn a_question_for_none_is_believed() {
    check_all(
        "fn f(m: &Mutex<u8>, c: bool) { let mut g = None; loop { if c && g.is_none() { at_a(); g = Some(m.lock()); } at_b(); } }",
        &[("at_a", 0), ("at_b", 1)],
    );
    check_all(
        "fn f(m: &Mutex<u8>) { let g = m.try_lock(); if !g.is_some() { at_a(); } else { at_b(); } }",
        &[("at_a", 0), ("at_b", 1)],
    );
}

#[test]
fn guards_go_through_values() {
    check_all(
        "fn f(m: &std::sync::Mutex<u8>) -> Result<(), ()> { let g = m.lock().map_err(|_| ())?; at_a(); drop(g); at_b(); Ok(()) }",
        &[("at_a", 1), ("at_b", 0)],
    );
    check_all(
        "struct S<'a> { g: MutexGuard<'a, u8> } fn f(m: &Mutex<u8>) { let s = S { g: m.lock() }; at_a(); drop(s); at_b(); }",
        &[("at_a", 1), ("at_b", 0)],
    );
    check_all(
        "fn f(m: &Mutex<u8>, n: &Mutex<u8>) { let (a, b) = (m.lock(), n.lock()); drop(a); at_a(); drop(b); at_b(); }",
        &[("at_a", 1), ("at_b", 0)],
    );
    check_all(
        "fn f(m: &[Mutex<u8>]) { let mut all = Vec::new(); for x in m { all.push(x.lock()); } at_a(); drop(all); at_b(); }",
        &[("at_a", 1), ("at_b", 0)],
    );
    check_all(
        "fn own(m: &Mutex<u8>) -> MutexGuard<'_, u8> { m.lock() } fn f(m: &Mutex<u8>) { let _g = own(m); at_a(); }",
        &[("at_a", 1)],
    );
}

#[test]
fn a_mapped_guard_is_the_same_region() {
    check_all(
        "fn f(m: &RwLock<(u8, u8)>) { let g = RwLockReadGuard::map(m.read(), |t| &t.0); at_a(); drop(g); at_b(); }",
        &[("at_a", 1), ("at_b", 0)],
    );
}

#[test]
fn closures_and_async_blocks_are_their_own() {
    check_all(
        "fn f(m: &'static Mutex<u8>) { let _g = m.lock(); std::thread::spawn(move || { let _h = m.lock(); at_a(); }); }",
        &[("at_a", 1)],
    );
    check_all(
        "async fn f(m: &Mutex<u8>) { let g = m.lock(); let later = async { at_a(); }; drop(g); later.await; at_b(); }",
        &[("at_a", 0), ("at_b", 0)],
    );
}
