//! Edited files in memory, over the disk; knows which change made which place.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use thiserror::Error;
use uncork_lints::source::Span;

use crate::change::ChangeId;
use crate::edit::{Edit, EditError, TextEdit, TextEdits};

const BOM: &str = "\u{feff}";

/// Why a file cannot be edited.
#[derive(Debug, Error)]
pub enum OverlayError {
    /// It cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: Utf8PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An edit does not fit.
    #[error("cannot edit {path}: {source}")]
    Edit {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: EditError,
    },
    /// It must not be touched.
    #[error("{path} is not to be changed: {why}")]
    Protected {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        why: &'static str,
    },
}

/// A file as it was read, and as it is now.
#[derive(Clone, Debug)]
struct FileState {
    /// As on disk, without byte-order mark.
    before: Arc<str>,
    bom: bool,
    crlf: bool,
    now: Arc<str>,
    /// From `before` to `now`.
    edits: TextEdits,
    /// Places of `now` and the changes that made them.
    touched: Vec<(Span, ChangeId)>,
}

/// A file that differs from the disk.
#[derive(Clone, Copy, Debug)]
pub struct ChangedFile<'a> {
    /// Its path as given in edits.
    pub path: &'a Utf8Path,
    /// The text as on disk, without byte-order mark.
    pub before: &'a Arc<str>,
    /// The edited text, without byte-order mark.
    pub after: &'a Arc<str>,
    /// Whether the file begins with a byte-order mark.
    pub bom: bool,
    /// From `before` to `after`.
    pub edits: &'a TextEdits,
}

impl ChangedFile<'_> {
    /// The bytes as they were on disk.
    pub fn old_bytes(&self) -> Vec<u8> {
        bytes(self.before, self.bom)
    }

    /// The bytes to write.
    pub fn new_bytes(&self) -> Vec<u8> {
        bytes(self.after, self.bom)
    }
}

fn bytes(text: &str, bom: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 3);
    if bom {
        out.extend_from_slice(BOM.as_bytes());
    }
    out.extend_from_slice(text.as_bytes());
    out
}

/// Files under a root, edited in memory.
#[derive(Clone, Debug)]
pub struct Overlay {
    root: Utf8PathBuf,
    files: BTreeMap<Utf8PathBuf, FileState>,
}

impl Overlay {
    /// An overlay of the files under `root`, which should be absolute; edits name paths relative to it.
    pub fn new(root: impl Into<Utf8PathBuf>) -> Overlay {
        Overlay { root: root.into(), files: BTreeMap::new() }
    }

    /// The directory paths are relative to.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// The path on disk.
    pub fn absolute(&self, path: &Utf8Path) -> Utf8PathBuf {
        self.root.join(path)
    }

    /// The text of a file as edited so far, else as on disk; without byte-order mark.
    ///
    /// # Errors
    /// [`OverlayError::Read`] if it cannot be read or is not UTF-8.
    pub fn read(&mut self, path: &Utf8Path) -> Result<Arc<str>, OverlayError> {
        Ok(self.load(path)?.now.clone())
    }

    /// The edited text of a file, if it has been edited.
    pub fn edited(&self, path: &Utf8Path) -> Option<&Arc<str>> {
        self.files.get(path).filter(|f| f.now != f.before).map(|f| &f.now)
    }

