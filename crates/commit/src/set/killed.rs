//! Commits that were killed between two steps, and what a recovery makes of them.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::digest::Digest;
use crate::error::Stranger;
use crate::recover::Outcome;
use crate::root::Root;

/// How long a lock that nobody holds may take: a child that another test starts has its descriptor for a moment.
const SOON: Duration = Duration::from_secs(10);

const FILES: [&str; 3] = ["a", "d/b", "d/c"];

/// Three files, of which the last is written in place; one is longer afterwards, one shorter.
struct Tree {
    temp: tempfile::TempDir,
    changes: Vec<Change>,
}

/// How far a commit comes before it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Begun,
    Prepared,
    Decided,
    Replaced(usize),
    Cleaned,
}

const STEPS: [Step; 7] = [
    Step::Begun,
    Step::Prepared,
    Step::Decided,
    Step::Replaced(1),
    Step::Replaced(2),
    Step::Replaced(3),
    Step::Cleaned,
];

impl Tree {
    fn new() -> Tree {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir(temp.path().join("d")).unwrap();
        let [a, b, c] = FILES.map(|path| Change {
            path: path.into(),
            before: format!("{path} = old and longer\n").into(),
            after: format!("{path} = new\n").into(),
        });
        let changes = vec![a, Change { before: b.after, after: b.before, ..b }, c];
        for change in &changes {
            fs::write(temp.path().join(&change.path), &change.before).unwrap();
        }
        Tree { temp, changes }
    }

    fn root(&self) -> Root {
        Root::open(self.temp.path()).unwrap()
    }

    fn at(&self, path: &str) -> PathBuf {
        self.temp.path().join(path)
    }

    /// Runs a commit up to a step. What a killed process would not do, such as cleaning up, is not done.
    fn killed_after(&self, step: Step) {
        let root = self.root();
        let options = Options {
            in_place: vec!["d/c".into()],
            follow_up: Some(b"restart".to_vec()),
            tool: "test 1".into(),
            what: "apply".into(),
            managed: Some(b"all".to_vec()),
            ..Options::default()
        };
        let mut set = Set::check(root.dir(), &self.changes, &options.in_place).unwrap();
        let files = set.members.iter().map(Member::record).collect();
        let mut log = Log::begin(root.dir(), files, &options, &|_| Ok(())).unwrap();
        if step >= Step::Prepared {
            set.prepare(&mut log).unwrap();
        }
        if step >= Step::Decided {
            log.decide().unwrap();
        }
        let replaced = match step {
            Step::Replaced(count) => count,
            Step::Cleaned => 3,
            _ => 0,
        };
        set.members.iter_mut().take(replaced).try_for_each(exchange::replace).unwrap();
        if step == Step::Cleaned {
            assert!(set.clean_up().is_empty());
        }
    }

    fn recover(&self) -> Result<Outcome, Error> {
        let root = self.root();
        let recovery = root.lock(SOON).unwrap().recover()?;
        assert!(recovery.leftovers.is_empty(), "{:?}", recovery.leftovers);
        Ok(recovery.outcome)
    }

    /// Returns whether all files are old (`false`) or all new (`true`), and insists that they are one of both.
    #[track_caller]
    fn is_new(&self) -> bool {
        let holds =
            |change: &Change, content: &[u8]| fs::read(self.at("").join(&change.path)).unwrap() == content;
        let (old, new) = (
            self.changes.iter().all(|change| holds(change, &change.before)),
            self.changes.iter().all(|change| holds(change, &change.after)),
        );
        assert!(old != new, "some are old and some are new, or neither");
        new
    }

    /// Every name below the root.
    fn names(&self) -> Vec<String> {
        let (mut names, mut waiting) = (Vec::new(), vec![self.at("")]);
        while let Some(dir) = waiting.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                names.push(path.strip_prefix(self.at("")).unwrap().display().to_string());
                waiting.extend(path.is_dir().then_some(path));
            }
        }
        names.sort();
        names
    }
}

const EMPTY: [&str; 11] = [
    ".kasm-db",
    ".kasm-db/.gitignore",
    ".kasm-db/generations",
    ".kasm-db/layout",
    ".kasm-db/private",
    ".kasm-db/private/generations",
    ".kasm-db/private/lock",
    "a",
    "d",
    "d/b",
    "d/c",
];

