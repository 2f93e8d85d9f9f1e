//! The moments between two system calls, which no caller can reach: each test stops a commit there.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::rc::Rc;

use super::*;
use crate::change::{Change, Options};
use crate::dir::{Access, Dir};
use crate::path::RelPath;
use crate::stage::stage;

const OLD: &str = "port = 80\n";
const NEW: &str = "port = 8080\n";
const THEIRS: &str = "port = 443\n";

fn change() -> Change {
    Change { path: "a".into(), before: OLD.into(), after: NEW.into() }
}

/// A member whose new content is staged, so that only the exchange is left to do.
fn staged<'a>(temp: &Path, change: &'a Change) -> Member<'a> {
    fs::write(temp.join("a"), OLD).unwrap();
    let dir = Dir::open(temp).unwrap().descend(Path::new(""), Access::Read).unwrap();
    let mut member =
        Member::check(Rc::new(dir), RelPath::parse(&change.path).unwrap(), change, false).unwrap();
    stage(&mut member).unwrap();
    member
}

fn read(temp: &Path, name: &str) -> String {
    fs::read_to_string(temp.join(name)).unwrap()
}

fn names(temp: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(temp).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != ".kasm-db");
    names.sort();
    names
}

#[test]
fn a_file_renamed_into_place_before_the_exchange_gets_its_place_again() {
    let (temp, change) = (tempfile::tempdir().unwrap(), change());
    let mut member = staged(temp.path(), &change);
    fs::write(temp.path().join("theirs"), THEIRS).unwrap();
    fs::rename(temp.path().join("theirs"), temp.path().join("a")).unwrap();

    let error = replace_by_exchange(&mut member).unwrap_err();
    assert!(matches!(error, Error::Changed { .. }), "{error}");
    put_back(&mut member).unwrap();
    assert_eq!(read(temp.path(), "a"), THEIRS);
}

#[test]
fn a_write_before_the_exchange_is_found_after_it() {
    let (temp, change) = (tempfile::tempdir().unwrap(), change());
    let mut member = staged(temp.path(), &change);
    fs::write(temp.path().join("a"), THEIRS).unwrap();

    let error = replace_by_exchange(&mut member).unwrap_err();
    assert!(matches!(error, Error::Changed { .. }), "{error}");
    put_back(&mut member).unwrap();
    assert_eq!(read(temp.path(), "a"), THEIRS);
}

#[test]
fn a_link_put_in_place_of_the_file_is_exchanged_back_and_never_followed() {
    let (temp, change) = (tempfile::tempdir().unwrap(), change());
    let mut member = staged(temp.path(), &change);
    fs::write(temp.path().join("elsewhere"), OLD).unwrap();
    fs::remove_file(temp.path().join("a")).unwrap();
    std::os::unix::fs::symlink("elsewhere", temp.path().join("a")).unwrap();

    let error = replace_by_exchange(&mut member).unwrap_err();
    assert!(matches!(error, Error::Changed { .. }), "{error}");
    put_back(&mut member).unwrap();
    assert!(fs::symlink_metadata(temp.path().join("a")).unwrap().is_symlink());
    assert_eq!(read(temp.path(), "elsewhere"), OLD);
}

#[test]
fn a_staged_file_that_somebody_swapped_is_not_put_in_place() {
    let (temp, change) = (tempfile::tempdir().unwrap(), change());
    let mut member = staged(temp.path(), &change);
    let name = temp.path().join(member.staged_name());
    fs::remove_file(&name).unwrap();
    fs::write(&name, THEIRS).unwrap();

    let error = replace(&mut member).unwrap_err();
    assert!(matches!(error, Error::NameTaken { by: Occupant::Intruder, .. }), "{error}");
    assert_eq!(read(temp.path(), "a"), OLD);
}

#[test]
fn what_another_process_wrote_to_the_new_file_is_not_rolled_back() {
    let (temp, change) = (tempfile::tempdir().unwrap(), change());
    let mut member = staged(temp.path(), &change);
    replace(&mut member).unwrap();
    fs::write(temp.path().join("a"), THEIRS).unwrap();

    let why = put_back(&mut member).unwrap_err();
    let pending = pending(&mut member, why);
    assert_eq!(pending.holds, Content::Foreign);
    assert_eq!(pending.kept.unwrap().content, Content::Old);
    assert_eq!(read(temp.path(), "a"), THEIRS);
    assert_eq!(read(temp.path(), ".a.kasm-db-new"), OLD);
    assert!(member.litter.is_empty(), "the old content would be removed");
}

