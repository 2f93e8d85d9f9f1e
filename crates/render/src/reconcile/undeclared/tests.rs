use proptest::prelude::*;

use std::collections::BTreeMap;

use super::*;
use crate::observe;
use crate::plan::Plan;
use crate::reconcile::{reconcile, reconcile_with};
use crate::restore::{Piece, Written};
use crate::source::Snapshot;
use crate::target::{Target, TargetKind};

const COMPOSE: &str = "docker/docker-compose.yaml";
const CONF: &str = "conf/database/postgresql.conf";

/// A deployment in memory, and the record of what was written to it.
struct Tree {
    files: BTreeMap<String, Vec<u8>>,
    record: Record,
    generation: u64,
}

impl Tree {
    fn new(compose: &str, conf: &str) -> Self {
        let file = |path: &str, text: &str| (path.to_owned(), text.as_bytes().to_vec());
        let files = BTreeMap::from([file(COMPOSE, compose), file(CONF, conf)]);
        Self { files, record: Record::default(), generation: 0 }
    }

    fn plan(&self, document: &str) -> Plan {
        let document = format!("schema: kasm-db/v1\npostgres_major: 14\n{document}");
        let reading = model::read("d", document.as_bytes());
        let desired = reading.desired.unwrap_or_else(|| panic!("{:?}", reading.diagnostics));
        let snapshot =
            Snapshot::from_iter(self.files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())));
        let observed = observe(&Target::new("t", TargetKind::Deployment), &snapshot);
        reconcile_with(&desired, &observed, &self.record)
    }

    /// Plans and applies; the second plan must be empty.
    #[track_caller]
    fn apply(&mut self, document: &str) -> Plan {
        let plan = self.plan(document);
        assert!(!plan.is_blocked(), "{:?}", plan.findings);
        self.generation += 1;
        for file in &plan.files {
            let image = (file.kind == FileKind::Compose).then_some("services.db.image");
            let written = Written {
                path: &file.path,
                kind: file.kind,
                before: &file.before,
                after: &file.after,
                image,
                restored: &plan.restored,
            };
            self.record.write(&written, self.generation);
            self.files.insert(file.path.clone(), file.after.to_vec());
        }
        let second = self.plan(document);
        assert!(second.is_empty(), "{:?}", second.changes);
        plan
    }

    fn text(&self, path: &str) -> &str {
        std::str::from_utf8(&self.files[path]).unwrap()
    }

    fn edit(&mut self, path: &str, from: &str, to: &str) {
        let text = self.text(path);
        assert!(text.contains(from), "{text}");
        self.files.insert(path.to_owned(), text.replace(from, to).into_bytes());
    }
}

const STACK: &str = "services:\n  db:\n    container_name: kasm_db\n    image: postgres:14-alpine # ours\n    command: [-c, config_file=/etc/p.conf]\n    volumes: [\"../conf/database/postgresql.conf:/etc/p.conf\"]\n  api:\n    image: kasmweb/api:1.16.0\n";
const SAMPLE: &str = "#work_mem = 4MB\t\t\t# min 64kB\nmax_connections = 100\n#shared_preload_libraries = ''\t# (change requires restart)\n";
const AUDIT: &str = "image: kasmweb/postgres:1.16.0\npreload: {libraries: [pgaudit]}\naudit: {classes: [read, ddl], log_catalog: false}\nsettings: {work_mem: 8MB, max_connections: 200}\n";

fn codes(plan: &Plan) -> Vec<&'static str> {
    plan.findings.iter().map(|finding| finding.code.name()).collect()
}

#[test]
fn a_document_without_the_keys_brings_back_the_bytes_from_before() {
    for conf in [
        SAMPLE,
        "",
        "a.b = 1",
        "# c\r\nmax_connections = 100\r\n",
        "max_connections=100\nmax_connections = 150",
    ] {
        let mut tree = Tree::new(STACK, conf);
        let before = tree.files.clone();
        tree.apply(AUDIT);
        assert_ne!(tree.files, before);
        let plan = tree.apply("");
        assert_eq!(tree.files, before, "{}", tree.text(CONF));
        assert_eq!(codes(&plan), ["extension-left"], "{conf:?}");
        assert_eq!(tree.record, Record::default());
    }
}

#[test]
fn the_first_value_comes_back_after_several_changes() {
    let mut tree = Tree::new(STACK, SAMPLE);
    let before = tree.files.clone();
    tree.apply("settings: {work_mem: 8MB}");
    tree.apply("settings: {work_mem: 16MB, max_connections: 300}\nimage: kasmweb/postgres:1.16.0");
    tree.apply("settings: {work_mem: 32MB}\nimage: kasmweb/postgres:1.16.1");
    assert!(tree.text(CONF).contains("max_connections = 100"));
    assert_eq!(tree.record.files[CONF][0].generation, 3);
    tree.apply("");
    assert_eq!(tree.files, before);
}

