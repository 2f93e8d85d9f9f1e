//! `kasm-db man`

use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use commit::reason;
use model::explain::{Field, fields};
use ops::{Error, Outcome};

use crate::args::{self, help};
use crate::exit;
use crate::output::Terminal;

/// Files that every page has.
const FILES: &[(&str, &str)] = &[
    ("./kasm-db.yaml", "The document, unless -f names another one. See kasm-db.yaml(5)."),
    (
        ".kasm-db/",
        "In the folder of a target: the journal of an interrupted apply, and the last ten generations with their backups, which only \
         their owner can read.",
    ),
    (
        "~/.pgpass, ~/.postgresql/",
        "Passwords, certificates and revocation lists of libpq, for verify: {connect: tcp}.",
    ),
];

/// Variables that clap does not know.
const VARIABLES: &[(&str, &str)] = &[
    ("NO_COLOR", "No colours, unless --color says otherwise."),
    ("DOCKER_HOST, DOCKER_CONTEXT", "Passed on to docker."),
    ("PGHOST, PGPORT, PGSSLMODE, PGPASSFILE, …", "The variables of libpq, for verify: {connect: tcp}."),
];

/// Prints the man page, or writes one for each command, and that of the document.
pub(crate) fn run(args: &args::Man, terminal: &Terminal) -> Result<Outcome, Error> {
    let mut command = args::definition();
    // Global options belong on every page.
    command.build();
    let Some(folder) = &args.folder else {
        terminal.bytes(&page(&command)?)?;
        return Ok(Outcome::Done);
    };
    terminal.file(&folder.join("kasm-db.1"), &page(&command)?)?;
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        // The display name is `kasm-db-plan`; the page takes it from there.
        let name = sub.get_display_name().unwrap_or(sub.get_name());
        terminal.file(&folder.join(format!("{name}.1")), &page(sub)?)?;
    }
    terminal.file(&folder.join("kasm-db.yaml.5"), &document()?)?;
    Ok(Outcome::Done)
}

fn failed(error: &std::io::Error) -> Error {
    Error::failed(format!("the man page: {}", reason(error)))
}

fn page(command: &clap::Command) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    // Examples and exit codes have sections of their own.
    let command = command.clone().after_help(None::<&str>);
    let name = command.get_name().to_string();
    // A page must not change with the day it was made on.
    let page = Man::new(command.clone()).date("").source("kasm-db").manual("kasm-db");
    page.render(&mut out).map_err(|error| failed(&error))?;
    let examples = help::page(&name).map_or(&[] as &[_], |page| page.examples);
    for section in
        [exit_status(), environment(&command), list("FILES", FILES), written(examples), see_also(&name)]
    {
        section.to_writer(&mut out).map_err(|error| failed(&error))?;
    }
    Ok(out)
}

/// Returns the section of the exit codes, which man-pages(7) calls so.
fn exit_status() -> Roff {
    let mut section = Roff::new();
    section.control("SH", ["EXIT STATUS"]);
    for row in exit::TABLE {
        section.control("TP", []);
        section.text([bold(row.code.to_string())]);
        section.text([roman(row.meaning)]);
    }
    section.control("PP", []);
    section.text([roman(exit::severity())]);
    section
}

/// Returns a section that lists names with their meaning.
fn list(heading: &str, rows: &[(&str, &str)]) -> Roff {
    let mut section = Roff::new();
    section.control("SH", [heading]);
    entries(&mut section, rows);
    section
}

fn entries(section: &mut Roff, rows: &[(&str, &str)]) {
    for (name, meaning) in rows {
        section.control("TP", []);
        section.text([bold(*name)]);
        section.text([roman(*meaning)]);
    }
}

fn environment(command: &clap::Command) -> Roff {
    let mut section = Roff::new();
    section.control("SH", ["ENVIRONMENT"]);
    for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
        let (Some(variable), Some(option)) = (argument.get_env(), argument.get_long()) else { continue };
        entries(&mut section, &[(&variable.to_string_lossy(), &format!("The default of --{option}."))]);
    }
    entries(&mut section, VARIABLES);
    section
}

fn written(examples: &[(&str, &str)]) -> Roff {
    let first = [
        ("Generate a document", "kasm-db import"),
        ("Show the changes", "kasm-db plan"),
        ("Apply them", "kasm-db apply"),
    ];
    let examples = if examples.is_empty() { &first } else { examples };
    let mut section = Roff::new();
    section.control("SH", ["EXAMPLES"]);
    for (what, command) in examples {
        section.control("TP", []);
        section.text([roman(format!("{what}:"))]);
        section.text([bold(*command)]);
    }
    section
}

fn see_also(name: &str) -> Roff {
    let mut pages: Vec<_> = help::pages().map(|page| format!("kasm-db-{}(1)", page.name)).collect();
    pages.retain(|page| *page != format!("kasm-db-{name}(1)"));
    if name != "kasm-db" {
        pages.insert(0, "kasm-db(1)".into());
    }
    pages.extend(["kasm-db.yaml(5)", "docker(1)", "psql(1)"].map(String::from));
    let mut section = Roff::new();
    section.control("SH", ["SEE ALSO"]);
    section.text([roman(pages.join(", "))]);
    section
}

/// Returns kasm-db.yaml(5), from the schema.
fn document() -> Result<Vec<u8>, Error> {
    let mut page = Roff::new();
    page.control("TH", ["kasm-db.yaml", "5", "", "kasm-db", "kasm-db"]);
    page.control("SH", ["NAME"]);
    page.text([roman("kasm-db.yaml - the desired state of the database of Kasm Workspaces deployments")]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman(
        "A YAML document without anchors, aliases and tags. An absent key is not managed: what is on the host stays. Keys at the top level \
         that start with x- are free.",
    )]);
    page.control("SH", ["KEYS"]);
    for field in fields() {
        key(&mut page, field);
    }
    page.control("SH", ["SEE ALSO"]);
    page.text([roman("kasm-db(1), kasm-db-explain(1), kasm-db-schema(1)")]);
    let mut out = Vec::new();
    page.to_writer(&mut out).map_err(|error| failed(&error))?;
    Ok(out)
}

fn key(page: &mut Roff, field: &Field) {
    let required = if field.required { ", required" } else { "" };
    page.control("TP", []);
    page.text([bold(field.path.clone()), roman(format!(" ({}{required})", field.takes))]);
    page.text([roman(field.description.replace("\n\n", " ").replace('\n', " "))]);
    let mut say = |name: &str, text: &str| {
        page.control("RS", []);
        page.text([roman(format!("{name}: {text}"))]);
        page.control("RE", []);
    };
    if let Some(row) = field.pgaudit {
        say("Sets", row.name);
    }
    if let Some(default) = &field.default {
        say("Default", default);
    }
    if !field.values.is_empty() {
        say("One of", &field.values.join(", "));
    }
    for example in &field.examples {
        let key = field.path.rsplit('.').next().unwrap_or_default();
        say("Example", &format!("{key}: {example}"));
    }
}