#[test]
fn an_old_content_that_somebody_removed_is_reported_as_gone() {
    let (temp, change) = (tempfile::tempdir().unwrap(), change());
    let mut member = staged(temp.path(), &change);
    replace(&mut member).unwrap();
    fs::remove_file(temp.path().join(".a.kasm-db-new")).unwrap();

    let why = put_back(&mut member).unwrap_err();
    assert_eq!(why.errno(), Some(Errno::NOENT));
    let pending = pending(&mut member, why);
    assert_eq!((pending.holds, pending.kept), (Content::New, None));
}

#[test]
fn without_exchange_the_file_is_replaced_by_link_and_rename() {
    let (temp, change) = (tempfile::tempdir().unwrap(), change());
    let mut member = staged(temp.path(), &change);
    replace_by_link(&mut member).unwrap();
    assert_eq!(read(temp.path(), "a"), NEW);
    assert_eq!(read(temp.path(), ".a.kasm-db-old"), OLD);
    assert_eq!(member.litter, [".a.kasm-db-old"]);
}

#[test]
fn without_exchange_the_very_same_file_comes_back() {
    let (temp, change) = (tempfile::tempdir().unwrap(), change());
    let mut member = staged(temp.path(), &change);
    let inode = fs::metadata(temp.path().join("a")).unwrap().ino();
    replace_by_link(&mut member).unwrap();
    put_back(&mut member).unwrap();
    assert_eq!(read(temp.path(), "a"), OLD);
    assert_eq!(fs::metadata(temp.path().join("a")).unwrap().ino(), inode);
    assert_eq!(names(temp.path()), ["a"]);
    assert!(member.litter.is_empty());
}

#[test]
fn without_exchange_a_file_that_is_not_the_checked_one_stays() {
    let (temp, change) = (tempfile::tempdir().unwrap(), change());
    let mut member = staged(temp.path(), &change);
    fs::write(temp.path().join("a"), THEIRS).unwrap();
    let error = replace_by_link(&mut member).unwrap_err();
    assert!(matches!(error, Error::Changed { .. }), "{error}");
    assert_eq!(member.progress, Progress::Untouched);
    assert_eq!(read(temp.path(), "a"), THEIRS);
}

#[test]
fn without_exchange_what_another_process_wrote_to_the_new_file_is_not_rolled_back() {
    let (temp, change) = (tempfile::tempdir().unwrap(), change());
    let mut member = staged(temp.path(), &change);
    replace_by_link(&mut member).unwrap();
    fs::write(temp.path().join("a"), THEIRS).unwrap();
    let why = put_back(&mut member).unwrap_err();
    let pending = pending(&mut member, why);
    assert_eq!(pending.holds, Content::Foreign);
    assert_eq!(pending.kept.unwrap().content, Content::Old);
}

#[test]
fn a_link_left_by_a_crash_is_not_a_second_name_of_the_file() {
    let (temp, change) = (tempfile::tempdir().unwrap(), change());
    fs::write(temp.path().join("a"), OLD).unwrap();
    fs::hard_link(temp.path().join("a"), temp.path().join(".a.kasm-db-old")).unwrap();
    crate::set::commit(&Dir::open(temp.path()).unwrap(), &[change], &Options::default(), &|_| Ok(()))
        .unwrap();
    assert_eq!(read(temp.path(), "a"), NEW);
    assert_eq!(names(temp.path()), ["a"]);
}

#[test]
fn a_link_left_by_a_crash_does_not_excuse_another_one() {
    let (temp, change) = (tempfile::tempdir().unwrap(), change());
    fs::write(temp.path().join("a"), OLD).unwrap();
    fs::hard_link(temp.path().join("a"), temp.path().join("b")).unwrap();
    fs::write(temp.path().join(".a.kasm-db-old"), OLD).unwrap();
    let error =
        crate::set::commit(&Dir::open(temp.path()).unwrap(), &[change], &Options::default(), &|_| Ok(()))
            .unwrap_err();
    assert!(matches!(error.cause, Error::HardLinked { links: 2, .. }), "{error}");
}
