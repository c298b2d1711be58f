//! Interned identifiers. A [`Name`] is a `u32` that compares across files; its text lives as long as the process.

use std::cell::RefCell;
use std::fmt;
use std::sync::LazyLock;

use dashmap::DashMap;
use rustc_hash::{FxBuildHasher, FxHashMap};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An interned string: an identifier, a field name, a tuple index written as digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(u32);

struct Interner {
    ids: DashMap<&'static str, u32, FxBuildHasher>,
    texts: boxcar::Vec<&'static str>,
}

static INTERNER: LazyLock<Interner> = LazyLock::new(|| {
    let interner = Interner { ids: DashMap::default(), texts: boxcar::Vec::new() };
    for (index, text) in well_known::TEXTS.iter().enumerate() {
        interner.texts.push(text);
        interner.ids.insert(text, index as u32);
    }
    interner
});

thread_local! {
    // Most identifiers repeat within a file: a thread's own table keeps the shared one out of the way.
    static RECENT: RefCell<Recent> = RefCell::default();
    // Few paths are asked for, each again and again.
    static JOINED: RefCell<FxHashMap<(Name, Name), Name>> = RefCell::default();
    static CUT: RefCell<FxHashMap<Name, Option<(Name, Name)>>> = RefCell::default();
}

/// Names a thread has met.
struct Recent {
    /// The last at each slot.
    last: Box<[(&'static str, u32)]>,
    known: FxHashMap<&'static str, u32>,
}

const SLOTS: usize = 2048;

impl Default for Recent {
    fn default() -> Recent {
        Recent { last: vec![("", well_known::EMPTY.0); SLOTS].into(), known: FxHashMap::default() }
    }
}

/// A slot by length and outer bytes.
fn slot_of(text: &[u8]) -> usize {
    let (head, tail) = match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
        _ => (text.iter().fold(0, |all, &byte| all << 8 | u64::from(byte)), 0),
    };
    let mixed = (head ^ tail.rotate_left(29) ^ (text.len() as u64) << 56).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 53) as usize % SLOTS
}

impl Name {
    /// Interns `text`. Amortised O(length). Distinct texts are kept until the process ends.
    pub fn new(text: &str) -> Name {
        RECENT.with_borrow_mut(|Recent { last, known }| {
            let slot = &mut last[slot_of(text.as_bytes())];
            if slot.0 == text {
                return Name(slot.1);
            }
            if let Some((&text, &id)) = known.get_key_value(text) {
                *slot = (text, id);
                return Name(id);
            }
            let interner = &*INTERNER;
            let id = match interner.ids.get(text) {
                Some(id) => *id,
                None => {
                    let leaked: &'static str = Box::leak(text.to_owned().into_boxed_str());
                    *interner.ids.entry(leaked).or_insert_with(|| interner.texts.push(leaked) as u32)
                }
            };
            known.insert(interner.texts[id as usize], id);
            Name(id)
        })
    }

    /// `path::segment`.
    pub fn join(path: Name, segment: Name) -> Name {
        JOINED.with_borrow_mut(|joined| {
            *joined.entry((path, segment)).or_insert_with(|| Name::new(&format!("{path}::{segment}")))
        })
    }

    /// The path before the last `::` and the segment after it.
    pub fn cut(self) -> Option<(Name, Name)> {
        CUT.with_borrow_mut(|cut| {
            *cut.entry(self).or_insert_with(|| {
                let (path, segment) = self.as_str().rsplit_once("::")?;
                Some((Name::new(path), Name::new(segment)))
            })
        })
    }

    /// Where it is in tables that hold one entry a name.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }

    /// The text. O(1), no lock.
    pub fn as_str(self) -> &'static str {
        INTERNER.texts.get(self.0 as usize).copied().unwrap_or("")
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match packed::number(*self) {
            Some(number) => s.serialize_u32(number),
            None => s.serialize_str(self.as_str()),
        }
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Name, D::Error> {
        match packed::is_reading() {
            true => {
                let number = u32::deserialize(d)?;
                packed::name(number).ok_or_else(|| serde::de::Error::custom("a name without text"))
            }
            false => Ok(Name::new(&String::deserialize(d)?)),
        }
    }
}

