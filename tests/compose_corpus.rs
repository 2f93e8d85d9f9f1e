//! Compose files of the world: the image of every PostgreSQL service is set, or refused for a true reason.
//!
//! The files are other people's and stay outside the repository: `KASM_DB_CORPUS` names the folder that
//! holds them; without it, only the project's own examples are read. `KASM_DB_CORPUS_ONLY` picks those whose
//! name contains a text.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a test says what it looked at")]
#![allow(clippy::disallowed_methods, reason = "the crate reads no files, its tests do")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use model::Code;
use model::yaml::{Kind, Style, Tree};
use serde_yaml::Value;
use testing::compose::{Compose, Outcome, WAYS, set_image};

const IMAGE: &str = "kasmweb/postgres:1.16.0";

/// Marks of an image that is PostgreSQL, in its name or that of the folder it is built from.
const POSTGRES: &[&str] = &[
    "postgres",
    "postgis",
    "timescale",
    "pgvector",
    "paradedb",
    "pgsql",
    "pgautoupgrade",
    "pgduckdb",
    "vectorchord",
];

/// Marks of a service's name.
const NAMES: &[&str] = &["postgres", "db", "pg", "database"];

/// One corpus file.
struct Case {
    name: String,
    bytes: Vec<u8>,
    /// Whether the manifest says that it speaks of PostgreSQL.
    postgres: bool,
}

/// Returns the corpus, or the compose files of the project's own examples where there is none.
fn cases() -> Vec<Case> {
    let Some(root) = std::env::var_os("KASM_DB_CORPUS") else {
        eprintln!("KASM_DB_CORPUS is not set: only the project's own compose files are read");
        return examples();
    };
    let folder = PathBuf::from(root).join("compose");
    let only = std::env::var("KASM_DB_CORPUS_ONLY").unwrap_or_default();
    let manifest = std::fs::read_to_string(folder.join("MANIFEST.tsv"))
        .unwrap_or_else(|error| panic!("{}: {error}", folder.join("MANIFEST.tsv").display()));
    let cases = manifest.lines().skip(1).filter(|line| line.contains(&only)).map(|line| {
        let mut fields = line.split('\t');
        let name = fields.next().unwrap_or_default();
        let bytes = std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        Case { name: name.into(), bytes, postgres: fields.next() == Some("postgres") }
    });
    cases.collect()
}

fn examples() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut cases = Vec::new();
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        let entries =
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for path in entries.map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.starts_with("docker-compose") {
                let name = path.display().to_string();
                cases.push(Case { name, bytes: std::fs::read(&path).unwrap(), postgres: false });
            }
        }
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

/// Reads a file with a YAML reader that is not ours, merge keys resolved.
fn other_reader(bytes: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(bytes).ok()?.trim_start_matches('\u{feff}');
    let mut value: Value = serde_yaml::from_str(text).ok()?;
    value.apply_merge().ok()?;
    Some(value)
}

/// Lists the PostgreSQL services of a file.
fn postgres_services(case: &Case) -> Vec<String> {
    let Some(value) = other_reader(&case.bytes) else { return ours(&case.bytes) };
    let Some(services) = value.get("services").and_then(Value::as_mapping) else { return Vec::new() };
    let mut found = Vec::new();
    for (name, service) in services {
        let Some(name) = name.as_str() else { continue };
        let mut texts = Vec::new();
        let mut at = Some(service);
        for _ in 0..4 {
            let Some(service) = at else { break };
            texts.extend(service.get("image").and_then(Value::as_str));
            let build = service.get("build");
            texts.extend(build.and_then(Value::as_str));
            texts.extend(build.and_then(|build| build.get("context")).and_then(Value::as_str));
            texts.extend(build.and_then(|build| build.get("dockerfile")).and_then(Value::as_str));
            let extends = service.get("extends");
            let base = extends.and_then(|e| e.as_str().or_else(|| e.get("service")?.as_str()));
            at = base.and_then(|base| services.get(base));
        }
        // An override file may say nothing of the image: then the name speaks, if the manifest does.
        let named = case.postgres && texts.is_empty() && NAMES.iter().any(|mark| name.contains(mark));
        if named || texts.iter().any(|text| POSTGRES.iter().any(|mark| text.to_lowercase().contains(mark))) {
            found.push(name.to_string());
        }
    }
    found
}

