//! The bare parse with the allocator that a program gets if it asks for none; the bench `scan` builds and runs it.
//! Prints how long parsing all Rust files below the folder named took, in microseconds.

#[path = "../../yardstick/mod.rs"]
mod yardstick;

fn main() {
    let Some(dir) = std::env::args_os().nth(1) else {
        eprintln!("usage: bare-parse FOLDER");
        std::process::exit(2);
    };
    println!("{}{}", yardstick::NUMBERS, yardstick::time_parse(dir.as_ref()).as_micros());
}
