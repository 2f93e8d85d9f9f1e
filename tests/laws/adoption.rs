//! Import: the document that is written of what is there has an empty plan, and says all that it can.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use kasm_db_render::{Target, TargetKind, adopt, observe};
use model::document::{Files, Target as Written};
use model::{Code, DesiredState, Image};
use pgconf::ConfSet;
use proptest::prelude::*;
use testing::laws::{NOTHING, laws};
use testing::{ConfFiles, Memory, desired, files_target, plan};

use crate::documents::IMAGES;
use crate::{compose, corpus, documents};

/// What came of the imports of one kind of target.
#[derive(Default)]
struct Table {
    rows: BTreeMap<String, BTreeMap<String, usize>>,
}

impl Table {
    fn count(&mut self, row: &str, column: impl Into<String>) {
        *self.rows.entry(row.into()).or_default().entry(column.into()).or_default() += 1;
    }

    fn total(&self, row: &str, column: &str) -> usize {
        self.rows.get(row).and_then(|columns| columns.get(column)).copied().unwrap_or_default()
    }

    #[allow(clippy::print_stderr, reason = "a test says what it looked at")]
    fn print(&self) {
        let mut out = String::new();
        for (row, columns) in &self.rows {
            let _ = writeln!(out, "{row}");
            for (column, count) in columns {
                let _ = writeln!(out, "  {count:6}  {column}");
            }
        }
        eprintln!("{out}");
    }
}

/// Returns the target as a document names it.
fn written(target: &Target) -> Written {
    let (name, folder) = (target.name.clone(), Some(".".to_string()));
    let mut written = Written { name, deployment: None, installer: None, files: None };
    match &target.kind {
        TargetKind::Deployment => written.deployment = folder,
        TargetKind::Installer => written.installer = folder,
        TargetKind::Files { compose, postgresql_conf, service } => {
            let (compose, postgresql_conf) = (compose.clone(), postgresql_conf.clone());
            written.files = Some(Files { compose, postgresql_conf, service: service.clone() });
        }
    }
    written
}

/// Asserts the law for one target; gives the document, or the codes of why there is none.
#[track_caller]
fn law(target: &Target, files: &Memory, all_settings: bool) -> Result<(String, Vec<String>), Vec<Code>> {
    let before = plan(&NOTHING, target, files);
    let adoption = match adopt(&observe(target, files), all_settings) {
        Ok(adoption) => adoption,
        Err(refused) => {
            let codes: Vec<_> = refused.iter().map(|finding| finding.code).collect();
            assert!(!codes.is_empty() && refused.iter().all(model::Diagnostic::is_error), "{refused:#?}");
            let of_its_own = codes.iter().all(|code| *code == Code::NotPostgres);
            assert!(before.is_blocked() || of_its_own, "refused, but a plan is possible: {refused:#?}");
            return Err(codes);
        }
    };
    let text = adoption.document(&written(target));
    let after = plan(&desired(&text), target, files);
    assert!(after.is_empty(), "{:#?}\n{text}\n{:?}", after.changes, files.0.keys());
    let is_known = |new: &&model::Diagnostic| {
        before.blockers().any(|old| (old.code, &old.location) == (new.code, &new.location))
    };
    let new: Vec<_> = after.blockers().filter(|finding| !is_known(finding)).collect();
    assert!(new.is_empty(), "{new:#?}\n{text}");
    let left_out: Vec<_> = adoption.left_out().iter().map(|left| left.subject.clone()).collect();
    assert!(adoption.left_out().iter().all(|left| !left.why.is_empty()), "{left_out:?}");
    Ok((text, left_out))
}

