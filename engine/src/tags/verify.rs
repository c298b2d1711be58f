//! Whether the rows of an index agree with each other.
//!
//! One pass and no memory to speak of: what must be the same set of facts in two places (a row's number by its key and its
//! key by the number, the tags of a row and the rows of a tag) is summed up as hashes on both sides, in any order, and
//! the sums are compared. Different facts with one sum are as likely as two strings of one 64-bit hash.

use roaring::RoaringBitmap;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::tags::index::CHUNK_BITS;
use crate::tags::rows::numbers;

/// A set of facts, as a sum of their hashes and a count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Facts {
    sum: u64,
    count: u64,
}

impl Facts {
    fn add(&mut self, subject: &[u8], object: &[u8]) {
        self.sum = self.sum.wrapping_add(xxh3_64_with_seed(object, xxh3_64(subject)));
        self.count += 1;
    }

    fn number(&mut self, number: u32) {
        self.add(&number.to_be_bytes(), b"");
    }
}

/// Reads the rows of an index, in any order, and says in the end what does not hold.
#[derive(Debug, Default)]
pub(crate) struct Verify {
    strings: (Facts, Facts),
    /// Keys of rows and their numbers, from both sides.
    rows: (Facts, Facts),
    /// Numbers and tags, from the rows' and from the tags' side.
    carried: (Facts, Facts),
    /// Numbers of rows, from "r", "k" and "a".
    used: [Facts; 3],
    /// Numbers of strings given out, numbers that are used or free, and the largest of each plus one.
    given: Facts,
    ids: Facts,
    free: u64,
    next_string: u32,
    next_row: (u32, u32),
    wrong: Vec<&'static str>,
}

impl Verify {
    /// Takes one row of the index.
    pub(crate) fn row(&mut self, key: &[u8], value: &[u8]) {
        let taken = key.split_first().and_then(|(letter, rest)| self.take(*letter, rest, value));
        if taken.is_none() {
            self.wrong.push("a row that no index has");
        }
    }

    fn take(&mut self, letter: u8, rest: &[u8], value: &[u8]) -> Option<()> {
        let number = |bytes: &[u8]| bytes.try_into().ok().map(u32::from_be_bytes);
        match (letter, rest) {
            (b'm', []) => self.next_string = number(value)?,
            (b'n', []) => {
                let (words, []) = value.as_chunks::<4>() else { return None };
                let [rows, free] = words else { return None };
                self.next_row = (u32::from_be_bytes(*rows), u32::from_be_bytes(*free));
            }
            (b's', string) => self.strings.0.add(string, &number(value)?.to_be_bytes()),
            (b'd', id) => {
                self.given.number(number(id)?);
                self.strings.1.add(value, id);
            }
            (b'r', row) => {
                self.used[0].number(number(value)?);
                self.rows.0.add(row, value);
            }
            (b'i', id) => {
                number(id)?;
                self.rows.1.add(value, id);
            }
            (b'k', id) => {
                self.used[1].number(number(id)?);
                let tags = numbers(value);
                let in_order = tags.is_sorted_by(|a, b| a < b) && value.len() == tags.len() * 4;
                if !in_order || tags.is_empty() {
                    return None;
                }
                tags.iter().for_each(|tag| self.carried.0.add(id, &tag.to_be_bytes()));
            }
            (b'b', place) => {
                let (tag, chunk) = place.split_first_chunk::<4>()?;
                for row in ids(chunk, value)? {
                    self.carried.1.add(&row.to_be_bytes(), tag);
                }
            }
            (b'a', chunk) => {
                for row in ids(chunk, value)? {
                    self.used[2].number(row);
                    self.ids.number(row);
                }
            }
            (b'f', chunk) => {
                for row in ids(chunk, value)? {
                    self.ids.number(row);
                    self.free += 1;
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// What was found wrong.
    pub(crate) fn finish(mut self) -> Vec<&'static str> {
        let upto = |count: u32, facts: Facts| {
            // A count that is far off is not worth counting up to.
            u64::from(count) == facts.count && {
                let mut all = Facts::default();
                (0..count).for_each(|number| all.number(number));
                all == facts
            }
        };
        let checks = [
            (self.strings.0 == self.strings.1, "strings and their numbers differ"),
            (upto(self.next_string, self.given), "numbers of strings that were not given out in order"),
            (self.rows.0 == self.rows.1, "rows and their numbers differ"),
            (self.carried.0 == self.carried.1, "tags of rows and rows of tags differ"),
            (
                self.used[0] == self.used[1] && self.used[0] == self.used[2],
                "tagged rows are not told as such",
            ),
            (upto(self.next_row.0, self.ids), "numbers of rows that are neither used nor free"),
            (u64::from(self.next_row.1) == self.free, "a wrong count of free numbers"),
        ];
        self.wrong.extend(checks.into_iter().filter(|(holds, _)| !holds).map(|(_, what)| what));
        self.wrong
    }
}

/// Numbers in the bitmap of a chunk; an index keeps no empty one.
fn ids(chunk: &[u8], bytes: &[u8]) -> Option<impl Iterator<Item = u32>> {
    let chunk = u32::from(u16::from_be_bytes(chunk.try_into().ok()?)) << CHUNK_BITS;
    let mut rest = bytes;
    let bitmap = RoaringBitmap::deserialize_from(&mut rest).ok()?;
    let fits = rest.is_empty() && bitmap.max()? < 1 << CHUNK_BITS;
    fits.then(|| bitmap.into_iter().map(move |low| chunk | low))
}
