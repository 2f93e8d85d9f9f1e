//! Any set of files, any contents.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kasm_db_commit::{Change, Error, State};
use proptest::prelude::*;

use crate::support::{Progress, Seen, set_mode};

#[derive(Clone, Debug)]
struct Case {
    mode: u32,
    before: Vec<u8>,
    after: Vec<u8>,
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    let any = proptest::collection::vec(any::<u8>(), 0..200);
    prop_oneof![any, (0_usize..200_000).prop_map(|len| vec![b'x'; len]), Just(Vec::new())]
}

fn case() -> impl Strategy<Value = Case> {
    let mode = prop_oneof![Just(0o600), Just(0o644), Just(0o660), Just(0o755), Just(0o444)];
    (mode, content(), content()).prop_map(|(mode, before, after)| Case { mode, before, after })
}

fn files() -> impl Strategy<Value = BTreeMap<String, Case>> {
    proptest::collection::btree_map("(d/|d/e/|f/)?[a-c.ä]{0,3}x", case(), 0..7)
}

/// Puts the cases on the disk and returns the changes they ask for.
fn set_up(progress: &Progress, files: &BTreeMap<String, Case>) -> Vec<Change> {
    let set_up_one = |(path, case): (&String, &Case)| {
        progress.write(path, &case.before);
        set_mode(&progress.at(path), case.mode);
        Change { path: path.into(), before: case.before.clone(), after: case.after.clone() }
    };
    files.iter().map(set_up_one).collect()
}

fn only_kept(look: &BTreeMap<PathBuf, Seen>) -> Vec<(&PathBuf, impl PartialEq + std::fmt::Debug)> {
    look.iter().map(|(path, seen)| (path, seen.kept())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_a_commit_every_file_has_its_new_content_and_all_else_is_as_before(files in files()) {
        let progress = Progress::with(&[]);
        let changes = set_up(&progress, &files);
        let before = progress.look();
        let report = progress.commit(&changes).unwrap();
        let after = progress.look();
        for (path, case) in &files {
            let path = Path::new(path);
            prop_assert_eq!(after[path].bytes.as_ref(), Some(&case.after));
            if case.before == case.after {
                prop_assert_eq!(&after[path], &before[path]);
            }
        }
        prop_assert_eq!(only_kept(&after), only_kept(&before));
        prop_assert_eq!(report.written.len() + report.unchanged.len(), files.len());

        // What was done once is not to be done again.
        let again: Vec<_> =
            changes.into_iter().map(|change| Change { before: change.after.clone(), ..change }).collect();
        prop_assert!(progress.commit(&again).unwrap().written.is_empty());
        prop_assert_eq!(progress.look(), after);
    }

    #[test]
    fn one_file_with_other_content_keeps_every_file_as_it_is(files in files(), which: prop::sample::Index) {
        prop_assume!(!files.is_empty());
        let progress = Progress::with(&[]);
        let mut changes = set_up(&progress, &files);
        let wrong = which.index(changes.len());
        changes[wrong].before.push(b'!');
        changes[wrong].after.push(b'?');
        let before = progress.look();
        let error = progress.commit(&changes).unwrap_err();
        prop_assert!(matches!(error.state, State::NothingChanged));
        let changed = matches!(error.cause, Error::Changed { .. });
        prop_assert!(changed, "{}", error);
        prop_assert_eq!(progress.look(), before);
    }
}