/// Asserts the law, and counts what came of it.
#[track_caller]
fn counted(table: &mut Table, row: &str, target: &Target, files: &Memory) -> Option<DesiredState> {
    for all_settings in [true, false] {
        let row = if all_settings { format!("{row}, all settings") } else { row.to_string() };
        table.count(&row, "targets");
        match law(target, files, all_settings) {
            Ok((text, left_out)) => {
                let desired = desired(&text);
                table.count(&row, "imported");
                for (there, what) in [
                    (desired.image().is_some(), "imported: with an image"),
                    (desired.preload().is_some(), "imported: with a preload list"),
                    (
                        desired.settings().iter().any(|s| s.name.starts_with("pgaudit.")),
                        "imported: with audit",
                    ),
                    (
                        desired.settings().iter().any(|s| !s.name.starts_with("pgaudit.")),
                        "imported: with settings",
                    ),
                    (plan(&desired, target, files).is_blocked(), "imported: blocked before and after"),
                ] {
                    if there {
                        table.count(&row, what);
                    }
                }
                let kind = |subject: &String| match subject.split_once('.') {
                    Some(("audit" | "preload", _)) => subject.clone(),
                    Some(_) => "a setting of an extension".into(),
                    None if ["image", "postgres_major"].contains(&subject.as_str()) => subject.clone(),
                    None => "a setting".into(),
                };
                let kinds: BTreeSet<_> = left_out.iter().map(kind).collect();
                kinds.iter().for_each(|kind| table.count(&row, format!("left out: {kind}")));
                if !all_settings {
                    return Some(desired);
                }
            }
            Err(codes) => table.count(&row, format!("refused: {}", codes[0].name())),
        }
    }
    None
}

/// Compares a document with what the conf says to a reader that is not the importer.
#[track_caller]
fn says_it_all(desired: &DesiredState, path: &str, files: &Memory) {
    let set = ConfSet::read(path, files.get(path), &ConfFiles(files));
    let value = |name: &str| set.effective(name).map(|assignment| assignment.value());
    let items = value("shared_preload_libraries").and_then(|value| pgconf::split_libraries(&value));
    let plain = |item: &&Vec<u8>| item.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let wanted = desired.preload().map(|preload| preload.libraries.clone()).unwrap_or_default();
    for item in items.iter().flatten().filter(plain) {
        let has = |library: &String| pgconf::same_library(library.as_bytes(), item);
        assert!(wanted.iter().any(has), "{} is not in {wanted:?}", item.escape_ascii());
    }
    if let Some(set) = value("pgaudit.log").and_then(|value| model::audit::ClassSet::parse(&value)) {
        let found = desired.settings().iter().find(|setting| setting.name == "pgaudit.log");
        // Without its library nothing is audited, and a document that asks for it is refused.
        let loads = wanted.iter().any(|library| pgconf::same_library(library.as_bytes(), b"pgaudit"));
        if loads || set.is_empty() {
            let found = found.map(|setting| model::audit::ClassSet::parse(setting.value.as_bytes()).unwrap());
            assert_eq!(found, Some(set));
        }
    }
}

const BESIDE: &str = "services:\n  db:\n    image: IMAGE\n    environment: {POSTGRES_PASSWORD: hunter2}\n    command: postgres -c config_file=/conf\n    volumes: [./postgresql.conf:/conf]\n";

/// A target of compose files and a conf.
fn of_files(compose: &[&str], service: Option<&str>) -> Target {
    let kind = TargetKind::Files {
        compose: compose.iter().map(ToString::to_string).collect(),
        postgresql_conf: Some("postgresql.conf".into()),
        service: service.map(String::from),
    };
    Target { name: "t".into(), kind }
}

/// A conf by itself, and beside a compose file with images of several majors.
fn beside(table: &mut Table, row: &str, mut files: Memory) {
    let alone = of_files(&[], None);
    if let Some(desired) = counted(table, &format!("{row}, alone"), &alone, &files)
        && !files.0.contains_key("postgresql.auto.conf")
    {
        says_it_all(&desired, "postgresql.conf", &files);
    }
    for image in
        ["kasmweb/postgres:1.12.0", "kasmweb/postgres:1.16.0", "postgres:18", "example.org/db:1", "${TAG}"]
    {
        let text = BESIDE.replace("IMAGE", image);
        files.0.insert("compose.yaml".into(), text.into_bytes());
        let target = of_files(&["compose.yaml"], None);
        if let Some(desired) = counted(table, &format!("{row}, beside a compose file"), &target, &files) {
            assert_eq!(desired.image().is_some(), image != "${TAG}");
        }
    }
}

