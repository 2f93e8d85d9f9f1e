//! Every command that the documentation shows is run, and what it prints is compared.
//!
//! A page's `sh` and `console` blocks are run in their order, in one copy of the examples that takes the place of
//! the repository. On a host the deployment is `/opt/kasm/current`; here that is the one of `examples/existing`, and
//! `/opt/kasm/1.17.0` is that of a newer release beside it.
//!
//! - A `yaml` block whose first line is `# kasm-db.yaml` is what the reader writes to `./kasm-db.yaml` at this point.
//!   Other `yaml` blocks with a line `schema: kasm-db/v1` must be valid documents.
//! - A command exits with 0, unless a comment after it says `# exit N`. `verify` and `status` may also find that no
//!   server runs here.
//! - `sudo` is left out, and a question is answered with yes.
//! - A `text` block behind a `sh` block, with no heading in between, is what the block's last command
//!   prints, and so are the lines behind a `$` command of a `console` block: standard output alone, or
//!   standard error and then standard output. A line `...` stands for any lines.
//! - The repository's root is written `/src/kasm-db`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a test says what it looked at")]

use std::os::unix::fs::symlink;
use std::path::Path;

use testing::{Run, Sandbox, repository};

use crate::PROGRAM;

/// The pages beside `docs/` whose commands are run.
const PAGES: [&str; 3] = ["README.md", "CONTRIBUTING.md", "examples/README.md"];

/// Its commands are run by `json.rs`, which has the `jq` that they need.
const WITH_JQ: &str = "docs/json.md";

/// What the documentation calls the root of the repository.
const ROOT: &str = "/src/kasm-db";

/// Commands that are not run here, by how they start, and why. The files that they name must exist.
const NOT_RUN: &[(&str, &str)] = &[
    ("./scripts/test", "runs this test"),
    ("scripts/test", "runs this test"),
    ("scripts/with-engine", "runs a test with a Docker engine"),
    ("scripts/bench", "measures for minutes; scripts/test runs a quick pass"),
    ("scripts/crashtest", "takes minutes"),
    ("scripts/long", "takes up to half an hour"),
    ("scripts/release", "builds a release for minutes; packages.rs packs what is built"),
    ("sudo dpkg -i ", "changes the system; scripts/long packages does it in another one"),
    ("tar -xzf kasm-db-VERSION", "the archive of a release; packages.rs unpacks one"),
    ("sudo cp -r man", "writes to a folder of the system"),
    ("docker load ", "needs a Docker engine; scripts/long packages runs the image"),
    ("docker run ", "needs a Docker engine; scripts/long packages runs the image"),
    ("sha256sum ", "of the files of a release; packages.rs checks them"),
    ("scripts/simulate-fleet", "builds a release, and measures"),
    ("scripts/measure-", "builds a release, and measures for minutes"),
    ("scripts/circles", "looks at the sources, which are not in the copy"),
    ("scripts/figures", "looks at the sources, which are not in the copy"),
    ("scripts/postgres-settings", "needs the sources of every PostgreSQL major"),
    ("scripts/sample-comments", "needs the sample files of every PostgreSQL major"),
    ("cargo build", "scripts/test builds"),
    ("cargo clippy", "scripts/test runs it"),
    ("cargo fmt", "scripts/test runs it"),
    ("cargo fuzz", "needs a nightly toolchain and time"),
    ("cargo +nightly fuzz", "needs a nightly toolchain and time"),
    ("ASAN_OPTIONS=quarantine_size_mb=64 cargo +nightly fuzz", "needs a nightly toolchain and time"),
    ("cargo deny", "needs the advisories from the network"),
    ("cargo install", "builds the program once more"),
    ("cargo insta", "changes the snapshots of the repository"),
    ("cargo test", "runs this test"),
    ("KASM_DB_BLESS=1 cargo test", "changes generated files of the repository"),
    ("git ", "needs the repository's history or its server"),
    ("sudo install", "writes to a folder of the system"),
    ("$EDITOR kasm-db.yaml", "the block after it is the edit"),
    ("ansible-", "tests/program/ansible runs the playbooks"),
    ("cd ", "every command here starts at the root"),
];

/// The newer release of the page about upgrades; `tests/e2e` goes through one.
const NEWER: &str = "1.17.0";

/// What `verify` and `status` say about a server that does not run.
const SERVER_DOWN: [&str; 2] = ["[KDB701]", "server unreachable: "];

/// A command and what the document says of it.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    line: usize,
    command: String,
    exit: i32,
    output: Option<String>,
}

/// A fenced block: its language, the line of its fence, and its text.
struct Block {
    language: String,
    line: usize,
    text: String,
    /// Whether no heading stands between it and the block before.
    follows: bool,
}

