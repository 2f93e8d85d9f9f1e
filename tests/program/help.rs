//! Help, man pages, and what the command line accepts in more than one form.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use testing::Sandbox;

use crate::PROGRAM;

/// Commands that are about neither documents nor targets.
const ABOUT_NOTHING: [&str; 5] = ["explain", "schema", "completions", "man", "version"];

fn commands() -> Vec<String> {
    let definition = kasm_db::parts::command_line();
    let names = definition.get_subcommands().map(|command| command.get_name().to_string());
    // It prints what the others have.
    names.filter(|name| name != "help").collect()
}

#[test]
fn every_command_is_in_a_group_and_has_an_imperative_and_examples_that_parse() {
    let sandbox = Sandbox::new(PROGRAM);
    let overview = sandbox.run("--help").expect(0).stdout;
    for command in commands() {
        let listed = overview.lines().filter(|line| line.starts_with(&format!("  {command} "))).count();
        assert_eq!(listed, 1, "{command}\n{overview}");
        let help = sandbox.run(&format!("{command} --help")).expect(0).stdout;
        let verb = help.split_whitespace().next().unwrap();
        assert!(!verb.ends_with('s') || verb == "Pass", "{command}: {verb}");
        let lines: Vec<_> = help.lines().skip_while(|line| *line != "Examples:").collect();
        assert!(command == "version" || lines.len() > 4, "{command}\n{help}");
        for line in lines.iter().filter_map(|line| line.trim().strip_prefix("kasm-db ")) {
            let words = line.split(['|', '>']).next().unwrap().split_whitespace();
            let words = std::iter::once("kasm-db").chain(words);
            kasm_db::parts::command_line()
                .try_get_matches_from(words)
                .unwrap_or_else(|e| panic!("{line}: {e}"));
        }
    }
    let groups =
        ["Main commands:", "History:", "Documents and logs:", "Help:", "Global options:", "Exit codes:"];
    let found: Vec<_> = groups.iter().map(|group| overview.find(group).expect(group)).collect();
    assert!(found.is_sorted(), "{found:?}");
}

#[test]
fn help_of_a_command_and_the_version_have_several_forms() {
    let sandbox = Sandbox::new(PROGRAM);
    for command in commands() {
        let one = sandbox.run(&format!("help {command}")).expect(0).stdout;
        assert_eq!(one, sandbox.run(&format!("{command} --help")).expect(0).stdout);
        assert_eq!(one, sandbox.run(&format!("{command} -h")).expect(0).stdout, "{command}");
    }
    let version = sandbox.run("version").expect(0).stdout;
    for form in ["--version", "-V", "--version --color never", "--quiet -V"] {
        assert_eq!(sandbox.run(form).expect(0).stdout, version, "{form}");
    }
}

#[test]
fn options_without_effect_are_hidden_or_refused() {
    let sandbox = Sandbox::new(PROGRAM);
    let plan = sandbox.run("plan --help").expect(0).stdout;
    let (own, global) = plan.split_once("Global options:").unwrap();
    assert!(own.contains("--detailed-exitcode") && !own.contains("--file"), "{plan}");
    assert!(global.contains("--file") && !global.contains("--no-input"), "{plan}");
    for command in ABOUT_NOTHING {
        let help = sandbox.run(&format!("{command} --help")).expect(0).stdout;
        assert!(!help.contains("--allow") && !help.contains("--root"), "{help}");
        let argument = if command == "completions" { "bash" } else { "" };
        for option in ["--target x", "--lock-timeout 5", "--allow major-change"] {
            let run = sandbox.run(&format!("{command} {argument} {option}")).expect(64);
            assert!(run.stderr.contains(&format!("has no effect on `{command}`")), "{run}");
        }
    }
    // A variable is for all commands of a session, and `-f` may be part of an alias.
    sandbox.finish(sandbox.command(PROGRAM).arg("version").env("KASM_DB_TARGET", "x")).expect(0);
    sandbox.run("-f x version").expect(0);
}

#[test]
fn documents_may_be_named_without_an_option() {
    let sandbox = Sandbox::new(PROGRAM);
    let named = "examples/new/kasm-db.yaml";
    for command in ["validate", "plan"] {
        let with = sandbox.run(&format!("{command} -f {named}")).expect(0).stdout;
        assert_eq!(sandbox.run(&format!("{command} {named}")).expect(0).stdout, with);
        // What is named goes before what a variable names.
        let run =
            sandbox.finish(sandbox.command(PROGRAM).args([command, named]).env("KASM_DB_FILE", "nowhere"));
        assert_eq!(run.expect(0).stdout, with);
    }
    let all = sandbox.run("validate -f examples -R").expect(0).stdout;
    assert_eq!(sandbox.run("validate -R examples").expect(0).stdout, all);
    let none = sandbox.run("validate -R").expect(64);
    assert!(none.stderr.contains("`--recursive` needs a folder"), "{none}");
}

#[test]
fn safe_fixes_are_applied_and_the_rest_is_reported() {
    let sandbox = Sandbox::new(PROGRAM);
    let path = sandbox.root().join("kasm-db.yaml");
    let text = "schema: kasm-db/v1 # ours\nimage: kasmweb/postgres:1.16.0\npreload: {librarys: [pgaudit]}\n\
                audit:\n  clases: [raed, write]\n";
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    sandbox.run("validate").expect(3);
    let run = sandbox.run("validate --fix").expect(0);
    assert!(run.stderr.contains("kasm-db.yaml: fixed 3 errors"), "{run}");
    let fixed = fs::read_to_string(&path).unwrap();
    let wanted = text.replace("librarys", "libraries").replace("clases", "classes").replace("raed", "read");
    assert_eq!(fixed, wanted);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    // Nothing to fix is nothing to write.
    let before = sandbox.seen(sandbox.root());
    sandbox.run("validate --fix").expect(0);
    assert_eq!(sandbox.seen(sandbox.root()), before);
    // What has no safe fix stays, and is an error.
    fs::write(&path, fixed.replace("write", "nonsense_nobody_means")).unwrap();
    sandbox.run("validate --fix").expect(3);
    // A link is not replaced.
    fs::rename(&path, sandbox.root().join("real.kasm-db.yaml")).unwrap();
    fs::write(sandbox.root().join("real.kasm-db.yaml"), text).unwrap();
    std::os::unix::fs::symlink("real.kasm-db.yaml", &path).unwrap();
    let run = sandbox.run("validate --fix").expect(1);
    assert!(run.stderr.contains("is not a regular file"), "{run}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn man_pages_have_the_sections_that_readers_look_for() {
    let sandbox = Sandbox::new(PROGRAM);
    fs::create_dir(sandbox.root().join("pages")).unwrap();
    sandbox.run("man pages").expect(0);
    let read =
        |name: &str| fs::read_to_string(sandbox.root().join("pages").join(name)).unwrap().replace("\\-", "-");
    for name in commands().iter().map(|name| format!("kasm-db-{name}.1")).chain(["kasm-db.1".into()]) {
        let page = read(&name);
        for section in ["NAME", "SYNOPSIS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO"] {
            let count = page
                .lines()
                .filter(|line| line.trim_start_matches(".SH ").trim_matches('"') == section)
                .count();
            assert_eq!(count, 1, "{section} in {name}\n{page}");
        }
    }
    assert!(read("kasm-db-plan.1").contains("KASM_DB_FILE"));
    let document = read("kasm-db.yaml.5");
    for field in model::explain::fields() {
        assert!(document.contains(&format!("\\fB{}\\fR", field.path)), "{}\n{document}", field.path);
    }
}
