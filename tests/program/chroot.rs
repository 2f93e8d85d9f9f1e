//! `--root` is a chroot for paths: nothing outside of it is read or written.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use testing::{Sandbox, copy};

use crate::PROGRAM;

/// Creates a live tree and a copy of it, each with an absolute link `current` as Kasm's installer makes it. The live tree is
/// where the link leads to if it is followed as it stands.
fn live_and_copy() -> (Sandbox, PathBuf, PathBuf) {
    let sandbox = Sandbox::new(PROGRAM);
    let live = sandbox.root().join("live/opt/kasm");
    let copied = sandbox.root().join("copy").join(live.strip_prefix("/").unwrap());
    for kasm in [&live, &copied] {
        std::fs::create_dir_all(kasm).unwrap();
        copy(&sandbox.target("existing"), &kasm.join("1.11.0"));
        symlink(live.join("1.11.0"), kasm.join("current")).unwrap();
    }
    let document = format!(
        "schema: kasm-db/v1\nimage: kasmweb/postgres:1.11.0\nsettings: {{work_mem: 8MB}}\n\
         targets: [{{name: a, deployment: {}}}]\n",
        live.join("current").display()
    );
    std::fs::create_dir(sandbox.root().join("repo")).unwrap();
    std::fs::write(sandbox.root().join("repo/kasm-db.yaml"), document).unwrap();
    (sandbox, live.join("1.11.0"), copied.join("1.11.0"))
}

#[test]
fn an_absolute_link_leads_to_the_copy_and_not_to_the_live_tree() {
    let (sandbox, live, copied) = live_and_copy();
    let (before, old) = (sandbox.seen(&live), sandbox.contents(&copied));
    let run = sandbox.run("-f repo/kasm-db.yaml --root copy apply -y").expect(0);
    assert!(run.stdout.contains("[ROOT]/copy[ROOT]"), "{run}");
    assert!(sandbox.seen(&live) == before, "the live tree was touched");
    assert!(sandbox.contents(&copied) != old);
    for command in ["plan", "status", "history", "rollback -y", "recover", "render --out repo/out"] {
        sandbox.run(&format!("-f repo/kasm-db.yaml --root copy {command}"));
        assert!(sandbox.seen(&live) == before, "{command} touched the live tree");
    }
    assert!(sandbox.contents(&copied) == old, "the rollback was below the root, too");
}

#[test]
fn a_relative_root_starts_at_the_working_folder() {
    let (sandbox, _, _) = live_and_copy();
    let absolute = sandbox.root().join("copy").display().to_string();
    let plan = |root: &str| sandbox.run(&format!("-f repo/kasm-db.yaml --root {root} plan")).expect(0).stdout;
    let wanted = plan(&absolute);
    for root in ["copy", "./copy", "repo/../copy"] {
        assert_eq!(plan(root), wanted, "{root}");
    }
}

#[test]
fn a_link_that_leads_above_the_root_stays_below_it() {
    let (sandbox, live, copied) = live_and_copy();
    let current = copied.with_file_name("current");
    std::fs::remove_file(&current).unwrap();
    let up = "../".repeat(30);
    symlink(format!("{up}{}", live.strip_prefix("/").unwrap().display()), &current).unwrap();
    let before = sandbox.seen(&live);
    let run = sandbox.run("-f repo/kasm-db.yaml --root copy apply -y").expect(0);
    assert!(run.stdout.contains("[ROOT]/copy[ROOT]") && sandbox.seen(&live) == before, "{run}");
    std::fs::remove_file(&current).unwrap();
    symlink("current", &current).unwrap();
    let run = sandbox.run("-f repo/kasm-db.yaml --root copy plan").expect(1);
    assert!(run.stderr.contains("too many levels of symbolic links"), "{run}");
}
