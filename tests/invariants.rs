//! The invariants of ARCHITECTURE.md that no type can hold, and the generated files.
//!
//! `KASM_DB_BLESS=1 cargo test -p kasm-db-render --test invariants` writes the generated files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a test says what it looked at")]
#![allow(clippy::disallowed_methods, reason = "the crate reads no files, its tests do")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use kasm_db_render::{ObservedState, Plan, Target, TargetKind, observe, reconcile};
use model::settings::{PGAUDIT, PgauditKind};
use testing::{Memory, desired, repository};

/// The crates that do no IO.
const PURE: [&str; 4] = ["pgconf", "model", "render", "auditlog"];

/// Both examples: the document, the target's folder, and its kind.
const EXAMPLES: [(&str, &str, TargetKind); 2] =
    [("existing", "opt/kasm/1.11.0", TargetKind::Deployment), ("new", "kasm_release", TargetKind::Installer)];

/// Returns every Rust file below a folder of the repository, with its path and text.
fn sources(folder: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, all: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, all);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                all.push(path);
            }
        }
    }
    let (root, mut paths) = (repository(), Vec::new());
    walk(&root.join(folder), &mut paths);
    paths.sort();
    assert!(!paths.is_empty(), "{folder} has no Rust files");
    let name = |path: &Path| path.strip_prefix(&root).unwrap().display().to_string();
    paths.iter().map(|path| (name(path), std::fs::read_to_string(path).unwrap())).collect()
}

/// Returns the names in a folder of the repository.
fn names(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(repository().join(folder)).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Returns the lines of code that hold one of the words, as `path:line: text`.
fn lines_with(folder: &str, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources(folder) {
        // Tests stand at the end of a file, and may make what the program must not.
        let program = text.lines().take_while(|line| *line != "#[cfg(test)]");
        for (index, line) in program.enumerate() {
            let code = line.trim_start();
            if !code.starts_with("//") && words.iter().any(|word| code.contains(word)) {
                found.push(format!("{path}:{}: {code}", index + 1));
            }
        }
    }
    found
}

/// Returns the names in a section of a crate's manifest.
fn dependencies(of: &str, section: &str) -> BTreeSet<String> {
    let manifest = std::fs::read_to_string(repository().join("crates").join(of).join("Cargo.toml")).unwrap();
    let lines = manifest.lines().skip_while(|line| *line != format!("[{section}]")).skip(1);
    let names = lines.take_while(|line| !line.starts_with('['));
    names
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty())
        .map(String::from)
        .collect()
}

fn memory(example: &str, folder: &str) -> Memory {
    Memory::load(&repository().join("examples").join(example).join(folder))
}

fn document(example: &str) -> String {
    std::fs::read_to_string(repository().join("examples").join(example).join("kasm-db.yaml")).unwrap()
}

fn planned(document: &str, kind: &TargetKind, memory: &Memory) -> Plan {
    let target = Target { name: "test".into(), kind: kind.clone() };
    reconcile(&desired(document), &observe(&target, memory))
}

// 1
#[test]
fn the_pure_crates_do_no_io() {
    for name in PURE {
        let words = ["std::fs", "std::env", "std::process", "std::net", "std::io", "SystemTime", "Instant"];
        let found = lines_with(&format!("crates/{name}/src"), &words);
        assert!(found.is_empty(), "{found:#?}");
        let lints = std::fs::read_to_string(repository().join(format!("crates/{name}/clippy.toml"))).unwrap();
        for method in ["std::fs::read", "std::env::var", "std::process::Command::new"] {
            assert!(lints.contains(&format!("\"{method}\"")), "crates/{name}/clippy.toml allows {method}");
        }
    }
}

/// The crates that act, and leave it to their caller to talk.
const SILENT: [&str; 2] = ["live", "ops"];