/// Names as numbers of one piece of data, for formats that keep the texts apart.
pub(crate) mod packed {
    use std::cell::{Cell, RefCell};

    use rustc_hash::FxHashMap;

    use super::Name;

    thread_local! {
        static WRITING: RefCell<Option<Numbers>> = const { RefCell::new(None) };
        static READING: RefCell<Vec<Name>> = const { RefCell::new(Vec::new()) };
        static IS_READING: Cell<bool> = const { Cell::new(false) };
    }

    #[derive(Default)]
    struct Numbers {
        names: Vec<Name>,
        known: FxHashMap<Name, u32>,
    }

    /// Runs `write`, in which this thread's names are written as numbers; returns the names by number as well.
    pub(crate) fn writing<T>(write: impl FnOnce() -> T) -> (T, Vec<Name>) {
        let before = WRITING.replace(Some(Numbers::default()));
        let out = write();
        let numbers = WRITING.replace(before).unwrap_or_default();
        (out, numbers.names)
    }

    /// Runs `read`, in which this thread's names are read as numbers.
    pub(crate) fn reading<T>(names: Vec<Name>, read: impl FnOnce() -> T) -> T {
        let (names, nested) = (READING.replace(names), IS_READING.replace(true));
        let out = read();
        READING.set(names);
        IS_READING.set(nested);
        out
    }

    pub(super) fn number(name: Name) -> Option<u32> {
        WRITING.with_borrow_mut(|writing| {
            let Numbers { names, known } = writing.as_mut()?;
            Some(*known.entry(name).or_insert_with(|| {
                names.push(name);
                names.len() as u32 - 1
            }))
        })
    }

    pub(super) fn is_reading() -> bool {
        IS_READING.get()
    }

    pub(super) fn name(number: u32) -> Option<Name> {
        READING.with_borrow(|names| names.get(number as usize).copied())
    }
}

/// Names the analyses match on, interned first so that they are constants.
pub mod well_known {
    use super::Name;

    macro_rules! names {
        ($($ident:ident = $text:literal),* $(,)?) => {
            #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
            #[repr(u32)]
            enum Index { $($ident),* }
            $(#[doc = concat!("`", $text, "`")] pub const $ident: Name = Name(Index::$ident as u32);)*
            pub(super) const TEXTS: &[&str] = &[$($text),*];
        };
    }

    names! {
        EMPTY = "", SELF = "self", SELF_TYPE = "Self", CRATE = "crate", SUPER = "super", UNDERSCORE = "_",
        CLONE = "clone", CLONED = "cloned", TO_OWNED = "to_owned", TO_VEC = "to_vec", TO_STRING = "to_string",
        UNWRAP = "unwrap", EXPECT = "expect", DROP = "drop", NEW = "new", DEFAULT = "default",
        LOCK = "lock", READ = "read", WRITE = "write", WRITE_FMT = "write_fmt", DEREF = "deref", INTO_ITER = "into_iter", NEXT = "next",
        STD = "std", CORE = "core", ALLOC = "alloc", OK = "Ok", ERR = "Err", SOME = "Some", NONE = "None",
        OUTPUT = "Output", ITEM = "Item", TARGET = "Target", ZERO = "0", ONE = "1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_text_same_name() {
        assert_eq!(Name::new("some_field"), Name::new("some_field"));
        assert_ne!(Name::new("a"), Name::new("b"));
        assert_eq!(Name::new("self"), well_known::SELF);
        assert_eq!(Name::new("odd λ name").as_str(), "odd λ name");
    }

    #[test]
    fn paths_join_and_cut() {
        let path = Name::join(Name::new("std::sync"), Name::new("Mutex"));
        assert_eq!(path.as_str(), "std::sync::Mutex");
        assert_eq!(path.cut(), Some((Name::new("std::sync"), Name::new("Mutex"))));
        assert_eq!(Name::new("std").cut(), None);
    }
}
