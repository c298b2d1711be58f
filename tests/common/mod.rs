//! Running the tool on made-up projects.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use tempfile::TempDir;

/// A folder with files in it.
pub struct World {
    pub dir: TempDir,
}

/// What a run printed, and its status.
#[derive(Debug)]
pub struct Ran {
    pub status: i32,
    pub out: String,
    pub err: String,
}

/// A function that `lock-unwrap` reports (line 4 of a file that begins with it).
pub const UNWRAP: &str =
    "use std::sync::Mutex;\n\npub fn add(total: &Mutex<u64>) {\n    *total.lock().unwrap() += 1;\n}\n";

/// A manifest of a package.
pub fn manifest(name: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n")
}

impl World {
    /// Makes the files.
    pub fn new(files: &[(&str, &str)]) -> World {
        let world = World { dir: tempfile::tempdir().expect("a folder") };
        for (path, text) in files {
            world.write(path, text);
        }
        world
    }

    /// A package with this library.
    pub fn package(lib: &str) -> World {
        World::new(&[("Cargo.toml", &manifest("demo")), ("src/lib.rs", lib)])
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file.
    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let full = self.path().join(path);
        fs::create_dir_all(full.parent().expect("a parent")).expect("folders");
        fs::write(full, text).expect("a file");
    }

    /// The command, in the folder, free of what the environment says.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("cargo-uncork"));
        command.current_dir(self.path()).arg("uncork").args(args);
        for name in ["NO_COLOR", "CI", "CLICOLOR_FORCE", "CARGO_TARGET_DIR"] {
            command.env_remove(name);
        }
        command.env("CARGO_NET_OFFLINE", "true");
        command
    }

    /// Runs it.
    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().expect("it runs"))
    }

    /// Runs it with something on standard input.
    pub fn run_with_input(&self, args: &[&str], input: &[u8]) -> Ran {
        Ran::of(self.command(args).write_stdin(input).output().expect("it runs"))
    }

    /// Findings in the short format: `path:line rule`.
    pub fn found(&self, args: &[&str]) -> Vec<String> {
        let mut all = vec!["check", "--format", "jsonl"];
        all.extend(args);
        let ran = self.run(&all);
        let finding = |line: &str| {
            let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let text = |key: &str| value[key].as_str().expect("text").to_owned();
            format!("{}:{} {}", text("path"), value["line"], text("rule"))
        };
        ran.out.lines().map(finding).collect()
    }
}

impl Ran {
    fn of(output: Output) -> Ran {
        Ran {
            status: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Asserts status 2 and one error line on standard error that holds all of `parts`.
    pub fn fails_with(&self, parts: &[&str]) {
        assert_eq!(self.status, 2, "{self:?}");
        let errors: Vec<&str> = self.err.lines().filter(|l| l.starts_with("error")).collect();
        assert_eq!(errors.len(), 1, "one line: {self:?}");
        for part in parts {
            assert!(errors[0].contains(part), "`{part}` is not in `{}`", errors[0]);
        }
        assert!(!self.err.contains("panicked"), "{self:?}");
    }
}
