//! Targets side by side: whatever finishes first, the results come in the order of the documents.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use testing::{Sandbox, copy};

use crate::PROGRAM;

/// Makes two documents with targets that take long and short to plan, one of which is missing and one blocked.
fn fleet() -> Sandbox {
    let sandbox = Sandbox::new(PROGRAM);
    let tree = sandbox.target("existing");
    std::fs::create_dir(sandbox.root().join("trees")).unwrap();
    let mut targets = String::new();
    for number in 0..12 {
        let folder = format!("trees/{number}");
        if number != 5 {
            copy(&tree, &sandbox.root().join(&folder));
        }
        // A larger file takes longer.
        if number % 4 == 0 {
            let conf = sandbox.root().join(&folder).join("conf/database/postgresql.conf");
            let mut text = std::fs::read_to_string(&conf).unwrap();
            (0..4000).for_each(|line| text.push_str(&format!("# {line} {}\n", "x".repeat(60))));
            std::fs::write(conf, text).unwrap();
        }
        targets.push_str(&format!("  - {{name: t{number}, deployment: {folder}}}\n"));
    }
    sandbox.edit(
        &sandbox.root().join("trees/7/conf/database/postgresql.conf"),
        "max_connections",
        "nobody_knows_it",
    );
    for (name, image) in [("a", "kasmweb/postgres:1.11.0"), ("b", "kasmweb/postgres:1.16.0")] {
        let text = format!(
            "schema: kasm-db/v1\nimage: {image}\npreload: {{libraries: [pgaudit]}}\nverify: {{connect: none}}\n\
             targets:\n{targets}"
        );
        std::fs::write(sandbox.root().join(format!("{name}.kasm-db.yaml")), text).unwrap();
    }
    sandbox
}

#[test]
fn results_come_in_the_order_of_the_documents_whatever_finishes_first() {
    let sandbox = fleet();
    for command in
        ["plan", "plan --format json", "status", "status --format json", "verify", "verify --format json"]
    {
        let run =
            |jobs: u32| sandbox.run(&format!("{command} -f a.kasm-db.yaml -f b.kasm-db.yaml --jobs {jobs}"));
        let one = run(1);
        assert!(one.stderr.contains("trees/5"), "{command}: {one}");
        for jobs in [2, 3, 8] {
            let several = run(jobs);
            assert_eq!((one.code, &one.stdout), (several.code, &several.stdout), "{command} {jobs}");
            assert_eq!(one.stderr, several.stderr, "{command} {jobs}");
        }
    }
}

#[test]
fn a_folder_to_review_is_the_same_with_any_number_of_jobs() {
    let sandbox = fleet();
    let text = std::fs::read_to_string(sandbox.root().join("a.kasm-db.yaml")).unwrap();
    let without = text.lines().filter(|line| !line.contains("t5,")).collect::<Vec<_>>().join("\n");
    std::fs::write(sandbox.root().join("a.kasm-db.yaml"), without).unwrap();
    let render = |out: &str, jobs: u32| {
        sandbox.run(&format!("render -f a.kasm-db.yaml --out {out} --jobs {jobs}")).expect(0);
        sandbox.contents(&sandbox.root().join(out))
    };
    assert!(render("one", 1) == render("four", 4));
    for jobs in [1, 4] {
        sandbox.run(&format!("render -f a.kasm-db.yaml --out one --check --jobs {jobs}")).expect(0);
    }
}

/// Writes documents with one target each, of which `t3` is blocked.
fn small(number: usize) -> (Sandbox, Vec<std::path::PathBuf>) {
    let sandbox = Sandbox::new(PROGRAM);
    let one = |index: usize| {
        let folder = sandbox.root().join(format!("many/t{index}"));
        std::fs::create_dir_all(&folder).unwrap();
        let more = if index == 3 { "include 'nowhere.conf'\n" } else { "" };
        std::fs::write(folder.join("postgresql.conf"), format!("work_mem = 4MB\n{more}")).unwrap();
        let text = format!(
            "schema: kasm-db/v1\npostgres_major: 14\nsettings: {{work_mem: 8MB}}\n\
             targets: [{{name: t{index}, files: {{postgresql_conf: postgresql.conf}}}}]\n"
        );
        std::fs::write(folder.join("kasm-db.yaml"), text).unwrap();
        folder.join("postgresql.conf")
    };
    let files = (0..number).map(one).collect();
    (sandbox, files)
}

#[test]
fn an_apply_says_and_does_the_same_whatever_the_number_of_jobs() {
    let apply = |jobs: usize, format: &str| {
        let (sandbox, files) = small(14);
        let run = sandbox.run(&format!("apply -y --keep-going -R -f many --jobs {jobs} --format {format}"));
        let run = run.expect(10);
        let texts: Vec<_> = files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
        assert_eq!(texts.iter().filter(|text| *text == "work_mem = 8MB\n").count(), 13, "{run}");
        (run.stdout, run.stderr, texts)
    };
    for format in ["human", "json", "summary"] {
        let one = apply(1, format);
        for jobs in [2, 5, 40] {
            assert_eq!(apply(jobs, format), one, "{format}, {jobs} jobs");
        }
    }
}