fn blocks(text: &str) -> Vec<Block> {
    let (mut all, mut open, mut follows) = (Vec::new(), None::<Block>, false);
    for (index, line) in text.lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(language)) => {
                let language = language.trim().to_string();
                open = Some(Block { language, line: index + 1, text: String::new(), follows });
            }
            (None, None) => follows &= !line.starts_with('#'),
            (Some(_), Some(_)) => {
                all.extend(open.take());
                follows = true;
            }
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
        }
    }
    assert!(open.is_none(), "a block is not closed");
    all
}

fn step(line: usize, text: &str) -> Step {
    let (command, exit) = match text.rsplit_once("# exit ") {
        Some((command, exit)) => (command, exit.trim().parse().unwrap()),
        None => (text, 0),
    };
    Step { line, command: command.trim().to_string(), exit, output: None }
}

fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut last_block_had_steps = false;
    for block in blocks(text) {
        let before = steps.len();
        match block.language.as_str() {
            "sh" | "console" => {
                let is_console = block.language == "console";
                let mut continued = String::new();
                for (offset, line) in block.text.lines().enumerate() {
                    let number = block.line + 1 + offset;
                    let command = match line.strip_prefix("$ ") {
                        Some(command) if is_console => command,
                        None if is_console && continued.is_empty() => {
                            let last = steps.last_mut().expect("output before a command");
                            let output = last.output.get_or_insert_default();
                            output.push_str(line);
                            output.push('\n');
                            continue;
                        }
                        _ => line,
                    };
                    if let Some(part) = command.strip_suffix('\\') {
                        continued.push_str(part);
                        continue;
                    }
                    continued.push_str(command);
                    let command = std::mem::take(&mut continued);
                    if !command.trim().is_empty() && !command.trim_start().starts_with('#') {
                        steps.push(step(number, &command));
                    }
                }
            }
            "text" if block.follows && last_block_had_steps => {
                steps.last_mut().unwrap().output = Some(block.text);
            }
            _ => {}
        }
        last_block_had_steps = steps.len() > before;
    }
    steps
}

/// Lists the pages of `docs/`, which also has a picture, and the other pages.
fn documents() -> Vec<String> {
    let folder = std::fs::read_dir(repository().join("docs")).unwrap();
    let mut pages: Vec<_> =
        folder.map(|entry| format!("docs/{}", entry.unwrap().file_name().to_str().unwrap())).collect();
    pages.retain(|page| page.ends_with(".md"));
    pages.sort();
    PAGES.iter().map(ToString::to_string).chain(pages).collect()
}

/// Returns the text for `/bin/sh` if the command is one of ours.
fn ours(command: &str) -> Option<String> {
    let command = command.strip_prefix("sudo ").unwrap_or(command);
    // What a page says to do first.
    if command.starts_with("chmod ") {
        return Some(command.to_string());
    }
    let is_variable = |word: &&str| word.starts_with("PG") && word.contains('=');
    if command.split(' ').find(|word| !is_variable(word)) == Some("kasm-db") {
        let asks = ["apply", "rollback"].map(|name| format!("kasm-db {name}"));
        let asks = asks.iter().any(|start| command.starts_with(start));
        let is_answered = command.contains("--yes") || command.contains("--dry-run");
        return Some(format!("{command}{}", if asks && !is_answered { " --yes" } else { "" }));
    }
    let rest = command.strip_prefix("cargo run")?;
    let (_, arguments) = rest.split_once(" -- ").expect("`cargo run` needs ` -- ` before the arguments");
    Some(format!("kasm-db {arguments}"))
}

/// Checks the files that a command names, and the fuzz target.
fn named_files_exist(command: &str) -> Result<(), String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let there = |path: &str| repository().join(path).exists();
    for (index, word) in words.iter().enumerate() {
        let target = format!("fuzz/fuzz_targets/{word}.rs");
        if index >= 2 && words[index - 2..index] == ["fuzz", "run"] && !there(&target) {
            return Err(format!("{target} does not exist"));
        }
        let is_path = word.contains('/') && !word.contains("://") && !word.starts_with(['-', '/', '~', '<']);
        if is_path && !there(word) {
            return Err(format!("{word} does not exist"));
        }
    }
    Ok(())
}

/// Compares line by line; `...` stands for any lines.
fn fits(expected: &[&str], real: &[&str]) -> bool {
    match expected.split_first() {
        None => real.is_empty(),
        Some((&"...", rest)) => (0..=real.len()).any(|skipped| fits(rest, &real[skipped..])),
        Some((line, rest)) => {
            real.first().is_some_and(|first| first.trim_end() == line.trim_end()) && fits(rest, &real[1..])
        }
    }
}

