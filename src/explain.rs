//! `explain` and how Markdown is shown in a terminal.

use std::process::ExitCode;

use uncork_lints::config::nearest;
use uncork_lints::rule::Rule;
use uncork_lints::rules;

use crate::args::ExplainArgs;
use crate::error::Error;

/// Prints a rule's documentation.
pub(crate) fn run(args: &ExplainArgs) -> Result<ExitCode, Error> {
    let Some(rule) = rules::ALL.iter().find(|r| r.id == args.rule) else {
        let hint = nearest(&args.rule, rules::ALL.iter().map(|r| r.id))
            .map_or("`cargo uncork rules` lists them".to_owned(), |n| format!("did you mean `{n}`?"));
        return Err(Error::Usage(format!("unknown rule `{}`; {hint}", args.rule)));
    };
    let mut out = anstream::stdout();
    use std::io::Write;
    write!(out, "{}", page(rule)).map_err(Error::stdout)?;
    Ok(ExitCode::SUCCESS)
}

/// Heading, facts, and the documentation, styled.
fn page(rule: &Rule) -> String {
    let bold = anstyle::Style::new().bold();
    let dim = anstyle::Style::new().dimmed();
    let head = anstyle::Style::new().bold().fg_color(Some(anstyle::AnsiColor::Cyan.into()));
    let fix = match rule.fix {
        None => "none".to_owned(),
        Some(a) => format!("{a:?}").to_lowercase(),
    };
    let mut out = format!(
        "{bold}{}{bold:#}  {dim}group {} · level {} · severity {} · fix {fix} · since {}{dim:#}\n\n",
        rule.id,
        rule.group.name(),
        format!("{:?}", rule.level).to_lowercase(),
        format!("{:?}", rule.severity).to_lowercase(),
        rule.since
    );
    let mut code = false;
    for line in rule.docs().lines() {
        if line.starts_with("```") {
            code = !code;
            continue;
        }
        if code {
            out.push_str(&format!("    {dim}{line}{dim:#}\n"));
        } else if let Some(title) = line.strip_prefix("## ") {
            out.push_str(&format!("{head}{title}{head:#}\n"));
        } else {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}
