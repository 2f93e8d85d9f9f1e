//! What kasm-db set and a document no longer declares: restored to what stood there before, or reported.

use std::collections::BTreeSet;

use model::document::{Mode, OnRemoval};
use model::{Code, DesiredState, Diagnostic, Location};
use pgconf::{Conf, Editor, library_name};

use super::preload::usable;
use super::settings::{PRELOAD, needs_of, sets};
use crate::file_kind::FileKind;
use crate::observe::ObservedState;
use crate::plan::{Action, Needs, ValueChange};
use crate::redact;
use crate::restore::{Lines, Piece, Record, value};
use crate::source::Bytes;
use crate::target::TargetKind;

/// The files without what is no longer declared, and what there is to say of it.
#[derive(Debug, Default)]
pub(super) struct Restored {
    /// Each file that changes: its path, its kind and its new bytes.
    pub(super) files: Vec<(String, FileKind, Bytes)>,
    /// The settings that change; what changes in an image, the compose files tell.
    pub(super) changes: Vec<ValueChange>,
    pub(super) findings: Vec<Diagnostic>,
}

/// Restores what a document no longer declares.
pub(super) fn restore(desired: &DesiredState, observed: &ObservedState, record: &Record) -> Restored {
    let mut restored = Restored::default();
    let keep = desired.on_removal().map_or(record.keep, |on_removal| on_removal == OnRemoval::Keep);
    for (path, pieces) in &record.files {
        let Some(bytes) = observed.snapshot().bytes(path) else { continue };
        let kind = if observed.compose_file(path).is_some() { FileKind::Compose } else { FileKind::Conf };
        let file = File { desired, observed, path, kind, bytes, keep };
        file.restore(pieces, &mut restored);
    }
    restored
}

/// A file with pieces of kasm-db.
struct File<'a> {
    desired: &'a DesiredState,
    observed: &'a ObservedState,
    path: &'a str,
    kind: FileKind,
    bytes: &'a [u8],
    keep: bool,
}

