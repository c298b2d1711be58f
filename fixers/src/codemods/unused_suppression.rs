//! `unused-suppression`: removes the rule that silences nothing, or the comment if nothing is left of it.

use std::collections::BTreeMap;

use uncork_lints::finding::{Applicability, Finding};
use uncork_lints::hir::Suppression;
use uncork_lints::source::{FileId, Span};

use super::{Context, text};
use crate::change::Plan;

/// One change a comment: several of its rules may be unused.
pub(super) fn plan(cx: &mut Context<'_>, findings: &[&Finding], plan: &mut Plan) {
    let mut comments: BTreeMap<(FileId, Span), Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        let suppressions = &cx.analysis.program.file(finding.at.file).suppressions;
        let holds = |s: &&Suppression| s.span.contains(finding.at.span) || finding.at.span.contains(s.span);
        match suppressions.iter().find(holds) {
            Some(s) => comments.entry((finding.at.file, s.span)).or_default().push(finding),
            None => plan.refused.push(cx.refuse(finding, "the comment is not where it was said to be", None)),
        }
    }
    for ((file, span), findings) in comments {
        let suppressions = &cx.analysis.program.file(file).suppressions;
        let (Some(comment), Some(first)) = (suppressions.iter().find(|s| s.span == span), findings.first())
        else {
            continue;
        };
        let unused = |rule: Span| findings.iter().any(|f| names_rule(f, rule));
        let kept: Vec<&str> =
            comment.rules.iter().filter(|(_, at)| !unused(*at)).map(|(name, _)| &**name).collect();
        let whole = kept.is_empty()
            || findings.iter().any(|f| !comment.rules.iter().any(|(_, at)| names_rule(f, *at)));
        let mut change = cx.change(first, String::new(), Applicability::Safe);
        change.fingerprints.extend(findings.iter().skip(1).map(|f| f.fingerprint.clone()));
        if whole {
            change.title = "remove a suppression that silences nothing".into();
            change.edits.push(cx.edit(file, text::removal(cx.text(file), span), ""));
        } else {
            let list = comment.rules.iter().map(|(_, at)| *at).reduce(Span::to).unwrap_or(span);
            change.title = format!("keep only {} in a suppression", kept.join(", "));
            change.edits.push(cx.edit(file, list, kept.join(", ")));
        }
        plan.changes.push(change);
    }
}

/// Whether a finding is about this one rule of the comment, and not about the comment as a whole.
fn names_rule(finding: &Finding, rule: Span) -> bool {
    rule.contains(finding.at.span)
        || (finding.at.span.contains(rule) && finding.at.span.len() <= rule.len() + 1)
}
