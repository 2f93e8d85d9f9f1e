//! The files of a target as they are after an apply, with everything hidden that may not be shown.

use std::collections::{BTreeMap, HashSet};

use model::settings::PGAUDIT;
use model::yaml::Tree;
use model::{DesiredState, postgres};
use pgconf::Conf;

use crate::file_kind::FileKind;
use crate::observe::ObservedState;
use crate::plan::Plan;
use crate::reconcile::PRELOAD;
use crate::redact::{self, Shown};

/// One file of a target, as it would be and as it may be shown.
///
/// Nothing in it is secret: it may be committed, mailed and compared. Images, the preload list, pgaudit's
/// settings and those that the document manages are shown; every other scalar of a compose file is
/// [`redact::HIDDEN`], as are comments, and of a conf what a plan's diff hides too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The path, relative to the target's root.
    pub path: String,
    /// What kind of file it is.
    pub kind: FileKind,
    /// Its redacted bytes. They are the file's own otherwise, line ends and all.
    pub text: Vec<u8>,
}

/// Returns every file of the target that decides on its database, in the order of their paths.
///
/// They are as the plan leaves them; where a blocker stands in its way, they are as they are. Files that lie
/// outside the target are not among them, as are compose files without the database's service.
///
/// ```
/// use kasm_db_render::{Snapshot, Target, TargetKind, observe, reconcile, rendered};
///
/// let compose = "services:\n  db:\n    image: postgres:14\n    environment: {PGPASSWORD: x}\n";
/// let tree = Snapshot::from_iter([("docker/compose.yaml", compose)]);
/// let reading = model::read("kasm-db.yaml", b"schema: kasm-db/v1\nimage: kasmweb/postgres:1.16.0\n");
/// let desired = reading.desired.unwrap();
/// let observed = observe(&Target::new("doc", TargetKind::Deployment), &tree);
/// let plan = reconcile(&desired, &observed);
/// let files = rendered(&desired, &observed, &plan);
/// assert_eq!(
///     String::from_utf8_lossy(&files[0].text),
///     "services:\n  db:\n    image: kasmweb/postgres:1.16.0\n    environment: {PGPASSWORD: <hidden>}\n"
/// );
/// ```
pub fn rendered(desired: &DesiredState, observed: &ObservedState, plan: &Plan) -> Vec<Rendered> {
    let mut files: BTreeMap<String, Rendered> = BTreeMap::new();
    let names = managed(desired);
    let after = |path: &str| {
        let changed = plan.files.iter().filter(|_| !plan.is_blocked());
        changed.filter(|file| file.path == path).map(|file| file.after.as_slice()).next()
    };
    let mut add = |path: &str, kind: FileKind, text: Vec<u8>| {
        if !path.starts_with('/') && path != ".." && !path.starts_with("../") {
            files.insert(path.to_string(), Rendered { path: path.to_string(), kind, text });
        }
    };
    for file in observed.databases.iter().flat_map(|observed| &observed.database.stack.files) {
        let text = match after(&file.path) {
            Some(bytes) => redacted_compose(bytes),
            None => compose(&file.tree, &file.bytes),
        };
        add(&file.path, FileKind::Compose, text);
    }
    if let Some(observed) = &observed.conf {
        for (path, file) in observed.set.files() {
            let path = observed.here(path);
            let text = match after(path) {
                Some(bytes) => conf(&Conf::parse(bytes), &names),
                None => conf(file, &names),
            };
            add(path, FileKind::Conf, text);
        }
    }
    files.into_values().collect()
}

/// Returns the bytes of a file of this kind as [`rendered`] shows them; a compose file that is none is hidden.
///
/// What is redacted already stays as it is, so that an older text can be compared with a newer one.
pub fn redacted(kind: FileKind, bytes: &[u8], desired: &DesiredState) -> Vec<u8> {
    match kind {
        FileKind::Compose => redacted_compose(bytes),
        FileKind::Conf => conf(&Conf::parse(as_values(bytes)), &managed(desired)),
    }
}

/// Quotes what is hidden already: bare, it is no value, and its line would be no setting.
fn as_values(bytes: &[u8]) -> Vec<u8> {
    let hidden = redact::HIDDEN.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(hidden.len()).position(|window| window == hidden) {
        out.extend(&rest[..at]);
        out.extend(format!("'{}'", redact::HIDDEN).bytes());
        rest = &rest[at + hidden.len()..];
    }
    out.extend(rest);
    out
}

fn redacted_compose(bytes: &[u8]) -> Vec<u8> {
    match Tree::parse(bytes) {
        Ok(tree) => compose(&tree, bytes),
        Err(_) => format!("{}\n", redact::HIDDEN).into_bytes(),
    }
}

