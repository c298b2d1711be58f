//! Asking about each change on a plain terminal.

use std::collections::BTreeSet;
use std::io::{BufRead, Write};

use uncork_lints::finding::Applicability;

use crate::change::Change;
use crate::fixpoint::Answer;
use crate::overlay::Overlay;
use crate::preview::change_diff;

/// Shows changes and reads answers, a line each.
pub struct Interactive<R, W> {
    input: R,
    output: W,
    colour: bool,
    whole_rules: BTreeSet<String>,
    quit: bool,
}

impl<R: BufRead, W: Write> Interactive<R, W> {
    /// Reads from `input`, writes to `output`.
    pub fn new(input: R, output: W, colour: bool) -> Interactive<R, W> {
        Interactive { input, output, colour, whole_rules: BTreeSet::new(), quit: false }
    }

    /// Asks about a change that would be made in this text. The end of the input means to quit.
    pub fn ask(&mut self, change: &Change, overlay: &Overlay) -> Answer {
        if self.quit {
            return Answer::Quit;
        }
        if self.whole_rules.contains(&change.rule) {
            return Answer::Apply;
        }
        // Where nothing can be shown, nothing can be asked.
        let answer = self.show(change, overlay).and_then(|()| self.choose(change, overlay));
        let answer = answer.unwrap_or(Answer::Quit);
        self.quit = answer == Answer::Quit;
        answer
    }

    fn show(&mut self, change: &Change, overlay: &Overlay) -> std::io::Result<()> {
        let kind = match change.applicability {
            Applicability::Safe => "safe",
            Applicability::Unsafe => "unsafe",
            Applicability::Display => "to read only",
        };
        let (on, off) = if self.colour { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
        writeln!(self.output, "\n{on}{}{off} ({kind}): {}", change.rule, change.title)?;
        if let Some(caveat) = &change.caveat {
            writeln!(self.output, "may change: {caveat}")?;
        }
        match change_diff(overlay, change, self.colour) {
            Ok(diff) => write!(self.output, "{diff}"),
            Err(why) => writeln!(self.output, "it cannot be shown: {why}"),
        }
    }

    fn choose(&mut self, change: &Change, overlay: &Overlay) -> std::io::Result<Answer> {
        loop {
            write!(self.output, "Apply? [y]es [n]o [a]ll of {} [s]how again [q]uit: ", change.rule)?;
            self.output.flush()?;
            let mut line = String::new();
            if self.input.read_line(&mut line)? == 0 {
                writeln!(self.output)?;
                return Ok(Answer::Quit);
            }
            match line.trim().to_ascii_lowercase().as_str() {
                "y" | "yes" => return Ok(Answer::Apply),
                "n" | "no" => return Ok(Answer::Skip),
                "a" | "all" => {
                    self.whole_rules.insert(change.rule.clone());
                    return Ok(Answer::Apply);
                }
                "q" | "quit" => return Ok(Answer::Quit),
                "s" | "show" => self.show(change, overlay)?,
                _ => writeln!(
                    self.output,
                    "y: make this change; n: leave it out; a: make this and all further changes of {}; s: show it \
                     again; q: leave out this and all that follow",
                    change.rule
                )?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uncork_lints::source::Span;

    use super::*;
    use crate::edit::Edit;

    fn change(rule: &str) -> Change {
        Change {
            rule: rule.into(),
            title: format!("mend {rule}"),
            fingerprints: Vec::new(),
            applicability: Applicability::Unsafe,
            caveat: Some("the order".into()),
            edits: vec![Edit::new("a.rs", Span::new(0, 3), "new")],
            manifest: Vec::new(),
            claims: Vec::new(),
        }
    }

    fn answers(input: &str, rules: &[&str]) -> (Vec<Answer>, String) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.rs"), "old\n").unwrap();
        let overlay = Overlay::new(camino::Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap());
        let mut shown = Vec::new();
        let mut asking = Interactive::new(input.as_bytes(), &mut shown, false);
        let answers = rules.iter().map(|rule| asking.ask(&change(rule), &overlay)).collect();
        (answers, String::from_utf8(shown).unwrap())
    }

    #[test]
    fn each_answer_does_what_it_says() {
        use Answer::{Apply, Quit, Skip};
        let (given, shown) = answers("what\ns\ny\nN\na\nq\n", &["r", "r", "r", "r", "r", "other", "r"]);
        assert_eq!(given, [Apply, Skip, Apply, Apply, Apply, Quit, Quit]);
        assert_eq!(shown.matches("-old\n+new\n").count(), 5);
        assert!(shown.contains("r (unsafe): mend r\nmay change: the order\n"), "{shown}");
    }

    #[test]
    fn the_end_of_input_quits() {
        assert_eq!(answers("", &["r", "r"]).0, [Answer::Quit, Answer::Quit]);
    }
}