#[test]
fn wherever_it_is_killed_a_recovery_makes_all_files_old_or_all_new() {
    for step in STEPS {
        let tree = Tree::new();
        tree.killed_after(step);
        let is_decided = step >= Step::Decided;
        let interrupted = tree.root().interrupted().unwrap();
        assert_eq!(interrupted.is_some(), is_decided, "{step:?}");
        let outcome = tree.recover().unwrap();
        if is_decided {
            let Outcome::Finished(generation) = outcome else { panic!("{step:?}: {outcome:?}") };
            assert_eq!((generation.number, &*generation.what, generation.files.len()), (1, "apply", 3));
            assert!(tree.is_new());
            assert_eq!(tree.root().history().unwrap(), [generation]);
            assert_eq!(tree.root().follow_up().unwrap().as_deref(), Some(b"restart".as_slice()));
            assert_eq!(tree.root().managed().unwrap().as_deref(), Some(b"all".as_slice()));
            let own = [0, 1, 2].map(|index| format!(".kasm-db/private/generations/1/{index}.old"));
            let mut names = EMPTY.map(String::from).to_vec();
            names.extend(own);
            names.extend(
                [
                    ".kasm-db/follow-up",
                    ".kasm-db/managed",
                    ".kasm-db/generations/1",
                    ".kasm-db/generations/1/manifest",
                    ".kasm-db/private/generations/1",
                    ".kasm-db/private/generations/1/manifest",
                ]
                .map(String::from),
            );
            names.sort();
            assert_eq!(tree.names(), names, "{step:?}");
        } else {
            assert_eq!(outcome, Outcome::Nothing);
            assert!(!tree.is_new());
            assert_eq!(tree.root().follow_up().unwrap(), None);
            assert_eq!(tree.names(), EMPTY, "{step:?}");
        }
        // Nothing is left to do, and the next commit is like any other.
        assert_eq!(tree.recover().unwrap(), Outcome::Nothing);
        assert_eq!(tree.root().interrupted().unwrap(), None);
        let change =
            Change { path: "a".into(), before: fs::read(tree.at("a")).unwrap(), after: b"x".to_vec() };
        let root = tree.root();
        let report = root.lock(SOON).unwrap().commit(&[change]).unwrap();
        assert_eq!(report.generation, Some(if is_decided { 2 } else { 1 }));
    }
}

#[test]
fn a_commit_before_the_recovery_is_refused() {
    let tree = Tree::new();
    tree.killed_after(Step::Replaced(1));
    let root = tree.root();
    let error = root.lock(SOON).unwrap().commit(&tree.changes[1..]).unwrap_err();
    assert!(matches!(error.cause, Error::Interrupted { .. }), "{error}");
    assert!(matches!(error.state, State::NothingChanged), "{error}");
}

#[test]
fn a_new_content_that_is_lost_takes_the_others_back() {
    for (backup_only, name) in [(false, "d/.b.kasm-db-new"), (true, "d/.b.kasm-db-new")] {
        let tree = Tree::new();
        tree.killed_after(Step::Replaced(1));
        fs::set_permissions(tree.at("a"), fs::Permissions::from_mode(0o644)).unwrap();
        fs::remove_file(tree.at(name)).unwrap();
        if backup_only {
            fs::remove_file(tree.at(".a.kasm-db-new")).unwrap();
        }
        let outcome = tree.recover().unwrap();
        assert!(matches!(outcome, Outcome::Undone(_)), "{outcome:?}");
        assert!(!tree.is_new());
        assert_eq!(tree.names(), EMPTY);
        assert_eq!(fs::metadata(tree.at("a")).unwrap().mode() & 0o7777, 0o644);
        assert_eq!(tree.root().history().unwrap(), []);
        assert_eq!(tree.root().follow_up().unwrap(), None);
    }
}

#[test]
fn a_file_torn_in_place_is_finished_from_its_copy_or_restored_from_its_backup() {
    for lost in [None, Some("private/generations/1/2.new")] {
        // The third alone, so that it can be taken back.
        let tree = decided_in_place();
        let ino = fs::metadata(tree.at("d/c")).unwrap().ino();
        fs::write(tree.at("d/c"), "d/c = nld and longer\n").unwrap();
        if lost.is_some() {
            fs::write(tree.at(".kasm-db/private/generations/1/0.new"), "torn too").unwrap();
            // What a file was to get is needed to tell a torn one from an edited one.
            assert!(matches!(tree.recover(), Err(Error::Unrecognised { now: Stranger::Content, .. })));
            continue;
        }
        assert!(matches!(tree.recover().unwrap(), Outcome::Finished(_)));
        assert!(tree.is_new());
        assert_eq!(fs::metadata(tree.at("d/c")).unwrap().ino(), ino);
    }
}

