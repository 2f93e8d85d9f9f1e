//! The files of a target as they are after an apply, with everything hidden that may not be shown.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use model::settings::PGAUDIT;
use model::yaml::Tree;
use model::{DesiredState, postgres};
use pgconf::Conf;

use crate::file_kind::FileKind;
use crate::observe::ObservedState;
use crate::plan::Plan;
use crate::reconcile::PRELOAD;
use crate::redact::{self, For, Known, Shown};
use crate::secrets::{known, known_of};

/// One file of a target, as it would be and as it may be shown.
///
/// Nothing in it is secret: it may be committed, mailed and compared. Values of a type that holds no secret are shown, the preload
/// list, pgaudit's settings and those that the document manages; everything else is [`redact::HIDDEN`], as are comments.
/// Compose takes a compose file if it takes the original: a hidden value of a type is a fixed one of that type, and the comment
/// `# hidden` says so.
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
    let known = Arc::new(known(observed));
    let after = |path: &str| {
        let changed = plan.files.iter().filter(|_| !plan.is_blocked());
        changed.filter(|file| file.path == path).map(|file| &*file.after).next()
    };
    let mut add = |path: &str, kind: FileKind, text: Vec<u8>| {
        if !path.starts_with('/') && path != ".." && !path.starts_with("../") {
            files.insert(path.to_string(), Rendered { path: path.to_string(), kind, text });
        }
    };
    for file in observed.databases.iter().flat_map(|observed| &observed.database.stack.files) {
        let text = match after(&file.path) {
            Some(bytes) => redacted_compose(bytes, &known),
            None => compose(&file.tree, &file.bytes, &known),
        };
        add(&file.path, FileKind::Compose, text);
    }
    if let Some(observed) = &observed.conf {
        for (path, file) in observed.set.files() {
            let path = observed.here(path);
            let text = match after(path) {
                Some(bytes) => conf(&Conf::parse(bytes), &names, &known),
                None => conf(file, &names, &known),
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
    let known = Arc::new(known_of(kind, [bytes]));
    match kind {
        FileKind::Compose => redacted_compose(bytes, &known),
        FileKind::Conf => conf(&Conf::parse(as_values(bytes)), &managed(desired), &known),
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

fn redacted_compose(bytes: &[u8], known: &Arc<Known>) -> Vec<u8> {
    match Tree::parse(bytes) {
        Ok(tree) => compose(&Arc::new(tree), bytes, known),
        Err(_) => format!("{}\n", redact::HIDDEN).into_bytes(),
    }
}

fn compose(tree: &Arc<Tree>, bytes: &[u8], known: &Arc<Known>) -> Vec<u8> {
    Shown::new(FileKind::Compose, bytes, redact::images(tree), &redact::compose(tree, known, For::Compose))
        .text()
}

fn conf(conf: &Conf, names: &HashSet<String>, known: &Arc<Known>) -> Vec<u8> {
    let is_managed = |name: &[u8]| {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        // An old name sets what the new one sets.
        let today = postgres::lookup_in(&name, None).map(|row| row.name.to_ascii_lowercase());
        names.contains(&name) || today.is_some_and(|today| names.contains(&today))
    };
    let managed = conf.entries().iter().filter(|entry| is_managed(conf.name(entry)));
    let managed = managed.map(|entry| entry.value.clone()).collect();
    Shown::new(FileKind::Conf, conf.bytes(), managed, &redact::conf(known)).text()
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
        let expected = "x-image: &hidden <hidden>\nx-base: &hidden\n  a: [&hidden <hidden>, !hidden <hidden>, &hidden {b: !hidden }]\n  \
            b: &hidden\n  c: !hidden\n";
        check(FileKind::Compose, "", text, expected);
        assert!(Tree::parse(expected.as_bytes()).is_ok());
    }

    #[test]
    fn of_a_conf_the_tools_own_settings_and_the_managed_ones_are_shown() {
        let text = "Shared_Preload_Libraries = 'a, b' # hunter2\npgaudit.role = 'auditor'\nsearch_path = 'mine'\n\
            log_line_prefix = 'theirs'\napplication_name = 'theirs'\nwork_mem = 8MB\nmy.token = 'hunter2'\n# hunter2\n";
        let expected = "Shared_Preload_Libraries = 'a, b' # <hidden>\npgaudit.role = 'auditor'\nsearch_path = 'mine'\n\
            log_line_prefix = 'theirs'\napplication_name = <hidden>\nwork_mem = 8MB\nmy.token = <hidden>\n# <hidden>\n";
        check(FileKind::Conf, "settings: {search_path: x}\n", text, expected);
    }
    #[test]
    fn values_of_a_type_that_holds_no_secret_are_shown() {
        let text = "version: '3.8'\nservices:\n  db:\n    container_name: kasm_db\n    restart: on-failure:3\n    \
            depends_on: [api]\n    ports: ['127.0.0.1:5432:5432', \"${PORT:-80}:80\"]\n    \
            networks:\n      - kasm_default_network\n    volumes:\n      - /opt/kasm/1.16.1/conf:/conf:ro\n      - kasm_db:/data\n    \
            healthcheck:\n      test: [CMD-SHELL, hunter2]\n      interval: 1m30s\n      retries: 3\n    \
            shm_size: 64m\n    user: 70:70\n    read_only: true\nvolumes:\n  kasm_db:\n    external: true\n    driver_opts: {o: hunter2}\n";
        check(FileKind::Compose, "", text, &text.replace("hunter2", "<hidden>"));
    }

    #[test]
    fn a_hidden_value_of_a_type_is_a_fixed_one_of_that_type_and_a_comment_says_so() {
        let text = "services:\n  db:\n    container_name: hunter two\n    restart: hunter2\n    ports: [hunter2, 80, hunter3]\n    \
            read_only: hunter2\n    shm_size: hunter2 # hunter3\n    env_file: a.env\n    stop_grace_period: |\n      hunter2\n      hunter3\n    \
            volumes:\n      - https://u:hunter2@h:/a\n      - 'hunter2'\n    environment: [A=hunter2, B=hunter3]\n    \
            cap_add: [\"hun\n      ter\", X]\n    privileged: ghp_abc\r\n";
        let expected = "services:\n  db:\n    container_name: hidden # hidden\n    restart: always # hidden\n    ports: [1, 80, 2] # hidden\n    \
            read_only: false # hidden\n    shm_size: 64m # <hidden>\n    env_file: /dev/null # hidden\n    stop_grace_period: |\n      1s\n      \n    \
            volumes:\n      - /hidden # hidden\n      - /hidden2 # hidden\n    environment: [<hidden>, <hidden 2>]\n    \
            cap_add: [CAP_HIDDEN\n      , X]\n    privileged: false # hidden\r\n";
        check(FileKind::Compose, "", text, expected);
    }

    #[test]
    fn what_holds_a_secret_of_the_file_or_looks_like_one_is_hidden_wherever_it_is() {
        let text = "services:\n  db:\n    container_name: my-hunter3\n    hostname: kX9vT2bQ7zPw\n    depends_on: [hunter2]\n    \
            volumes: ['/run/hunter3:/x']\n    environment: {PASSWORD: hunter2, OTHER_PASSWORD: hunter3}\n  hunter2: {image: a}\n";
        let expected = "services:\n  db:\n    container_name: hidden # hidden\n    hostname: hidden # hidden\n    depends_on: [hunter2]\n    \
            volumes: [/hidden] # hidden\n    environment: {PASSWORD: <hidden>, OTHER_PASSWORD: <hidden>}\n  hunter2: {image: a}\n";
        check(FileKind::Compose, "", text, expected);
        let text = "listen_addresses = '*'\nlog_filename = 'hunter2.log'\nx.password = 'hunter2'\nlog_directory = 'kX9vT2bQ7zPw'\n";
        let expected = "listen_addresses = '*'\nlog_filename = <hidden>\nx.password = <hidden>\nlog_directory = <hidden>\n";
        let shown = redacted(FileKind::Conf, text.as_bytes(), &desired(""));
        assert_eq!(String::from_utf8_lossy(&shown), expected);
    }

    #[test]
    fn an_extension_field_is_what_takes_it() {
        let text = "x-common: &common\n  restart: always\n  init: hunter2\n  pw: hunter2\nx-other: {restart: always}\n\
            x-name: &name kasm_db\nservices:\n  db:\n    <<: *common\n    container_name: *name\n    environment: {A: &a postgres}\n    \
            hostname: *a\n";
        let expected = "x-common: &common\n  restart: always\n  init: false # hidden\n  pw: <hidden>\nx-other: {restart: <hidden>}\n\
            x-name: &name kasm_db\nservices:\n  db:\n    <<: *common\n    container_name: *name\n    environment: {A: &a hidden} # hidden\n    \
            hostname: *a\n";
        check(FileKind::Compose, "", text, expected);
    }

    #[test]
    fn aliases_that_name_each_other_without_end_are_looked_at_once() {
        let mut text = String::from("x-0: &a0 [hunter2]\n");
        for n in 1..3000 {
            text.push_str(&format!("x-{n}: &a{n} [*a{}, *a{}]\n", n - 1, n - 1));
        }
        text.push_str("services: {db: {environment: *a2999}}\n");
        check(FileKind::Compose, "", &text, &text.replace("hunter2", "<hidden>"));
    }
    #[test]
    fn a_file_whose_aliases_lead_to_too_many_places_is_hidden_as_a_whole() {
        let lists = [
            "ports",
            "volumes",
            "networks",
            "dns",
            "links",
            "expose",
            "cap_add",
            "extra_hosts",
            "secrets",
            "environment",
            "env_file",
            "depends_on",
            "command",
        ];
        let keys = |count: usize| {
            lists[..count].iter().map(|key| format!("{key}: *a")).collect::<Vec<_>>().join(", ")
        };
        let text = |count| {
            format!("x-a: &a [{}]\nservices:\n  db: {{image: a, {}}}\n", "80,".repeat(40_000), keys(count))
        };
        let shown = |count: usize| {
            let shown = redacted(FileKind::Compose, text(count).as_bytes(), &desired(""));
            String::from_utf8_lossy(&shown).into_owned()
        };
        assert!(shown(5).contains("db: {image: a, ports: *a"), "so many are looked at");
        assert_eq!(shown(lists.len()), "<hidden>\n<hidden>\n  <hidden>\n");
    }
}
