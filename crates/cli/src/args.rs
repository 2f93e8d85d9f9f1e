//! The command line.

mod audit;
mod build;
mod deferred;
mod format;
mod global;
pub(crate) mod help;
mod images;
mod numbers;
mod writing;

use std::path::PathBuf;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueHint};
use live::SslMode;

pub(crate) use self::audit::{Audit, AuditType};
pub(crate) use self::build::Build;
use self::deferred::Deferred;
pub(crate) use self::format::SinkChoice;
use self::format::{FormatParser, SinkParser};
use self::global::Common;
pub(crate) use self::global::Global;
pub(crate) use self::images::{Inspect, UpgradePlan};
use self::numbers::{generation, whole_number};
pub(crate) use self::writing::Writing;
use crate::complete;
use crate::output::emitter::Format;
use crate::output::report::Report;

/// Manage the database of a Kasm Workspaces deployment as code.
#[derive(Debug, Parser)]
#[command(name = "kasm-db", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) global: Common,
}

/// Returns the definition of the command line, with its help.
pub(crate) fn definition() -> clap::Command {
    help::grouped(Cli::command())
}

/// Reads the command line.
pub(crate) fn parse() -> Result<Cli, clap::Error> {
    // Most runs print no help, and what is in it takes as long to write as the rest of the command line takes to read.
    let mut matches = match Cli::command().try_get_matches() {
        Err(error) if error.kind() != ErrorKind::DisplayVersion => definition().try_get_matches()?,
        read => read?,
    };
    help::check(&matches).map_err(|message| definition().error(ErrorKind::ArgumentConflict, message))?;
    let named = matches.subcommand().and_then(|(_, own)| own.value_source("file"));
    // Not from what would have to be copied for it.
    let mut cli = Cli::from_arg_matches_mut(&mut matches)?;
    cli.take_documents(named)?;
    Ok(cli)
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check documents
    Validate(Deferred<Validate>),
    /// Show what would change, and what it costs
    #[command(visible_alias = "diff")]
    Plan(Deferred<Plan>),
    /// Apply the changes: all files of a target, or none
    Apply(Deferred<Apply>),
    /// Show a saved plan, and whether it is stale
    Show(Deferred<Show>),
    /// Complete or revert an interrupted apply
    Recover(Deferred<Recover>),
    /// List applied generations
    History(Deferred<History>),
    /// Roll back to an earlier generation
    Rollback(Deferred<Rollback>),
    /// Restore what kasm-db set, and delete its history and backups
    Forget(Deferred<Forget>),
    /// Generate a document from an existing deployment
    Import(Deferred<Import>),
    /// Write the resulting files to a folder for review, or check that folder
    Render(Deferred<Render>),
    /// Write what the image is built from to a folder, check that folder, or build the image
    Build(Deferred<Build>),
    /// Print a document and those that it extends as one
    Resolve(Deferred<Resolve>),
    /// Check the running server against the document
    Verify(Deferred<Verify>),
    /// Show whether files and server are in sync with the document
    Status(Deferred<Status>),
    /// Read what pgaudit logged
    Audit(Deferred<Audit>),
    /// Print the path of an upgrade of Kasm or PostgreSQL
    UpgradePlan(Deferred<UpgradePlan>),
    /// Show what is in an image: PostgreSQL, libraries, extensions
    Inspect(Deferred<Inspect>),
    /// Run as the module of Ansible: options from a file, a reply in JSON
    Ansible(Deferred<Ansible>),
    /// Print the JSON Schema of the document or of an output format
    Schema(Deferred<Schema>),
    /// Explain a code, a key of the document or a setting
    Explain(Deferred<Explain>),
    /// Print shell completions
    Completions(Deferred<Completions>),
    /// Print the man page, or write all man pages to a folder
    Man(Deferred<Man>),
    /// Print the version
    Version(Deferred<Version>),
}

impl Command {
    /// Returns whether it can change files that are there, rather than print or save a result.
    pub(crate) fn can_write(&self) -> bool {
        match self {
            Self::Ansible(_) | Self::Apply(_) | Self::Recover(_) | Self::Rollback(_) => true,
            Self::Validate(args) => args.fix,
            Self::Build(args) => args.write,
            _ => false,
        }
    }

    /// Returns whether it is a module of Ansible, which says everything in its reply.
    pub(crate) fn is_module(&self) -> bool {
        matches!(self, Self::Ansible(_))
    }
}