    /// The files that differ from the disk, by path.
    pub fn changed(&self) -> impl Iterator<Item = ChangedFile<'_>> {
        self.files.iter().filter(|(_, f)| f.now != f.before).map(|(path, f)| ChangedFile {
            path,
            before: &f.before,
            after: &f.now,
            bom: f.bom,
            edits: &f.edits,
        })
    }

    /// The total size of all files touched, before and now, in bytes.
    pub fn sizes(&self) -> (usize, usize) {
        self.files.values().fold((0, 0), |(a, b), f| (a + f.before.len(), b + f.now.len()))
    }

    /// Makes the edits of several changes at once: spans are places of the text as it is before this call.
    ///
    /// # Errors
    /// If a file cannot be read, must not be touched, or an edit does not fit; nothing is changed then.
    pub fn apply(&mut self, changes: &[(ChangeId, &[Edit])]) -> Result<(), OverlayError> {
        let mut by_file: BTreeMap<&Utf8Path, Vec<(TextEdit, &ChangeId)>> = BTreeMap::new();
        for (id, edits) in changes {
            for edit in *edits {
                let text = TextEdit { span: edit.span, text: edit.replacement.clone() };
                by_file.entry(&edit.path).or_default().push((text, id));
            }
        }
        let mut done = Vec::with_capacity(by_file.len());
        for (path, edits) in by_file {
            if let Some(why) = self.protected(path) {
                return Err(OverlayError::Protected { path: path.to_owned(), why });
            }
            let state = self.load(path)?;
            let next =
                state.edited(edits).map_err(|source| OverlayError::Edit { path: path.to_owned(), source })?;
            done.push((path.to_owned(), next));
        }
        self.files.extend(done);
        Ok(())
    }

    /// Replaces the whole text of a file on behalf of `id`; only lines that differ count as touched by it.
    ///
    /// # Errors
    /// As [`Overlay::apply`].
    pub fn replace(&mut self, id: &ChangeId, path: &Utf8Path, new: &str) -> Result<(), OverlayError> {
        let old = self.read(path)?;
        let edits: Vec<Edit> = line_edits(&old, new)
            .into_iter()
            .map(|e| Edit { path: path.to_owned(), span: e.span, replacement: e.text })
            .collect();
        self.apply(&[(id.clone(), &edits)])
    }

    /// Replaces the whole text by a reformatted one: places keep the changes that made them, and none is added.
    ///
    /// # Errors
    /// As [`Overlay::apply`].
    pub fn reformat(&mut self, path: &Utf8Path, new: &str) -> Result<(), OverlayError> {
        let old = self.read(path)?;
        let edits = line_edits(&old, new);
        let state = self.load(path)?;
        let next = state
            .edited_by(edits, Vec::new())
            .map_err(|source| OverlayError::Edit { path: path.to_owned(), source })?;
        self.files.insert(path.to_owned(), next);
        Ok(())
    }

    /// The changes that made something inside `span` of the edited text of `path`, or right at its ends.
    pub fn makers(&self, path: &Utf8Path, span: Span) -> Vec<&ChangeId> {
        let Some(file) = self.files.get(path) else { return Vec::new() };
        let mut out: Vec<&ChangeId> = file
            .touched
            .iter()
            .filter(|(t, _)| t.lo <= span.hi && span.lo <= t.hi)
            .map(|(_, id)| id)
            .collect();
        out.sort();
        out.dedup();
        out
    }

    /// The changes that touched a file.
    pub fn makers_of_file(&self, path: &Utf8Path) -> Vec<&ChangeId> {
        self.makers(path, Span::new(0, u32::MAX))
    }

    /// Why a file must not be touched, if so: it lies outside the root, among build products, or is generated.
    pub fn protected(&mut self, path: &Utf8Path) -> Option<&'static str> {
        let absolute = self.absolute(path);
        let real = absolute.canonicalize_utf8().ok()?;
        let root = self.root.canonicalize_utf8().unwrap_or_else(|_| self.root.clone());
        if !real.starts_with(&root) {
            return Some("it lies outside the workspace");
        }
        let within = real.strip_prefix(&root).unwrap_or(&real);
        let parts: Vec<&str> = within.components().map(|c| c.as_str()).collect();
        let registry = parts.windows(2).any(|p| matches!(p, ["registry", "src"] | ["git", "checkouts"]));
        if registry || parts.first() == Some(&"target") {
            return Some("it is not the project's own source");
        }
        let text = self.read(path).ok()?;
        let marked = text.lines().take(10).any(|line| line.contains(concat!("@", "generated")));
        marked.then_some("it is generated")
    }

    fn load(&mut self, path: &Utf8Path) -> Result<&FileState, OverlayError> {
        if !self.files.contains_key(path) {
            let failed = |source| OverlayError::Read { path: path.to_owned(), source };
            let raw = std::fs::read_to_string(self.absolute(path)).map_err(failed)?;
            let text: Arc<str> = raw.strip_prefix(BOM).unwrap_or(&raw).into();
            let ends = text.matches('\n').count();
            let state = FileState {
                bom: raw.starts_with(BOM),
                crlf: text.matches("\r\n").count() * 2 > ends,
                now: text.clone(),
                before: text,
                edits: TextEdits::default(),
                touched: Vec::new(),
            };
            self.files.insert(path.to_owned(), state);
        }
        match self.files.get(path) {
            Some(state) => Ok(state),
            None => Err(OverlayError::Read {
                path: path.to_owned(),
                source: io::Error::from(io::ErrorKind::NotFound),
            }),
        }
    }
}

impl FileState {
    fn edited(&self, edits: Vec<(TextEdit, &ChangeId)>) -> Result<FileState, EditError> {
        let edits: Vec<(TextEdit, &ChangeId)> =
            edits.into_iter().map(|(e, id)| (TextEdit { text: self.line_ends(&e.text), ..e }, id)).collect();
        let makers = edits.iter().map(|(e, id)| (e.span, (*id).clone())).collect();
        self.edited_by(edits.into_iter().map(|(e, _)| e).collect(), makers)
    }

    fn edited_by(&self, edits: Vec<TextEdit>, makers: Vec<(Span, ChangeId)>) -> Result<FileState, EditError> {
        let round = TextEdits::new(edits)?;
        let now: Arc<str> = round.apply(&self.now)?.into();
        let mut touched: Vec<(Span, ChangeId)> =
            self.touched.iter().map(|(span, id)| (round.follow(*span), id.clone())).collect();
        for (edit, new) in round.iter().zip(round.new_spans()) {
            let by = makers.iter().filter(|(span, _)| *span == edit.span);
            touched.extend(by.map(|(_, id)| (new, id.clone())));
        }
        Ok(FileState { now, edits: self.edits.compose(&round), touched, ..self.clone() })
    }

