//! Asking the processor for memory before it is needed.
#![allow(unsafe_code, reason = "an instruction of the processor's that reads nothing")]

/// Begins to bring the cache line in which `bytes` starts nearer to the processor, and does not wait for it.
#[inline]
pub(crate) fn prefetch(bytes: &[u8]) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a hint that has no effect but on speed, whatever the address; this one lies in or just behind a slice.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(bytes.as_ptr().cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = bytes;
}
