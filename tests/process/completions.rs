//! Completions, by pressing Tab in real shells.
//!
//! The program in the shell's path completes as it does elsewhere. Otherwise it writes down its arguments, so that a
//! test sees what the shell made of the keys.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use testing::{InTerminal, Sandbox};

use crate::PROGRAM;

/// What is typed behind `kasm-db `, with `<Tab>`, and the arguments that it must become.
const KEYS: &[(&str, &str)] = &[
    ("vali\t", "validate"),
    ("help roll\t", "help rollback"),
    ("plan --det\t", "plan --detailed-exitcode"),
    ("plan --format js\t", "plan --format json"),
    ("plan --target eu\t", "plan --target eu-west"),
    ("-f asia.kasm-db.yaml plan --target as\t", "-f asia.kasm-db.yaml plan --target asia"),
    ("apply --allow major-c\t", "apply --allow major-change"),
    ("audit --class d\t", "audit --class ddl"),
    ("explain no-dig\t", "explain no-digest"),
    ("explain audit.cl\t", "explain audit.classes"),
    ("explain maintenance_w\t", "explain maintenance_work_mem"),
    ("schema audit-su\t", "schema audit-summary"),
    ("import --deployment examples/ex\t", "import --deployment examples/existing/"),
];

/// Presses the keys in a shell, and compares what it runs.
fn check(shell: &str, setup: &str) {
    let sandbox = Sandbox::new(PROGRAM);
    let root = sandbox.root();
    let bin = root.join("bin");
    fs::create_dir(&bin).unwrap();
    let document = |target: &str| {
        format!(
            "schema: kasm-db/v1\nimage: a/b:1\ntargets: [{{name: {target}, deployment: /opt/kasm/current}}]\n"
        )
    };
    fs::write(root.join("kasm-db.yaml"), document("eu-west")).unwrap();
    fs::write(root.join("asia.kasm-db.yaml"), document("asia")).unwrap();
    let ran = root.join("ran");
    fs::write(&ran, "").unwrap();
    let script = format!(
        "#!/bin/sh\nif [ -n \"$KASM_DB_COMPLETE\" ] || [ \"$1\" = completions ]; then exec {PROGRAM} \"$@\"; fi\n\
         echo \"$*\" >> {ran}\necho \"number $(wc -l < {ran}) ran\"\n",
        ran = ran.display()
    );
    fs::write(bin.join("kasm-db"), script).unwrap();
    fs::set_permissions(bin.join("kasm-db"), fs::Permissions::from_mode(0o755)).unwrap();
    // A shell edits lines on a terminal that it controls, which `script` gives to it.
    let mut command = sandbox.command("sh");
    let path = std::env::var("PATH").unwrap();
    command
        .args(["-c", &format!("exec script -qec '{shell}' /dev/null >&2")])
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("HOME", root)
        .env("TERM", "vt100");
    let mut terminal = InTerminal::start(command);
    terminal.answer(&format!("{setup}\nkasm-db ready\n"));
    terminal.wait_for("number 1 ran");
    for (index, (keys, _)) in KEYS.iter().enumerate() {
        terminal.answer(&format!("kasm-db {keys}\n"));
        terminal.wait_for(&format!("number {} ran", index + 2));
    }
    terminal.answer("exit\n");
    terminal.end();
    let ran = fs::read_to_string(&ran).unwrap();
    let expected: Vec<_> = KEYS.iter().map(|(_, arguments)| *arguments).collect();
    let ran: Vec<_> = ran.lines().skip(1).map(str::trim_end).collect();
    assert_eq!(ran, expected, "{shell}\n{}", terminal.said);
}

#[test]
fn tab_completes_in_bash() {
    check("bash --norc -i", "source <(kasm-db completions bash)");
}

#[test]
fn tab_completes_in_zsh() {
    check("zsh -f -i", "autoload -U compinit; compinit -u -D; source <(kasm-db completions zsh)");
}

#[test]
fn tab_completes_in_fish() {
    check("fish --no-config -i", "kasm-db completions fish | source");
}