/// Returns whether the run printed this, and gives what it printed as the documentation would write it.
fn printed(expected: &str, run: &Run) -> Result<(), String> {
    // `/opt/kasm` is the example's, and a path below it is written as on a host.
    let as_host =
        |text: &str| text.replace("[ROOT]/examples/existing/opt/kasm", "/opt/kasm").replace("[ROOT]", ROOT);
    let as_repository = |text: &str| text.replace("[ROOT]", ROOT);
    let both = format!("{}{}", run.stderr, run.stdout);
    let mut candidates = Vec::new();
    for text in [&run.stdout, &both] {
        candidates.extend([as_host(text), as_repository(text)]);
    }
    let expected: Vec<&str> = expected.trim_end().lines().collect();
    if candidates.iter().any(|real| fits(&expected, &real.trim_end().lines().collect::<Vec<_>>())) {
        return Ok(());
    }
    Err(format!("it prints\n{}", as_host(&both)))
}

/// Creates the tree of a newer release, beside that of `/opt/kasm/current`.
fn install(sandbox: &Sandbox, version: &str) {
    let (old, new) = ("1.11.0", sandbox.root().join("examples/existing/opt/kasm").join(version));
    testing::copy(&new.with_file_name(old), &new);
    let compose = std::fs::read_dir(new.join("docker/.conf")).unwrap().map(|entry| entry.unwrap().path());
    for path in compose.chain([new.join("docker/docker-compose.yaml")]) {
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace(old, version).replace("postgres:12-", "postgres:14-")).unwrap();
    }
}

fn check(document: &str, text: &str) -> Vec<String> {
    let sandbox = Sandbox::new(PROGRAM);
    if text.contains(NEWER) {
        install(&sandbox, NEWER);
    }
    let bin = sandbox.root().join("bin");
    std::fs::create_dir(&bin).unwrap();
    symlink(PROGRAM, bin.join("kasm-db")).unwrap();
    for name in ["schemas", "scripts"] {
        testing::copy(&repository().join(name), &sandbox.root().join(name));
    }
    let written: Vec<_> = blocks(text).into_iter().filter(|block| block.language == "yaml").collect();
    let mut written = written.into_iter().peekable();
    let mut wrong = Vec::new();
    for step in steps(text) {
        while let Some(block) = written.next_if(|block| block.line < step.line) {
            if block.text.starts_with("# kasm-db.yaml\n") {
                std::fs::write(sandbox.root().join("kasm-db.yaml"), block.text).unwrap();
            }
        }
        let at = format!("{document}:{}: {}", step.line, step.command);
        let Some(script) = ours(&step.command) else {
            if NOT_RUN.iter().any(|(start, _)| step.command.starts_with(start)) {
                wrong.extend(named_files_exist(&step.command).err().map(|why| format!("{at}\n{why}")));
            } else {
                wrong.push(format!("{at}\nthis command is neither run here nor on the list of others"));
            }
            continue;
        };
        let path = std::env::var("PATH").unwrap_or_default();
        let run = sandbox.finish(
            sandbox
                .command("sh")
                .args(["-c", &script])
                .env("PATH", format!("{}:{path}", bin.display()))
                .env("PGPORT", "1")
                .env("KASM_DB_ROOT", "examples/existing"),
        );
        let looks_at_server = ["kasm-db status", "kasm-db verify"].iter().any(|name| script.contains(name));
        let is_down = looks_at_server && SERVER_DOWN.iter().any(|said| run.stdout.contains(said));
        if run.code != Some(step.exit) && !is_down {
            wrong.push(format!("{at}\nmust exit with {}\n{run}", step.exit));
        } else if let Some(why) = step.output.and_then(|output| printed(&output, &run).err()) {
            wrong.push(format!("{at}\n{why}"));
        }
    }
    wrong
}

