//! What kasm-db 0.1.0 wrote is read by the present program: the trees in `tests/fixtures/0.1.0`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::{Permissions, metadata, read, read_to_string, set_permissions, write};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use commit::Digest;
use testing::{Run, Sandbox, repository};

use crate::PROGRAM;

/// The files that the applies change.
const FILES: [&str; 2] = ["kasm/conf/database/postgresql.conf", "kasm/docker/docker-compose.yaml"];

/// A sandbox with one of the trees in it.
pub(crate) struct Tree(Sandbox);

impl Tree {
    pub(crate) fn new(name: &str) -> Self {
        let sandbox = Sandbox::new(PROGRAM);
        let text = read_to_string(repository().join(format!("tests/fixtures/0.1.0/{name}.tree"))).unwrap();
        let mut folders = Vec::new();
        for entry in Entry::all(&text) {
            let path = sandbox.root().join(entry.path);
            match entry.content {
                None => {
                    std::fs::create_dir(&path).unwrap();
                    folders.push((path, entry.mode));
                }
                Some(content) => {
                    let content = content.replace("[ROOT]", sandbox.root().to_str().unwrap());
                    write(&path, owned(&content, sandbox.root())).unwrap();
                    set_permissions(&path, Permissions::from_mode(entry.mode)).unwrap();
                }
            }
        }
        for (path, mode) in folders {
            set_permissions(path, Permissions::from_mode(mode)).unwrap();
        }
        Self(sandbox)
    }

    pub(crate) fn run(&self, arguments: &str) -> Run {
        self.0.run(arguments)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.root().join(path)
    }

    fn files(&self) -> [Vec<u8>; 2] {
        FILES.map(|path| read(self.at(path)).unwrap())
    }

    fn has(&self, path: &str) -> bool {
        self.at(path).exists()
    }
}

/// A folder or a file of a tree.
struct Entry<'a> {
    path: &'a str,
    mode: u32,
    content: Option<String>,
}

impl Entry<'_> {
    fn all(text: &str) -> Vec<Entry<'_>> {
        let mut all: Vec<Entry<'_>> = Vec::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix(['|', '\\']) {
                let content = all.last_mut().unwrap().content.as_mut().unwrap();
                content.push_str(rest);
                content.push_str(if line.starts_with('|') { "\n" } else { "" });
            } else if !line.starts_with('#') {
                let [kind, mode, path] = line.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
                let mode = u32::from_str_radix(mode, 8).unwrap();
                all.push(Entry { path, mode, content: (kind == "file").then(String::new) });
            }
        }
        all
    }
}

/// Returns a record the owner of the folder that it is in: in the trees all files are root's.
fn owned(content: &str, folder: &Path) -> String {
    let owner = metadata(folder).unwrap();
    let Some(end) = content.rfind("sha256 ").filter(|_| content.starts_with("kasm-db journal 1\n")) else {
        return content.to_owned();
    };
    let body = content[..end].replace(" 0 0 ", &format!(" {} {} ", owner.uid(), owner.gid()));
    format!("{body}sha256 {}\n", Digest::of(body.as_bytes()))
}

/// The contents that the first apply changes, and those that it leaves.
fn old_and_new() -> ([Vec<u8>; 2], [Vec<u8>; 2]) {
    (Tree::new("plan").files(), Tree::new("follow-up-stop").files())
}

/// What the commands that stop and start have said, in order.
fn said(run: &Run) -> Vec<&str> {
    let all = run.stdout.lines().chain(run.stderr.lines());
    all.filter_map(|line| line.strip_prefix("  | ")).filter(|line| line.ends_with("ed")).collect()
}

#[test]
fn a_document_is_read() {
    Tree::new("plan").run("validate -f kasm-db.yaml").expect(0);
}

#[test]
fn a_saved_plan_is_refused_by_name_with_the_next_step() {
    let tree = Tree::new("plan");
    for command in ["show", "apply"] {
        let run = tree.run(&format!("{command} plan.json")).expect(1);
        assert!(run.stderr.contains("plan.json is a plan file of kasm-db 0.1.0"), "{run}");
        assert!(run.stderr.contains("save a plan with `kasm-db plan --out FILE`"), "{run}");
    }
    // The next step works.
    tree.run("plan --out plan.json").expect(0);
    tree.run("apply plan.json").expect(0);
}

