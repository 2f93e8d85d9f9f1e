//! The command line.

mod audit;
mod deferred;
mod format;

use std::path::PathBuf;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{ArgAction, Args, Parser, Subcommand};
use live::SslMode;

pub(crate) use self::audit::{Audit, AuditType};
use self::deferred::Deferred;
pub(crate) use self::format::SinkChoice;
use self::format::{FormatParser, SinkParser};
use crate::exit;
use crate::output::Color;
use crate::output::emitter::Format;
use crate::output::report::Report;

/// Config-as-code for the database of a Kasm Workspaces deployment.
///
/// Reads kasm-db.yaml, compares it with the compose files and the postgresql.conf that are there, shows
/// the smallest change and what it costs, and applies it.
#[derive(Debug, Parser)]
#[command(name = "kasm-db", version, arg_required_else_help = true, disable_help_subcommand = true, after_help = exit::help())]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) global: Global,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Checks the document; touches nothing else
    Validate(Deferred<Validate>),
    /// Shows what would change, and what it costs
    #[command(visible_alias = "diff")]
    Plan(Deferred<Plan>),
    /// Applies the plan: all files of a target, or none
    Apply(Deferred<Apply>),
    /// Shows a saved plan, and whether it still holds
    Show(Deferred<Show>),
    /// Finishes an interrupted apply or takes it back; needs no document
    Recover(Deferred<Recover>),
    /// Lists what was applied and can be gone back to
    History(Deferred<History>),
    /// Goes back to what an earlier apply left, by a plan of its own
    Rollback(Deferred<Rollback>),
    /// Writes a document from what is there; a plan from it is empty
    Import(Deferred<Import>),
    /// Writes the rendered files of every target into a folder to commit, or compares them
    Render(Deferred<Render>),
    /// Asks the running server whether it does what the document says
    Verify(Deferred<Verify>),
    /// Tells whether files and server are as the document says, a line for each target
    Status(Deferred<Status>),
    /// Reads what pgaudit logged: stderr logs, csvlog and jsonlog, rotated and compressed
    Audit(Deferred<Audit>),
    /// Prints the JSON Schema of the document, or of what a command writes with --format json
    Schema(Deferred<Schema>),
    /// Explains a code, a field of the document or a setting; alone it lists them
    Explain(Deferred<Explain>),
    /// Prints the completions for a shell
    Completions(Deferred<Completions>),
    /// Prints the manual page, or writes all of them into a folder
    Man(Deferred<Man>),
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// The document; `-` reads standard input [default: ./kasm-db.yaml]. May be repeated
    #[arg(short, long, global = true, value_name = "FILE|DIR", env = "KASM_DB_FILE")]
    pub(crate) file: Vec<PathBuf>,
    /// Takes every kasm-db.yaml and *.kasm-db.yaml below the folders that `-f` names
    #[arg(short = 'R', long, global = true, requires = "file")]
    pub(crate) recursive: bool,
    /// Only the targets with this name; `*` and `?` match. May be repeated
    #[arg(long, global = true, value_name = "NAME|GLOB", env = "KASM_DB_TARGET", value_delimiter = ',')]
    pub(crate) target: Vec<String>,
    /// An installed tree, in place of the document's targets
    #[arg(long, global = true, value_name = "DIR", conflicts_with_all = ["installer", "target"])]
    pub(crate) deployment: Option<PathBuf>,
    /// An unpacked installer, in place of the document's targets
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "target")]
    pub(crate) installer: Option<PathBuf>,
    /// A prefix for absolute paths of targets: a copy of a host's files
    #[arg(long, global = true, value_name = "DIR", env = "KASM_DB_ROOT")]
    pub(crate) root: Option<PathBuf>,
    /// The folder that documents, what they extend and their links may not lead out of [default: the Git work tree of the
    /// document, else its folder]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) top: Option<PathBuf>,
    /// Overrides the blocker of this name. May be repeated
    #[arg(long, global = true, value_name = "NAME", value_delimiter = ',')]
    pub(crate) allow: Vec<String>,
    /// Shows values and comments that are hidden otherwise
    #[arg(long, global = true)]
    pub(crate) show_secrets: bool,
    /// Lines around each change of a diff
    #[arg(long, global = true, value_name = "N", default_value_t = render::diff::CONTEXT, value_parser = whole_number::<usize>)]
    pub(crate) context: usize,
    /// When to colour the output
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", env = "KASM_DB_COLOR")]
    pub(crate) color: Color,
    /// Says less: no diffs and no warnings
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Says more: files that are in order or skipped
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Never asks; implied without a terminal
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// How long to wait for another run, in seconds
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 0, env = "KASM_DB_LOCK_TIMEOUT", value_parser = whole_number::<u64>)]
    pub(crate) lock_timeout: u64,
    /// How many targets to look at side by side [default: the number of cores]
    #[arg(long, global = true, value_name = "N", env = "KASM_DB_JOBS", value_parser = jobs)]
    pub(crate) jobs: Option<u16>,
}

