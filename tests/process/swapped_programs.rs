//! Programs and documents that the owner of their folder exchanges while an apply runs commands.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says how much it looked at")]

use std::fs::{Permissions, copy, create_dir, remove_dir_all, remove_file, set_permissions, write};
use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};
use std::path::Path;
use std::time::Duration;

use testing::Sandbox;

use crate::PROGRAM;
use crate::exchange::{exchanging, races};

/// A user that no system has.
const SOMEBODY: u32 = 41_234;

/// What is exchanged in a folder `site`, and how the applies may end.
struct Race {
    what: &'static str,
    /// What the document says of the commands; `ROOT` is the sandbox.
    stop: &'static str,
    /// The two names, below `site`.
    pair: [&'static str; 2],
    /// Creates the second one, and gives away what is somebody else's.
    make: fn(&Path),
    /// Whether everything is refused: what is exchanged is in a folder of somebody else.
    is_refused: bool,
}

/// A command that anybody may name: its program is root's.
const OWN: &str = "[/usr/bin/touch, ROOT/own-ran]";

const RACES: [Race; 7] = [
    Race {
        what: "a script in a folder of somebody else",
        stop: "[bin/stop]",
        pair: ["bin/stop", "bin/.theirs"],
        make: |site| {
            script(&site.join("bin/.theirs"), "foreign-ran");
            give(&["bin/.theirs", "bin"], site);
        },
        is_refused: true,
    },
    Race {
        what: "the folder of a script",
        stop: "[bin/stop]",
        pair: ["bin", ".bin"],
        make: |site| {
            create_dir(site.join(".bin")).unwrap();
            script(&site.join(".bin/stop"), "foreign-ran");
            give(&[".bin/stop", ".bin", ""], site);
        },
        is_refused: true,
    },
    Race {
        what: "a link in place of a script",
        stop: "[bin/stop]",
        pair: ["bin/stop", "bin/.link"],
        make: |site| {
            script(&site.join("theirs"), "foreign-ran");
            symlink("../theirs", site.join("bin/.link")).unwrap();
            give(&["theirs", "bin/.link", "bin"], site);
        },
        is_refused: true,
    },
    Race {
        what: "a program in a folder of PATH",
        stop: "[own-stop]",
        pair: ["bin/own-stop", "bin/.theirs"],
        make: |site| {
            copy(site.join("bin/stop"), site.join("bin/own-stop")).unwrap();
            script(&site.join("bin/.theirs"), "foreign-ran");
            give(&["bin/.theirs", "bin"], site);
        },
        is_refused: true,
    },
    Race {
        what: "a document in a folder of somebody else",
        stop: OWN,
        pair: ["kasm-db.yaml", ".theirs.yaml"],
        make: |site| {
            let theirs = document("[/usr/bin/touch, ROOT/foreign-ran]", site.parent().unwrap());
            write(site.join(".theirs.yaml"), theirs).unwrap();
            give(&[".theirs.yaml", ""], site);
        },
        is_refused: false,
    },
    Race {
        what: "a document that is extended",
        stop: OWN,
        pair: ["base.kasm-db.yaml", ".theirs.yaml"],
        make: |site| {
            let text = document(OWN, site.parent().unwrap());
            write(site.join("base.kasm-db.yaml"), &text).unwrap();
            write(site.join("kasm-db.yaml"), "schema: kasm-db/v1\nextends: base.kasm-db.yaml\n").unwrap();
            let theirs = document("[/usr/bin/touch, ROOT/foreign-ran]", site.parent().unwrap());
            write(site.join(".theirs.yaml"), theirs).unwrap();
            give(&[".theirs.yaml", ""], site);
        },
        is_refused: false,
    },
    // A folder whose owner changes meanwhile: when the program is checked it is root's, and so is the program.
    Race {
        what: "a binary that is replaced after it was checked",
        stop: "[bin/tool, ROOT/foreign-ran]",
        pair: ["bin/tool", "bin/.theirs"],
        make: |site| {
            copy("/bin/true", site.join("bin/tool")).unwrap();
            copy("/usr/bin/touch", site.join("bin/.theirs")).unwrap();
            give(&["bin/.theirs"], site);
        },
        is_refused: false,
    },
];

fn document(stop: &str, root: &Path) -> String {
    let stop = stop.replace("ROOT", &root.display().to_string());
    format!(
        "schema: kasm-db/v1\nsettings: {{max_connections: 50}}\nverify: {{connect: none}}\n\
         restart: {{policy: if_needed, stop: {stop}, start: [/bin/true]}}\n\
         targets: [{{name: t, files: {{postgresql_conf: postgresql.conf}}}}]\n"
    )
}

/// Writes a script that leaves a file beside `site`.
fn script(path: &Path, leaves: &str) {
    let site = path.ancestors().find(|folder| folder.ends_with("site")).unwrap();
    write(path, format!("#!/bin/sh\ntouch {}\n", site.with_file_name(leaves).display())).unwrap();
    set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

fn give(paths: &[&str], site: &Path) {
    paths.iter().for_each(|path| lchown(site.join(path), Some(SOMEBODY), Some(SOMEBODY)).unwrap());
}

/// Makes `site`, with a script that is root's.
fn site(race: &Race) -> Sandbox {
    let sandbox = Sandbox::new(PROGRAM);
    let site = sandbox.root().join("site");
    create_dir(&site).unwrap();
    create_dir(site.join("bin")).unwrap();
    script(&site.join("bin/stop"), "own-ran");
    write(site.join("kasm-db.yaml"), document(race.stop, sandbox.root())).unwrap();
    (race.make)(&site);
    sandbox
}

/// Runs an apply from the start, and tells how it ended.
fn applied(sandbox: &Sandbox) -> i32 {
    let site = sandbox.root().join("site");
    let _ = remove_dir_all(site.join(".kasm-db"));
    write(site.join("postgresql.conf"), "max_connections = 100\n").unwrap();
    let mut command = sandbox.command(PROGRAM);
    command.env("PATH", format!("{}:/usr/bin:/bin", site.join("bin").display()));
    let run = sandbox.finish(command.args(["-q", "-f", "site/kasm-db.yaml", "apply", "--yes"]));
    assert!(matches!(run.code, Some(0 | 1 | 4 | 9)), "{run}");
    run.code.unwrap()
}

#[test]
fn no_program_of_somebody_else_is_run_while_programs_and_documents_are_exchanged() {
    if !rustix::process::geteuid().is_root() {
        assert!(std::env::var_os("CI").is_none(), "this test takes root");
        return;
    }
    let (mut runs, mut exchanges) = (0, 0);
    for race in &RACES {
        let mut done = 0_usize;
        // The last pause is longer than an apply takes, so that some meet what is root's from beginning to end.
        for pause in [0, 50, 400, 100_000] {
            let sandbox = site(race);
            let foreign = sandbox.root().join("foreign-ran");
            let pair = race.pair.map(|name| sandbox.root().join("site").join(name));
            exchanges += exchanging(&[[&pair[0], &pair[1]]], Duration::from_micros(pause), || {
                let few = races().div_ceil(RACES.len() * 4);
                let is_missing = |done| pause == 100_000 && done == 0 && !race.is_refused;
                let mut run = 0;
                while run < few || is_missing(done) && run < few + 100 {
                    run += 1;
                    let code = applied(&sandbox);
                    assert!(!foreign.exists(), "{}: foreign code ran", race.what);
                    runs += 1;
                    done += usize::from(code == 0);
                }
            });
        }
        assert_eq!(done == 0, race.is_refused, "{}: {done} applies", race.what);
    }
    println!("{runs} runs, {exchanges} exchanges, no foreign code");
    assert!(exchanges > 100, "nothing was exchanged");
}

#[test]
fn every_race_would_be_seen() {
    // What is exchanged does run if it is root's.
    for race in RACES.iter().filter(|_| rustix::process::geteuid().is_root()) {
        let sandbox = site(race);
        let site = sandbox.root().join("site");
        let [one, other] = race.pair.map(|name| site.join(name));
        remove_file(&one).or_else(|_| remove_dir_all(&one)).unwrap();
        std::fs::rename(other, one).unwrap();
        let mut chown = sandbox.command("chown");
        sandbox.finish(chown.args(["-R", "-h", "0:0", "site"])).expect(0);
        applied(&sandbox);
        assert!(sandbox.root().join("foreign-ran").exists(), "{}", race.what);
    }
}
