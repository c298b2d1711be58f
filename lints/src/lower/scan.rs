//! One pass over the bytes of a file before it is parsed: comments, lines without code, and how deep it nests.
//!
//! The parser is recursive, so a hostile file could exhaust the stack; what this pass counts bounds the recursion
//! from above. It also says what is wrong with brackets and quotes in better words than a token parser can.
//!
//! What is parsed is the text without comments, doc comments too, and without what begins and ends its lines: a doc
//! comment costs the parser an attribute of five tokens, and every blank a step.

use crate::hir::Suppression;
use crate::source::Span;

/// What the pass found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) suppressions: Vec<Suppression>,
    /// Lines (from 1) without code: blank, comments, attributes.
    pub(super) blank_lines: Vec<u32>,
    /// Marked as generated in its first lines.
    pub(super) generated: bool,
    /// Deepest nesting of brackets.
    pub(super) nesting: u32,
    /// The most tokens that a chain of expressions through all open brackets may have: `a + b + c`, `&&&x`,
    /// `if … else if …`.
    pub(super) chain: u32,
    /// The first unbalanced bracket or unterminated literal.
    pub(super) problem: Option<(String, Span)>,
    /// A block comment that never ends; the parser does not see comments.
    pub(super) open_comment: bool,
    /// What is parsed: the text after the prelude without comments and indentation, in one line but for literals.
    pub(super) code: String,
    /// The pieces of the text that `code` is made of: where each begins in `code` and in the text.
    pub(super) pieces: Vec<(u32, u32)>,
    /// Outer doc comments, by the token that follows them.
    pub(super) docs: Vec<Docs>,
    /// Where `code` may be cut in two texts that are parsed one by one: an item ends before it, and another begins.
    pub(super) cuts: Vec<u32>,
}

/// Code is parsed in parts of about this many bytes, where items allow it: their tokens and trees stay in the cache.
const PART: usize = 4 << 10;

/// Words that begin an item and can follow no `}` within one.
const BEGIN_ITEM: [&[u8]; 15] = [
    b"pub",
    b"fn",
    b"impl",
    b"struct",
    b"enum",
    b"trait",
    b"type",
    b"use",
    b"mod",
    b"const",
    b"static",
    b"unsafe",
    b"async",
    b"extern",
    b"macro_rules",
];

/// Outer doc comments with nothing but blanks and plain comments between them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Docs {
    pub(super) span: Span,
    /// Where the token after them begins.
    pub(super) next: u32,
}

/// Marks of generated code are looked for in this many lines, and in all the comments before any code.
const GENERATED_LINES: u32 = 10;

/// Scans `text[base..]`; lines are those of `text`.
pub(super) fn scan(text: &str, base: usize) -> Scan {
    let mut scanner = Scanner {
        text,
        bytes: text.as_bytes(),
        at: base,
        line: 1 + text.as_bytes().iter().take(base).filter(|&&b| b == b'\n').count() as u32,
        code: false,
        attr: None,
        levels: vec![Level::default()],
        sum: 0,
        after_block: false,
        piece: None,
        pending: None,
        after_item: false,
        part: 0,
        out: Scan {
            code: String::with_capacity(text.len() - base),
            pieces: Vec::with_capacity((text.len() - base) / 32),
            ..Scan::default()
        },
    };
    scanner.run();
    scanner.out
}

/// An open bracket (the first level is the file).
#[derive(Default)]
struct Level {
    bracket: u8,
    at: u32,
    /// Tokens since the last separator.
    tokens: u32,
}

struct Scanner<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    line: u32,
    /// The line so far holds code.
    code: bool,
    /// Inside an attribute that began its line: the depth outside it.
    attr: Option<usize>,
    levels: Vec<Level>,
    /// Sum of `tokens` over all levels.
    sum: u32,
    /// The last token closed a block: what follows continues it only if it is an operator or `else`.
    after_block: bool,
    /// Where the piece of code began that is not yet copied.
    piece: Option<usize>,
    /// Doc comments since the last token.
    pending: Option<Span>,
    /// The last token was a `}` or `;` outside all brackets.
    after_item: bool,
    /// Where the part began that is not yet cut off.
    part: usize,
    out: Scan,
}

