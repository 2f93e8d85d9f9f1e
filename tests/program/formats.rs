//! Every format in every situation: what is written is read as a whole, so that no part of it is left to chance.
//!
//! A format that is on the command line and not in the table fails the test.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

pub(crate) mod situations;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use insta::assert_snapshot;

use situations::SITUATIONS;

/// A format, and the commands that are run with it: `plan` if it can say plans.
const FORMATS: &[(&str, &[&str])] = &[
    ("human", &["plan"]),
    ("json", &["plan"]),
    ("json-lines", &["apply --dry-run"]),
    ("summary", &["plan", "apply --dry-run"]),
    ("markdown", &["plan"]),
    ("github", &["plan"]),
    ("gitlab", &["plan"]),
    ("gitlab-terraform", &["plan"]),
    ("sarif", &["plan"]),
    ("junit", &["validate", "verify"]),
    ("html", &["plan"]),
    ("patch", &["plan"]),
];

#[test]
fn every_format_has_something_to_say_in_every_situation() {
    for (format, commands) in FORMATS {
        for situation in SITUATIONS {
            let sandbox = situation.sandbox();
            let mut text = String::new();
            for command in *commands {
                let mut run = sandbox.run(&format!("{command} --format {format}"));
                assert!(!run.to_string().contains("not-to-be-shown"), "{run}");
                // What is said beside a result is the same beside each of them.
                if *format != "human" {
                    run.stderr.clear();
                }
                let run = readable(run.to_string());
                let _ = write!(text, "$ kasm-db {command} --format {format}\n{run}");
            }
            let mut settings = insta::Settings::clone_current();
            settings.set_snapshot_path("snapshots/formats");
            settings.set_prepend_module_to_snapshot(false);
            settings.set_omit_expression(true);
            settings.bind(|| assert_snapshot!(format!("{format}-{}", situation.name), text));
        }
    }
}

/// Removes the style sheet of a page and its hash, which are the same in each, and breaks its lines for whoever reads a change.
fn readable(text: String) -> String {
    let (Some((before, _)), Some((_, after))) = (text.split_once("<style>"), text.split_once("</style>"))
    else {
        return text;
    };
    let (before, rest) = before.split_once("sha256-").unwrap();
    let rest = rest.split_once('\'').unwrap().1;
    let mut text = format!("{before}sha256-HASH'{rest}{after}");
    for tag in ["<body>", "<main>", "<section", "<h", "<table", "<tr", "<details", "<footer>"] {
        text = text.replace(tag, &format!("\n{tag}"));
    }
    text
}

#[test]
fn no_format_is_left_out_of_the_table() {
    let definition = kasm_db::parts::command_line();
    let mut all = BTreeSet::new();
    for command in definition.get_subcommands() {
        let formats = command.get_arguments().find(|argument| argument.get_long() == Some("format"));
        let names = formats.into_iter().flat_map(clap::Arg::get_possible_values);
        all.extend(names.map(|name| name.get_name().to_string()));
    }
    let table: BTreeSet<_> = FORMATS.iter().map(|(format, _)| (*format).to_string()).collect();
    assert_eq!(table, all);
}
