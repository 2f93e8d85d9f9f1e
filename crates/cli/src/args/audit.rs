//! The arguments of `audit`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::format::FormatParser;
use crate::output::emitter::Format;
use crate::output::report::Report;

const LOGS: &str = "Log format";
const OUTPUT: &str = "Output";

/// What to read, which entries to show, and how.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// Log files, or `-` for standard input [default: the logs of the targets]
    #[arg(value_hint = ValueHint::FilePath, conflicts_with_all = ["deployment", "installer", "target"])]
    pub(crate) files: Vec<PathBuf>,
    /// The format of the logs [default: detected from the name of a target's log, or from the first record]
    #[arg(long, help_heading = LOGS, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// The server's log_line_prefix [default: from postgresql.conf, or a common one]
    #[arg(long, help_heading = LOGS, value_name = "TEXT")]
    pub(crate) log_line_prefix: Option<String>,
    /// The server's log_timezone, such as Asia/Shanghai or +08:00, for abbreviations that several zones share, such as
    /// CST [default: from postgresql.conf]
    #[arg(long, help_heading = LOGS, value_name = "ZONE")]
    pub(crate) log_timezone: Option<String>,
    #[command(flatten)]
    pub(crate) filters: Filters,
    /// Show entries from this time on: 2026-11-22, 2026-11-22T10:30, 2026-11-22T10:30Z, or 2h for two hours ago
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Show entries before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Count the entries by a field
    #[arg(long, help_heading = OUTPUT, value_name = "FIELD", conflicts_with_all = ["summary", "follow"])]
    pub(crate) count: Option<CountBy>,
    /// Show a summary
    #[arg(long, help_heading = OUTPUT, conflicts_with = "follow")]
    pub(crate) summary: bool,
    /// Follow the log, across rotation
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) follow: bool,
    /// The output format
    #[arg(long, help_heading = OUTPUT, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::AuditEntries))]
    pub(crate) format: &'static Format,
    /// Exit with 1 if an entry cannot be read completely or is uncertain, or if a file is skipped
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) strict: bool,
}

/// Which entries. Each option may be repeated; `--not-…` takes the same values, and leaves those entries out.
#[derive(Debug, Args)]
#[command(next_help_heading = "Filters, which may be repeated")]
pub(crate) struct Filters {
    /// Show only these classes
    #[arg(long, value_name = "CLASS", value_delimiter = ',', value_parser = audit_class())]
    pub(crate) class: Vec<String>,
    /// Show only these commands, such as SELECT or `CREATE*`
    #[arg(long, value_name = "NAME|GLOB")]
    pub(crate) command: Vec<String>,
    /// Show only these objects, such as public.users or `public.*`
    #[arg(long, value_name = "NAME|GLOB")]
    pub(crate) object: Vec<String>,
    /// Show only objects of these types, such as TABLE
    #[arg(long, value_name = "TYPE|GLOB")]
    pub(crate) object_type: Vec<String>,
    /// Show only these users
    #[arg(long, value_name = "NAME|GLOB")]
    pub(crate) user: Vec<String>,
    /// Show only these databases
    #[arg(long, value_name = "NAME|GLOB")]
    pub(crate) database: Vec<String>,
    /// Show only clients with this application_name, such as psql; kasm-db itself uses `kasm-db`
    #[arg(long, value_name = "NAME|GLOB")]
    pub(crate) app: Vec<String>,
    /// Show only these sessions, by session ID or process ID
    #[arg(long, value_name = "ID")]
    pub(crate) session: Vec<String>,
    /// Show only entries of pgaudit.log (session) or of pgaudit.role (object)
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) kind: Option<AuditType>,
    /// Show only statements that contain this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) grep: Vec<String>,
    /// Hide these classes
    #[arg(long, value_name = "CLASS", value_delimiter = ',', value_parser = audit_class())]
    pub(crate) not_class: Vec<String>,
    /// Hide these commands
    #[arg(long, value_name = "NAME|GLOB")]
    pub(crate) not_command: Vec<String>,
    /// Hide these objects
    #[arg(long, value_name = "NAME|GLOB")]
    pub(crate) not_object: Vec<String>,
    /// Hide objects of these types
    #[arg(long, value_name = "TYPE|GLOB")]
    pub(crate) not_object_type: Vec<String>,
    /// Hide these users
    #[arg(long, value_name = "NAME|GLOB")]
    pub(crate) not_user: Vec<String>,
    /// Hide these databases
    #[arg(long, value_name = "NAME|GLOB")]
    pub(crate) not_database: Vec<String>,
    /// Hide clients with this application_name. A client may use any name: what is hidden is counted by user, and `--strict`
    /// refuses it
    #[arg(long, value_name = "NAME|GLOB")]
    pub(crate) not_app: Vec<String>,
    /// Hide these sessions
    #[arg(long, value_name = "ID")]
    pub(crate) not_session: Vec<String>,
    /// Hide entries of pgaudit.log (session) or of pgaudit.role (object)
    #[arg(long, value_name = "TYPE")]
    pub(crate) not_type: Option<AuditType>,
    /// Hide statements that contain this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) not_grep: Vec<String>,
}

fn audit_class() -> clap::builder::PossibleValuesParser {
    ["read", "write", "function", "role", "ddl", "misc"].into()
}

/// The formats of a log, by their names in log_destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Stderr,
    Csvlog,
    Jsonlog,
}

impl From<LogFormat> for auditlog::Format {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Stderr => Self::Stderr,
            LogFormat::Csvlog => Self::Csv,
            LogFormat::Jsonlog => Self::Json,
        }
    }
}

/// Who asked for an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuditType {
    Session,
    Object,
}

/// What entries are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CountBy {
    Class,
    Hour,
    User,
    Object,
    Command,
    Database,
}

impl From<CountBy> for ops::audit::CountBy {
    fn from(by: CountBy) -> Self {
        match by {
            CountBy::Class => Self::Class,
            CountBy::Hour => Self::Hour,
            CountBy::User => Self::User,
            CountBy::Object => Self::Object,
            CountBy::Command => Self::Command,
            CountBy::Database => Self::Database,
        }
    }
}
