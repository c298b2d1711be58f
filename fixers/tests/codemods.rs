//! Each codemod makes of `<name>.before.rs` exactly `<name>.after.rs`, under the configuration `<name>.toml` if there is
//! one; the compiler takes all of it, a second run finds nothing to do. With `UNCORK_BLESS` set, what comes out is written
//! to the `after` files, to be read before it is committed.

use std::fs;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};
use uncork_fixers::change::Plan;
use uncork_fixers::codemods;
use uncork_fixers::fixpoint::{Answer, Limits};
use uncork_fixers::overlay::Overlay;
use uncork_fixers::session::{Report, Request, run};
use uncork_fixers::vcs::Allowed;
use uncork_fixers::verify::{CargoOptions, Verified};
use uncork_lints::config;
use uncork_lints::discover;
use uncork_lints::finding::Applicability;
use uncork_lints::run as analysis;

fn package(name: &str, source: &str, config: Option<&str>) -> Utf8PathBuf {
    let here = Utf8Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = Utf8Path::new(env!("CARGO_TARGET_TMPDIR")).join("codemods").join(name);
    fs::create_dir_all(root.join("src")).unwrap();
    let manifest = "[workspace]\n\n[package]\nname = \"case\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n\
                    [dependencies]\ndashmap = \"6\"\nparking_lot = \"0.12\"\n";
    fs::write(root.join("Cargo.toml"), manifest).unwrap();
    fs::write(root.join("src/lib.rs"), source).unwrap();
    match config {
        Some(text) => fs::write(root.join("uncork.toml"), text).unwrap(),
        None => drop(fs::remove_file(root.join("uncork.toml"))),
    }
    // The workspace's lock file: the same versions, and none that has to be fetched.
    fs::copy(here.join("../Cargo.lock"), root.join("Cargo.lock")).unwrap();
    root
}

fn plan(root: &Utf8Path, rule: &str, overlay: &mut Overlay) -> Result<Plan, String> {
    let edited = overlay.changed().map(|f| (overlay.absolute(f.path), f.after.clone())).collect();
    let request =
        discover::Request { cwd: root.to_owned(), edited: Arc::new(edited), ..discover::Request::default() };
    let places = discover::locate(&request).map_err(|e| e.to_string())?.places();
    let config = config::load(&places).map_err(|e| e.to_string())?;
    let outcome = analysis::with_room(|| analysis::check(&request, &config)).map_err(|e| e.to_string())?;
    let findings = &outcome.settled.findings;
    let of_rule: Vec<_> = findings.iter().filter(|f| f.rule == rule).cloned().collect();
    let mut plan = codemods::plan(&outcome.analysis, &of_rule, &config.rules, overlay);
    plan.marks = codemods::marks(&outcome.analysis, findings);
    Ok(plan)
}

/// Where all of cargo's work goes to one folder (`CARGO_TARGET_DIR`), a second run at a time is refused.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn fix(root: &Utf8Path, rule: &str) -> Report {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let request = Request {
        root: root.to_owned(),
        cargo: true,
        least: Applicability::Unsafe,
        dry: false,
        allowed: Allowed { dirty: true, staged: true, no_vcs: true },
        options: CargoOptions { arguments: vec!["--offline".into()], ..CargoOptions::default() },
        limits: Limits::default(),
        stop: Arc::new(AtomicBool::new(false)),
    };
    let mut planner = |overlay: &mut Overlay| plan(root, rule, overlay);
    run(&request, &mut planner, &mut |_, _| Answer::Apply).unwrap()
}

