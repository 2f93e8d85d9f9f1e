//! `kasm-db audit` on files: what it shows, counts and follows, and what it costs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod cost;
mod earlier;
mod filters;
mod follow;
mod pieces;
mod servers;

use std::io::Write as _;
use std::process::Stdio;

use testing::{Run, Sandbox};

use crate::PROGRAM;

const LOG: &str = "examples/existing/opt/kasm/1.11.0/log/postgres/postgresql-11-22.log";

/// Returns a record of a csvlog.
fn csv(number: usize, class: &str, statement: &str) -> String {
    let statement = format!("\"{}\"", statement.replace('"', "\"\""));
    let message =
        format!("AUDIT: SESSION,{number},1,{class},SELECT,TABLE,public.t{},{statement},<none>", number % 7);
    format!(
        "2026-11-22 {:02}:46:35.752 UTC,\"bob\",\"kasm\",7,\"[local]\",6b0370cb.{number:x},1,\"SELECT\",2026-11-22 \
         22:46:35 UTC,3/2,0,LOG,00000,\"{}\",,,,,,,,,\"psql\",\"client backend\",,0\n",
        number % 24,
        message.replace('"', "\"\"")
    )
}

/// Runs with this on standard input.
fn piped(sandbox: &Sandbox, arguments: &[&str], input: &[u8]) -> Run {
    let mut command = sandbox.command(PROGRAM);
    command.arg("audit").args(arguments).arg("-");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writes = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writes.join().unwrap();
    Run::of(&output, sandbox.root())
}

fn gzip(sandbox: &Sandbox, name: &str) -> Vec<u8> {
    let output = sandbox.command("gzip").arg("-c").arg(name).output().unwrap();
    assert!(output.status.success());
    output.stdout
}

#[test]
fn the_logs_of_a_target_are_found_by_its_configuration() {
    let sandbox = Sandbox::new(PROGRAM);
    let run = sandbox.run("audit -f examples/existing/kasm-db.yaml --root examples/existing").expect(0);
    insta::assert_snapshot!("target", run);
    let by_folder = sandbox.run("audit --deployment examples/existing/opt/kasm/current").expect(0);
    assert_eq!(by_folder.stdout, run.stdout);
    let by_name = sandbox.run(&format!("audit {LOG}")).expect(0);
    assert_eq!(by_name.stdout, run.stdout);
}

#[test]
fn of_several_destinations_one_is_read_and_rotated_files_come_first() {
    let sandbox = Sandbox::new(PROGRAM);
    let conf = sandbox.target("existing").join("conf/database/postgresql.conf");
    let mut text = std::fs::read_to_string(&conf).unwrap();
    text.push_str("log_destination = 'stderr,csvlog'\nlog_filename = 'pg-%Y-%m-%d.log'\n");
    std::fs::write(&conf, text).unwrap();
    let folder = sandbox.target("existing").join("log/postgres");
    for (name, number, age) in
        [("pg-2026-11-21.csv.1", 1, 30), ("pg-2026-11-22.csv", 3, 10), ("pg-2026-11-21.csv", 2, 20)]
    {
        std::fs::write(folder.join(name), csv(number, "READ", "x")).unwrap();
        let time = std::time::SystemTime::now() - std::time::Duration::from_secs(age);
        std::fs::File::options().append(true).open(folder.join(name)).unwrap().set_modified(time).unwrap();
    }
    std::fs::write(folder.join("pg-2026-11-22.log"), "no csv").unwrap();
    std::fs::write(folder.join("other.csv"), csv(9, "READ", "x")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.join("pg-2026-11-23.csv")).unwrap();
    let run = sandbox.run("audit --deployment examples/existing/opt/kasm/current --format json").expect(0);
    let ids: Vec<_> = run
        .stdout
        .lines()
        .filter(|line| line.contains("kasm-db/audit-entry"))
        .map(|line| line.split("\"statement_id\":").nth(1).unwrap()[..1].to_string())
        .collect();
    assert_eq!(ids, ["1", "2", "3"], "{run}");
}

#[test]
fn logs_that_are_not_on_this_host_are_said_to_be_elsewhere() {
    let sandbox = Sandbox::new(PROGRAM);
    let conf = sandbox.target("existing").join("conf/database/postgresql.conf");
    let text = std::fs::read_to_string(&conf).unwrap();
    for (line, says) in [
        ("logging_collector = off", "docker logs kasm_db"),
        ("log_directory = 'log'", "in a volume that Docker keeps"),
        ("log_directory = '/srv/log'", "which no volume brings here"),
        ("log_filename = 'other.log'", "no file matches `other.log`"),
    ] {
        std::fs::write(&conf, format!("{text}\n{line}\n")).unwrap();
        let run = sandbox.run("audit --deployment examples/existing/opt/kasm/current").expect(1);
        assert!(run.stderr.contains(says), "{line}\n{run}");
    }
}