fn compose(tree: &Tree, bytes: &[u8]) -> Vec<u8> {
    Shown::new(FileKind::Compose, bytes, redact::images(tree), &redact::compose(tree, bytes)).text()
}

fn conf(conf: &Conf, names: &HashSet<String>) -> Vec<u8> {
    let is_managed = |name: &[u8]| {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        // An old name sets what the new one sets.
        let today = postgres::lookup_in(&name, None).map(|row| row.name.to_ascii_lowercase());
        names.contains(&name) || today.is_some_and(|today| names.contains(&today))
    };
    let managed = conf.entries().iter().filter(|entry| is_managed(conf.name(entry)));
    let managed = managed.map(|entry| entry.value.clone()).collect();
    Shown::new(FileKind::Conf, conf.bytes(), managed, &[]).text()
}

/// Returns the settings whose values are this tool's business, in lower case.
fn managed(desired: &DesiredState) -> HashSet<String> {
    let own = PGAUDIT.iter().map(|row| row.name).chain([PRELOAD]).map(String::from);
    own.chain(desired.settings().iter().map(|setting| setting.name.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desired(text: &str) -> DesiredState {
        model::read("d", format!("schema: kasm-db/v1\n{text}").as_bytes()).desired.unwrap()
    }

    #[track_caller]
    fn check(kind: FileKind, document: &str, text: &str, expected: &str) {
        let shown = redacted(kind, text.as_bytes(), &desired(document));
        assert_eq!(String::from_utf8_lossy(&shown), expected);
        assert_eq!(redacted(kind, &shown, &desired(document)), shown, "what is hidden stays hidden");
    }

    #[test]
    fn of_a_compose_file_keys_and_images_are_shown() {
        let text = "x-base: &b {image: redis:7, pw: hunter2}\nx-tag: &t postgres:14 # hunter2\nservices:\n  db:\n    \
            image: *t\n    environment:\n      image: hunter2\n      PW: |\n        hunter2\n        hunter2\n  api:\n    <<: *b\n    \
            image: \"kasmweb/api:${V:-1}\"\n    build: {image: hunter2}\n  bad:\n    image: 'http://u:hunter2@x/y'\r\n";
        let expected = "x-base: &b {image: redis:7, pw: <hidden>}\nx-tag: &t postgres:14 # <hidden>\nservices:\n  db:\n    \
            image: *t\n    environment:\n      image: <hidden>\n      PW: |\n        <hidden>\n        <hidden>\n  api:\n    <<: *b\n    \
            image: \"kasmweb/api:${V:-1}\"\n    build: {image: <hidden>}\n  bad:\n    image: <hidden>\r\n";
        check(FileKind::Compose, "", text, expected);
        check(FileKind::Compose, "", "services: [hunter2", "<hidden>\n");
    }

    #[test]
    fn an_image_with_a_digest_is_shown() {
        let digest = "0123456789abcdef".repeat(4);
        let text = format!(
            "services:\n  db:\n    image: registry.example.com:5000/db/postgres:1.2@sha256:{digest}\n"
        );
        check(FileKind::Compose, "", &text, &text);
        let text = "services:\n  db:\n    image: a@sha256:hunter2\n";
        check(FileKind::Compose, "", text, "services:\n  db:\n    image: <hidden>\n");
    }

    #[test]
    fn what_may_be_a_password_behind_a_mark_is_hidden_and_the_text_is_yaml() {
        let text = "x-image: &img 'postgres:14'\nx-base: &base\n  a: [&hunter2 1, !hunter2 2, &hunter2 {b: !hunter2 }]\n  \
            b: &hunter2\n  c: !hunter2\n";
        let expected = "x-image: &<hidden> <hidden>\nx-base: &<hidden>\n  a: [&<hidden> <hidden>, !<hidden> <hidden>, &<hidden> {b: !<hidden> }]\n  \
            b: &<hidden>\n  c: !<hidden>\n";
        check(FileKind::Compose, "", text, expected);
        assert!(Tree::parse(expected.as_bytes()).is_ok());
    }

    #[test]
    fn of_a_conf_the_tools_own_settings_and_the_managed_ones_are_shown() {
        let text = "Shared_Preload_Libraries = 'a, b' # hunter2\npgaudit.role = 'auditor'\nsearch_path = 'mine'\n\
            log_line_prefix = 'theirs'\nwork_mem = 8MB\nmy.token = 'hunter2'\n# hunter2\n";
        let expected = "Shared_Preload_Libraries = 'a, b' # <hidden>\npgaudit.role = 'auditor'\nsearch_path = 'mine'\n\
            log_line_prefix = <hidden>\nwork_mem = 8MB\nmy.token = <hidden>\n# <hidden>\n";
        check(FileKind::Conf, "settings: {search_path: x}\n", text, expected);
    }
}
