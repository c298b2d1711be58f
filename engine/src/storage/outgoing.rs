//! Writing a file out bit by bit.
#![allow(unsafe_code, reason = "a call into the system's library; it is handed a descriptor and numbers")]

use std::fs::File;
use std::ops::Range;

/// Begins to write part of a file to the medium, once what was begun there before has arrived.
pub(super) fn send(file: &File, range: Range<u64>) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        use std::os::fd::AsRawFd;
        let length = range.end.saturating_sub(range.start);
        if let (Ok(start), Ok(length @ 1..)) = (range.start.try_into(), length.try_into()) {
            let how = libc::SYNC_FILE_RANGE_WAIT_BEFORE | libc::SYNC_FILE_RANGE_WRITE;
            // SAFETY: takes no pointer; the file is borrowed, so its descriptor is open. What fails here is found by the
            // sync that follows.
            unsafe {
                libc::sync_file_range(file.as_raw_fd(), start, length, how);
            }
        }
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    let _ = (file, range);
}
