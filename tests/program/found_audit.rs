//! Logs from the field, which once were read wrongly. `KASM_DB_FOUND` names their folder.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "a test says what it looked at")]

use std::path::{Path, PathBuf};
use std::process::Command;

use testing::{Run, Sandbox};

use crate::PROGRAM;
use crate::found::on;

fn audit(folder: &Path, arguments: &str) -> Run {
    let sandbox = Sandbox::new(PROGRAM);
    let mut command = sandbox.command(PROGRAM);
    command.current_dir(folder).arg("audit").args(arguments.split_whitespace());
    sandbox.finish(&mut command)
}

fn ids(run: &Run) -> Vec<u64> {
    let number = |line: &str| {
        let rest = line.split("\"statement_id\":").nth(1).unwrap();
        rest[..rest.find(',').unwrap()].parse().unwrap()
    };
    entries(run).map(number).collect()
}

/// Returns the lines of entries, without the one that ends the result.
fn entries(run: &Run) -> impl Iterator<Item = &str> {
    run.stdout.lines().filter(|line| line.starts_with("{\"format\":\"kasm-db/audit-entry\""))
}

/// Copies what a deployment of Kasm needs; `T` is where it lies.
fn deployment(sandbox: &Sandbox) -> PathBuf {
    let root = sandbox.target("existing");
    for entry in std::fs::read_dir(root.join("log/postgres")).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    root
}

fn set(root: &Path, setting: &str) {
    let conf = root.join("conf/database/postgresql.conf");
    let text = std::fs::read_to_string(&conf).unwrap();
    std::fs::write(&conf, format!("{text}\n{setting}\n")).unwrap();
}

#[test]
fn a_time_in_a_zone_that_is_not_the_only_one_of_its_name() {
    on("audit-cst", |folder| {
        let run = audit(folder, "--until 2026-11-29T02:00Z --strict --format json shanghai.log").expect(1);
        assert!(run.stderr.contains("--log-timezone"), "{run}");
        let zone = "--log-timezone Asia/Shanghai --strict --format json shanghai.log";
        assert_eq!(ids(&audit(folder, &format!("--until 2026-11-29T02:00Z {zone}")).expect(0)), [1]);
        assert_eq!(ids(&audit(folder, &format!("--since 2026-11-29T12:00Z {zone}")).expect(0)), [0; 0]);
        audit(folder, "--log-timezone Asia/Nowhere shanghai.log").expect(64);
    });
}

#[test]
fn an_application_name_that_imitates_a_prefix() {
    on("audit-forged-attribution", |folder| {
        let count = |file: &str, code| audit(folder, &format!("--strict --count user {file}")).expect(code);
        assert_eq!(count("forge.csv", 0).stdout, "bob  4\n");
        let run = count("forge.log", 1);
        assert!(!run.stdout.contains("kasmapp") && !run.stdout.contains("admin"), "{run}");
        assert_eq!(run.stdout, "(uncertain)  3\nbob          1\n");
        let run = audit(folder, "--user bob --grep evidence --format json forge.log").expect(0);
        assert!(run.stdout.contains("\"user\":null") && run.stdout.contains("\"uncertain\":true"), "{run}");
        for user in ["kasmapp", "admin"] {
            let run = audit(folder, &format!("--user {user} --format json forge.log")).expect(0);
            assert_eq!(entries(&run).count(), 0, "{run}");
        }
    });
}

#[test]
fn holes_of_zeros() {
    on("audit-nul-bytes", |folder| {
        for file in ["hole4096.log", "lead5000.log", "lead300000.json"] {
            let run = audit(folder, &format!("--strict --format json {file}")).expect(1);
            assert_eq!(ids(&run), [1, 2, 3, 4, 5], "{file}");
            assert_eq!(run.stderr.matches("NUL").count(), 1, "{run}");
        }
    });
}

