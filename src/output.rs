//! Where output goes: standard output or a file, and what the machine-made texts are.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use camino::{Utf8Path, Utf8PathBuf};

use crate::args::{self, CompletionArgs, ManArgs};
use crate::error::Error;
use crate::interrupt;

/// Where a report goes.
pub(crate) enum Target {
    /// Standard output.
    Stdout,
    /// A file that appears whole or not at all.
    File(Utf8PathBuf),
    /// A device or pipe, written to as it is.
    Special(Utf8PathBuf),
}

impl Target {
    /// Checks before any work that the file can be written.
    pub(crate) fn new(output: Option<&Utf8Path>) -> Result<Target, Error> {
        let Some(path) = output.filter(|p| *p != "-") else { return Ok(Target::Stdout) };
        match fs::metadata(path) {
            Ok(about) if about.is_dir() => Err(Error::Usage(format!("{path}: a folder; name a file"))),
            Ok(about) if about.permissions().readonly() => {
                Err(Error::Usage(format!("{path}: the file is read-only; it was left as it is")))
            }
            Ok(about) if !about.is_file() => Ok(Target::Special(path.to_owned())),
            Ok(_) => Ok(Target::File(path.to_owned())),
            Err(_) => {
                let parent = match path.parent() {
                    Some(parent) if !parent.as_str().is_empty() => parent,
                    _ => Utf8Path::new("."),
                };
                match fs::metadata(parent) {
                    Ok(about) if !about.is_dir() => {
                        Err(Error::Usage(format!("{path}: {parent} is no folder")))
                    }
                    Ok(about) if about.permissions().readonly() => {
                        Err(Error::Usage(format!("{path}: the folder {parent} is read-only")))
                    }
                    Ok(_) => Ok(Target::File(path.to_owned())),
                    Err(_) => Err(Error::Usage(format!("{path}: the folder {parent} does not exist"))),
                }
            }
        }
    }

    /// Whether it is standard output.
    pub(crate) fn is_stdout(&self) -> bool {
        matches!(self, Target::Stdout)
    }

    /// Writes through `f`. A reader of standard output that has gone is no error: it has what it wanted.
    pub(crate) fn write(&self, f: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
        match self {
            Target::Stdout => {
                let mut out = BufWriter::new(io::stdout().lock());
                match f(&mut out).and_then(|()| out.flush()) {
                    Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {
                        // What is left in the buffer has no reader either.
                        drop(out.into_parts());
                        Ok(())
                    }
                    result => result.map_err(|e| Error::file("standard output", &e)),
                }
            }
            Target::Special(path) => {
                let write = || {
                    let mut out = BufWriter::new(File::options().write(true).open(path)?);
                    f(&mut out)?;
                    out.flush()
                };
                write().map_err(|e| Error::file(path, &e))
            }
            Target::File(path) => {
                let beside = Utf8PathBuf::from(format!("{path}.{}.tmp", std::process::id()));
                interrupt::unfinished(Some(&beside));
                let write = || {
                    let mut out = BufWriter::new(File::create(&beside)?);
                    f(&mut out)?;
                    out.flush()?;
                    if let Ok(about) = fs::metadata(path) {
                        fs::set_permissions(&beside, about.permissions())?;
                    }
                    fs::rename(&beside, path)
                };
                let result = write();
                if result.is_err() {
                    drop(fs::remove_file(&beside));
                }
                interrupt::unfinished(None);
                result.map_err(|e| Error::file(path, &e))
            }
        }
    }
}

/// Writes through `f` to standard output or a file.
pub(crate) fn write(
    output: Option<&Utf8Path>,
    f: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    Target::new(output)?.write(f)
}

/// Prints text to standard output.
pub(crate) fn print(text: &str) -> Result<(), Error> {
    Target::Stdout.write(|out| out.write_all(text.as_bytes()))
}

/// `completions`
pub(crate) fn completions(args: &CompletionArgs) -> Result<ExitCode, Error> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut args::command(), "cargo-uncork", &mut text);
    Target::Stdout.write(|out| out.write_all(&text))?;
    Ok(ExitCode::SUCCESS)
}

/// `man`: the page of the command itself, then those of its subcommands.
pub(crate) fn man(_: &ManArgs) -> Result<ExitCode, Error> {
    let mut command = args::command();
    command.build();
    let mut page = Vec::new();
    let render = |page: &mut Vec<u8>| -> io::Result<()> {
        let man = clap_mangen::Man::new(command.clone());
        man.render(page)?;
        for sub in command.get_subcommands().filter(|c| c.get_name() != "help") {
            writeln!(page, ".SH \"{}\"", sub.get_name().to_uppercase())?;
            let man = clap_mangen::Man::new(sub.clone());
            man.render_synopsis_section(page)?;
            man.render_description_section(page)?;
            man.render_options_section(page)?;
        }
        Ok(())
    };
    render(&mut page).map_err(|e| Error::file("the manual", &e))?;
    Target::Stdout.write(|out| out.write_all(&page))?;
    Ok(ExitCode::SUCCESS)
}