#[test]
fn before_becomes_after() {
    let cases = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut count = 0;
    for rule in cases.read_dir_utf8().unwrap().map(|e| e.unwrap().into_path()) {
        for before in rule.read_dir_utf8().unwrap().map(|e| e.unwrap().into_path()) {
            let Some(stem) = before.as_str().strip_suffix(".before.rs") else { continue };
            count += 1;
            let after = fs::read_to_string(format!("{stem}.after.rs")).unwrap();
            let id = rule.file_name().unwrap();
            // A file of the same name with configuration: another of a fix's ways.
            let config = fs::read_to_string(format!("{stem}.toml")).ok();
            let root = package(id, &fs::read_to_string(&before).unwrap(), config.as_deref());
            let report = fix(&root, id);
            assert!(report.backed_out.is_empty(), "{before}:\n{}", report.text());
            let text = fs::read_to_string(root.join("src/lib.rs")).unwrap();
            if std::env::var_os("UNCORK_BLESS").is_some() {
                fs::write(format!("{stem}.after.rs"), &text).unwrap();
                println!("{before}:\n{}", report.text());
                continue;
            }
            assert_eq!(text, after, "{before}:\n{}", report.text());

            assert_eq!(report.verified, Verified::Clean, "{before}");
            let again = fix(&root, id);
            assert!(again.applied.is_empty(), "{before}: a second run\n{}", again.text());
        }
    }
    assert!(count >= 10);
}

/// A library around one map, with `more` in its `impl`.
fn library(visible: &str, more: &str) -> String {
    format!(
        "use std::collections::HashMap;\n\nuse parking_lot::RwLock;\n\n#[derive(Default)]\npub struct Book {{\n    \
         {visible}by_id: RwLock<HashMap<u64, u64>>,\n    log: RwLock<Vec<u64>>,\n    spare: RwLock<Vec<u64>>,\n}}\n\n\
         impl Book {{\n    pub fn put(&self, id: u64, sum: u64) {{\n        self.by_id.write().insert(id, sum);\n    \
         }}\n\n    pub fn note(&self, id: u64) {{\n        self.log.write().push(id);\n    }}\n\n    pub fn use_spare(&self) \
         -> usize {{\n        self.spare.read().len() + self.log.read().len()\n    }}\n\n{more}}}\n"
    )
}

#[test]
fn what_a_migration_may_change_is_said() {
    let cases = [
        ("alone", "", "", None),
        ("public", "pub ", "", Some("part of the library's interface")),
        ("restricted", "pub(crate) ", "", None),
        (
            "logged",
            "",
            "    pub fn close(&self, id: u64) {\n        let mut map = self.by_id.write();\n        map.remove(&id);\n        \
             self.note(id);\n    }\n",
            Some("1 place does more under the lock"),
        ),
        (
            "moved",
            "",
            "    pub fn shut(&self, id: u64) {\n        if let Some(sum) = self.by_id.write().remove(&id) {\n            \
             self.log.write().push(sum);\n        }\n    }\n",
            Some("1 place does more under the lock"),
        ),
        (
            "decided",
            "",
            "    pub fn known(&self, id: u64) {\n        let map = self.by_id.read();\n        if map.contains_key(&id) {\n            \
             self.note(id);\n        }\n    }\n",
            Some("1 place does more under the lock"),
        ),
        (
            "dropped",
            "",
            "    pub fn close(&self, id: u64) {\n        let mut map = self.by_id.write();\n        map.remove(&id);\n        \
             drop(map);\n        self.note(id);\n    }\n",
            None,
        ),
        (
            "looked",
            "",
            "    pub fn look(&self, id: u64) -> usize {\n        let map = self.by_id.read();\n        match map.get(&id) {\n            \
             Some(_) => self.use_spare(),\n            None => 0,\n        }\n    }\n",
            None,
        ),
    ];
    for (name, visible, more, said) in cases {
        let source = library(visible, more);
        let root = package(&format!("said-{name}"), &source, None);
        let mut overlay = Overlay::new(root.clone());
        let plan = plan(&root, "shared-map-lock", &mut overlay).unwrap();
        let [change] = &plan.changes[..] else { panic!("{name}: {:?}\n{source}", plan.refused) };
        let least = if said.is_some() { Applicability::Unsafe } else { Applicability::Safe };
        assert_eq!(change.applicability, least, "{name}: {:?}", change.caveat);
        let caveat = change.caveat.as_deref().unwrap_or_default();
        assert!(caveat.contains(said.unwrap_or_default()), "{name}: {caveat}");
    }
}

