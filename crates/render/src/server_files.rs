//! The files that the server must be able to read, and every folder through which it gets to them.

use crate::compose::Host;
use crate::observe::ObservedState;
use crate::source::{folder, join};

/// A file that the host has and the server reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountedFile {
    /// Its path in the container.
    pub inside: String,
    /// Its path on the host, absolute or below the target; before it the folders above it that are in the same bind mount,
    /// the uppermost first.
    pub way: Vec<String>,
}

/// The settings that name a file without which no server starts.
const NEEDED: &[&str] = &["config_file", "hba_file", "ident_file"];

impl ObservedState {
    /// Lists the files that the server reads at its start, as far as they are in bind mounts: `postgresql.conf` with what it
    /// includes, and those that its command line or the conf names.
    pub fn mounted_files(&self) -> Vec<MountedFile> {
        let Some(database) = self.main_database().map(|observed| &observed.database) else {
            return Vec::new();
        };
        let mut paths: Vec<String> = self.conf_files().map(|(inside, _)| inside.to_string()).collect();
        for name in NEEDED {
            let options = database.command.options.iter().rev();
            let by_command = options.filter(|option| option.name == *name).map(|option| option.value.clone());
            let in_conf = self.conf.as_ref().and_then(|conf| conf.set.effective(name));
            let in_conf = in_conf.map(|found| String::from_utf8_lossy(&found.value()).into_owned());
            paths.extend(by_command.into_iter().next().or(in_conf).filter(|path| path.starts_with('/')));
        }
        let mut files: Vec<MountedFile> = Vec::new();
        for inside in paths {
            let inside = join("/", &inside);
            let is_new = !files.iter().any(|file| file.inside == inside);
            if let Some(way) = self.way(&inside).filter(|_| is_new) {
                files.push(MountedFile { inside, way });
            }
        }
        files
    }

    /// Returns the folders of the host, and the file, through which a path of the container leads.
    fn way(&self, inside: &str) -> Option<Vec<String>> {
        let mounts = &self.main_database()?.database.mounts;
        let root = mounts.root(inside)?;
        let mut way = Vec::new();
        let mut path = inside;
        loop {
            let Some(Host::Path(host)) = mounts.host(path) else { return None };
            way.push(host);
            if path.len() <= root.trim_end_matches('/').len() || path == "/" {
                break;
            }
            path = folder(path);
        }
        way.reverse();
        Some(way)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Snapshot, Target, TargetKind, observe};

    #[test]
    fn the_folders_above_a_file_count_as_far_as_they_are_mounted() {
        let text = "services:\n  db:\n    image: postgres:15\n    command: postgres -c config_file=/c/a/postgresql.conf -c hba_file=/h.conf\n\
                    \x20   volumes: ['../conf:/c', '../hba/x:/h.conf', 'data:/var/lib/postgresql/data']\n";
        let files = [
            ("docker/docker-compose.yaml", text),
            ("conf/database/postgresql.conf", "ident_file = '/no/such'\n"),
        ];
        let target = Target::new("t", TargetKind::Deployment);
        let found = observe(&target, &Snapshot::from_iter(files)).mounted_files();
        let found: Vec<_> =
            found.iter().map(|file| format!("{}: {}", file.inside, file.way.join(" "))).collect();
        assert_eq!(found, ["/c/a/postgresql.conf: conf conf/a conf/a/postgresql.conf", "/h.conf: hba/x"]);
    }
}