#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// Documents, as with `-f`
    #[arg(value_name = "FILE|DIR", value_hint = ValueHint::AnyPath)]
    pub(crate) documents: Vec<PathBuf>,
    /// Apply the safe fixes to the documents
    #[arg(long)]
    pub(crate) fix: bool,
    /// The output format
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::Validate))]
    pub(crate) format: &'static Format,
}

#[derive(Debug, Default, Args)]
pub(crate) struct Plan {
    /// Documents, as with `-f`
    #[arg(value_name = "FILE|DIR", value_hint = ValueHint::AnyPath)]
    pub(crate) documents: Vec<PathBuf>,
    /// The output format, and a file to write it to [default: human]. May be repeated
    #[arg(long, value_name = "FORMAT[=FILE]", value_parser = SinkParser(Report::Plan), env = "KASM_DB_FORMAT")]
    pub(crate) format: Vec<SinkChoice>,
    /// Print a line for each target, the worst first; the same as `--format summary`
    #[arg(long)]
    pub(crate) summary: bool,
    /// Exit with 2 if there are changes
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// Look into the images on the Docker engine, or in this archive, in place of what is known of their names. May be repeated
    #[arg(long, value_hint = ValueHint::FilePath, value_name = "ARCHIVE", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(crate) inspect: Option<Vec<String>>,
    /// Save the plan for `kasm-db apply PLAN`
    #[arg(long, value_hint = ValueHint::FilePath, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The saved plan, or `-` for standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) plan: PathBuf,
    /// The output format, and a file to write it to [default: human]. May be repeated
    #[arg(long, value_name = "FORMAT[=FILE]", value_parser = SinkParser(Report::Show), env = "KASM_DB_FORMAT")]
    pub(crate) format: Vec<SinkChoice>,
    /// Print a line for each target, the worst first; the same as `--format summary`
    #[arg(long)]
    pub(crate) summary: bool,
}

#[derive(Debug, Default, Args)]
pub(crate) struct Apply {
    /// A plan saved with `kasm-db plan --out`, or `-` for standard input; it is applied without a prompt
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) writing: Writing,
    /// Write the files only; ignore `restart:` in the document
    #[arg(long, conflicts_with_all = ["no_restart", "rollback_on_failure"])]
    pub(crate) files_only: bool,
    /// Leave the restart to a later run, and exit with 9
    #[arg(long)]
    pub(crate) no_restart: bool,
    /// Restore the old files and start the database with them if it does not come up with the new ones
    #[arg(long, conflicts_with = "no_restart")]
    pub(crate) rollback_on_failure: bool,
    /// Skip targets that cannot be applied instead of writing nothing, and exit with 10
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// With --keep-going, write nothing if more than N targets fail the checks, and continue after up to N failures while
    /// writing
    #[arg(long, value_name = "N", requires = "keep_going", value_parser = whole_number::<usize>)]
    pub(crate) max_failures: Option<usize>,
    /// The TLS mode of TCP connections, as libpq's sslmode [default: PGSSLMODE, or verify-full]
    #[arg(long, value_name = "MODE", value_parser = sslmode())]
    pub(crate) sslmode: Option<SslMode>,
    /// The output format
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::Apply))]
    pub(crate) format: &'static Format,
    /// Print a line for each target, the worst first; the same as `--format summary`
    #[arg(long, conflicts_with = "format")]
    pub(crate) summary: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Ansible {
    /// The file with the options of the task, as Ansible writes it for a module: a JSON object
    #[arg(value_hint = ValueHint::FilePath, value_name = "ARGSFILE")]
    pub(crate) arguments: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Recover {
    /// Pull no image before the database is stopped; a missing image is then refused
    #[arg(long)]
    pub(crate) no_pull: bool,
    /// The output format
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::Recover))]
    pub(crate) format: &'static Format,
}

#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// The output format, such as plan or status [default: document]
    #[arg(value_name = "NAME", value_parser = schema_name())]
    pub(crate) name: Option<String>,
    /// The output format
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::Schema))]
    pub(crate) format: &'static Format,
}

#[derive(Debug, Args)]
pub(crate) struct History {
    /// The output format
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::History))]
    pub(crate) format: &'static Format,
}

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// The generation to roll back to, from `kasm-db history` [default: the one before the last]
    #[arg(value_parser = generation)]
    pub(crate) generation: Option<u64>,
    #[command(flatten)]
    pub(crate) writing: Writing,
    /// Write the files only; ignore `restart:` in the document
    #[arg(long, conflicts_with = "no_restart")]
    pub(crate) files_only: bool,
    /// Leave the restart to a later run, and exit with 9
    #[arg(long)]
    pub(crate) no_restart: bool,
    /// The output format
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::Rollback))]
    pub(crate) format: &'static Format,
}

