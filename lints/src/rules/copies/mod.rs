//! Copies that need not be.

pub mod clone_in_loop;
mod lookup;
mod ownership;