/// The same for files that only our reader takes: duplicate keys, tags.
fn ours(bytes: &[u8]) -> Vec<String> {
    let Ok(tree) = Tree::parse(bytes) else { return Vec::new() };
    let mut found = Vec::new();
    for services in tree.documents().iter().filter_map(|document| tree.get(*document, "services")) {
        for (name, service) in tree.entries(services) {
            let image = tree.get(*service, "image").and_then(|image| tree.scalar(image));
            if image.is_some_and(|image| POSTGRES.iter().any(|mark| image.contains(mark))) {
                found.extend(tree.scalar(*name).map(String::from));
            }
        }
    }
    found
}

/// The same content, written in another way.
type Transform = (&'static str, fn(&[u8]) -> Vec<u8>);

const TRANSFORMS: &[Transform] = &[
    ("as it is", <[u8]>::to_vec),
    ("CRLF", |bytes| {
        let text = bytes.to_vec();
        let lf = String::from_utf8_lossy(&text).replace("\r\n", "\n");
        lf.replace('\n', "\r\n").into_bytes()
    }),
    ("BOM", |bytes| {
        if bytes.starts_with(b"\xef\xbb\xbf") { bytes.to_vec() } else { [b"\xef\xbb\xbf", bytes].concat() }
    }),
    ("no final newline", |bytes| bytes.trim_ascii_end().to_vec()),
    ("blank lines at the end", |bytes| [bytes, b"\n\n\n"].concat()),
    ("blanks at line ends", blanks_at_line_ends),
];

/// How many of the [`TRANSFORMS`] the real Compose is asked about.
const ASKED: usize = 3;

/// Adds blanks at the end of each line that is not in a block scalar, where they would be content.
fn blanks_at_line_ends(bytes: &[u8]) -> Vec<u8> {
    let Ok(tree) = Tree::parse(bytes) else { return bytes.to_vec() };
    let blocks: Vec<_> = tree
        .nodes()
        .filter(|(_, node)| matches!(node.kind, Kind::Scalar(_, Style::Literal | Style::Folded)))
        .map(|(_, node)| node.span.clone())
        .collect();
    let mut out = Vec::new();
    let mut at = 0;
    for line in bytes.split_inclusive(|&b| b == b'\n') {
        let end = at + line.len();
        let inside = blocks.iter().any(|block| block.start < end && at <= block.end);
        match line.strip_suffix(b"\n") {
            Some(text) if !inside && !text.ends_with(b"\r") => out.extend([text, b"  \n"].concat()),
            _ => out.extend(line),
        }
        at = end;
    }
    out
}

/// What is counted.
#[derive(Default)]
struct Table {
    rows: BTreeMap<String, BTreeMap<&'static str, usize>>,
    failures: Vec<String>,
    refusals: BTreeMap<String, Vec<String>>,
}

impl Table {
    fn count(&mut self, row: impl Into<String>, column: &'static str) {
        *self.rows.entry(row.into()).or_default().entry(column).or_default() += 1;
    }

    fn total(&self, row: &str, column: &str) -> usize {
        self.rows.get(row).and_then(|row| row.get(column)).copied().unwrap_or_default()
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let _ = write!(text, "{:44}", "");
        for (name, _) in TRANSFORMS {
            let _ = write!(text, "{name:>24}");
        }
        for row in self.rows.keys() {
            let _ = write!(text, "\n{row:44}");
            for (name, _) in TRANSFORMS {
                let _ = write!(text, "{:>24}", self.total(row, name));
            }
        }
        text
    }
}

#[test]
fn the_image_of_every_postgres_service_is_set_or_refused_for_a_true_reason() {
    let cases = cases();
    let compose = Compose::find().unwrap_or_else(|error| panic!("{error}"));
    let table = Mutex::new(Table::default());
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    one_file(case, &compose, &table);
                }
            });
        }
    });
    let table = table.into_inner().unwrap();
    eprintln!("{}", table.text());
    for (why, names) in &table.refusals {
        eprintln!("{why}: {}", names.join(", "));
    }
    assert!(table.failures.is_empty(), "\n{}", table.failures.join("\n"));
    // Few files of the corpus are no compose files at all; most others hold one PostgreSQL service or more.
    let expected = cases.iter().filter(|case| case.postgres).count() * 9 / 10;
    let set = table.total("set", "as it is");
    assert!(set >= expected.max(1), "only {set} images were set: is this the corpus?");
}

