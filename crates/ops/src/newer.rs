//! A newer tree beside a deployment: an upgrade of Kasm installs one, and leaves the old one where it is.

use std::path::{Path, PathBuf};

use render::TargetKind;

use crate::opened::Rooted;

/// So many entries of the folder are looked at.
const MOST: usize = 10_000;

impl Rooted {
    /// Returns the newest tree beside a deployment whose folder is named by a version, if it is newer: a folder with a later
    /// version for its name, and with compose files in the place of a deployment's. Nothing runs in a copy of a host's files,
    /// so that nothing is looked for beside one.
    pub(crate) fn newer_tree(&self) -> Option<PathBuf> {
        let folder = self.root.path();
        let own = version(folder)?;
        if self.target.kind != TargetKind::Deployment || self.chroot.is_some() {
            return None;
        }
        let entries = std::fs::read_dir(folder.parent()?).ok()?.flatten().take(MOST);
        let newer = entries.filter_map(|entry| {
            let path = entry.path();
            let version = version(&path).filter(|version| *version > own)?;
            // A link, such as `current`, is no tree of its own.
            (entry.file_type().ok()?.is_dir() && has_compose_files(&path)).then_some((version, path))
        });
        newer.max().map(|(_, path)| path)
    }
}

/// Reads the version that a folder is named by: `1.16.1`.
fn version(folder: &Path) -> Option<Vec<u32>> {
    numbers(folder.file_name()?.to_str()?)
}

/// Reads a version as the numbers that it is compared by; `None` if it is not one.
pub(crate) fn numbers(text: &str) -> Option<Vec<u32>> {
    let numbers: Option<Vec<u32>> = text.split('.').map(number).collect();
    numbers.filter(|numbers| numbers.len() > 1)
}

fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn has_compose_files(tree: &Path) -> bool {
    ["docker/docker-compose.yaml", "docker/.conf"].iter().any(|path| tree.join(path).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        let of = |name: &str| version(&Path::new("/opt/kasm").join(name));
        assert!(of("1.9.0") < of("1.10.0") && of("1.16.1") < of("1.17.0") && of("1.17") < of("1.17.1"));
        for name in ["current", "1", "1.x.0", "bin", "1.16.0-old", "+1.2"] {
            assert_eq!(of(name), None, "{name}");
        }
    }
}
