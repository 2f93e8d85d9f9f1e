//! Paths as text: what they mean, without asking the file system.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

/// Puts `--root` before an absolute path.
pub(crate) fn prefixed(prefix: Option<&Path>, path: &Path) -> PathBuf {
    match (prefix, path.strip_prefix("/")) {
        (Some(prefix), Ok(rest)) => prefix.join(rest),
        _ => path.to_path_buf(),
    }
}

/// Resolves `.` and `..` by name.
pub(crate) fn normalize(path: &Path) -> PathBuf {
    if is_normal(path) {
        return path.to_path_buf();
    }
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if out.file_name().is_some_and(|name| name != "..") => {
                out.pop();
            }
            Component::ParentDir if out.has_root() => {}
            other => out.push(other),
        }
    }
    out
}

/// Returns whether nothing of a path is to be resolved. Most paths are so, and to take one apart costs more than to look at it.
fn is_normal(path: &Path) -> bool {
    let path = path.as_os_str().as_bytes();
    let below = path.strip_prefix(b"/").unwrap_or(path);
    below.split(|byte| *byte == b'/').all(|part| !matches!(part, b"" | b"." | b".."))
}

/// Returns the way from one folder to a path, both absolute and without `.` and `..`.
pub(crate) fn relative(base: &Path, path: &Path) -> PathBuf {
    let shared = base.components().zip(path.components()).take_while(|(a, b)| a == b).count();
    let up = base.components().skip(shared).map(|_| Path::new(".."));
    let way: PathBuf =
        up.chain(path.components().skip(shared).map(|part| Path::new(part.as_os_str()))).collect();
    if way.as_os_str().is_empty() { PathBuf::from(".") } else { way }
}

/// Writes a path so that a shell reads it as one word, for commands that help texts offer.
pub fn quoted(path: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-+@:,".contains(&b);
    // One that begins with a dash would be an option.
    let path = if path.starts_with('-') { format!("./{path}") } else { path.to_string() };
    if !path.is_empty() && path.bytes().all(is_plain) {
        path
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_resolved_by_name() {
        for (path, normal) in [
            ("", ""),
            ("/", "/"),
            ("a", "a"),
            ("/a/.b/..c/d..", "/a/.b/..c/d.."),
            ("/a/", "/a"),
            ("/a//b", "/a/b"),
            ("//a", "/a"),
            ("./a", "a"),
            ("/a/./b/.", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/b/..", "/a"),
            ("/../a", "/a"),
            ("../a", "../a"),
            ("a/../../b", "../b"),
        ] {
            assert_eq!(normalize(Path::new(path)).as_os_str(), normal, "{path}");
        }
    }
}
