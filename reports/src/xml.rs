//! Text in XML and HTML.

use std::fmt;

/// Displays text so that it is text in an XML element or a quoted attribute: markup escaped, characters that XML 1.0
/// has no place for as U+FFFD, line ends and tabs as references (attributes would lose them).
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut from = 0;
        for (i, c) in self.0.char_indices() {
            let replacement = match c {
                '<' => "&lt;",
                '>' => "&gt;",
                '&' => "&amp;",
                '"' => "&quot;",
                '\'' => "&#39;",
                '\n' => "&#10;",
                '\r' => "&#13;",
                '\t' => "&#9;",
                c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => "\u{fffd}",
                _ => continue,
            };
            f.write_str(self.0.get(from..i).unwrap_or(""))?;
            f.write_str(replacement)?;
            from = i + c.len_utf8();
        }
        f.write_str(self.0.get(from..).unwrap_or(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_control_characters() {
        assert_eq!(Escaped("a<b>\"&'\n\0]]>é").to_string(), "a&lt;b&gt;&quot;&amp;&#39;&#10;\u{fffd}]]&gt;é");
    }
}
