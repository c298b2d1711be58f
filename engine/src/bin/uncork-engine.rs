//! The uncork-engine command.
fn main() {}
