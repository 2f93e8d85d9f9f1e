//! What the history tells of a generation besides its files: who made it, from which document, and what changed.
//!
//! JSON in the note of the commit. Whoever can look into the target's folder can read it: values are there as a plan
//! shows them, and no secret is.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use commit::{Digest, Generation};
use live::Environment;
use model::DesiredState;
use render::ValueChange;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::document::Document;
use crate::git_commit;

/// The most that the changes come to, in bytes; so many more are left out.
const MAX_CHANGES: usize = 64 << 10;

/// What is noted of a generation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Note {
    /// Who made it.
    pub who: Who,
    /// The document that it was made from, and those that this one extends. None for a rollback.
    pub documents: Vec<NotedDocument>,
    /// The commit of the document's repository, if that is known.
    pub git_commit: Option<String>,
    /// The warnings that the document silenced.
    pub ignored: Vec<String>,
    /// Why it was made, in the words of whoever did.
    pub message: Option<String>,
    /// What changed.
    pub changes: Vec<NotedChange>,
    /// How many more changes there were.
    pub changes_left_out: usize,
}

/// Who made a generation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Who {
    /// The name of the user that the program ran as, if this machine knows it.
    pub name: Option<String>,
    /// The number of that user.
    pub uid: u32,
    /// Who had `sudo` run it.
    pub sudo_user: Option<String>,
    /// The number of that user.
    pub sudo_uid: Option<u32>,
}

/// A document that a generation was made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NotedDocument {
    /// Its path, with all links followed.
    pub path: String,
    /// The SHA-256 of its content; `None` if not everybody could read it.
    pub sha256: Option<String>,
}

/// A value that changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NotedChange {
    /// The file, relative to the target's folder.
    pub path: String,
    /// What it is: `services.db.image`, or the setting's name.
    pub subject: String,
    /// The value before, as it may be shown.
    pub before: Option<String>,
    /// The value after; `None` if it is commented out.
    pub after: Option<String>,
}

impl Note {
    /// Notes who runs the program, and why.
    pub(crate) fn of(context: &Context<'_>) -> Self {
        let message = context.message.clone();
        Self { who: Who::of(&context.environment), message, ..Self::default() }
    }

    /// Notes a document and those that it extends, and the commit that they are from.
    #[must_use]
    pub(crate) fn document(mut self, document: &Document) -> Self {
        let parents = document.reading.parents.iter().map(|(path, bytes)| noted(path, bytes));
        let ignored = document.desired().map_or(&[][..], DesiredState::ignored);
        self.ignored = ignored.iter().map(|one| one.name().to_owned()).collect();
        self.git_commit = git_commit::checked_out(Path::new(&document.name));
        self.documents = std::iter::once(noted(&document.name, &document.bytes)).chain(parents).collect();
        self
    }

    /// Notes what changes.
    #[must_use]
    pub(crate) fn changes(mut self, changes: &[ValueChange]) -> Self {
        let mut size = 0;
        let fits = |change: &&ValueChange| {
            let values = [&change.before, &change.after];
            let texts = values.into_iter().flatten().chain([&change.path, &change.subject]);
            size += 64 + texts.map(String::len).sum::<usize>();
            size <= MAX_CHANGES
        };
        let noted = |change: &ValueChange| NotedChange {
            path: change.path.clone(),
            subject: change.subject.clone(),
            before: change.before.clone(),
            after: change.after.clone(),
        };
        self.changes = changes.iter().take_while(fits).map(noted).collect();
        self.changes_left_out = changes.len() - self.changes.len();
        self
    }

    /// Writes it down.
    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads what is noted of a generation; `None` if there is no note, as in version 0.1, or it cannot be read.
    pub fn decode(generation: &Generation) -> Option<Self> {
        serde_json::from_slice(&generation.note).ok()
    }
}

impl Who {
    fn of(environment: &Environment) -> Self {
        let uid = rustix::process::getuid().as_raw();
        let name = std::fs::read_to_string("/etc/passwd").ok().and_then(|users| name_of(&users, uid));
        Self {
            name: name.or_else(|| environment.text("LOGNAME").map(String::from)),
            uid,
            sudo_user: environment.text("SUDO_USER").map(String::from),
            sudo_uid: environment.text("SUDO_UID").and_then(|uid| uid.parse().ok()),
        }
    }
}

/// Finds the name of a user in the text of `/etc/passwd`.
pub(crate) fn name_of(users: &str, uid: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

fn noted(name: &str, bytes: &[u8]) -> NotedDocument {
    let path = Path::new(name);
    let is_public = std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o004 != 0);
    NotedDocument {
        path: path.canonicalize().map_or_else(|_| name.to_owned(), |path| path.display().to_string()),
        sha256: is_public.then(|| Digest::of(bytes).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use render::{Action, Needs};

    use super::*;

    #[test]
    fn a_user_is_found_by_number() {
        let users = "root:x:0:0:root:/root:/bin/sh\nbroken\nanna:x:1000:1000::/home/anna:/bin/sh\n";
        assert_eq!(name_of(users, 0).as_deref(), Some("root"));
        assert_eq!(name_of(users, 1000).as_deref(), Some("anna"));
        assert_eq!(name_of(users, 70), None);
    }

    #[test]
    fn sudo_is_noted_and_what_is_not_a_number_is_not() {
        let of = |uid: &str| {
            let pairs = [("SUDO_USER", "anna"), ("SUDO_UID", uid)];
            Who::of(&Environment::of(pairs.map(|(name, value)| (name.into(), value.into()))))
        };
        assert_eq!((of("1000").sudo_user.as_deref(), of("1000").sudo_uid), (Some("anna"), Some(1000)));
        assert_eq!(of("-1").sudo_uid, None);
    }

    #[test]
    fn more_changes_than_fit_are_counted() {
        let change = ValueChange {
            path: "c".into(),
            line: 1,
            subject: "s".into(),
            action: Action::Add,
            before: None,
            secret: Some("hunter2".into()),
            after: Some("x".repeat(1000)),
            needs: Needs::Reload,
            why: None,
        };
        let note = Note::default().changes(&vec![change; 100]);
        assert_eq!(note.changes.len() + note.changes_left_out, 100);
        assert!(note.changes.len() > 50 && note.changes_left_out > 0);
        let bytes = note.encode();
        assert!(bytes.len() < 128 << 10 && !String::from_utf8(bytes.clone()).unwrap().contains("hunter2"));
        assert_eq!(serde_json::from_slice::<Note>(&bytes).unwrap(), note);
    }
}
