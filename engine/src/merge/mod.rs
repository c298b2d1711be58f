//! Reading several sorted sources as one.

mod concat;
pub mod cursor;
mod kway;
mod scan;
#[cfg(test)]
mod tests;

pub use concat::Concat;
pub use cursor::Cursor;
pub use kway::Merge;
pub use scan::{Scan, Sources};