#[test]
fn what_was_changed_by_hand_stays_and_is_reported() {
    let mut tree = Tree::new(STACK, SAMPLE);
    tree.apply(AUDIT);
    tree.edit(CONF, "max_connections = 200", "max_connections = 250");
    tree.edit(COMPOSE, "kasmweb/postgres:1.16.0", "kasmweb/postgres:1.16.1");
    let plan = tree.apply("");
    assert!(tree.text(CONF).contains("max_connections = 250") && tree.text(CONF).contains("#work_mem = 4MB"));
    assert!(tree.text(COMPOSE).contains("kasmweb/postgres:1.16.1"));
    assert_eq!(codes(&plan), ["no-longer-declared", "no-longer-declared", "extension-left"]);
    let message = &plan.findings[0].message;
    assert_eq!(
        message,
        "`max_connections` is no longer declared and stays: generation 1 set it, and it was changed since"
    );
    assert_eq!(plan.findings[0].location.as_ref().unwrap().line, 2);
}

#[test]
fn a_value_on_a_line_that_was_rewritten_is_restored_and_the_rest_of_the_line_stays() {
    let mut tree = Tree::new(STACK, SAMPLE);
    tree.apply("settings: {max_connections: 200, work_mem: 8MB}");
    tree.edit(CONF, "max_connections = 200", "max_connections  =  200 # as anna asked");
    tree.edit(CONF, "work_mem = 8MB", "work_mem  =  8MB");
    tree.apply("");
    assert!(tree.text(CONF).contains("max_connections  =  100 # as anna asked\n"), "{}", tree.text(CONF));
    assert!(tree.text(CONF).contains("#work_mem  =  8MB"), "{}", tree.text(CONF));
}

#[test]
fn keep_leaves_everything_and_says_so_until_it_is_declared_again() {
    let mut tree = Tree::new(STACK, SAMPLE);
    tree.apply("settings: {work_mem: 8MB}");
    tree.record.keep = true;
    let plan = tree.plan("");
    assert!(plan.is_empty());
    assert!(plan.findings[0].message.ends_with("generation 1 set it, and `on_removal` is `keep`"));
    // What the document says wins over the record.
    assert_eq!(tree.plan("on_removal: restore").changes.len(), 1);
    assert!(tree.plan("settings: {work_mem: 8MB}").findings.is_empty());
}

#[test]
fn a_library_that_is_no_longer_declared_leaves_the_list_and_others_stay() {
    let mut tree = Tree::new(STACK, "shared_preload_libraries = 'pg_cron' # theirs\n");
    tree.apply("image: kasmweb/postgres:1.16.0\npreload: {libraries: [pgaudit]}");
    let one = tree.files.clone();
    tree.apply("image: kasmweb/postgres:1.16.0\npreload: {libraries: [pgaudit, pg_stat_statements]}");
    assert!(
        tree.text(CONF)
            .starts_with("shared_preload_libraries = 'pg_cron, pgaudit, pg_stat_statements' # theirs"),
        "{}",
        tree.text(CONF)
    );
    let plan = tree.apply("image: kasmweb/postgres:1.16.0\npreload: {libraries: [pgaudit]}");
    assert_eq!(tree.files, one);
    assert_eq!(plan.changes.len(), 1);
    assert_eq!(plan.changes[0].before.as_deref(), Some("pg_cron, pgaudit, pg_stat_statements"));
    assert_eq!(plan.changes[0].after.as_deref(), Some("pg_cron, pgaudit"));
}

#[test]
fn a_removal_that_would_leave_a_library_without_its_image_is_refused() {
    let mut tree = Tree::new(STACK, SAMPLE);
    tree.apply("image: kasmweb/postgres:1.16.0\npreload: {libraries: [pgaudit]}");
    // Only the image goes.
    let plan = tree.plan("preload: {libraries: [pgaudit]}");
    assert!(codes(&plan).contains(&"library-missing"), "{:?}", plan.findings);
    let mut other = Tree::new(&STACK.replace("postgres:14-alpine", "postgres:12-alpine"), SAMPLE);
    other
        .files
        .insert(COMPOSE.into(), STACK.replace("postgres:14-alpine", "kasmweb/postgres:1.16.0").into_bytes());
    other.record.write(
        &Written {
            path: COMPOSE,
            kind: FileKind::Compose,
            before: STACK.replace("postgres:14-alpine", "postgres:12-alpine").as_bytes(),
            after: STACK.replace("postgres:14-alpine", "kasmweb/postgres:1.16.0").as_bytes(),
            image: Some("services.db.image"),
            restored: &[],
        },
        1,
    );
    assert!(codes(&other.plan("")).contains(&"major-change"), "{:?}", other.plan("").findings);
}

