//! For each code that depends on what else is on disk, what triggers it and no other.

use std::collections::BTreeSet;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use model::Code;
use testing::{Run, Sandbox};

use crate::PROGRAM;

const DOCUMENT: &str = "schema: kasm-db/v1
postgres_major: 14
settings: {work_mem: 8MB}
targets:
  - name: here
    files: {postgresql_conf: conf/postgresql.conf}
";

/// Returns every code that a run names.
pub(crate) fn named(run: &Run) -> BTreeSet<Code> {
    let text = format!("{}{}", run.stdout, run.stderr);
    let ids = text.match_indices("KDB").filter_map(|(at, _)| text.get(at..at + 6));
    ids.map(|id| Code::find(id).unwrap_or_else(|| panic!("{id}: no such code\n{run}"))).collect()
}

pub(crate) const CODES: [Code; 9] = [
    Code::Unreadable,
    Code::InsecurePermissions,
    Code::EditedSince,
    Code::FileGone,
    Code::ForeignOwner,
    Code::NoLongerDeclared,
    Code::ExtensionLeft,
    Code::RecordUnseen,
    Code::SharedFile,
];

fn run(code: Code) -> Run {
    let sandbox = Sandbox::new(PROGRAM);
    let conf = sandbox.root().join("conf/postgresql.conf");
    std::fs::create_dir(conf.parent().unwrap()).unwrap();
    std::fs::write(&conf, "work_mem = 4MB\n").unwrap();
    std::fs::write(sandbox.root().join("kasm-db.yaml"), DOCUMENT).unwrap();
    match code {
        Code::Unreadable => {
            std::fs::remove_file(&conf).unwrap();
            std::fs::create_dir(&conf).unwrap();
            sandbox.run("plan").expect(1)
        }
        Code::NoLongerDeclared => {
            sandbox.run("apply -y").expect(0);
            std::fs::write(&conf, "work_mem = 16MB\n").unwrap();
            sandbox.edit(&sandbox.root().join("kasm-db.yaml"), "settings: {work_mem: 8MB}\n", "");
            sandbox.run("plan").expect(0)
        }
        Code::ExtensionLeft => {
            let document = sandbox.root().join("kasm-db.yaml");
            sandbox.edit(&document, "settings: {work_mem: 8MB}", "preload: {libraries: [pgaudit]}");
            sandbox.run("apply -y").expect(0);
            sandbox.edit(&document, "preload: {libraries: [pgaudit]}\n", "");
            sandbox.run("plan").expect(0)
        }
        Code::RecordUnseen => {
            sandbox.run("apply -y").expect(0);
            std::fs::write(conf.parent().unwrap().parent().unwrap().join(".kasm-db/managed"), "{").unwrap();
            sandbox.run("plan").expect(4)
        }
        Code::SharedFile => {
            let again = "targets:\n  - {name: again, files: {postgresql_conf: conf/postgresql.conf}}\n";
            sandbox.edit(&sandbox.root().join("kasm-db.yaml"), "targets:\n", again);
            sandbox.run("plan").expect(4)
        }
        Code::InsecurePermissions => {
            std::fs::set_permissions(&conf, Permissions::from_mode(0o666)).unwrap();
            sandbox.run("apply -y").expect(4)
        }
        Code::EditedSince => {
            sandbox.run("apply -y").expect(0);
            sandbox.edit(&conf, "8MB", "16MB");
            sandbox.run("rollback -y").expect(4)
        }
        Code::FileGone => {
            sandbox.run("apply -y").expect(0);
            std::fs::remove_file(&conf).unwrap();
            sandbox.run("rollback -y").expect(4)
        }
        Code::ForeignOwner => {
            let theirs = sandbox.root().join("theirs");
            std::fs::create_dir(&theirs).unwrap();
            std::fs::rename(sandbox.root().join("conf"), theirs.join("conf")).unwrap();
            std::fs::create_dir(theirs.join("here")).unwrap();
            std::fs::rename(theirs.join("conf"), theirs.join("here/conf")).unwrap();
            std::fs::rename(sandbox.root().join("kasm-db.yaml"), theirs.join("here/kasm-db.yaml")).unwrap();
            std::os::unix::fs::chown(&theirs, Some(41_234), None).unwrap();
            sandbox.run("-f theirs/here/kasm-db.yaml apply -y").expect(4)
        }
        other => panic!("{other} does not depend on the disk"),
    }
}

#[test]
fn what_is_on_disk_triggers_the_code_that_it_is_made_for_and_no_other() {
    for code in CODES {
        if code == Code::ForeignOwner && !rustix::process::geteuid().is_root() {
            assert!(std::env::var_os("CI").is_none(), "this test takes root");
            continue;
        }
        let run = run(code);
        assert_eq!(named(&run), [code].into(), "{run}");
    }
}