fn one_file(case: &Case, compose: &Compose, table: &Mutex<Table>) {
    let services = postgres_services(case);
    if services.is_empty() && case.postgres {
        table.lock().unwrap().count("(no service found)", "as it is");
        let mut table = table.lock().unwrap();
        table.refusals.entry("no service found".into()).or_default().push(case.name.clone());
    }
    for service in services {
        for (index, (transform, apply)) in TRANSFORMS.iter().enumerate() {
            let before = apply(&case.bytes);
            let outcome = set_image(&before, &service, IMAGE);
            let failed = |table: &mut Table, why: String| {
                table.failures.push(format!("{} `{service}`, {transform}: {why}", case.name));
            };
            match outcome {
                Err(why) => failed(&mut table.lock().unwrap(), why),
                Ok(Outcome::Refused(code, message)) => {
                    let verdict = refusal_is_true(code, &before, &service, compose);
                    let mut table = table.lock().unwrap();
                    table.count(format!("refused: {}", code.name()), transform);
                    if index == 0 {
                        let row = table.refusals.entry(format!("refused: {message}")).or_default();
                        row.push(case.name.clone());
                    }
                    verdict.unwrap_or_else(|why| failed(&mut table, why));
                }
                Ok(Outcome::Set(after, places)) => {
                    let opinion = (index < ASKED).then(|| agrees(compose, &before, &after, &service));
                    let other = other_reader_agrees(&before, &after, &service);
                    let mut table = table.lock().unwrap();
                    table.count("set", transform);
                    if places > 1 {
                        table.count("set, and others kept as they were", transform);
                    }
                    match opinion {
                        None => {}
                        Some(Ok(None)) => table.count("compose agrees", transform),
                        Some(Ok(Some(why))) => {
                            table.count("compose cannot read the original", transform);
                            if index == 0 {
                                let row = table.refusals.entry(format!("compose: {why}")).or_default();
                                row.push(case.name.clone());
                            }
                        }
                        Some(Err(why)) => failed(&mut table, why),
                    }
                    match other {
                        Some(true) => table.count("another YAML reader agrees", transform),
                        Some(false) => failed(&mut table, "another YAML reader sees more changed".into()),
                        None => table.count("another YAML reader cannot read it", transform),
                    }
                }
            }
        }
    }
}

/// Compares what the real Compose reads before and after; gives its reason where it does not read the
/// original.
fn agrees(compose: &Compose, before: &[u8], after: &[u8], service: &str) -> Result<Option<String>, String> {
    let mut refusal = String::new();
    let first = (0..WAYS).find_map(|way| match compose.config(before, way) {
        Ok(read) => Some((way, read)),
        Err(why) => {
            refusal = why;
            None
        }
    });
    let Some((way, mut read)) = first else { return Ok(Some(refusal)) };
    let again = compose
        .config(after, way)
        .map_err(|why| format!("compose reads the original, but not the edited file: {why}"))?;
    read["services"][service]["image"] = IMAGE.into();
    if read == again {
        return Ok(None);
    }
    let mut differences = Vec::new();
    differ(&read, &again, "", &mut differences);
    Err(format!("compose sees other changes: {}", differences.join("; ")))
}

