//! Effects over call graphs that would make a place of every way through them.

mod common;

use uncork_lints::Analysis;

fn analyze(text: &str) -> Analysis {
    let (sources, program) = common::linked(text);
    Analysis::new(sources, program)
}

/// Services in services: each implementation takes its own lock and calls the one inside it, whichever that is.
fn nested(count: usize) -> String {
    let mut text = String::from("use std::sync::Mutex;\npub trait Service { fn call(&self); }\n");
    for i in 0..count {
        text.push_str(&format!(
            "pub struct S{i}<T> {{ inner{i}: T, lock{i}: Mutex<u32> }}\n\
             impl<T: Service> Service for S{i}<T> {{\n    fn call(&self) {{\n        \
             *self.lock{i}.lock().unwrap() += 1;\n        self.inner{i}.call();\n    }}\n}}\n"
        ));
    }
    text
}

#[test]
fn services_in_services_stay_small() {
    let count = 12;
    let analysis = analyze(&nested(count));
    let mut most = 0;
    for (unit, _) in analysis.flow.units.iter() {
        most = most.max(analysis.effects.of(unit).len());
    }
    // Each reaches the locks of all, and none through more ways than are told apart.
    assert!(most >= count, "{most}");
    assert!(most <= 9 * count, "{most}");
}

/// How many `lock-across-await` findings a text has.
fn awaits_found(text: &str) -> usize {
    let analysis = analyze(text);
    let rule = uncork_lints::rules::ALL.iter().find(|r| r.id == "lock-across-await").expect("a rule of ours");
    let mut found = Vec::new();
    (rule.check)(&analysis, &mut found);
    found.len()
}

#[test]
fn what_is_given_a_database_and_awaited_waits_for_it() {
    let head = "use sea_orm::DatabaseConnection;\nuse tokio::sync::RwLock;\n\
                pub struct Params { values: RwLock<u32>, db: DatabaseConnection }\n\
                pub struct Catalog { db: DatabaseConnection }\n";
    let another = "impl Params { pub async fn set(&self) {\n    let mut values = self.values.write().await;\n    \
                   model::Entity::find().one(&self.db).await;\n    *values += 1;\n} }\n";
    assert_eq!(awaits_found(&format!("{head}{another}")), 1);
    let own = "pub async fn list(catalog: &RwLock<Catalog>) {\n    let catalog = catalog.read().await;\n    \
               model::Entity::find().all(&catalog.db).await;\n}\n";
    assert_eq!(awaits_found(&format!("{head}{own}")), 0);
    let none = "pub async fn list(catalog: &RwLock<Catalog>, name: &str) {\n    \
                let catalog = catalog.read().await;\n    model::Entity::find().all(name).await;\n}\n";
    assert_eq!(awaits_found(&format!("{head}{none}")), 0);
}
