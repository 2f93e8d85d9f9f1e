//! Files that somebody else could change, too.

use std::collections::BTreeSet;
use std::path::Path;

use commit::{Root, Writable};
use model::{Code, Diagnostic, Severity};
use render::{Found, Snapshot};

use crate::path::quoted;

/// What to do if the system could not look at something.
pub(crate) const TRY_AGAIN: &str = "remove the cause, and try again";

/// What the plan is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be looked at. Nothing is written, so nothing is refused: pipelines plan in checkouts which some
    /// runners make writable for everybody.
    Looking,
    /// To be applied, or to see whether it could be.
    Applying,
}

impl Purpose {
    /// Returns the finding of what an apply refuses.
    pub(crate) fn refused(self, code: Code, message: String, help: &str) -> Diagnostic {
        match self {
            Self::Applying => Diagnostic::error(code, message).help(help),
            Self::Looking => {
                Diagnostic::warning(code, message).help(format!("{help}: until then, `apply` refuses this"))
            }
        }
    }
}

/// Finds what users other than its owner can write to among the files of a plan and the folders that they are in.
///
/// Whoever can replace a file while it is changed, or right after, decides what the database runs.
/// What counts as an other:
/// - Everybody, for everyone: no deployment is meant to be like that.
/// - For root, any group but root's own. A user of it would give orders to root. Kasm's own trees pass: their
///   files belong to `kasm` and to the server's user, with modes 0644 and 0600.
/// - An ACL is as another group: its entries may be anybody's, and the bits of the group are their mask.
/// - For any other user, not the own group: with a umask of 002, which Debian and Red Hat give to users with
///   private groups, all files of a checkout are like that. Another group is said and not refused: a shared
///   checkout is shared on purpose, and who applies there gives away nothing but what is theirs.
pub(crate) fn findings(snapshot: &Snapshot, root: &Root, purpose: Purpose) -> Vec<Diagnostic> {
    let below = |path: &str| !path.starts_with('/') && !path.starts_with("../");
    let there = snapshot.files().filter(|(path, found)| matches!(found, Found::Yes(_)) && below(path));
    of_paths(there.map(|(path, _)| Path::new(path)), root, purpose)
}

/// The same for files by name.
pub(crate) fn of_paths<'a>(
    paths: impl IntoIterator<Item = &'a Path>,
    root: &Root,
    purpose: Purpose,
) -> Vec<Diagnostic> {
    let us = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let mut refused = BTreeSet::new();
    let mut said = BTreeSet::new();
    let writable = match root.writable_by_others(paths) {
        Ok(writable) => writable,
        Err(error) => {
            let message = format!("who can write to the files of the plan cannot be told: {error}");
            let help = error.help().unwrap_or(TRY_AGAIN);
            return vec![Diagnostic::error(Code::InsecurePermissions, message).help(help)];
        }
    };
    for writable in writable {
        match severity(writable.mode, (!writable.acl).then_some(writable.gid), us) {
            Some(Severity::Error) => refused.insert(writable),
            Some(Severity::Warning) => said.insert(writable),
            None => false,
        };
    }
    let refused = diagnostic(&refused, root)
        .map(|(message, help)| purpose.refused(Code::InsecurePermissions, message, &help));
    let said = diagnostic(&said, root)
        .map(|(message, help)| Diagnostic::warning(Code::InsecurePermissions, message).help(help));
    refused.into_iter().chain(said).collect()
}

/// Returns how bad it is that others can write to something with this mode and group, for a user and a group; no group stands
/// for an ACL.
pub(crate) fn severity(mode: u32, group: Option<u32>, (uid, gid): (u32, u32)) -> Option<Severity> {
    if mode & 0o002 != 0 {
        Some(Severity::Error)
    } else if group == Some(0) || (uid != 0 && group == Some(gid)) {
        None
    } else if uid == 0 {
        Some(Severity::Error)
    } else {
        Some(Severity::Warning)
    }
}

/// So many are named; a tree in which everything is writable has one cause.
const NAMED: usize = 5;

fn diagnostic(found: &BTreeSet<Writable>, root: &Root) -> Option<(String, String)> {
    let first = found.first()?;
    let short = |one: &Writable| match one.path.strip_prefix(root.path()) {
        Ok(rest) if !rest.as_os_str().is_empty() => rest.display().to_string(),
        _ => one.path.display().to_string(),
    };
    let named: Vec<_> =
        found.iter().take(NAMED).map(|one| format!("{} (mode {:04o})", short(one), one.mode)).collect();
    let more = match found.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = match found.len() {
        1 => {
            let (path, mode) = (first.path.display(), first.mode);
            format!("users other than the owner can write to {path} (mode {mode:04o})")
        }
        _ => format!(
            "users other than the owner can write below {}: to {}{more}",
            root.path().display(),
            named.join(", ")
        ),
    };
    let help = if found.len() > NAMED {
        format!("run `chmod -R go-w {}`", quoted(&root.path().display().to_string()))
    } else if found.len() == 1 {
        format!("run `chmod go-w {}`", quoted(&first.path.display().to_string()))
    } else {
        let paths: Vec<_> = found.iter().map(|one| quoted(&one.path.display().to_string())).collect();
        format!("run `chmod go-w {}`", paths.join(" "))
    };
    Some((message, help))
}