#[test]
fn an_apply_raises_its_limit_of_open_files() {
    let (sandbox, files) = small(60);
    let script = format!(
        "ulimit -n 4096 && ulimit -Sn 40 && exec {PROGRAM} apply -y --keep-going -R -f many --color never"
    );
    sandbox.finish(sandbox.command("sh").args(["-c", &script])).expect(10);
    assert_eq!(std::fs::read_to_string(&files[59]).unwrap(), "work_mem = 8MB\n");
}

#[test]
fn where_few_files_may_be_open_fewer_targets_are_written_at_a_time() {
    let (sandbox, files) = small(40);
    let script =
        format!("ulimit -n 230 && exec {PROGRAM} apply -y --keep-going --max-failures 40 -R -f many");
    let run = sandbox.finish(sandbox.command("sh").args(["-c", &script]));
    let written = files.iter().filter(|path| std::fs::read_to_string(path).unwrap() == "work_mem = 8MB\n");
    assert_eq!(written.count(), 39, "{run}");
    run.expect(10);
}

#[test]
fn targets_are_done_by_as_many_threads_as_the_system_starts() {
    // From so many calls on no thread is started: none of those that work, or only some.
    for from in [1, 2, 4] {
        let (sandbox, files) = small(20);
        for command in ["plan", "apply -y --keep-going"] {
            let mut traced = sandbox.command("strace");
            traced.args(["-f", "-o", "/dev/null", "-e", "trace=clone,clone3", "-e"]);
            traced.arg(format!("inject=clone,clone3:error=EAGAIN:when={from}+"));
            let rest = format!("{command} -R -f many --jobs 8 --color never");
            let run = sandbox.finish(traced.arg(PROGRAM).args(rest.split(' ')));
            let code = if command.starts_with("apply") { 10 } else { 4 };
            assert!(!run.stderr.contains("thread") && run.code != Some(101), "{run}");
            run.expect(code);
        }
        let texts = files.iter().map(|path| std::fs::read_to_string(path).unwrap());
        assert_eq!(texts.filter(|text| text == "work_mem = 8MB\n").count(), 19);
    }
}

#[test]
fn runs_that_name_the_same_folders_in_different_orders_take_the_locks_in_one_order() {
    let (sandbox, files) = small(3);
    let [first, last] = [0, 2].map(|index: usize| {
        let folder = files[index].parent().unwrap();
        (folder.join("kasm-db.yaml"), std::fs::File::open(folder).unwrap())
    });
    first.1.lock().unwrap();
    let mut command = sandbox.command(PROGRAM);
    command.args(["apply", "-y", "--lock-timeout", "60"]);
    let child = command.arg("-f").arg(&last.0).arg("-f").arg(&first.0).spawn().unwrap();
    // It waits for the first folder, and must not hold the last one meanwhile.
    std::thread::sleep(std::time::Duration::from_millis(1000));
    let free = last.1.try_lock();
    last.1.unlock().unwrap();
    first.1.unlock().unwrap();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
    assert!(free.is_ok(), "{free:?}");
    assert_eq!(std::fs::read_to_string(&files[2]).unwrap(), "work_mem = 8MB\n");
}

#[test]
fn locks_that_others_hold_are_waited_for_once_and_not_one_after_the_other() {
    let (sandbox, files) = small(12);
    let hold = |path: &std::path::PathBuf| {
        let folder = std::fs::File::open(path.parent().unwrap()).unwrap();
        folder.lock().unwrap();
        folder
    };
    let held: Vec<_> = files.iter().map(hold).collect();
    let begun = std::time::Instant::now();
    let run = sandbox.run("apply -y -R -f many --lock-timeout 2").expect(6);
    assert!(begun.elapsed() < std::time::Duration::from_secs(12), "{:?}", begun.elapsed());
    assert_eq!(run.stderr.matches("holds the lock").count(), 12, "{run}");
    drop(held);
}

#[test]
fn a_child_whose_output_no_thread_can_read_is_an_error_and_not_a_panic() {
    let sandbox = Sandbox::new(PROGRAM);
    let folder = sandbox.root().join("tools");
    std::fs::create_dir(&folder).unwrap();
    let docker = folder.join("docker");
    std::fs::write(&docker, "#!/bin/sh\nexit 1\n").unwrap();
    std::fs::set_permissions(&docker, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut said = String::new();
    for from in 1..=6 {
        let mut traced = sandbox.command("strace");
        traced.env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
        traced.args(["-o", "/dev/null", "-e", "trace=clone,clone3", "-e"]);
        traced.arg(format!("inject=clone,clone3:error=EAGAIN:when={from}+"));
        traced.args([PROGRAM, "verify", "-f", "examples/existing/kasm-db.yaml"]);
        let run = sandbox.finish(&mut traced);
        assert!(!run.stderr.contains("kasm-db broke"), "{from}: {run}");
        said.push_str(&format!("{run}"));
    }
    assert!(said.contains("cannot start a thread: resource temporarily unavailable"), "{said}");
}
