//! A lowered file as bytes, so that an unchanged file need not be parsed again. Reading them is several times faster than
//! parsing; the format is that of one build of the tool and no other.

use serde::{Deserialize, Serialize};

use super::FileHir;
use crate::name::{Name, packed};

/// The file as bytes. O(nodes).
pub fn pack(hir: &FileHir) -> Vec<u8> {
    let (tree, names) = packed::writing(|| postcard::to_stdvec(hir));
    let texts: Vec<&str> = names.iter().map(|n| n.as_str()).collect();
    let whole = Packed { names: texts, tree: tree.as_deref().unwrap_or_default() };
    postcard::to_stdvec(&whole).unwrap_or_default()
}

/// What was packed; `None` if the bytes are something else.
pub fn unpack(bytes: &[u8]) -> Option<FileHir> {
    let whole: Packed<'_> = postcard::from_bytes(bytes).ok()?;
    let names = whole.names.iter().map(|text| Name::new(text)).collect();
    packed::reading(names, || postcard::from_bytes(whole.tree).ok())
}

/// Every name once, then the file with names as numbers.
#[derive(Serialize, Deserialize)]
struct Packed<'a> {
    #[serde(borrow)]
    names: Vec<&'a str>,
    #[serde(borrow)]
    tree: &'a [u8],
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lower::lower_file;

    /// The sources of this crate.
    fn sources() -> Vec<String> {
        let below = walkdir::WalkDir::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).sort_by_file_name();
        let files = below.into_iter().filter_map(Result::ok).filter(|e| e.path().extension().is_some());
        files.filter_map(|e| std::fs::read_to_string(e.path()).ok()).collect()
    }

    #[test]
    fn what_is_unpacked_is_what_was_packed() {
        let sources = sources();
        assert!(sources.len() > 100);
        for text in sources {
            let hir = lower_file(&text).expect("Rust");
            let bytes = pack(&hir);
            assert_eq!(unpack(&bytes).as_ref(), Some(&hir));
            assert!(bytes.len() < 2 * text.len() + 64, "{} bytes of {}", bytes.len(), text.len());
        }
    }

    #[test]
    fn cut_or_changed_bytes_are_no_panic() {
        let hir =
            lower_file("pub fn f(x: &str) -> usize { g(x, |y| y.len() + 1).unwrap_or(3) }").expect("Rust");
        let bytes = pack(&hir);
        for cut in 0..bytes.len() {
            assert_eq!(unpack(&bytes[..cut]), None);
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                drop(unpack(&changed));
            }
        }
    }
}
