//! Colour for the formats that a terminal shows; only where it was asked for.

use anstyle::{AnsiColor, Style};
use uncork_lints::finding::Level;

/// What is painted.
#[derive(Clone, Copy)]
pub(crate) enum Paint {
    /// A level's word: red, yellow, green.
    Level(Level),
    /// What should stand out.
    Bold,
}

/// `text` between the escape sequences, or as it is.
pub(crate) fn paint(colour: bool, paint: Paint, text: &str) -> String {
    if !colour {
        return text.to_owned();
    }
    let style = match paint {
        Paint::Level(Level::Deny) => AnsiColor::Red.on_default().bold(),
        Paint::Level(Level::Warn) => AnsiColor::Yellow.on_default().bold(),
        Paint::Level(Level::Allow) => AnsiColor::Green.on_default().bold(),
        Paint::Bold => Style::new().bold(),
    };
    format!("{style}{text}{style:#}")
}
