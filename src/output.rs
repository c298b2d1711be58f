//! Where output goes: standard output or a file, and what the machine-made texts are.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use camino::{Utf8Path, Utf8PathBuf};

use std::process::ExitCode;

use crate::args::{self, CompletionArgs, ManArgs};
use crate::error::Error;

/// Writes through `f` to standard output or a file. A file appears whole or not at all.
pub(crate) fn write(
    output: Option<&Utf8Path>,
    f: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    match output {
        None => {
            let mut out = BufWriter::new(io::stdout().lock());
            f(&mut out).and_then(|()| out.flush()).map_err(Error::stdout)
        }
        Some(path) => {
            let beside = Utf8PathBuf::from(format!("{path}.{}.tmp", std::process::id()));
            let result = File::create(&beside).and_then(|file| {
                let mut out = BufWriter::new(file);
                f(&mut out)?;
                out.flush()?;
                std::fs::rename(&beside, path)
            });
            result.map_err(|e| {
                let _ = std::fs::remove_file(&beside);
                Error::file(path, &e)
            })
        }
    }
}

/// `completions`
pub(crate) fn completions(args: &CompletionArgs) -> Result<ExitCode, Error> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut args::command(), "cargo-uncork", &mut text);
    write(None, |out| out.write_all(&text))?;
    Ok(ExitCode::SUCCESS)
}

/// `man`
pub(crate) fn man(_: &ManArgs) -> Result<ExitCode, Error> {
    write(None, |out| clap_mangen::Man::new(args::command()).render(out))?;
    Ok(ExitCode::SUCCESS)
}
