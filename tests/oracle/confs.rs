//! The confs that are judged: own fixtures, generated texts, and other people's files where there are any.

use std::path::Path;

use serde_json::Value;
use testing::{Memory, folder_from};

use crate::generate::generated;

/// How many texts are generated.
const GENERATED: usize = 200;

/// One conf with its files.
pub(crate) struct Conf {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) files: Memory,
    /// What the server is started with besides.
    pub(crate) arguments: Vec<String>,
    /// A document of its own.
    pub(crate) document: Option<String>,
    /// Whether a server must come up with the edited file.
    pub(crate) starts: bool,
}

/// Where a conf comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Fixture,
    Generated,
    Case,
    Sample,
    Real,
    Kasm,
}

/// Returns every conf there is.
pub(crate) fn confs() -> Vec<Conf> {
    let mut confs = fixtures();
    confs.extend(
        (0..GENERATED).map(|number| conf(format!("generated {number}"), Kind::Generated, generated(number))),
    );
    match folder_from("KASM_DB_CASES") {
        Some(folder) => confs.extend(cases(&folder)),
        None => eprintln!("KASM_DB_CASES is not set: the cases of real servers are not judged"),
    }
    match folder_from("KASM_DB_CORPUS") {
        Some(folder) => confs.extend(corpus(&folder)),
        None => eprintln!("KASM_DB_CORPUS is not set: no real files are judged"),
    }
    confs
}

fn conf(name: String, kind: Kind, files: Memory) -> Conf {
    Conf { name, kind, files, arguments: Vec::new(), document: None, starts: false }
}

/// The folders of `tests/conf`; a server refuses those whose names start with `refused`.
fn fixtures() -> Vec<Conf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/conf");
    let fixtures = entries(&folder).into_iter().map(|path| {
        let mut fixture = conf(name(&path), Kind::Fixture, Memory::load(&path));
        fixture.document =
            fixture.files.0.remove("kasm-db.yaml").map(|text| String::from_utf8(text).unwrap());
        fixture.starts = !fixture.name.starts_with("refused");
        fixture
    });
    fixtures.collect()
}

fn cases(folder: &Path) -> Vec<Conf> {
    let folders = entries(folder).into_iter().filter(|folder| folder.join("expect.json").is_file());
    let cases = folders.map(|path| {
        let mut case = conf(name(&path), Kind::Case, Memory::load(&path));
        let expect: Value = serde_json::from_slice(&case.files.0["expect.json"]).unwrap();
        let expect = &expect["pg15"];
        let goes_on = expect["edit"]["action"] == "edit" || expect["edit"]["action"] == "noop";
        case.starts = expect["start_ok"] == true && goes_on;
        let arguments = case.files.0.get("cmdline.json");
        case.arguments = arguments.map(|bytes| serde_json::from_slice(bytes).unwrap()).unwrap_or_default();
        case.files.0.retain(|name, _| !name.ends_with(".json"));
        case
    });
    cases.collect()
}

fn corpus(folder: &Path) -> Vec<Conf> {
    let mut confs = Vec::new();
    let mut add = |path: &Path, name: String, kind: Kind| {
        let mut conf = conf(name, kind, Memory::default());
        let bytes = with_locale_c(&std::fs::read(path).unwrap());
        conf.starts = kind == Kind::Kasm;
        conf.files.0.insert("postgresql.conf".into(), bytes);
        confs.push(conf);
    };
    for (folder, kind) in
        [(folder.join("pgconf/sample"), Kind::Sample), (folder.join("pgconf/real"), Kind::Real)]
    {
        for path in entries(&folder) {
            add(&path, name(&path), kind);
        }
    }
    for release in entries(&folder.join("kasm")) {
        let path = release.join("conf/database/postgresql.conf");
        // Releases before 1.10 have none.
        if path.is_file() {
            add(&path, format!("kasm {}", name(&release)), Kind::Kasm);
        }
    }
    confs
}

/// Replaces the locales, which not every host has.
fn with_locale_c(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in bytes.split_inclusive(|&b| b == b'\n') {
        let value = line.starts_with(b"lc_").then(|| line.splitn(3, |&b| b == b'\'').collect::<Vec<_>>());
        match value.as_deref() {
            Some([name, _, rest]) => out.extend([name, &b"'C'"[..], rest].concat()),
            _ => out.extend(line),
        }
    }
    out
}

fn entries(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", folder.display());
    paths
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}
