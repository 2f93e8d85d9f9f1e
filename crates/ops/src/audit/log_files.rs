//! The files of a server's log, by the settings that made them: those of now, and those of before.

use std::collections::BTreeSet;
use std::fs::read_dir;
use std::path::{Path, PathBuf};

use live::Facts;
use render::LogFolder;

use super::elsewhere::earlier_confs;
use super::log_name::is_named_as_log;
use super::logs::{DESTINATIONS, file_name, is_rotation};
use crate::opened::{Opened, on_disk};

/// The files of a server's log on this host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFiles {
    /// The one that the server writes to now, if that is known.
    pub now: Option<PathBuf>,
    /// Those by the settings of now, in the order of their names.
    pub current: Vec<PathBuf>,
    /// Those by settings of before: another `log_filename`, or another `log_directory`.
    pub earlier: Vec<PathBuf>,
    /// Those that look like logs, by no setting that is known.
    pub other: Vec<PathBuf>,
    /// How many bytes all of them have.
    pub bytes: u64,
}

impl LogFiles {
    /// Finds the files of a target's log. What the running server says of it counts more than the files; `None` if nothing
    /// tells where it is, or that is not on this host.
    pub(crate) fn find(opened: &Opened<'_>, facts: Option<&Facts>) -> Option<Self> {
        let earlier = earlier_confs(opened.rooted, &opened.observed);
        let log = opened.observed.server_log(&opened.source(), &earlier);
        let host = |folder: &LogFolder| match folder {
            LogFolder::Host(path) => on_disk(opened.rooted, path).ok(),
            LogFolder::Volume(_) | LogFolder::Container(_) | LogFolder::Printed => None,
        };
        let told = facts.and_then(Facts::log_on_host);
        let by_files = log.as_ref().and_then(|log| host(&log.folder));
        let folder = match &told {
            Some((path, _)) => path.parent()?.to_path_buf(),
            None => by_files.clone()?,
        };
        let configured = log.as_ref().map(|log| log.filename.clone());
        let name = told.as_ref().map(|(_, name)| (*name).to_string()).or_else(|| configured.clone())?;
        let former_names = log.iter().flat_map(|log| log.former_filenames.clone()).chain(configured);
        let former = log.iter().flat_map(|log| log.former.iter().filter_map(host)).chain(by_files);
        let mut found = Self { now: told.map(|(path, _)| path), ..Self::default() };
        let former_names: Vec<String> = former_names.filter(|former| *former != name).collect();
        found.look(&folder, &[&name], &former_names);
        let all_names: Vec<String> = former_names.into_iter().chain([name]).collect();
        let is_same = |one: &Path, two: &Path| one.canonicalize().ok() == two.canonicalize().ok();
        let former: BTreeSet<PathBuf> = former.filter(|former| !is_same(former, &folder)).collect();
        for folder in former {
            found.look(&folder, &[], &all_names);
        }
        Some(found)
    }

    /// Sorts the files of a folder by the values of `log_filename` that are theirs. No link is followed.
    fn look(&mut self, folder: &Path, current: &[&str], earlier: &[String]) {
        let is = |pattern: &str, name: &[u8]| {
            DESTINATIONS.iter().any(|destination| is_rotation(&file_name(pattern, destination), name))
        };
        let mut entries: Vec<_> = read_dir(folder).into_iter().flatten().flatten().collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let Ok(metadata) = entry.metadata() else { continue };
            let name = entry.file_name().into_encoded_bytes();
            let files = if current.iter().any(|pattern| is(pattern, &name)) {
                &mut self.current
            } else if earlier.iter().any(|pattern| is(pattern, &name)) {
                &mut self.earlier
            } else if is_named_as_log(&name) {
                &mut self.other
            } else {
                continue;
            };
            if metadata.is_file() {
                files.push(entry.path());
                self.bytes += metadata.len();
            }
        }
    }

    /// Returns how many there are.
    pub fn count(&self) -> usize {
        self.current.len() + self.earlier.len() + self.other.len()
    }
}
