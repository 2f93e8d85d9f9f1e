//! What `--help` and the man pages show besides options: groups of commands, examples and exit codes.

use std::fmt::Write as _;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

use crate::exit;

/// What the help of a command has besides its options.
pub(crate) struct Page {
    /// The command.
    pub(crate) name: &'static str,
    /// Commands to copy, each with what it does.
    pub(crate) examples: &'static [(&'static str, &'static str)],
    /// The exit codes to know besides 0 and 1.
    exits: &'static [u8],
    /// Global options that have no effect on it.
    inert: &'static [&'static str],
}

/// What only commands that write use.
const WRITING: &[&str] = &["no_input", "lock_timeout"];

/// Global options that are good for nothing without a document or a target.
const ABOUT_NOTHING: &[&str] = &[
    "file",
    "recursive",
    "target",
    "deployment",
    "installer",
    "root",
    "top",
    "allow",
    "ignore",
    "show_secrets",
    "context",
    "no_input",
    "lock_timeout",
    "jobs",
];

/// What the options of a task stand for.
const OF_A_TASK: &[&str] = &[
    "file",
    "recursive",
    "target",
    "deployment",
    "installer",
    "root",
    "top",
    "allow",
    "ignore",
    "show_secrets",
    "context",
    "color",
    "quiet",
    "verbose",
    "no_input",
];