impl File<'_> {
    fn restore(&self, pieces: &[Piece], restored: &mut Restored) {
        let lines = Lines::new(self.bytes);
        let subjects: BTreeSet<&str> = pieces.iter().map(|piece| piece.subject.as_str()).collect();
        let (mut back, mut by_value) = (Vec::new(), Vec::new());
        for subject in subjects.iter().filter(|subject| !subject.is_empty()) {
            let own: Vec<&Piece> = pieces.iter().filter(|piece| piece.subject == *subject).collect();
            if !self.is_undeclared(&own) {
                continue;
            }
            let is_whole = own.iter().all(|piece| lines.find(piece).is_some());
            if self.keep {
                if is_whole || self.has_value(&own).is_some() {
                    restored.findings.push(self.stays(&own, "`on_removal` is `keep`"));
                }
            } else if is_whole {
                back.extend(own);
            } else if self.has_value(&own).is_some() {
                by_value.push(own);
            } else if self.is_set(subject) {
                restored.findings.push(self.stays(&own, "it was changed since"));
            }
        }
        if back.is_empty() && by_value.is_empty() {
            return;
        }
        let is_restored = |piece: &&Piece| piece.subject.is_empty() || back.contains(piece);
        if pieces.iter().all(|piece| is_restored(&piece)) {
            back.extend(pieces.iter().filter(|piece| piece.subject.is_empty()));
        }
        if self.kind == FileKind::Conf {
            let all = back.iter().copied().filter(|piece| !piece.subject.is_empty());
            restored.changes.extend(all.chain(by_value.iter().flatten().copied()).map(|piece| {
                let line = lines.find(piece).map(|at| at + 1).or_else(|| self.has_value(&[piece]));
                self.change(piece, line.unwrap_or_default())
            }));
        }
        let mut bytes = lines.without(&back);
        for own in by_value {
            bytes = self.written_back(bytes, &own);
        }
        restored.files.push((self.path.to_owned(), self.kind, bytes.into()));
    }

    /// Returns whether a document does not declare what pieces are about, or no longer all of it.
    fn is_undeclared(&self, pieces: &[&Piece]) -> bool {
        let Some(piece) = pieces.first() else { return false };
        if self.kind == FileKind::Compose {
            return self.desired.image().is_none();
        }
        let subject = piece.subject.as_str();
        let major = self.desired.postgres_major();
        if subject == PRELOAD
            && let Some(wanted) = self.desired.preload()
        {
            let libraries = |lines: &[Vec<u8>]| {
                let list = value(lines).and_then(|value| usable(&value)).unwrap_or_default();
                list.iter().map(|library| library_name(library).into_owned()).collect::<BTreeSet<_>>()
            };
            let before = libraries(&piece.before);
            let is_wanted =
                |name: &_| wanted.libraries.iter().any(|one| library_name(one.as_bytes()) == *name);
            let mut added = libraries(&piece.after).into_iter().filter(|name| !before.contains(name));
            return wanted.mode == Mode::Ensure && added.any(|name| !is_wanted(&name));
        }
        let is_setting = self.desired.settings().iter().any(|setting| sets(subject, &setting.name, major));
        !is_setting && !self.desired.unset().iter().any(|name| sets(subject, name, major))
    }

    /// Returns the line, from 1, that sets the value that was written, if the one that wins does.
    fn has_value(&self, pieces: &[&Piece]) -> Option<usize> {
        let piece = pieces.last().filter(|_| self.kind == FileKind::Conf)?;
        let written = value(&piece.after)?;
        let conf = Conf::parse(self.bytes);
        let entry = conf.effective(&piece.subject)?;
        (conf.value(entry) == written).then_some(entry.line)
    }

    /// Returns whether something sets what pieces were about.
    fn is_set(&self, subject: &str) -> bool {
        self.kind == FileKind::Compose || Conf::parse(self.bytes).effective(subject).is_some()
    }

    /// Restores a value on a line that somebody has written otherwise since.
    fn written_back(&self, bytes: Vec<u8>, pieces: &[&Piece]) -> Vec<u8> {
        let Some(piece) = pieces.last() else { return bytes };
        let conf = Conf::parse(bytes.clone());
        let Some(entry) = conf.effective(&piece.subject) else { return bytes };
        let mut editor = Editor::new(&conf);
        match value(&piece.before) {
            Some(before) if editor.replace_value(entry, &before).is_ok() => {}
            _ => editor.comment_out(entry),
        }
        pgconf::apply(&bytes, &editor.finish())
    }

    fn change(&self, piece: &Piece, line: usize) -> ValueChange {
        let name = piece.subject.as_str();
        let text = |value: Vec<u8>| {
            let may_be_secret = redact::may_be_secret_before(name, &value);
            redact::split(String::from_utf8_lossy(&value).into_owned(), may_be_secret)
        };
        let (before, secret) =
            value(&piece.after).map(text).map_or((None, None), |(shown, secret)| (Some(shown), secret));
        let after = value(&piece.before).map(|value| text(value).0);
        ValueChange {
            path: self.path.to_owned(),
            line,
            subject: name.to_owned(),
            action: match (&before, &after) {
                (_, None) => Action::Remove,
                (None, Some(_)) => Action::Add,
                (Some(_), Some(_)) => Action::Change,
            },
            before,
            secret,
            after,
            needs: match self.observed.target.kind {
                TargetKind::Installer => Needs::Nothing,
                _ if name == PRELOAD => Needs::Restart,
                _ => needs_of(name, self.desired.postgres_major()),
            },
            why: Some(why(piece)),
        }
    }

    fn stays(&self, pieces: &[&Piece], because: &str) -> Diagnostic {
        let (subject, generation) =
            pieces.first().map_or(("", 0), |piece| (piece.subject.as_str(), piece.generation));
        let message = format!(
            "`{subject}` is no longer declared and stays: generation {generation} set it, and {because}"
        );
        let mut finding = Diagnostic::warning(Code::NoLongerDeclared, message)
            .help("change the file by hand, or declare the value again");
        let lines = Lines::new(self.bytes);
        let at = pieces.iter().find_map(|piece| lines.find(piece)).map(|at| at + 1);
        if let Some(line) = at.or_else(|| Some(Conf::parse(self.bytes).effective(subject)?.line)) {
            let start = crate::lines::lines(self.bytes).take(line - 1).map(<[u8]>::len).sum();
            finding = finding.at(Location::new(self.path, self.bytes, start..start));
        }
        finding
    }
}

/// Returns why a value is restored.
pub(super) fn why(piece: &Piece) -> String {
    format!("no longer declared, set by generation {}", piece.generation)
}