// 24
#[test]
fn the_libraries_that_act_neither_print_nor_read_the_environment_nor_end_the_process() {
    for name in SILENT {
        let words = [
            "env::var",
            "env::args",
            "io::stdin",
            "io::stdout",
            "io::stderr",
            "process::exit",
            "process::abort",
            "println!",
            "print!",
            "eprintln!",
            "eprint!",
            "dbg!",
            "clap",
            "anstream",
        ];
        let found = lines_with(&format!("crates/{name}/src"), &words);
        assert!(found.is_empty(), "{found:#?}");
        let lints = std::fs::read_to_string(repository().join(format!("crates/{name}/clippy.toml"))).unwrap();
        for method in ["std::env::var", "std::env::var_os", "std::io::stdout", "std::process::exit"] {
            assert!(lints.contains(&format!("\"{method}\"")), "crates/{name}/clippy.toml allows {method}");
        }
        let all = dependencies(name, "dependencies");
        for terminal in ["clap", "anstream", "anstyle", "annotate-snippets", "signal-hook"] {
            assert!(!all.contains(terminal), "{name} depends on {terminal}");
        }
    }
}

// 25
#[test]
fn no_static_holds_the_state_of_a_run() {
    let held =
        ["Mutex<", "RwLock<", "Atomic", "OnceLock<", "OnceCell<", "RefCell<", "LazyLock<", "static mut"];
    let found: Vec<_> = lines_with("crates", &["static "])
        .into_iter()
        .filter(|line| !line.contains("/tests/") && !line.contains("crates/testing/"))
        .filter(|line| held.iter().any(|kind| line.contains(kind)))
        .collect();
    // Made of nothing that belongs to a run, and never changed.
    let tables = ["crates/model/src/", "crates/cli/src/args/global.rs"];
    let is_table = |line: &String| tables.iter().any(|table| line.starts_with(table));
    assert!(found.iter().all(is_table), "{found:#?}");
}

// 1
#[test]
fn dependencies_point_one_way() {
    let ours = ["pgconf", "model", "render", "commit", "auditlog", "live", "ops"];
    let of = |name: &str| -> Vec<String> {
        dependencies(name, "dependencies").into_iter().filter(|name| ours.contains(&name.as_str())).collect()
    };
    assert_eq!(of("pgconf"), [""; 0]);
    assert_eq!(of("commit"), [""; 0]);
    assert_eq!(of("auditlog"), [""; 0]);
    assert_eq!(of("model"), ["pgconf"]);
    assert_eq!(of("render"), ["model", "pgconf"]);
    assert_eq!(of("live"), ["auditlog", "model"]);
    assert_eq!(of("ops"), ["auditlog", "commit", "live", "model", "render"]);
    assert_eq!(of("cli"), ["auditlog", "commit", "live", "model", "ops", "render"]);
    for name in PURE {
        let all = dependencies(name, "dependencies");
        for io in ["rustix", "libc", "tokio", "ureq", "postgres", "anstream"] {
            assert!(!all.contains(io), "{name} depends on {io}");
        }
    }
}

// 3
#[test]
fn only_the_document_plan_files_and_what_is_kept_are_deserialised() {
    let is_test =
        |line: &str| ["/tests/", "/examples/", "crates/testing/"].iter().any(|part| line.contains(part));
    let strange = |words: &[&str], allowed: &[&str]| -> Vec<String> {
        let found = lines_with("crates", words).into_iter().filter(|line| !is_test(line));
        found.filter(|line| !allowed.iter().any(|path| line.starts_with(path))).collect()
    };
    let plan_file = "crates/ops/src/saved/format.rs:";
    let note = "crates/ops/src/note.rs:";
    let record = "crates/ops/src/written_record.rs:";
    let task = "crates/cli/src/command/ansible/options.rs:";
    let entry = "crates/ops/src/inspect/entry.rs:";
    // The descriptions in an archive of an image are values, and no types of ours.
    let image = "crates/ops/src/inspect/index.rs:";
    let document = [
        "crates/model/src/document.rs:",
        "crates/model/src/document/build.rs:",
        "crates/model/src/ignorable.rs:",
    ];
    assert_eq!(
        strange(&["Deserialize"], &[&document[..], &[plan_file, note, record, entry]].concat()),
        [""; 0]
    );
    // With the types in one file, whatever the model reads is the document or a part of it.
    assert_eq!(
        strange(
            &["serde_json::from_", "serde_yaml::"],
            &["crates/model/src/", plan_file, note, record, entry, task, image]
        ),
        [""; 0]
    );
    // It writes documents, and reads nothing.
    for name in ["pgconf", "render", "commit", "live", "ops", "cli"] {
        assert!(!dependencies(name, "dependencies").contains("serde_yaml"), "{name} uses serde_yaml");
    }
    for line in lines_with("crates/model/src", &["serde_yaml"]) {
        assert!(
            line.starts_with("crates/model/src/written.rs:") && line.contains("serde_yaml::to_string("),
            "{line}"
        );
    }
}

