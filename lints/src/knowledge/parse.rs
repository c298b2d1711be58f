//! Reads knowledge files.

/// What is wrong in a knowledge file: one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KnowledgeError(pub String);
