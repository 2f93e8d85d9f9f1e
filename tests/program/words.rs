//! Phrases that are never right in what users read.
//!
//! `words.txt` lists the phrases that are there today, by source. The list may only shrink:
//! `KASM_DB_BLESS=1 cargo test -p kasm-db --test program words` takes out what is gone, and adds nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use testing::{Sandbox, repository};

use crate::PROGRAM;

/// What is never right, in lower case: whole words, with a single space in between.
const PHRASES: &[&str] = &[
    "anew",
    "mend",
    "mends",
    "mended",
    "mending",
    "all the same",
    "goes on",
    "can not",
    "overrule",
    "overrules",
    "overruled",
    "overruling",
    "makes it so",
    "whole truth",
    "is no",
    "are no",
    "nobody to ask",
];

/// What "is no" and "are no" are right in front of.
const RIGHT: &[&str] = &["longer", "more"];

/// Documents of the project, and folders of them.
const DOCUMENTS: &[&str] = &[
    "README.md",
    "CONTRIBUTING.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "docs",
    "examples/README.md",
    "schemas",
];

/// What is said of documents, and what is explained; other tests compare it with what the program says.
const SAID: &[&str] =
    &["tests/documents/said", "tests/documents/explain", "tests/mistakes", "tests/program/snapshots"];

/// How often each phrase is in each source.
type Hits = BTreeMap<(String, &'static str), usize>;

/// Counts the phrases in a text.
fn count(hits: &mut Hits, source: &str, text: &str) {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '\'');
    let text: String = text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    for phrase in PHRASES {
        for (at, _) in text.match_indices(phrase) {
            let (before, behind) = (&text[..at], &text[at + phrase.len()..]);
            if before.ends_with(is_word) || behind.starts_with(is_word) {
                continue;
            }
            let last = before.trim_end().rsplit(|c: char| !is_word(c)).next().unwrap_or_default();
            let next = behind.trim_start().split(|c: char| !is_word(c)).next().unwrap_or_default();
            // "There is no generation 9" is plain English.
            if phrase.ends_with(" no") && (last == "there" || RIGHT.contains(&next)) {
                continue;
            }
            *hits.entry((source.to_string(), phrase)).or_default() += 1;
        }
    }
}

/// Returns the phrases of a text that are never right.
pub(crate) fn never_right(text: &str) -> Vec<&'static str> {
    let mut hits = Hits::new();
    count(&mut hits, "", text);
    hits.into_keys().map(|(_, phrase)| phrase).collect()
}

/// Lists the text files below a path, which may be a file or not there.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        let is_picture = path.extension().is_some_and(|extension| extension == "png");
        return if is_picture { Vec::new() } else { vec![path.to_path_buf()] };
    }
    let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().flat_map(|path| files(path)).collect()
}

fn relative(path: &Path) -> String {
    path.strip_prefix(repository()).unwrap().to_str().unwrap().to_string()
}

