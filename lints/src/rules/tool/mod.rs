//! About the tool itself. These two are raised by the pipeline, not by a walk over code.

pub mod unreadable_file;
pub mod unused_suppression;
