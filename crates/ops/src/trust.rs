//! Whose programs root runs, and who could replace what it reads and runs.

use std::path::Path;

use live::program::caller;
use live::trust::{Weak, Weakness, weak};
use model::{Code, DesiredState, Diagnostic, Severity};

use crate::document::Document;
use crate::error::Error;
use crate::note::name_of;
use crate::path::quoted;
use crate::permissions::{Purpose, TRY_AGAIN, severity};
use crate::selection::Selection;

/// The users whose programs root may run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trust {
    /// Whether it may run those of anybody, for this run.
    anybody: bool,
    users: Vec<u32>,
}

impl Trust {
    /// Accepts the users that a document names, and what the run allows.
    pub(crate) fn new(names: &[String], selection: &Selection) -> Self {
        let passwd = if names.is_empty() { String::new() } else { passwd() };
        let uid = |name: &String| {
            let known = passwd.lines().find_map(|line| line.strip_prefix(name.as_str())?.strip_prefix(':'));
            known.and_then(|rest| rest.split(':').nth(1)?.parse().ok()).or_else(|| name.parse().ok())
        };
        let anybody = selection.allow.iter().any(|name| name == Code::ForeignOwner.name());
        Self { anybody, users: names.iter().filter_map(uid).collect() }
    }

    /// Returns whether root may run what belongs to a user.
    pub(crate) fn is_trusted(&self, uid: u32) -> bool {
        self.anybody || self.users.contains(&uid)
    }
}

fn passwd() -> String {
    std::fs::read_to_string("/etc/passwd").unwrap_or_default()
}

/// Names a user as a document does: by the name, or else the number.
fn name(uid: u32) -> String {
    name_of(&passwd(), uid).unwrap_or_else(|| uid.to_string())
}

/// Names a user for people.
fn user(uid: u32) -> String {
    let name = name(uid);
    if name == uid.to_string() { format!("the user {name}") } else { name }
}

/// Returns what to do about a program of another user.
pub(crate) fn help(uid: u32) -> String {
    let whose = if rustix::process::geteuid().is_root() { "root" } else { "root or of yours" };
    format!("give it to root, or write `restart: {{trust: ['{}']}}` in a document of {whose}", name(uid))
}

/// Finds what the caller would run and is somebody else's, among the commands of a document that are named by a path.
pub(crate) fn findings(
    desired: &DesiredState,
    argv: [&[String]; 2],
    root: &Path,
    purpose: Purpose,
) -> Vec<Diagnostic> {
    let names = desired.restart().trust.as_deref().unwrap_or_default();
    let trust = Trust { anybody: false, ..Trust::new(names, &Selection::default()) };
    let mut all: Vec<Diagnostic> = Vec::new();
    for program in argv.iter().filter_map(|argv| argv.first()).filter(|name| name.contains('/')) {
        let weak = match known(&root.join(program)) {
            Ok(weak) => weak,
            Err(why) => {
                let message = format!("who owns {program} cannot be told: {why}");
                all.push(Diagnostic::error(Code::ForeignOwner, message).help(TRY_AGAIN));
                continue;
            }
        };
        let mut foreign = weak.iter().filter_map(|Weak { path, why }| match why {
            Weakness::Owner { uid } if !trust.is_trusted(*uid) => Some((path, *uid)),
            _ => None,
        });
        // The last one is the nearest to the program.
        let Some((path, uid)) = foreign.next_back() else { continue };
        let user = user(uid);
        let what = match path.ends_with(program) {
            true => format!("{program} belongs to {user}"),
            false => format!("{program} is below {}, which belongs to {user}", path.display()),
        };
        let message = format!("{what}, and runs as {}", caller());
        let once = match purpose {
            Purpose::Applying => "; `--allow foreign-owner` allows it once",
            Purpose::Looking => "",
        };
        all.push(purpose.refused(Code::ForeignOwner, message, &format!("{}{once}", help(uid))));
    }
    all
}