/// Reads a number; what Rust's parser says of a text is not for users.
fn whole_number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| "use a whole number".to_string())
}

fn jobs(text: &str) -> Result<u16, String> {
    let jobs = text.parse().ok().filter(|jobs| (1..=1024).contains(jobs));
    jobs.ok_or_else(|| "use a whole number from 1 to 1024".to_string())
}

#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// How to write the result
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::Validate))]
    pub(crate) format: &'static Format,
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// How to write the plan, and where to [default: human]. May be repeated
    #[arg(long, value_name = "FORMAT[=FILE]", value_parser = SinkParser(Report::Plan), env = "KASM_DB_FORMAT")]
    pub(crate) format: Vec<SinkChoice>,
    /// Ends with 2 where something would change
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// Saves the plan for `kasm-db apply FILE`
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The saved plan, or `-` for standard input
    pub(crate) plan: PathBuf,
    /// How to write the plan, and where to [default: human]. May be repeated
    #[arg(long, value_name = "FORMAT[=FILE]", value_parser = SinkParser(Report::Show), env = "KASM_DB_FORMAT")]
    pub(crate) format: Vec<SinkChoice>,
}

/// How files are written.
#[derive(Debug, Args)]
pub(crate) struct Writing {
    /// Does not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Does everything but write
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Writes into the files instead of replacing them: for files that are mounted by themselves
    #[arg(long)]
    pub(crate) in_place: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// A plan that `kasm-db plan --out` saved, or `-` for standard input; it is applied without asking, or not at all
    pub(crate) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) writing: Writing,
    /// Ends after the files, whatever `restart` of the document says
    #[arg(long, conflicts_with_all = ["no_restart", "rollback_on_failure"])]
    pub(crate) files_only: bool,
    /// Leaves the restart to be done by a later run, and ends with 9
    #[arg(long)]
    pub(crate) no_restart: bool,
    /// Puts the old files back, and starts the database on them, where it does not come up on the new ones
    #[arg(long, conflicts_with = "no_restart")]
    pub(crate) rollback_on_failure: bool,
    /// Leaves out targets that cannot be applied, rather than writing nothing at all; ends with 10
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// How far the server has to prove who it is, over TCP [default: PGSSLMODE, else verify-full]
    #[arg(long, value_name = "MODE", value_parser = sslmode())]
    pub(crate) sslmode: Option<SslMode>,
    /// How to write the result
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::Apply))]
    pub(crate) format: &'static Format,
}

#[derive(Debug, Args)]
pub(crate) struct Recover {
    /// How to write the result
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::Recover))]
    pub(crate) format: &'static Format,
}

#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// The schema of which format, such as plan or status [default: document]
    #[arg(value_name = "NAME", value_parser = schema_name())]
    pub(crate) name: Option<String>,
    /// How to write the result
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::Schema))]
    pub(crate) format: &'static Format,
}