#[test]
fn older_logs_of_another_destination() {
    on("audit-older-stderr-logs-left-out", |folder| {
        let sandbox = Sandbox::new(PROGRAM);
        let root = deployment(&sandbox);
        for entry in std::fs::read_dir(folder.join("logs")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            std::fs::copy(&path, root.join("log/postgres").join(name)).unwrap();
        }
        let run = |arguments: &str| {
            let mut command = sandbox.command(PROGRAM);
            let all =
                format!("audit --format json --deployment examples/existing/opt/kasm/current {arguments}");
            sandbox.finish(command.args(all.split_whitespace()))
        };
        for destination in ["stderr", "stderr,csvlog", "csvlog"] {
            set(&root, &format!("log_destination = '{destination}'"));
            let run = run("--strict").expect(1);
            let mut ids = ids(&run);
            ids.sort_unstable();
            assert_eq!(ids, [18, 19, 20, 21, 22], "{destination}");
            assert!(run.stderr.contains("pg-2026-11-23.log"), "{run}");
        }
        std::fs::remove_file(root.join("log/postgres/pg-2026-11-23.log")).unwrap();
        run("--strict").expect(0);
        // Another name for the files of tomorrow.
        set(&root, "log_filename = 'postgresql-%m-%d-%H%M.log'");
        let run = run("--strict").expect(1);
        assert!(run.stderr.contains("postgresql-11-18.log"), "{run}");
    });
}

#[test]
fn prefixes_that_number_lines() {
    on("audit-pgbadger-prefix-taken-for-syslog", |folder| {
        let run = audit(folder, "--strict --count user pgbadger.log").expect(0);
        assert_eq!(run.stdout, "kasmapp  1\n");
        let run = audit(folder, "--strict --count command statement.log").expect(0);
        assert_eq!(run.stdout, "DELETE  1\nSELECT  1\n");
    });
}

#[test]
fn torn_records_of_a_csvlog() {
    on("audit-torn-csv-record", |folder| {
        for file in ["torn.csv", "no-newline.csv"] {
            let run = audit(folder, &format!("--strict --format json {file}")).expect(1);
            assert_eq!(ids(&run), [1, 3, 4], "{file}");
            assert!(run.stderr.contains(&format!("{file}:2: the record has ")), "{run}");
        }
    });
}

#[test]
fn a_role_of_a_realm() {
    on("audit-user-with-at", |folder| {
        // Somebody may have made a database `EXAMPLE.COM@kasm`: the role is the most likely one, and no more.
        let run = audit(folder, "--strict --count user debian.log").expect(0);
        assert_eq!(run.stdout, "alice@EXAMPLE.COM?  1\n");
        assert_eq!(audit(folder, "--count database debian.log").expect(0).stdout, "kasm?  1\n");
        assert!(audit(folder, "debian.log").expect(0).stdout.contains(" alice@EXAMPLE.COM?@kasm? "));
        assert_eq!(ids(&audit(folder, "--user alice@EXAMPLE.COM --format json debian.log").expect(0)), [1]);
    });
}

#[test]
fn logs_that_were_compressed_otherwise() {
    on("audit-zstd-xz-bz2-silently-empty", |folder| {
        for (file, kind) in [("big.log.zst", "zstd"), ("big.csv.xz", "xz"), ("big.json.bz2", "bzip2")] {
            let run = audit(folder, &format!("--summary {file}")).expect(1);
            assert!(run.stderr.contains(&format!("compressed with {kind}")), "{run}");
        }
    });
}

#[test]
fn a_configuration_that_may_not_be_read() {
    on("audit-without-rights", |_| {
        if !rustix::process::geteuid().is_root() {
            eprintln!("this needs root, to become somebody else");
            return;
        }
        let sandbox = Sandbox::new(PROGRAM);
        let root = deployment(&sandbox);
        for folder in [sandbox.root(), &root] {
            Command::new("chmod").args(["-R", "a+rX"]).arg(folder).status().unwrap();
        }
        let folder = root.join("conf/database");
        Command::new("chmod").arg("444").arg(&folder).status().unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", PROGRAM, "audit"]);
        command.args(["--deployment"]).arg(&root).current_dir(sandbox.root());
        let run = Run::of(&command.output().unwrap(), sandbox.root()).expect(1);
        assert!(run.stderr.contains("permission denied") && run.stderr.contains("run as root"), "{run}");
    });
}