// 4
#[test]
fn every_change_is_a_text_edit() {
    let mut files = 0;
    for (example, folder, kind) in EXAMPLES {
        for file in planned(&document(example), &kind, &memory(example, folder)).files {
            assert!(!file.edit.is_empty());
            assert_eq!(*file.edit.apply(&file.before), *file.after, "{}", file.path);
            files += 1;
        }
    }
    assert_eq!(files, 9);
    // One place makes them, from replacements.
    let made = lines_with("crates", &["FileChange {"]);
    let made: Vec<_> =
        made.iter().filter(|line| !line.contains("struct ") && !line.contains("impl ")).collect();
    assert!(matches!(&made[..], [one] if one.starts_with("crates/render/src/plan.rs:")), "{made:#?}");
}

// 5
#[test]
fn what_the_document_does_not_name_keeps_its_bytes() {
    for (example, folder, kind) in EXAMPLES {
        let before = memory(example, folder);
        let plan = planned(&document(example), &kind, &before);
        assert!(!plan.is_blocked() && !plan.is_empty());
        let names: Vec<&str> = plan.changes.iter().map(|change| change.subject.as_str()).collect();
        let after = before.apply(&plan);
        for (path, old) in &before.0 {
            let (old, new) = (String::from_utf8_lossy(old), String::from_utf8_lossy(&after.0[path]));
            let kept: Vec<&str> =
                new.lines().filter(|line| old.lines().any(|other| other == *line)).collect();
            for line in new.lines().filter(|line| !kept.contains(line)) {
                let name = line.trim_start_matches(['#', ' ']).split([' ', ':', '=']).next().unwrap();
                let is_named =
                    names.iter().any(|subject| *subject == name || subject.ends_with(&format!(".{name}")));
                assert!(is_named, "{path}: {line}");
            }
        }
    }
}

// 6
#[test]
fn equal_by_meaning_is_not_a_change() {
    let (example, folder, kind) = EXAMPLES[1].clone();
    let before = memory(example, folder);
    let mut memory = before.apply(&planned(&document(example), &kind, &before));
    for (from, to) in [
        ("'read, write, ddl, role'", "'role,ddl , read,write'"),
        ("'pgaudit'", "'$libdir/pgaudit'"),
        ("log_connections = on", "Log_Connections TRUE"),
        ("= 250ms", "= '0.25s'"),
        ("max_connections = 200", "max_connections = 0xC8"),
        ("pgaudit.log_catalog = off", "pgaudit.LOG_CATALOG = 'no'"),
    ] {
        let conf = memory.0.get_mut("conf/database/postgresql.conf").unwrap();
        let text = String::from_utf8(conf.clone()).unwrap();
        assert!(text.contains(from), "{from}");
        *conf = text.replace(from, to).into_bytes();
    }
    for (path, bytes) in &mut memory.0 {
        if path.starts_with("docker/") {
            let text = String::from_utf8(bytes.clone()).unwrap();
            *bytes = text.replace("kasmweb/postgres:1.16.0", "'docker.io/kasmweb/postgres:1.16.0'").into();
        }
    }
    let plan = planned(&document(example), &kind, &memory);
    assert!(plan.is_empty() && !plan.is_blocked(), "{:#?} {:#?}", plan.changes, plan.findings);
}

// 7
#[test]
fn reconcile_gives_a_plan_and_nothing_else() {
    // A `Result` here would not compile.
    let total: fn(&model::DesiredState, &ObservedState) -> Plan = reconcile;
    for (_, _, kind) in EXAMPLES {
        let target = Target { name: "nothing".into(), kind };
        for (example, ..) in EXAMPLES {
            let plan = total(&desired(&document(example)), &observe(&target, &Memory::default()));
            assert!(plan.is_blocked() && plan.files.is_empty());
        }
    }
}

