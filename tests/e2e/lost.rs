//! A server or an engine that is lost while it is asked: what could not be checked has not passed.

use crate::bed::{Bed, Run, engine, finish};
use crate::log::verify_with;

/// Runs `kasm-db` with a `docker` that loses its engine from the call of this number on. Returns also how many calls there were.
fn losing(bed: &Bed, arguments: &str, call: usize) -> (Run, usize) {
    let path = bed.path();
    let real = std::env::split_paths(&path).map(|folder| folder.join("docker")).find(|path| path.exists());
    let (folder, calls) = (bed.root.join("losing"), bed.root.join("calls"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(&calls, "").unwrap();
    let (real, count) = (real.unwrap().display().to_string(), calls.display().to_string());
    bed.script(
        "../losing/docker",
        &format!(
            "#!/bin/bash\necho call >> {count}\nif [ $(wc -l < {count}) -ge {call} ]; then\n  \
             echo 'Cannot connect to the Docker daemon at unix:///nowhere. Is the docker daemon running?' >&2\n  exit 1\nfi\n\
             exec {real} \"$@\"\n"
        ),
    );
    let run = finish(bed.command(arguments).env("PATH", format!("{}:{path}", folder.display())));
    (run, std::fs::read_to_string(calls).unwrap().lines().count())
}

#[test]
fn an_engine_that_is_lost_at_any_question_is_not_taken_for_a_server_in_order() {
    let bed = Bed::in_order();
    bed.document("");
    for arguments in ["status", "verify"] {
        let (run, calls) = losing(&bed, arguments, usize::MAX);
        run.expect(0);
        assert!(calls >= 3, "{calls}");
        for call in 1..=calls {
            let (run, _) = losing(&bed, arguments, call);
            let run = run.expect(9);
            // `status` names what was not checked, and leaves the reason to `verify`.
            let is_named = arguments == "status" && run.stdout.contains("; server not checked: file ");
            let both = format!("{}{}", run.stdout, run.stderr);
            assert!(is_named || both.contains("Cannot connect to the Docker daemon"), "call {call}: {both}");
            assert!(!run.stdout.contains("  skip  "), "call {call} of {arguments}: {}", run.stdout);
        }
    }
}

#[test]
fn a_server_that_is_lost_between_the_checks_and_the_probe_has_not_passed() {
    let bed = Bed::in_order();
    bed.document("");
    let docker = match engine() {
        Some(engine) => format!("docker --host {engine} kill {}", bed.name),
        None => format!("{} down", bed.root.join("shim/docker").display()),
    };
    let run = verify_with(&bed, &format!("{docker} > /dev/null 2>&1")).expect(9);
    run.says(&["ok    connect", "FAIL  audit read: not checked: the container ", "KDB712", " 0 skipped."]);
}