#[test]
fn a_rendered_folder_is_named_as_one_of_an_earlier_version() {
    let tree = Tree::new("rendered");
    // The configuration is the same, and what is hidden of it is not.
    let run = tree.run("render --check").expect(2);
    assert!(run.stdout.ends_with("rendered by an earlier version of kasm-db: render again.\n"), "{run}");
    tree.run("render").expect(0);
    tree.run("render --check").expect(0);
    let postgresql = tree.at("rendered").join("kasm/conf/database/postgresql.conf");
    assert!(postgresql.exists());
    write(&postgresql, "port = 1\n").unwrap();
    tree.run("render --check").expect(2);
}

#[test]
fn generations_are_listed_and_lead_back() {
    let tree = Tree::new("generations");
    let before = tree.0.seen(tree.0.root());
    let run = tree.run("history").expect(0);
    let listed: Vec<_> = run.stdout.lines().filter(|line| line.contains("apply (kasm-db 0.1.0)")).collect();
    assert_eq!(listed.len(), 3, "{run}");
    assert_eq!(tree.0.seen(tree.0.root()), before);
    let (old, new) = old_and_new();
    let newest = tree.files();
    tree.run("rollback 1 -y").expect(0);
    assert_eq!(tree.files(), new);
    tree.run("rollback 0 -y").expect(0);
    assert_eq!(tree.files(), old);
    tree.run("rollback 3 -y").expect(0);
    assert_eq!(tree.files(), newest);
    let run = tree.run("history").expect(0);
    for what in ["   1  ", "   2  ", "   3  ", "rollback to 1 ", "rollback to 0 ", "rollback to 3 "] {
        assert!(run.stdout.contains(what), "{run}");
    }
}

#[test]
fn a_pending_journal_is_reported_and_recovered() {
    for name in ["journal", "journal-in-place", "journal-last"] {
        let tree = Tree::new(name);
        // In the last one every file is in place, and nothing is left but to say so.
        let is_interrupted = name != "journal-last";
        let run = tree.run("plan").expect(if is_interrupted { 8 } else { 0 });
        assert_eq!(run.stderr.contains("an interrupted apply is here"), is_interrupted, "{name}: {run}");
        let run = tree.run("recover").expect(0);
        let finished = "an interrupted apply was finished, and 2 files have their new content";
        assert!(run.stderr.contains(finished), "{name}: {run}");
        assert_eq!(tree.files(), old_and_new().1, "{name}");
        // What follows the files was written down with the journal.
        assert_eq!(said(&run), ["stopped", "started"], "{name}: {run}");
        assert!(!tree.has("kasm/.kasm-db/journal"));
        tree.run("plan --detailed-exitcode").expect(0);
        tree.run("rollback 0 -y").expect(0);
        assert_eq!(tree.files(), old_and_new().0, "{name}");
    }
}

#[test]
fn a_pending_journal_whose_new_content_is_lost_is_taken_back() {
    let tree = Tree::new("journal");
    std::fs::remove_file(tree.at("kasm/docker/.docker-compose.yaml.kasm-db-new")).unwrap();
    let run = tree.run("recover").expect(0);
    assert!(run.stdout.contains("was reverted, and 2 files are as before"), "{run}");
    assert_eq!(tree.files(), old_and_new().0);
    tree.run("apply -y").expect(0);
    assert_eq!(tree.files(), old_and_new().1);
}

#[test]
fn an_apply_that_was_killed_before_its_commit_point_never_was() {
    let tree = Tree::new("journal-new");
    tree.run("plan --detailed-exitcode").expect(2);
    tree.run("recover").expect(0);
    assert_eq!(tree.files(), old_and_new().0);
    assert!(
        !tree.has("kasm/.kasm-db/journal.new") && !tree.has("kasm/docker/.docker-compose.yaml.kasm-db-new")
    );
    tree.run("apply -y").expect(0);
    assert_eq!(tree.files(), old_and_new().1);
}

#[test]
fn what_follows_continues_at_the_step_that_was_written_down() {
    for (step, commands) in [
        ("stop", ["stopped", "started"].as_slice()),
        ("start", &["started"]),
        ("healthy", &[]),
        ("extension", &[]),
    ] {
        for command in ["recover", "apply -y"] {
            let tree = Tree::new(&format!("follow-up-{step}"));
            let run = tree.run(command).expect(0);
            assert_eq!(said(&run), commands, "{step}: {run}");
            assert!(tree.run("recover").expect(0).stdout.contains("Nothing to recover"));
        }
    }
    // Without an engine there is no server that could read its files again.
    let tree = Tree::new("follow-up-reload");
    let run = tree.0.finish(tree.0.command(PROGRAM).arg("recover").env("PATH", "/nowhere")).expect(9);
    assert!(run.stderr.contains("the server could not be told to read its files again"), "{run}");
}