#[test]
fn entries_are_for_programs_too() {
    let sandbox = Sandbox::new(PROGRAM);
    let run = sandbox.run(&format!("audit {LOG} --format json --session 97")).expect(0);
    insta::assert_snapshot!("json", run);
}

#[test]
fn filters_choose() {
    let sandbox = Sandbox::new(PROGRAM);
    let times = |filter: &str| -> Vec<String> {
        let run = sandbox.run(&format!("audit {LOG} {filter}")).expect(0);
        assert!(!run.stderr.replace("is not proof", "").contains("uncertain"), "{filter}: {run}");
        run.stdout.lines().skip(1).map(|line| line[14..19].to_string()).collect()
    };
    let all = ["16:40", "16:41", "17:12", "02:33"];
    assert_eq!(times(""), all);
    assert_eq!(times("--class ddl,write"), all[..2]);
    assert_eq!(times("--command select"), all[2..]);
    assert_eq!(times("--command CREATE*"), all[..1]);
    assert_eq!(times("--object public.rep*"), [all[0], all[1], all[3]]);
    assert_eq!(times("--object-type table --user kasmapp --database kasm"), all);
    assert_eq!(times("--user other"), [""; 0]);
    assert_eq!(times("--session 6b02b026.70"), all[3..]);
    assert_eq!(times("--session 84"), all[..2]);
    assert_eq!(times("--type object"), [""; 0]);
    assert_eq!(times("--grep realm"), all[2..3]);
    assert_eq!(times("--since 2026-11-22T08:17"), all[2..]);
    assert_eq!(times("--until 2026-11-22T08:17"), all[..2]);
    assert_eq!(times("--since 2026-11-22T10:16:41+02:00 --until 2026-11-22T09:00Z"), all[1..3]);
    assert_eq!(times("--until 0s --since 2026-11-22T08:17:12.456"), all[3..]);
    let run = sandbox.run(&format!("audit {LOG} --since yesterday")).expect(64);
    assert!(run.stderr.contains("invalid value `yesterday` for `--since`: not a time"), "{run}");
    sandbox.run(&format!("audit {LOG} --class all")).expect(64);
}

#[test]
fn counts_and_a_summary() {
    let sandbox = Sandbox::new(PROGRAM);
    let mut said = String::new();
    for view in ["--count class", "--count hour", "--count object", "--summary", "--count user --format json"]
    {
        let run = sandbox.run(&format!("audit {LOG} {view}")).expect(0);
        said.push_str(&format!("{view}\n{}\n", run.stdout));
    }
    insta::assert_snapshot!("counts", said);
}

#[test]
fn compressed_and_piped_logs_are_read() {
    let sandbox = Sandbox::new(PROGRAM);
    let plain = sandbox.run(&format!("audit {LOG}")).expect(0).stdout;
    let compressed = gzip(&sandbox, LOG);
    std::fs::write(sandbox.root().join("log.txt"), &compressed).unwrap();
    assert_eq!(sandbox.run("audit log.txt").expect(0).stdout, plain);
    assert_eq!(piped(&sandbox, &[], &compressed).expect(0).stdout, plain);
    assert_eq!(
        piped(&sandbox, &[], &std::fs::read(sandbox.root().join(LOG)).unwrap()).expect(0).stdout,
        plain
    );
    // Two members, and a damaged one.
    let two = [compressed.clone(), compressed.clone()].concat();
    assert_eq!(piped(&sandbox, &["--count=database"], &two).expect(0).stdout, "kasm  8\n");
    let cut = &compressed[..compressed.len() / 2];
    let run = piped(&sandbox, &["--count=database"], cut).expect(1);
    assert!(run.stderr.contains("is damaged or ends early"), "{run}");
    piped(&sandbox, &["--strict"], cut).expect(1);
}

#[test]
fn what_was_compressed_otherwise_is_refused_by_what_it_starts_with() {
    let sandbox = Sandbox::new(PROGRAM);
    let starts: [(&[u8], &str); 4] = [
        (b"\x28\xb5\x2f\xfdxx", "zstd"),
        (b"\xfd7zXZ\0", "xz"),
        (b"BZh91A", "bzip2"),
        (b"\x04\x22\x4d\x18x", "lz4"),
    ];
    for (start, kind) in starts {
        std::fs::write(sandbox.root().join("pg.log"), start).unwrap();
        let run = sandbox.run("audit pg.log").expect(1);
        assert!(run.stderr.contains(&format!("pg.log: compressed with {kind}, which is not read")), "{run}");
        let run = piped(&sandbox, &["--strict"], start).expect(1);
        assert!(run.stderr.contains(&format!("compressed with {kind}")), "{run}");
    }
}

