//! Whether there is enough free space for a start.

use std::path::{Path, PathBuf};

use model::{Code, Diagnostic};
use render::ObservedState;

use super::asked::Asked;
use super::seen::Seen;
use super::stopping::BeforeStop;
use super::unknown::Unknown;
use crate::opened::on_disk;

/// What must be free.
struct Least {
    bytes: u64,
    inodes: u64,
}

/// A start ends with a checkpoint, which may need one more segment of WAL (16 MiB), and writes statistics and a lock file.
const DATA: Least = Least { bytes: 32 << 20, inodes: 64 };

/// Beside the conf nothing is written by the server; by whoever edits it, a second file of its size.
const CONF: Least = Least { bytes: 1 << 20, inodes: 16 };

impl BeforeStop<'_> {
    /// Looks at the file systems of the data directory and of the conf.
    pub(super) fn space(&self, asked: &Asked, after: &ObservedState, seen: &mut Seen, unknown: &mut Unknown) {
        let mut all: Vec<(PathBuf, &Least, &str)> = Vec::new();
        match data_directory(asked, after) {
            Some(Ok(path)) => all.push((path, &DATA, "the data directory")),
            Some(Err(why)) => unknown.push(format!("the free space for the data: {why}")),
            None => {}
        }
        let conf = after.conf_files().next().and_then(|(_, here)| on_disk(self.rooted, here).ok());
        all.extend(conf.map(|path| (path, &CONF, "the conf")));
        for (path, least, what) in all {
            match rustix::fs::statvfs(&path) {
                Ok(disk) => seen.findings.extend(too_little(&disk, least, &path, what)),
                Err(error) => {
                    let why = commit::reason(&error.into());
                    unknown.push(format!("the free space of {}: {why}", path.display()));
                }
            }
        }
    }
}

/// Returns where the data is on this host; nothing if no container is there yet.
fn data_directory(asked: &Asked, after: &ObservedState) -> Option<Result<PathBuf, String>> {
    let container = asked.container.as_ref()?;
    let path = asked.running.as_ref().and_then(live::Running::auto_conf).or_else(|| after.auto_conf_path());
    let Some(path) = path else { return Some(Err("nothing says where the server keeps it".into())) };
    let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
    Some(container.on_host(folder).ok_or_else(|| format!("{folder} is in the container alone")))
}

fn too_little(disk: &rustix::fs::StatVfs, least: &Least, path: &Path, what: &str) -> Option<Diagnostic> {
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    // Some file systems have as many inodes as there is space for.
    let has_inodes = disk.f_files == 0 || disk.f_favail >= least.inodes;
    let why = match (free < least.bytes, has_inodes) {
        (true, _) => {
            let mib = |bytes: u64| bytes >> 20;
            format!("{} MiB are free, and a start needs {} MiB", mib(free), mib(least.bytes))
        }
        (false, false) => format!("{} inodes are free, and a start needs {}", disk.f_favail, least.inodes),
        (false, true) => return None,
    };
    let message = format!("the file system of {what} is full: {why} ({})", path.display());
    let help = format!("free space on the file system of {}", path.display());
    Some(Diagnostic::error(Code::WouldNotStart, message).help(help))
}
