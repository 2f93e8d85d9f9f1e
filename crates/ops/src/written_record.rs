//! The record of what kasm-db wrote to a target, as it is kept below the target's folder.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use commit::{Change, Root};
use model::{Code, Diagnostic};
use render::{FileKind, Piece, Record, Written};
use serde::{Deserialize, Serialize};

/// Names the format; one that cannot be read by this version has another name.
const FORMAT: &str = "kasm-db/managed/v1";

#[derive(Serialize, Deserialize)]
struct KeptRecord {
    format: String,
    /// Whether what is no longer declared stays.
    keep: bool,
    files: BTreeMap<String, Vec<KeptPiece>>,
}

#[derive(Serialize, Deserialize)]
struct KeptPiece {
    subject: String,
    generation: u64,
    nth: usize,
    of: usize,
    before: Vec<KeptLine>,
    after: Vec<KeptLine>,
}

/// A line; of one that is not UTF-8 the bytes.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum KeptLine {
    Text(String),
    Bytes(Vec<u8>),
}

/// What a run knows of the values that it sets, for the record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sets {
    /// Whether what is no longer declared stays; `None` leaves what the record says.
    pub(crate) keep: Option<bool>,
    /// Each file by its path: its kind, and what changes in a compose file, `services.db.image`. Of a file that is not
    /// here, the record and the name tell.
    pub(crate) files: BTreeMap<String, (FileKind, Option<String>)>,
    /// The values that are restored.
    pub(crate) restored: Vec<String>,
}

/// Reads the record of a target. Without one nothing is to be restored.
///
/// # Errors
/// It cannot be read: nobody knows then what is to be restored. What an ordinary user may not read is a warning.
pub(crate) fn read(root: &Root) -> Result<Record, Box<Diagnostic>> {
    let bytes = match root.managed() {
        Ok(bytes) => bytes,
        Err(error) if error.is_permission_denied() => {
            let message =
                format!("{error}: values that are no longer declared cannot be restored or reported");
            let finding = Diagnostic::warning(Code::RecordUnseen, message);
            return Err(Box::new(finding.help("run kasm-db as root or with sudo to see them")));
        }
        Err(error) => {
            let finding = unreadable(root, &error.to_string());
            // The file itself may be as it should be.
            let help = error.help().filter(|_| matches!(error, commit::Error::Io { .. }));
            return Err(match help {
                Some(help) => Box::new(finding.help(help)),
                None => finding,
            });
        }
    };
    decode(bytes.as_deref(), root)
}

/// Reads a record as it is kept.
///
/// # Errors
/// It is damaged, or a later version wrote it.
pub(crate) fn decode(bytes: Option<&[u8]>, root: &Root) -> Result<Record, Box<Diagnostic>> {
    let Some(bytes) = bytes else { return Ok(Record::default()) };
    let kept: KeptRecord = serde_json::from_slice(bytes).map_err(|_| unreadable(root, "it is damaged"))?;
    if kept.format != FORMAT {
        return Err(unreadable(root, "a later version of kasm-db wrote it"));
    }
    let piece = |piece: KeptPiece| Piece {
        subject: piece.subject,
        generation: piece.generation,
        nth: piece.nth,
        of: piece.of,
        before: piece.before.into_iter().map(KeptLine::bytes).collect(),
        after: piece.after.into_iter().map(KeptLine::bytes).collect(),
    };
    let files = kept.files.into_iter().map(|(path, pieces)| (path, pieces.into_iter().map(piece).collect()));
    Ok(Record { keep: kept.keep, files: files.collect() })
}

fn unreadable(root: &Root, why: &str) -> Box<Diagnostic> {
    let path = root.path().join(".kasm-db/managed");
    let message = format!("cannot read the record of what kasm-db set, {}: {why}", path.display());
    let help = "move this file away to continue without it: what was set before is then never restored";
    Box::new(Diagnostic::error(Code::RecordUnseen, message).help(help))
}

/// Returns the record after a commit; `None` if it stays as it is.
pub(crate) fn after(record: &Record, changes: &[Change], sets: &Sets, generation: u64) -> Option<Record> {
    let mut next = record.clone();
    next.keep = sets.keep.unwrap_or(record.keep);
    for change in changes {
        let Some(path) = change.path.to_str() else { continue };
        let (kind, image) =
            match (sets.files.get(path), record.files.get(path).and_then(|pieces| pieces.first())) {
                (Some((kind, image)), _) => (*kind, image.as_deref()),
                (None, Some(piece)) if piece.subject.ends_with(".image") => (FileKind::Compose, None),
                (None, Some(_)) => (FileKind::Conf, None),
                (None, None) => (FileKind::of(&change.path), None),
            };
        let written = Written {
            path,
            kind,
            before: &change.before,
            after: &change.after,
            image,
            restored: &sets.restored,
        };
        next.write(&written, generation);
    }
    (next != *record).then_some(next)
}