#[test]
fn entries_that_a_function_or_a_name_forged() {
    on("security-forged-audit-entries", |folder| {
        for file in ["postgresql.csv", "postgresql.json", "postgresql.log"] {
            let run = audit(folder, &format!("--strict --format json {file}")).expect(1);
            assert!(!run.stdout.contains("\"object_name\":\"public.forged"), "{run}");
            assert_eq!(entries(&run).count(), 5, "{run}");
            let certain = entries(&run).filter(|entry| entry.contains("\"uncertain\":false")).count();
            assert_eq!(certain, 5, "{run}");
            assert_eq!(run.stderr.matches("written by a function, not by pgaudit").count(), 2, "{run}");
        }
        for (file, prefix) in [
            ("preauth-kasm-prefix.log", "< %m %a %u %d %r %p %i %e %s %c:>"),
            ("tcp-scram-debian-prefix.log", "%m [%p] %q%u@%d "),
        ] {
            for prefix in [None, Some(prefix)] {
                let sandbox = Sandbox::new(PROGRAM);
                let mut command = sandbox.command(PROGRAM);
                command.current_dir(folder).args(["audit", file, "--format", "json"]);
                command.args(prefix.map(|prefix| format!("--log-line-prefix={prefix}")));
                let run = sandbox.finish(&mut command).expect(0);
                for entry in entries(&run) {
                    let is_forged = entry.contains("2026-11-29T02:00:00");
                    assert!(!is_forged || entry.contains("\"uncertain\":true"), "{entry}");
                    assert!(!entry.contains("\"user\":\"alice\""), "{entry}");
                }
            }
        }
    });
}

#[test]
fn a_log_that_a_user_name_would_hide() {
    on("security-log-hidden-by-a-user-name", |folder| {
        for (file, count) in [("taken-for-csv.log", 3), ("tcp-scram-csv.log", 2)] {
            for prefix in ["< %m %a %u %d %r %p %i %e %s %c:>", "%u %m "] {
                let sandbox = Sandbox::new(PROGRAM);
                let mut command = sandbox.command(PROGRAM);
                command.current_dir(folder).args(["audit", file, "--format", "json"]);
                let run = sandbox.finish(command.arg(format!("--log-line-prefix={prefix}"))).expect(0);
                assert_eq!(entries(&run).count(), count, "{run}");
            }
            let run = audit(folder, &format!("--log-format csvlog {file}")).expect(1);
            assert!(run.stderr.contains("no entry could be read"), "{run}");
            // A target's file is what its name and the settings say.
            let sandbox = Sandbox::new(PROGRAM);
            let root = deployment(&sandbox);
            set(&root, "log_filename = 'pg.log'\nlog_line_prefix = '%u '");
            std::fs::copy(folder.join(file), root.join("log/postgres/pg.log")).unwrap();
            let run =
                sandbox.run("audit --deployment examples/existing/opt/kasm/current --format json").expect(0);
            assert_eq!(entries(&run).count(), count, "{run}");
        }
    });
}

#[test]
fn a_log_filename_that_fits_in_many_ways() {
    on("security-log-filename-backtracks", |_| {
        let sandbox = Sandbox::new(PROGRAM);
        let root = deployment(&sandbox);
        set(&root, "log_filename = '%A%A%A%A%A%A%A%Ax'");
        std::fs::write(root.join("log/postgres").join("a".repeat(200)), "").unwrap();
        let run = sandbox.run("audit --deployment examples/existing/opt/kasm/current").expect(1);
        assert!(run.stderr.contains("no file matches"), "{run}");
    });
}
