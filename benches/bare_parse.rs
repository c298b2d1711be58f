//! The bare parse with the allocator that a program gets if it asks for none; `scan` builds and runs it. What it parses
//! is named by `UNCORK_CORPUS`.

mod yardstick;

fn main() {
    let bench = std::env::args().any(|a| a == "--bench");
    if let Some(corpus) = std::env::var_os("UNCORK_CORPUS").filter(|_| bench) {
        let time = yardstick::time_parse(corpus.as_ref());
        println!("{}{}", yardstick::NUMBERS, time.as_micros());
    }
}
