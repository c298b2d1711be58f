//! Reads Rust source without compiling it and finds what corks it up under load.