#[derive(Debug, Args)]
pub(crate) struct History {
    /// How to write the list
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::History))]
    pub(crate) format: &'static Format,
}

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// The generation whose files to go back to, as `history` lists them [default: the one before the last]
    #[arg(value_parser = whole_number::<u64>)]
    pub(crate) generation: Option<u64>,
    #[command(flatten)]
    pub(crate) writing: Writing,
    /// Ends after the files, whatever `restart` of the document says
    #[arg(long, conflicts_with = "no_restart")]
    pub(crate) files_only: bool,
    /// Leaves the restart to be done by a later run, and ends with 9
    #[arg(long)]
    pub(crate) no_restart: bool,
    /// How to write the result
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::Rollback))]
    pub(crate) format: &'static Format,
}

/// What to look at: `--deployment` (default: /opt/kasm/current), `--installer`, or files by name.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Compose files, in the order in which Compose merges them
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["deployment", "installer"])]
    pub(crate) compose: Vec<PathBuf>,
    /// The postgresql.conf that the server reads
    #[arg(long, value_name = "FILE", conflicts_with_all = ["deployment", "installer"])]
    pub(crate) conf: Option<PathBuf>,
    /// The database's service in the compose files, where it cannot be told
    #[arg(long, value_name = "NAME", requires = "compose")]
    pub(crate) service: Option<String>,
    /// Where to write; `-` prints [default: the document of `-f`, else ./kasm-db.yaml]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Takes every setting in that differs from PostgreSQL's sample and is no secret
    #[arg(long)]
    pub(crate) all_settings: bool,
    /// How to write the result
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::Import))]
    pub(crate) format: &'static Format,
}

/// Every file as it would be after an apply, secrets hidden, with plan.txt and document.yaml.
#[derive(Debug, Args)]
pub(crate) struct Render {
    /// The folder [default: `rendered` beside the document]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Writes nothing; shows how the folder differs, and ends with 2 where it does
    #[arg(long)]
    pub(crate) check: bool,
    /// How to write the result
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::Render))]
    pub(crate) format: &'static Format,
}

fn schema_name() -> clap::builder::PossibleValuesParser {
    crate::output::json::schemas::names().collect::<Vec<_>>().into()
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A code (KDB101, unknown-key), a field or its last key (audit.log_catalog, libraries), or a setting of
    /// postgresql.conf (work_mem, pgaudit.log)
    #[arg(value_name = "CODE|FIELD|SETTING")]
    pub(crate) subject: Option<String>,
    /// How to write the result
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::Explain))]
    pub(crate) format: &'static Format,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Runs a harmless statement of every declared class, in a transaction that is rolled back, and looks for its
    /// entry in the server's log; the default
    #[arg(long, overrides_with = "no_probe")]
    pub(crate) probe: bool,
    /// Runs no statement of the probe
    #[arg(long)]
    pub(crate) no_probe: bool,
    /// How far the server has to prove who it is, over TCP [default: PGSSLMODE, else verify-full]
    #[arg(long, value_name = "MODE", value_parser = sslmode())]
    pub(crate) sslmode: Option<SslMode>,
    /// How to write the result
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::Verify))]
    pub(crate) format: &'static Format,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// How far the server has to prove who it is, over TCP [default: PGSSLMODE, else verify-full]
    #[arg(long, value_name = "MODE", value_parser = sslmode())]
    pub(crate) sslmode: Option<SslMode>,
    /// How to write the result
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::Status))]
    pub(crate) format: &'static Format,
}

/// Reads a mode by the name that `live` has for it.
fn sslmode() -> impl TypedValueParser<Value = SslMode> {
    let help = |mode| match mode {
        SslMode::Disable => "No TLS at all",
        SslMode::Require => "TLS, with whatever certificate",
        SslMode::VerifyCa => "A certificate of a known authority, for whatever name",
        SslMode::VerifyFull => "A certificate of a known authority, for this host",
    };
    let values = SslMode::ALL.map(|mode| PossibleValue::new(mode.name()).help(help(mode)));
    clap::builder::PossibleValuesParser::new(values).try_map(|name| name.parse())
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Writes kasm-db.1 and a page for each command into this folder
    pub(crate) folder: Option<PathBuf>,
}
