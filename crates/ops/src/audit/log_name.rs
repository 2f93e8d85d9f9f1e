//! The names of log files.

use std::path::Path;

/// What names the format of a log.
const FORMATS: [&[u8]; 3] = [b".csv", b".json", b".log"];

/// Returns the number of the format that the name of a file tells, if it tells one.
pub(super) fn kind(path: &Path) -> Option<usize> {
    kind_of(path.file_name().unwrap_or_default().as_encoded_bytes())
}

fn kind_of(name: &[u8]) -> Option<usize> {
    FORMATS.iter().position(|part| position(name, part).is_some())
}

/// Returns whether a file's name is that of a log.
pub(super) fn is_named_as_log(name: &[u8]) -> bool {
    kind_of(name).is_some()
}

/// Returns the name of a log without what tells its format and its compression.
pub(super) fn stem(name: &[u8]) -> Vec<u8> {
    let mut name = name.to_vec();
    for suffix in [".gz", ".zst", ".xz", ".bz2", ".lz4", ".Z"] {
        if let Some(rest) = name.strip_suffix(suffix.as_bytes()) {
            name.truncate(rest.len());
        }
    }
    for part in FORMATS {
        if let Some(at) = position(&name, part) {
            name.drain(at..at + part.len());
            break;
        }
    }
    name
}

/// Returns where a part of a name begins.
fn position(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
