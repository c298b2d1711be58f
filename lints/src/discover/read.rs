//! Bytes to text, with every way that can go wrong named.

use std::io;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use crate::lower::Unreadable;
use crate::source::{SourceFile, Span};

/// Why a file could not be read. The text is one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ReadError(pub String);

/// An I/O error in a few words, without the operating system's number.
pub fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => {
            let text = error.to_string();
            match text.find(" (os error") {
                Some(at) => text[..at].to_lowercase(),
                None => text.lines().next().unwrap_or("").to_lowercase(),
            }
        }
    }
}

/// Reads one file, from `edited` if it is there. What cannot be read is an empty source and the reason.
pub fn read_source(
    full: &Utf8Path,
    shown: Utf8PathBuf,
    edited: &super::Edited,
) -> (SourceFile, Option<Unreadable>) {
    if let Some(text) = edited.get(full) {
        return (SourceFile::new(shown, text.clone(), false), None);
    }
    let empty = |path: Utf8PathBuf, message: String, span: Span| {
        (SourceFile::new(path, Arc::from(""), false), Some(Unreadable { message, span }))
    };
    let read = || {
        let about = std::fs::metadata(full).map_err(|e| describe(&e))?;
        if !about.is_file() {
            return Err("not a regular file".to_owned());
        }
        if about.len() > u64::from(u32::MAX) {
            return Err("the file is 4 GiB or larger".to_owned());
        }
        std::fs::read(full).map_err(|e| describe(&e))
    };
    let bytes = match read() {
        Ok(bytes) => bytes,
        Err(message) => return empty(shown, message, Span::default()),
    };
    text_source(bytes, shown)
}

/// Checks bytes and makes a source of them.
pub(crate) fn text_source(bytes: Vec<u8>, shown: Utf8PathBuf) -> (SourceFile, Option<Unreadable>) {
    match String::from_utf8(bytes) {
        Ok(mut text) => {
            let bom = text.starts_with('\u{feff}');
            if bom {
                text.drain(..'\u{feff}'.len_utf8());
            }
            (SourceFile::new(shown, Arc::from(text), bom), None)
        }
        Err(e) => {
            let at = e.utf8_error().valid_up_to() as u32;
            let lossy = String::from_utf8_lossy(e.as_bytes()).into_owned();
            let source = SourceFile::new(shown, Arc::from(lossy), false);
            let message = format!("not UTF-8: the byte at offset {at} is no character");
            (source, Some(Unreadable { message, span: Span::new(at, at) }))
        }
    }
}