fn differ(a: &serde_json::Value, b: &serde_json::Value, at: &str, found: &mut Vec<String>) {
    match (a.as_object(), b.as_object()) {
        (Some(a), Some(b)) => {
            let keys: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let null = serde_json::Value::Null;
                differ(
                    a.get(key).unwrap_or(&null),
                    b.get(key).unwrap_or(&null),
                    &format!("{at}/{key}"),
                    found,
                );
            }
        }
        _ if a != b => found.push(format!("{at}: {a} is {b}")),
        _ => {}
    }
}

/// Compares before and after with another YAML reader; `None` where it does not read them.
fn other_reader_agrees(before: &[u8], after: &[u8], service: &str) -> Option<bool> {
    let mut read = other_reader(before)?;
    let again = other_reader(after);
    let ours = read.get_mut("services")?.get_mut(service)?.as_mapping_mut()?;
    ours.insert("image".into(), IMAGE.into());
    Some(again == Some(read))
}

/// Checks the reason of a refusal without our own reader.
fn refusal_is_true(code: Code, bytes: &[u8], service: &str, compose: &Compose) -> Result<(), String> {
    let read = || (0..WAYS).find_map(|way| compose.config(bytes, way).ok());
    match code {
        Code::BuiltImage => {
            let has = |key: &str| -> bool {
                let read = read().map(|read| !read["services"][service][key].is_null());
                read.or_else(|| Some(other_reader(bytes)?.get("services")?.get(service)?.get(key).is_some()))
                    .unwrap_or_default()
            };
            if has("build") && !has("image") { Ok(()) } else { Err("it is not only built".into()) }
        }
        Code::ComposeSyntax => match read() {
            Some(_) => Err("refused for its syntax, but compose reads it".into()),
            None => Ok(()),
        },
        // A file that is included or a key that stands twice: the real Compose stops as well.
        Code::ComposeReference | Code::DuplicateImage => match read() {
            Some(_) => Err(format!("refused: {}, but compose reads it", code.name())),
            None => Ok(()),
        },
        other => Err(format!("refused: {}", other.name())),
    }
}

/// A file that is changed by one byte at random is seldom of the usual form by chance alone.
#[test]
fn files_and_what_is_near_them_are_read_fast_as_the_whole_parser_reads_them() {
    let (mut random, mut fast) = (testing::Random(18), 0);
    let cases = cases();
    for case in &cases {
        let whole = Tree::parse_whole(&case.bytes);
        let read = Tree::parse(&case.bytes);
        assert_eq!(read.as_ref().ok(), whole.as_ref().ok(), "{}", case.name);
        fast += usize::from(Tree::parse_usual(&case.bytes).is_some());
        for _ in 0..20 {
            let mut bytes = case.bytes.clone();
            if bytes.is_empty() {
                continue;
            }
            let at = random.below(bytes.len());
            let part = *random.pick(&[
                " ", "  ", "\n", ":", ": ", "-", "- ", "#", " #", "'", "\"", "\t", "&a ", "*a", "!t ", "[",
                "]", "",
            ]);
            let end = (at + random.below(3)).min(bytes.len());
            bytes.splice(at..end, part.bytes());
            let (read, whole) = (Tree::parse(&bytes), Tree::parse_whole(&bytes));
            let text = String::from_utf8_lossy(&bytes);
            assert_eq!(read.as_ref().ok(), whole.as_ref().ok(), "{}: {text}", case.name);
        }
    }
    println!("{fast} of {} files are of the usual form", cases.len());
    assert!(2 * fast > cases.len(), "{fast}");
}