#[test]
fn a_lock_that_is_tried_elsewhere_is_held_as_long_as_before() {
    let source = "use std::sync::{Condvar, Mutex, RwLock};\n\npub struct Gate {\n    state: RwLock<u32>,\n    \
                  waiting: Mutex<bool>,\n    go_on: Condvar,\n}\n\nimpl Gate {\n    pub fn wait(&self) {\n        \
                  let state = self.state.read().unwrap();\n        if *state > 3 {\n            \
                  let mut waiting = self.waiting.lock().unwrap();\n            *waiting = true;\n            \
                  while *waiting {\n                waiting = self.go_on.wait(waiting).unwrap();\n            }\n        \
                  }\n    }\n\n    pub fn open(&self) {\n        TRIED\n        *self.waiting.lock().unwrap() = false;\n        \
                  self.go_on.notify_all();\n    }\n}\n";
    let refused = |name: &str, tried: &str| {
        let root = package(name, &source.replace("TRIED", tried), None);
        let plan = plan(&root, "lock-across-io", &mut Overlay::new(root.clone())).unwrap();
        assert_eq!(plan.changes.len() + plan.refused.len(), 1, "{plan:?}");
        plan.refused.into_iter().next().map(|r| r.reason)
    };
    assert_eq!(refused("held-alone", "*self.state.write().unwrap() = 0;"), None);
    let reason = refused(
        "held-tried",
        "if let Ok(mut state) = self.state.try_write() {\n            *state = 0;\n        }",
    );
    assert_eq!(reason.as_deref(), Some("elsewhere the lock is only tried, and code acts on its being held"));
}

#[test]
fn a_guard_is_not_let_go_while_an_entry_of_its_map_lives() {
    let source = "use std::collections::HashMap;\nuse std::collections::hash_map::Entry;\nuse std::sync::Mutex;\n\n\
                  pub struct Files {\n    known: Mutex<Known>,\n}\n\npub struct Known {\n    sizes: HashMap<String, u64>,\n    \
                  hits: u64,\n}\n\nimpl Files {\n    pub fn size(&self, path: String) -> std::io::Result<u64> {\n        \
                  let mut known = self.known.lock().unwrap();\n        known.hits += 1;\n        \
                  match known.sizes.entry(path.clone()) {\n            Entry::Occupied(size) => {\n                \
                  let found = std::fs::metadata(&path)?.len();\n                if found == *size.get() {\n                    \
                  Ok(found)\n                } else {\n                    Ok(size.remove())\n                }\n            \
                  }\n            Entry::Vacant(free) => Ok(*free.insert(3)),\n        }\n    }\n}\n";
    let root = package("entry-lives", source, None);
    let plan = plan(&root, "lock-across-io", &mut Overlay::new(root.clone())).unwrap();
    assert!(plan.changes.is_empty() && plan.refused.len() == 1, "{plan:?}");
}

