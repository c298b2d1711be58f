//! Whether the tree can be changed without losing work: the same three questions that `cargo fix` asks.

use std::process::Command;

use camino::Utf8Path;
use thiserror::Error;

/// What the user allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Uncommitted changes.
    pub dirty: bool,
    /// Changes that are staged but not committed.
    pub staged: bool,
    /// No version control at all.
    pub no_vcs: bool,
}

/// Why the tree is not to be changed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum VcsError {
    /// No repository.
    #[error(
        "no version control found, so changes could not be undone; pass `--allow-no-vcs` to fix all the same"
    )]
    None,
    /// Uncommitted changes.
    #[error("the working tree has uncommitted changes ({}); commit or stash them, or pass `--allow-dirty`", listed(.0))]
    Dirty(Vec<String>),
    /// Staged changes only.
    #[error("the index has staged changes ({}); commit them, or pass `--allow-staged`", listed(.0))]
    Staged(Vec<String>),
    /// There is a repository, but it cannot be asked.
    #[error("git cannot tell whether the tree is clean: {0}; pass `--allow-dirty` to fix all the same")]
    Git(String),
}

fn listed(paths: &[String]) -> String {
    let mut shown: Vec<&str> = paths.iter().take(3).map(String::as_str).collect();
    let more = format!("and {} more", paths.len().saturating_sub(3));
    if paths.len() > 3 {
        shown.push(&more);
    }
    shown.join(", ")
}

/// Checks the repository around `root`. Ignored files do not count, new ones do.
///
/// # Errors
/// [`VcsError`], one line to show.
pub fn check(root: &Utf8Path, allowed: Allowed) -> Result<(), VcsError> {
    if allowed.no_vcs && !root.ancestors().any(|a| a.join(".git").exists()) {
        return Ok(());
    }
    let others = [".hg", ".jj", ".pijul", ".fslckout", "_FOSSIL_"];
    if !root.ancestors().any(|a| a.join(".git").exists()) {
        // Other systems keep every state too, but are not asked, as cargo does not.
        let other = root.ancestors().any(|a| others.iter().any(|o| a.join(o).exists()));
        return if other { Ok(()) } else { Err(VcsError::None) };
    }
    if allowed.dirty {
        return Ok(());
    }
    let output = Command::new("git")
        .args(["status", "--porcelain=v1", "-z", "--untracked-files=normal"])
        .current_dir(root)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .output()
        .map_err(|e| VcsError::Git(e.to_string()))?;
    if !output.status.success() {
        return Err(VcsError::Git(String::from_utf8_lossy(&output.stderr).trim().replace('\n', " ")));
    }
    let (mut dirty, mut staged) = (Vec::new(), Vec::new());
    let text = String::from_utf8_lossy(&output.stdout);
    let mut entries = text.split('\0').filter(|e| e.len() > 3);
    while let Some(entry) = entries.next() {
        let (Some(state), Some(path)) = (entry.get(..2), entry.get(3..)) else { continue };
        if state.starts_with(['R', 'C']) {
            // The next entry is the old name.
            entries.next();
        }
        if state.ends_with(' ') {
            staged.push(path.to_owned());
        } else {
            dirty.push(path.to_owned());
        }
    }
    if !dirty.is_empty() {
        return Err(VcsError::Dirty(dirty));
    }
    if !staged.is_empty() && !allowed.staged {
        return Err(VcsError::Staged(staged));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;

    use super::*;

    fn git(root: &Utf8Path, arguments: &[&str]) {
        let done = Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
            .args(arguments)
            .current_dir(root)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    #[test]
    fn as_cargo_fix_would() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().canonicalize().unwrap()).unwrap();
        let none = Allowed::default();
        assert_eq!(check(&root, none), Err(VcsError::None));
        assert_eq!(check(&root, Allowed { no_vcs: true, ..none }), Ok(()));

        git(&root, &["init", "-q"]);
        std::fs::write(root.join("a b.rs"), "1").unwrap();
        std::fs::write(root.join(".gitignore"), "target\n").unwrap();
        assert!(matches!(check(&root, none), Err(VcsError::Dirty(_))));
        git(&root, &["add", "."]);
        let staged = check(&root, none);
        assert!(
            matches!(&staged, Err(VcsError::Staged(p)) if p.contains(&"a b.rs".to_owned())),
            "{staged:?}"
        );
        assert_eq!(check(&root, Allowed { staged: true, ..none }), Ok(()));
        git(&root, &["commit", "-qm", "x"]);
        assert_eq!(check(&root, none), Ok(()));

        std::fs::create_dir(root.join("target")).unwrap();
        std::fs::write(root.join("target/x"), "1").unwrap();
        assert_eq!(check(&root, none), Ok(()));
        std::fs::write(root.join("a b.rs"), "2").unwrap();
        assert_eq!(
            check(&root, Allowed { staged: true, ..none }),
            Err(VcsError::Dirty(vec!["a b.rs".into()]))
        );
        assert_eq!(check(&root, Allowed { dirty: true, ..none }), Ok(()));
        assert_eq!(
            VcsError::Dirty(["a", "b", "c", "d"].map(String::from).into()).to_string(),
            "the working tree has uncommitted changes (a, b, c, and 1 more); commit or stash them, or pass \
             `--allow-dirty`"
        );
    }
}
