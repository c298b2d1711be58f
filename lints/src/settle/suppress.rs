//! Comments that silence findings, and those that silence nothing.

use crate::config::{Config, nearest, selects};
use crate::finding::{Applicability, Finding, Level};
use crate::hir::{FileHir, Suppression, SuppressionKind};
use crate::rule::Group;
use crate::rules;
use crate::source::{FileId, Location, Sources};

/// One rule of one comment.
struct Claim<'a> {
    file: FileId,
    comment: &'a Suppression,
    rule: &'a str,
    at: Location,
    /// The lines it speaks of; `None` for the whole file.
    lines: Option<[u32; 2]>,
    used: bool,
}

/// Removes silenced findings; returns findings about comments that silence nothing.
pub(super) fn apply(
    sources: &Sources,
    files: &[FileHir],
    findings: &mut Vec<Finding>,
    config: &Config,
) -> Vec<Finding> {
    let mut claims: Vec<Claim<'_>> = Vec::new();
    let mut malformed = Vec::new();
    for (index, hir) in files.iter().enumerate() {
        let file = FileId(index as u32);
        for comment in &hir.suppressions {
            if comment.kind == SuppressionKind::Malformed {
                malformed.push((file, comment));
                continue;
            }
            let whole = matches!(comment.kind, SuppressionKind::AllowFile | SuppressionKind::ExpectFile);
            let lines = (!whole).then(|| {
                let own = sources.get(file).line_column(comment.span.lo).line;
                if comment.trailing { [own, own] } else { [own, next_code_line(hir, own)] }
            });
            for (rule, span) in comment.rules.iter() {
                let at = Location { file, span: *span };
                claims.push(Claim { file, comment, rule, at, lines, used: false });
            }
        }
    }
    if !claims.is_empty() {
        findings.retain(|finding| {
            let mut silenced = false;
            for claim in &mut claims {
                if covers(sources, claim, finding) {
                    claim.used = true;
                    silenced = true;
                }
            }
            !silenced
        });
    }
    let rule = &rules::tool::unused_suppression::RULE;
    if config.level(rule) == Level::Allow {
        return Vec::new();
    }
    let mut out = Vec::new();
    for claim in claims.iter().filter(|c| !c.used) {
        let matching: Vec<_> = rules::ALL.iter().filter(|r| selects(claim.rule, r)).collect();
        let message = if matching.is_empty() {
            let known = rules::ALL.iter().map(|r| r.id).chain(Group::ALL.iter().map(|g| g.name()));
            let hint = nearest(claim.rule, known).map_or(String::new(), |n| format!("; did you mean `{n}`?"));
            format!("`{}` is no rule{hint}", claim.rule)
        } else if matching.iter().all(|r| config.level(r) == Level::Allow) {
            continue;
        } else {
            format!("this comment silences no `{}` finding", claim.rule)
        };
        let mut finding = Finding::new(rule, claim.at, message);
        finding.label = "silences nothing".to_owned();
        finding.help = "remove it".to_owned();
        finding.fix = Some(Applicability::Safe);
        finding.key = format!("{}/{}", claim.rule, claim.comment.reason);
        finding.fact("comment", format!("{}..{}", claim.comment.span.lo, claim.comment.span.hi));
        finding.fact("rule", claim.rule);
        finding.fact("rules", claim.comment.rules.len().to_string());
        out.push(finding);
    }
    for (file, comment) in malformed {
        let source = sources.get(file);
        let at = Location { file, span: source.one_line(comment.span) };
        let mut finding = Finding::new(rule, at, "this comment begins with `uncork:` but is not understood");
        finding.label = "silences nothing".to_owned();
        finding.help =
            "write `// uncork: allow(rule) reason`, `allow-file(rule)` or `expect(rule)`".to_owned();
        finding.key = format!("malformed/{}", comment.reason);
        out.push(finding);
    }
    for finding in &mut out {
        finding.level = config.level(rule);
    }
    out
}

fn covers(sources: &Sources, claim: &Claim<'_>, finding: &Finding) -> bool {
    let named = rules::ALL.iter().any(|r| r.id == finding.rule && selects(claim.rule, r));
    if !named {
        return false;
    }
    let at = |place: &Location| {
        place.file == claim.file
            && claim
                .lines
                .is_none_or(|lines| lines.contains(&sources.get(place.file).line_column(place.span.lo).line))
    };
    at(&finding.at) || finding.related.iter().any(|r| at(&r.at))
}

/// The line a comment above stands for: the next that holds code.
fn next_code_line(hir: &FileHir, own: u32) -> u32 {
    let mut line = own + 1;
    while hir.blank_lines.binary_search(&line).is_ok() {
        line += 1;
    }
    line
}