#[test]
fn what_is_not_made_again_the_same_is_no_cache() {
    let source = r#"use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

pub struct Store {
    versions: Mutex<HashMap<String, u64>>,
    revoked_history: Mutex<HashMap<String, u64>>,
    pools: Mutex<HashMap<String, Arc<Mutex<Vec<u8>>>>>,
    page_cache: Mutex<HashMap<String, u64>>,
    topics: Mutex<HashMap<String, Sender<u64>>>,
    counts_cache: Mutex<HashMap<String, u64>>,
    /// Interned names, each with its number.
    numbers: Mutex<HashMap<String, u64>>,
    next: AtomicU64,
    /// In-memory until it is written.
    orders: Mutex<HashMap<u64, String>>,
    /// Cache of the answers about certificates, which are told from elsewhere.
    answers: Mutex<HashMap<String, bool>>,
    /// Asked and filled by functions of their own.
    hash_cache: Mutex<HashMap<String, u64>>,
}

impl Store {
    fn next(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub fn number(&self, name: &str) -> u64 {
        let mut numbers = self.numbers.lock().unwrap();
        if let Some(number) = numbers.get(name) {
            return *number;
        }
        let number = self.next();
        numbers.insert(name.to_owned(), number);
        number
    }

    pub fn count(&self, name: &str) -> u64 {
        let mut counts = self.counts_cache.lock().unwrap();
        let count = counts.entry(name.to_owned()).or_insert(0);
        *count += 1;
        *count
    }

    pub fn topic(&self, name: &str) -> Sender<u64> {
        let mut topics = self.topics.lock().unwrap();
        topics.entry(name.to_owned()).or_insert_with(|| channel().0).clone()
    }

    pub fn told(&self, name: String, valid: bool) {
        self.answers.lock().unwrap().insert(name, valid);
    }

    pub fn is_valid(&self, name: &str) -> bool {
        self.answers.lock().unwrap().get(name).copied().unwrap_or(true)
    }

    fn cached(&self, name: &str) -> Option<u64> {
        self.hash_cache.lock().unwrap().get(name).copied()
    }

    fn keep(&self, name: &str, hash: u64) {
        self.hash_cache.lock().unwrap().insert(name.to_owned(), hash);
    }

    pub fn hash(&self, name: &str) -> u64 {
        if let Some(hash) = self.cached(name) {
            return hash;
        }
        let hash = name.bytes().map(u64::from).sum();
        self.keep(name, hash);
        hash
    }

    pub fn order(&self, id: u64, what: String) {
        self.orders.lock().unwrap().insert(id, what);
    }

    pub fn ordered(&self, id: u64) -> Option<String> {
        self.orders.lock().unwrap().get(&id).cloned()
    }

    /// The version that is expected must be the one that is there.
    pub fn append(&self, name: &str, expected: u64) -> Option<u64> {
        let mut versions = self.versions.lock().unwrap();
        let current = versions.get(name).copied().unwrap_or(0);
        if current != expected {
            return None;
        }
        versions.insert(name.to_owned(), current + 1);
        Some(current + 1)
    }

    pub fn revoke(&self, name: String, at: u64) {
        self.revoked_history.lock().unwrap().insert(name, at);
    }

    pub fn is_revoked(&self, name: &str) -> bool {
        self.revoked_history.lock().unwrap().contains_key(name)
    }

    pub fn pool(&self, name: &str) -> Arc<Mutex<Vec<u8>>> {
        let mut pools = self.pools.lock().unwrap();
        if let Some(pool) = pools.get(name) {
            return pool.clone();
        }
        let made = Arc::new(Mutex::new(Vec::new()));
        pools.insert(name.to_owned(), made.clone());
        made
    }

    pub fn page(&self, name: &str) -> u64 {
        let mut pages = self.page_cache.lock().unwrap();
        if let Some(page) = pages.get(name) {
            return *page;
        }
        let page = name.len() as u64;
        pages.insert(name.to_owned(), page);
        page
    }
}
"#;
    let root = package("not-made-again", source, None);
    let plan = plan(&root, "unbounded-cache", &mut Overlay::new(root.clone())).unwrap();
    let mut made: Vec<&str> = plan.changes.iter().filter_map(|c| c.title.split('`').nth(1)).collect();
    made.sort_unstable();
    assert_eq!(made, ["Store.hash_cache", "Store.page_cache"]);
    let mut reasons: Vec<&str> = plan.refused.iter().map(|r| r.reason.as_str()).collect();
    reasons.sort_unstable();
    let never = "nothing makes an entry again that was evicted, and the type is not called a cache";
    let another = "an entry made again would be another one";
    let state = "the values hold state of their own, which evicting would lose";
    let gathers = "entries gather what comes in, and evicting would lose it";
    assert_eq!(reasons, [another, gathers, never, never, never, state, state]);
}

#[test]
fn a_reference_does_not_outlive_the_guard_that_was_dropped() {
    let more = "    pub fn settle(&self, id: u64) {\n        let map = self.by_id.read();\n        \
                if let Some(sum) = map.get(&id) {\n            let sum = *sum;\n            drop(map);\n            \
                self.note(sum);\n        }\n    }\n";
    let root = package("dropped-early", &library("", more), None);
    let plan = plan(&root, "shared-map-lock", &mut Overlay::new(root.clone())).unwrap();
    let [change] = &plan.changes[..] else { panic!("{:?}", plan.refused) };
    assert!(change.edits.iter().any(|e| e.replacement == "sum_ref"), "{change:?}");
}

#[test]
fn a_guard_whose_type_is_written_out_stays_one_of_std() {
    let source = "use std::sync::{Mutex, MutexGuard};\n\npub struct Total {\n    sum: Mutex<u64>,\n}\n\nimpl Total {\n    \
                  pub fn add(&self, n: u64) {\n        let mut sum = self.sum.lock().unwrap();\n        \
                  Self::put(&mut sum, n);\n    }\n\n    fn put(sum: &mut MutexGuard<'_, u64>, n: u64) {\n        \
                  **sum += n;\n    }\n}\n";
    let config = "[rules.lock-unwrap]\npoison = \"parking-lot\"\n";
    let root = package("guard-named", source, Some(config));
    let plan = plan(&root, "lock-unwrap", &mut Overlay::new(root.clone())).unwrap();
    let reasons: Vec<&str> = plan.refused.iter().map(|r| r.reason.as_str()).collect();
    assert_eq!(reasons, ["the guard goes where its type is written out"], "{:?}", plan.changes);
}

#[test]
fn copies_that_cannot_be_one_by_themselves_are_sketched() {
    let copy = |name: &str, item: &str, own: &str, made: &str| {
        format!(
            "pub struct {item} {{\n    pub name: String,\n    pub live: bool,\n}}\n\n#[derive(Default)]\npub struct {name} {{\n    \
             entries: Mutex<HashMap<String, {item}>>,\n    most: usize,\n{own}}}\n\nimpl {name} {{\n    pub fn new(most: usize) -> Self {{\n        \
             {name} {{ entries: Mutex::new(HashMap::new()), most{made} }}\n    }}\n\n    pub fn add(&self, item: {item}) -> bool {{\n        \
             let mut entries = self.entries.lock();\n        if entries.len() >= self.most {{\n            return false;\n        \
             }}\n        entries.insert(item.name.clone(), item);\n        true\n    }}\n\n    pub fn names(&self) -> Vec<String> {{\n        \
             let entries = self.entries.lock();\n        entries.values().map(|e| e.name.clone()).collect()\n    }}\n\n    \
             pub fn live(&self) -> usize {{\n        let entries = self.entries.lock();\n        \
             entries.values().filter(|e| e.live).count()\n    }}\n\n    pub fn remove(&self, name: &str) -> bool {{\n        \
             let mut entries = self.entries.lock();\n        let before = entries.len();\n        \
             entries.remove(name);\n        entries.len() < before\n    }}\n}}\n\n"
        )
    };
    let source = format!(
        "use std::collections::HashMap;\n\nuse parking_lot::Mutex;\n\n{}{}{}",
        copy("JobStore", "Job", "", ""),
        copy("UserStore", "User", "", ""),
        copy("NodeStore", "Node", "    pub region: u32,\n", ", region: 0"),
    );
    let root = package("sketched", &source, None);
    let plan = plan(&root, "duplicate-manager", &mut Overlay::new(root.clone())).unwrap();
    let [sketch] = &plan.changes[..] else { panic!("{:?}", plan.refused) };
    assert_eq!(sketch.applicability, Applicability::Display);
    assert_eq!(plan.refused.len(), 1);
    let text: String = sketch.edits.iter().map(|e| e.replacement.as_str()).collect();
    for part in [
        "pub struct Store<T> {",
        "pub type JobStore = Store<Job>;",
        "shared: Store<Node>,\n    pub region: u32,",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }

    let report = fix(&root, "duplicate-manager");
    assert!(
        report.applied.is_empty() && report.text().contains("to be read: duplicate-manager: a sketch of")
    );
    assert_eq!(fs::read_to_string(root.join("src/lib.rs")).unwrap(), source);
}