/// Writes the record as it is kept.
pub(crate) fn encode(record: &Record) -> Vec<u8> {
    let piece = |piece: &Piece| KeptPiece {
        subject: piece.subject.clone(),
        generation: piece.generation,
        nth: piece.nth,
        of: piece.of,
        before: piece.before.iter().map(|line| KeptLine::of(line)).collect(),
        after: piece.after.iter().map(|line| KeptLine::of(line)).collect(),
    };
    let files = record.files.iter().map(|(path, pieces)| (path.clone(), pieces.iter().map(piece).collect()));
    let kept = KeptRecord { format: FORMAT.into(), keep: record.keep, files: files.collect() };
    serde_json::to_vec(&kept).unwrap_or_default()
}

/// Returns whether everybody can read each file that the record has lines of, so that everybody may read the record.
pub(crate) fn is_public(record: &Record, root: &Root) -> bool {
    record.files.keys().all(|path| {
        // Not opened: an apply opens each file often enough.
        let found = std::fs::metadata(root.path().join(path));
        found.is_ok_and(|found| found.permissions().mode() & 0o004 != 0)
    })
}

impl KeptLine {
    fn of(line: &[u8]) -> Self {
        match std::str::from_utf8(line) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Bytes(line.to_vec()),
        }
    }

    fn bytes(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_as_it_was_also_with_lines_that_are_not_utf_8() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        assert_eq!(read(&root).unwrap(), Record::default());
        let change = |path: &str, before: &[u8], after: &[u8]| Change {
            path: path.into(),
            before: before.to_vec(),
            after: after.to_vec(),
        };
        let changes = [
            change("a.conf", b"work_mem = 4MB # \xe9\n", b"work_mem = 8MB # \xe9\n"),
            change("c.yaml", b"image: a\n", b"image: b\n"),
        ];
        let image = (FileKind::Compose, Some("services.db.image".to_owned()));
        let sets = Sets {
            keep: Some(true),
            files: BTreeMap::from([("c.yaml".to_owned(), image)]),
            ..Sets::default()
        };
        let bytes = encode(&after(&Record::default(), &changes, &sets, 7).unwrap());
        std::fs::write(folder.path().join("a.conf"), &changes[0].before).unwrap();
        std::fs::write(folder.path().join("c.yaml"), &changes[1].before).unwrap();
        let options = commit::Options { managed: Some(bytes), ..commit::Options::default() };
        root.lock(std::time::Duration::ZERO).unwrap().commit_with(&changes, &options).unwrap();
        let record = read(&root).unwrap();
        assert!(record.keep);
        assert_eq!(record.files["a.conf"][0].before, [b"work_mem = 4MB # \xe9".to_vec()]);
        assert_eq!(
            (&*record.files["c.yaml"][0].subject, record.files["c.yaml"][0].generation),
            ("services.db.image", 7)
        );
        // The way back leaves no piece.
        let back = changes.map(|change| Change { before: change.after, after: change.before, ..change });
        let bytes = encode(&after(&record, &back, &Sets::default(), 8).unwrap());
        assert!(String::from_utf8(bytes).unwrap().contains("\"files\":{}"));
    }

    #[test]
    fn a_damaged_record_is_an_error_and_not_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("f"), "a").unwrap();
        let root = Root::open(folder.path()).unwrap();
        let change = Change { path: "f".into(), before: b"a".to_vec(), after: b"b".to_vec() };
        let options = commit::Options { managed: Some(b"{".to_vec()), ..commit::Options::default() };
        root.lock(std::time::Duration::ZERO).unwrap().commit_with(&[change], &options).unwrap();
        let finding = read(&root).unwrap_err();
        assert!(finding.is_error() && finding.message.ends_with("it is damaged"), "{}", finding.message);
        root.lock(std::time::Duration::ZERO)
            .unwrap()
            .set_managed(b"{\"format\":\"kasm-db/managed/v9\",\"keep\":false,\"files\":{}}")
            .unwrap();
        assert!(read(&root).unwrap_err().message.ends_with("a later version of kasm-db wrote it"));
    }
}