/// Commands in groups, in the order of `--help`.
const GROUPS: &[(&str, &[Page])] = &[
    (
        "Main commands",
        &[
            Page {
                name: "validate",
                examples: &[
                    ("Check ./kasm-db.yaml", "kasm-db validate"),
                    ("Check all documents below a folder", "kasm-db validate -R sites"),
                    ("Apply the safe fixes", "kasm-db validate --fix kasm-db.yaml"),
                ],
                exits: &[3],
                inert: &[
                    "target",
                    "deployment",
                    "installer",
                    "root",
                    "allow",
                    "show_secrets",
                    "context",
                    "no_input",
                    "lock_timeout",
                    "jobs",
                ],
            },
            Page {
                name: "plan",
                examples: &[
                    ("Show the changes for ./kasm-db.yaml", "kasm-db plan"),
                    ("Save a plan, and apply exactly that plan", "kasm-db plan --out plan.json"),
                    ("Fail a pipeline if there are changes", "kasm-db plan --detailed-exitcode"),
                ],
                exits: &[2, 3, 4, 8],
                inert: WRITING,
            },
            Page {
                name: "apply",
                examples: &[
                    ("Apply the changes after a question", "kasm-db apply"),
                    ("Apply a saved plan", "kasm-db apply plan.json"),
                    (
                        "Apply without a question, and leave the restart to a later run",
                        "kasm-db apply --yes --no-restart",
                    ),
                ],
                exits: &[3, 4, 5, 6, 7, 8, 9, 10, 130],
                inert: &[],
            },
            Page {
                name: "show",
                examples: &[
                    ("Show a saved plan", "kasm-db show plan.json"),
                    ("Show it as a patch", "kasm-db show plan.json --format patch"),
                ],
                exits: &[4, 5],
                inert: WRITING,
            },
            Page {
                name: "status",
                examples: &[
                    ("Show all targets", "kasm-db status"),
                    ("List the targets that are not in sync", "kasm-db status --format json"),
                ],
                exits: &[2, 3, 4, 6, 8, 9],
                inert: &["context", "no_input", "lock_timeout"],
            },
            Page {
                name: "verify",
                examples: &[
                    ("Check the running server", "kasm-db verify"),
                    ("Check it without running statements", "kasm-db verify --no-probe"),
                ],
                exits: &[3, 9],
                inert: &["context", "no_input", "lock_timeout"],
            },
        ],
    ),
    (
        "History",
        &[
            Page {
                name: "history",
                examples: &[
                    ("List the applies of all targets", "kasm-db history"),
                    ("Show who applied what", "kasm-db history -v"),
                ],
                exits: &[8],
                inert: &["allow", "ignore", "show_secrets", "context", "no_input", "lock_timeout"],
            },
            Page {
                name: "rollback",
                examples: &[
                    ("Undo the last apply", "kasm-db rollback"),
                    ("Restore generation 3, and show only what would change", "kasm-db rollback 3 --dry-run"),
                ],
                exits: &[4, 6, 7, 8, 9, 10, 130],
                inert: &[],
            },
            Page {
                name: "recover",
                examples: &[
                    ("Complete or revert an interrupted apply", "kasm-db recover"),
                    ("Do so without a document", "kasm-db recover --deployment /opt/kasm/current"),
                ],
                exits: &[6, 8, 9],
                inert: &["show_secrets", "context", "jobs"],
            },
            Page {
                name: "forget",
                examples: &[
                    ("Show what would be restored", "kasm-db forget --dry-run"),
                    (
                        "Leave a deployment as it is now",
                        "kasm-db forget --keep --deployment /opt/kasm/current",
                    ),
                ],
                exits: &[3, 4, 6, 7, 8, 9, 10, 130],
                inert: &["jobs"],
            },
        ],
    ),
    (
        "Documents and logs",
        &[
            Page {
                name: "import",
                examples: &[
                    (
                        "Write ./kasm-db.yaml from an installed deployment",
                        "kasm-db import --deployment /opt/kasm/current",
                    ),
                    ("Print a document instead", "kasm-db import -o -"),
                ],
                exits: &[4],
                inert: &[
                    "recursive",
                    "target",
                    "allow",
                    "ignore",
                    "context",
                    "no_input",
                    "lock_timeout",
                    "jobs",
                ],
            },
            Page {
                name: "resolve",
                examples: &[
                    ("Print ./kasm-db.yaml with what it extends", "kasm-db resolve"),
                    ("Give a policy the merged document", "kasm-db resolve --format json"),
                ],
                exits: &[3],
                inert: &[
                    "recursive",
                    "target",
                    "deployment",
                    "installer",
                    "root",
                    "allow",
                    "show_secrets",
                    "context",
                    "no_input",
                    "lock_timeout",
                    "jobs",
                ],
            },
            Page {
                name: "render",
                examples: &[
                    ("Write the resulting files to ./rendered", "kasm-db render"),
                    ("Fail a pipeline if the folder is out of date", "kasm-db render --check"),
                ],
                exits: &[2, 3],
                inert: WRITING,
            },
            Page {
                name: "build",
                examples: &[
                    ("Write what the image is built from to ./build", "kasm-db build"),
                    ("Fail a pipeline if the folder is out of date", "kasm-db build --check"),
                    ("Declare the base that Renovate wrote to the Dockerfile", "kasm-db build --write"),
                    (
                        "Build the image, and save it for a host without a registry",
                        "kasm-db build --run --save image.tar",
                    ),
                ],
                exits: &[2, 3],
                inert: &[
                    "recursive",
                    "target",
                    "deployment",
                    "installer",
                    "root",
                    "allow",
                    "show_secrets",
                    "no_input",
                    "lock_timeout",
                    "jobs",
                ],
            },
            Page {
                name: "audit",
                examples: &[
                    (
                        "Show what changed the schema in the last two hours",
                        "kasm-db audit --class ddl --since 2h",
                    ),
                    ("Count the entries of each user", "kasm-db audit --count user"),
                    ("Follow the log", "kasm-db audit --follow"),
                ],
                exits: &[],
                inert: &["allow", "ignore", "show_secrets", "context", "no_input", "lock_timeout"],
            },
            Page {
                name: "upgrade-plan",
                examples: &[
                    ("Print the path to a Kasm release", "kasm-db upgrade-plan --to 1.16.0"),
                    ("Write it to a file", "kasm-db upgrade-plan --format markdown > upgrade.md"),
                ],
                exits: &[3],
                inert: &["allow", "ignore", "show_secrets", "context", "no_input", "lock_timeout"],
            },
            Page {
                name: "inspect",
                examples: &[
                    ("Show what is in an image of the engine", "kasm-db inspect kasmweb/postgres:1.16.0"),
                    ("Show what is in an archive, without an engine", "kasm-db inspect postgres.tar"),
                    ("List the libraries for a program", "kasm-db inspect postgres.tar --format json"),
                ],
                exits: &[],
                inert: ABOUT_NOTHING,
            },
            Page {
                name: "ansible",
                examples: &[("Run a task of a playbook", "kasm-db ansible arguments.json")],
                exits: &[2, 3, 4, 6, 7, 8, 9, 10, 64, 130],
                inert: OF_A_TASK,
            },
        ],
    ),
    (
        "Help",
        &[
            Page {
                name: "explain",
                examples: &[
                    ("Explain an error", "kasm-db explain KDB101"),
                    ("Explain a key of the document", "kasm-db explain audit.classes"),
                    ("Explain a setting of PostgreSQL", "kasm-db explain work_mem"),
                ],
                exits: &[],
                inert: ABOUT_NOTHING,
            },
            Page {
                name: "schema",
                examples: &[
                    ("Print the schema of kasm-db.yaml", "kasm-db schema"),
                    ("Print the schema of `plan --format json`", "kasm-db schema plan"),
                ],
                exits: &[],
                inert: ABOUT_NOTHING,
            },
            Page {
                name: "completions",
                examples: &[
                    ("Add this line to ~/.bashrc", "source <(kasm-db completions bash)"),
                    ("Add this line to ~/.zshrc", "source <(kasm-db completions zsh)"),
                    ("Run this once", "kasm-db completions fish > ~/.config/fish/completions/kasm-db.fish"),
                ],
                exits: &[],
                inert: ABOUT_NOTHING,
            },
            Page {
                name: "man",
                examples: &[
                    ("Read the man page", "kasm-db man | man -l -"),
                    ("Write all man pages", "kasm-db man /usr/local/share/man/man1"),
                ],
                exits: &[],
                inert: ABOUT_NOTHING,
            },
            Page { name: "version", examples: &[], exits: &[], inert: ABOUT_NOTHING },
        ],
    ),
];

