//! Files and folders of results: whole, in the place that was named, and readable by those that they are for.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, create_dir, create_dir_all, write};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use testing::Sandbox;

use crate::PROGRAM;

/// Creates a Git work tree `repo` with a document and a conf, and a folder `outside` with a file in it.
fn repository() -> Sandbox {
    let sandbox = Sandbox::new(PROGRAM);
    let at = |path: &str| sandbox.root().join(path);
    create_dir_all(at("repo/.git/hooks")).unwrap();
    create_dir(at("outside")).unwrap();
    write(at("outside/file"), "mine\n").unwrap();
    let text = "schema: kasm-db/v1\nsettings: {work_mem: 8MB}\n\
                targets: [{name: t, files: {postgresql_conf: postgresql.conf}}]\n";
    write(at("repo/kasm-db.yaml"), text).unwrap();
    write(at("repo/postgresql.conf"), "port = 5432\nssl_passphrase_command = 'echo hunter2'\n").unwrap();
    sandbox
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Commands that write a result to a path, which they get in place of `OUT`. The last part of it is a folder's name.
const WRITERS: [&str; 6] = [
    "plan --format json=OUT/file",
    "plan --format human=OUT/file",
    "plan --format patch=OUT/file --show-secrets",
    "plan --out OUT/file",
    "render --out OUT",
    "man OUT",
];

#[test]
fn a_link_out_of_the_work_tree_is_not_a_place_for_a_result() {
    let imports = ["import --conf postgresql.conf -o OUT/new.kasm-db.yaml"];
    for to in ["../outside", "../outside/nothing", ".git/hooks", ".git"] {
        for writer in WRITERS.iter().chain(&imports) {
            for out in ["link", "link/below", "./link", "sub/../link"] {
                let sandbox = repository();
                create_dir(sandbox.root().join("repo/sub")).unwrap();
                symlink(to, sandbox.root().join("repo/link")).unwrap();
                let before = sandbox.seen(sandbox.root());
                let mut command = sandbox.command(PROGRAM);
                command.current_dir(sandbox.root().join("repo"));
                let run = sandbox.finish(command.args(writer.replace("OUT", out).split(' '))).expect(1);
                let why =
                    if to.starts_with("..") { "it leads out of [ROOT]/repo" } else { "Git's own folder" };
                assert!(run.stderr.contains(why), "{writer} to {out}: {run}");
                assert!(sandbox.seen(sandbox.root()) == before, "{writer} to {out}: {run}");
            }
        }
    }
}

#[test]
fn the_folder_beside_a_document_may_be_a_link_within_the_work_tree_alone() {
    let sandbox = repository();
    let rendered = sandbox.root().join("repo/rendered");
    for (to, code) in [("../outside", 1), (".git/hooks", 1), ("elsewhere/rendered", 0)] {
        symlink(to, &rendered).unwrap();
        let before = sandbox.seen(&sandbox.root().join("outside"));
        sandbox.run("render -f repo/kasm-db.yaml").expect(code);
        assert!(sandbox.seen(&sandbox.root().join("outside")) == before);
        fs::remove_file(&rendered).unwrap();
    }
    assert!(sandbox.root().join("repo/elsewhere/rendered/plan.txt").is_file());
    assert_eq!(fs::read_dir(sandbox.root().join("repo/.git/hooks")).unwrap().count(), 0);
}

#[test]
fn a_link_with_the_name_of_a_file_is_replaced() {
    let sandbox = repository();
    for writer in ["plan --format json=OUT", "plan --out OUT", "plan --format patch=OUT --show-secrets"] {
        let link = sandbox.root().join("repo/link");
        symlink("../outside/file", &link).unwrap();
        let writer = writer.replace("OUT", "repo/link");
        sandbox.run(&format!("{writer} -f repo/kasm-db.yaml")).expect(0);
        assert!(fs::symlink_metadata(&link).unwrap().is_file(), "{writer}");
        assert_eq!(fs::read(sandbox.root().join("outside/file")).unwrap(), b"mine\n", "{writer}");
        fs::remove_file(&link).unwrap();
    }
    symlink("outside/file", sandbox.root().join("new.kasm-db.yaml")).unwrap();
    let run = sandbox.run("import --conf repo/postgresql.conf -o new.kasm-db.yaml").expect(1);
    assert!(run.stderr.contains("already exists and was not overwritten"), "{run}");
}

#[test]
fn the_callers_own_links_outside_of_git_are_followed() {
    let sandbox = repository();
    symlink("outside", sandbox.root().join("mine")).unwrap();
    for writer in WRITERS {
        sandbox.run(&format!("{} -f repo/kasm-db.yaml", writer.replace("OUT", "mine"))).expect(0);
    }
    let outside = sandbox.root().join("outside");
    for name in ["file", "plan.txt", "kasm-db.1"] {
        assert!(outside.join(name).is_file(), "{name}");
    }
    let names = fs::read_dir(outside).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.contains("result")).count(), 0, "a file was left");
}

#[test]
fn what_shows_secrets_and_a_saved_plan_are_for_their_owner() {
    let sandbox = repository();
    let file = sandbox.root().join("file");
    for (writer, wanted) in [
        ("plan --format json=file", 0o644),
        ("plan --format patch=file --show-secrets", 0o600),
        ("plan --format json=file --show-secrets", 0o600),
        ("plan --format human=file --show-secrets", 0o600),
        ("plan --out file", 0o600),
    ] {
        for there in [None, Some(0o666)] {
            let _ = fs::remove_file(&file);
            if let Some(there) = there {
                write(&file, "old").unwrap();
                fs::set_permissions(&file, fs::Permissions::from_mode(there)).unwrap();
            }
            let script = format!("umask 022; exec {PROGRAM} {writer} -f repo/kasm-db.yaml --context 0");
            sandbox.finish(sandbox.command("sh").args(["-c", &script])).expect(0);
            assert_eq!(mode(&file), wanted, "{writer} over {there:?}");
        }
    }
}

#[test]
fn a_file_is_replaced_whole_and_a_second_name_keeps_the_old_one() {
    let sandbox = repository();
    for writer in ["plan --format json=file", "plan --out file"] {
        let (file, second) = (sandbox.root().join("file"), sandbox.root().join("second"));
        write(&file, "old").unwrap();
        fs::hard_link(&file, &second).unwrap();
        let before = fs::metadata(&file).unwrap().ino();
        sandbox.run(&format!("{writer} -f repo/kasm-db.yaml")).expect(0);
        assert_ne!(fs::metadata(&file).unwrap().ino(), before, "{writer}");
        assert_eq!(fs::read(&second).unwrap(), b"old", "{writer}");
        fs::remove_file(second).unwrap();
    }
}

#[test]
fn descriptors_and_devices_that_the_caller_names_are_written_to() {
    let sandbox = repository();
    let alone = sandbox.run("plan -f repo/kasm-db.yaml --format json").expect(0);
    for out in ["/dev/stdout", "/dev/fd/1"] {
        let run = sandbox.run(&format!("plan -f repo/kasm-db.yaml --format json={out}")).expect(0);
        assert_eq!(run.bytes, alone.bytes, "{out}");
    }
    sandbox.run("plan -f repo/kasm-db.yaml --format json=/dev/null").expect(0);
    let script = format!("{PROGRAM} plan -f repo/kasm-db.yaml --format json=>(cat > piped); wait $!");
    sandbox.finish(sandbox.command("bash").args(["-c", &script])).expect(0);
    assert_eq!(fs::read(sandbox.root().join("piped")).unwrap(), alone.bytes);
}