/// Kills a commit of `d/c` in place once it is decided.
fn decided_in_place() -> Tree {
    let tree = Tree::new();
    let tree = Tree { changes: tree.changes[2..].to_vec(), ..tree };
    let root = tree.root();
    let options = Options { in_place: vec![PathBuf::from("d/c")], ..Options::default() };
    let mut set = Set::check(root.dir(), &tree.changes, &options.in_place).unwrap();
    let files = set.members.iter().map(Member::record).collect();
    let mut log = Log::begin(root.dir(), files, &options, &|_| Ok(())).unwrap();
    set.prepare(&mut log).unwrap();
    log.decide().unwrap();
    drop((set, log));
    tree
}

#[test]
fn a_second_name_of_another_file_is_not_written_over_in_place() {
    let tree = decided_in_place();
    let victim = tree.at("victim");
    // Torn: either content would have to be written.
    fs::write(tree.at("d/c"), "d/c = nld and longer\n").unwrap();
    fs::rename(tree.at("d/c"), &victim).unwrap();
    fs::hard_link(&victim, tree.at("d/c")).unwrap();
    let before = fs::read(&victim).unwrap();
    for _ in 0..2 {
        let error = tree.recover().unwrap_err();
        assert!(matches!(error, Error::Unrecognised { now: Stranger::Linked, .. }), "{error}");
        assert_eq!(fs::read(&victim).unwrap(), before);
    }
    fs::remove_file(&victim).unwrap();
    assert!(matches!(tree.recover().unwrap(), Outcome::Finished(_)));
    assert!(tree.is_new());
}

#[test]
fn a_file_that_took_the_place_of_one_that_was_looked_at_is_not_written_over() {
    let tree = decided_in_place();
    let dir = tree.root().dir().descend(Path::new("d"), Access::Read).unwrap();
    let name = std::ffi::OsStr::new("c");
    let looked_at = dir.open_regular(name).unwrap().unwrap();
    let content = fs::read(tree.at("d/c")).unwrap();
    let write = || crate::in_place::overwrite(&dir, name, &looked_at, Digest::of(&content), b"new");
    // The same content, and another file.
    fs::write(tree.at("d/other"), &content).unwrap();
    fs::rename(tree.at("d/other"), tree.at("d/c")).unwrap();
    assert!(matches!(write(), Err(Error::Changed { .. })));
    assert_eq!(fs::read(tree.at("d/c")).unwrap(), content);
}

#[test]
fn a_file_that_is_neither_old_nor_new_is_named_and_nothing_is_written() {
    for (path, step) in
        [("a", Step::Decided), ("a", Step::Replaced(1)), ("d/b", Step::Replaced(1)), ("d/c", Step::Decided)]
    {
        let tree = Tree::new();
        tree.killed_after(step);
        fs::write(tree.at(path), "edited by hand\n").unwrap();
        let look = || FILES.map(|file| fs::read(tree.at(file)).unwrap());
        let before = (look(), tree.names());
        for _ in 0..2 {
            let error = tree.recover().unwrap_err();
            assert!(
                matches!(&error, Error::Unrecognised { path: named, now: Stranger::Content, .. }
                if named.ends_with(path)),
                "{error}"
            );
            assert!(tree.root().interrupted().is_err());
        }
        assert_eq!((look(), tree.names()), before);
        // Once a person has put it right, it continues.
        let index = FILES.iter().position(|file| *file == path).unwrap();
        fs::write(tree.at(path), &tree.changes[index].before).unwrap();
        tree.recover().unwrap();
        tree.is_new();
    }
}

#[test]
fn a_file_that_is_gone_is_named() {
    let tree = Tree::new();
    tree.killed_after(Step::Replaced(1));
    fs::remove_file(tree.at("d/b")).unwrap();
    let error = tree.recover().unwrap_err();
    assert!(matches!(error, Error::Unrecognised { now: Stranger::Missing, .. }), "{error}");
}

