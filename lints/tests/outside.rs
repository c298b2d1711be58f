//! Crates that the fixtures do not depend on: what the knowledge files say of their types is used.

mod common;

use uncork_lints::Analysis;
use uncork_lints::finding::Finding;

/// The messages of one rule's findings.
fn found(rule: &str, text: &str) -> Vec<String> {
    let (sources, program) = common::linked(text);
    let analysis = Analysis::new(sources, program);
    let rule = uncork_lints::rules::ALL.iter().find(|r| r.id == rule).expect("a rule of ours");
    let mut found: Vec<Finding> = Vec::new();
    (rule.check)(&analysis, &mut found);
    found.into_iter().map(|f| f.message).collect()
}

#[test]
fn maps_under_another_hasher() {
    let text = "use ahash::HashMap;\nuse parking_lot::Mutex;\npub struct Pool { open: Mutex<HashMap<u64, u64>> }\n\
                impl Pool { pub fn add(&self) { self.open.lock().insert(1, 1); } }\n";
    assert_eq!(
        found("shared-map-lock", text),
        ["`Pool.open` keeps a whole `HashMap` behind one `Mutex`: taken at 1 place"]
    );
}

#[test]
fn state_that_a_framework_hands_out() {
    for handle in ["actix_web::web::Data<App>", "tauri::State<'_, App>", "&rocket::State<App>"] {
        let text = format!(
            "use std::collections::HashMap;\nuse parking_lot::Mutex;\npub struct App {{ users: Mutex<HashMap<u64, u64>> }}\n\
             pub fn add(app: {handle}) {{ app.users.lock().insert(1, 1); }}\n\
             pub fn remove(app: {handle}) {{ app.users.lock().remove(&1); }}\n"
        );
        assert_eq!(
            found("shared-map-lock", &text),
            [
                "`App.users` keeps a whole `HashMap` behind one `Mutex`: taken at 2 places, 0 to read and 2 to write"
            ],
            "{handle}"
        );
    }
}
