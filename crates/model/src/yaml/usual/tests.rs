//! Whatever is read fast is read as the whole parser reads it.

use proptest::prelude::*;

use super::*;

/// Reads a text both ways, also with the line ends of DOS, and with those of some lines; returns whether the fast one read it.
#[track_caller]
fn compare(text: &str) -> bool {
    let lines = text.split_inclusive('\n').enumerate();
    let mixed: String = lines
        .map(|(number, line)| match line.strip_suffix('\n') {
            Some(line) if number % 2 == 0 => format!("{line}\r\n"),
            _ => line.to_owned(),
        })
        .collect();
    let is_read = compare_one(text);
    assert_eq!(compare_one(&text.replace('\n', "\r\n")), is_read, "{text:?}");
    assert_eq!(compare_one(&mixed), is_read, "{text:?}");
    is_read
}

#[track_caller]
fn compare_one(text: &str) -> bool {
    let Some(fast) = read(text.as_bytes()) else { return false };
    match Tree::parse_whole(text.as_bytes()) {
        Ok(whole) => assert_eq!(fast, whole, "{text:?}\n{text}"),
        Err(error) => panic!("read, and it is an error: {}: {text:?}\n{text}", error.message),
    }
    true
}

const COMPOSE: &str = r#"# A deployment.
version: '3'
services:
  db:
    container_name: kasm_db
    image: postgres:14-alpine # the server

    healthcheck:
      test: "pg_isready --username=kasmapp && grep -q '^postgres' /proc/1/cmdline"
      timeout: 5s
    environment:
      POSTGRES_PASSWORD: "a#b: c"
      EMPTY:
    volumes:
      - /opt/kasm/conf:/tmp/
      # The data.
      - kasm_db:/var/lib/postgresql/data
    command: postgres -c ssl=on
    "restart": 'it''s'
  redis:
    command: ["sh", "-c", 'redis --requirepass $${X}', a/b]
    deploy: {resources: {limits: {memory: 1g}}, labels: [a, "b: c"]}
    ports:
    - "80:80"
    - target: 80
      published: 81
    -   mode: host
volumes:
  kasm_db:
networks:
"#;

#[test]
fn compose_files_of_the_usual_form_are_read() {
    assert!(compare(COMPOSE));
    assert!(compare(COMPOSE.trim_end()));
}

#[test]
fn what_is_not_of_the_usual_form_is_for_the_whole_parser() {
    for text in [
        "",
        "# only\n",
        "a: &b c\n",
        "a: *b\n",
        "a: !t b\n",
        "a: |\n  b\n",
        "a: b\n  c\n",
        "a: \"b\\n\"\n",
        "a: 'b\n  c'\n",
        "a:\tb\n",
        "a: b\r",
        "a: b\rc: d\n",
        "a: b\r\r\n",
        "a: \u{e4}\n",
        "---\na: b\n",
        "a: b\n...\n",
        "- a\n",
        "a\n",
        "a: {}\n",
        "a: {b}\n",
        "a: {b:c}\n",
        "a: {b: }\n",
        "a: {b: c,}\n",
        "a: {b: c: d}\n",
        "a: [b: c]\n",
        "a: {[b]: c}\n",
        "a: {? b: c}\n",
        "a: {b: c\n  }\n",
        "a: [[[[[[[[[b]]]]]]]]]\n",
        "a: []\n",
        "? a\n",
        "a : b\n",
        "a: b: c\n",
        "a: - b\n",
        "a:\n- - b\n",
        "a:\n-\n  b: c\n",
        "%YAML 1.2\n",
        "a: b\n c: d\n",
        "a:\n  b: c\n d: e\n",
    ] {
        assert_eq!(read(text.as_bytes()), None, "{text:?}");
    }
}

#[test]
fn a_text_that_is_nested_deeply_is_for_the_whole_parser() {
    let deep: String = (0..DEPTH + 1).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert_eq!(read(deep.as_bytes()), None);
    let less: String = (0..DEPTH).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert!(compare(&less));
}

/// The parts that lines are made of.
const PARTS: &[&str] = &[
    "a",
    "b1",
    "image",
    "a/b",
    "--x",
    "-",
    "- ",
    "-  ",
    ": ",
    ":",
    " ",
    "  ",
    "#",
    " # c",
    "'",
    "''",
    "\"",
    "\\",
    "[",
    "]",
    ", ",
    ",",
    "{",
    "}",
    "&x ",
    "*x",
    "!t ",
    "|",
    ">",
    "?",
    "~",
    "<<",
    "null",
    "'q'",
    "\"d\"",
    "'it''s'",
    "\"a: b\"",
    "[\"x\", y]",
    "{x: y}",
    "{\"x\": 'y' , z: [a]}",
    "{",
    "}",
    "['a' , \"b\"]",
    "1.5",
    "$X",
    "${A:-b}",
    "a#b",
    "a:b",
    "a b",
    "%",
    "@",
    "`",
    "=",
    "...",
    "---",
    "\t",
    "\u{e9}",
    "a: b",
    "k:",
    "- c: d",
    "- e",
];

