//! Rendered files: the same lines as the files, and of their values only those that may be committed.

use std::path::{Path, PathBuf};

use kasm_db_render::{FileKind, Rendered, observe, reconcile, redacted, rendered};
use model::yaml::{Kind, NodeId, Tree};
use pgconf::Conf;
use proptest::prelude::*;
use testing::laws::NOTHING;
use testing::{Memory, desired, files_target};

use crate::documents::IMAGES;
use crate::{compose, corpus, documents};

const HIDDEN: &str = "<hidden>";

/// Renders what is there, and asserts what holds for every rendered file.
fn law(document: &model::DesiredState, files: &Memory) -> Vec<Rendered> {
    let target = files_target(files);
    let observed = observe(&target, files);
    let plan = reconcile(document, &observed);
    let all = rendered(document, &observed, &plan);
    for file in &all {
        let changed = plan.files.iter().find(|changed| changed.path == file.path && !plan.is_blocked());
        let real = changed.map_or_else(|| files.get(&file.path), |changed| &changed.after);
        let lines = |bytes: &[u8]| bytes.split(|&b| b == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
        let (before, after) = (lines(real), lines(&file.text));
        assert_eq!(before.len(), after.len(), "{}", file.path);
        for (real, shown) in before.iter().zip(&after) {
            let text = String::from_utf8_lossy(shown);
            // The rest of a text of several lines is left out.
            assert!(real == shown || text.contains("hidden") || text.trim().is_empty(), "{text}");
        }
        assert!(
            redacted(file.kind, &file.text, document) == file.text,
            "{}: hidden twice is otherwise",
            file.path
        );
        match file.kind {
            FileKind::Compose => compose_values(&file.text),
            FileKind::Conf => conf_values(document, real, &file.text),
        }
    }
    all
}

/// Every value is hidden that is not of a type that holds no secret.
fn compose_values(text: &[u8]) {
    let tree = Tree::parse(text).unwrap_or_else(|e| panic!("{e:?}\n{}", String::from_utf8_lossy(text)));
    for document in tree.documents() {
        walk(&tree, *document, &mut Vec::new());
    }
    // A comment says no more than that it is one.
    for comment in tree.comments() {
        let comment = String::from_utf8_lossy(&text[comment.clone()]);
        assert!(
            [format!("# {HIDDEN}"), "# hidden".into()].contains(&comment.trim_end().to_string()),
            "{comment}"
        );
    }
}

/// Keys beneath which nothing is shown.
const CLOSED: [&str; 7] =
    ["environment", "command", "entrypoint", "labels", "args", "content", "driver_opts"];

fn walk(tree: &Tree, id: NodeId, path: &mut Vec<String>) {
    match &tree.written(id).kind {
        Kind::Scalar(text, _) => {
            let is_nothing = tree.written(id).span.is_empty() || tree.is_null(id);
            let is_hidden = |word: &str| word.starts_with("<hidden") || word.ends_with('>');
            let is_hidden = is_nothing || text.split_whitespace().all(is_hidden);
            // What an alias names counts where the alias is.
            let is_closed = path.iter().any(|key| CLOSED.contains(&key.as_str()));
            let is_closed = is_closed && tree.written(id).anchor.is_none();
            let fits = |c: char| c.is_ascii_alphanumeric() || "._-/:@${}?+[]=, ~".contains(c);
            let is_typed = text.trim().len() <= 160 && !text.contains("://") && text.trim().chars().all(fits);
            assert!(is_hidden || is_typed && !is_closed, "{path:?}: {text}");
        }
        Kind::Sequence(items, _) => items.iter().for_each(|item| {
            path.push("-".into());
            walk(tree, *item, path);
            path.pop();
        }),
        Kind::Mapping(entries, _) => {
            for (key, value) in entries {
                path.push(tree.scalar(*key).unwrap_or_default().to_string());
                walk(tree, *value, path);
                path.pop();
            }
        }
        Kind::Alias(_) => {}
    }
}

/// Values of extensions' settings and commands are hidden, but for those that the document manages.
fn conf_values(document: &model::DesiredState, real: &[u8], shown: &[u8]) {
    let conf = Conf::parse(real);
    let shown: Vec<_> = shown.split(|&b| b == b'\n').map(String::from_utf8_lossy).collect();
    for entry in conf.entries() {
        let name = String::from_utf8_lossy(conf.name(entry)).to_ascii_lowercase();
        if document.settings().iter().any(|setting| setting.name == name) {
            continue;
        }
        let foreign = name.contains('.') && !name.starts_with("pgaudit.");
        if foreign || name.ends_with("_command") || name == "primary_conninfo" {
            let line = &shown[entry.line - 1];
            let is_empty = conf.value(entry).is_empty();
            let of_sample = ["= ''", "= ' '"].iter().any(|empty| line.contains(empty));
            assert!(is_empty || of_sample || line.contains(HIDDEN), "{line}");
        }
    }
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = corpus::entries(folder);
    files.retain(|path| matches!(path.extension().and_then(|e| e.to_str()), Some("yml" | "yaml")));
    files
}

#[test]
fn every_file_of_the_corpus_is_rendered_without_its_values() {
    let Some(root) = corpus::root() else { return };
    let wanted = desired(
        "schema: kasm-db/v1\nimage: kasmweb/postgres:1.12.0\npreload: {libraries: [pgaudit]}\nsettings: {work_mem: 8MB}\n",
    );
    let (mut composes, mut confs) = (0, 0);
    for path in yaml_files(&root.join("compose")) {
        let bytes = std::fs::read(&path).unwrap();
        for document in [&*NOTHING, &wanted] {
            composes += law(document, &Memory::new([("compose.yaml", &bytes)])).len();
        }
    }
    for folder in ["pgconf/sample", "pgconf/real"] {
        for path in corpus::entries(&root.join(folder)) {
            let bytes = std::fs::read(&path).unwrap();
            for document in [&*NOTHING, &wanted] {
                confs += law(document, &Memory::new([("postgresql.conf", &bytes)])).len();
            }
        }
    }
    assert!(composes >= 60 && confs >= 90, "{composes} compose files and {confs} confs");
}

proptest! {
    #![proptest_config(crate::config(300))]

    #[test]
    fn every_generated_target_is_rendered_without_its_values(
        compose in compose::compose(IMAGES),
        conf in documents::conf(),
        document in documents::document(),
    ) {
        let files = Memory::new([("compose.yaml", compose.text.as_bytes()), ("postgresql.conf", &conf)]);
        law(&desired(&document), &files);
    }
}
