//! Comments that silence findings, and those that silence nothing.
//!
//! A comment at the end of a line means that line. One that stands alone means the next line of code (blank lines,
//! comments and attributes between are skipped, so stacked comments add up) and what begins there, see [`super::reach`].
//! The `-file` forms mean the whole file. A finding is silenced by its own place or any related one.

use rustc_hash::FxHashMap;

use super::Scene;
use super::reach::Reach;
use crate::config::{Selector, UnknownRule, hint};
use crate::finding::{Applicability, Finding};
use crate::hir::{FileHir, ScopeId, Suppression, SuppressionKind};
use crate::rule::Rule;
use crate::rules::{self, tool::unused_suppression};
use crate::source::{FileId, Location, SourceFile};

/// The comments of all files, and which of their rules have silenced something.
pub(super) struct Comments<'a> {
    scene: Scene<'a>,
    all: Vec<Comment<'a>>,
    /// Indices into `all`.
    by_file: FxHashMap<FileId, Vec<usize>>,
    /// Of the files that have been asked about.
    reach: FxHashMap<FileId, Reach>,
}

struct Comment<'a> {
    file: FileId,
    said: &'a Suppression,
    /// The lines it speaks of, first and last; `None` for the whole file.
    lines: Option<(u32, u32)>,
    /// The rules named, and whether each has silenced something.
    rules: Vec<(Result<Selector, UnknownRule>, bool)>,
}

