//! Logs that a server wrote by an earlier configuration: they are named, and `--strict` fails on them.

use std::fs::{create_dir, create_dir_all, read_to_string, write};
use std::path::{Path, PathBuf};

use testing::{Run, Sandbox};

use super::csv;
use crate::PROGRAM;

const DEPLOYMENT: &str = "examples/existing/opt/kasm/1.11.0";

/// A deployment whose folder of logs is the one that its container has as `/var/log/postgres`.
struct Bed {
    sandbox: Sandbox,
    logs: PathBuf,
}

impl Bed {
    fn new() -> Self {
        let sandbox = Sandbox::new(PROGRAM);
        let logs = sandbox.root().join(DEPLOYMENT).join("log/postgres");
        Self { sandbox, logs }
    }

    fn conf(&self) -> PathBuf {
        self.sandbox.root().join(DEPLOYMENT).join("conf/database/postgresql.conf")
    }

    fn apply(&self, settings: &str) {
        let document = format!(
            "schema: kasm-db/v1\nsettings: {{{settings}}}\ntargets: [{{name: a, deployment: {DEPLOYMENT}}}]\n"
        );
        write(self.sandbox.root().join("kasm-db.yaml"), document).unwrap();
        self.sandbox.run("-q apply --yes").expect(0);
    }

    fn strict(&self) -> Run {
        self.sandbox.run(&format!("audit --strict --deployment {DEPLOYMENT}"))
    }

    /// Expects that this file is named as one outside of the log folder, and nothing else.
    #[track_caller]
    fn names(&self, file: &Path) {
        let run = self.strict().expect(1);
        let file = file.strip_prefix(self.sandbox.root()).unwrap().display();
        let message = format!("warning: logs outside of log_directory are not read: [ROOT]/{file}\n");
        assert!(run.stderr.contains(&message), "no {message:?} in {run}");
        assert!(run.stderr.contains("name the files to read them"), "{run}");
    }
}

/// Creates a folder with today's log.
fn with_log(folder: &Path) -> PathBuf {
    create_dir_all(folder).unwrap();
    let path = folder.join("postgresql-11-23.csv");
    write(&path, csv(1, "READ", "x")).unwrap();
    path
}

#[test]
fn logs_of_the_folder_that_a_setting_named_before_are_named() {
    let bed = Bed::new();
    bed.strict().expect(0);
    let old = bed.logs.join("postgresql-11-22.log");
    bed.apply("log_directory: /var/log/postgres/new");
    // The server has not made the new one yet.
    let run = bed.strict().expect(1);
    assert!(run.stderr.contains("postgresql-11-22.log is there"), "{run}");
    with_log(&bed.logs.join("new"));
    bed.names(&old);
    std::fs::remove_file(&old).unwrap();
    let run = bed.strict().expect(0);
    assert!(run.stdout.contains("public.t1"), "{run}");
}

#[test]
fn logs_of_the_folder_above_are_named_if_they_are_mounted() {
    let bed = Bed::new();
    let old = bed.logs.join("postgresql-11-22.log");
    bed.sandbox.edit(&bed.conf(), "'/var/log/postgres'", "'/var/log/postgres/new'");
    with_log(&bed.logs.join("new"));
    bed.names(&old);
    // The log of another program, in a folder that the container does not see.
    write(bed.logs.with_file_name("api.log"), read_to_string(&old).unwrap()).unwrap();
    std::fs::remove_file(&old).unwrap();
    bed.strict().expect(0);
}

#[test]
fn logs_of_a_folder_that_only_an_earlier_apply_knows_are_named() {
    let bed = Bed::new();
    let compose = bed.sandbox.root().join(DEPLOYMENT).join("docker/docker-compose.yaml");
    let mount = "      - /opt/kasm/1.11.0/log/other/:/var/log/other/\n      - kasm_db_1.11.0:";
    bed.sandbox.edit(&compose, "      - kasm_db_1.11.0:", mount);
    let old = bed.logs.join("postgresql-11-22.log");
    bed.apply("log_directory: /var/log/other");
    with_log(&bed.logs.with_file_name("other"));
    bed.names(&old);
    // A later apply of something else does not hide it.
    bed.apply("work_mem: 8MB, log_directory: /var/log/other");
    bed.names(&old);
    // Neither does a hand that comments the old line out.
    let conf = read_to_string(bed.conf()).unwrap();
    write(bed.conf(), format!("#log_directory = '/var/log/postgres'\n{conf}")).unwrap();
    std::fs::remove_dir_all(bed.sandbox.root().join(DEPLOYMENT).join(".kasm-db")).unwrap();
    bed.names(&old);
}

#[test]
fn logs_in_folders_beside_and_below_are_named_and_nothing_else_is() {
    let bed = Bed::new();
    let below = bed.logs.join("old");
    create_dir(&below).unwrap();
    write(below.join("export.csv"), "a,b\n1,2\n").unwrap();
    write(below.join("notes.log"), "what was done on Monday\n").unwrap();
    write(below.join("README"), csv(1, "READ", "x")).unwrap();
    std::os::unix::fs::symlink("/var/log", bed.logs.join("host")).unwrap();
    bed.strict().expect(0);
    bed.names(&with_log(&below));
}

#[test]
fn status_tells_files_of_earlier_settings_from_those_of_now_also_without_the_server() {
    let bed = Bed::new();
    let log = || {
        let run = bed.sandbox.run("status --format json");
        let status: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        let log = status["targets"][0]["log"].clone();
        let names = |list: &serde_json::Value| -> Vec<String> {
            let paths = list.as_array().unwrap().iter().map(|path| path.as_str().unwrap());
            paths.map(|path| path.rsplit('/').next().unwrap().to_string()).collect()
        };
        (log["now"].is_null(), log["current"].as_u64(), names(&log["earlier"]), names(&log["other"]))
    };
    bed.apply("log_filename: 'pg-%Y.log'");
    let old = vec!["postgresql-11-22.log".to_string()];
    assert_eq!(log(), (true, Some(0), old.clone(), vec![]));
    write(bed.logs.join("pg-2026.csv"), csv(1, "READ", "x")).unwrap();
    write(bed.logs.join("other.csv"), csv(2, "READ", "x")).unwrap();
    assert_eq!(log(), (true, Some(1), old.clone(), vec!["other.csv".into()]));
    let status = bed.sandbox.run("status").stdout;
    assert!(
        status.contains("; log: 3 files, 1 by earlier settings, 1 by no setting that is known"),
        "{status}"
    );
    // A folder that is not there yet has nothing, and what was there before stays known.
    bed.apply("log_directory: /var/log/postgres/new");
    let (_, current, earlier, _) = log();
    assert_eq!((current, earlier), (Some(0), vec!["pg-2026.csv".to_string(), old[0].clone()]));
}

#[test]
fn files_by_another_name_are_named() {
    let bed = Bed::new();
    write(bed.logs.join("other.csv"), csv(9, "READ", "x")).unwrap();
    let run = bed.strict().expect(1);
    let message = "warning: files whose names do not match log_filename are not read: [ROOT]/";
    assert!(run.stderr.contains(message) && run.stderr.contains("/other.csv\n"), "{run}");
    assert!(!run.stdout.contains("public.t2"), "{run}");
    bed.sandbox.run(&format!("audit --deployment {DEPLOYMENT}")).expect(0);
}
