//! A changed file before and after, of which Ansible makes a diff.

use render::FileChange;
use render::diff::{Sign, redacted_hunks};
use schemars::JsonSchema;
use serde::Serialize;

use crate::output::{escape, escape_bytes};

/// More lines than a file has: one hunk is the whole file.
const EVERYTHING: usize = 1 << 30;

/// A file before and after, secrets hidden.
#[derive(Serialize, JsonSchema)]
pub(super) struct FileDifference {
    before: String,
    after: String,
    before_header: String,
    after_header: String,
}

/// Returns a file before and after.
pub(super) fn difference(folder: &str, file: &FileChange) -> FileDifference {
    let header = escape(&format!("{folder}/{}", file.path));
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for line in redacted_hunks(file, EVERYTHING).into_iter().flat_map(|hunk| hunk.lines) {
        let sides: &mut [&mut Vec<u8>] = match line.sign {
            Sign::Same => &mut [&mut before, &mut after],
            Sign::Removed => &mut [&mut before],
            Sign::Added => &mut [&mut after],
        };
        for side in sides {
            side.extend(&line.text);
            side.extend(line.ended.then_some(b'\n'));
        }
    }
    FileDifference {
        before: escape_bytes(&before),
        after: escape_bytes(&after),
        before_header: header.clone(),
        after_header: header,
    }
}
