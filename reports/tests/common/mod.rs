//! An invented run: several files, a chain, related places, tabs, CRLF, wide characters, notices, a planned fix.
#![allow(dead_code, reason = "each test crate uses a part")]

use std::sync::Arc;

use uncork_lints::finding::{Applicability, Confidence, Finding, Hop, Level, Related, Severity};
use uncork_lints::rule::{Group, Rule};
use uncork_lints::source::{FileId, Location, SourceFile, Sources, Span};
use uncork_reports::{
    AppliedFix, FilePatch, Fix, FixResult, Format, Notice, NoticeLevel, Options, Refused, Replacement,
    ReportInput, Summary, render,
};

const POOL: &str = "use std::collections::HashMap;
use std::sync::{Mutex, RwLock};

pub(crate) struct Pool {
    pages: RwLock<HashMap<u64, Page>>,
    log: Mutex<Log>,
}

impl Pool {
    pub(crate) fn evict(&self, id: u64) -> io::Result<()> {
        let mut pages = self.pages.write().unwrap();
        let page = pages.remove(&id);
        self.disk.flush(page)?;
        Ok(())
    }

    pub(crate) fn get(&self, id: u64) -> Option<Page> { self.pages.read().unwrap().get(&id).cloned().or_else(|| self.pages.read().unwrap().get(&(id + 1)).cloned()) }
}
";

const DISK: &str = "impl Disk {\r\n\tpub fn flush(&self, page: Page) -> io::Result<()> {\r\n\t\tself.file.write_all(&page.bytes)?;\r\n\t\tself.sync()\r\n\t}\r\n\r\n\tfn sync(&self) -> io::Result<()> {\r\n\t\tself.file.sync_all()\r\n\t}\r\n}\r\n";