#[test]
fn an_import_of_the_projects_own_confs_has_an_empty_plan() {
    let mut table = Table::default();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/conf");
    for folder in corpus::entries(&root) {
        let mut files = Memory::default();
        corpus::tree(&folder, "", &mut files.0);
        files.0.remove("kasm-db.yaml");
        beside(&mut table, "own confs", files);
    }
    table.print();
    assert!(table.total("own confs, alone", "imported") >= 40);
    assert!(table.total("own confs, alone", "imported: with a preload list") >= 10);
    assert!(table.total("own confs, alone", "refused: conf-syntax") >= 5);
    assert!(table.total("own confs, beside a compose file", "imported: with audit") >= 10);
}

#[test]
fn an_import_of_the_corpus_confs_and_cases_has_an_empty_plan() {
    let mut table = Table::default();
    if let Some(root) = corpus::root() {
        for folder in ["pgconf/sample", "pgconf/real"] {
            for path in corpus::entries(&root.join(folder)) {
                let bytes = std::fs::read(&path).unwrap();
                beside(&mut table, folder, Memory::new([("postgresql.conf", &bytes)]));
            }
        }
        assert!(table.total("pgconf/real, alone", "imported: with a preload list") >= 5);
    }
    if let Some(root) = std::env::var_os("KASM_DB_CASES") {
        for folder in corpus::entries(Path::new(&root)) {
            let mut files = Memory::default();
            corpus::tree(&folder, "", &mut files.0);
            files.0.retain(|name, _| !name.ends_with(".json"));
            beside(&mut table, "cases", files);
        }
        assert!(table.total("cases, alone", "imported: with a preload list") >= 40);
    }
    table.print();
}

#[test]
fn an_import_of_every_kasm_tree_has_an_empty_plan() {
    let mut table = Table::default();
    let mut trees: Vec<(TargetKind, Memory)> = Vec::new();
    let read = |folder: &Path| {
        let mut files = Memory::default();
        corpus::tree(folder, "", &mut files.0);
        files
    };
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    trees.push((TargetKind::Deployment, read(&examples.join("existing/opt/kasm/1.11.0"))));
    trees.push((TargetKind::Installer, read(&examples.join("new/kasm_release"))));
    if let Some(root) = corpus::root() {
        for path in corpus::entries(&root.join("kasm")) {
            let installer = read(&path);
            trees.push((TargetKind::Deployment, corpus::installed(&installer)));
            trees.push((TargetKind::Installer, installer));
        }
    }
    let applied = [
        "image: kasmweb/postgres:1.11.0\npreload: {libraries: [pgaudit]}\naudit: {classes: [read, write, ddl]}\n",
        "image: kasmweb/postgres:1.16.0\npreload: {mode: exact, libraries: [pgaudit, pg_stat_statements]}\n\
         audit: {classes: [all, -misc], log_catalog: false, log_rows: true, role: auditor}\n\
         settings: {work_mem: 8MB, log_connections: true}\nunset: [log_line_prefix]\n",
    ];
    for (kind, files) in trees {
        let target = Target { name: "t".into(), kind };
        let row = format!("{:?}", target.kind);
        let imported = counted(&mut table, &row, &target, &files).expect("a tree that can be read");
        assert!(imported.image().is_some());
        for document in applied {
            let (plan, after) = laws(&desired(&format!("schema: kasm-db/v1\n{document}")), &target, &files);
            if plan.is_blocked() {
                continue;
            }
            let row = format!("{row}, applied");
            let imported = counted(&mut table, &row, &target, &after).expect("a tree that was applied");
            assert!(imported.image().is_some() && imported.preload().is_some() && imported.audits());
        }
    }
    table.print();
    assert!(table.total("Installer, applied", "imported: with audit") >= 1);
    assert!(table.total("Deployment, applied", "imported: with audit") >= 1);
}

/// Returns whether something wins over postgresql.conf.
fn is_overridden(desired: &DesiredState, target: &Target, files: &Memory) -> bool {
    let codes = [Code::OverriddenByCommand, Code::OverriddenByAutoConf];
    plan(desired, target, files).findings.iter().any(|finding| codes.contains(&finding.code))
}

