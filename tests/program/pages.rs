//! HTML pages: a browser looks at them, and whatever a name or a value holds is text there.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "a test says what it looked at")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testing::{Sandbox, repository};

use crate::PROGRAM;
use crate::formats::situations::SITUATIONS;

/// A text that would be markup.
const HOSTILE: &str = "<img src=x onerror=alert(1)>'&amp;";

/// Returns Chromium and the folder of what drives it, or says why they cannot be had. With `CI=true` that is a failure.
fn browser() -> Option<(PathBuf, PathBuf)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let chromium =
        std::env::split_paths(&path).map(|folder| folder.join("chromium")).find(|file| file.exists());
    let script = Command::new(repository().join("scripts/get-browser-tools")).output().unwrap();
    let tools = PathBuf::from(String::from_utf8(script.stdout).unwrap().trim_end());
    let why = match (chromium, script.status.success()) {
        (Some(chromium), true) => return Some((chromium, tools)),
        (None, _) => "there is no Chromium".into(),
        (_, false) => String::from_utf8_lossy(&script.stderr).into_owned(),
    };
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{why}");
    eprintln!("{why}; no browser looks at pages");
    None
}

/// Writes pages into a folder.
struct Pages {
    folder: tempfile::TempDir,
    all: Vec<PathBuf>,
}

impl Pages {
    /// Runs a command, and keeps its page.
    fn add(&mut self, name: &str, sandbox: &Sandbox, arguments: &str, code: i32) -> String {
        let run = sandbox.run(&format!("{arguments} --format html")).expect(code);
        let path = self.folder.path().join(format!("{name}.html"));
        fs::write(&path, &run.bytes).unwrap();
        self.all.push(path);
        run.stdout
    }
}

/// A document of four targets, whose names and values are as bad as they may be: one has errors, one changes, one has warnings.
fn fleet() -> Sandbox {
    let sandbox = SITUATIONS.iter().find(|situation| situation.name == "warnings").unwrap().sandbox();
    let root = sandbox.root();
    let long = "x".repeat(200);
    for name in ["two", "three", "four"] {
        testing::copy(&root.join("one"), &root.join(name));
    }
    let conf = |name: &str| root.join(name).join("conf/database/postgresql.conf");
    sandbox.edit(&conf("two"), "work_mem = 8MB", &format!("search_path = '{long}'\nwork_mem = 4MB # {long}"));
    sandbox.edit(&conf("three"), "work_mem = 8MB", "work_mem =");
    let settings = format!("settings:\n  work_mem: 8MB\n  search_path: \"{HOSTILE}{long}\"\n");
    sandbox.edit(&root.join("kasm-db.yaml"), "settings: {work_mem: 8MB}\n", &settings);
    let more = ["two", "three"].map(|name| format!("  - {{name: {name}, deployment: {name}}}\n")).concat();
    let more = format!("deployment: one}}\n{more}  - {{name: {}, deployment: four}}\n", &long[..63]);
    sandbox.edit(&root.join("kasm-db.yaml"), "deployment: one}\n", &more);
    sandbox
}

fn pages() -> Pages {
    let mut pages = Pages { folder: tempfile::tempdir().unwrap(), all: Vec::new() };
    let sandbox = fleet();
    let plan = pages.add("plan", &sandbox, "plan", 4);
    for part in ["1 of 4 targets blocked", "&lt;img src=x onerror=alert(1)&gt;", "KDB402"] {
        assert!(plan.contains(part), "{part}: {plan}");
    }
    assert!(
        !plan.contains("<img") && !plan.contains("not-to-be-shown") && !plan.contains('\u{1b}'),
        "{plan}"
    );
    pages.add("status", &sandbox, "status", 4);
    let document = sandbox.root().join("kasm-db.yaml");
    let text = fs::read_to_string(&document).unwrap();
    sandbox.run("plan --target one --out saved").expect(0);
    fs::write(&document, format!("{text}\n# changed\n")).unwrap();
    pages.add("show", &sandbox, "show saved", 5);
    fs::write(sandbox.root().join("other.kasm-db.yaml"), format!("{text}\"{HOSTILE}\": 1\nimage: 1\n"))
        .unwrap();
    pages.add("validate", &sandbox, "validate kasm-db.yaml other.kasm-db.yaml", 3);
    pages.add("invalid", &sandbox, "plan -f other.kasm-db.yaml -f nowhere/kasm-db.yaml", 1);
    // No server runs there.
    let asked = Sandbox::new(PROGRAM);
    asked.edit(
        &asked.document("existing"),
        "deployment: opt/kasm/current",
        "deployment: opt/kasm/current\nverify: {connect: tcp}",
    );
    pages.add("verify", &asked, "verify -f examples/existing/kasm-db.yaml", 9);
    pages
}

#[test]
fn a_browser_has_nothing_to_complain_of_in_either_scheme_and_at_any_width() {
    let Some((chromium, tools)) = browser() else { return };
    let pages = pages();
    let mut command = Command::new("node");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/program/pages/look.js"));
    command.args([&tools, &chromium]).args(&pages.all);
    if let Some(folder) = std::env::var_os("KASM_DB_SHOTS") {
        command.arg("--shots").arg(folder);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let why = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said, format!("{} pages seen\n", pages.all.len()), "{why}");
}

#[test]
fn a_page_needs_nothing_besides_itself() {
    for situation in SITUATIONS {
        let run = situation.sandbox().run("plan --format html");
        for part in ["<script", "<link", " src=", "url(", "@import", " style=", "href=\"http"] {
            assert!(!run.stdout.contains(part), "{part}: {run}");
        }
        assert!(
            run.stdout.contains("default-src &#39;none&#39;") || run.stdout.contains("default-src 'none'"),
            "{run}"
        );
    }
}
