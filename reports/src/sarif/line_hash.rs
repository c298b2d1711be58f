//! GitHub's fingerprint of a line, `primaryLocationLineHash`.
//!
//! The algorithm is that of `github/codeql-action` (`src/fingerprints.ts`, MIT): a polynomial rolling hash modulo 2^64,
//! base 37, over the hundred UTF-16 code units that follow the line's start, white space left out. GitHub matches
//! alerts between commits by this value, so it has to be theirs to the bit.

use std::collections::{BTreeSet, HashMap};

/// Code units that a hash covers.
const WINDOW: usize = 100;
/// The base of the polynomial.
const BASE: u64 = 37;
/// What the algorithm appends to the text (`-1` as a code unit), before it pads with zeros.
const END: u16 = u16::MAX;

/// The hash of each of `lines` (from 1) of a file, as `hash:occurrence`, where the occurrence counts equal hashes from
/// the file's start. Lines end at `\n`, `\r\n` or a lone `\r`; a byte-order mark is part of the text.
pub(crate) fn line_hashes(text: &str, bom: bool, lines: &BTreeSet<u32>) -> HashMap<u32, String> {
    // base^WINDOW: the weight with which a unit leaves the window.
    let leaving_weight = (0..WINDOW).fold(1u64, |w, _| w.wrapping_mul(BASE));
    let mut ring = [0u16; WINDOW];
    // For each slot: the line that began with the unit in it and still waits for its hash.
    let mut waiting: [Option<u32>; WINDOW] = [None; WINDOW];
    let mut slot = 0;
    let mut hash = 0u64;
    let mut line = 0;
    let mut at_line_start = true;
    let mut seen: HashMap<u64, u32> = HashMap::new();
    let mut out = HashMap::with_capacity(lines.len());

    let units = Units {
        inner: bom.then_some('\u{feff}').into_iter().chain(text.chars()),
        after_cr: false,
        low: None,
    };
    let padding = std::iter::repeat_n(0, WINDOW);
    let body = units.chain([END]).map(|unit| (unit, true)).chain(padding.map(|unit| (unit, false)));
    for (unit, in_text) in body {
        // The window has come round to a line's first unit: what it holds is that line's hundred.
        if let Some(done) = waiting[slot].take() {
            let occurrence = seen.entry(hash).or_insert(0);
            *occurrence += 1;
            if lines.contains(&done) {
                out.insert(done, format!("{hash:x}:{occurrence}"));
            }
        }
        if in_text {
            if at_line_start {
                line += 1;
                waiting[slot] = Some(line);
            }
            at_line_start = unit == u16::from(b'\n');
        }
        let leaving = u64::from(std::mem::replace(&mut ring[slot], unit));
        hash = hash
            .wrapping_mul(BASE)
            .wrapping_add(u64::from(unit))
            .wrapping_sub(leaving_weight.wrapping_mul(leaving));
        slot = (slot + 1) % WINDOW;
    }
    out
}

/// The UTF-16 code units that count: no spaces and tabs, every line end one `\n`.
struct Units<I> {
    inner: I,
    after_cr: bool,
    low: Option<u16>,
}