const WIDE: &str = "static 名前: Mutex<HashMap<String, 名>> = Mutex::new(HashMap::new()); // 🦀 [see](1)
fn f() { let 值 = \"漢字🦀\"; 名前.lock().unwrap().insert(值.to_string(), 名::新()); }
";

/// The run.
pub(crate) struct World {
    pub(crate) sources: Sources,
    pub(crate) findings: Vec<Finding>,
    pub(crate) rules: Vec<&'static Rule>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) fixes: Vec<Fix>,
    pub(crate) refusals: Vec<Refused>,
    pub(crate) result: Option<FixResult>,
    pub(crate) options: Options,
}

/// Three rules: one that fires twice, one once, one never.
pub(crate) static RULES: [Rule; 3] = [
    Rule {
        id: "lock-across-io",
        group: Group::Contention,
        level: Level::Warn,
        severity: Severity::Critical,
        since: "0.1.0",
        fix: Some(Applicability::Unsafe),
        summary: "a lock held while a call blocks on I/O",
        source: "//! A guard is alive while a call\n//! blocks on I/O.\n//!\n//! ## Example\n//!\n//! ```rust\n//! let g = m.lock();\n//! ```\nuse x;\n",
        check: |_, _| {},
    },
    Rule {
        id: "shared-map-lock",
        group: Group::Contention,
        level: Level::Warn,
        severity: Severity::Critical,
        since: "0.1.0",
        fix: Some(Applicability::Unsafe),
        summary: "a map wholly behind one lock",
        source: "//! Every thread waits for <one> lock.\n",
        check: |_, _| {},
    },
    Rule {
        id: "coarse-lock",
        group: Group::Contention,
        level: Level::Allow,
        severity: Severity::High,
        since: "0.1.0",
        fix: None,
        summary: "one lock around a whole structure",
        source: "",
        check: |_, _| {},
    },
];

/// The `nth` (from 0) place of `needle` in a file.
pub(crate) fn at(sources: &Sources, file: FileId, needle: &str, nth: usize) -> Location {
    let text = &sources.get(file).text;
    let lo = text.match_indices(needle).nth(nth).expect("the needle is in the file").0 as u32;
    Location { file, span: Span::new(lo, lo + needle.len() as u32) }
}

/// A finding with no more than it needs.
pub(crate) fn finding(rule: &str, at: Location, message: &str) -> Finding {
    Finding {
        rule: rule.into(),
        level: Level::Warn,
        severity: Severity::Critical,
        confidence: Confidence::High,
        at,
        message: message.into(),
        label: String::new(),
        help: String::new(),
        related: Vec::new(),
        chain: Vec::new(),
        fix: None,
        facts: Vec::new(),
        key: String::new(),
        fingerprint: "00000000000000aa".into(),
        in_test: false,
    }
}

/// The invented run.
pub(crate) fn world() -> World {
    let mut sources = Sources::default();
    let pool = sources.add(SourceFile::new("src/pool.rs".into(), POOL.into(), false));
    let disk = sources.add(SourceFile::new("src/disk.rs".into(), DISK.into(), true));
    let wide = sources.add(SourceFile::new("src/wide ü.rs".into(), WIDE.into(), false));
    let place = |file, needle, nth| at(&sources, file, needle, nth);

    let io = Finding {
        level: Level::Deny,
        label: "`Pool.pages` is locked here".into(),
        help: "take what the I/O needs out of the map, end the guard's region, then call `Disk::flush`"
            .into(),
        related: vec![
            Related { at: place(pool, "self.disk.flush(page)", 0), label: "called while it is held".into() },
            Related { at: place(disk, "flush", 0), label: "the callee".into() },
        ],
        chain: vec![
            Hop { at: place(pool, "self.disk.flush(page)", 0), label: "calls Disk::flush".into() },
            Hop { at: place(disk, "self.sync()", 0), label: "calls Disk::sync".into() },
            Hop { at: place(disk, "self.file.sync_all()", 0), label: "File::sync_all blocks on I/O".into() },
        ],
        fix: Some(Applicability::Unsafe),
        facts: vec![("lock".into(), "Pool.pages".into())],
        key: "Pool::evict/pages".into(),
        fingerprint: "1111111111111111".into(),
        ..finding(
            "lock-across-io",
            place(pool, "self.pages.write()", 0),
            "the lock `Pool.pages` is held while `Disk::flush` blocks on I/O, three calls away, so that every reader of the pool waits for the disk",
        )
    };
    let map = Finding {
        label: "a map behind one lock".into(),
        help: "use a concurrent map".into(),
        related: (0..3)
            .map(|i| Related { at: place(pool, "self.pages", i), label: format!("use {}", i + 1) })
            .chain((0..9).map(|i| Related { at: place(pool, "pages", i % 5), label: format!("again {i}") }))
            .collect(),
        fix: Some(Applicability::Unsafe),
        fingerprint: "2222222222222222".into(),
        key: "Pool/pages".into(),
        ..finding(
            "shared-map-lock",
            place(pool, "pages: RwLock<HashMap<u64, Page>>", 0),
            "`Pool.pages` is a map behind one lock",
        )
    };
    let long = Finding {
        severity: Severity::Medium,
        confidence: Confidence::Medium,
        label: "and here again, while the first may still be held by this thread".into(),
        fix: Some(Applicability::Safe),
        fingerprint: "3333333333333333".into(),
        ..finding(
            "lock-reacquired",
            place(pool, "self.pages.read()", 1),
            "`Pool.pages` is locked twice in one expression",
        )
    };
    let tabs = Finding {
        fingerprint: "4444444444444444".into(),
        help: "see [the book](https://example.org)".into(),
        label: "synced each time".into(),
        ..finding("lock-across-io", place(disk, "write_all", 0), "`write_all` [blocks](1)")
    };
    let wide = Finding {
        label: "鍵".into(),
        related: vec![Related { at: place(wide, "名前.lock()", 0), label: "ここ".into() }],
        fingerprint: "5555555555555555".into(),
        ..finding("shared-map-lock", place(wide, "名前", 0), "`名前` is a map behind one lock 🦀")
    };
    let fixes = vec![Fix {
        fingerprint: "2222222222222222".into(),
        description: "make `Pool.pages` a `DashMap`".into(),
        applicability: Applicability::Unsafe,
        caveat: Some("1 place reads the whole map, and may now see it change meanwhile".into()),
        files: vec![
            FilePatch {
                path: "src/pool.rs".into(),
                original: Arc::from(POOL),
                replacements: vec![Replacement {
                    span: place(pool, "RwLock<HashMap<u64, Page>>", 0).span,
                    text: "DashMap<u64, Page>".into(),
                }],
            },
            FilePatch {
                path: "Cargo.toml".into(),
                original: Arc::from("[dependencies]\n"),
                replacements: vec![Replacement { span: Span::new(15, 15), text: "dashmap = \"6\"\n".into() }],
            },
        ],
    }];
    let refusals = vec![Refused {
        fingerprint: "1111111111111111".into(),
        reason: "the guard is used after the I/O".into(),
        blocking: Some(place(pool, "Ok(())", 0)),
    }];
    let result = FixResult {
        applied: vec![AppliedFix {
            rule: "shared-map-lock".into(),
            description: "make `Pool.pages` a `DashMap`".into(),
            applicability: Applicability::Unsafe,
            caveat: None,
            fingerprints: vec!["2222222222222222".into()],
        }],
        files: fixes[0].files.clone(),
        stopped: Some("rounds"),
    };
    World {
        findings: vec![tabs, map, io, long, wide],
        sources,
        rules: RULES.iter().collect(),
        notices: vec![
            Notice {
                level: NoticeLevel::Error,
                path: Some("src/broken.rs".into()),
                line: Some(3),
                message: "does not parse: expected `;`".into(),
            },
            Notice {
                level: NoticeLevel::Note,
                path: None,
                line: None,
                message: "2 files outside every target were not analysed".into(),
            },
        ],
        fixes,
        refusals,
        result: Some(result),
        options: Options::default(),
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let files: Vec<_> = self.sources.iter().map(|(_, file)| (&file.path, &file.text)).collect();
        f.debug_struct("World")
            .field("files", &files)
            .field("findings", &self.findings)
            .field("notices", &self.notices)
            .field("options", &self.options)
            .finish()
    }
}

impl World {
    /// What `render` takes.
    pub(crate) fn input(&self) -> ReportInput<'_> {
        ReportInput {
            root: "/home/me/my project/crates/store".into(),
            repository: Some("/home/me/my project".into()),
            sources: &self.sources,
            findings: &self.findings,
            rules: &self.rules,
            summary: Summary { files: 3, lines: 29, unreadable: 1, suppressed: 2, ..Summary::default() },
            tool_version: "0.1.0",
            fixes: &self.fixes,
            refusals: &self.refusals,
            result: self.result.as_ref(),
            notices: &self.notices,
            options: self.options,
        }
    }

    /// The run in a format.
    pub(crate) fn render(&self, format: Format) -> String {
        let mut out = Vec::new();
        render(format, &self.input(), &mut out).expect("a vector takes everything");
        String::from_utf8(out).expect("output is UTF-8")
    }
}
