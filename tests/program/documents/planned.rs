//! For each code that only a target's files can trigger, the smallest target that triggers it and no other.

use std::collections::BTreeSet;

use model::{Code, Diagnostic};
use render::{Plan, Target, TargetKind, observe, proved, reconcile};
use testing::{Memory, desired};

/// A document, and files that give an empty set of findings with it.
const DOCUMENT: &str = "postgres_major: 14\nsettings: {work_mem: 8MB}\n";
const COMPOSE: &str = "services:
  db:
    image: postgres:14
    command: postgres -c config_file=/etc/own.conf
    volumes: [\"./own.conf:/etc/own.conf\"]
";
const CONF: &str = "work_mem = 4MB\n";

/// Changes of the document, the compose file and the conf, and files beside them.
#[derive(Default)]
struct Files {
    document: Option<&'static str>,
    compose: Option<String>,
    conf: Option<&'static str>,
    more: &'static [(&'static str, &'static str)],
    kind: Option<TargetKind>,
}

fn document(text: &'static str) -> Files {
    Files { document: Some(text), ..Files::default() }
}

fn compose(from: &str, to: &str) -> Files {
    assert!(COMPOSE.contains(from), "{from}");
    Files { compose: Some(COMPOSE.replace(from, to)), ..Files::default() }
}

fn conf(text: &'static str) -> Files {
    Files { conf: Some(text), ..Files::default() }
}

/// Returns what a plan finds.
fn found(files: Files) -> BTreeSet<Code> {
    found_with(files, |_| {})
}

/// Returns what a plan finds that was changed before it was proved.
fn found_with(files: Files, spoil: impl FnOnce(&mut Plan)) -> BTreeSet<Code> {
    findings(files, spoil).into_iter().map(|finding| finding.code).collect()
}

fn findings(files: Files, spoil: impl FnOnce(&mut Plan)) -> Vec<Diagnostic> {
    let mut all = vec![
        ("compose.yaml".to_string(), files.compose.unwrap_or_else(|| COMPOSE.into()).into_bytes()),
        ("own.conf".to_string(), files.conf.unwrap_or(CONF).into()),
    ];
    all.extend(files.more.iter().map(|(path, text)| ((*path).to_string(), text.as_bytes().to_vec())));
    let kind = files.kind.unwrap_or_else(|| TargetKind::Files {
        compose: vec!["compose.yaml".into()],
        postgresql_conf: Some("own.conf".into()),
        service: None,
    });
    let text = format!("schema: kasm-db/v1\n{}", files.document.unwrap_or(DOCUMENT));
    let target = Target { name: "test".into(), kind };
    let (desired, observed) = (desired(&text), observe(&target, &Memory(all.into_iter().collect())));
    let mut plan = reconcile(&desired, &observed);
    spoil(&mut plan);
    proved(plan, &desired, &observed).findings
}

fn cases() -> Vec<(Code, Files)> {
    let image = "    image: postgres:14\n";
    let exact = "postgres_major: 14\npreload: {mode: exact, libraries: [auto_explain]}\n";
    vec![
        (Code::ComposeSyntax, compose("    volumes", "   volumes")),
        (
            Code::NoComposeFile,
            Files { kind: Some(TargetKind::Deployment), ..document("postgres_major: 14\n") },
        ),
        (Code::NoService, compose("  db:\n    image: postgres:14", "  web:\n    image: nginx:1.27")),
        (
            Code::AmbiguousService,
            compose(
                "services:\n",
                "services:\n  one: {image: \"postgres:14\", container_name: kasm_db}\n  two: {image: \"postgres:14\", container_name: kasm_db}\n",
            ),
        ),
        (
            Code::DuplicateImage,
            Files { document: Some("image: postgres:14.1\n"), ..compose(image, &image.repeat(2)) },
        ),
        (
            Code::ImageShape,
            Files { document: Some("image: postgres:14.1\n"), ..compose("postgres:14\n", "[postgres]\n") },
        ),
        (
            Code::BuiltImage,
            Files {
                document: Some("image: postgres:14.1\n"),
                ..compose(image, "    image: postgres:14\n    build: ./database\n")
            },
        ),
        (
            Code::NotPostgres,
            Files { document: Some("image: postgres:14\n"), ..compose("postgres:14\n", "mysql:8\n") },
        ),
        (Code::ComposeReference, compose("services:\n", "include: [missing.yaml]\nservices:\n")),
        (
            Code::DuplicateComposeKey,
            compose(image, "    image: postgres:14\n    restart: always\n    restart: \"no\"\n"),
        ),
        (
            Code::ImageFromVariable,
            Files {
                document: Some("image: postgres:14.1\n"),
                ..compose("postgres:14\n", "postgres:${TAG:-14}\n")
            },
        ),
        (Code::CommandUnreadable, compose("own.conf\n", "own.conf '\n")),
        (
            Code::NoConf,
            Files {
                kind: Some(TargetKind::Files {
                    compose: vec!["compose.yaml".into()],
                    postgresql_conf: None,
                    service: None,
                }),
                ..Files::default()
            },
        ),
        (Code::ConfSyntax, conf("log_line_prefix = '%m\n")),
        (Code::ConfInclude, conf("include 'own.conf'\n")),
        (Code::ConfUnseen, conf("include_if_exists '/etc/postgresql/site.conf'\n")),
        (Code::ConfValue, conf("max_connections = many\n")),
        (Code::ConfUnknown, conf("wal_keep_segments = 32\n")),
        (Code::ConfList, conf("shared_preload_libraries = 'auto_explain,'\n")),
        (
            Code::ConfElsewhere,
            Files { more: &[("other.conf", "")], ..compose("./own.conf:", "./other.conf:") },
        ),
        (Code::ConfNotMounted, compose("    volumes: [\"./own.conf:/etc/own.conf\"]\n", "")),
        (
            Code::ConfUnchecked,
            Files {
                document: Some("settings: {work_mem: 8MB}\n"),
                ..compose("postgres:14\n", "registry.example.com/own/postgres:7\n")
            },
        ),
        (Code::MajorChange, document("image: postgres:16\n")),
        (Code::LibraryMissing, document("image: postgres:14\npreload: {libraries: [pgaudit]}\n")),
        (Code::OverriddenByCommand, compose("postgres -c", "postgres -c work_mem=4MB -c")),
        (
            Code::OverriddenByAutoConf,
            Files { more: &[("postgresql.auto.conf", "work_mem = '4MB'\n")], ..Files::default() },
        ),
        (
            Code::PreloadRemoved,
            Files { document: Some(exact), ..conf("shared_preload_libraries = 'pg_prewarm'\n") },
        ),
        (
            Code::UnknownCurrentMajor,
            Files {
                document: Some("image: postgres:14\n"),
                ..compose("postgres:14\n", "registry.example.com/own/postgres:7\n")
            },
        ),
        (Code::MajorUnknown, document("image: registry.example.com/own/postgres:7\n")),
    ]
}

/// What follows from the same lines: a command that says nothing of the conf.
fn companion(code: Code) -> Option<Code> {
    match code {
        Code::CommandUnreadable => Some(Code::ConfNotMounted),
        Code::MajorUnknown => Some(Code::ConfUnchecked),
        _ => None,
    }
}

#[test]
fn a_target_triggers_the_code_that_it_is_made_for_and_no_other() {
    assert_eq!(found(Files::default()), BTreeSet::new());
    let wrong: Vec<_> = cases()
        .into_iter()
        .map(|(code, files)| (code, found(files)))
        .filter(|(code, found)| *found != [*code].into_iter().chain(companion(*code)).collect())
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_missing_folder_is_not_mended_as_a_missing_file() {
    for (line, expected) in [
        ("include_dir 'conf.d'\n", "create it, even an empty one will do, or comment the line out"),
        ("include 'missing.conf'\n", "use `include_if_exists` for a file that may be missing"),
    ] {
        let found = findings(
            Files { conf: Some(line), ..compose("\"./own.conf:/etc/own.conf\"", "./:/etc") },
            |_| {},
        );
        let said = found.iter().find(|finding| finding.code == Code::ConfInclude).unwrap();
        assert_eq!(said.help.as_deref(), Some(expected), "{line}");
    }
}

/// The data directory is a folder of the host; `PG_VERSION` in it says which server can open it.
fn data(version: &'static [(&'static str, &'static str)], document: &'static str, image: &str) -> Files {
    let mount = "/etc/own.conf\", \"./data:/var/lib/postgresql/data\"]";
    let compose = COMPOSE.replace("/etc/own.conf\"]", mount).replace("postgres:14", image);
    Files { document: Some(document), compose: Some(compose), more: version, ..Files::default() }
}

#[test]
fn a_data_directory_that_can_be_read_tells_the_major() {
    let own = "registry.example.com/own/postgres:7";
    let (of_12, of_14) = (&[("data/PG_VERSION", "12\n")][..], &[("data/PG_VERSION", "14\n")][..]);
    let wanted = "image: postgres:14.1\n";
    for (version, document, image, expected) in [
        // Another major than the wanted image's, whatever the present image is called.
        (of_12, wanted, "postgres:14", Some(Code::MajorChange)),
        (of_12, wanted, own, Some(Code::MajorChange)),
        (of_12, DOCUMENT, "postgres:14", Some(Code::MajorChange)),
        (of_12, DOCUMENT, own, Some(Code::MajorChange)),
        // The same: nothing is unknown any more.
        (of_14, wanted, "postgres:14", None),
        (of_14, wanted, own, None),
        (of_14, "settings: {work_mem: 8MB}\n", own, None),
        // Nothing that could be read.
        (&[], wanted, own, Some(Code::UnknownCurrentMajor)),
        (&[("data/PG_VERSION", "x")], wanted, own, Some(Code::UnknownCurrentMajor)),
        (&[], "settings: {work_mem: 8MB}\n", own, Some(Code::ConfUnchecked)),
        // Nothing that is managed can be meant by it.
        (of_12, "min_version: 0.1.0\n", "postgres:14", None),
    ] {
        let found = found(data(version, document, image));
        assert_eq!(found, expected.into_iter().collect(), "{version:?} {document} {image}");
    }
    // The lines of the conf are held against the major of the data.
    let files =
        Files { conf: Some("wal_keep_segments = 32\n"), ..data(of_14, "settings: {work_mem: 8MB}\n", own) };
    assert_eq!(found(files), [Code::ConfUnknown].into());
}

#[test]
fn before_10_the_second_number_of_a_version_counts() {
    for (version, wanted, image, expected) in [
        (&[("data/PG_VERSION", "9.5\n")][..], "image: postgres:9.6.24\n", "postgres:9.6", true),
        (&[("data/PG_VERSION", "9.6\n")], "image: postgres:9.6.24\n", "postgres:9.5", false),
        (&[], "image: postgres:9.6\n", "postgres:9.5-alpine", true),
        (&[], "image: postgres:9\n", "postgres:9.5-alpine", true),
        (&[], "image: postgres:9.6.24\n", "postgres:9.6", false),
    ] {
        let found = found(data(version, wanted, image)).contains(&Code::MajorChange);
        assert_eq!(found, expected, "{version:?} {wanted} {image}");
    }
}

#[test]
fn the_data_directory_is_where_the_command_or_the_environment_says() {
    let own = "    image: postgres:14\n";
    for (more, expected) in [
        ("    environment: {PGDATA: /var/lib/postgresql/data/pg}\n", None),
        ("    environment: [PGDATA=/var/lib/postgresql/data/pg]\n", None),
        ("    environment: [PGDATA=$UNSET]\n", None),
        ("    environment: [OTHER=x]\n", Some(Code::MajorChange)),
    ] {
        let mut files =
            data(&[("data/PG_VERSION", "12\n"), ("data/pg/PG_VERSION", "14\n")], DOCUMENT, "postgres:14");
        files.compose = files.compose.map(|text| text.replace(own, &format!("{own}{more}")));
        assert_eq!(found(files), expected.into_iter().collect(), "{more}");
    }
    let mut files =
        data(&[("data/PG_VERSION", "14\n"), ("data/pg/PG_VERSION", "12\n")], DOCUMENT, "postgres:14");
    files.compose = files
        .compose
        .map(|text| text.replace("postgres -c", "postgres -c data_directory=/var/lib/postgresql/data/pg -c"));
    assert_eq!(found(files), [Code::MajorChange].into());
}

/// No file is known with which a plan goes wrong, so this one is made wrong before it is proved.
#[test]
fn a_plan_that_does_not_lead_to_what_is_wanted_is_not_shown() {
    let spoil = |plan: &mut Plan| {
        let text = String::from_utf8(plan.files[0].after.to_vec()).unwrap();
        plan.files[0].after = text.replace("8MB", "9MB").into();
    };
    assert_eq!(found_with(Files::default(), spoil), [Code::NotProved].into());
}

/// The codes of the tests above.
pub(crate) fn codes() -> BTreeSet<Code> {
    cases().into_iter().map(|(code, _)| code).chain([Code::NotProved]).collect()
}
