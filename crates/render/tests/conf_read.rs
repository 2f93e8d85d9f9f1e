//! Which `postgresql.conf` the server reads, where its data is, and what a preload list becomes.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test panics where something does not hold")]

use kasm_db_render::{Needs, Plan, Snapshot, Target, TargetKind, observe, reconcile};
use model::Code;

fn plan(document: &str, files: &[(&str, &str)]) -> Plan {
    let names =
        |end: &str| files.iter().map(|(path, _)| *path).find(|path| path.ends_with(end)).map(String::from);
    let kind = TargetKind::Files {
        compose: names("compose.yaml").into_iter().collect(),
        postgresql_conf: Some("pg.conf".into()),
        service: names("compose.yaml").map(|_| "db".into()),
    };
    let document = format!("schema: kasm-db/v1\n{document}");
    let desired = model::read("kasm-db.yaml", document.as_bytes()).desired.unwrap();
    reconcile(&desired, &observe(&Target::new("t", kind), &Snapshot::from_iter(files.iter().copied())))
}

fn blockers(plan: &Plan) -> Vec<Code> {
    plan.blockers().map(|blocker| blocker.code).collect()
}

fn compose(image: &str, body: &str) -> String {
    format!("services:\n  db:\n    image: {image}\n{body}")
}

#[test]
fn another_conf_than_the_targets_is_a_blocker() {
    let command = "    command: postgres -c config_file=/etc/pg.conf\n";
    for (body, expected) in [
        ("    volumes: [\"./pg.conf:/etc/pg.conf\"]\n".to_string() + command, None),
        ("    volumes: [\"./other.conf:/etc/pg.conf\"]\n".to_string() + command, Some(Code::ConfElsewhere)),
        ("    volumes: [\"./sub:/etc\"]\n".to_string() + command, Some(Code::ConfElsewhere)),
        // Mounted, but not read: nothing names it.
        ("    volumes: [\"./pg.conf:/etc/pg.conf\"]\n".to_string(), Some(Code::ConfElsewhere)),
        ("    volumes: [\"./pg.conf:/var/lib/postgresql/data/postgresql.conf\"]\n".to_string(), None),
        // A folder by another name.
        ("    volumes: [\"own:/etc\"]\nvolumes: {own: {driver_opts: {type: none, o: bind, device: /srv}}}\n".to_string() + "", None),
    ] {
        let compose = compose("postgres:14", &body);
        let plan = plan("settings: {work_mem: 8MB}\n", &[("compose.yaml", &compose), ("pg.conf", "")]);
        assert_eq!(blockers(&plan), Vec::from_iter(expected), "{compose}");
    }
}

#[test]
fn the_path_of_a_volume_that_the_shell_decides_is_not_known() {
    let body =
        "    command: postgres -c config_file=/etc/pg.conf\n    volumes: [\"$HOME/pg.conf:/etc/pg.conf\"]\n";
    let compose = compose("postgres:14", body);
    let plan = plan("settings: {work_mem: 8MB}\n", &[("compose.yaml", &compose), ("pg.conf", "")]);
    assert!(plan.warnings().any(|warning| warning.code == Code::ConfElsewhere), "{:?}", plan.findings);
}

#[test]
fn the_data_is_where_the_major_or_pgdata_says() {
    let auto = "work_mem = '1MB'\n";
    let conf = "    command: postgres -c config_file=/etc/pg.conf\n";
    for (image, volume, more, path) in [
        ("postgres:17.1", "/var/lib/postgresql", "", "data/data/postgresql.auto.conf"),
        ("postgres:18.1", "/var/lib/postgresql", "", "data/18/docker/postgresql.auto.conf"),
        ("postgres:17.1", "/srv", "    environment: {PGDATA: /srv/own}\n", "data/own/postgresql.auto.conf"),
        ("postgres:17.1", "/srv", "    env_file: db.env\n", "data/file/postgresql.auto.conf"),
        ("postgres:17.1", "/srv", "    env_file: [{path: db.env}]\n", "data/file/postgresql.auto.conf"),
    ] {
        let volumes = format!("    volumes: [\"./pg.conf:/etc/pg.conf\", \"./data:{volume}\"]\n");
        let compose = compose(image, &format!("{conf}{volumes}{more}"));
        let files =
            [("compose.yaml", &*compose), ("pg.conf", ""), ("db.env", "PGDATA=/srv/file\n"), (path, auto)];
        let plan = plan("settings: {work_mem: 8MB}\n", &files);
        assert_eq!(blockers(&plan), [Code::OverriddenByAutoConf], "{image} {more}");
    }
}

#[test]
fn a_list_that_no_server_starts_with_is_named_and_only_an_exact_one_replaces_it() {
    let audit = "audit: {classes: [ddl]}\npostgres_major: 15\n";
    for (list, bad) in [
        ("'\"\"'", "library ``"),
        ("'\"a,b\"'", "library `a,b`"),
        ("'pg audit'", "library `pg audit`"),
        ("'auto_explain,,x'", "is not a valid list"),
    ] {
        let line = format!("shared_preload_libraries = {list}\n");
        let files = [("pg.conf", line.as_str())];
        let ensured = plan(&format!("{audit}preload: {{libraries: [pgaudit]}}\n"), &files);
        assert_eq!(blockers(&ensured), [Code::ConfList], "{list}");
        assert!(ensured.blockers().all(|blocker| blocker.message.contains(bad)), "{:?}", ensured.findings);
        assert!(!ensured.changes.iter().any(|change| change.subject == "shared_preload_libraries"));
        // A document that does not manage it is not held up.
        let other = plan("settings: {work_mem: 8MB}\npostgres_major: 15\n", &files);
        assert_eq!(blockers(&other), [], "{list}");
        assert!(other.warnings().any(|warning| warning.code == Code::ConfList), "{list}");
        let mut exact = plan(&format!("{audit}preload: {{mode: exact, libraries: [pgaudit]}}\n"), &files);
        exact.allow(&["preload-removed".into()]);
        assert_eq!(blockers(&exact), [], "{list}: {:?}", exact.findings);
        let after = String::from_utf8(exact.files[0].after.to_vec()).unwrap();
        assert!(after.starts_with("shared_preload_libraries = 'pgaudit'\n"), "{after}");
    }
}

#[test]
fn the_nearest_major_tells_what_a_setting_needs() {
    for (major, setting, needs) in [
        (19, "max_connections: 137", Needs::Restart),
        (19, "wal_level: logical", Needs::Restart),
        (19, "work_mem: 8MB", Needs::Reload),
    ] {
        let plan = plan(&format!("postgres_major: {major}\nsettings: {{{setting}}}\n"), &[("pg.conf", "")]);
        assert_eq!(plan.needs(), needs, "{major} {setting}");
    }
}

#[test]
fn a_new_image_whose_major_is_unknown_is_a_blocker_until_the_document_says_it() {
    let compose = compose(
        "postgres:14",
        "    command: postgres -c config_file=/etc/pg.conf\n    volumes: [\"./pg.conf:/etc/pg.conf\"]\n",
    );
    let files = [("compose.yaml", compose.as_str()), ("pg.conf", "")];
    let image = "image: registry.example.com/postgres:own\n";
    assert_eq!(blockers(&plan(image, &files)), [Code::MajorUnknown]);
    assert_eq!(blockers(&plan(&format!("{image}postgres_major: 14\n"), &files)), []);
}