// 9
#[test]
fn what_a_plan_leads_to_has_an_empty_plan() {
    for (example, folder, kind) in EXAMPLES {
        let before = memory(example, folder);
        let after = before.apply(&planned(&document(example), &kind, &before));
        let again = planned(&document(example), &kind, &after);
        assert!(again.is_empty() && !again.is_blocked(), "{:#?} {:#?}", again.changes, again.findings);
    }
}

// 12
#[test]
fn only_the_output_layer_plan_files_and_what_is_kept_serialise() {
    let found = lines_with("crates", &["Serialize"]);
    let allowed = [
        "crates/cli/src/output/",
        "crates/ops/src/saved/format.rs:",
        "crates/ops/src/note.rs:",
        "crates/ops/src/written_record.rs:",
        "crates/ops/src/inspect/entry.rs:",
    ];
    let is_allowed = |line: &&String| allowed.iter().any(|path| line.starts_with(path));
    let strange: Vec<_> = found.iter().filter(|line| !is_allowed(line)).collect();
    assert!(strange.is_empty(), "{strange:#?}");
}

// 13
#[test]
fn every_key_of_audit_is_a_row_of_the_settings_and_is_wanted_when_written() {
    let schema = model::schema::json();
    let keys = schema.pointer("/$defs/Audit/properties").unwrap().as_object().unwrap().keys();
    // These two are about CREATE EXTENSION, not about postgresql.conf.
    let keys: BTreeSet<&str> =
        keys.map(String::as_str).filter(|key| !["extension", "databases"].contains(key)).collect();
    assert_eq!(keys, PGAUDIT.iter().map(|row| row.key).collect());
    for row in PGAUDIT {
        let value = match row.kind {
            PgauditKind::Classes => "[read]",
            PgauditKind::Bool => "true",
            PgauditKind::Level => "notice",
            PgauditKind::Bytes(..) => "1",
            PgauditKind::Role => "auditor",
        };
        let text = format!("schema: kasm-db/v1\npostgres_major: 19\naudit:\n  {}: {value}\n", row.key);
        let wanted = desired(&text);
        assert_eq!(wanted.settings().iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), [row.name]);
    }
}

// 31
#[test]
fn a_pure_law_is_built_without_the_program() {
    for name in names("crates") {
        assert!(
            !dependencies(&name, "dependencies").contains("testing"),
            "{name} uses the crate of the tests"
        );
    }
    // Without its feature, the crate of the tests is as pure as the laws in it.
    let manifest = std::fs::read_to_string(repository().join("crates/testing/Cargo.toml")).unwrap();
    assert!(manifest.contains("kasm-db = { path = \"../cli\", optional = true }"));
    assert!(!dependencies("testing", "features").contains("default"));
    for name in ["auditlog", "commit", "model", "pgconf", "render"] {
        let manifest =
            std::fs::read_to_string(repository().join(format!("crates/{name}/Cargo.toml"))).unwrap();
        assert!(!manifest.contains("\"program\""), "the tests of {name} need the program");
        assert!(!dependencies(name, "dev-dependencies").contains("kasm-db"), "so do those of {name}");
    }
}