/// Returns the string literals of Rust code in front of its tests, each on a line of its own.
fn literals(code: &str) -> String {
    let code = code.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let bytes = code.as_bytes();
    let (mut out, mut at) = (String::new(), 0);
    let end_of = |from: usize, end: &str| code[from..].find(end).map_or(code.len(), |n| from + n);
    while at < bytes.len() {
        let rest = &code[at..];
        if rest.starts_with("//") {
            at = end_of(at, "\n");
        } else if let Some(raw) = rest.strip_prefix('r').filter(|raw| raw.starts_with(['"', '#'])) {
            let hashes = raw.len() - raw.trim_start_matches('#').len();
            if !raw[hashes..].starts_with('"') {
                at += 1;
                continue;
            }
            let start = at + 1 + hashes + 1;
            let end = end_of(start, &format!("\"{}", "#".repeat(hashes)));
            out.push_str(&code[start..end]);
            out.push('\n');
            at = end + 1 + hashes;
        } else if rest.starts_with("'\"'") || rest.starts_with("b'\"'") {
            at += 4;
        } else if rest.starts_with("'\\") {
            at = end_of(at + 3, "'") + 1;
        } else if let Some(text) = rest.strip_prefix('"') {
            let mut characters = text.char_indices();
            let mut end = text.len();
            while let Some((index, c)) = characters.next() {
                if c == '"' {
                    end = index;
                    break;
                }
                if c != '\\' {
                    out.push(c);
                } else if let Some((_, escaped)) = characters.next() {
                    // A line that continues on the next one, and a line feed, are spaces here.
                    out.push(if escaped.is_alphabetic() || escaped == '\n' { ' ' } else { escaped });
                }
            }
            out.push('\n');
            at += 1 + end + 1;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    out
}

fn hits() -> Hits {
    let mut hits = Hits::new();
    for path in DOCUMENTS.iter().chain(SAID).flat_map(|path| files(&repository().join(path))) {
        count(&mut hits, &relative(&path), &std::fs::read_to_string(&path).unwrap());
    }
    let sandbox = Sandbox::new(PROGRAM);
    std::fs::create_dir(sandbox.root().join("pages")).unwrap();
    sandbox.run("man pages").expect(0);
    for page in files(&sandbox.root().join("pages")) {
        let name = page.file_name().unwrap().to_str().unwrap();
        count(&mut hits, &format!("man {name}"), &std::fs::read_to_string(&page).unwrap());
    }
    let definition = kasm_db::parts::command_line();
    let commands = definition.get_subcommands().filter(|command| command.get_name() != "help");
    let commands = commands.map(|command| format!("{} ", command.get_name()));
    for command in commands.chain([String::new()]) {
        let help = sandbox.run(&format!("{command}--help")).expect(0).stdout;
        count(&mut hits, &format!("kasm-db {command}--help"), &help);
    }
    // By crate, so that a text may move from one of its files to another.
    for folder in std::fs::read_dir(repository().join("crates")).unwrap() {
        let source = folder.unwrap().path().join("src");
        if source.ends_with("testing/src") {
            continue;
        }
        let is_test = |path: &PathBuf| path.ends_with("tests.rs") || path.ends_with("killed.rs");
        for path in files(&source).into_iter().filter(|path| !is_test(path)) {
            let code = std::fs::read_to_string(&path).unwrap();
            count(&mut hits, &format!("{} (texts)", relative(&source)), &literals(&code));
        }
    }
    hits
}

const LIST: &str = "tests/program/words.txt";

fn listed(hits: &Hits) -> String {
    let mut text = String::new();
    let mut last = "";
    for ((source, phrase), count) in hits {
        if source != last {
            text.push_str(&format!("{source}\n"));
            last = source;
        }
        text.push_str(&format!("  {phrase}: {count}\n"));
    }
    text
}

fn read(list: &str) -> Hits {
    let mut hits = Hits::new();
    let mut source = "";
    for line in list.lines() {
        match line.strip_prefix("  ").and_then(|line| line.rsplit_once(": ")) {
            Some((phrase, count)) => {
                let phrase = PHRASES.iter().find(|known| **known == phrase).expect(phrase);
                hits.insert((source.to_string(), phrase), count.parse().unwrap());
            }
            None => source = line,
        }
    }
    hits
}

#[test]
fn phrases_that_are_never_right_become_fewer() {
    let path = repository().join(LIST);
    let known = read(&std::fs::read_to_string(&path).unwrap_or_default());
    let hits = hits();
    let grown: Vec<_> = hits
        .iter()
        .filter(|(key, count)| known.get(key).is_none_or(|known| *count > known))
        .map(|((source, phrase), count)| {
            let known = known.get(&(source.clone(), *phrase)).unwrap_or(&0);
            format!("{source}: `{phrase}` {count} times, at most {known} allowed")
        })
        .collect();
    let is_blessing = std::env::var_os("KASM_DB_BLESS").is_some();
    // Without a list, the first one is written.
    let is_first = is_blessing && known.is_empty();
    assert!(is_first || grown.is_empty(), "say it in another way:\n{}", grown.join("\n"));
    if is_blessing {
        std::fs::write(&path, listed(&hits)).unwrap();
    } else {
        assert!(
            hits == known,
            "fewer than {LIST} has; take them out with KASM_DB_BLESS=1. It is now\n{}",
            listed(&hits)
        );
    }
}

#[test]
fn phrases_are_found_as_whole_words_over_line_ends() {
    let of = |text: &str| {
        let mut hits = Hits::new();
        count(&mut hits, "s", text);
        hits.into_iter().map(|((_, phrase), count)| (phrase, count)).collect::<Vec<_>>()
    };
    assert_eq!(of("It can\n  not be; Can not. cannot, recommend"), [("can not", 2)]);
    assert_eq!(of("9 is no time. There is no generation 9, and it is no longer there."), [("is no", 1)]);
    assert_eq!(read(&listed(&read("a\n  mend: 2\nb\n  anew: 1\n"))).len(), 2);
}

#[test]
fn texts_are_taken_from_code_without_comments_and_tests() {
    let code = "// \"no\"\nf(\"a \\\"b\\\" \\\n   c\", r#\"d \"e\"\"#, '\"', b'\\'', \"f\\n\");\n#[cfg(test)]\nmod tests { \"g\" }";
    assert_eq!(literals(code), "a \"b\"     c\nd \"e\"\nf \n");
}
