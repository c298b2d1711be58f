//! Running cargo.

use std::ffi::OsString;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};

use super::diagnostics::{Outcome, Problem};
use super::prove::Checker;
use super::{Verify, VerifyError, Workspace, read, tests_run};

/// How cargo is run.
#[derive(Clone, Debug)]
pub struct CargoOptions {
    /// Arguments passed on to each command: features, `--offline`, `--locked`, `--target`, `--profile`.
    pub arguments: Vec<String>,
    /// Only these packages are checked (by name), besides being affected; empty for all.
    pub packages: Vec<String>,
    /// What to run.
    pub verify: Verify,
    /// The longest one command may take.
    pub timeout: Duration,
}

impl Default for CargoOptions {
    fn default() -> CargoOptions {
        CargoOptions {
            arguments: Vec::new(),
            packages: Vec::new(),
            verify: Verify::Check,
            timeout: Duration::from_secs(1800),
        }
    }
}

/// Cargo, for one workspace.
#[derive(Debug)]
pub struct Cargo {
    program: OsString,
    workspace: Workspace,
    options: CargoOptions,
    stop: Arc<AtomicBool>,
    /// Cleared when tests, benches and examples cannot be built even before any change.
    all_targets: bool,
}

struct Ran {
    success: bool,
    stdout: String,
    stderr: String,
}

impl Cargo {
    /// Looks at the workspace around `folder`. `$CARGO` is used where it is set, as it is for subcommands.
    ///
    /// # Errors
    /// If cargo cannot be run there.
    pub fn new(
        folder: &Utf8Path,
        options: CargoOptions,
        stop: Arc<AtomicBool>,
    ) -> Result<Cargo, VerifyError> {
        let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut cargo = Cargo {
            program,
            workspace: Workspace { root: folder.to_owned(), ..Workspace::default() },
            options,
            stop,
            all_targets: true,
        };
        let ran = cargo.run(&["metadata", "--no-deps", "--format-version", "1"], &[])?;
        if !ran.success {
            return Err(cargo.failed(ran.stderr));
        }
        cargo.workspace = Workspace::parse(&ran.stdout).map_err(|e| cargo.failed(e))?;
        Ok(cargo)
    }

    /// The workspace.
    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    fn failed(&self, why: impl Into<String>) -> VerifyError {
        VerifyError::Cargo { program: self.program.to_string_lossy().into_owned(), why: why.into() }
    }

    fn scope(&self, changed: &[Utf8PathBuf]) -> Vec<String> {
        let affected = self.workspace.affected(changed.iter().map(Utf8PathBuf::as_path));
        let wanted =
            |name: &str| self.options.packages.is_empty() || self.options.packages.iter().any(|p| p == name);
        let chosen: Vec<_> = affected.iter().filter(|p| wanted(&p.name)).collect();
        // What was asked for may not hold what was touched; then the touched are checked all the same.
        let ids =
            |list: &mut dyn Iterator<Item = String>| list.flat_map(|id| ["-p".to_owned(), id]).collect();
        if chosen.is_empty() {
            ids(&mut affected.iter().map(|p| p.id.clone()))
        } else {
            ids(&mut chosen.iter().map(|p| p.id.clone()))
        }
    }

    fn check_once(
        &mut self,
        scope: &[String],
        changed: &[Utf8PathBuf],
    ) -> Result<Result<Outcome, String>, VerifyError> {
        let mut arguments = vec!["check", "--message-format=json", "--keep-going"];
        if self.all_targets {
            arguments.push("--all-targets");
        }
        arguments.extend(scope.iter().map(String::as_str));
        let ran = self.run(&arguments, &self.options.arguments.clone())?;
        let outcome = Outcome::from_cargo(&ran.stdout).map(|mut outcome| {
            // Where there are errors, what was not made cannot say what it was made of.
            if outcome.is_clean() {
                outcome.problems = read::unread(&ran.stdout, &self.workspace.root, changed);
            }
            outcome
        });
        Ok(outcome.ok_or(ran.stderr))
    }

    fn run(&self, arguments: &[&str], more: &[String]) -> Result<Ran, VerifyError> {
        let mut child = Command::new(&self.program)
            .args(arguments)
            .args(more)
            .current_dir(&self.workspace.root)
            // Only the compiler's words are read; nothing should wait for input or colour what is parsed.
            .env("CARGO_TERM_COLOR", "never")
            .env("CARGO_TERM_PROGRESS_WHEN", "never")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| self.failed(e.to_string()))?;
        let stdout = drain(child.stdout.take());
        let stderr = drain(child.stderr.take());
        let success = self.wait(&mut child)?;
        let text = |reader: thread::JoinHandle<Vec<u8>>| {
            String::from_utf8_lossy(&reader.join().unwrap_or_default()).into_owned()
        };
        Ok(Ran { success, stdout: text(stdout), stderr: text(stderr) })
    }

    fn wait(&self, child: &mut Child) -> Result<bool, VerifyError> {
        let begun = Instant::now();
        let mut pause = Duration::from_millis(2);
        let stopped = loop {
            match child.try_wait() {
                Ok(Some(status)) => return Ok(status.success()),
                Err(e) => break self.failed(e.to_string()),
                Ok(None) if self.stop.load(Ordering::Relaxed) => break VerifyError::Interrupted,
                Ok(None) if begun.elapsed() > self.options.timeout => {
                    break VerifyError::TimedOut(self.options.timeout);
                }
                Ok(None) => {
                    thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(50));
                }
            }
        };
        let _ = child.kill();
        let _ = child.wait();
        Err(stopped)
    }
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut out = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before an error is all there is.
            let _ = pipe.read_to_end(&mut out);
        }
        out
    })
}

impl Checker for Cargo {
    fn check(&mut self, changed: &[Utf8PathBuf], baseline: bool) -> Result<Outcome, VerifyError> {
        let scope = self.scope(changed);
        if scope.is_empty() {
            return Ok(Outcome::default());
        }
        // Before any change there is nothing that must have been read.
        let judged = if baseline { &[] } else { changed };
        let first = self.check_once(&scope, judged)?;
        match first {
            Ok(outcome) => Ok(outcome),
            Err(_) if baseline && self.all_targets => {
                // A dev-dependency out of reach must not keep the rest from being verified.
                self.all_targets = false;
                self.check_once(&scope, judged)?.map_err(VerifyError::Baseline)
            }
            Err(words) if baseline => Err(VerifyError::Baseline(words)),
            Err(words) => Ok(Outcome {
                problems: vec![Problem {
                    key: "cargo".into(),
                    words: words.trim_end().to_owned(),
                    primary: Vec::new(),
                    secondary: Vec::new(),
                    about_manifest: true,
                    unread: false,
                }],
            }),
        }
    }

    fn test(&mut self, changed: &[Utf8PathBuf]) -> Result<Outcome, VerifyError> {
        if self.options.verify != Verify::Test {
            return Ok(Outcome::default());
        }
        let scope = self.scope(changed);
        if scope.is_empty() {
            return Ok(Outcome::default());
        }
        let mut arguments = vec!["test", "--no-fail-fast"];
        arguments.extend(scope.iter().map(String::as_str));
        let ran = self.run(&arguments, &self.options.arguments)?;
        Ok(tests_run::parse(&ran.stdout, &ran.stderr, ran.success))
    }

    fn lock_file(&self) -> Option<Utf8PathBuf> {
        Some(self.workspace.root.join("Cargo.lock"))
    }
}
