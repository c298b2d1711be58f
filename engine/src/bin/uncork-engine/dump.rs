//! Databases as text, one row a line.
//!
//! ```text
//! uncork-engine dump 1
//! table <name in hexadecimal>
//! <key in hexadecimal> <value in hexadecimal>
//! ```
//!
//! Tags and dictionary of a table are rows of a table beside it, whose name begins with a zero byte.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::sync::Arc;

use uncork_engine::storage::Storage;
use uncork_engine::{Database, Durability, Error, Options, WriteBatch};

use crate::Failure;

const FIRST_LINE: &str = "uncork-engine dump 1";
/// Bytes committed at a time while loading.
const BATCH: usize = 1 << 20;

pub(crate) fn dump(
    storage: &Arc<dyn Storage>,
    directory: &Path,
    output: Option<&Path>,
) -> Result<(), Failure> {
    // Nothing is written, and no file is made, before it is known that there is a database.
    let open = || -> Result<Box<dyn Write>, Failure> {
        let mut out: Box<dyn Write> = match output {
            Some(path) => Box::new(BufWriter::new(File::create(path).map_err(named(path))?)),
            None => Box::new(BufWriter::new(io::stdout().lock())),
        };
        writeln!(out, "{FIRST_LINE}")?;
        Ok(out)
    };
    let mut out = None;
    let mut current = None;
    let mut failed = None;
    let mut line = String::new();
    let damage = uncork_engine::dump(storage, directory, &mut |table, key, value| {
        line.clear();
        if current.as_deref() != Some(table) {
            line.push_str("table ");
            push_hex(&mut line, table.as_bytes());
            line.push('\n');
            current = Some(table.to_owned());
        }
        push_hex(&mut line, key);
        line.push(' ');
        push_hex(&mut line, value);
        line.push('\n');
        let written = match &mut out {
            Some(out) => Ok(out),
            none => open().map(|opened| none.insert(opened)),
        };
        // Whatever is returned ends the dump: nobody reads on where nobody can write.
        written.and_then(|out| Ok(out.write_all(line.as_bytes())?)).map_err(|failure| {
            failed = Some(failure);
            Error::Closed
        })
    });
    if let Some(failure) = failed {
        return Err(failure);
    }
    let damage = damage?;
    let mut out = out.map_or_else(open, Ok)?;
    out.flush()?;
    for error in &damage {
        eprintln!("not dumped: {error}");
    }
    if damage.is_empty() { Ok(()) } else { Err(Failure::Damaged) }
}

pub(crate) fn load(directory: &Path, input: Option<&Path>) -> Result<(), Failure> {
    let mut reader: Box<dyn BufRead> = match input {
        Some(path) => Box::new(BufReader::new(File::open(path).map_err(named(path))?)),
        None => Box::new(io::stdin().lock()),
    };
    let mut first = Vec::new();
    // What is something else may have no end of a line for long.
    reader.by_ref().take(FIRST_LINE.len() as u64 + 2).read_until(b'\n', &mut first)?;
    if first.trim_ascii_end() != FIRST_LINE.as_bytes() {
        return Err(Failure::Input { line: 1, what: "not a dump of this engine" });
    }
    let database = Database::open(directory, Options::default())?;
    let mut table = None;
    let mut batch = WriteBatch::new();
    for (number, line) in (2..).zip(reader.lines()) {
        let bad = |what| Failure::Input { line: number, what };
        let line = line.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => bad("not text"),
            _ => error.into(),
        })?;
        if let Some(name) = line.strip_prefix("table ") {
            let name = unhex(name).and_then(|name| String::from_utf8(name).ok());
            table = Some(database.dumped_table(&name.ok_or(bad("not a table's name"))?)?);
        } else {
            let table = table.as_ref().ok_or(bad("a row before any table"))?;
            let (key, value) = line.split_once(' ').ok_or(bad("not a row"))?;
            let row = unhex(key).zip(unhex(value));
            let (key, value) = row.ok_or(bad("not hexadecimal"))?;
            batch.put(table, &key, &value)?;
            if batch.size() >= BATCH {
                database.write(&batch, Durability::Buffered)?;
                batch.clear();
            }
        }
    }
    database.write(&batch, Durability::Buffered)?;
    Ok(database.sync()?)
}

fn named(path: &Path) -> impl FnOnce(io::Error) -> Failure {
    let path = path.to_owned();
    |error| Failure::File { path, error }
}

fn push_hex(out: &mut String, bytes: &[u8]) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or('0');
    out.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let bytes = pairs.iter().map(|[high, low]| Some((digit(*high)? << 4 | digit(*low)?) as u8)).collect();
    if rest.is_empty() { bytes } else { None }
}