#[derive(Debug, Args)]
pub(crate) struct Resolve {
    /// The document, as with `-f`
    #[arg(value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub(crate) documents: Vec<PathBuf>,
    /// The output format
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::Resolve))]
    pub(crate) format: &'static Format,
}

#[derive(Debug, Args)]
pub(crate) struct Forget {
    /// Leave the values that kasm-db set, and delete the history and backups only
    #[arg(long)]
    pub(crate) keep: bool,
    #[command(flatten)]
    pub(crate) writing: Writing,
    /// Write the files only; ignore `restart:` in the document
    #[arg(long)]
    pub(crate) files_only: bool,
    /// The output format
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::Apply))]
    pub(crate) format: &'static Format,
}

/// What to import, and where to write it.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Compose files, in the order in which Compose merges them
    #[arg(long, value_hint = ValueHint::FilePath, value_name = "FILE", num_args = 1.., conflicts_with_all = ["deployment", "installer"])]
    pub(crate) compose: Vec<PathBuf>,
    /// The postgresql.conf that the server reads
    #[arg(long, value_hint = ValueHint::FilePath, value_name = "FILE", conflicts_with_all = ["deployment", "installer"])]
    pub(crate) conf: Option<PathBuf>,
    /// The database's service, if it cannot be derived from the compose files
    #[arg(long, value_name = "NAME", requires = "compose")]
    pub(crate) service: Option<String>,
    /// The file to write, or `-` for standard output [default: the document of `-f`, or ./kasm-db.yaml]
    #[arg(value_hint = ValueHint::FilePath, short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Also import every setting that differs from postgresql.conf.sample, except possible secrets
    #[arg(long)]
    pub(crate) all_settings: bool,
    /// The output format
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::Import))]
    pub(crate) format: &'static Format,
}

/// Where to write, and whether to.
#[derive(Debug, Args)]
pub(crate) struct Render {
    /// The folder [default: `rendered` beside the document]
    #[arg(value_hint = ValueHint::DirPath, long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Write nothing, show how the folder differs, and exit with 2 if it does
    #[arg(long)]
    pub(crate) check: bool,
    /// The output format
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::Render))]
    pub(crate) format: &'static Format,
}

fn schema_name() -> clap::builder::PossibleValuesParser {
    crate::output::json::schemas::names().collect::<Vec<_>>().into()
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A code (KDB101, unknown-key), a key of the document (audit.log_catalog, libraries), or a setting of
    /// postgresql.conf (work_mem, pgaudit.log) [default: list all codes and keys]
    #[arg(add = complete::subjects(), value_name = "CODE|FIELD|SETTING")]
    pub(crate) subject: Option<String>,
    /// The output format
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::Explain))]
    pub(crate) format: &'static Format,
}

#[derive(Debug, Default, Args)]
pub(crate) struct Verify {
    /// Run a harmless statement of every declared class in a transaction that is rolled back, and look for its entry in
    /// the server's log (the default)
    #[arg(long, overrides_with = "no_probe")]
    pub(crate) probe: bool,
    /// Do not run the statements of the probe
    #[arg(long)]
    pub(crate) no_probe: bool,
    /// The TLS mode of TCP connections, as libpq's sslmode [default: PGSSLMODE, or verify-full]
    #[arg(long, value_name = "MODE", value_parser = sslmode())]
    pub(crate) sslmode: Option<SslMode>,
    /// The output format
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::Verify))]
    pub(crate) format: &'static Format,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Also write a line to the server's log and look for it: finds a log that no longer grows, a full disk, or a file that is
    /// not the server's, and is cheap enough to run every minute
    #[arg(long)]
    pub(crate) deep: bool,
    /// The TLS mode of TCP connections, as libpq's sslmode [default: PGSSLMODE, or verify-full]
    #[arg(long, value_name = "MODE", value_parser = sslmode())]
    pub(crate) sslmode: Option<SslMode>,
    /// The output format
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::Status))]
    pub(crate) format: &'static Format,
}

/// Reads a mode by the name that `live` has for it.
fn sslmode() -> impl TypedValueParser<Value = SslMode> {
    let values = SslMode::ALL.map(|mode| PossibleValue::new(mode.name()));
    clap::builder::PossibleValuesParser::new(values).try_map(|name| name.parse())
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Write kasm-db.1, a page for each command and kasm-db.yaml.5 to this folder
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) folder: Option<PathBuf>,
}

/// It takes no arguments.
#[derive(Debug, Args)]
pub(crate) struct Version {}