#[test]
fn another_mode_that_somebody_has_set_since_is_not_lost() {
    let tree = Tree::new();
    tree.killed_after(Step::Decided);
    let mode = |path: &str| fs::metadata(tree.at(path)).unwrap().mode() & 0o7777;
    let set =
        |path: &str, mode| fs::set_permissions(tree.at(path), fs::Permissions::from_mode(mode)).unwrap();
    set("d/b", 0o604);
    assert!(matches!(tree.recover().unwrap(), Outcome::Undone(_)));
    assert!(!tree.is_new());
    assert_eq!(mode("d/b"), 0o604);

    let tree = Tree::new();
    tree.killed_after(Step::Replaced(1));
    for path in ["a", "d/b"] {
        fs::set_permissions(tree.at(path), fs::Permissions::from_mode(0o604)).unwrap();
    }
    let error = tree.recover().unwrap_err();
    assert!(matches!(error, Error::Unrecognised { now: Stranger::Rights, .. }), "{error}");
}

#[test]
fn a_staged_file_with_other_rights_is_not_put_in_place() {
    let tree = Tree::new();
    tree.killed_after(Step::Decided);
    let planted = tree.at("d/.b.kasm-db-new");
    fs::set_permissions(&planted, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(matches!(tree.recover().unwrap(), Outcome::Undone(_)));
    assert!(!tree.is_new());
    assert_eq!(tree.names(), EMPTY);
}

#[test]
fn a_damaged_journal_is_refused_and_nothing_is_written() {
    for damage in [b"".as_slice(), b"kasm-db journal 9\n", &[0xff; 100]] {
        let tree = Tree::new();
        tree.killed_after(Step::Replaced(1));
        fs::write(tree.at(".kasm-db/journal"), damage).unwrap();
        let names = tree.names();
        let error = tree.recover().unwrap_err();
        assert!(
            matches!(&error, Error::Damaged { path, .. } if path.ends_with(".kasm-db/journal")),
            "{error}"
        );
        assert!(error.help().is_some());
        assert!(tree.root().interrupted().is_err());
        assert_eq!(tree.names(), names);
    }
}

#[test]
fn a_commit_of_another_process_is_not_an_interrupted_one() {
    let tree = Tree::new();
    tree.killed_after(Step::Replaced(1));
    let root = tree.root();
    let lock = root.lock(SOON).unwrap();
    assert_eq!(tree.root().interrupted().unwrap(), None);
    drop(lock);
    assert!(tree.root().interrupted().unwrap().is_some());
}

#[test]
fn a_link_in_the_way_of_a_recovery_is_refused_and_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("b"), "d/b = new\n").unwrap();
    let tree = Tree::new();
    tree.killed_after(Step::Replaced(1));
    fs::rename(tree.at("d"), tree.at("real")).unwrap();
    std::os::unix::fs::symlink(outside.path(), tree.at("d")).unwrap();
    let error = tree.recover().unwrap_err();
    assert!(matches!(&error, Error::Symlink { path } if path.ends_with("d")), "{error}");
    let left: Vec<_> =
        fs::read_dir(outside.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["b"]);
}

#[test]
fn what_others_could_have_written_is_not_recovered() {
    let tree = Tree::new();
    tree.killed_after(Step::Replaced(1));
    let state = tree.at(".kasm-db");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o770)).unwrap();
    let error = tree.recover().unwrap_err();
    assert!(matches!(error, Error::InsecureState { mode: 0o770, .. }), "{error}");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
    fs::rename(&state, tree.at("elsewhere")).unwrap();
    std::os::unix::fs::symlink("elsewhere", &state).unwrap();
    assert!(matches!(tree.recover(), Err(Error::Symlink { .. })));
}

#[test]
fn without_exchange_a_recovery_renames() {
    let tree = Tree::new();
    tree.killed_after(Step::Decided);
    // What the fallback leaves between its two steps: the old file has two names.
    fs::hard_link(tree.at("a"), tree.at(".a.kasm-db-old")).unwrap();
    assert!(matches!(tree.recover().unwrap(), Outcome::Finished(_)));
    assert!(tree.is_new());
    assert!(!tree.names().iter().any(|name| Path::new(name).starts_with(".a.kasm-db-old")));
}