/// Lists the pages of all commands.
pub(crate) fn pages() -> impl Iterator<Item = &'static Page> {
    GROUPS.iter().flat_map(|(_, pages)| *pages)
}

/// Finds the page of a command.
pub(crate) fn page(name: &str) -> Option<&'static Page> {
    pages().find(|page| page.name == name)
}

/// Puts the commands of `--help` in groups. What the help of each command shows comes with its arguments.
pub(super) fn grouped(command: Command) -> Command {
    let template = overview(&command);
    command.help_template(template).after_help(exit::help())
}

/// Returns whether a global option has no effect on a command.
pub(super) fn is_inert(command: &str, option: &str) -> bool {
    page(command).is_some_and(|page| page.inert.contains(&option))
}

/// Completes a command whose arguments have been described: with its examples and exit codes.
pub(super) fn complete(command: Command) -> Command {
    match page(command.get_name()) {
        Some(page) => command.after_help(below(&style(), page)),
        None => command,
    }
}

/// Options that a run without documents and targets must not have: whoever gives one expects something of it. `-f` and
/// `--root` are not among them, as they may be part of an alias for all commands.
const REFUSED: &[&str] =
    &["recursive", "target", "deployment", "installer", "top", "allow", "ignore", "lock_timeout"];

/// Options that a task of Ansible has in its file, or must not have.
const REFUSED_OF_A_TASK: &[&str] =
    &["recursive", "target", "deployment", "installer", "top", "allow", "ignore", "show_secrets"];

/// Refuses options that name documents and targets, or change how they are treated, on a command that takes none
/// from the command line.
///
/// # Errors
/// There is one; what to say of it.
pub(super) fn check(matches: &ArgMatches) -> Result<(), String> {
    let Some((name, given)) = matches.subcommand() else { return Ok(()) };
    let refused = match page(name).map(|page| page.inert) {
        Some(ABOUT_NOTHING) => REFUSED,
        Some(OF_A_TASK) => REFUSED_OF_A_TASK,
        _ => return Ok(()),
    };
    let given = |id: &&&str| given.value_source(id) == Some(ValueSource::CommandLine);
    let Some(id) = refused.iter().find(given) else { return Ok(()) };
    Err(format!("the option `--{}` has no effect on `{name}`", id.replace('_', "-")))
}

/// Returns the style of clap's own headings.
fn style() -> anstyle::Style {
    *clap::builder::Styles::styled().get_header()
}

/// Returns the template of `kasm-db --help`: clap itself puts commands in no groups.
fn overview(command: &Command) -> String {
    let style = style();
    let mut text = String::from(
        "{about-with-newline}\nkasm-db compares a document, kasm-db.yaml, with the compose files and the postgresql.conf of a\n\
         deployment, shows the smallest change and its cost, and applies it.\n\n{usage-heading} {usage}\n",
    );
    for (heading, pages) in GROUPS {
        let _ = write!(text, "\n{style}{heading}:{style:#}\n");
        for page in *pages {
            let about = command.find_subcommand(page.name).and_then(Command::get_about);
            let _ =
                writeln!(text, "  {:<13} {}", page.name, about.map(ToString::to_string).unwrap_or_default());
        }
    }
    let _ = writeln!(text, "  {:<13} Print the help of a command", "help");
    let _ = write!(text, "\n{style}Global options:{style:#}\n{{options}}{{after-help}}");
    text
}

/// Returns what follows the options of a command.
fn below(style: &anstyle::Style, page: &Page) -> String {
    let mut text = String::new();
    if !page.examples.is_empty() {
        let _ = writeln!(text, "{style}Examples:{style:#}");
        for (what, command) in page.examples {
            let _ = writeln!(text, "  # {what}\n  {command}");
        }
    }
    let rows: Vec<_> = exit::TABLE.iter().filter(|row| page.exits.contains(&row.code)).collect();
    if !rows.is_empty() {
        let _ = writeln!(text, "\n{style}Exit codes:{style:#}");
        for row in rows {
            let _ = writeln!(text, "  {:>3}  {}", row.code, row.meaning);
        }
        text.push_str("All exit codes: `kasm-db --help`");
    }
    text.trim_end().to_string()
}