#[test]
fn a_secret_that_comes_back_is_hidden_in_diffs_and_refused_in_patches() {
    let mut tree = Tree::new(STACK, "primary_conninfo = 'password=hunter2'\nwork_mem = 4MB\n");
    tree.apply("settings: {primary_conninfo: '', work_mem: 8MB}");
    let plan = tree.plan("");
    assert!(!format!("{:?}", plan.changes).contains("hunter2"));
    let file = plan.files.iter().find(|file| file.path == CONF).unwrap();
    let shown = crate::diff::unified(CONF, &crate::diff::redacted_hunks(file, 3));
    assert!(!String::from_utf8_lossy(&shown).contains("hunter2"));
    assert_eq!(crate::diff::patch(file, false).unwrap_err().line, 1);
    assert!(String::from_utf8_lossy(&crate::diff::patch(file, true).unwrap()).contains("hunter2"));
    let plan = tree.plan("settings: {primary_conninfo: ''}");
    let file = plan.files.iter().find(|file| file.path == CONF).unwrap();
    let patch = String::from_utf8(crate::diff::patch(file, false).unwrap()).unwrap();
    assert!(patch.contains("-work_mem = 8MB\n+work_mem = 4MB\n") && !patch.contains("hunter2"), "{patch}");
}

#[test]
fn an_unset_setting_comes_back() {
    let mut tree = Tree::new(STACK, "max_connections = 100\nwork_mem = 1MB\nmax_connections = 150\n");
    let before = tree.files.clone();
    tree.apply("unset: [max_connections]");
    assert!(!tree.text(CONF).contains("\nmax_connections"));
    tree.apply("");
    assert_eq!(tree.files, before);
}

#[test]
fn findings_name_the_line_in_the_file_as_it_is() {
    let mut tree = Tree::new(STACK, "work_mem = 1MB\ninclude_if_exists = '/elsewhere'\n");
    tree.edit(CONF, "work_mem = 1MB\n", "");
    tree.record.files.insert(
        CONF.into(),
        vec![Piece {
            subject: "work_mem".into(),
            generation: 1,
            nth: 0,
            of: 1,
            before: Vec::new(),
            after: vec![b"work_mem = 8MB".to_vec()],
        }],
    );
    tree.edit(CONF, "include_if_exists", "work_mem = 8MB\ninclude_if_exists");
    let plan = tree.plan("");
    let unseen = plan.findings.iter().find(|finding| finding.code.name() == "conf-unseen").unwrap();
    assert_eq!(unseen.location.as_ref().unwrap().line, 2);
}

proptest! {
    /// Whatever is written in whatever order, and whatever other lines come and go: without declarations, the file is what it
    /// would be without kasm-db.
    #[test]
    fn what_kasm_db_wrote_goes_and_what_others_wrote_stays(
        lines in prop::collection::vec(prop::sample::select(vec![
            "", "# a comment", "work_mem = 4MB", "#work_mem = 4MB", "max_connections = 100", "#max_connections = 100",
            "log_connections = off # x", "#pgaudit.log = ''", "shared_preload_libraries = ''",
        ]), 0..8),
        ends in prop::sample::select(vec!["\n", "\r\n"]),
        last in any::<bool>(),
        documents in prop::collection::vec(prop::sample::select(vec![
            "settings: {work_mem: 8MB}", "settings: {work_mem: 9MB, log_connections: true}",
            "settings: {max_connections: 7, work_mem: 8MB}", "unset: [work_mem]", "unset: [max_connections]",
            "settings: {log_connections: true}\nunset: [work_mem]", "",
        ]), 1..5),
        theirs in any::<bool>(),
    ) {
        let mut conf = lines.join(ends);
        if last && !conf.is_empty() {
            conf.push_str(ends);
        }
        let mut tree = Tree::new(STACK, &conf);
        let mut expected = conf.clone();
        for document in documents {
            tree.apply(document);
        }
        if theirs {
            let line = format!("# theirs{ends}");
            let text = format!("{line}{}", tree.text(CONF));
            tree.files.insert(CONF.into(), text.into_bytes());
            expected = format!("{line}{expected}");
        }
        tree.apply("");
        prop_assert_eq!(tree.text(CONF), expected);
    }

    #[test]
    fn an_edit_between_two_texts_makes_one_of_the_other_and_its_way_back_stays_inside(
        before in "[ab\n]{0,12}", after in "[ab\n]{0,12}",
    ) {
        let edit = edit_between(before.as_bytes(), after.as_bytes());
        prop_assert_eq!(edit.apply(before.as_bytes()), after.as_bytes());
        let back = Back::new(edit);
        let offsets: Vec<_> = (0..=after.len()).map(|at| back.offset(at)).collect();
        prop_assert!(offsets.is_sorted() && offsets.iter().all(|at| *at <= before.len()), "{offsets:?}");
    }
}

#[test]
fn without_a_record_nothing_is_different() {
    let tree = Tree::new(STACK, SAMPLE);
    let desired = model::read("d", format!("schema: kasm-db/v1\n{AUDIT}").as_bytes()).desired.unwrap();
    let snapshot =
        Snapshot::from_iter(tree.files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())));
    let observed = observe(&Target::new("t", TargetKind::Deployment), &snapshot);
    let plain = reconcile(&desired, &observed);
    assert_eq!(
        format!("{plain:?}"),
        format!("{:?}", reconcile_with(&desired, &observed, &Record::default()))
    );
}
