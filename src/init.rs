//! `init`: a configuration to start from.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::ExitCode;

use crate::args::InitArgs;
use crate::error::Error;
use crate::output;

const TEMPLATE: &str = "\
# Configuration of cargo-uncork. Every key is optional; what is commented out is the default.

# severity = \"low\"        # least severity shown: low, medium, high, critical
# confidence = \"medium\"   # least confidence shown: low, medium, high
# tests = false           # also report findings in test code
# exclude = []            # paths to leave out, as in .gitignore

# [levels]                # a rule, a group or `all` = \"allow\", \"warn\" or \"deny\"
# lock-across-io = \"deny\"

# [[overrides]]           # what holds for some paths: levels, severity, confidence, tests
# paths = [\"crates/legacy/\"]
# severity = \"high\"

# [rules.duplicate-manager]
# min-members = 3

# [rules.lock-unwrap]
# poison = \"recover\"      # what the fix writes: recover, propagate, parking-lot

# [rules.shared-map-lock]
# map = \"dashmap\"         # what the fix writes: dashmap, papaya

# [rules.unbounded-cache]
# cache = \"quick-cache\"   # what the fix writes: quick-cache, moka, lru
# capacity = 10_000       # entries
";

/// Writes the file; one that is there is left alone.
pub(crate) fn run(args: &InitArgs) -> Result<ExitCode, Error> {
    let path = match args.folder.as_str() {
        "." => "uncork.toml".into(),
        _ => args.folder.join("uncork.toml"),
    };
    let mut file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(|e| {
        if e.kind() == std::io::ErrorKind::AlreadyExists {
            Error::Usage(format!("{path} is there already; it was left as it is"))
        } else {
            Error::file(&path, &e)
        }
    })?;
    file.write_all(TEMPLATE.as_bytes()).map_err(|e| Error::file(&path, &e))?;
    output::write(None, |out| writeln!(out, "wrote {path}"))?;
    Ok(ExitCode::SUCCESS)
}