#[test]
fn a_file_that_is_not_a_log_is_not_an_empty_one() {
    let sandbox = Sandbox::new(PROGRAM);
    std::fs::write(sandbox.root().join("x.log"), "waiting for server to start\n").unwrap();
    let run = sandbox.run("audit x.log --strict").expect(1);
    assert!(run.stderr.contains("x.log:1: not recognised as a PostgreSQL log"), "{run}");
    std::fs::write(sandbox.root().join("x.log"), "").unwrap();
    sandbox.run("audit x.log --strict").expect(0);
}

#[test]
fn a_fifo_or_a_device_is_refused_and_nothing_waits_for_it() {
    let sandbox = Sandbox::new(PROGRAM);
    assert!(sandbox.command("mkfifo").arg("pipe.log").status().unwrap().success());
    for name in ["pipe.log", "/dev/zero", "/dev/null"] {
        for more in ["", "--count class", "--follow"] {
            let run = sandbox.run(&format!("audit {name} {more}")).expect(1);
            assert!(run.stderr.contains(&format!("{name}: it is not a regular file")), "{run}");
        }
    }
    std::fs::write(sandbox.root().join("a.csv"), csv(1, "READ", "x")).unwrap();
    let run = sandbox.run("audit pipe.log a.csv --count class").expect(1);
    assert_eq!(run.stdout, "READ  1\n");
    let folder = sandbox.target("existing").join("log/postgres");
    assert!(sandbox.command("mkfifo").arg(folder.join("postgresql-11-23.log")).status().unwrap().success());
    sandbox.run("audit --deployment examples/existing/opt/kasm/current --count class").expect(0);
}

#[test]
fn a_format_can_be_given_and_what_does_not_fit_is_reported() {
    let sandbox = Sandbox::new(PROGRAM);
    std::fs::write(sandbox.root().join("x"), csv(1, "READ", "x")).unwrap();
    assert_eq!(
        sandbox.run("audit x --log-format csvlog --count class --strict").expect(0).stdout,
        "READ  1\n"
    );
    for format in ["stderr", "jsonlog"] {
        let run = sandbox.run(&format!("audit x --log-format {format}")).expect(1);
        assert!(run.stderr.contains("no entry could be read"), "{run}");
    }
    sandbox.run("audit x --log-format syslog").expect(64);
    // The first complete record decides.
    let line = "2026-11-22 08:15:02.114 UTC [7] bob@kasm LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,x,<none>\n";
    let hidden = format!(
        "{line}2026-11-22 22:46:35.752 UTC,\"a\",\"b\",7,\"[local]\",6b.7,1 LOG:  y\n{}",
        line.repeat(9)
    );
    std::fs::write(sandbox.root().join("x"), hidden).unwrap();
    assert_eq!(sandbox.run("audit x --count class").expect(0).stdout, "READ  10\n");
}

#[test]
fn the_name_of_a_targets_log_decides_on_its_format() {
    let sandbox = Sandbox::new(PROGRAM);
    let conf = sandbox.target("existing").join("conf/database/postgresql.conf");
    let text = std::fs::read_to_string(&conf).unwrap();
    std::fs::write(&conf, format!("{text}\nlog_filename = 'pg.csv'\n")).unwrap();
    let folder = sandbox.target("existing").join("log/postgres");
    let line = "2026-11-22 08:15:02.114 UTC [7] bob@kasm LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,w,<none>\n";
    // The server adds a suffix to a name that has none.
    std::fs::write(folder.join("pg.csv"), line).unwrap();
    std::fs::write(folder.join("pg.csv.csv"), csv(2, "WRITE", "x")).unwrap();
    let run = sandbox.run("audit --deployment examples/existing/opt/kasm/current --count class").expect(0);
    assert_eq!(run.stdout, "READ   1\nWRITE  1\n", "{run}");
    std::fs::write(folder.join("pg.csv.json"), csv(3, "DDL", "x")).unwrap();
    let run =
        sandbox.run("audit --deployment examples/existing/opt/kasm/current --count class --strict").expect(1);
    assert_eq!(run.stdout, "READ   1\nWRITE  1\n", "{run}");
    assert!(run.stderr.contains("pg.csv.json:1: not recognised"), "{run}");
}

