//! Turns uncork's findings into verified edits.
