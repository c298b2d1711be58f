//! What the compiler said, and which of it is new.

use camino::Utf8PathBuf;
use rustc_hash::FxHashMap;
use serde::Deserialize;

/// A range of lines in a file, from 1, both included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines {
    /// As the compiler names the file: relative to the workspace, or absolute.
    pub path: Utf8PathBuf,
    /// First line.
    pub first: u32,
    /// Last line.
    pub last: u32,
}

/// An error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What stays the same when lines move: code, message, file, text of the line.
    pub key: String,
    /// The compiler's words.
    pub words: String,
    /// Primary places first.
    pub primary: Vec<Lines>,
    /// The other places it names.
    pub secondary: Vec<Lines>,
    /// Cargo's own: about manifests or dependencies, not code.
    pub about_manifest: bool,
    /// No error: the compiler never read the file.
    pub unread: bool,
}

/// The outcome of a check.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The errors.
    pub problems: Vec<Problem>,
}

impl Outcome {
    /// Whether there is no error.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// Reads the lines of `--message-format=json`. `None` if cargo did not get to the end of a build.
    pub fn from_cargo(stdout: &str) -> Option<Outcome> {
        parse(stdout)
    }
}

/// The errors of `after` that `before` does not have, counted: two of a kind where there was one are one new.
pub fn new_problems(before: &Outcome, after: &Outcome) -> Vec<Problem> {
    let mut known: FxHashMap<&str, usize> = FxHashMap::default();
    for problem in &before.problems {
        *known.entry(&problem.key).or_default() += 1;
    }
    let mut out = Vec::new();
    for problem in &after.problems {
        match known.get_mut(problem.key.as_str()) {
            Some(left) if *left > 0 => *left -= 1,
            _ => out.push(problem.clone()),
        }
    }
    out
}

#[derive(Deserialize)]
struct Line {
    reason: String,
    #[serde(default)]
    success: bool,
    message: Option<Message>,
}

#[derive(Deserialize)]
struct Message {
    message: String,
    level: String,
    code: Option<Code>,
    #[serde(default)]
    spans: Vec<RawSpan>,
    #[serde(default)]
    children: Vec<Message>,
    rendered: Option<String>,
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

#[derive(Deserialize)]
struct RawSpan {
    file_name: Utf8PathBuf,
    line_start: u32,
    line_end: u32,
    #[serde(default)]
    is_primary: bool,
    #[serde(default)]
    text: Vec<Text>,
    expansion: Option<Box<Expansion>>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
}

#[derive(Deserialize)]
struct Expansion {
    span: RawSpan,
}

fn parse(stdout: &str) -> Option<Outcome> {
    let mut problems: Vec<Problem> = Vec::new();
    let mut success = None;
    for line in stdout.lines() {
        let Ok(line) = serde_json::from_str::<Line>(line) else { continue };
        match line.reason.as_str() {
            "build-finished" => success = Some(line.success),
            "compiler-message" => {
                let Some(message) = line.message.filter(|m| m.level.starts_with("error")) else { continue };
                // Of "aborting due to 2 previous errors" there is nothing to learn.
                if message.spans.is_empty() && message.message.starts_with("aborting due to") {
                    continue;
                }
                let new = problem(message);
                // A library is compiled again for its tests, and says the same again.
                if !problems.iter().any(|p| p.key == new.key && p.primary == new.primary) {
                    problems.push(new);
                }
            }
            _ => {}
        }
    }
    match success {
        Some(true) => Some(Outcome::default()),
        Some(false) if !problems.is_empty() => Some(Outcome { problems }),
        _ => None,
    }
}

fn problem(message: Message) -> Problem {
    let mut primary = Vec::new();
    let mut secondary = Vec::new();
    places(&message, &mut primary, &mut secondary);
    let line = message.spans.iter().find(|s| s.is_primary).and_then(|s| s.text.first());
    let key = format!(
        "{}|{}|{}|{}",
        message.code.as_ref().map_or("", |c| &c.code),
        message.message,
        primary.first().map_or("", |l| l.path.as_str()),
        line.map_or("", |t| t.text.trim()),
    );
    let words = message.rendered.unwrap_or(message.message).trim_end().to_owned();
    Problem { key, words, primary, secondary, about_manifest: false, unread: false }
}

fn places(message: &Message, primary: &mut Vec<Lines>, secondary: &mut Vec<Lines>) {
    for span in &message.spans {
        let lines = Lines { path: span.file_name.clone(), first: span.line_start, last: span.line_end };
        if span.is_primary {
            primary.push(lines)
        } else {
            secondary.push(lines)
        }
        let mut around = span.expansion.as_deref();
        while let Some(expansion) = around {
            let span = &expansion.span;
            let lines = Lines { path: span.file_name.clone(), first: span.line_start, last: span.line_end };
            secondary.push(lines);
            around = span.expansion.as_deref();
        }
    }
    for child in &message.children {
        let mut also = Vec::new();
        places(child, &mut also, secondary);
        secondary.append(&mut also);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str, file: &str, line: u32, text: &str) -> String {
        format!(
            r#"{{"reason":"compiler-message","message":{{"message":"mismatched types","level":"error","code":{{"code":"{code}"}},"rendered":"error[{code}]: mismatched types\n","spans":[{{"file_name":"{file}","line_start":{line},"line_end":{line},"is_primary":true,"text":[{{"text":"{text}"}}]}}],"children":[]}}}}"#
        )
    }

    const FAILED: &str = r#"{"reason":"build-finished","success":false}"#;

    fn outcome(lines: &[String]) -> Outcome {
        parse(&format!("{}\n{FAILED}\n", lines.join("\n"))).unwrap()
    }

    #[test]
    fn moved_lines_are_no_new_errors() {
        let before = outcome(&[error("E0308", "src/a.rs", 3, "let x: u8 = y;")]);
        let after = outcome(&[
            error("E0308", "src/a.rs", 9, "    let x: u8 = y;"),
            error("E0308", "src/a.rs", 12, "let z: u8 = y;"),
        ]);
        let new = new_problems(&before, &after);
        assert_eq!(new.len(), 1);
        assert_eq!(new[0].primary[0].first, 12);
        assert_eq!(new[0].words, "error[E0308]: mismatched types");
        assert!(new_problems(&after, &before).is_empty());
    }

    #[test]
    fn equal_errors_are_counted() {
        let one = outcome(&[error("E0308", "src/a.rs", 3, "x")]);
        let two = outcome(&[error("E0308", "src/a.rs", 3, "x"), error("E0308", "src/a.rs", 4, "x")]);
        assert_eq!(new_problems(&one, &two).len(), 1);
        // The same error of the same place, from the library and from its test build, is one.
        let twice = outcome(&[error("E0308", "src/a.rs", 3, "x"), error("E0308", "src/a.rs", 3, "x")]);
        assert_eq!(twice.problems.len(), 1);
    }

    #[test]
    fn a_build_that_did_not_end_is_no_outcome() {
        assert!(parse("").is_none());
        assert!(parse(FAILED).is_none());
        assert!(parse(r#"{"reason":"build-finished","success":true}"#).unwrap().is_clean());
    }
}