    /// New text in the file's own line ends.
    fn line_ends(&self, text: &str) -> String {
        if self.crlf { text.replace("\r\n", "\n").replace('\n', "\r\n") } else { text.to_owned() }
    }
}

/// The edits, whole lines each, from one text to another.
pub(crate) fn line_edits(old: &str, new: &str) -> Vec<TextEdit> {
    let old_lines: Vec<&str> = old.split_inclusive('\n').collect();
    let new_lines: Vec<&str> = new.split_inclusive('\n').collect();
    let offsets = |lines: &[&str]| -> Vec<u32> {
        let mut at = 0;
        let mut out = vec![0];
        out.extend(lines.iter().map(|l| {
            at += l.len() as u32;
            at
        }));
        out
    };
    let starts = offsets(&old_lines);
    let mut out = Vec::new();
    for op in similar::capture_diff_slices(similar::Algorithm::Myers, &old_lines, &new_lines) {
        if let similar::DiffTag::Equal = op.tag() {
            continue;
        }
        let (from, to) = (op.old_range(), op.new_range());
        let at = |i: usize| starts.get(i).copied().unwrap_or(old.len() as u32);
        let text = new_lines.get(to).map(|l| l.concat()).unwrap_or_default();
        out.push(TextEdit { span: Span::new(at(from.start), at(from.end)), text });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Utf8PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
        for (path, text) in files {
            std::fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            std::fs::write(root.join(path), text).unwrap();
        }
        (dir, root)
    }

    fn id(name: &str) -> ChangeId {
        ChangeId(name.into())
    }

    #[test]
    fn crlf_and_bom_survive() {
        let (_dir, root) = folder(&[("a.rs", "\u{feff}fn a() {}\r\nfn b() {}\r\n")]);
        let mut overlay = Overlay::new(root);
        let edit = Edit::new("a.rs", Span::new(11, 11), "fn c() {}\n");
        overlay.apply(&[(id("x"), &[edit])]).unwrap();
        let changed: Vec<_> = overlay.changed().collect();
        let bytes = changed[0].new_bytes();
        assert_eq!(String::from_utf8(bytes).unwrap(), "\u{feff}fn a() {}\r\nfn c() {}\r\nfn b() {}\r\n");
    }

    #[test]
    fn makers_follow_later_rounds() {
        let (_dir, root) = folder(&[("a.rs", "one two three\n")]);
        let mut overlay = Overlay::new(root);
        overlay.apply(&[(id("first"), &[Edit::new("a.rs", Span::new(4, 7), "2")])]).unwrap();
        overlay.apply(&[(id("second"), &[Edit::new("a.rs", Span::new(0, 3), "uno y medio")])]).unwrap();
        assert_eq!(&*overlay.read("a.rs".into()).unwrap(), "uno y medio 2 three\n");
        assert_eq!(overlay.makers("a.rs".into(), Span::new(12, 13)), [&id("first")]);
        assert_eq!(overlay.makers("a.rs".into(), Span::new(3, 4)), [&id("second")]);
        assert!(overlay.makers("a.rs".into(), Span::new(15, 18)).is_empty());
        let file = overlay.changed().next().unwrap();
        assert_eq!(file.edits.apply(file.before).unwrap(), &**file.after);
    }

    #[test]
    fn some_files_are_never_touched() {
        let generated = concat!("// @", "generated by x\nfn a() {}\n");
        let (_dir, root) = folder(&[
            ("ws/gen.rs", generated),
            ("out.rs", "fn a() {}\n"),
            ("ws/target/debug/build/x.rs", "fn a() {}\n"),
        ]);
        let mut overlay = Overlay::new(root.join("ws"));
        for path in ["gen.rs", "../out.rs", "target/debug/build/x.rs"] {
            let edit = Edit::new(path, Span::new(0, 0), "x");
            let done = overlay.apply(&[(id("x"), &[edit])]);
            assert!(matches!(done, Err(OverlayError::Protected { .. })), "{path}");
        }
        let outside = Edit::new(root.join("out.rs"), Span::new(0, 0), "x");
        assert!(overlay.apply(&[(id("x"), &[outside])]).is_err());
        assert_eq!(overlay.changed().count(), 0);
    }

    #[test]
    fn whole_text_replacement_touches_only_what_differs() {
        let (_dir, root) = folder(&[("a.toml", "a = 1\nb = 2\nc = 3\n")]);
        let mut overlay = Overlay::new(root);
        overlay.replace(&id("m"), "a.toml".into(), "a = 1\nb = 20\nc = 3\n").unwrap();
        assert!(overlay.makers("a.toml".into(), Span::new(0, 3)).is_empty());
        assert_eq!(overlay.makers("a.toml".into(), Span::new(7, 8)).len(), 1);
    }
}
