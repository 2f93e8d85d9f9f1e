//! Whether the server's user may read the files that the server reads at its start.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use live::{Docker, ServerUser};
use model::{Code, Diagnostic};
use render::{MountedFile, ObservedState};

use super::access::{By, ENTER, May, READ, may};
use super::asked::{Asked, NextImage};
use super::seen::Seen;
use super::stopping::BeforeStop;
use super::unknown::Unknown;
use crate::opened::on_disk;
use crate::path::quoted;

/// The user that the images of PostgreSQL have for the server.
const POSTGRES: &str = "postgres";

impl BeforeStop<'_> {
    /// Looks at owner and mode of these files, and of the folders above them that are in the same bind mount.
    pub(super) fn readable(
        &self,
        asked: &Asked,
        image: &NextImage,
        after: &ObservedState,
        seen: &mut Seen,
        unknown: &mut Unknown,
    ) {
        let files = after.mounted_files();
        if files.is_empty() {
            return;
        }
        let named = after.needed().and_then(|needed| needed.user);
        let user = match user(asked, image, named.as_deref()) {
            Ok(user) => user,
            // It is looked at again when the image is there.
            Err(_) if !seen.pulls.is_empty() => return,
            Err(why) => {
                return unknown.push(format!("whether the server's user can read its files: {why}"));
            }
        };
        for file in &files {
            self.one(file, &user, seen, unknown);
        }
    }

    fn one(&self, file: &MountedFile, user: &ServerUser, seen: &mut Seen, unknown: &mut Unknown) {
        let last = file.way.len().saturating_sub(1);
        for (index, path) in file.way.iter().enumerate() {
            let is_file = index == last;
            let Ok(here) = on_disk(self.rooted, path) else {
                return unknown.push(format!("whether {path} can be read"));
            };
            let shown = here.display().to_string();
            let found = match std::fs::metadata(&here) {
                Ok(found) => found,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    let message =
                        format!("{shown} does not exist, and the engine would make a folder of that name");
                    let help = format!("put it back; the server reads it as {}", file.inside);
                    return push(seen, message, help);
                }
                Err(error) => {
                    return unknown.push(format!("whether {shown} can be read: {}", commit::reason(&error)));
                }
            };
            if is_file && found.is_dir() {
                let help = format!("put a file in its place; the server reads it as {}", file.inside);
                return push(seen, format!("{shown} is a folder, not a file"), help);
            }
            let what = if is_file { READ } else { ENTER };
            match may(user, &here, &found, what) {
                May::Yes => {}
                May::Unknown => {
                    unknown.push(format!("whether the server's user ({}) can read {shown}", user.uid));
                }
                May::No(by) => {
                    let (mode, owner) = (found.mode() & 0o7777, found.uid());
                    let verb = if is_file { "read" } else { "enter" };
                    let message = format!(
                        "the server's user ({}) cannot {verb} {shown}: it belongs to {owner}, with the mode {mode:04o}",
                        user.uid
                    );
                    return push(seen, message, format!("run `{}`", fix(by, user, &here, is_file)));
                }
            }
        }
    }
}

fn push(seen: &mut Seen, message: String, help: String) {
    let finding = Diagnostic::error(Code::WouldNotStart, message).help(help);
    if !seen.findings.iter().any(|known| known.message == finding.message) {
        seen.findings.push(finding);
    }
}

/// Returns the command that lets the user in.
fn fix(by: By, user: &ServerUser, here: &Path, is_file: bool) -> String {
    let path = quoted(&here.display().to_string());
    let right = if is_file { "r" } else { "x" };
    match by {
        By::Acl => format!("setfacl -m u:{}:{right} {path}", user.uid),
        By::Owner => format!("chmod u+{right} {path}"),
        By::Group => format!("chmod g+{right} {path}"),
        // A conf may hold secrets: it is given to the server's user alone.
        By::Others if is_file => format!("chown {0} {path} && chmod u+r {path}", user.uid),
        By::Others => format!("chmod o+x {path}"),
    }
}

/// Returns the user that the server is to run as.
fn user(asked: &Asked, image: &NextImage, named: Option<&str>) -> Result<ServerUser, String> {
    let runs = match (&asked.docker, &asked.container) {
        (Some(docker), Some(container)) if container.status == "running" => docker.server_user(container),
        _ => None,
    };
    let of_image = |uid: u32, groups: Vec<u32>| {
        let is_same = match (&runs, &asked.engine) {
            (Some(ServerUser { is_same: Some(is_same), .. }), _) => *is_same,
            (_, Ok(docker)) => !maps_users(docker)?,
            (_, Err(unreachable)) => return Err(unreachable.why.clone()),
        };
        match is_same {
            true => Ok(ServerUser { uid, groups: Some(groups), is_same: Some(true) }),
            false => Err("the engine gives other numbers to the users in containers".to_string()),
        }
    };
    if let Some(named) = named {
        let (user, group) = named.split_once(':').unwrap_or((named, ""));
        if let Ok(uid) = user.parse() {
            // What the image says of its groups is not known.
            return of_image(uid, group.parse().into_iter().collect());
        }
        if user != POSTGRES {
            return Err(format!("`user: {user}` is known in the image alone"));
        }
    }
    match (image, &runs) {
        (NextImage::Same, Some(runs)) => Ok(runs.clone()),
        (NextImage::Other(name, facts), _) => {
            let facts = facts.as_ref().ok_or_else(|| format!("{name} cannot be looked into"))?;
            let uid = facts.uid.ok_or_else(|| format!("{name} has no user `{POSTGRES}`"))?;
            of_image(uid, facts.groups.clone())
        }
        (NextImage::Same, None) => Err("no process of the server is seen".into()),
        (NextImage::Unknown, _) => Err("its image cannot be looked into".into()),
    }
}

fn maps_users(docker: &Docker) -> Result<bool, String> {
    docker.maps_users().map_err(|unreachable| unreachable.why)
}
