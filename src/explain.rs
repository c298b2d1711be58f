//! `explain`: a rule's documentation.

use std::io::IsTerminal;
use std::process::ExitCode;

use uncork_lints::config::nearest;
use uncork_lints::rule::{Group, Rule};
use uncork_lints::rules;

use crate::args::ExplainArgs;
use crate::error::Error;
use crate::output::Target;
use crate::{markdown, say};

/// Prints a rule's documentation.
pub(crate) fn run(args: &ExplainArgs) -> Result<ExitCode, Error> {
    let Some(rule) = rules::ALL.iter().find(|r| r.id == args.rule) else {
        if let Some(group) = Group::ALL.into_iter().find(|g| g.name() == args.rule) {
            return list(rules::ALL.iter().filter(|r| r.group == group));
        }
        let holds: Vec<&str> = rules::ALL.iter().map(|r| r.id).filter(|id| id.contains(&args.rule)).collect();
        if !args.rule.is_empty() && !holds.is_empty() {
            return Err(Error::Usage(format!("unknown rule `{}`; there is {}", args.rule, holds.join(", "))));
        }
        let hint = match nearest(&args.rule, rules::ALL.iter().map(|r| r.id)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`cargo uncork rules` lists them".to_owned(),
        };
        return Err(Error::Usage(format!("unknown rule `{}`; {hint}", args.rule)));
    };
    let to_terminal = std::io::stdout().is_terminal();
    let width = say::terminal_width().unwrap_or(80).clamp(20, 100);
    let page = page(rule, width);
    let text = match crate::check::colour(args.color, to_terminal) {
        true => page,
        false => anstream::adapter::strip_str(&page).to_string(),
    };
    Target::Stdout.write(|out| out.write_all(text.as_bytes()))?;
    Ok(ExitCode::SUCCESS)
}

/// A group's rules, a line each.
fn list<'r>(rules: impl Iterator<Item = &'r &'static Rule>) -> Result<ExitCode, Error> {
    let mut text = String::new();
    for rule in rules {
        text.push_str(&format!("{}: {}\n", rule.id, rule.summary));
    }
    crate::output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Heading, facts, and the documentation, styled.
fn page(rule: &Rule, width: usize) -> String {
    let fix = rule.fix.map_or("none".to_owned(), |a| format!("{a:?}").to_lowercase());
    let facts = format!(
        "**{}**\n\ngroup {}, level {}, severity {}, fix {fix}, since {}\n\n{}",
        rule.id,
        rule.group.name(),
        format!("{:?}", rule.level).to_lowercase(),
        format!("{:?}", rule.severity).to_lowercase(),
        rule.since,
        rule.evidence().map_or(String::new(), |e| format!("evidence: {}\n\n", e.shown()))
    );
    markdown::render(&(facts + &rule.docs()), width)
}
