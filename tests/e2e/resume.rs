//! What a later run makes of an apply whose database is not up: it starts what nobody starts, and waits for nothing else.

use crate::apply::{NEVER_UP, deadly};
use crate::bed::{Bed, STOCK, finish, has_no_engine};
use crate::steps::{count, in_front, step};

const IF_NEEDED: &str = "restart:\n  policy: if_needed\n  timeout: 60s\n";

/// An apply that is killed as soon as it waits for the database.
fn killed_while_it_waits(bed: &Bed, arguments: &str) {
    // Its last calls of docker before that are made by the commands, or have no effect.
    in_front(bed, "start", "REAL\ntouch started");
    let path = bed.path();
    let real = std::env::split_paths(&path).map(|folder| folder.join("docker")).find(|path| path.exists());
    std::fs::create_dir_all(bed.root.join("late")).unwrap();
    let started = bed.root.join("started");
    let text = format!(
        "#!/bin/bash\nif [ -e {} ]; then kill -9 $PPID; exit 1; fi\nexec {} \"$@\"\n",
        started.display(),
        real.unwrap().display()
    );
    bed.script("../late/docker", &text);
    let path = format!("{}:{path}", bed.root.join("late").display());
    let run = finish(bed.command(arguments).env("PATH", path));
    assert_eq!((run.code, step(bed).as_str()), (None, "healthy"), "{}", run.stderr);
    in_front(bed, "start", "exec REAL");
    in_front(bed, "stop", "exec REAL");
}

#[test]
fn what_was_stopped_or_removed_while_it_was_waited_for_is_started_again() {
    for (how, go_on) in
        [("stop", "recover"), ("stop", "apply --yes"), ("rm", "recover"), ("rm", "apply --yes")]
    {
        if how == "rm" && has_no_engine("a container that was removed") {
            continue;
        }
        let bed = Bed::running(STOCK);
        bed.document(IF_NEEDED);
        killed_while_it_waits(&bed, "apply --yes");
        match how {
            "stop" => bed.bin("stop.real"),
            _ => drop(bed.docker(&["rm", "--force", &bed.name])),
        }
        let calls = (count(&bed, "stop"), count(&bed, "start"));
        let run = bed.run(go_on).expect(0).says(&["it is started again", "the database answers"]);
        assert_eq!((count(&bed, "stop"), count(&bed, "start")), (calls.0, calls.1 + 1), "{}", run.stderr);
        assert_eq!(step(&bed), "");
        bed.run("verify --no-probe").expect(0);
    }
}

#[test]
fn a_start_command_that_starts_nothing_is_not_waited_for() {
    let bed = Bed::running(STOCK);
    bed.document(&IF_NEEDED.replace("60s", "600s"));
    in_front(&bed, "start", "true");
    let run = bed.run("apply --yes").expect(9);
    run.says(&["the database did not come up", "does not run", "kasm-db apply"]);
    in_front(&bed, "start", "exec REAL");
    bed.run("apply --yes").expect(0).says(&["it is started again"]);
    bed.run("verify --no-probe").expect(0);
}

#[test]
fn restarts_before_the_fix_do_not_count_after_it() {
    let bed = Bed::in_order();
    bed.document(&format!("{NEVER_UP}{IF_NEEDED}"));
    bed.run("apply --yes").expect(9).says(&["again and again", "shared memory"]);
    assert_eq!(step(&bed), "healthy");
    // Exactly what the message says: fix what the container says, and go on.
    bed.edit_conf(|conf| {
        conf.replace("max_locks_per_transaction = 2000000000", "#max_locks_per_transaction = 64")
    });
    bed.document(IF_NEEDED);
    bed.run("recover").expect(0).says(&["it is started again", "the database answers"]);
    bed.run("verify").expect(0);
}

#[test]
fn whoever_continues_an_apply_keeps_its_way_back() {
    for go_on in ["recover", "apply --yes"] {
        let bed = Bed::in_order();
        let before = bed.read("conf/database/postgresql.conf");
        bed.document(&format!("{NEVER_UP}{IF_NEEDED}"));
        killed_while_it_waits(&bed, "apply --yes --rollback-on-failure");
        bed.run(go_on).expect(7).says(&["the database runs again on the old files"]);
        assert_eq!(bed.read("conf/database/postgresql.conf"), before);
        bed.document(IF_NEEDED);
        bed.run("verify --no-probe").expect(0);
    }
    // It can be asked for later, too.
    let bed = Bed::in_order();
    let before = bed.read("conf/database/postgresql.conf");
    bed.document(&format!("{NEVER_UP}{IF_NEEDED}"));
    killed_while_it_waits(&bed, "apply --yes");
    bed.run("apply --yes --rollback-on-failure").expect(7);
    assert_eq!(bed.read("conf/database/postgresql.conf"), before);
}

#[test]
fn a_kill_at_any_call_while_it_is_started_again_is_finished_by_the_next_run() {
    let bed = Bed::running(STOCK);
    bed.document(IF_NEEDED);
    killed_while_it_waits(&bed, "apply --yes");
    bed.bin("stop.real");
    for at in 1..4 {
        let path = deadly(&bed, at);
        let run = finish(bed.command("recover").env("PATH", path));
        assert!(run.code.is_none() || run.code == Some(0), "{}", run.stderr);
    }
    bed.run("recover").expect(0);
    assert_eq!(step(&bed), "");
    bed.run("verify --no-probe").expect(0);
}