impl Scanner<'_> {
    fn run(&mut self) {
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'\n' => self.newline(),
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => self.word(),
                b'0'..=b'9' => {
                    self.token(false);
                    self.at += super::cx::ident_len(&self.bytes[self.at..]);
                }
                b'"' => self.string(),
                b'\'' => self.quote(),
                b'/' if matches!(self.bytes.get(self.at + 1), Some(b'/' | b'*')) => self.comment(),
                b'(' | b'[' | b'{' => self.open(byte),
                b')' | b']' | b'}' => self.close(byte),
                b';' | b',' => {
                    self.begin();
                    self.at += 1;
                    self.after_block = false;
                    self.after_item = byte == b';' && self.levels.len() == 1;
                    self.separate();
                }
                b'#' => {
                    let attribute =
                        matches!(self.bytes.get(self.at + 1..self.at + 3), Some([b'[', _] | [b'!', b'[']));
                    if attribute && !self.code && self.attr.is_none() {
                        self.attr = Some(self.levels.len());
                    }
                    if self.bytes.get(self.at + 1) == Some(&b'[') {
                        self.cut();
                    }
                    self.token(false);
                    self.at += 1;
                }
                0 => {
                    let span = Span::new(self.at as u32, self.at as u32 + 1);
                    let message = "there is a NUL byte here: this is no Rust source".to_owned();
                    self.out.problem.get_or_insert((message, span));
                    self.token(true);
                    self.at += 1;
                }
                _ => {
                    self.token(true);
                    self.at += 1;
                }
            }
        }
        self.flush();
        let unfinished = self.bytes.last().is_some_and(|&b| b != b'\n');
        if unfinished && !self.code {
            self.out.blank_lines.push(self.line);
        }
        if self.levels.len() > 1
            && let Some(open) = self.levels.last()
        {
            let message = format!("this `{}` is never closed", open.bracket as char);
            let span = Span::new(open.at, open.at + 1);
            self.out.problem.get_or_insert((message, span));
        }
    }

    fn newline(&mut self) {
        if !self.code {
            self.out.blank_lines.push(self.line);
        }
        self.code = false;
        self.line += 1;
        self.flush();
        self.at += 1;
    }

    /// Copies the code since the last comment or line end.
    fn flush(&mut self) {
        if let Some(start) = self.piece.take() {
            self.out.pieces.push((self.out.code.len() as u32, start as u32));
            let piece = self.text.get(start..self.at).unwrap_or("");
            self.out.code.push_str(piece);
            // The parser finds the place of a token among the lines: one line is found at once. But after a quote a
            // blank would make a character.
            self.out.code.push(if piece.ends_with('\'') { '\n' } else { ' ' });
        }
    }

    /// A token or separator begins here.
    fn begin(&mut self) {
        if self.piece.is_none() {
            self.piece = Some(self.at);
        }
        self.code |= self.attr.is_none();
    }

    /// Counts the lines that end in what was just passed over, all of which hold `code`.
    fn lines_in(&mut self, from: usize, code: bool) {
        for _ in memchr::memchr_iter(b'\n', self.bytes.get(from..self.at).unwrap_or_default()) {
            if !self.code && !code {
                self.out.blank_lines.push(self.line);
            }
            self.line += 1;
            self.code = code;
        }
    }

    /// Counts a token. `continues`: it may go on with an expression that ended in a block.
    fn token(&mut self, continues: bool) {
        self.begin();
        if self.after_block && !continues {
            self.separate();
        }
        self.after_block = false;
        self.after_item = false;
        if let Some(span) = self.pending.take() {
            self.out.docs.push(Docs { span, next: self.at as u32 });
        }
        if let Some(level) = self.levels.last_mut() {
            level.tokens += 1;
        }
        self.sum += 1;
        self.out.chain = self.out.chain.max(self.sum);
    }

    /// An item may begin with the token that begins here; called before it is counted.
    fn cut(&mut self) {
        let len = self.out.code.len();
        if self.after_item && self.piece.is_none() && len - self.part >= PART {
            self.out.cuts.push(len as u32);
            self.part = len;
        }
    }

    fn separate(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            self.sum -= level.tokens;
            level.tokens = 0;
        }
    }

    fn open(&mut self, bracket: u8) {
        self.token(true);
        self.levels.push(Level { bracket, at: self.at as u32, tokens: 0 });
        self.out.nesting = self.out.nesting.max(self.levels.len() as u32 - 1);
        self.at += 1;
    }

    fn close(&mut self, bracket: u8) {
        self.begin();
        self.pending = None;
        let span = Span::new(self.at as u32, self.at as u32 + 1);
        self.at += 1;
        if self.levels.len() == 1 {
            self.out
                .problem
                .get_or_insert_with(|| (format!("nothing is open that `{}` closes", bracket as char), span));
            return;
        }
        let Some(level) = self.levels.pop() else { return };
        self.sum -= level.tokens;
        let wanted = match level.bracket {
            b'(' => b')',
            b'[' => b']',
            _ => b'}',
        };
        if wanted != bracket {
            let message = format!("`{}` is closed by `{}`", level.bracket as char, bracket as char);
            self.out.problem.get_or_insert((message, span));
        }
        self.after_block = bracket == b'}';
        self.after_item = self.after_block && self.levels.len() == 1;
        if self.attr.is_some_and(|outside| self.levels.len() <= outside) {
            self.attr = None;
            // An attribute is no part of a chain.
            self.separate();
        }
    }

    fn word(&mut self) {
        let rest = &self.bytes[self.at..];
        let len = super::cx::ident_len(rest);
        let word = &rest[..len];
        if self.after_item && BEGIN_ITEM.contains(&word) {
            self.cut();
        }
        self.token(word == b"else" || word == b"as");
        let start = self.at;
        self.at += len;
        if !matches!(word, b"r" | b"br" | b"cr") {
            return;
        }
        let hashes = rest[len..].iter().take_while(|&&b| b == b'#').count();
        if rest.get(len + hashes) != Some(&b'"') {
            return;
        }
        self.at += hashes + 1;
        // Ends at a quote followed by as many hashes.
        let body = &self.bytes[self.at..];
        let end = memchr::memchr_iter(b'"', body)
            .find(|&q| body[q + 1..].iter().take(hashes).filter(|&&b| b == b'#').count() == hashes);
        match end {
            Some(q) => self.at += q + 1 + hashes,
            None => self.unterminated("this raw string is never closed", start),
        }
        self.lines_in(start, true);
    }

    fn unterminated(&mut self, message: &str, start: usize) {
        self.at = self.bytes.len();
        let span = Span::new(start as u32, start as u32 + 1);
        self.out.problem.get_or_insert((message.to_owned(), span));
    }

    fn string(&mut self) {
        self.token(false);
        let start = self.at;
        self.at += 1;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            match memchr::memchr2(b'"', b'\\', rest) {
                Some(n) if rest[n] == b'"' => {
                    self.at += n + 1;
                    break;
                }
                Some(n) => self.at = (self.at + n + 2).min(self.bytes.len()),
                None => {
                    self.unterminated("this string is never closed", start);
                    break;
                }
            }
        }
        self.lines_in(start, true);
    }

    /// A character literal, or a lifetime.
    fn quote(&mut self) {
        self.token(false);
        let rest = &self.bytes[self.at + 1..];
        if rest.first() == Some(&b'\\') {
            let body = rest.get(2..).unwrap_or_default();
            match memchr::memchr2(b'\'', b'\n', body) {
                Some(n) if body[n] == b'\'' => self.at += n + 4,
                _ => self.at += 1,
            }
            return;
        }
        let width = self.text.get(self.at + 1..).and_then(|t| t.chars().next()).map_or(0, char::len_utf8);
        if width > 0 && rest.first() != Some(&b'\n') && rest.get(width) == Some(&b'\'') {
            self.at += width + 2;
        } else {
            self.at += 1 + super::cx::ident_len(rest);
        }
    }

    fn comment(&mut self) {
        let start = self.at;
        let rest = &self.bytes[start..];
        let line_comment = rest.get(1) == Some(&b'/');
        let (len, doc) = if line_comment {
            let len = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let doc =
                matches!(rest.get(2), Some(b'!')) || rest.get(2) == Some(&b'/') && rest.get(3) != Some(&b'/');
            (len, doc)
        } else {
            let doc = rest.get(2) == Some(&b'!')
                || rest.get(2) == Some(&b'*') && !matches!(rest.get(3), Some(b'*' | b'/'));
            match block_comment_len(rest) {
                Some(len) => (len, doc),
                None => {
                    let span = Span::new(start as u32, start as u32 + 1);
                    let message = "this block comment is never closed".to_owned();
                    self.out.problem.get_or_insert((message, span));
                    self.out.open_comment = true;
                    (rest.len(), doc)
                }
            }
        };
        self.flush();
        self.at = start + len;
        let text = self.text.get(start..self.at).unwrap_or("");
        if doc && rest.get(2) != Some(&b'!') {
            let span = Span::new(start as u32, start as u32 + text.trim_end().len() as u32);
            self.pending = Some(self.pending.map_or(span, |p| p.to(span)));
        }
        let heads = self.out.code.is_empty() && !doc;
        if (self.line <= GENERATED_LINES || heads) && !self.out.generated {
            self.out.generated = says_generated(text);
        }
        if !doc && let Some(found) = super::comments::suppression(text, start as u32, self.code) {
            self.out.suppressions.push(found);
        }
        if !line_comment {
            self.lines_in(start, false);
        }
    }
}

