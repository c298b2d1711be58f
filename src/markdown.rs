//! Markdown for a terminal: wrapped text, headings, lists, code.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

const HEADING: Style = Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Cyan)));
const CODE: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
const STRONG: Style = Style::new().bold();

/// Renders `text` for `width` columns, with ANSI styles.
pub(crate) fn render(text: &str, width: usize) -> String {
    let mut page = Page { out: String::new(), line: String::new(), width, lists: Vec::new(), code: false };
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        page.event(event);
    }
    page.out.trim_end().to_owned() + "\n"
}

struct Page {
    out: String,
    /// The paragraph so far, styled.
    line: String,
    width: usize,
    /// The lists around: the next number, if numbered.
    lists: Vec<Option<u64>>,
    code: bool,
}

impl Page {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(Tag::Heading { level: HeadingLevel::H1 | HeadingLevel::H2, .. }) => {
                let _ = write!(self.line, "{HEADING}");
            }
            Event::Start(Tag::Heading { .. } | Tag::Strong) => {
                let _ = write!(self.line, "{STRONG}");
            }
            Event::End(TagEnd::Heading(_)) => {
                let _ = write!(self.line, "{HEADING:#}");
                self.paragraph();
            }
            Event::End(TagEnd::Strong) => {
                let _ = write!(self.line, "{STRONG:#}");
            }
            Event::Start(Tag::CodeBlock(_)) => self.code = true,
            Event::End(TagEnd::CodeBlock) => {
                self.code = false;
                self.out.push('\n');
            }
            Event::Text(text) if self.code => {
                for line in text.lines() {
                    let _ = match line.is_empty() {
                        true => writeln!(self.out),
                        false => writeln!(self.out, "    {CODE}{line}{CODE:#}"),
                    };
                }
            }
            Event::Text(text) => self.line.push_str(&text),
            Event::Code(text) => {
                let _ = write!(self.line, "{CODE}{text}{CODE:#}");
            }
            Event::SoftBreak => self.line.push(' '),
            Event::HardBreak => self.flush(),
            Event::End(TagEnd::Paragraph) => self.paragraph(),
            Event::Start(Tag::List(first)) => {
                self.flush();
                self.lists.push(first);
            }
            Event::End(TagEnd::List(_)) => {
                self.lists.pop();
                if self.lists.is_empty() {
                    self.out.push('\n');
                }
            }
            Event::Start(Tag::Item) => {
                let mark = match self.lists.last_mut() {
                    Some(Some(n)) => {
                        *n += 1;
                        format!("{}. ", *n - 1)
                    }
                    _ => "- ".to_owned(),
                };
                self.line.push_str(&mark);
            }
            Event::End(TagEnd::Item | TagEnd::TableRow | TagEnd::TableHead) => self.flush(),
            Event::End(TagEnd::TableCell) => self.line.push_str("  "),
            Event::End(TagEnd::Table) => self.out.push('\n'),
            Event::End(TagEnd::Link) | Event::Start(_) | Event::End(_) => {}
            Event::Rule => self.paragraph(),
            _ => {}
        }
    }

    /// Ends a paragraph: a blank line follows, except within a list.
    fn paragraph(&mut self) {
        self.flush();
        if self.lists.is_empty() {
            self.out.push('\n');
        }
    }

    /// Writes what has gathered, wrapped.
    fn flush(&mut self) {
        if self.line.is_empty() {
            return;
        }
        let indent = "  ".repeat(self.lists.len().saturating_sub(1));
        let hanging = if self.lists.is_empty() { String::new() } else { format!("{indent}  ") };
        let options = textwrap::Options::new(self.width)
            .initial_indent(&indent)
            .subsequent_indent(&hanging)
            .break_words(false);
        for line in textwrap::wrap(&self.line, options) {
            self.out.push_str(line.trim_end());
            self.out.push('\n');
        }
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str, width: usize) -> String {
        anstream::adapter::strip_str(&render(text, width)).to_string()
    }

    #[test]
    fn a_page() {
        let text = "Finds `x` in y, which is more words than fit.\n\n## Why\n\n- one item that is long enough to wrap\n- two\n\n```rust\nlet a = 1;\n\nlet b = 2;\n```\n\nEnd.\n";
        let expected = "Finds x in y, which is\nmore words than fit.\n\nWhy\n\n- one item that is long\n  enough to wrap\n- two\n\n    let a = 1;\n\n    let b = 2;\n\nEnd.\n";
        assert_eq!(plain(text, 24), expected);
    }

    #[test]
    fn no_line_of_prose_is_wider_than_asked() {
        for rule in uncork_lints::rules::ALL {
            for line in plain(&rule.docs(), 60).lines().filter(|l| !l.starts_with("    ")) {
                assert!(line.chars().count() <= 60, "{}: {line}", rule.id);
            }
        }
    }
}
