//! From the items of all files to one program: modules, names, types of declarations, impls and methods.

mod decls;

pub use decls::Decls;
