//! What would be written, to read or to hand on.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use similar::TextDiff;

use crate::change::Change;
use crate::edit::TextEdit;
use crate::overlay::{Overlay, OverlayError};

/// Lines shown around what differs.
const CONTEXT: usize = 3;

/// The difference between the disk and the overlay, as `git apply` takes it (without colour).
pub fn diff(overlay: &Overlay, colour: bool) -> String {
    overlay.changed().map(|f| file_diff(f.path, f.before, f.after, colour)).collect()
}

/// What one change would do to the text as edited so far.
///
/// # Errors
/// If it does not fit that text.
pub fn change_diff(overlay: &Overlay, change: &Change, colour: bool) -> Result<String, String> {
    let mut after = overlay.clone();
    make(&mut after, change)?;
    let mut before = overlay.clone();
    let paths: Vec<Utf8PathBuf> = after.changed().map(|f| f.path.to_owned()).collect();
    let mut out = String::new();
    for path in paths {
        let read = |o: &mut Overlay| o.read(&path).map_err(|e: OverlayError| e.to_string());
        let (old, new) = (read(&mut before)?, read(&mut after)?);
        if old != new {
            out.push_str(&file_diff(&path, &old, &new, colour));
        }
    }
    Ok(out)
}

/// One file's part of a change, against the text on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePatch {
    /// Relative to the root.
    pub path: Utf8PathBuf,
    /// The text on disk without byte-order mark, which the edits refer to.
    pub before: Arc<str>,
    /// Sorted, not overlapping.
    pub edits: Vec<TextEdit>,
}

/// A change planned on the files on disk as replacements a file, manifests included: what reports carry as a fix.
/// `disk` is an overlay without edits, which keeps what was read for the next change.
///
/// # Errors
/// If it does not fit the text.
pub fn patches(disk: &mut Overlay, change: &Change) -> Result<Vec<FilePatch>, String> {
    for edit in &change.edits {
        disk.read(&edit.path).map_err(|e| e.to_string())?;
    }
    let mut overlay = disk.clone();
    make(&mut overlay, change)?;
    Ok(all_patches(&overlay))
}

/// From the disk to the overlay, a file each.
pub fn all_patches(overlay: &Overlay) -> Vec<FilePatch> {
    let patch = |f: crate::overlay::ChangedFile<'_>| FilePatch {
        path: f.path.to_owned(),
        before: f.before.clone(),
        edits: f.edits.iter().cloned().collect(),
    };
    overlay.changed().map(patch).collect()
}

fn make(overlay: &mut Overlay, change: &Change) -> Result<(), String> {
    for edit in &change.manifest {
        edit.apply(overlay, &change.id()).map_err(|e| e.to_string())?;
    }
    overlay.apply(&[(change.id(), &change.edits)]).map_err(|e| e.to_string())
}

fn file_diff(path: &Utf8Path, old: &str, new: &str, colour: bool) -> String {
    let diff = TextDiff::from_lines(old, new);
    let mut unified = diff.unified_diff();
    unified.context_radius(CONTEXT).header(&format!("a/{path}"), &format!("b/{path}"));
    let plain = unified.to_string();
    if !colour {
        return plain;
    }
    let mut out = String::with_capacity(plain.len() * 2);
    for (number, line) in plain.split_inclusive('\n').enumerate() {
        let (body, end) = match line.strip_suffix('\n') {
            Some(body) => (body, "\n"),
            None => (line, ""),
        };
        let code = match body.as_bytes().first() {
            _ if number < 2 => "1",
            Some(b'@') => "36",
            Some(b'+') => "32",
            Some(b'-') => "31",
            _ => "",
        };
        if code.is_empty() {
            out.push_str(line);
        } else {
            out.push_str(&format!("\u{1b}[{code}m{body}\u{1b}[0m{end}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use uncork_lints::finding::Applicability;
    use uncork_lints::source::Span;

    use super::*;
    use crate::change::ChangeId;
    use crate::edit::Edit;

    const TEXT: &str =
        "fn a() {}\r\nfn b() {}\r\nfn c() {}\r\nfn d() {}\r\nfn e() {}\r\nfn f() {}\r\nfn g() {}\r\nlast";

    fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().canonicalize().unwrap()).unwrap();
        std::fs::write(root.join("a.rs"), TEXT).unwrap();
        std::fs::write(root.join("Cargo.toml"), "[package]\nname = \"a\"\n").unwrap();
        (dir, root)
    }

    fn change() -> Change {
        Change {
            rule: "r".into(),
            title: "t".into(),
            fingerprints: Vec::new(),
            applicability: Applicability::Safe,
            caveat: None,
            edits: vec![
                Edit::new("a.rs", Span::new(3, 4), "first"),
                Edit::new("a.rs", Span::new(TEXT.len() as u32 - 4, TEXT.len() as u32), "end"),
            ],
            manifest: vec![crate::manifest::ManifestEdit::AddDependency {
                manifest: "Cargo.toml".into(),
                krate: "dashmap".into(),
                features: Vec::new(),
            }],
            claims: Vec::new(),
        }
    }

    #[test]
    fn the_diff_is_what_would_be_written() {
        let (_dir, root) = folder();
        let mut overlay = Overlay::new(root.clone());
        make(&mut overlay, &change()).unwrap();
        std::fs::write(root.join("x.patch"), diff(&overlay, false)).unwrap();
        let applied = Command::new("git")
            .args(["apply", "--whitespace=nowarn", "x.patch"])
            .current_dir(&root)
            .output()
            .unwrap();
        assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
        for file in overlay.changed() {
            assert_eq!(std::fs::read(root.join(file.path)).unwrap(), file.new_bytes());
        }
    }

    #[test]
    fn patches_apply_to_the_text_on_disk() {
        let (_dir, root) = folder();
        let patches = patches(&mut Overlay::new(root), &change()).unwrap();
        let paths: Vec<_> = patches.iter().map(|p| p.path.as_str()).collect();
        assert_eq!(paths, ["Cargo.toml", "a.rs"]);
        let edits = crate::edit::TextEdits::new(patches[1].edits.clone()).unwrap();
        assert!(edits.apply(&patches[1].before).unwrap().starts_with("fn first()"));
    }

    #[test]
    fn a_change_is_shown_against_the_text_so_far() {
        let (_dir, root) = folder();
        let mut overlay = Overlay::new(root);
        let other = Edit::new("a.rs", Span::new(14, 15), "second");
        overlay.apply(&[(ChangeId("x".into()), &[other])]).unwrap();
        let one = Change { manifest: Vec::new(), edits: change().edits[..1].to_vec(), ..change() };
        let shown = change_diff(&overlay, &one, false).unwrap();
        assert!(shown.contains("+fn first()") && !shown.contains("+fn second()"), "{shown}");
        let coloured = change_diff(&overlay, &one, true).unwrap();
        assert!(coloured.contains("\u{1b}[32m+fn first()"), "{coloured:?}");
    }
}
