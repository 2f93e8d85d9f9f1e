//! The commit that is checked out in the Git work tree of a document: read from Git's files, without running Git.

use std::path::{Component, Path, PathBuf};

use commit::Root;

/// `HEAD`, a reference or a `gitdir:` file are one short line.
const LINE: u64 = 4096;

/// `packed-refs` has a line for each reference; a larger file is not read.
const PACKED: u64 = 8 << 20;

/// As many references are followed as Git follows.
const REFERENCES: usize = 5;

/// Returns the id of the commit that is checked out where a document is; `None` if it is not in a work tree, or if Git's
/// files have a form that is not known, such as reftables.
///
/// The work tree can differ from that commit: the history has the SHA-256 of the document beside it.
pub(crate) fn checked_out(document: &Path) -> Option<String> {
    let document = document.canonicalize().ok()?;
    let git = document.ancestors().skip(1).map(|folder| folder.join(".git")).find(|git| git.exists())?;
    let own = if git.is_dir() { git } else { linked(&git)? };
    let common = match line(&own, "commondir") {
        Some(common) => own.join(common),
        None => own.clone(),
    };
    let mut text = line(&own, "HEAD")?;
    for _ in 0..REFERENCES {
        let Some(name) = text.strip_prefix("ref:").map(str::trim) else { break };
        if !is_reference(name) {
            return None;
        }
        text = line(&own, name).or_else(|| line(&common, name)).or_else(|| packed(&common, name))?;
    }
    is_id(&text).then_some(text)
}

/// Reads where the folder of a linked work tree or a submodule is.
fn linked(git: &Path) -> Option<PathBuf> {
    let parent = git.parent()?;
    let text = line(parent, ".git")?;
    Some(parent.join(text.strip_prefix("gitdir:")?.trim()))
}

fn packed(common: &Path, name: &str) -> Option<String> {
    let bytes = read(common, "packed-refs", PACKED)?;
    let lines = bytes.split(|&byte| byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    lines
        .filter_map(|line| line.split_once(' '))
        .find(|(_, found)| *found == name)
        .map(|(id, _)| id.to_owned())
}

fn line(folder: &Path, name: &str) -> Option<String> {
    let bytes = read(folder, name, LINE)?;
    Some(std::str::from_utf8(&bytes).ok()?.trim_end().to_owned())
}

fn read(folder: &Path, name: &str, limit: u64) -> Option<Vec<u8>> {
    Some(Root::open(folder).ok()?.read(Path::new(name), limit).ok()??.bytes)
}

/// Returns whether a name stays below the folder that it is looked up in.
fn is_reference(name: &str) -> bool {
    name.starts_with("refs/") && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}

/// Returns whether it is the id of an object, by SHA-1 or SHA-256.
fn is_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Runs Git in a folder, without the configuration of whoever runs the test.
    #[allow(clippy::disallowed_methods, reason = "Git itself is the judge")]
    fn git(folder: &Path, args: &[&str]) -> String {
        let mut command = Command::new("git");
        for name in ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"] {
            command.env(name, "nobody");
        }
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        let ran = command.arg("-C").arg(folder).args(args).output().unwrap();
        assert!(ran.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn reads_the_commit_that_git_itself_names() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        std::fs::create_dir_all(tree.join("eu")).unwrap();
        let document = tree.join("eu/kasm-db.yaml");
        std::fs::write(&document, "schema: kasm-db/v1\n").unwrap();
        assert_eq!(checked_out(&document), None);
        git(&tree, &["init", "-q", "-b", "main"]);
        assert_eq!(checked_out(&document), None, "nothing was committed yet");
        git(&tree, &["add", "."]);
        git(&tree, &["commit", "-q", "-m", "first"]);
        let head = |tree: &Path| Some(git(tree, &["rev-parse", "HEAD"]));
        assert_eq!(checked_out(&document), head(&tree));
        git(&tree, &["pack-refs", "--all"]);
        assert!(!tree.join(".git/refs/heads/main").exists());
        assert_eq!(checked_out(&document), head(&tree), "a packed reference");
        git(&tree, &["worktree", "add", "-q", "-b", "feature/x", "../linked"]);
        let linked = folder.path().join("linked");
        git(&linked, &["commit", "-q", "--allow-empty", "-m", "second"]);
        assert_eq!(checked_out(&linked.join("eu/kasm-db.yaml")), head(&linked), "a linked work tree");
        git(&tree, &["checkout", "-q", "--detach", "feature/x"]);
        assert_eq!(checked_out(&document), head(&linked), "no branch");
    }

    #[test]
    fn does_not_follow_a_reference_out_of_the_repository() {
        let folder = tempfile::tempdir().unwrap();
        let git = folder.path().join("tree/.git");
        std::fs::create_dir_all(&git).unwrap();
        let document = folder.path().join("tree/kasm-db.yaml");
        std::fs::write(&document, "").unwrap();
        std::fs::write(folder.path().join("id"), "a".repeat(40)).unwrap();
        for head in
            ["ref: ../../id", "ref: refs/../../../id", "ref: /etc/passwd", "ref: refs/heads/gone", "no id"]
        {
            std::fs::write(git.join("HEAD"), head).unwrap();
            assert_eq!(checked_out(&document), None, "{head}");
        }
    }
}