impl<'a> Comments<'a> {
    pub(super) fn new(scene: Scene<'a>) -> Comments<'a> {
        let mut comments =
            Comments { scene, all: Vec::new(), by_file: FxHashMap::default(), reach: FxHashMap::default() };
        for (index, hir) in scene.program.files.iter().enumerate() {
            let file = FileId(index as u32);
            for said in &hir.suppressions {
                let lines = match said.kind {
                    SuppressionKind::AllowFile | SuppressionKind::ExpectFile => None,
                    _ => Some(lines(scene.sources.get(file), hir, said)),
                };
                let rules = said.rules.iter().map(|(name, _)| (selector(name), false)).collect();
                comments.by_file.entry(file).or_default().push(comments.all.len());
                comments.all.push(Comment { file, said, lines, rules });
            }
        }
        comments
    }

    /// Whether a comment silences the finding; those that do are marked as used.
    pub(super) fn silence(&mut self, finding: &Finding) -> bool {
        let Some(rule) = rules::ALL.iter().find(|r| r.id == finding.rule) else { return false };
        let mut silenced = false;
        let related = finding.related.iter().map(|r| &r.at);
        for at in std::iter::once(&finding.at).chain(related) {
            let Some(here) = self.by_file.get(&at.file) else { continue };
            let source = self.scene.sources.get(at.file);
            let line = source.line_column(at.span.lo).line;
            for &index in here {
                let comment = &mut self.all[index];
                let mut meant =
                    comment.rules.iter_mut().filter(|(s, _)| s.as_ref().is_ok_and(|s| s.covers(rule)));
                let Some((_, first)) = meant.next() else { continue };
                let covers = match comment.lines {
                    None => true,
                    Some((from, to)) if (from..=to).contains(&line) => true,
                    Some((from, to)) => {
                        from < to
                            && to < line
                            && self
                                .reach
                                .entry(at.file)
                                .or_insert_with(|| {
                                    Reach::of(source, &self.scene.program.files[at.file.0 as usize])
                                })
                                .covers(to, at.span.lo)
                    }
                };
                if covers {
                    silenced = true;
                    *first = true;
                    meant.for_each(|(_, used)| *used = true);
                }
            }
        }
        silenced
    }

    /// Findings for what has silenced nothing so far. `about_itself`: of the rules named only `unused-suppression`, else
    /// all others. `is_off`: the rule is off in that file, so nobody can tell.
    pub(super) fn unused(
        &self,
        about_itself: bool,
        is_off: &mut dyn FnMut(&Rule, FileId) -> bool,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        for comment in &self.all {
            let before = findings.len();
            if comment.said.kind == SuppressionKind::Malformed && !about_itself {
                findings.push(self.malformed(comment));
            }
            for (index, (selector, used)) in comment.rules.iter().enumerate() {
                let own = *selector == Ok(Selector::Rule(unused_suppression::RULE.id));
                if *used || own != about_itself {
                    continue;
                }
                let all_off = selector.as_ref().is_ok_and(|s| {
                    rules::ALL.iter().filter(|r| s.covers(r)).all(|r| is_off(r, comment.file))
                });
                if !all_off {
                    findings.push(self.idle(comment, index, selector));
                }
            }
            if findings.len() > before && self.in_test(comment) {
                findings[before..].iter_mut().for_each(|f| f.in_test = true);
            }
        }
        findings
    }

    /// The finding for one rule of a comment. Facts: `comment` = the comment's bytes as `lo..hi`, `rule`, `rules` = how
    /// many the comment names.
    fn idle(&self, comment: &Comment<'_>, index: usize, selector: &Result<Selector, UnknownRule>) -> Finding {
        let said = comment.said;
        let (name, span) = &said.rules[index];
        let reach = match comment.lines {
            None => "in this file",
            Some((from, to)) if from == to => "on this line",
            Some(_) => "on the next line of code",
        };
        let message = match selector {
            Ok(_) => format!("this comment silences no `{name}` finding {reach}"),
            Err(unknown) => format!("`{name}` is no rule{}", hint(&unknown.nearest)),
        };
        let mut finding =
            Finding::new(&unused_suppression::RULE, Location { file: comment.file, span: *span }, message);
        finding.label = "silences nothing".to_owned();
        finding.help = match said.rules.len() {
            1 => "remove the comment".to_owned(),
            _ => format!("remove `{name}` from it"),
        };
        finding.fix = Some(Applicability::Safe);
        finding.key = format!("{name}/{}", said.reason);
        finding.fact("comment", format!("{}..{}", said.span.lo, said.span.hi));
        finding.fact("rule", &**name);
        finding.fact("rules", said.rules.len().to_string());
        finding
    }

    fn malformed(&self, comment: &Comment<'_>) -> Finding {
        let span = self.scene.sources.get(comment.file).one_line(comment.said.span);
        let at = Location { file: comment.file, span };
        let message = "this comment begins with `uncork:` but is not understood";
        let mut finding = Finding::new(&unused_suppression::RULE, at, message);
        finding.label = "silences nothing".to_owned();
        finding.help =
            "write `// uncork: allow(rule) reason`, or `expect`, `allow-file`, `expect-file`".to_owned();
        finding.key = format!("malformed/{}", comment.said.reason);
        finding
    }

    /// Whether the comment, or the code it stands above, is test code.
    fn in_test(&self, comment: &Comment<'_>) -> bool {
        let program = self.scene.program;
        let module = program.scopes.get(&(comment.file, ScopeId(0)));
        if module.is_some_and(|m| program.modules[m.0 as usize].in_test) {
            return true;
        }
        let source = self.scene.sources.get(comment.file);
        let mut places = vec![comment.said.span.lo];
        places.extend(comment.lines.map(|(_, line)| {
            let line = source.line_span(line);
            let blanks = source.slice(line).len() - source.slice(line).trim_start().len();
            line.lo + blanks as u32
        }));
        let hir = &program.files[comment.file.0 as usize];
        let mut tests = hir.items.iter().filter(|i| i.attrs.cfg_test || i.attrs.test);
        tests.any(|i| places.iter().any(|&at| i.span.lo <= at && at < i.span.hi))
    }
}

/// What a name in a comment means; `warn` is for the command line.
fn selector(name: &str) -> Result<Selector, UnknownRule> {
    match Selector::parse(name) {
        Ok(Selector::Warnings) => Err(UnknownRule { name: name.to_owned(), nearest: None }),
        other => other,
    }
}

/// The lines that a comment speaks of: its own if code stands there, else all from its own to the next with code.
fn lines(source: &SourceFile, hir: &FileHir, said: &Suppression) -> (u32, u32) {
    let own = source.line_column(said.span.lo).line;
    let mut line = own;
    while hir.blank_lines.binary_search(&line).is_ok() {
        line += 1;
    }
    (own, line)
}
