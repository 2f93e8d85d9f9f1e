//! The arguments of `audit`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::format::FormatParser;
use crate::output::emitter::Format;
use crate::output::report::Report;

/// What to read: files, `-` for standard input, or the logs of the targets.
///
/// An entry shows the statement that was run. pgaudit hides the passwords of roles, but no other secret that a
/// statement holds.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// Log files; the first complete record decides on the format [default: the logs of the targets]
    #[arg(conflicts_with_all = ["deployment", "installer", "target"])]
    pub(crate) files: Vec<PathBuf>,
    /// The format of the logs; what does not fit it is reported [default: of a target's log that of its name, of other files
    /// that of the first complete record]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// The server's log_line_prefix [default: that of its postgresql.conf, or one that is widely used]
    #[arg(long, value_name = "TEXT")]
    pub(crate) log_line_prefix: Option<String>,
    /// The server's log_timezone, such as Asia/Shanghai or +08:00, for abbreviations such as CST that several zones
    /// share [default: that of its postgresql.conf]
    #[arg(long, value_name = "ZONE")]
    pub(crate) log_timezone: Option<String>,
    #[command(flatten)]
    pub(crate) filters: Filters,
    /// From this time on: 2026-11-22, 2026-11-22T10:30, 2026-11-22T10:30Z, or 2h for two hours ago
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Counts the entries by one of their fields
    #[arg(long, value_name = "FIELD", conflicts_with_all = ["summary", "follow"])]
    pub(crate) count: Option<CountBy>,
    /// Shows what there is in a few lines
    #[arg(long, conflicts_with = "follow")]
    pub(crate) summary: bool,
    /// Goes on with what is logged from now on, also in new files
    #[arg(long)]
    pub(crate) follow: bool,
    /// How to write the result
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::AuditEntries))]
    pub(crate) format: &'static Format,
    /// Ends with 1 if an entry could not be read, or not wholly, or is uncertain, and if files are left out
    #[arg(long)]
    pub(crate) strict: bool,
}

/// Which entries. Each option may be repeated; `--not-…` takes the same values, and leaves those entries out.
#[derive(Debug, Args)]
#[command(next_help_heading = "Filters, which may be repeated")]
pub(crate) struct Filters {
    /// Only these classes
    #[arg(long, value_name = "CLASS", value_delimiter = ',', value_parser = audit_class())]
    pub(crate) class: Vec<String>,
    /// Only these commands, such as SELECT or `CREATE*`
    #[arg(long, value_name = "NAME|GLOB")]
    pub(crate) command: Vec<String>,
    /// Only these objects, such as public.users or `public.*`
    #[arg(long, value_name = "NAME|GLOB")]
    pub(crate) object: Vec<String>,
    /// Only objects of these types, such as TABLE
    #[arg(long, value_name = "TYPE|GLOB")]
    pub(crate) object_type: Vec<String>,
    /// Only these users
    #[arg(long, value_name = "NAME|GLOB")]
    pub(crate) user: Vec<String>,
    /// Only these databases
    #[arg(long, value_name = "NAME|GLOB")]
    pub(crate) database: Vec<String>,
    /// Only clients that call themselves so, such as psql; kasm-db calls itself `kasm-db`
    #[arg(long, value_name = "NAME|GLOB")]
    pub(crate) app: Vec<String>,
    /// Only these sessions, by session id or process id
    #[arg(long, value_name = "ID")]
    pub(crate) session: Vec<String>,
    /// Only entries of pgaudit.log (session) or of pgaudit.role (object)
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) kind: Option<AuditType>,
    /// Only statements that hold this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) grep: Vec<String>,
    /// Leaves these classes out
    #[arg(long, value_name = "CLASS", value_delimiter = ',', value_parser = audit_class())]
    pub(crate) not_class: Vec<String>,
    /// Leaves these commands out
    #[arg(long, value_name = "NAME|GLOB")]
    pub(crate) not_command: Vec<String>,
    /// Leaves these objects out
    #[arg(long, value_name = "NAME|GLOB")]
    pub(crate) not_object: Vec<String>,
    /// Leaves objects of these types out
    #[arg(long, value_name = "TYPE|GLOB")]
    pub(crate) not_object_type: Vec<String>,
    /// Leaves these users out
    #[arg(long, value_name = "NAME|GLOB")]
    pub(crate) not_user: Vec<String>,
    /// Leaves these databases out
    #[arg(long, value_name = "NAME|GLOB")]
    pub(crate) not_database: Vec<String>,
    /// Leaves clients out that call themselves so. A client may call itself anything: what is hidden is counted by user, and
    /// `--strict` refuses it
    #[arg(long, value_name = "NAME|GLOB")]
    pub(crate) not_app: Vec<String>,
    /// Leaves these sessions out
    #[arg(long, value_name = "ID")]
    pub(crate) not_session: Vec<String>,
    /// Leaves entries of pgaudit.log (session) or of pgaudit.role (object) out
    #[arg(long, value_name = "TYPE")]
    pub(crate) not_type: Option<AuditType>,
    /// Leaves statements out that hold this text
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