// 30
#[test]
fn every_test_file_belongs_to_a_test() {
    let (mut files, mut roots) = (BTreeSet::new(), Vec::new());
    let mut holds = |folder: &str| {
        files.extend(sources(folder).into_iter().map(|(path, _)| repository().join(path)));
    };
    holds("tests");
    for name in names("crates") {
        let folder = format!("crates/{name}/tests");
        let manifest =
            std::fs::read_to_string(repository().join(format!("crates/{name}/Cargo.toml"))).unwrap();
        let named =
            manifest.lines().filter_map(|line| line.strip_prefix("path = \"../../")?.strip_suffix('"'));
        roots.extend(named.map(|path| repository().join(path)));
        if repository().join(&folder).exists() {
            holds(&folder);
            // Cargo finds these by itself.
            let found = names(&folder).into_iter().map(|name| repository().join(&folder).join(name));
            roots.extend(found.flat_map(|path| [path.join("main.rs"), path]).filter(|path| path.is_file()));
        }
    }
    let mut taken = BTreeSet::new();
    // The modules of a root are beside it, those of a module are in the folder of its name.
    let beside = |root: PathBuf| (root.parent().unwrap().to_path_buf(), root);
    let mut next: Vec<(PathBuf, PathBuf)> = roots.into_iter().map(beside).collect();
    while let Some((folder, file)) = next.pop() {
        let text =
            std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let named = text.lines().filter_map(|line| line.strip_suffix(';')?.rsplit_once("mod "));
        let modules = named.map(|(_, name)| (folder.join(name), folder.join(format!("{name}.rs"))));
        // One that is named by its path belongs to somebody else.
        next.extend(modules.filter(|(_, file)| file.exists()));
        taken.insert(file);
    }
    let left: Vec<_> = files.difference(&taken).collect();
    assert!(left.is_empty(), "no test takes these in: {left:#?}");
}

// 30
#[test]
fn at_most_three_modules_are_named_by_their_path() {
    let all = ["crates", "tests", "fuzz/fuzz_targets"].into_iter().flat_map(sources);
    let named = all.flat_map(|(path, text)| {
        let count = text.lines().filter(|line| line.trim_start().starts_with("#[path")).count();
        std::iter::repeat_n(path, count)
    });
    let named: Vec<_> = named.collect();
    // Each is compiled once for every crate that takes it in; what several need is a crate.
    assert!(named.len() <= 3, "{named:#?}");
}

// 32
#[test]
fn the_code_map_names_every_file() {
    let page = std::fs::read_to_string(repository().join("ARCHITECTURE.md")).unwrap();
    let mut wrong = Vec::new();
    for name in names("crates") {
        let (_, section) = page
            .split_once(&format!("\n### `crates/{name}`\n"))
            .unwrap_or_else(|| panic!("no section of ARCHITECTURE.md is about crates/{name}"));
        let section = section.split("\n### ").next().unwrap();
        let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
        let named: Vec<&str> = cells.flat_map(|(cell, _)| cell.split("`, `")).collect();
        let folder = format!("crates/{name}/src/");
        for (path, _) in sources(&folder) {
            let file = path.strip_prefix(&folder).unwrap();
            // A row that ends with a slash is about everything below.
            let is_named = |row: &&str| *row == file || (row.ends_with('/') && file.starts_with(*row));
            // The front page of a crate lists what is in it.
            if file != "lib.rs" && !named.iter().any(is_named) {
                wrong.push(format!("no row names {path}"));
            }
        }
        let lost = named.into_iter().filter(|row| !repository().join(&folder).join(row).exists());
        wrong.extend(lost.map(|row| format!("a row names {folder}{row}, which does not exist")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_example_document_is_valid_and_names_the_schema() {
    let schema = repository().join("schemas/kasm-db.v1.schema.json").canonicalize().unwrap();
    let mut documents = 0;
    for entry in std::fs::read_dir(repository().join("examples")).unwrap() {
        let folder = entry.unwrap().path();
        let path = folder.join("kasm-db.yaml");
        if !path.exists() {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        desired(&text);
        let modeline = text.lines().next().unwrap();
        let named = modeline.strip_prefix("# yaml-language-server: $schema=").unwrap();
        assert_eq!(folder.join(named).canonicalize().unwrap(), schema, "{}", path.display());
        documents += 1;
    }
    assert!(documents >= 2);
}

#[test]
fn the_committed_schema_is_the_one_of_the_types() {
    generated("schemas/kasm-db.v1.schema.json", &model::schema::text());
}

/// Compares a generated file with what is committed, or writes it.
#[track_caller]
fn generated(path: &str, text: &str) {
    let file = repository().join(path);
    if std::env::var_os("KASM_DB_BLESS").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    let help = "run `KASM_DB_BLESS=1 cargo test -p kasm-db-render --test invariants` and commit the file";
    assert!(committed == text, "{path} is not what the code gives; {help}");
}