/// Finds folders above a target through which somebody else could put another one in its place.
///
/// What counts as an other is told at [`permissions`](crate::permissions).
pub(crate) fn above(root: &Path, purpose: Purpose) -> Vec<Diagnostic> {
    let us = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let weak = match root.parent().map_or_else(|| Ok(Vec::new()), known) {
        Ok(weak) => weak,
        Err(why) => {
            let root = root.display();
            let message = format!("who can write to the folders above {root} cannot be told: {why}");
            return vec![Diagnostic::error(Code::InsecurePermissions, message).help(TRY_AGAIN)];
        }
    };
    let finding = |Weak { path, why }: Weak| {
        let shown = path.display().to_string();
        let (code, severity, message, help) = match why {
            Weakness::Writable { mode, gid } => (
                Code::InsecurePermissions,
                severity(mode, gid, us)?,
                format!(
                    "users other than the owner can write to {shown} (mode {mode:04o}), above the target"
                ),
                format!("run `chmod go-w {}`", quoted(&shown)),
            ),
            Weakness::Owner { uid } if us.0 == 0 => (
                Code::ForeignOwner,
                Severity::Error,
                format!("{shown}, above the target, belongs to {}", user(uid)),
                format!("run `chown root {}`; `--allow foreign-owner` allows it once", quoted(&shown)),
            ),
            Weakness::Owner { .. } => return None,
        };
        Some(match severity {
            Severity::Error => purpose.refused(code, message, &help),
            Severity::Warning => Diagnostic::warning(code, message).help(help),
        })
    };
    weak.into_iter().filter_map(finding).collect()
}

/// Returns what is weak on the way to a path: nothing if it is missing or closed to this user, which whoever needs it reports.
///
/// # Errors
/// The reason why nobody knows.
fn known(path: &Path) -> Result<Vec<Weak>, String> {
    use std::io::ErrorKind as Kind;
    match weak(path) {
        Ok(weak) => Ok(weak),
        Err(error) => match error.kind() {
            Kind::NotFound | Kind::NotADirectory | Kind::PermissionDenied => Ok(Vec::new()),
            _ => Err(commit::reason(&error)),
        },
    }
}

/// Returns who besides root and the caller could put another file in the place of one: `… belongs to kasm`.
pub(crate) fn who_could_put_back(path: &Path) -> Option<String> {
    let Ok(weak) = weak(path) else { return Some("its folder cannot be looked at".into()) };
    let Weak { path, why } = weak.into_iter().next_back()?;
    Some(match why {
        Weakness::Owner { uid } => format!("{} belongs to {}", path.display(), user(uid)),
        Weakness::Writable { mode, .. } => {
            format!("users other than its owner can write to {} (mode {mode:04o})", path.display())
        }
    })
}

/// Refuses a document whose commands are to be run, and that somebody else could have written.
///
/// # Errors
/// It, or one that it extends, belongs neither to root nor to the caller, or others can write to it.
pub(crate) fn check_document(document: &Document) -> Result<(), Error> {
    let Some((name, why)) = document.weak.first() else { return Ok(()) };
    let (why, help) = about(name, *why);
    Err(Error::failed(format!("{name} {why}, and its commands would be run")).help(help))
}

/// Refuses a document that a plan file alone names, and that somebody else could have written.
///
/// # Errors
/// As for [`check_document`].
pub(crate) fn check_choice(document: &Document) -> Result<(), Error> {
    let Some((name, why)) = document.weak.first() else { return Ok(()) };
    let (why, help) = about(name, *why);
    let error =
        Error::failed(format!("{name} {why}, and nothing but the plan file says that it is to be applied"));
    Err(error.help(format!("name the document with `-f FILE`, or {help}")))
}

/// Returns why a document is not to be relied on, and what to do.
fn about(name: &str, why: Weakness) -> (String, String) {
    let quoted = quoted(name);
    match why {
        Weakness::Owner { uid } => {
            (format!("belongs to {}", user(uid)), format!("run `chown root {quoted}` if it is yours"))
        }
        Weakness::Writable { mode, .. } => (
            format!("is writable by users other than its owner (mode {mode:04o})"),
            format!("run `chmod go-w {quoted}`"),
        ),
    }
}
