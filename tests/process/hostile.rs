//! Hostile documents, compose files and confs: each ends as it must, with a second of processor time and
//! 256 MiB of address space, and without a write where it is refused.
//!
//! The limits are the kernel's, so that a busy machine makes no difference. What it is built with here is slower
//! than what is released.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a test says what it looked at")]

use testing::{Run, Sandbox};

use crate::PROGRAM;

/// A password that no output may hold.
const CANARY: &str = "CANARY-7f3a";

const DOCUMENT: &str = "schema: kasm-db/v1
image: kasmweb/postgres:1.11.0
preload: {libraries: [pgaudit]}
audit: {classes: [read, write, ddl]}
targets: [{name: host, files: {compose: [docker-compose.yaml], postgresql_conf: postgresql.conf}}]
";
const COMPOSE: &str = "version: \"3\"
services:
  db:
    container_name: kasm_db
    image: postgres:12-alpine
    environment:
      POSTGRES_PASSWORD: CANARY-7f3a
";
const CONF: &str = "listen_addresses = '*'\n#shared_preload_libraries = ''\t# (change requires restart)\n";

/// How a case ends.
#[derive(Clone, Copy)]
enum Ends {
    /// The files can be planned and applied.
    Well,
    /// So they can, and what is said holds this text.
    Saying(&'static str),
    /// It is refused with this exit code, and what is said holds this text.
    With(i32, &'static str),
}
use Ends::{Saying, Well, With};

/// One set of files; what is not given is harmless.
struct Case {
    name: &'static str,
    ends: Ends,
    document: Vec<u8>,
    compose: Vec<u8>,
    conf: Vec<u8>,
    more: Vec<(&'static str, Vec<u8>)>,
}

fn case(name: &'static str, ends: Ends) -> Case {
    let [document, compose, conf] = [DOCUMENT, COMPOSE, CONF].map(|text| text.as_bytes().to_vec());
    Case { name, ends, document, compose, conf, more: Vec::new() }
}

fn document(name: &'static str, ends: Ends, bytes: impl AsRef<[u8]>) -> Case {
    Case { document: bytes.as_ref().to_vec(), ..case(name, ends) }
}

fn compose(name: &'static str, ends: Ends, bytes: impl AsRef<[u8]>) -> Case {
    Case { compose: bytes.as_ref().to_vec(), ..case(name, ends) }
}

fn conf(name: &'static str, ends: Ends, bytes: impl AsRef<[u8]>) -> Case {
    Case { conf: bytes.as_ref().to_vec(), ..case(name, ends) }
}

/// Anchors that stand for 9^10 scalars.
fn bomb(name: &str) -> String {
    let mut text = format!("{name}0: &{name}0 [x,x,x,x,x,x,x,x,x]\n");
    for level in 1..10 {
        let below = vec![format!("*{name}{}", level - 1); 9].join(",");
        text += &format!("{name}{level}: &{name}{level} [{below}]\n");
    }
    text
}

/// Sixty variables, each twice the one before.
fn doubled() -> String {
    let double = |n: usize| format!("V{}=${{V{n}}}${{V{n}}}\n", n + 1);
    (0..60).fold("V0=0123456789abcdef\n".to_string(), |text, n| text + &double(n))
}

const LARGE: &[&str] =
    &["1.conf", "2.conf", "3.conf", "4.conf", "5.conf", "6.conf", "7.conf", "8.conf", "9.conf"];

fn swap(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replace(from, to)
}

/// Builds a document of a text: without this line nothing of it is shown.
fn own(text: &str) -> String {
    format!("schema: kasm-db/v1\n{text}")
}

fn with_image(image: &str) -> String {
    swap(DOCUMENT, "kasmweb/postgres:1.11.0", image)
}

fn with_library(library: &str) -> String {
    swap(DOCUMENT, "[pgaudit]", &format!("[{library}]"))
}

fn with_classes(classes: &str) -> String {
    swap(DOCUMENT, "[read, write, ddl]", classes)
}

fn behind(text: &[u8]) -> Vec<u8> {
    [DOCUMENT.as_bytes(), text].concat()
}

fn documents() -> Vec<Case> {
    let utf16: Vec<u8> =
        "\u{feff}".encode_utf16().chain(DOCUMENT.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let image = With(3, "KDB201");
    let library = With(3, "for `preload.libraries[0]`");
    vec![
        document("empty", With(3, "the document is empty"), ""),
        document("comments alone", With(3, "the document is empty"), "# x\n"),
        document("alias bomb", With(3, "anchors are not supported"), own(&bomb("a"))),
        document(
            "deep brackets",
            With(3, "nested too deep"),
            own(&format!("a: {}{}", "[".repeat(100_000), "]".repeat(100_000))),
        ),
        document("deep dashes", With(3, "nested too deep"), own(&format!("a:\n{}", "- ".repeat(100_000)))),
        document(
            "duplicate key",
            With(3, "duplicate key `image` (first on line 2)"),
            behind(b"image: a:9\n"),
        ),
        document("alias of itself", With(3, "alias"), own("a: &a [*a]\n")),
        document("unknown alias", With(3, "the alias has no anchor"), own("a: *nope\n")),
        document("NUL", With(3, "control character U+0000"), behind(b"x-a: \0\n")),
        document("raw escape", With(3, "control character U+001B"), behind(b"x-a: \x1b[2J\n")),
        document("quoted escape", With(3, "control character U+001B"), with_image("\"\\e[2Ja:1\"")),
        document("byte order mark", Well, format!("\u{feff}{DOCUMENT}")),
        document("UTF-16", With(3, "not valid UTF-8 at byte 0"), utf16),
        document("bad UTF-8", With(3, "not valid UTF-8"), behind(b"x-a: \xff\xfe\xfa\n")),
        document("Latin-1", With(3, "not valid UTF-8"), behind(b"# caf\xe9\n")),
        document("tab", With(3, "tab"), own("preload:\n\tlibraries: [pgaudit]\n")),
        document("no document", With(3, "is not a kasm-db document"), bomb("a")),
        document("two documents", With(3, "a file holds one"), format!("{DOCUMENT}---\n{DOCUMENT}")),
        document("number for an image", With(3, "`image` must be text"), with_image("1.10")),
        document("null for an image", With(3, "`image` has no value"), with_image("null")),
        document("word for the classes", With(3, "`audit.classes` must be a list"), with_classes("no")),
        document("unknown key", With(3, "did you mean `preload`"), swap(DOCUMENT, "preload", "prelod")),
        document(
            "tag that runs code",
            With(3, "tags are not supported"),
            behind(b"x-a: !!python/object/apply:os.system [\"id\"]\n"),
        ),
        document("merge key", With(3, "merge keys"), behind(b"x-b: &b {x: 1}\n<<: *b\n")),
        document(
            "next line",
            With(3, "control character U+0085"),
            behind("# note\u{85}preload: [evil]\n".as_bytes()),
        ),
        document("right to left", With(3, "U+202E"), with_image("a:1.11.0\u{202e}0")),
        document(
            "20 MB",
            With(3, "larger than"),
            behind(&[b"x-a: ".as_slice(), &vec![b'y'; 20_000_000]].concat()),
        ),
        document("truncated", With(3, "the quote is not closed"), "schema: kasm-db/v1\nimage: {tag: \"1.1"),
        document("Cyrillic letter", library, with_library("pg\u{430}udit")),
        document("image with a key", image, with_image("\"a:1\\n    privileged: true\"")),
        document("image with a command", image, with_image("\"a:$(id)\"")),
        document("image as an option", image, with_image("\"--help\"")),
        document("tag of 129", image, with_image(&format!("a:{}", "a".repeat(129)))),
        document("library with a quote", library, with_library("\"x' \\nlisten_addresses = '*\"")),
        document("library by its path", library, with_library("\"/tmp/evil.so\"")),
        document("library above", library, with_library("\"../../tmp/evil\"")),
        document(
            "class with a statement",
            With(3, "for `audit.classes[0]`"),
            with_classes("[\"read'; DROP TABLE x; --\"]"),
        ),
        document("unknown class", With(3, "did you mean `read`"), with_classes("[raed]")),
        document("class taken away", Well, with_classes("[all, \"-misc\"]")),
    ]
}

fn composes() -> Vec<Case> {
    let second = swap(COMPOSE.split_once("services:\n").unwrap().1, "  db:", "  db2:");
    let other = swap(COMPOSE, "kasm_db", "other");
    let other = swap(&swap(&other, "  db:", "  x:"), "postgres:12", "nginx:12");
    vec![
        compose("empty compose file", With(4, "KDB303"), ""),
        compose("no database", With(4, "KDB303"), other),
        compose("two databases", With(4, "KDB304"), format!("{COMPOSE}{second}")),
        // The alias becomes a literal, and nobody else's image changes.
        compose(
            "image by an alias",
            Well,
            format!("x-i: &i postgres:12-alpine\n{}", swap(COMPOSE, "postgres:12-alpine", "*i")),
        ),
        // Its major is not known, which is said; the variable is replaced, which is said, too.
        compose(
            "image by a variable",
            Saying("warning[KDB311]"),
            swap(COMPOSE, "postgres:12-alpine", "${PG_IMAGE}"),
        ),
        compose("image in a comment", Well, format!("# image: postgres:12-alpine\n{COMPOSE}")),
        compose("CRLF", Well, COMPOSE.replace('\n', "\r\n")),
        compose("no final line feed", Well, COMPOSE.trim_end()),
        // It is never expanded.
        compose(
            "alias bomb in a compose file",
            Well,
            format!("x-a:\n  {}{COMPOSE}", bomb("z").replace('\n', "\n  ").trim_end_matches(' ')),
        ),
        // Older versions of Compose take the last one, newer ones refuse the file.
        compose(
            "duplicate service",
            Saying("duplicate keys: `db` on lines 3 and 8"),
            format!("{COMPOSE}  db: {{image: x}}\n"),
        ),
        compose(
            "image by a digest",
            Saying("warning[KDB507]"),
            swap(COMPOSE, "postgres:12-alpine", &format!("postgres@sha256:{}", "a".repeat(64))),
        ),
        compose(
            "terminal codes in an image",
            Well,
            swap(COMPOSE, "postgres:12-alpine", "\"postgres:12\\x9b31m\\u202e\""),
        ),
        // A name that would start a line of the plan.
        compose(
            "line feed in the service's name",
            Saying("services.db\\u{a}Nothing to do.image"),
            swap(COMPOSE, "  db:", "  \"db\\nNothing to do\":"),
        ),
        // It would be 16 * 2^60 bytes; what is not known is replaced, as with any variable that no file sets.
        Case {
            more: vec![(".env", doubled().into_bytes())],
            ..compose(
                "variables that double and double again",
                Saying("warning[KDB311]"),
                swap(COMPOSE, "postgres:12-alpine", "postgres:12${V60}"),
            )
        },
        compose("terminal codes in a comment", With(4, "KDB301"), format!("{COMPOSE}#\u{1b}]0;pwn\u{7}\n")),
    ]
}

fn confs() -> Vec<Case> {
    let later = ("later.conf", b"shared_preload_libraries = 'other'\n".to_vec());
    vec![
        conf("empty conf", Well, ""),
        conf(
            "last one wins",
            Well,
            format!(
                "{CONF}shared_preload_libraries = 'pg_prewarm'\nshared_preload_libraries = 'auto_explain'\n"
            ),
        ),
        conf("no equals sign", Well, "shared_preload_libraries 'auto_explain'\n"),
        conf("upper case", Well, "SHARED_PRELOAD_LIBRARIES = 'auto_explain'\n"),
        conf("doubled quote", Well, "shared_preload_libraries = 'a''b'\n"),
        conf("open quote", With(4, "postgresql.conf:1:"), "shared_preload_libraries = 'a\n"),
        conf("text behind the value", With(4, "postgresql.conf:1:"), "shared_preload_libraries = 'a' b\n"),
        // The included file is the one that is edited.
        Case {
            more: vec![later],
            ..conf("include behind it", Saying("later.conf:1"), format!("{CONF}include 'later.conf'\n"))
        },
        // Nine files of almost 1 MiB: eight of them are read.
        Case {
            more: LARGE.iter().map(|name| (*name, vec![b'#'; 1_040_000])).collect(),
            ..conf(
                "includes of 9 MiB",
                Saying("larger than 8388608 bytes together"),
                LARGE.iter().fold(CONF.to_string(), |conf, name| format!("{conf}include '{name}'\n")),
            )
        },
        conf("NUL in a conf", With(4, "KDB402"), format!("{CONF}\0")),
        conf("byte order mark in a conf", With(4, "postgresql.conf:1:"), format!("\u{feff}{CONF}")),
        conf("CRLF in a conf", Well, CONF.replace('\n', "\r\n")),
        conf("Latin-1 in a conf", Well, [CONF.as_bytes(), b"# caf\xe9\n"].concat()),
    ]
}

/// Runs the program with the limits.
fn run(sandbox: &Sandbox, arguments: &str) -> Run {
    let script = format!("ulimit -v 262144 && ulimit -t 1 && exec \"$0\" {arguments}");
    sandbox.finish(sandbox.command("sh").args(["-c", &script, PROGRAM]))
}

fn check(case: &Case) -> Result<(), String> {
    let sandbox = Sandbox::new(PROGRAM);
    let files = [
        ("kasm-db.yaml", &case.document),
        ("docker-compose.yaml", &case.compose),
        ("postgresql.conf", &case.conf),
    ];
    for (name, bytes) in files.into_iter().chain(case.more.iter().map(|(name, bytes)| (*name, bytes))) {
        std::fs::write(sandbox.root().join(name), bytes).unwrap();
    }
    let before = sandbox.seen(sandbox.root());
    let quiet = |run: &Run| {
        let text = run.to_string();
        let is_unsafe =
            |c: &char| (c.is_control() && !matches!(c, '\n' | '\t')) || ('\u{202a}'..='\u{202e}').contains(c);
        let unsafe_character = text.chars().find(is_unsafe);
        match (text.contains(CANARY), unsafe_character) {
            (false, None) => Ok(()),
            _ => Err(format!("it prints what it must not:\n{text}")),
        }
    };
    let ended = |run: Run, code: i32| {
        quiet(&run)?;
        if run.code == Some(code) { Ok(run) } else { Err(format!("must end with {code}\n{run}")) }
    };
    match case.ends {
        Well | Saying(_) => {
            let plan = ended(run(&sandbox, "plan"), 0)?.to_string();
            ended(run(&sandbox, "plan --format json"), 0)?;
            if let Saying(text) = case.ends
                && !plan.contains(text)
            {
                return Err(format!("says nothing of {text:?}\n{plan}"));
            }
            if sandbox.seen(sandbox.root()) != before {
                return Err("the plan writes".into());
            }
            ended(run(&sandbox, "-q apply -y"), 0)?;
            ended(run(&sandbox, "-q plan --detailed-exitcode"), 0).map(drop)
        }
        With(code, text) => {
            let run = ended(run(&sandbox, "apply -y"), code)?;
            if !run.to_string().contains(text) {
                return Err(format!("says nothing of {text:?}\n{run}"));
            }
            if sandbox.seen(sandbox.root()) == before { Ok(()) } else { Err("files are touched".into()) }
        }
    }
}

#[test]
fn hostile_inputs_end_as_they_must_within_a_second_and_256_mib() {
    let cases: Vec<_> = [documents(), composes(), confs()].into_iter().flatten().collect();
    assert_eq!(cases.len(), 67);
    let wrong: Vec<_> = cases
        .iter()
        .filter_map(|case| check(case).err().map(|why| format!("{}: {why}", case.name)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn beyond_the_limit_for_files_a_write_fails_and_everything_is_put_back() {
    let sandbox = Sandbox::new(PROGRAM);
    let case = case("", Well);
    for (name, bytes) in [
        ("kasm-db.yaml", case.document),
        ("docker-compose.yaml", case.compose),
        ("postgresql.conf", case.conf),
    ] {
        std::fs::write(sandbox.root().join(name), bytes).unwrap();
    }
    let before = sandbox.contents(sandbox.root());
    for arguments in ["apply -y", "render", "plan --out plan.json", "plan --format json=plan.json"] {
        let script = format!("ulimit -f 0 && exec \"$0\" {arguments}");
        let run = sandbox.finish(sandbox.command("sh").args(["-c", &script, PROGRAM]));
        assert_eq!(run.code, Some(1), "{arguments}: {run}");
        assert!(run.stderr.contains("file too large"), "{arguments}: {run}");
        let _ = std::fs::remove_dir_all(sandbox.root().join("rendered"));
        let _ = std::fs::remove_file(sandbox.root().join("plan.json"));
        assert!(sandbox.contents(sandbox.root()) == before, "{arguments} leaves something");
        assert!(!sandbox.root().join(".kasm-db/journal").exists(), "{arguments}");
    }
}

#[test]
fn what_a_usage_error_repeats_is_escaped() {
    let sandbox = Sandbox::new(PROGRAM);
    let shown = |value: &str| {
        let mut command = sandbox.command(PROGRAM);
        let run = sandbox.finish(command.args(["plan", "--context", value]).env("CLICOLOR_FORCE", "1"));
        assert_eq!(run.code, Some(64), "{run}");
        run.stderr
    };
    assert!(shown("x").contains("\u{1b}["), "colours that are ours stay");
    assert!(shown("x\u{202e}\u{9b}2J").contains("x\\u{202e}\\u{9b}2J"));
    let title = shown("\u{1b}]0;title\u{7}");
    let is_ours = |part: &str| part.split_once('m').is_some_and(|(style, _)| style.starts_with('['));
    assert!(!title.contains('\u{7}') && title.split('\u{1b}').skip(1).all(is_ours), "{title:?}");
}

/// A limit that nothing could exceed would prove nothing.
#[test]
fn the_limits_are_there() {
    let sandbox = Sandbox::new(PROGRAM);
    let limits = sandbox.finish(
        sandbox.command("sh").args(["-c", "ulimit -v 262144 && ulimit -t 1 && ulimit -v && ulimit -t"]),
    );
    assert_eq!(limits.stdout, "262144\n1\n");
    let script = "ulimit -v 262144 && python3 -c 'bytearray(400 << 20)'";
    let run = sandbox.finish(sandbox.command("sh").args(["-c", script]));
    assert!(run.stderr.contains("MemoryError"), "{run}");
}