#[test]
fn what_a_function_wrote_is_not_an_entry() {
    let sandbox = Sandbox::new(PROGRAM);
    let forged = csv(2, "READ", "x").replace(",,,,,,,,,\"psql\"", ",,,,,\"PL/pgSQL\",\"do\",,,\"psql\"");
    let log = csv(1, "READ", "x") + &forged + &csv(3, "READ", "x");
    std::fs::write(sandbox.root().join("x.csv"), &log).unwrap();
    let run = sandbox.run("audit x.csv --count class --strict").expect(1);
    assert_eq!(run.stdout, "READ  2\n");
    assert!(run.stderr.contains("x.csv:2: written by a function, not by pgaudit"), "{run}");
    // Read many at once, and one by one.
    let many = log.repeat(20_000);
    std::fs::write(sandbox.root().join("x.csv"), &many).unwrap();
    assert_eq!(sandbox.run("audit x.csv --count class").expect(0).stdout, "READ  40000\n");
    assert_eq!(piped(&sandbox, &["--count=class"], many.as_bytes()).expect(0).stdout, "READ  40000\n");
    std::fs::write(sandbox.root().join("x.csv"), &forged).unwrap();
    sandbox.run("audit x.csv").expect(1);
}

#[test]
fn names_with_line_feeds_are_shown_escaped_and_counted_as_themselves() {
    let sandbox = Sandbox::new(PROGRAM);
    let of = |name: &str| csv(1, "READ", "x").replace("\"bob\"", &format!("\"{name}\""));
    let log = of("a\nb") + &of("a b") + &of("a\tb") + &of("a  b");
    std::fs::write(sandbox.root().join("x.csv"), log).unwrap();
    let run = sandbox.run("audit x.csv --count user --strict").expect(0);
    assert_eq!(run.stdout, "a\\u{9}b  1\na\\u{a}b  1\na  b     1\na b      1\n");
}

#[test]
fn a_log_in_words_with_names_is_said_once_to_prove_nothing() {
    let sandbox = Sandbox::new(PROGRAM);
    let line = |prefix: &str| format!("{prefix} LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,x,<none>\n");
    for (prefix, count) in
        [("2026-11-22 08:15:02.114 UTC [7] bob@kasm", 1), ("2026-11-22 08:15:02.114 UTC", 0)]
    {
        for name in ["a.log", "b.log"] {
            std::fs::write(sandbox.root().join(name), line(prefix) + &format!("{prefix} LOG:  {name}\n"))
                .unwrap();
        }
        let run = sandbox.run("audit a.log b.log --count class --strict").expect(0);
        assert_eq!(run.stderr.matches("is not proof").count(), count, "{run}");
    }
    let conf = sandbox.target("existing").join("conf/database/postgresql.conf");
    let text = std::fs::read_to_string(&conf).unwrap();
    for (more, count) in [("log_error_verbosity = terse", 0), ("log_min_error_statement = panic", 1)] {
        let before = std::fs::read_to_string(&conf).unwrap();
        std::fs::write(&conf, format!("{before}\n{more}\n")).unwrap();
        let run =
            sandbox.run("audit --deployment examples/existing/opt/kasm/current --count class").expect(0);
        assert_eq!(run.stderr.matches("entries that a function wrote look like").count(), count, "{run}");
    }
    std::fs::write(&conf, text).unwrap();
}

#[test]
fn a_file_that_is_given_twice_is_read_once() {
    let sandbox = Sandbox::new(PROGRAM);
    std::fs::write(sandbox.root().join("a.csv"), csv(1, "READ", "x")).unwrap();
    std::os::unix::fs::symlink("a.csv", sandbox.root().join("b.csv")).unwrap();
    std::fs::copy(sandbox.root().join("a.csv"), sandbox.root().join("c.csv")).unwrap();
    std::fs::write(sandbox.root().join("d.csv"), csv(2, "READ", "y")).unwrap();
    let run = sandbox.run("audit a.csv a.csv ./b.csv c.csv d.csv --count class --strict").expect(1);
    assert_eq!(run.stdout, "READ  2\n");
    assert_eq!(run.stderr.matches("it is read once").count(), 3, "{run}");
    sandbox.run("audit a.csv d.csv --strict").expect(0);
}