#[test]
fn every_command_of_the_documentation_does_what_it_says() {
    let mut wrong = Vec::new();
    for document in documents().iter().filter(|document| *document != WITH_JQ) {
        match std::fs::read_to_string(repository().join(document)) {
            Ok(text) => wrong.extend(check(document, &text)),
            Err(error) => wrong.push(format!("{document}: {error}; every command in it is tested here")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn links_of_the_documentation_lead_somewhere() {
    let mut wrong = Vec::new();
    for document in
        documents().iter().map(String::as_str).chain(["ARCHITECTURE.md", "CHANGELOG.md", "SECURITY.md"])
    {
        let path = repository().join(document);
        // The other test says that it is missing.
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for part in text.split("](").skip(1) {
            let link = part.split(')').next().unwrap_or_default();
            if link.contains("://") {
                continue;
            }
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if target.is_empty() { path.clone() } else { path.parent().unwrap().join(target) };
            let has_heading = || {
                let text = std::fs::read_to_string(&target).unwrap();
                text.lines().any(|line| anchor_of(line).as_deref() == Some(anchor))
            };
            if !target.exists() || !anchor.is_empty() && !has_heading() {
                wrong.push(format!("{document}: {link}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Returns the anchor of a line that is a heading, as GitHub and mdBook make it.
fn anchor_of(line: &str) -> Option<String> {
    let heading = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?;
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    Some(kept.collect::<String>().to_lowercase().replace(' ', "-"))
}

#[test]
fn the_summary_lists_every_page_of_docs_once() {
    let summary = std::fs::read_to_string(repository().join("docs/SUMMARY.md")).unwrap();
    let mut listed: Vec<_> = summary
        .lines()
        .filter_map(|line| line.strip_prefix("- [")?.strip_suffix(')')?.split_once("]("))
        .map(|(_, page)| format!("docs/{page}"))
        .collect();
    listed.sort();
    let is_page = |page: &String| page.starts_with("docs/") && page != "docs/SUMMARY.md";
    assert_eq!(listed, documents().into_iter().filter(is_page).collect::<Vec<_>>());
}

#[test]
fn documents_that_the_documentation_shows_are_valid() {
    let mut seen = 0;
    for document in documents() {
        let text = std::fs::read_to_string(repository().join(&document)).unwrap();
        for block in blocks(&text) {
            if block.language != "yaml" || !block.text.contains("schema: kasm-db/v1") {
                continue;
            }
            seen += 1;
            let sandbox = Sandbox::new(PROGRAM);
            let beside = sandbox.root().join("examples/fleet/shown.kasm-db.yaml");
            std::fs::write(&beside, &block.text).unwrap();
            let run = sandbox.run("validate -f examples/fleet/shown.kasm-db.yaml");
            assert_eq!(run.code, Some(0), "{document}:{}\n{run}", block.line);
        }
    }
    assert!(seen > 8, "{seen}");
}

/// A word in backticks with at least three underscores is a test's name; one that starts with a folder of
/// the repository is a path.
#[test]
fn tests_and_files_that_the_documentation_names_exist() {
    let sources = rust_files(&repository());
    let mut wrong = Vec::new();
    for document in documents().iter().map(String::as_str).chain(["ARCHITECTURE.md", "SECURITY.md"]) {
        let Ok(text) = std::fs::read_to_string(repository().join(document)) else { continue };
        for word in text.split('`').skip(1).step_by(2) {
            let is_name = word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            if is_name && word.matches('_').count() >= 3 && !is_setting(word) {
                let function = format!("fn {word}(");
                if !sources.iter().any(|source| source.contains(&function)) {
                    wrong.push(format!("{document}: no test {word}"));
                }
            }
            let folders = ["crates/", "tests/", "scripts/", "schemas/", "examples/"];
            let is_path = folders.iter().any(|folder| word.starts_with(folder)) && !word.contains(['<', ' ']);
            if is_path && !repository().join(word).exists() {
                wrong.push(format!("{document}: no file {word}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn is_setting(word: &str) -> bool {
    model::postgres::lookup(word, *model::postgres::MAJORS.end()).is_some()
}

fn rust_files(root: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    let mut folders = vec![root.join("crates"), root.join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                texts.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    texts
}

#[test]
fn commands_and_their_output_are_found_in_a_document() {
    let text = "
```sh
# a comment
kasm-db plan \\
  -q # exit 2

```

This prints

```text
Plan
```

```yaml
schema: kasm-db/v1
```

```console
$ kasm-db schema
{
$ kasm-db validate
```
";
    let step = |line, command: &str, exit, output: Option<&str>| Step {
        line,
        command: command.into(),
        exit,
        output: output.map(String::from),
    };
    assert_eq!(
        steps(text),
        [
            step(5, "kasm-db plan   -q", 2, Some("Plan\n")),
            step(20, "kasm-db schema", 0, Some("{\n")),
            step(22, "kasm-db validate", 0, None),
        ]
    );
    assert!(fits(&["a", "...", "d"], &["a", "b", "c", "d"]) && !fits(&["a", "..."], &["b"]));
    assert!(named_files_exist("scripts/no-such --flag").is_err());
    assert!(named_files_exist("cargo fuzz run no_such").is_err());
    assert_eq!(ours("cargo run -q -- plan"), Some("kasm-db plan".into()));
    assert_eq!(ours("sudo kasm-db apply"), Some("kasm-db apply --yes".into()));
    assert_eq!(ours("PGHOST=h kasm-db verify"), Some("PGHOST=h kasm-db verify".into()));
    assert_eq!(ours("sudo rm kasm-db.yaml"), None);
    assert_eq!(anchor_of("## Turn auditing off: `none`").as_deref(), Some("turn-auditing-off-none"));
    assert!(Path::new(&repository()).join("Cargo.toml").exists());
}
