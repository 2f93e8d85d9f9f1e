//! Trees near a path that is not one: what was probably meant.
//!
//! Only trees of Kasm are named, so that a document from anybody does not find out what else this machine has.

use std::path::{Component, Path, PathBuf};

/// Finds the tree that a path which is not there was probably meant to name: one of its parts is misspelt.
pub(crate) fn misspelt(path: &Path) -> Option<PathBuf> {
    let mut parts = path.components();
    let mut there = PathBuf::new();
    let wrong = loop {
        let part = parts.next()?;
        let next = there.join(part);
        if !next.exists() {
            break part;
        }
        there = next;
    };
    let Component::Normal(wrong) = wrong else { return None };
    let names = names(if there.as_os_str().is_empty() { Path::new(".") } else { &there });
    let rest = parts.as_path();
    let trees = names.iter().map(String::as_str).filter(|name| is_tree(&there.join(name).join(rest)));
    let meant = model::nearest(wrong.to_str()?, trees)?;
    Some(plain(&there.join(meant).join(rest)))
}

/// Finds the tree that holds a folder, or that is in it.
pub(crate) fn around(folder: &Path) -> Option<PathBuf> {
    let above = folder.ancestors().skip(1).take(3).find(|above| is_tree(above));
    above.map(Path::to_path_buf).or_else(|| below(folder, 2))
}

/// Writes the tree around a folder as the folder was written: relative to the same place. `named` is the folder itself.
pub(crate) fn meant(written: &Path, named: &Path) -> Option<PathBuf> {
    if written.components().any(|part| part == Component::ParentDir) {
        return None;
    }
    let near = around(named)?;
    if let Ok(rest) = near.strip_prefix(named) {
        return Some(written.join(rest));
    }
    let above = named.components().count().checked_sub(near.components().count())?;
    written.ancestors().nth(above).filter(|path| !path.as_os_str().is_empty()).map(Path::to_path_buf)
}

fn below(folder: &Path, levels: usize) -> Option<PathBuf> {
    let mut names = names(folder);
    // The link to the release that runs goes before the releases.
    names.sort_by_key(|name| (name != "current", name.clone()));
    let folders = || names.iter().map(|name| folder.join(name)).filter(|path| path.is_dir());
    let deeper = || folders().take(20).find_map(|path| below(&path, levels - 1));
    folders().find(|path| is_tree(path)).or_else(|| (levels > 1).then(deeper).flatten())
}

fn is_tree(path: &Path) -> bool {
    path.join("docker").is_dir() && path.join("conf").is_dir()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().take(1000);
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

/// Returns a path without `./` in front.
pub(crate) fn plain(path: &Path) -> PathBuf {
    match path.strip_prefix(".") {
        Ok(rest) if !rest.as_os_str().is_empty() => rest.to_path_buf(),
        _ => path.to_path_buf(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn only_trees_are_named() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path();
        for folder in ["opt/kasm/current/docker", "opt/kasm/current/conf", "opt/kasm/secret"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        let current = root.join("opt/kasm/current");
        assert_eq!(misspelt(&root.join("opt/kasm/curent")), Some(current.clone()));
        assert_eq!(misspelt(&root.join("opt/kasn/current")), Some(current.clone()));
        assert_eq!(misspelt(&root.join("opt/kasm/secrets")), None);
        assert_eq!(misspelt(&root.join("opt/kasm/elsewhere")), None);
        assert_eq!(around(&root.join("opt/kasm")), Some(current.clone()));
        assert_eq!(around(&root.join("opt")), Some(current.clone()));
        assert_eq!(around(&current.join("docker")), Some(current));
        assert_eq!(around(&root.join("opt/kasm/secret")), None);
        let written = |path: &str| meant(Path::new(path), &root.join(path));
        assert_eq!(written("opt/kasm"), Some("opt/kasm/current".into()));
        assert_eq!(written("opt/kasm/current/docker"), Some("opt/kasm/current".into()));
        assert_eq!(written("opt/kasm/../kasm/current/docker"), None);
        assert_eq!(plain(Path::new("./a/b")), Path::new("a/b"));
    }
}
