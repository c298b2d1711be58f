//! Any bytes as a plain block and as a compressed payload: answers or errors, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use uncork_engine::compress::decompress;
use uncork_engine::run::block::{Block, row_at};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(block) = Block::parse(bytes) {
        let _ = block.check();
        for key in [&b""[..], b"a", bytes.get(16..40).unwrap_or_default()] {
            let _ = block.lower_bound(key);
            let _ = block.upper_bound(key);
        }
    }
    for start in 0..bytes.len().min(64) {
        let _ = row_at(bytes, start);
    }
    let _ = decompress(bytes, bytes.len() * 3);
});
