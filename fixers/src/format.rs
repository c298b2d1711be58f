//! Rustfmt, for files that were formatted before they were edited: there it changes nothing but what was touched.

use std::ffi::OsString;
use std::io::Write;
use std::process::{Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};

use crate::overlay::Overlay;

/// Formats the edited Rust files that rustfmt would have left alone before. `edition` tells a file's (absolute path).
/// A file that rustfmt cannot format, or a missing rustfmt, changes nothing.
pub fn format_edited(overlay: &mut Overlay, edition: &dyn Fn(&Utf8Path) -> String) {
    let edited: Vec<_> = overlay
        .changed()
        .filter(|f| f.path.extension() == Some("rs"))
        .map(|f| (f.path.to_owned(), f.before.clone(), f.after.clone()))
        .collect();
    for (path, before, after) in edited {
        let absolute = overlay.absolute(&path);
        let edition = edition(&absolute);
        if formatted(&absolute, &before, &edition).as_deref() != Some(&*before) {
            continue;
        }
        if let Some(new) = formatted(&absolute, &after, &edition)
            && new != *after
        {
            // It fits: it was made from this very text.
            let _ = overlay.reformat(&path, &new);
        }
    }
}

/// What rustfmt makes of a text that stands at `path`, by the settings in force there.
fn formatted(path: &Utf8Path, text: &str, edition: &str) -> Option<String> {
    let program = std::env::var_os("RUSTFMT").unwrap_or_else(|| OsString::from("rustfmt"));
    let folder: Utf8PathBuf = path.parent()?.to_owned();
    let mut child = Command::new(program)
        .args(["--edition", edition, "--emit", "stdout", "--quiet"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take()?;
    let input = text.to_owned();
    let feeding = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().ok()?;
    let fed = feeding.join().ok()?.is_ok();
    if !fed || !output.status.success() {
        return None;
    }
    String::from_utf8(output.stdout).ok()
}

#[cfg(test)]
mod tests {
    use uncork_lints::source::Span;

    use super::*;
    use crate::change::ChangeId;
    use crate::edit::Edit;

    fn edited(text: &str, from: &str, to: &str) -> (Overlay, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
        std::fs::write(root.join("a.rs"), text).unwrap();
        let mut overlay = Overlay::new(root);
        let at = text.find(from).unwrap() as u32;
        let edit = Edit::new("a.rs", Span::new(at, at + from.len() as u32), to);
        overlay.apply(&[(ChangeId("x".into()), &[edit])]).unwrap();
        format_edited(&mut overlay, &|_| "2021".into());
        (overlay, dir)
    }

    #[test]
    fn formatted_files_stay_formatted_and_others_are_left_alone() {
        let text = "fn a() {\n    let x = 1;\n    f(x);\n}\n";
        let (mut overlay, _dir) = edited(text, "f(x)", "if x>0 {f(x)}");
        let new = overlay.read("a.rs".into()).unwrap();
        assert_eq!(&*new, "fn a() {\n    let x = 1;\n    if x > 0 {\n        f(x)\n    };\n}\n");
        // The place still knows its change.
        let at = new.find("f(x)").unwrap() as u32;
        assert_eq!(overlay.makers("a.rs".into(), Span::new(at, at + 4)).len(), 1);

        let own_style = "fn a( ) {\n    let x  = 1;\n    f(x);\n}\n";
        let (mut overlay, _dir) = edited(own_style, "f(x)", "g( x )");
        assert_eq!(&*overlay.read("a.rs".into()).unwrap(), own_style.replace("f(x)", "g( x )"));
    }
}
