pub fn a() -> u64 {
    // uncork: allow(lock-unwrap) nothing is locked here
    1
}

pub fn b() -> u64 {
    2 // uncork: allow(lock-unwrap, clone-in-loop)
}