/// Returns whether every document that declares a setting is refused, because the server reads another file.
fn is_elsewhere(target: &Target, files: &Memory) -> bool {
    let any = desired("schema: kasm-db/v1\npreload: {libraries: [pgaudit]}\n");
    plan(&any, target, files).blockers().any(|blocker| blocker.code == Code::ConfElsewhere)
}

/// Returns every service whose image looks like PostgreSQL, and one that nobody names.
fn services(bytes: &[u8]) -> Vec<Option<String>> {
    let mut found = vec![None];
    let Ok(tree) = model::yaml::Tree::parse(bytes) else { return found };
    for services in tree.documents().iter().filter_map(|document| tree.get(*document, "services")) {
        for (name, service) in tree.entries(services) {
            let image = tree.get(*service, "image").and_then(|image| tree.scalar(image)).unwrap_or_default();
            let marks = ["postgres", "postgis", "timescale", "pgvector"];
            if marks.iter().any(|mark| image.contains(mark)) {
                found.push(tree.scalar(*name).map(String::from));
            }
        }
    }
    found.dedup();
    found
}

#[test]
fn an_import_of_every_compose_file_has_an_empty_plan() {
    let Some(root) = corpus::root() else { return };
    let mut table = Table::default();
    let confs = [
        ("", ""),
        (
            " with a conf",
            "shared_preload_libraries = 'pgaudit, pg_stat_statements'\npgaudit.log = 'read, WRITE'\nmax_connections = 7\n",
        ),
    ];
    for path in corpus::entries(&root.join("compose")) {
        let bytes = std::fs::read(&path).unwrap();
        if !matches!(path.extension().and_then(|e| e.to_str()), Some("yml" | "yaml")) {
            continue;
        }
        for service in services(&bytes) {
            for (row, conf) in confs {
                let mut files = Memory::new([("compose.yaml", &bytes)]);
                if !conf.is_empty() {
                    files.0.insert("postgresql.conf".into(), conf.into());
                }
                let kind = TargetKind::Files {
                    compose: vec!["compose.yaml".into()],
                    postgresql_conf: (!conf.is_empty()).then(|| "postgresql.conf".into()),
                    service: service.clone(),
                };
                let row = format!(
                    "compose, {}{row}",
                    if service.is_some() { "a service by name" } else { "no name" }
                );
                let target = Target { name: "t".into(), kind };
                if let Some(desired) = counted(&mut table, &row, &target, &files)
                    && !conf.is_empty()
                    && !is_overridden(&desired, &target, &files)
                    && !is_elsewhere(&target, &files)
                {
                    says_it_all(&desired, "postgresql.conf", &files);
                }
            }
        }
    }
    table.print();
    assert!(table.total("compose, a service by name", "imported: with an image") >= 120);
}

proptest! {
    #![proptest_config(crate::config(300))]

    #[test]
    fn an_import_of_what_was_applied_has_an_empty_plan(
        compose in compose::compose(IMAGES),
        conf in documents::conf(),
        document in documents::document(),
        all_settings in any::<bool>(),
    ) {
        let files = Memory::new([("compose.yaml", compose.text.as_bytes()), ("postgresql.conf", &conf)]);
        let target = files_target(&files);
        let wanted = desired(&document);
        let (plan, after) = laws(&wanted, &target, &files);
        law(&target, &files, all_settings).ok();
        let imported = law(&target, &after, all_settings);
        if !plan.is_blocked() {
            let (text, left_out) = imported.map_err(|codes| TestCaseError::fail(format!("{codes:?}")))?;
            let imported = desired(&text);
            if let Some(image) = wanted.image() {
                // What a variable becomes may be a secret: only an image that everybody can get is written down.
                let is_left_out = compose.text.contains("image: ${")
                    && imported.image().is_none()
                    && left_out.iter().any(|name| name == "image");
                let is_met = imported.image().is_some_and(|found| image.is_met_by(found));
                prop_assert!(is_met || is_left_out, "{text}\n{left_out:?}");
            }
        }
    }
}