/// Length of the block comment that `bytes` begin with; block comments nest.
fn block_comment_len(bytes: &[u8]) -> Option<usize> {
    let mut depth = 1usize;
    let mut at = 2;
    loop {
        at += memchr::memchr2(b'*', b'/', bytes.get(at..)?)?;
        match (bytes[at], bytes.get(at + 1)?) {
            (b'*', b'/') => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return Some(at);
                }
            }
            (b'/', b'*') => {
                depth += 1;
                at += 2;
            }
            _ => at += 1,
        }
    }
}

/// `@generated`, "automatically generated by …", "autogenerated", "generated … do not edit".
fn says_generated(comment: &str) -> bool {
    let lower = comment.to_ascii_lowercase();
    lower.contains("@generated")
        || lower.contains("automatically generated by")
        || lower.contains("autogenerated")
        || lower.contains("generated") && lower.contains("do not edit")
}

/// Bytes before the Rust: a shebang line, then a frontmatter fenced by dashes.
pub(super) fn prelude_len(text: &str) -> usize {
    let mut at = 0;
    if let Some(rest) = text.strip_prefix("#!")
        && !rest.trim_start().starts_with('[')
    {
        at = text.find('\n').unwrap_or(text.len());
    }
    let rest = text.get(at..).unwrap_or("");
    let body = rest.trim_start();
    let dashes = body.bytes().take_while(|&b| b == b'-').count();
    if dashes >= 3 {
        let open = at + (rest.len() - body.len());
        let fence = body.get(..dashes).unwrap_or("---");
        let mut line_start = open;
        for line in body.split_inclusive('\n') {
            let line_end = line_start + line.len();
            if line_start > open && line.trim_end() == fence {
                return line_end;
            }
            line_start = line_end;
        }
    }
    at
}
