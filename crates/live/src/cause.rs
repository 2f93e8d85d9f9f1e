//! Why the server of a container does not run, as far as Docker, the container's output and the server's log tell.

use std::fs::{File, Metadata, read_dir};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use auditlog::time::Timestamp;
use rustix::fs::OFlags;

use crate::docker::{Container, Docker};
use crate::last_words::{log_folder, quoted, reason, since_start};
use crate::regular_file;
use crate::scrub::Said;
use crate::session::Unreachable;

/// How many characters of what a server said are shown.
const LENGTH: usize = 600;

/// How much of the end of a log is looked at.
const TAIL: u64 = 256 << 10;

/// Why a server does not run.
#[derive(Debug, Default)]
struct Cause {
    /// What was said of it.
    says: Option<String>,
    /// What to do about it, if that is known.
    fix: Option<String>,
}

impl Docker {
    /// Reports that a container does not run, and why as far as that is known.
    pub fn not_running(&self, container: &Container) -> Unreachable {
        let name = &container.name;
        let Cause { says, fix } = self.cause(container);
        let said = says.map(|says| format!("; it says: {says}")).unwrap_or_default();
        let fix = |other: String| fix.unwrap_or(other);
        match container.status.as_str() {
            // Between two of them it is shown as running.
            "restarting" | "running" => Unreachable::new(
                format!(
                    "the container {name} restarts again and again ({} times so far){said}",
                    container.restarts
                ),
                fix("fix what it says, or restore the earlier files with `kasm-db rollback`".into()),
            ),
            "exited" | "dead" => Unreachable::new(
                format!("the container {name} does not run: it ended with {}{said}", container.exit_code),
                fix("start the deployment with its `bin/start`, and check the container's log".into()),
            ),
            "paused" => Unreachable::new(
                format!("the container {name} is paused"),
                format!("let it continue with `docker unpause {name}`"),
            ),
            other => Unreachable::new(
                format!("the container {name} does not run: it is {other}{said}"),
                fix("start the deployment with its `bin/start`".into()),
            ),
        }
    }

    /// Finds out why a container does not run: only what was said since its last start counts.
    fn cause(&self, container: &Container) -> Cause {
        let says = self.engines_reason(container).or_else(|| self.servers_reason(container));
        let fix = says.as_deref().and_then(|says| fix(says, container));
        let says = says.map(|says| self.scrubber().shown(&Said::new(says, LENGTH)));
        Cause { says, fix }
    }

    /// Returns what the engine says: it ended the server, or could not start it.
    fn engines_reason(&self, container: &Container) -> Option<String> {
        const FORMAT: &str = "{{.State.OOMKilled}}\n{{.State.Error}}";
        let arguments = ["container", "inspect", "--format", FORMAT, "--", &container.name];
        let ended = self.run(&arguments, String::new()).ok()?;
        let text = String::from_utf8_lossy(&ended.stdout).into_owned();
        match text.split_once('\n') {
            Some(("true", _)) => Some("the kernel ended it: out of memory".into()),
            Some((_, error)) if !error.trim().is_empty() => Some(error.trim().to_string()),
            _ => None,
        }
    }

    /// Returns what the server says: where it logs to decides where that is.
    fn servers_reason(&self, container: &Container) -> Option<String> {
        // It was stopped, and did not end for a reason of its own.
        if container.status == "exited" && container.exit_code == "0" {
            return None;
        }
        let arguments =
            ["container", "logs", "--since", &container.started, "--tail", "200", "--", &container.name];
        let ended = self.run(&arguments, String::new()).ok()?;
        let output = [ended.stdout.as_slice(), ended.stderr.as_slice()].concat();
        let output = String::from_utf8_lossy(&output).into_owned();
        let lines: Vec<&str> = output.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        if let Some(reason) = reason(&lines) {
            return Some(reason);
        }
        match log_folder(&lines) {
            Some(folder) => in_folder(&container.host_path(folder)?, started(container)),
            // A statement may hold a password; what ends a server is never one.
            None => {
                let said = |line: &&&str| {
                    !["STATEMENT:", "LOG:", "DETAIL:", "HINT:", "CONTEXT:"]
                        .iter()
                        .any(|kind| line.contains(kind))
                };
                lines.iter().rev().find(said).map(ToString::to_string)
            }
        }
    }
}

/// Returns when the container was started last.
fn started(container: &Container) -> Option<SystemTime> {
    let moment = Timestamp::parse(container.started.as_bytes())?.moment();
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(u64::try_from(moment).ok()?))
}

/// Looks for the reason in the newest file of a log folder; in nothing that was written before this time.
fn in_folder(folder: &Path, since: Option<SystemTime>) -> Option<String> {
    let files = read_dir(folder).ok()?.flatten();
    let files = files.filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())));
    let (modified, newest) = files.max()?;
    if since.is_none_or(|since| modified < since) {
        return full(folder);
    }
    // The folder is the container's to write to.
    let (file, _) = regular_file::open(&newest, OFlags::NOFOLLOW).ok()?;
    let text = tail(file).ok()?;
    let lines: Vec<&str> = text.lines().collect();
    reason(&since_start(&lines)?).or_else(|| full(folder))
}

