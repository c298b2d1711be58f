//! Made by `cargo run --release -p uncork-evidence --bin evidence`; not to be edited.

use super::{Evidence, Verdict};

#[rustfmt::skip]
pub(super) const ALL: &[Evidence] = &[
    Evidence {
        rule: "shared-map-lock",
        verdict: Verdict::Faster,
        line: "3.1 × the operations at 2 threads, half writes",
    },
    Evidence {
        rule: "lock-across-io",
        verdict: Verdict::Faster,
        line: "23.4 × the durable writes at 8 threads, a page of 4 KiB each",
    },
    Evidence {
        rule: "lock-across-await",
        verdict: Verdict::Safer,
        line: "runs that never end: 4 of 4 before, 0 of 4 after (two tasks that ask)",
    },
    Evidence {
        rule: "lock-reacquired",
        verdict: Verdict::Safer,
        line: "runs that never end: 4 of 4 before, 0 of 4 after (the lock taken under its own guard)",
    },
    Evidence {
        rule: "lock-order-cycle",
        verdict: Verdict::Safer,
        line: "runs that never end: 4 of 4 before, 0 of 4 after (2 threads, each thread one way, 500,000 times)",
    },
    Evidence {
        rule: "shard-guard-reentry",
        verdict: Verdict::Safer,
        line: "runs that never end: 4 of 4 before, 0 of 4 after (1000 items copied to other keys)",
    },
    Evidence {
        rule: "lock-unwrap",
        verdict: Verdict::Safer,
        line: "requests without an answer: 990 of 1,000 before, 1 of 1,000 after (2 threads, the eleventh panics under the lock)",
    },
    Evidence {
        rule: "unbounded-cache",
        verdict: Verdict::Smaller,
        line: "memory in use: 309 MiB before, 4.2 MiB after, 74.4 × less (after 1,000,000 different keys)",
    },
    Evidence {
        rule: "clone-in-loop",
        verdict: Verdict::Faster,
        line: "time an item: 153 ns before, 44.5 ns after, 3.4 × less (a collection that is dead after the loop, taken apart instead)",
    },
    Evidence {
        rule: "duplicate-manager",
        verdict: Verdict::Smaller,
        line: "lines of code: 150 before, 63 after, 2.4 × less (three copies)",
    },
    Evidence {
        rule: "duplicate-method",
        verdict: Verdict::Neither,
        line: "neither faster, safer nor smaller on its own fixture: lines of code: 55 before, 59 after (three copies)",
    },
    Evidence {
        rule: "duplicate-handler",
        verdict: Verdict::Smaller,
        line: "lines of code: 52 before, 39 after, 1.3 × less (three copies)",
    },
    Evidence {
        rule: "unused-suppression",
        verdict: Verdict::NotApplicable,
        line: "not applicable: about the tool",
    },
    Evidence {
        rule: "unreadable-file",
        verdict: Verdict::NotApplicable,
        line: "not applicable: about the tool",
    },
];
