//! Room for recursion: the parser, and the dropping of its tree, recurse as deep as the source nests.

use super::Unreadable;
use super::scan::Scan;
use crate::source::Span;

/// Brackets may nest this deep. Beyond it no compiler of ours would go either.
const MAX_NESTING: u32 = 20_000;
/// A chain through all open brackets may have this many tokens.
const MAX_CHAIN: u32 = 2_000_000;

/// Stack that one level of brackets takes at most, in bytes: the parser's frames from expression to expression,
/// measured in a debug build with room to spare.
const BYTES_A_LEVEL: usize = 24 * 1024;
/// Stack that one token of a chain takes at most, in bytes (`&&&x`, `a = b = c`, `if … else if …`).
const BYTES_A_TOKEN: usize = 4 * 1024;
/// What any thread has: the 2 MiB that Rust gives a thread, less what callers use.
const USUAL_ROOM: usize = 1536 * 1024;

/// Runs `work` where the stack is large enough for what `scan` saw.
pub(super) fn with_room<T: Send>(scan: &Scan, work: impl FnOnce() -> T + Send) -> Result<T, Unreadable> {
    let refuse = |message: String| Err(Unreadable { message, span: Span::default() });
    if scan.nesting > MAX_NESTING {
        return refuse(format!("brackets nest {} deep; more than {MAX_NESTING} are not read", scan.nesting));
    }
    if scan.chain > MAX_CHAIN {
        return refuse(format!("an expression of over {MAX_CHAIN} tokens without separator is not read"));
    }
    let room = scan.nesting as usize * BYTES_A_LEVEL + scan.chain as usize * BYTES_A_TOKEN;
    if room <= USUAL_ROOM {
        return Ok(work());
    }
    // Only pages that are touched are ever backed by memory.
    let builder = std::thread::Builder::new().stack_size(room + USUAL_ROOM);
    std::thread::scope(|scope| match builder.spawn_scoped(scope, work) {
        Ok(thread) => match thread.join() {
            Ok(out) => Ok(out),
            Err(_) => refuse("the parser failed on this file".into()),
        },
        Err(_) => refuse("the file nests deeper than there is memory for a stack".into()),
    })
}
