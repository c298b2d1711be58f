//! What a report is made from: the findings of a run and everything a renderer may say about them.

use std::str::FromStr;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use uncork_lints::finding::{Applicability, Finding};
use uncork_lints::rule::Rule;
use uncork_lints::source::{Location, Sources, Span};

/// A run, ready to be rendered. Renderers borrow it and change nothing.
///
/// `findings` come settled (levels, suppressions, filters applied) and in the order in which they are shown.
pub struct ReportInput<'a> {
    /// The analysed root, absolute; the paths in `sources` are relative to it.
    pub root: &'a Utf8Path,
    /// The root of the version-control tree that holds `root`, absolute, if there is one: SARIF, GitHub and GitLab
    /// want paths relative to it. `None`: `root` itself.
    pub repository: Option<&'a Utf8Path>,
    /// The files of the run.
    pub sources: &'a Sources,
    /// What is shown.
    pub findings: &'a [Finding],
    /// Every rule of the tool, in the catalogue's order; those without a finding are listed by SARIF too.
    pub rules: &'a [&'a Rule],
    /// Counts over the run.
    pub summary: Summary,
    /// The tool's version (`CARGO_PKG_VERSION` of the binary).
    pub tool_version: &'a str,
    /// Planned fixes, when they were computed; empty otherwise.
    pub fixes: &'a [Fix],
    /// Findings that get no fix, with the reason, when fixes were computed; empty otherwise.
    pub refusals: &'a [Refused],
    /// What all fixes together make of the files, when that was computed.
    pub result: Option<&'a FixResult>,
    /// What went wrong or is worth a line besides the findings: unreadable files, an unresolved workspace.
    pub notices: &'a [Notice],
    /// How to render.
    pub options: Options,
}

/// Counts over a run that the findings alone do not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files analysed.
    pub files: usize,
    /// Lines in them.
    pub lines: usize,
    /// Files that could not be read or parsed.
    pub unreadable: usize,
    /// Findings silenced by a comment.
    pub suppressed: usize,
    /// Findings known to the baseline.
    pub baselined: usize,
    /// Findings below the asked severity or confidence, or on unchanged lines.
    pub filtered: usize,
    /// Findings in test code, not asked for.
    pub in_tests: usize,
    /// Time of the run; `None` keeps the output the same from run to run.
    pub elapsed: Option<Duration>,
}

/// How grave a [`Notice`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoticeLevel {
    /// For information.
    Note,
    /// Something was left out.
    Warning,
    /// The run could not do all that was asked.
    Error,
}

impl NoticeLevel {
    /// `note`, `warning` or `error`.
    pub fn name(self) -> &'static str {
        match self {
            NoticeLevel::Note => "note",
            NoticeLevel::Warning => "warning",
            NoticeLevel::Error => "error",
        }
    }
}

/// A message about the run itself. Human and short formats leave notices to the caller (they belong on stderr); the
/// machine formats carry them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How grave.
    pub level: NoticeLevel,
    /// The file it is about, relative to the root.
    pub path: Option<Utf8PathBuf>,
    /// The line in it, from 1.
    pub line: Option<u32>,
    /// One sentence.
    pub message: String,
}

/// A planned fix of one finding (or of several at once, then it is listed with each).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// The fingerprint of the finding that it mends.
    pub fingerprint: String,
    /// What it does, one sentence.
    pub description: String,
    /// What applying it may change.
    pub applicability: Applicability,
    /// For an unsafe fix: how behaviour may differ.
    pub caveat: Option<String>,
    /// The files that it changes, each named once.
    pub files: Vec<FilePatch>,
}

/// The replacements of a fix in one file, a manifest included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePatch {
    /// Relative to the root, forward slashes.
    pub path: Utf8PathBuf,
    /// The text that the replacements refer to, without byte-order mark.
    pub original: std::sync::Arc<str>,
    /// In ascending order, not overlapping.
    pub replacements: Vec<Replacement>,
}

/// One replacement: the bytes of `span` become `text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// The bytes replaced; empty for an insertion.
    pub span: Span,
    /// What comes in their place.
    pub text: String,
}

/// Why a finding gets no fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The finding's fingerprint.
    pub fingerprint: String,
    /// A few words that are the same for the same reason.
    pub reason: String,
    /// The place in the way.
    pub blocking: Option<Location>,
}

/// What comes of all fixes made together, round by round, until none is left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FixResult {
    /// The changes made, in order.
    pub applied: Vec<AppliedFix>,
    /// From the files as they are to the files as they would be, each named once.
    pub files: Vec<FilePatch>,
    /// Why something may be left to do, in a word; `None` if all was done.
    pub stopped: Option<&'static str>,
}

/// A change that was made on the way to a [`FixResult`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedFix {
    /// The rule.
    pub rule: String,
    /// What it does, one sentence.
    pub description: String,
    /// What it may change.
    pub applicability: Applicability,
    /// For an unsafe change: how behaviour may differ.
    pub caveat: Option<String>,
    /// The findings that it mends.
    pub fingerprints: Vec<String>,
}

/// How to render.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Colour (ANSI sequences) in the human and short formats.
    pub colour: bool,
    /// Columns to fit the human format in; `None` for [`DEFAULT_WIDTH`].
    pub width: Option<usize>,
    /// The human and short formats print counts by rule in place of the findings. JSON has them always.
    pub statistics: bool,
}

/// Columns of the human format when the terminal's width is not known.
pub const DEFAULT_WIDTH: usize = 100;

/// The output formats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// For a person: source excerpts, chains, help, summary.
    #[default]
    Human,
    /// `path:line:column: level[rule] message`, one line a finding.
    Short,
    /// One JSON object.
    Json,
    /// One JSON object a finding and line.
    Jsonl,
    /// SARIF 2.1.0.
    Sarif,
    /// GitHub workflow commands.
    Github,
    /// GitLab code quality.
    Gitlab,
    /// JUnit XML.
    Junit,
    /// One HTML file without outside assets.
    Html,
    /// Markdown for a pull request or job summary.
    Markdown,
}

impl Format {
    /// All formats, in the order of the help text.
    pub const ALL: [Format; 10] = [
        Format::Human,
        Format::Short,
        Format::Json,
        Format::Jsonl,
        Format::Sarif,
        Format::Github,
        Format::Gitlab,
        Format::Junit,
        Format::Html,
        Format::Markdown,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Format::Human => "human",
            Format::Short => "short",
            Format::Json => "json",
            Format::Jsonl => "jsonl",
            Format::Sarif => "sarif",
            Format::Github => "github",
            Format::Gitlab => "gitlab",
            Format::Junit => "junit",
            Format::Html => "html",
            Format::Markdown => "markdown",
        }
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(s: &str) -> Result<Format, UnknownFormat> {
        Format::ALL.into_iter().find(|f| f.name() == s).ok_or_else(|| UnknownFormat(s.to_owned()))
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// No format has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown format `{0}`")]
pub struct UnknownFormat(pub String);
