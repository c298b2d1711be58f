//! Which files the compiler read: what it did not read (another platform's module, a feature that is off) it has not
//! judged.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use rustc_hash::FxHashSet;
use serde::Deserialize;

use super::diagnostics::{Lines, Problem};

#[derive(Deserialize)]
struct Artifact {
    reason: String,
    #[serde(default)]
    filenames: Vec<Utf8PathBuf>,
    #[serde(default)]
    manifest_path: Utf8PathBuf,
}

/// A problem for each changed source file that no target below `root` was made of. None if that cannot be told.
pub(super) fn unread(stdout: &str, root: &Utf8Path, changed: &[Utf8PathBuf]) -> Vec<Problem> {
    let Some(read) = files(stdout, root) else { return Vec::new() };
    let unread = changed.iter().filter(|path| {
        let real = path.canonicalize_utf8().unwrap_or_else(|_| (*path).clone());
        path.extension() == Some("rs") && !read.contains(&real)
    });
    unread
        .map(|path| Problem {
            key: format!("unread {path}"),
            words: format!(
                "{} is not part of this build (another platform, or a feature that is off), so no compiler has seen \
                 the change",
                path.strip_prefix(root).unwrap_or(path)
            ),
            primary: vec![Lines { path: path.clone(), first: 1, last: u32::MAX }],
            secondary: Vec::new(),
            about_manifest: false,
            unread: true,
        })
        .collect()
}

/// The sources of all targets that cargo made of packages below `root`, from the dependency files beside what it made.
fn files(stdout: &str, root: &Utf8Path) -> Option<FxHashSet<Utf8PathBuf>> {
    let mut out = FxHashSet::default();
    let mut any = false;
    for line in stdout.lines() {
        let Ok(artifact) = serde_json::from_str::<Artifact>(line) else { continue };
        if artifact.reason != "compiler-artifact" || !artifact.manifest_path.starts_with(root) {
            continue;
        }
        let text = artifact.filenames.iter().find_map(|made| fs::read_to_string(beside(made)?).ok())?;
        for source in sources(&text) {
            let path = root.join(source);
            out.insert(path.canonicalize_utf8().unwrap_or(path));
        }
        any = true;
    }
    any.then_some(out)
}

/// `libdemo-1f.rmeta` → `demo-1f.d`; a build script's program is a link without its hash.
fn beside(made: &Utf8Path) -> Option<Utf8PathBuf> {
    let (folder, stem) = (made.parent()?, made.file_stem()?);
    let plain = folder.join(format!("{}.d", stem.strip_prefix("lib").unwrap_or(stem)));
    if plain.is_file() {
        return Some(plain);
    }
    let full = folder.join(format!("{stem}.d"));
    if full.is_file() {
        return Some(full);
    }
    let mut others = folder.read_dir_utf8().ok()?.filter_map(Result::ok).map(|e| e.into_path());
    let script = stem.replace('-', "_");
    others.find(|p| p.extension() == Some("d") && p.file_name().is_some_and(|n| n.starts_with(&script)))
}

/// The files after the colon of a make rule's lines; a blank in a name is written `\ `.
fn sources(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for line in text.lines().filter(|l| !l.starts_with('#')) {
        let Some((_, list)) = line.split_once(": ") else { continue };
        let mut name = String::new();
        let mut chars = list.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' if chars.as_str().starts_with(' ') => {
                    name.push(' ');
                    chars.next();
                }
                ' ' => out.push(std::mem::take(&mut name)),
                _ => name.push(c),
            }
        }
        out.push(name);
    }
    out.retain(|name| !name.is_empty());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_blanks_are_read() {
        let text = "a.d: src/lib.rs src/my\\ file.rs\n\nsrc/lib.rs:\n# env-dep:X\n";
        assert_eq!(sources(text), ["src/lib.rs", "src/my file.rs"]);
    }
}
