//! A plan's files as unified diffs: exact for machines, redacted for people.

mod hunk;
mod unplanned;

use std::ops::Range;

use crate::diff::hunk::Sides;
use crate::plan::FileChange;
use crate::redact::Shown;

pub use hunk::{Hunk, Line, Sign};
pub use unplanned::redacted_between;

/// Lines around a change, as `diff -u` and git give them.
pub const CONTEXT: usize = 3;

/// A patch would show what must not be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a patch of {path} would show line {line}, which may be secret")]
pub struct WouldShow {
    /// The file.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
}

/// Returns the hunks of a change with `context` lines around each, as they really are.
pub fn hunks(change: &FileChange, context: usize) -> Vec<Hunk> {
    Sides::of(change, context).hunks(context, |_, _, text| text.to_vec())
}

/// Returns the hunks between two texts, as they are.
pub fn between(before: &[u8], after: &[u8], context: usize) -> Vec<Hunk> {
    Sides::new(before, after).hunks(context, |_, _, text| text.to_vec())
}

/// Returns the hunks with everything hidden that is not the tool's own business.
///
/// Values of a type that holds no secret and managed settings are shown, keys and punctuation too; every other value and every
/// comment is `<hidden>`.
pub fn redacted_hunks(change: &FileChange, context: usize) -> Vec<Hunk> {
    let sides = Sides::of(change, context);
    let (old, new) = sides.lines(context);
    let before = Shown::within(change.kind, &change.before, replaced(change), &change.hidden.0, old);
    let after = Shown::within(change.kind, &change.after, inserted(change), &change.hidden.1, new);
    sides.hunks(context, |sign, index, _| match sign {
        Sign::Added => after.line(index),
        Sign::Same | Sign::Removed => before.line(index),
    })
}

/// Returns a patch that `git apply` and `patch -p1` take.
///
/// Context lines must be exact there and cannot be redacted. So a hunk has as many of them, up to three
/// on both sides, as hold nothing that may be secret.
///
/// # Errors
/// [`WouldShow`] where not even one line can stand around a change.
pub fn patch(change: &FileChange, show_secrets: bool) -> Result<Vec<u8>, WouldShow> {
    patch_at(change, &change.path, show_secrets)
}

/// Writes a patch as [`patch`] does, of a file that has this path where it is applied.
///
/// # Errors
/// Those of [`patch`].
pub fn patch_at(change: &FileChange, path: &str, show_secrets: bool) -> Result<Vec<u8>, WouldShow> {
    let sides = Sides::of(change, CONTEXT);
    let (old, new) = sides.lines(CONTEXT);
    let shown = Shown::within(change.kind, &change.before, replaced(change), &change.hidden.0, old);
    let mut context = CONTEXT;
    // What a document declares is no secret; what comes back may be one.
    let restored = (change.restores && !show_secrets)
        .then(|| Shown::within(change.kind, &change.after, inserted(change), &change.hidden.1, new));
    if let Some(restored) = restored {
        for hunk in sides.hunks(0, |_, _, text| text.to_vec()) {
            let added = hunk.lines.iter().filter(|line| line.sign == Sign::Added).count();
            if let Some(line) =
                (hunk.new.0..hunk.new.0 + added).find(|number| restored.may_be_secret(number - 1))
            {
                return Err(WouldShow { path: change.path.clone(), line });
            }
        }
    }
    if !show_secrets {
        let secret = |hunks: &[Hunk]| {
            hunks.iter().find_map(|hunk| {
                let mut number = hunk.old.0;
                for line in &hunk.lines {
                    // A changed line too: what stands beside the change on it must not be secret.
                    if line.sign != Sign::Added && shown.may_be_secret(number - 1) {
                        return Some(number);
                    }
                    number += usize::from(line.sign != Sign::Added);
                }
                None
            })
        };
        while let Some(line) = secret(&sides.hunks(context, |_, _, text| text.to_vec())) {
            // Without a line behind the change, git would look for it at the end of the file.
            if context == 1 {
                return Err(WouldShow { path: change.path.clone(), line });
            }
            context -= 1;
        }
    }
    let hunks = sides.hunks(context, |_, _, text| text.to_vec());
    Ok(unified(path, &hunks))
}

/// Writes hunks as a unified diff with `a/` and `b/` paths.
pub fn unified(path: &str, hunks: &[Hunk]) -> Vec<u8> {
    let mut out = Vec::new();
    if hunks.is_empty() {
        return out;
    }
    out.extend(format!("--- {0}\n+++ {1}\n", quoted("a/", path), quoted("b/", path)).bytes());
    for hunk in hunks {
        out.extend(format!("{}\n", hunk.header()).bytes());
        for line in &hunk.lines {
            out.push(match line.sign {
                Sign::Same => b' ',
                Sign::Removed => b'-',
                Sign::Added => b'+',
            });
            out.extend(&line.text);
            out.push(b'\n');
            if !line.ended {
                out.extend(b"\\ No newline at end of file\n");
            }
        }
    }
    out
}

/// Writes a path as git does: in quotes and escaped where a plain one would be misread.
fn quoted(prefix: &str, path: &str) -> String {
    let strange = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\' || byte >= 0x7f;
    if !path.bytes().any(strange) {
        // patch(1) ends the name at a tab, which is there when a blank is in the name.
        return if path.contains(' ') { format!("{prefix}{path}\t") } else { format!("{prefix}{path}") };
    }
    let mut out = format!("\"{prefix}");
    for byte in path.bytes() {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            _ if strange(byte) => out.push_str(&format!("\\{byte:03o}")),
            _ => out.push(char::from(byte)),
        }
    }
    out.push('"');
    out
}

