//! One thread's failure that becomes every thread's.

pub mod lock_unwrap;