fn line() -> impl Strategy<Value = String> {
    let usual = (
        0..8_usize,
        prop::sample::select(&["a: b", "k:", "- e", "- c: d", "c: 'x' # y", "- \"z\"", "# c", ""][..]),
    );
    let usual = usual.prop_map(|(indent, text)| format!("{}{text}\n", " ".repeat(indent)));
    let parts = (0..8_usize, prop::collection::vec(prop::sample::select(PARTS), 0..5));
    let parts = parts.prop_map(|(indent, parts)| format!("{}{}\n", " ".repeat(indent), parts.concat()));
    prop_oneof![3 => usual, 1 => parts]
}

/// A mapping whose lines fit together more often than those of chance.
fn block(depth: u32) -> BoxedStrategy<Vec<String>> {
    let scalar = prop::sample::select(
        &[
            "b",
            "'c d'",
            "\"e: f\"",
            "1",
            "a:b",
            "",
            "[x, \"y\"]",
            "{x: y, z: 'q'} # h",
            "[{a: b}, [c]]",
            "{ a: [b , {c: d}] }",
            "g # h",
            "-1",
            "a\\b",
            "'it''s' #",
        ][..],
    );
    let key = prop::sample::select(&["a", "image", "\"k k\"", "'q'", "a.b-c", "<<", "x y"][..]);
    let leaf = (key.clone(), scalar.clone()).prop_map(|(key, value)| vec![format!("{key}: {value}")]);
    let item = scalar.prop_map(|value| vec![format!("- {value}")]);
    if depth == 0 {
        return prop::collection::vec(leaf, 1..4).prop_map(|all| all.concat()).boxed();
    }
    let indent = |lines: Vec<String>, by: usize| {
        lines.into_iter().map(move |line| format!("{}{line}", " ".repeat(by)))
    };
    let map = (key.clone(), 1..5_usize, block(depth - 1)).prop_map(move |(key, by, lines)| {
        std::iter::once(format!("{key}:")).chain(indent(lines, by)).collect::<Vec<_>>()
    });
    let list = (key, 0..4_usize, prop::collection::vec(item, 1..4)).prop_map(move |(key, by, items)| {
        std::iter::once(format!("{key}:")).chain(indent(items.concat(), by)).collect::<Vec<_>>()
    });
    let entry = (1..4_usize, block(depth - 1)).prop_map(move |(by, lines)| {
        let mut lines: Vec<_> = indent(lines, by + 1).collect();
        lines[0].replace_range(..1, "-");
        std::iter::once("l:".to_string()).chain(lines).collect::<Vec<_>>()
    });
    let comment =
        prop::sample::select(&["", "   ", "# c", "  # d"][..]).prop_map(|line| vec![line.to_string()]);
    prop::collection::vec(prop_oneof![3 => leaf, 3 => map, 2 => list, 2 => entry, 1 => comment], 1..5)
        .prop_map(|all| all.concat())
        .boxed()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn lines_of_any_parts_are_read_as_the_whole_parser_reads_them(lines in prop::collection::vec(line(), 0..8)) {
        compare(&lines.concat());
        compare(&format!("a: b\n{}", lines.concat()));
    }

    #[test]
    fn blocks_are_read_as_the_whole_parser_reads_them(lines in block(3), is_ended in any::<bool>()) {
        compare(&format!("{}{}", lines.join("\n"), if is_ended { "\n" } else { "" }));
    }

    #[test]
    fn changed_compose_files_are_read_as_the_whole_parser_reads_them(
        changes in prop::collection::vec((0..COMPOSE.len(), 0..4_usize, prop::sample::select(PARTS)), 1..4),
    ) {
        let mut text = COMPOSE.to_string();
        for (at, length, part) in changes {
            let at = at.min(text.len());
            let end = (at + length).min(text.len());
            if text.is_char_boundary(at) && text.is_char_boundary(end) {
                text.replace_range(at..end, part);
            }
        }
        compare(&text);
    }
}

/// More cases than usual; `PROPTEST_CASES` makes them even more.
fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases.max(2000), ..usual }
}