impl<I: Iterator<Item = char>> Iterator for Units<I> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        if let Some(low) = self.low.take() {
            return Some(low);
        }
        loop {
            let c = self.inner.next()?;
            // White space between `\r` and `\n` parts them, as it does in the original.
            let after_cr = std::mem::replace(&mut self.after_cr, c == '\r');
            match c {
                ' ' | '\t' => {}
                '\n' if after_cr => {}
                '\r' => return Some(u16::from(b'\n')),
                c => {
                    let mut buffer = [0; 2];
                    let units = c.encode_utf16(&mut buffer);
                    self.low = units.get(1).copied();
                    return units.first().copied();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<String> {
        let lines: BTreeSet<u32> = (1..=64).collect();
        let hashes = line_hashes(text, false, &lines);
        let mut sorted: Vec<_> = hashes.into_iter().collect();
        sorted.sort();
        sorted.into_iter().map(|(_, hash)| hash).collect()
    }

    // The expected values come from a run of the action's algorithm in JavaScript, which also gave the values of the
    // action's own tests.
    #[test]
    fn agrees_with_the_action() {
        let cases: &[(&str, &str, &[&str])] = &[
            ("an empty file", "", &["c129715d7a2bc9a3:1"]),
            ("one line without an end", "fn main() {}", &["281a53c75c9b7061:1"]),
            (
                "lines shorter than the window, indented",
                "fn main() {\n    run();\n\tstop();\n}\n",
                &[
                    "77f938d06810f58:1",
                    "b5caccaf5bea2565:1",
                    "aa187a12e3194e0e:1",
                    "32dce9ccfdbc9d3e:1",
                    "c129715d7a2bc9a3:1",
                ],
            ),
            (
                "equal lines count",
                "x();\nx();\nx();\nx();\nx();\nx();\nx();\nx();\nx();\nx();\nx();\nx();\nx();\nx();\nx();\nx();\nx();\nx();\nx();\nx();\nx();\nx();\nx();\nx();\nx();\nx();\nx();\nx();\nx();\nx();\n",
                &[
                    "4025d2520371af98:1",
                    "4025d2520371af98:2",
                    "4025d2520371af98:3",
                    "4025d2520371af98:4",
                    "4025d2520371af98:5",
                    "4025d2520371af98:6",
                    "4025d2520371af98:7",
                    "4025d2520371af98:8",
                    "4025d2520371af98:9",
                    "4025d2520371af98:10",
                    "4025d2520371af98:11",
                    "4025d26e8ebe9755:1",
                    "b620840d678a3287:1",
                    "683c68b3db596721:1",
                    "66952d4ca68bcf43:1",
                    "89e00b633293e78d:1",
                    "5ae7d7d2e99ba11f:1",
                    "f6dab749e945db99:1",
                    "ec6d58c9980ce71b:1",
                    "95850263ca18ae45:1",
                    "9cb19d71bbb3a837:1",
                    "ec2e8d12792c3291:1",
                    "15c74d3a24787373:1",
                    "595526c58f85637d:1",
                    "8a3bc1cfafe1fcf:1",
                    "137b07bdf4772409:1",
                    "8592542748498c4b:1",
                    "9c0405e045b4ff35:1",
                    "53310498f4db5fe7:1",
                    "4c392a8353fe801:1",
                    "c129715d7a2bc9a3:1",
                ],
            ),
            (
                "a line longer than the window",
                "    let total = items.iter().map(|item| item.price * item.count).filter(|p| *p > 0).sum::<u64>() + shipping(&items, \"express\", &rates);\n    let total = items.iter().map(|item| item.price * item.count).filter(|p| *p > 0).sum::<u64>() + shipping(&items, \"express\", &rates);\n}\n",
                &["26d4266ea21b16e2:1", "26d4266ea21b16e2:2", "32dce9ccfdbc9d3e:1", "c129715d7a2bc9a3:1"],
            ),
            (
                "CRLF ends as LF ends",
                "fn a() {\r\n    b();\r\n}\r\n",
                &["5f14dcb7a6b682d:1", "c097a997ce49c8b2:1", "32dce9ccfdbc9d3e:1", "c129715d7a2bc9a3:1"],
            ),
            (
                "a lone CR ends a line",
                "fn a() {\r    b();\r}\r",
                &["5f14dcb7a6b682d:1", "c097a997ce49c8b2:1", "32dce9ccfdbc9d3e:1", "c129715d7a2bc9a3:1"],
            ),
            (
                "white space between CR and LF makes a line",
                "a\r \nb\r\t\n\r\r\n\n",
                &[
                    "65788cf20b4d908c:1",
                    "9a111289df18f30d:1",
                    "4c5787e73f7a8e77:1",
                    "8d2f5848087196b:1",
                    "4e5d562094661a0d:1",
                    "5b5d4caf73a13177:1",
                    "3c5bef55b72b93c9:1",
                    "c129715d7a2bc9a3:1",
                ],
            ),
            (
                "characters beyond the basic plane are two units",
                "let s = \"🦀é漢\";\n// 🦀🦀🦀\nlet s = \"🦀é漢\";\n// 🦀🦀🦀\nlet s = \"🦀é漢\";\n// 🦀🦀🦀\nlet s = \"🦀é漢\";\n// 🦀🦀🦀\nlet s = \"🦀é漢\";\n// 🦀🦀🦀\nlet s = \"🦀é漢\";\n// 🦀🦀🦀\nlet s = \"🦀é漢\";\n// 🦀🦀🦀\nlet s = \"🦀é漢\";\n// 🦀🦀🦀\n",
                &[
                    "16e917fa6df011f1:1",
                    "586202beee13b82b:1",
                    "16e917fa6df011f1:2",
                    "586202beee13b82b:2",
                    "16e917fa6df011f1:3",
                    "586202beee13b82b:3",
                    "16e917fa6df011f1:4",
                    "586202bef36a6239:1",
                    "19f52cbe10b95027:1",
                    "d5f6f1a2752844d8:1",
                    "215b30bf7ad292c2:1",
                    "3ab183f860fca3ef:1",
                    "dac740e294e1afb5:1",
                    "e83be0228d565f3e:1",
                    "7821e473dfd265c0:1",
                    "93d7632e5bd13485:1",
                    "c129715d7a2bc9a3:1",
                ],
            ),
            (
                "a byte-order mark is text",
                "\u{feff}fn main() {}\n",
                &["d336dd861fa5824e:1", "c129715d7a2bc9a3:1"],
            ),
        ];
        for (what, text, expected) in cases {
            assert_eq!(all(text), *expected, "{what}");
        }
    }

    #[test]
    fn only_the_asked_lines() {
        let hashes = line_hashes("a\nb\nc\n", false, &BTreeSet::from([2]));
        assert_eq!(hashes.keys().copied().collect::<Vec<_>>(), [2]);
    }
}