fn replaced(change: &FileChange) -> Vec<Range<usize>> {
    change.edit.replacements().iter().map(|r| r.range.clone()).collect()
}

/// Returns the ranges of the new text that the edit wrote.
fn inserted(change: &FileChange) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let (mut old, mut new) = (0, 0);
    for replacement in change.edit.replacements() {
        new += replacement.range.start - old;
        ranges.push(new..new + replacement.text.len());
        new += replacement.text.len();
        old = replacement.range.end;
    }
    ranges
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::yaml::Tree;

    use super::*;
    use crate::file_kind::FileKind;
    use crate::redact::{self, For};
    use crate::text_edit::{Replacement, TextEdit};

    fn change(kind: FileKind, before: &str, old: &str, new: &str) -> FileChange {
        let start = before.find(old).unwrap();
        let replacement = Replacement { range: start..start + old.len(), text: new.into() };
        let edit = TextEdit::new(before.as_bytes(), vec![replacement]).unwrap();
        let after = edit.apply(before.as_bytes());
        let hide = |bytes: &[u8]| match kind {
            FileKind::Compose => {
                redact::compose(&Arc::new(Tree::parse(bytes).unwrap()), &Arc::default(), For::People)
            }
            FileKind::Conf => redact::conf(&Arc::default()),
        };
        let hidden = (hide(before.as_bytes()), hide(&after));
        FileChange {
            path: "f".into(),
            kind,
            before: before.into(),
            after: after.into(),
            edit,
            hidden,
            restores: false,
        }
    }

    fn shown(change: &FileChange) -> String {
        String::from_utf8(unified("f", &redacted_hunks(change, 3))).unwrap()
    }

    #[test]
    fn a_compose_diff_shows_images_and_keys_and_nothing_else() {
        let before = "db: # hunter2\n  a: [hunter2, &x hunter2]\n  image: 'old:1' # hunter2\n  env:\n    PW: |\n      hunter2\n    B: *x\n";
        assert_eq!(
            shown(&change(FileKind::Compose, before, "old:1", "new:2")),
            "--- a/f\n+++ b/f\n@@ -1,6 +1,6 @@\n db: # <hidden>\n   a: [<hidden>, &x <hidden>]\n\
             -  image: 'old:1' # <hidden>\n+  image: 'new:2' # <hidden>\n   env:\n     PW: |\n       <hidden>\n"
        );
    }

    #[test]
    fn a_conf_diff_shows_typed_values_and_lines_of_the_sample() {
        let before = "work_mem = 8MB # hunter2\nprimary_conninfo = 'hunter2'\n#archive_command = 'hunter2'\n\
            #shared_preload_libraries = ''\t# (change requires restart)\n# hunter2\n#------\n#local_preload_libraries = ''\n";
        let text = shown(&change(
            FileKind::Conf,
            before,
            "#shared_preload_libraries = ''",
            "shared_preload_libraries = 'x'",
        ));
        assert_eq!(
            text,
            "--- a/f\n+++ b/f\n@@ -1,7 +1,7 @@\n work_mem = 8MB # <hidden>\n primary_conninfo = <hidden>\n\
             \x20#archive_command = <hidden>\n-#shared_preload_libraries = ''\t# (change requires restart)\n\
             +shared_preload_libraries = 'x'\t# (change requires restart)\n # <hidden>\n #------\n #local_preload_libraries = ''\n"
        );
    }

    #[test]
    fn a_patch_keeps_away_from_what_may_be_secret() {
        let near = "services:\n  db:\n    restart: always\n    image: old\n    init: true\n    command: hunter2\nz: 1\n";
        let near = change(FileKind::Compose, near, "old", "new");
        let bytes = String::from_utf8(patch(&near, false).unwrap()).unwrap();
        assert_eq!(
            bytes,
            "--- a/f\n+++ b/f\n@@ -3,3 +3,3 @@\n     restart: always\n-    image: old\n+    image: new\n     init: true\n"
        );
        assert!(String::from_utf8(patch(&near, true).unwrap()).unwrap().contains("hunter2"));
        let beside = change(FileKind::Compose, "image: old\nPW: hunter2\n", "old", "new");
        assert_eq!(patch(&beside, false), Err(WouldShow { path: "f".into(), line: 2 }));
    }

    #[test]
    fn a_lone_carriage_return_ends_no_line() {
        let odd = change(FileKind::Conf, "a = 1\rb\nwork_mem = 1MB", "1MB", "2MB");
        assert_eq!(hunks(&odd, 3)[0].header(), "@@ -1,2 +1,2 @@");
        let text = String::from_utf8(unified("f", &hunks(&odd, 0))).unwrap();
        assert!(text.ends_with(
            "-work_mem = 1MB\n\\ No newline at end of file\n+work_mem = 2MB\n\\ No newline at end of file\n"
        ));
    }

    #[test]
    fn strange_paths_are_quoted_as_git_does() {
        assert_eq!(quoted("a/", "x y"), "a/x y\t");
        assert_eq!(quoted("a/", "x\"\u{e9}"), "\"a/x\\\"\\303\\251\"");
    }
}
