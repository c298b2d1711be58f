//! The `cargo uncork` subcommand.

fn main() {}
