//! A conf that was replaced on the host: the container keeps the old one until it is started again.

use std::os::unix::fs::{MetadataExt, chown};

use crate::bed::{Bed, has_no_engine};
use crate::steps::{in_front, step};

const IF_NEEDED: &str = "restart:\n  policy: if_needed\n  timeout: 60s\n";

/// Saves the conf as vim does: under its name is another file then.
fn save_by_rename(bed: &Bed, change: impl FnOnce(String) -> String) {
    let conf = bed.tree().join("conf/database/postgresql.conf");
    let new = conf.with_extension("new");
    let before = std::fs::metadata(&conf).unwrap();
    std::fs::write(&new, change(std::fs::read_to_string(&conf).unwrap())).unwrap();
    chown(&new, Some(before.uid()), Some(before.gid())).unwrap();
    std::fs::rename(&new, &conf).unwrap();
}

/// Returns whether the container has the file of the host.
fn is_fresh(bed: &Bed) -> bool {
    let inside =
        bed.docker(&["exec", &bed.name, "stat", "-c", "%i", "/var/lib/postgresql/conf/postgresql.conf"]);
    let here = std::fs::metadata(bed.tree().join("conf/database/postgresql.conf")).unwrap().ino();
    inside.trim() == here.to_string()
}

#[test]
fn a_conf_that_was_saved_by_rename_is_seen_and_the_container_gets_it_in_the_same_run() {
    if has_no_engine("a file that is mounted by itself") {
        return;
    }
    let bed = Bed::in_order();
    bed.document(IF_NEEDED);
    for (change, says) in [
        (&(|conf: String| conf) as &dyn Fn(String) -> String, "was replaced since the container was started"),
        (&(|conf: String| conf + "work_mem = 5MB\n"), "the server reads another content"),
    ] {
        save_by_rename(&bed, change);
        bed.run("plan --detailed-exitcode").expect(0);
        bed.run("verify --no-probe").expect(9).says(&["FAIL  file /var/lib/postgresql/conf", says, "KDB704"]);
        bed.run("status").expect(2).says(&["restart pending: file /var/lib/postgresql/conf/postgresql.conf"]);
        let before = bed.identity();
        bed.run("apply --yes").expect(0).says(&["it must be stopped and started", "stop: ", says]);
        assert_ne!(bed.identity(), before);
        assert!(is_fresh(&bed));
        bed.run("verify --no-probe").expect(0);
        bed.run("status").expect(0);
    }
    assert_eq!(bed.sql("SHOW work_mem"), "5MB");
}

#[test]
fn a_conf_that_was_moved_away_is_not_in_order_though_the_server_still_has_it() {
    let bed = Bed::in_order();
    bed.document("");
    let (conf, away) = (bed.tree().join("conf/database/postgresql.conf"), bed.tree().join("conf/away"));
    std::fs::rename(&conf, &away).unwrap();
    bed.run("verify --no-probe").expect(9).says(&[
        "FAIL  file ",
        "postgresql.conf does not exist here",
        "KDB712",
    ]);
    bed.run("status").expect(9).says(&["postgresql.conf does not exist; server not checked: file "]);
    std::fs::rename(away, conf).unwrap();
    bed.run("verify --no-probe").expect(0);
}

#[test]
fn a_change_that_needs_a_reload_takes_a_stop_if_the_container_would_not_see_it() {
    if has_no_engine("a file that is mounted by itself") {
        return;
    }
    let bed = Bed::in_order();
    let path = bed.document(IF_NEEDED);
    save_by_rename(&bed, |conf| conf);
    let text = std::fs::read_to_string(&path).unwrap().replace("[read, write, ddl]", "[ddl]");
    std::fs::write(&path, text).unwrap();
    let before = bed.identity();
    let said = ["postgresql.conf was replaced since the container was started", "  stop: bin/stop"];
    // Nobody is there to ask, and what is said comes before the question.
    bed.run("apply").expect(64).says(&said);
    assert_eq!(bed.identity(), before);
    let run = bed.run("apply --yes").expect(0).says(&said);
    assert!(!run.stderr.contains("reload: "), "{}", run.stderr);
    assert_ne!(bed.identity(), before);
    assert!(is_fresh(&bed));
    assert_eq!(bed.sql("SHOW pgaudit.log"), "ddl");

    // A rollback of the same kind.
    save_by_rename(&bed, |conf| conf);
    let before = bed.identity();
    bed.run("rollback --yes").expect(0).says(&[said[0], "stop: ", "The database must be restarted"]);
    assert_ne!(bed.identity(), before);
    assert_eq!(bed.sql("SHOW pgaudit.log"), "read, write, ddl");
}

#[test]
fn a_reload_that_is_continued_is_a_stop_if_the_conf_was_replaced_meanwhile() {
    if has_no_engine("a file that is mounted by itself") {
        return;
    }
    let bed = Bed::in_order();
    let path = bed.document(IF_NEEDED);
    let text = std::fs::read_to_string(&path).unwrap().replace("[read, write, ddl]", "[ddl]");
    std::fs::write(&path, text).unwrap();
    bed.run("apply --yes --no-restart").expect(9).says(&["a reload is pending"]);
    save_by_rename(&bed, |conf| conf);
    in_front(&bed, "stop", "exec REAL");
    assert_eq!(step(&bed), "reload");
    bed.run("recover").expect(0).says(&["was replaced since", "stop: ", "the database answers"]);
    assert_eq!(bed.sql("SHOW pgaudit.log"), "ddl");
    bed.run("verify --no-probe").expect(0);
}
