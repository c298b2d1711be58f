//! The tree the analyses read: plain, owned, `Send + Sync`, serialisable; byte spans into the source.
//!
//! One [`FileHir`] a file. Items form a tree of modules inside the file; each function-like thing has a [`Body`], an
//! arena of expressions, patterns and locals. Names of local variables are resolved while lowering
//! ([`ExprKind::Local`]); everything else is a [`Path`] that linking resolves.

#[allow(missing_docs, reason = "a field named as in the language needs no more words")]
mod body;
pub mod dump;
pub mod invariants;
#[allow(missing_docs, reason = "a field named as in the language needs no more words")]
mod item;
pub mod pack;
mod types;

pub use body::*;
pub use item::*;
pub use types::*;
