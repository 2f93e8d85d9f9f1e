//! Logs of a server outside of its log folder: `log_directory` may have been another one before.

use std::fs::{DirEntry, read_dir};
use std::path::{Path, PathBuf};

use auditlog::{AuditEntry, Ending, Prefix, Reason, Scanner, Visitor};
use render::{LogFolder, ObservedState, ServerLog};

use super::input::Input;
use super::log_name::is_named_as_log;
use crate::opened::{Rooted, on_disk};

/// How deep the folders below the mounted one are looked at: `PGDATA` may be a folder in it, and its `log` one in that.
const DEPTH: usize = 2;

/// So many entries of folders are looked at: a data directory may have any number.
const MOST: usize = 20_000;

/// The folders that may hold logs of a server besides its log folder.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    /// Those that the configuration names, or did before.
    folders: Vec<PathBuf>,
    /// The one that is mounted into the container, with the log folder in it.
    mounted: Option<PathBuf>,
}

impl Elsewhere {
    /// Reads them from what the configuration of a target says of its log.
    pub(super) fn new(log: &ServerLog, rooted: &Rooted) -> Self {
        let host = |folder: &LogFolder| match folder {
            LogFolder::Host(path) => on_disk(rooted, path).ok(),
            LogFolder::Volume(_) | LogFolder::Container(_) | LogFolder::Printed => None,
        };
        Self {
            folders: log.former.iter().filter_map(host).collect(),
            mounted: log.mounted.as_ref().and_then(|path| on_disk(rooted, path).ok()),
        }
    }

    /// Lists the logs there, in the order of their names, without those of the log folder.
    pub(super) fn logs(&self, folder: &Path, prefix: &Prefix) -> Vec<PathBuf> {
        let mut left = MOST;
        let mut logs: Vec<PathBuf> = Vec::new();
        for former in &self.folders {
            look(former, 0, &mut left, &mut logs);
        }
        look(self.mounted.as_deref().unwrap_or(folder), DEPTH, &mut left, &mut logs);
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
        logs.retain(|path| {
            let parent = path.parent().and_then(|parent| parent.canonicalize().ok());
            parent.is_some_and(|parent| parent != folder) && is_log(path, prefix)
        });
        logs.sort();
        logs.dedup();
        logs
    }
}

/// Reads what the earlier applies replaced of the files that the server reads; nothing of what cannot be read.
pub(crate) fn earlier_confs(rooted: &Rooted, observed: &ObservedState) -> Vec<Vec<u8>> {
    let files = observed.conf_files().map(|(_, here)| PathBuf::from(here));
    files.flat_map(|file| rooted.root.replaced(&file).unwrap_or_default()).collect()
}

/// Gathers the files of a folder that are named as logs, and of those below it. No link is followed.
fn look(folder: &Path, depth: usize, left: &mut usize, logs: &mut Vec<PathBuf>) {
    for entry in read_dir(folder).into_iter().flatten().flatten() {
        if *left == 0 {
            return;
        }
        *left -= 1;
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 0 => look(&entry.path(), depth - 1, left, logs),
            Ok(kind) if kind.is_file() && is_named(&entry) => logs.push(entry.path()),
            _ => {}
        }
    }
}

fn is_named(entry: &DirEntry) -> bool {
    is_named_as_log(entry.file_name().as_encoded_bytes())
}

/// Returns whether a file is a log of PostgreSQL by what it starts with. One that cannot be read is taken for one.
fn is_log(path: &Path, prefix: &Prefix) -> bool {
    let Ok(input) = Input::open_log(path) else { return true };
    let mut scanner = Scanner::new(Some(prefix));
    scanner.scan(&input.head(), Ending::End, &mut Nobody);
    scanner.format().is_some()
}

/// Accepts entries that nobody asked for.
struct Nobody;

impl Visitor for Nobody {
    fn entry(&mut self, _: &AuditEntry<'_>) {}

    fn fault(&mut self, _: u64, _: Reason) {}
}