#[test]
fn what_cannot_be_written_is_left_out_with_its_reason() {
    let conf = b"shared_preload_libraries = 'pgaudit, /opt/xy.so'\npgaudit.log = 'read, banana'\npgaudit.log_rows = on\n\
        archive_command = 'curl -u me:hunter2 x'\nprimary_conninfo = 'password=hunter2'\nmy.token = 'hunter2'\nwork_mem = 8MB\n";
    let compose = b"services:\n  db:\n    image: kasmweb/postgres:1.12.0\n    environment: {POSTGRES_PASSWORD: hunter2}\n";
    let files = Memory::new([("compose.yaml", compose), ("postgresql.conf", conf)]);
    let (text, left_out) = law(&files_target(&files), &files, true).unwrap();
    assert!(!text.contains("hunter2") && text.contains("work_mem: 8MB"), "{text}");
    let expected = [
        "preload.libraries",
        "audit.classes",
        "archive_command",
        "my.token",
        "primary_conninfo",
        "audit.log_rows",
    ];
    assert_eq!(left_out, expected, "{text}");
    assert_eq!(desired(&text).preload().unwrap().libraries, ["pgaudit"]);
    assert!(
        text.contains("`audit.log_rows` is left out: `audit.log_rows` needs PostgreSQL 14 or later"),
        "{text}"
    );
}

#[test]
fn an_image_that_a_plan_would_change_is_a_comment() {
    for (image, reason) in [
        ("image: postgres:${TAG:?}", "the variable `TAG`"),
        ("image: |\n      postgres:14", "spaces or line ends"),
        ("image: postgres@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "no tag"),
        ("image: 'Post gres'", "not a valid reference"),
        ("build: .", "built from source"),
        ("restart: always", "has no image"),
    ] {
        let compose = format!("services:\n  kasm_db:\n    {image}\n");
        let files = Memory::new([("compose.yaml", compose.as_bytes())]);
        let (text, left_out) = law(&files_target(&files), &files, false).unwrap();
        assert!(desired(&text).image().is_none() && left_out[0] == "image", "{text}");
        assert!(text.contains(reason), "{reason}\n{text}");
    }
    let latest = Memory::new([("compose.yaml", b"services: {db: {image: postgres}}\n")]);
    let (text, _) = law(&files_target(&latest), &latest, false).unwrap();
    assert_eq!(desired(&text).image(), Some(&Image::parse("postgres:latest").unwrap()));
}

#[test]
fn what_cannot_be_read_is_refused_with_its_reason() {
    for (compose, conf, code) in [
        (
            "services: {a: {container_name: kasm_db}, b: {container_name: kasm_db}}\n",
            "",
            Code::AmbiguousService,
        ),
        ("services: {web: {image: x}}\n", "", Code::NoService),
        ("services: {db: [\n", "", Code::ComposeSyntax),
        ("services: {db: {image: 'mysql:8'}}\n", "", Code::NotPostgres),
        ("services: {db: {image: 'postgres:14'}}\n", "work_mem 1 2\n", Code::ConfSyntax),
        ("services: {db: {image: 'postgres:14'}}\n", "include 'none.conf'\n", Code::ConfInclude),
    ] {
        let files = Memory::new([("compose.yaml", compose.as_bytes()), ("postgresql.conf", conf.as_bytes())]);
        assert_eq!(law(&files_target(&files), &files, false), Err(vec![code]), "{compose}{conf}");
    }
}

#[test]
fn what_wins_over_the_file_is_what_is_there() {
    let compose =
        b"services:\n  db:\n    image: kasmweb/postgres:1.16.0\n    command: postgres -c pgaudit.log=ddl\n";
    let conf = b"shared_preload_libraries = 'pgaudit'\npgaudit.log = 'all'\npgaudit.log_client = on\n";
    let files = Memory::new([
        ("compose.yaml", compose),
        ("postgresql.conf", conf),
        ("postgresql.auto.conf", b"pgaudit.log_client = 'off'\n"),
    ]);
    let target = of_files(&["compose.yaml"], None);
    let (text, _) = law(&target, &files, false).unwrap();
    assert!(
        text.contains(
            "  # Set by the server's command line, which wins over postgresql.conf.\n  classes: [ddl]\n"
        ),
        "{text}"
    );
    assert!(
        text.contains(
            "  # Set by postgresql.auto.conf, which wins over postgresql.conf.\n  log_client: false\n"
        ),
        "{text}"
    );
}
