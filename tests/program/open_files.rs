//! Applies to many targets by processes that may have few files open: each is refused as a whole, or does all.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::{Permissions, create_dir_all, read_dir, read_to_string, rename, set_permissions, write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

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
        let (before, mut limit, mut asked) = (self.new_files(), 64, Vec::new());
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
        let (few, many) = (fleet.run(64, &command), fleet.run(1000, &command));
        assert_eq!((few.code, few.stdout, few.stderr), (many.code, many.stdout, many.stderr), "{command}");
    }
}

/// Folders that are only looked at count, too, and so do those above a target.
#[test]
fn wide_and_deep_targets_are_written_with_as_many_open_files_as_are_asked_for() {
    let deep = "d/".repeat(40);
    let fleet = Fleet::new(20, 60, "");
    for index in 0..20 {
        let folder = fleet.sandbox.root().join(format!("many/t{index}"));
        let below = folder.join(&deep);
        create_dir_all(below.parent().unwrap()).unwrap();
        rename_into(&folder, &below);
        let text = read_to_string(below.join("kasm-db.yaml")).unwrap();
        let (first, _) = text.split_once("tests.size_1:").unwrap();
        let text = format!(
            "{}}}\ntargets: [{{name: t{index}, files: {{postgresql_conf: postgresql.conf}}}}]\n",
            first.trim_end_matches(", ")
        );
        write(below.join("kasm-db.yaml"), text).unwrap();
    }
    let files: Vec<_> = (0..20)
        .map(|index| fleet.sandbox.root().join(format!("many/t{index}/{deep}tests.size_0/x.conf")))
        .collect();
    let fleet = Fleet { files, ..fleet };
    let first = fleet.apply("apply -y -R -f many --files-only");
    assert!(first < 4 * 20 + 60, "{first}");
    fleet.reset();
    fleet.apply("apply -y -R -f many --files-only");
}

/// Moves what is in a folder to another one below it, which is not there yet.
fn rename_into(folder: &Path, below: &Path) {
    let aside = folder.with_extension("aside");
    create_dir_all(&aside).unwrap();
    for entry in read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_name() != "d" {
            rename(entry.path(), aside.join(entry.file_name())).unwrap();
        }
    }
    rename(aside, below).unwrap();
}

#[test]
fn what_others_can_write_to_is_seen_however_many_folders_there_are() {
    let fleet = Fleet::new(1, 80, "");
    let file = &fleet.files[70];
    set_permissions(file, Permissions::from_mode(0o666)).unwrap();
    let run = fleet.run(64, "apply -y --files-only -f many/t0/kasm-db.yaml").expect(4);
    assert!(run.stderr.contains("KDB603"), "{run}");
}

#[test]
fn too_few_open_files_for_a_target_are_an_error_before_anything_is_looked_at() {
    let fleet = Fleet::new(2, 1, "");
    for command in ["plan -R -f many", "apply -y -R -f many", "validate -R -f many", "recover -R -f many"] {
        for limit in [8, 20, 40] {
            let run = fleet.run(limit, command).expect(1);
            assert!(run.stdout.is_empty(), "{run}");
            assert!(run.stderr.contains("too few of them are left"), "{run}");
            assert!(run.stderr.contains("raise the limit, as `ulimit -n 1024` does"), "{run}");
        }
    }
    // A limit that may be raised is.
    let script = format!("ulimit -S -n 8 && exec {PROGRAM} plan -q -R -f many");
    fleet.sandbox.finish(fleet.sandbox.command("sh").args(["-c", &script])).expect(0);
}

/// Whichever file cannot be opened: what was written is in the record, or the run has failed.
#[test]
fn no_file_that_cannot_be_opened_costs_the_record_of_what_was_set() {
    for when in 1.. {
        let fleet = Fleet::new(1, 1, "");
        let folder = fleet.sandbox.root().join("many/t0");
        let inject = format!("inject=openat,openat2:error=EMFILE:when={when}");
        let mut command = fleet.sandbox.command("strace");
        command.args(["-f", "-qq", "-o", "trace", "-e", "trace=openat,openat2", "-e", &inject, PROGRAM]);
        let run = fleet.sandbox.finish(command.args(["apply", "-y", "-q", "-f", "many/t0/kasm-db.yaml"]));
        let is_recorded = folder.join(".kasm-db/managed").exists();
        assert!(run.code != Some(0) || is_recorded, "{when}: {run}");
        if !read_to_string(fleet.sandbox.root().join("trace")).unwrap().contains("INJECTED") {
            assert!(run.code == Some(0) && when > 20, "{when}: {run}");
            break;
        }
    }
}
