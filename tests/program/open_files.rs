//! Applies to many targets by processes that may have few files open: each is refused as a whole, or does all.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::{create_dir_all, read_to_string, write};
use std::path::PathBuf;

use testing::{Run, Sandbox};

use crate::PROGRAM;

/// Targets, of which some settings are to change, each in an included file in a folder of its own.
struct Fleet {
    sandbox: Sandbox,
    files: Vec<PathBuf>,
}

impl Fleet {
    fn new(targets: usize, settings: usize, more: &str) -> Self {
        let sandbox = Sandbox::new(PROGRAM);
        let mut files = Vec::new();
        for index in 0..targets {
            let folder = sandbox.root().join(format!("many/t{index}"));
            let (mut conf, mut wanted) = (String::new(), Vec::new());
            for setting in 0..settings {
                let setting = format!("tests.size_{setting}");
                create_dir_all(folder.join(&setting)).unwrap();
                conf.push_str(&format!("include '{setting}/x.conf'\n"));
                wanted.push(format!("{setting}: '128MB'"));
                files.push(folder.join(&setting).join("x.conf"));
                write(files.last().unwrap(), format!("{setting} = '64MB'\n")).unwrap();
            }
            write(folder.join("postgresql.conf"), conf).unwrap();
            let text = format!(
                "schema: kasm-db/v1\npostgres_major: 14\nsettings: {{{}}}\n{more}\
                 targets: [{{name: t{index}, files: {{postgresql_conf: postgresql.conf}}}}]\n",
                wanted.join(", ")
            );
            write(folder.join("kasm-db.yaml"), text).unwrap();
        }
        Self { sandbox, files }
    }

    fn run(&self, limit: usize, command: &str) -> Run {
        let script = format!("ulimit -n {limit} && exec {PROGRAM} {command} --color never");
        self.sandbox.finish(self.sandbox.command("sh").args(["-c", &script]))
    }

    /// Returns how many files are as they are wanted.
    fn new_files(&self) -> usize {
        self.files.iter().filter(|path| read_to_string(path).unwrap().contains("128MB")).count()
    }

    /// Runs a command with the limits that it asks for, until it does all. Returns the first of them.
    #[track_caller]
    fn apply(&self, command: &str) -> usize {
        let (before, mut limit, mut asked) = (self.new_files(), 24, Vec::new());
        loop {
            let run = self.run(limit, command);
            // What is to follow the files may be left undone.
            if matches!(run.code, Some(0 | 9)) {
                assert_eq!(self.new_files(), self.files.len(), "{command}, {limit}: {run}");
                return asked.first().copied().unwrap_or(limit);
            }
            assert_eq!((run.code, self.new_files()), (Some(1), before), "{command}, {limit}: {run}");
            let rest = run.stderr.split_once("`ulimit -n ").map(|(_, rest)| rest);
            let needed = rest.and_then(|rest| rest.split('`').next()?.parse().ok());
            let needed = needed.unwrap_or_else(|| panic!("{command}, {limit}: {run}"));
            assert!(needed > limit && asked.len() < 2, "{command}, {limit}, {asked:?}: {run}");
            asked.push(needed);
            limit = needed;
        }
    }

    /// Puts the files back to what they were.
    fn reset(&self) {
        for path in &self.files {
            write(path, read_to_string(path).unwrap().replace("128MB", "64MB")).unwrap();
        }
    }
}

#[test]
fn an_apply_does_all_with_as_many_open_files_as_it_asks_for() {
    for (targets, settings, more, option) in [
        (50, 1, "", "--no-restart"),
        (50, 1, "restart: {policy: if_needed}\n", "--no-restart"),
        (50, 1, "", "--files-only --in-place --jobs 16"),
        (12, 10, "", "--files-only"),
        (12, 10, "", "--files-only --jobs 8"),
        (2, 80, "", "--files-only"),
    ] {
        let fleet = Fleet::new(targets, settings, more);
        let command = format!("apply -y -R -f many {option}");
        let first = fleet.apply(&command);
        assert!(first < 4 * targets + 3 * settings + 60, "{command}: {first}");
        // With state directories, a run has more files open.
        fleet.reset();
        fleet.apply(&command);
    }
}

#[test]
fn a_saved_plan_is_applied_with_as_many_open_files_as_it_asks_for_whatever_was_applied_before() {
    for done in [0, 15, 30, 50] {
        let fleet = Fleet::new(50, 1, "");
        fleet.run(1000, "plan -q -R -f many --out plan.json").expect(0);
        let some: Vec<_> = (0..done).map(|index| format!(" -f many/t{index}/kasm-db.yaml")).collect();
        if done > 0 {
            fleet.run(1000, &format!("apply -q -y{}", some.concat())).expect(0);
        }
        fleet.apply("apply -y plan.json");
    }
}

#[test]
fn targets_of_one_folder_need_a_file_each() {
    let sandbox = Sandbox::new(PROGRAM);
    let mut targets = String::new();
    for index in 0..60 {
        write(sandbox.root().join(format!("t{index}.conf")), "work_mem = 4MB\n").unwrap();
        targets.push_str(&format!("  - {{name: t{index}, files: {{postgresql_conf: t{index}.conf}}}}\n"));
    }
    let text =
        format!("schema: kasm-db/v1\npostgres_major: 14\nsettings: {{work_mem: 8MB}}\ntargets:\n{targets}");
    write(sandbox.root().join("kasm-db.yaml"), text).unwrap();
    let script = format!("ulimit -n 130 && exec {PROGRAM} apply -y -q");
    sandbox.finish(sandbox.command("sh").args(["-c", &script])).expect(0);
    assert_eq!(read_to_string(sandbox.root().join("t59.conf")).unwrap(), "work_mem = 8MB\n");
}

#[test]
fn whatever_the_jobs_no_more_is_looked_at_side_by_side_than_finds_room() {
    let fleet = Fleet::new(80, 5, "");
    let files = "-R -f many --jobs 64";
    for command in [
        format!("validate {files}"),
        format!("plan {files}"),
        format!("status {files} --files-only"),
        format!("plan {files} --out plan.json"),
        "show --jobs 64 plan.json".to_owned(),
    ] {
        let (few, many) = (fleet.run(20, &command), fleet.run(1000, &command));
        assert_eq!((few.code, few.stdout, few.stderr), (many.code, many.stdout, many.stderr), "{command}");
    }
}

#[test]
fn what_to_do_about_too_few_open_files_is_said() {
    let fleet = Fleet::new(2, 1, "");
    let run = fleet.run(4, "plan -R -f many").expect(1);
    assert!(run.stderr.contains("too many open files"), "{run}");
    assert!(run.stderr.contains("raise the limit of open files"), "{run}");
}
