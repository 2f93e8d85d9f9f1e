//! `status --deep`: what the probe finds of a log, for a look every minute.

use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::Command;

use crate::bed::{Bed, Run, has_no_engine, names};

fn log(bed: &Bed) -> PathBuf {
    let folder = bed.tree().join("log/postgres");
    folder.join(&names(&folder)[0])
}

/// Expects that `status` alone sees nothing, and that `status --deep` and `verify` say this; returns what `verify` said.
#[track_caller]
fn found(bed: &Bed, parts: &[&str]) -> Run {
    bed.run("status").expect(0);
    bed.run("status --deep").expect(2).says(&["files in sync; server differs: log"]);
    let run = bed.run("verify").expect(9).says(parts);
    assert_eq!(run.stdout.matches("  FAIL  audit ").count(), 3, "{}", run.stdout);
    run
}

#[test]
fn a_log_that_grows_costs_one_line_and_nothing_in_the_database() {
    let bed = Bed::in_order();
    bed.document("");
    let dead = "SELECT sum(n_dead_tup) + sum(n_tup_ins) FROM pg_stat_all_tables WHERE relname IN ('pg_class', 'pg_attribute')";
    let (before, text) = (bed.sql(dead), std::fs::read_to_string(log(&bed)).unwrap());
    bed.run("status --deep").expect(0).says(&["files in sync; server in sync"]);
    let after = std::fs::read_to_string(log(&bed)).unwrap()[text.len()..].to_string();
    assert_eq!(after.matches("LOG:  kasm-db looks for this line: ").count(), 1, "{after}");
    assert_eq!(after.matches("AUDIT: ").count(), 2, "{after}");
    assert_eq!(bed.sql(dead), before);
    // Also where it cannot be seen from the host, where it is csvlog or jsonlog, and where Docker keeps it.
    for change in ["log_directory = '/tmp/log'", "log_destination = 'csvlog'", "log_destination = 'jsonlog'"]
    {
        bed.edit_conf(|conf| format!("{conf}{change}\n"));
        bed.sql("SELECT pg_reload_conf()");
        std::thread::sleep(std::time::Duration::from_millis(500));
        bed.run("status --deep").expect(0);
    }
    bed.edit_conf(|conf| conf + "log_destination = 'stderr'\nlogging_collector = off\n");
    bed.bin("stop");
    bed.start();
    bed.run("status --deep").expect(0);
}

#[test]
fn a_log_that_was_removed_replaced_or_given_away_is_found_and_its_fix_works() {
    let bed = Bed::in_order();
    bed.document("");
    let rotate = "`SELECT pg_rotate_logfile();`";
    let mended = || {
        bed.sql("SELECT pg_rotate_logfile()");
        std::thread::sleep(std::time::Duration::from_millis(500));
        bed.run("status --deep").expect(0);
        bed.run("verify").expect(0);
    };
    std::fs::remove_file(log(&bed)).unwrap();
    let folder = bed.tree().join("log/postgres");
    found(&bed, &["was removed or renamed, and the server still has it open", rotate]);
    mended();

    let path = folder.join(&names(&folder)[0]);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "").unwrap();
    chown(&path, Some(bed.user()), Some(bed.user())).unwrap();
    found(&bed, &["is not the file that the server has opened: it was replaced", rotate]);
    mended();

    if has_no_engine("the user that a container's server runs as") {
        return;
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "").unwrap();
    let chown = format!("`chown {}:", bed.user());
    let run = found(&bed, &["belongs to the user 0, and the server runs as ", &chown, rotate]);
    let fix = run.stdout.split("fix: ").find(|part| part.contains("chown")).unwrap();
    let command = fix.split('`').find(|part| part.starts_with("chown")).unwrap();
    assert!(Command::new("sh").args(["-c", command]).status().unwrap().success());
    mended();
}

#[test]
fn a_full_disk_of_the_log_is_named_and_free_space_is_all_it_takes() {
    if has_no_engine("a disk that is full") {
        return;
    }
    let bed = Bed::new(crate::bed::WITH);
    let folder = bed.tree().join("log/postgres").display().to_string();
    let disk = Disk::of(&folder, bed.user());
    bed.edit_conf(|conf| {
        conf.replace("#shared_preload_libraries = ''", "shared_preload_libraries = 'pgaudit'")
            + "pgaudit.log = 'read, write, ddl'\n"
    });
    bed.start();
    bed.sql("CREATE EXTENSION pgaudit");
    bed.document("");
    bed.run("verify").expect(0);
    let filler = disk.fill();
    found(&bed, &[&format!("the disk of {folder} is full"), "free space on that disk"]);
    std::fs::remove_file(filler).unwrap();
    bed.run("status --deep").expect(0);
    bed.run("verify").expect(0);
    bed.bin("stop");
    drop(bed);
    drop(disk);
}

/// A disk of its own for a folder.
pub(crate) struct Disk {
    folder: String,
}

impl Disk {
    /// Mounts a small one over a folder, for this user.
    pub(crate) fn of(folder: &str, user: u32) -> Self {
        let options = format!("size=1m,mode=0700,uid={user},gid={user}");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs", folder]).status().unwrap();
        assert!(mounted.success());
        Self { folder: folder.to_string() }
    }

    /// Fills it, and returns the file that does.
    pub(crate) fn fill(&self) -> String {
        let filler = format!("{}/filler", self.folder);
        // It ends with an error: that is what it is for.
        let _ = Command::new("dd")
            .args(["if=/dev/zero", &format!("of={filler}"), "bs=4k", "status=none"])
            .status();
        filler
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l", &self.folder]).status();
    }
}