#[test]
fn of_three_destinations_each_entry_is_shown_once() {
    let sandbox = Sandbox::new(PROGRAM);
    let json = |id: usize| {
        format!(
            "{{\"timestamp\":\"2026-11-22 {id:02}:46:35.752 UTC\",\"user\":\"bob\",\"message\":\"AUDIT: SESSION,{id},1,READ,\
             SELECT,TABLE,public.t{id},x,<none>\"}}\n"
        )
    };
    let words = |id: usize| {
        format!(
            "2026-11-22 {id:02}:46:35 UTC [7] LOG:  AUDIT: SESSION,{id},1,READ,SELECT,TABLE,public.t{id},x,<none>\n"
        )
    };
    let write = |name: &str, text: String| std::fs::write(sandbox.root().join(name), text).unwrap();
    write("pg.csv", (1..4).map(|id| csv(id, "READ", "x")).collect());
    write("pg.json", (2..6).map(json).collect());
    // An entry may be logged twice.
    write("pg.log", (1..7).map(words).collect::<String>() + &words(6));
    let run = sandbox.run("audit pg.log pg.csv pg.json --count object --strict").expect(0);
    assert_eq!(
        run.stdout,
        "public.t6  2\npublic.t1  1\npublic.t2  1\npublic.t3  1\npublic.t4  1\npublic.t5  1\n"
    );
}

#[test]
fn what_cannot_be_read_is_said_and_counted() {
    let sandbox = Sandbox::new(PROGRAM);
    let log = format!("{}{}x\n", csv(1, "READ", "x"), csv(2, "READ", "y").replace(",<none>", ""));
    std::fs::write(sandbox.root().join("bad.csv"), log.repeat(4)).unwrap();
    let run = sandbox.run("audit bad.csv missing.csv --count class").expect(1);
    insta::assert_snapshot!("faults", run);
    sandbox.run("audit bad.csv").expect(0);
    sandbox.run("audit bad.csv --strict").expect(1);
    assert!(sandbox.run("audit .").expect(1).stderr.contains("directory"));
}

#[test]
fn nothing_of_a_statement_is_obeyed_by_the_terminal() {
    let sandbox = Sandbox::new(PROGRAM);
    let statement = "a\u{1b}[2J\u{202e}b\u{9b}";
    std::fs::write(sandbox.root().join("x.csv"), csv(1, "READ", statement)).unwrap();
    let run = sandbox.run("audit x.csv").expect(0);
    assert!(run.stdout.contains("a\\u{1b}[2J\\u{202e}b\\u{9b}"), "{run}");
    let run = sandbox.run("audit x.csv --format json").expect(0);
    assert!(run.stdout.contains(r#""statement":"a\u001b[2J\u202eb\u009b""#), "{run}");
}

#[test]
fn a_time_that_is_not_there_is_not_wanted_and_that_is_said() {
    let sandbox = Sandbox::new(PROGRAM);
    let log = "LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,x,<none>\n";
    let run = piped(&sandbox, &["--since=2020-01-01", "--count=class"], log.as_bytes()).expect(0);
    assert!(run.stdout.is_empty() && run.stderr.contains("1 entry has no time"), "{run}");
    let log = "2026-11-22 08:15:02.114 XYZT [7] LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,x,<none>\n";
    let run = piped(&sandbox, &["--since=2020-01-01Z", "--count=class"], log.as_bytes()).expect(0);
    assert!(run.stdout == "READ  1\n" && run.stderr.contains("1 entry has a time zone"), "{run}");
}

#[test]
fn a_prefix_can_be_given() {
    let sandbox = Sandbox::new(PROGRAM);
    let log = "kasm|bob|2026-11-22 08:15:02.114 UTC|LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,x,<none>\n";
    let run = piped(&sandbox, &["--log-line-prefix=%d|%u|%m|", "--count=user"], log.as_bytes()).expect(0);
    assert_eq!(run.stdout, "bob  1\n");
    assert_eq!(piped(&sandbox, &["--count=user"], log.as_bytes()).expect(0).stdout, "(uncertain)  1\n");
}

#[test]
fn a_document_that_was_found_and_has_no_targets_is_an_error() {
    let sandbox = Sandbox::new(PROGRAM);
    let run = sandbox.run("audit -R -f examples/fleet").expect(64);
    assert_eq!(run.stdout, "");
    assert!(run.stderr.starts_with("error: the document names no target\n"), "{run}");
}

#[test]
fn a_descriptor_that_the_caller_opened_may_be_a_pipe() {
    let sandbox = Sandbox::new(PROGRAM);
    std::fs::write(sandbox.root().join("a.csv"), csv(1, "READ", "x")).unwrap();
    for script in
        ["exec \"$0\" audit --count class <(cat a.csv)", "cat a.csv | \"$0\" audit --count class /dev/stdin"]
    {
        let mut command = sandbox.command("bash");
        let run = sandbox.finish(command.args(["-c", script, PROGRAM])).expect(0);
        assert_eq!(run.stdout, "READ  1\n", "{script}: {run}");
    }
}
