//! `lock-across-io`, `lock-across-await`, `shard-guard-reentry`, `lock-reacquired`: let a guard go earlier, take it
//! later, bind the copy that is needed, or make one region of two.
//!
//! What can be done is the analysis' business and comes with the finding; here it is written as text.

use std::collections::BTreeMap;

use uncork_lints::finding::{Applicability, Finding};
use uncork_lints::source::{FileId, Location, Span};

use super::Context;
use super::text::{after_comment, before_comments, indent_at, named_field, removal, without_parens};
use crate::change::{Change, Plan};
use crate::edit::Edit;

pub(super) fn plan(cx: &mut Context<'_>, findings: &[&Finding], plan: &mut Plan) {
    for finding in findings {
        if let Some(reason) = fact(finding, "refused") {
            let at = span_fact(finding, "blocked_at").map(|span| Location { file: finding.at.file, span });
            plan.refused.push(cx.refuse(finding, reason, at));
        } else if let Some(applicability) = finding.fix {
            match change(cx, finding, applicability) {
                Some(change) => plan.changes.push(change),
                None => plan.refused.push(cx.refuse(
                    finding,
                    "the code is written in a way that is not understood",
                    None,
                )),
            }
        }
    }
}

fn change(cx: &Context<'_>, finding: &Finding, applicability: Applicability) -> Option<Change> {
    let (title, edits) = match fact(finding, "merge") {
        Some(name) => ("hold one guard for both uses of", merge(cx, finding, name)?),
        None => {
            let title =
                if fact(finding, "move").is_some() { "take the lock later:" } else { "let go early of" };
            (title, end(cx, finding)?)
        }
    };
    let lock = fact(finding, "lock").unwrap_or("the lock");
    let mut change =
        cx.change(finding, format!("{title} `{lock}` at {}", cx.at_line(finding.at)), applicability);
    change.caveat = fact(finding, "caveat").map(str::to_owned);
    // The region as it is: nothing else may be made of it in the same round.
    let all = edits
        .iter()
        .map(|e| e.span)
        .chain(span_fact(finding, "acquire_span"))
        .chain(span_fact(finding, "event_span"));
    let (lo, hi) = all.fold((u32::MAX, 0), |(lo, hi), s| (lo.min(s.lo), hi.max(s.hi)));
    change.claims.push(cx.place(Location { file: finding.at.file, span: Span::new(lo, hi) }));
    change.edits = edits;
    (!change.edits.is_empty()).then_some(change)
}

/// Text that goes before statements, by where it goes, in the order it is to be run.
#[derive(Default)]
struct Before(BTreeMap<u32, Vec<String>>);

impl Before {
    fn push(&mut self, text: &str, statement: Span, line: String) {
        self.0.entry(before_comments(text, statement.lo)).or_default().push(line);
    }

    fn edits(self, cx: &Context<'_>, file: FileId) -> Vec<Edit> {
        let text = cx.text(file);
        let mut out = Vec::new();
        for (at, lines) in self.0 {
            let glue = match indent_at(text, at) {
                Some(indent) => format!("\n{indent}"),
                None => " ".to_owned(),
            };
            let joined: String = lines.iter().map(|line| format!("{line}{glue}")).collect();
            out.push(cx.edit(file, Span::new(at, at), joined));
        }
        out
    }
}

fn end(cx: &Context<'_>, finding: &Finding) -> Option<Vec<Edit>> {
    let file = finding.at.file;
    let text = cx.text(file);
    let mut edits = Vec::new();
    let mut before = Before::default();
    let drops = fact(finding, "drop_before").is_some();
    for bind in facts(finding, "bind") {
        let mut words = bind.split(' ');
        let (name, value) = (words.next()?, span(words.next()?)?);
        let source = cx.slice(file, value);
        match words.next().map(span) {
            Some(at) => {
                let (at, line) = (at?, format!("let {name} = {source};"));
                // A comment on the statement is about this part of it as well; only what lets go must come after it.
                match drops {
                    true => before.push(text, at, line),
                    false => before.0.entry(at.lo).or_default().push(line),
                }
                edits.push(cx.edit(file, named_field(text, without_parens(text, value), name), name));
            }
            None => edits.push(cx.edit(file, value, format!("{{ let {name} = {source}; {name} }}"))),
        }
    }
    if let Some(moved) = fact(finding, "move") {
        let (from, to) = moved.split_once(' ')?;
        let (from, to) = (span(from)?, span(to)?);
        // Its comment goes with it.
        let own = Span::new(before_comments(text, from.lo), after_comment(text, from.hi));
        before.push(text, to, cx.slice(file, own).to_owned());
        edits.push(cx.edit(file, removal(text, own), ""));
    }
    for at in facts(finding, "drop_before") {
        before.push(text, span(at)?, format!("drop({});", fact(finding, "guard")?));
    }
    for gone in facts(finding, "remove") {
        edits.push(cx.edit(file, removal(text, span(gone)?), ""));
    }
    edits.extend(before.edits(cx, file));
    Some(edits)
}

fn merge(cx: &Context<'_>, finding: &Finding, name: &str) -> Option<Vec<Edit>> {
    let file = finding.at.file;
    let text = cx.text(file);
    let mut edits = Vec::new();
    let write = span_fact(finding, "write");
    if let Some(bind) = fact(finding, "merge_bind") {
        let (from, to) = bind.split_once(' ')?;
        let (from, to) = (span(from)?, span(to)?);
        let mut source = cx.slice(file, from).to_owned();
        if let Some(write) = write {
            let at = |offset: u32| offset.checked_sub(from.lo).map(|o| o as usize);
            source.replace_range(at(write.lo)?..at(write.hi)?, "write");
        }
        let mut before = Before::default();
        before.push(text, to, format!("let mut {name} = {source};"));
        edits.extend(before.edits(cx, file));
    } else if let Some(write) = write {
        edits.push(cx.edit(file, write, "write"));
    }
    if let Some(binding) = span_fact(finding, "mutable") {
        edits.push(cx.edit(file, Span::new(binding.lo, binding.lo), "mut "));
    }
    for at in facts(finding, "merge_name") {
        edits.push(cx.edit(file, span(at)?, name));
    }
    if let Some(gone) = span_fact(finding, "remove") {
        edits.push(cx.edit(file, removal(text, gone), ""));
    }
    if let Some(last) = span_fact(finding, "drop_after") {
        let glue = match indent_at(text, last.lo) {
            Some(indent) => format!("\n{indent}"),
            None => " ".to_owned(),
        };
        edits.push(cx.edit(file, Span::new(last.hi, last.hi), format!("{glue}drop({name});")));
    }
    Some(edits)
}

fn facts<'a>(finding: &'a Finding, name: &str) -> impl Iterator<Item = &'a str> {
    finding.facts.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn fact<'a>(finding: &'a Finding, name: &str) -> Option<&'a str> {
    facts(finding, name).next()
}

fn span_fact(finding: &Finding, name: &str) -> Option<Span> {
    fact(finding, name).and_then(span)
}

/// `3..7`
fn span(text: &str) -> Option<Span> {
    let (lo, hi) = text.split_once("..")?;
    Some(Span::new(lo.parse().ok()?, hi.parse().ok()?))
}