fn tail(mut file: File) -> std::io::Result<String> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Reports that the disk of a folder is full, if it is.
pub(crate) fn full(folder: &Path) -> Option<String> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    // Fewer blocks than a line may need: the rest is for root.
    (disk.f_bavail < 2).then(|| format!("the disk of {} is full", folder.display()))
}

/// Returns what to do about a reason, if it tells.
fn fix(says: &str, container: &Container) -> Option<String> {
    let restart = format!("`docker restart {}`", container.name);
    if says.contains("Permission denied") {
        let inside = quoted(says.split("Permission denied").next()?.rsplit("; ").next()?)?;
        return Some(format!("{}, then run {restart}", rights(inside, container)?));
    }
    if says.contains("No space left on device") || says.ends_with(" is full") {
        return Some(format!("free space on that disk, then run {restart}"));
    }
    if says.contains("contains errors")
        || says.contains("could not load pg_hba.conf")
        || says.contains("could not load ")
    {
        return Some(format!(
            "correct what it names, then run {restart}; or restore the earlier files with `kasm-db rollback`"
        ));
    }
    None
}

/// Returns how the server gets the right to read or write a file.
fn rights(inside: &str, container: &Container) -> Option<String> {
    let here = container.host_path(inside)?;
    let Some(owner) = owner_of_data(container) else {
        return Some(format!("give {} to the user that the server runs as", here.display()));
    };
    let (uid, gid) = (owner.uid(), owner.gid());
    let found = std::fs::metadata(&here).ok();
    let is_readable =
        found.as_ref().is_some_and(|found| found.uid() == uid && found.permissions().mode() & 0o400 != 0);
    Some(match found {
        Some(_) if is_readable => {
            format!("give the user {uid} execute permission on the folders above {}", here.display())
        }
        Some(_) => format!("run `chown {uid}:{gid} {}`", here.display()),
        // It would be made.
        None => format!("run `chown {uid}:{gid} {}`", here.parent()?.display()),
    })
}

/// Returns whose the data directory is: that user is the server's.
fn owner_of_data(container: &Container) -> Option<Metadata> {
    let folders = container.mounts.iter().map(|(_, host)| PathBuf::from(host));
    folders.filter_map(|folder| std::fs::metadata(folder.join("PG_VERSION")).ok()).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(folder: &Path) -> Container {
        std::fs::write(folder.join("PG_VERSION"), "15\n").unwrap();
        let mounts = vec![("/data".into(), folder.display().to_string())];
        Container { name: "kasm_db".into(), mounts, ..Container::default() }
    }

    #[test]
    fn a_file_that_the_server_may_not_read_is_named_as_the_host_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let container = container(folder.path());
        let conf = folder.path().join("conf");
        std::fs::write(&conf, "").unwrap();
        std::fs::set_permissions(&conf, PermissionsExt::from_mode(0o000)).unwrap();
        let says = "LOG:  could not open file \"/data/conf\": Permission denied; FATAL:  could not load x";
        let owner = std::fs::metadata(&conf).unwrap();
        let (uid, gid) = (owner.uid(), owner.gid());
        let expected =
            format!("run `chown {uid}:{gid} {}`, then run `docker restart kasm_db`", conf.display());
        assert_eq!(fix(says, &container), Some(expected));
        std::fs::set_permissions(&conf, PermissionsExt::from_mode(0o400)).unwrap();
        assert!(
            fix(says, &container)
                .unwrap()
                .starts_with(&format!("give the user {uid} execute permission on the folders above "))
        );
        let new = "FATAL:  could not open log file \"/data/log\": Permission denied";
        let of_folder = format!("run `chown {uid}:{gid} {}`, ", folder.path().display());
        assert!(fix(new, &container).unwrap().starts_with(&of_folder));
        assert_eq!(fix("FATAL:  could not open \"/other\": Permission denied", &container), None);
    }

    #[test]
    fn what_a_log_says_of_an_earlier_start_is_not_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("a.log");
        let text = "x LOG:  starting PostgreSQL 15.15 on x86_64, compiled by gcc\nx FATAL:  could not load pg_hba.conf\n";
        std::fs::write(&log, text).unwrap();
        let modified = std::fs::metadata(&log).unwrap().modified().unwrap();
        let second = Duration::from_secs(1);
        assert_eq!(
            in_folder(folder.path(), Some(modified - second)).as_deref(),
            Some("FATAL:  could not load pg_hba.conf")
        );
        assert_eq!(in_folder(folder.path(), Some(modified + second)), None);
        assert_eq!(in_folder(folder.path(), None), None);
    }
}
