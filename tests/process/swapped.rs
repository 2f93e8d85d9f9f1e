//! Folders and documents that are exchanged for links while the program runs.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says how much it looked at")]

use std::fs::{create_dir, create_dir_all, write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use testing::Sandbox;

use crate::PROGRAM;
use crate::exchange::{exchanging, races};

/// Read as a document, it would be called a mapping with unknown keys.
const SECRET: &str = "hunter2: 1\nmachine: host\n";

/// Creates a Git work tree `repo` with a document, and `outside` with a file.
fn repository() -> Sandbox {
    let sandbox = Sandbox::new(PROGRAM);
    let at = |path: &str| sandbox.root().join(path);
    create_dir_all(at("repo/.git")).unwrap();
    create_dir(at("outside")).unwrap();
    write(at("secret"), SECRET).unwrap();
    write(at("repo/base.kasm-db.yaml"), "schema: kasm-db/v1\nsettings: {work_mem: 8MB}\n").unwrap();
    let text = "schema: kasm-db/v1\nextends: base.kasm-db.yaml\n\
                targets: [{name: t, files: {postgresql_conf: postgresql.conf}}]\n";
    write(at("repo/kasm-db.yaml"), text).unwrap();
    write(at("repo/postgresql.conf"), "port = 5432\n").unwrap();
    sandbox
}

/// Empties the folder of results, whatever its parts are at the moment.
fn clear(folder: &Path) {
    for name in ["plan.txt", "document.yaml", ".kasm-db-render", "t/postgresql.conf", ".link/postgresql.conf"]
    {
        let _ = std::fs::remove_file(folder.join(name));
    }
}

#[test]
fn render_writes_nothing_outside_while_its_folders_are_exchanged_for_links() {
    let mut exchanges = 0;
    for pause in [0, 50, 400] {
        let sandbox = repository();
        let at = |path: &str| sandbox.root().join(path);
        let outside = at("outside");
        create_dir_all(at("repo/rendered/t")).unwrap();
        symlink(&outside, at("repo/link")).unwrap();
        symlink(&outside, at("repo/rendered/.link")).unwrap();
        let before = sandbox.seen(&outside);
        let (rendered, link) = (at("repo/rendered"), at("repo/link"));
        let (target, below) = (at("repo/rendered/t"), at("repo/rendered/.link"));
        exchanges +=
            exchanging(&[[&rendered, &link], [&target, &below]], Duration::from_micros(pause), || {
                for number in 0..races().div_ceil(3) {
                    let options = ["", " --out repo/rendered"][number % 2];
                    let run = sandbox.run(&format!("-q render -f repo/kasm-db.yaml{options}"));
                    assert!(matches!(run.code, Some(0 | 1)), "{run}");
                    assert!(
                        sandbox.seen(&outside) == before,
                        "something is outside after {number} runs: {run}"
                    );
                    clear(&rendered);
                    clear(&link);
                    assert!(sandbox.seen(&outside) == before, "the test itself followed a link");
                }
            });
    }
    println!("{} runs, {exchanges} exchanges, nothing outside", races());
    assert!(exchanges > 100, "nothing was exchanged");
}

#[test]
fn nothing_of_a_secret_is_shown_while_documents_are_exchanged_for_links() {
    let mut exchanges = 0;
    for pause in [0, 50, 400] {
        let sandbox = repository();
        let at = |path: &str| sandbox.root().join(path);
        let (document, parent) = (at("repo/kasm-db.yaml"), at("repo/base.kasm-db.yaml"));
        let links = [at("repo/one"), at("repo/other")];
        links.iter().for_each(|link| symlink(at("secret"), link).unwrap());
        exchanges +=
            exchanging(&[[&document, &links[0]], [&parent, &links[1]]], Duration::from_micros(pause), || {
                for number in 0..races().div_ceil(3) {
                    let options =
                        ["validate -f repo/kasm-db.yaml", "plan -f repo -R", "plan -f repo/kasm-db.yaml"]
                            [number % 3];
                    let run = sandbox.run(options).to_string();
                    let leaks = ["hunter2", "machine"].into_iter().find(|part| run.contains(part));
                    assert!(leaks.is_none(), "{run}");
                }
            });
    }
    println!("{} runs, {exchanges} exchanges, nothing shown", races());
    assert!(exchanges > 100, "nothing was exchanged");
}
