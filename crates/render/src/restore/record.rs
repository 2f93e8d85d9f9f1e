//! What kasm-db wrote to the files of a target, and how a further commit changes that.

use std::collections::BTreeMap;

use super::lines::Lines;
use super::piece::Piece;
use super::pieces::between;
use crate::file_kind::FileKind;

/// What kasm-db wrote to the files of a target, and what stood there before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Whether what is no longer declared stays, as the document said at the last apply.
    pub keep: bool,
    /// The pieces of each file, by its path relative to the target's root; no file without a piece.
    pub files: BTreeMap<String, Vec<Piece>>,
}

/// A file that a commit changed.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    /// The path, relative to the target's root.
    pub path: &'a str,
    /// The kind of file.
    pub kind: FileKind,
    /// The bytes before.
    pub before: &'a [u8],
    /// The bytes after.
    pub after: &'a [u8],
    /// What changed in a compose file: `services.db.image`.
    pub image: Option<&'a str>,
    /// The values that were restored: kasm-db has set them no longer.
    pub restored: &'a [String],
}

impl Record {
    /// Records what a commit wrote to a file.
    ///
    /// What stood there before kasm-db is what is left without its pieces. So a value that changes twice has the first
    /// value before it, one that changes back has no piece any more, and what somebody else changed stood there before.
    pub fn write(&mut self, written: &Written<'_>, generation: u64) {
        let known = self.files.remove(written.path).unwrap_or_default();
        let pieces: Vec<&Piece> = known.iter().collect();
        let original = Lines::new(written.before).without(&pieces);
        let subject = written.image.or_else(|| known.first().map(|piece| piece.subject.as_str()));
        let mut pieces =
            between(written.kind, &original, written.after, subject.unwrap_or("image"), generation);
        pieces.retain(|piece| !written.restored.contains(&piece.subject));
        for piece in &mut pieces {
            let same = |known: &&Piece| {
                (&known.subject, &known.before, &known.after) == (&piece.subject, &piece.before, &piece.after)
            };
            if let Some(known) = known.iter().find(same) {
                piece.generation = known.generation;
            }
        }
        if !pieces.is_empty() {
            self.files.insert(written.path.to_owned(), pieces);
        }
    }
}
