//! A file that a recovery writes in place, exchanged for others while it runs.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says how much it looked at")]

use std::fs::{self, File, create_dir, hard_link, remove_dir_all, write};
use std::os::unix::fs::{FileExt as _, symlink};
use std::path::Path;
use std::time::Duration;

use testing::{Sandbox, copy};

use crate::PROGRAM;
use crate::exchange::{exchanging, races};

const OLD: &str = "port = 5432\n";

const DOCUMENT: &str = "schema: kasm-db/v1\nsettings: {work_mem: 8MB}\nrestart: {policy: never}\n\
                        targets: [{name: t, files: {postgresql_conf: conf/postgresql.conf}}]\n";

/// Creates a folder `site`, in which an apply in place was killed before it wrote the first byte, and `outside` with a file of
/// the same content. Returns it with the journal and all that belongs to it, in `state`.
fn killed() -> Sandbox {
    let sandbox = Sandbox::new(PROGRAM);
    let at = |path: &str| sandbox.root().join(path);
    for folder in ["site", "site/conf", "outside"] {
        create_dir(at(folder)).unwrap();
    }
    for file in ["site/conf/postgresql.conf", "outside/postgresql.conf"] {
        write(at(file), OLD).unwrap();
    }
    write(at("site/kasm-db.yaml"), DOCUMENT).unwrap();
    sandbox.run("-q -f site/kasm-db.yaml apply --yes --in-place").expect(0);
    let state = at("site/.kasm-db");
    fs::rename(state.join("private/generations/1/manifest"), state.join("journal")).unwrap();
    fs::rename(state.join("generations/1/manifest"), state.join("generations/1/manifest.new")).unwrap();
    fs::copy(at("site/conf/postgresql.conf"), state.join("private/generations/1/0.new")).unwrap();
    fs::rename(state, at("state")).unwrap();
    sandbox
}

#[test]
fn recover_writes_into_no_other_file_while_its_file_is_exchanged() {
    let (mut exchanges, mut recovered) = (0, 0);
    // What the owner of a folder can put in place of a file: a link, a second name of a file elsewhere, and another folder.
    let ways: [fn(&Path, &Path); 3] = [
        |site, outside| symlink(outside.join("postgresql.conf"), site.join("conf/.other")).unwrap(),
        |site, outside| hard_link(outside.join("postgresql.conf"), site.join("conf/.other")).unwrap(),
        |site, outside| symlink(outside, site.join(".other")).unwrap(),
    ];
    for (number, way) in ways.iter().enumerate() {
        for pause in [0, 100, 500] {
            let sandbox = killed();
            let at = |path: &str| sandbox.root().join(path);
            let (site, outside) = (at("site"), at("outside"));
            way(&site, &outside);
            let conf = site.join("conf/postgresql.conf");
            let own = File::options().write(true).open(&conf).unwrap();
            let pair = match number {
                2 => [site.join("conf"), site.join(".other")],
                _ => [conf, site.join("conf/.other")],
            };
            let before = sandbox.seen(&outside);
            exchanges += exchanging(&[[&pair[0], &pair[1]]], Duration::from_micros(pause), || {
                for _ in 0..races().div_ceil(9) {
                    let _ = remove_dir_all(site.join(".kasm-db"));
                    copy(&at("state"), &site.join(".kasm-db"));
                    own.write_all_at(OLD.as_bytes(), 0).unwrap();
                    own.set_len(OLD.len() as u64).unwrap();
                    let run = sandbox.run("-q -f site/kasm-db.yaml recover");
                    assert!(matches!(run.code, Some(0 | 8)), "{run}");
                    recovered += usize::from(run.code == Some(0));
                    assert!(sandbox.seen(&outside) == before, "a file outside was written to: {run}");
                }
            });
        }
    }
    println!("{} runs, {recovered} recovered, {exchanges} exchanges, nothing outside", races());
    assert!(exchanges > 100 && recovered > 0, "{exchanges} exchanges, {recovered} recovered");
}
