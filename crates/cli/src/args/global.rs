//! Options of several commands.

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::OnceLock;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::Error;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueHint};
use model::Ignorable;

use super::numbers::{jobs, seconds, whole_number};
use crate::complete;
use crate::output::Color;

/// Options of several commands, which can be in front of a command or behind it: see
/// [`Deferred`](super::deferred::Deferred). `help.rs` knows which ones have an effect on which command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The document, or `-` for standard input [default: ./kasm-db.yaml]. May be repeated
    #[arg(short, long, value_hint = ValueHint::AnyPath, value_name = "FILE|DIR", env = "KASM_DB_FILE")]
    pub(crate) file: Vec<PathBuf>,
    /// Read every kasm-db.yaml and *.kasm-db.yaml below the given folders
    #[arg(short = 'R', long)]
    pub(crate) recursive: bool,
    /// Use only the targets with this name; `*` and `?` match. May be repeated
    #[arg(long, add = complete::targets(), value_name = "NAME|GLOB", env = "KASM_DB_TARGET", value_delimiter = ',')]
    pub(crate) target: Vec<String>,
    /// Use this installed tree instead of the document's targets
    #[arg(long, value_hint = ValueHint::DirPath, value_name = "DIR", conflicts_with_all = ["installer", "target"])]
    pub(crate) deployment: Option<PathBuf>,
    /// Use this unpacked installer instead of the document's targets
    #[arg(long, value_hint = ValueHint::DirPath, value_name = "DIR", conflicts_with = "target")]
    pub(crate) installer: Option<PathBuf>,
    /// Resolve absolute paths of targets below this folder, a copy of a host's files
    #[arg(long, value_hint = ValueHint::DirPath, value_name = "DIR", env = "KASM_DB_ROOT")]
    pub(crate) root: Option<PathBuf>,
    /// The folder that contains all documents; links and `extends` must not leave it [default: the Git work tree of the
    /// document, or its folder]
    #[arg(long, value_hint = ValueHint::DirPath, value_name = "DIR")]
    pub(crate) top: Option<PathBuf>,
    /// Override the named blocker. May be repeated
    #[arg(long, add = complete::blockers(), value_name = "NAME", value_delimiter = ',')]
    pub(crate) allow: Vec<String>,
    /// Do not show the named warning. May be repeated
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = ignorable())]
    pub(crate) ignore: Vec<Ignorable>,
    /// Show values and comments that are hidden by default
    #[arg(long)]
    pub(crate) show_secrets: bool,
    /// The number of lines around each change in a diff
    #[arg(long, value_name = "N", default_value_t = render::diff::CONTEXT, value_parser = whole_number::<usize>)]
    pub(crate) context: usize,
    /// When to use colours
    #[arg(long, value_name = "WHEN", default_value = "auto", env = "KASM_DB_COLOR")]
    pub(crate) color: Color,
    /// Print results and errors only: no warnings, diffs or progress
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print more: also files that are in sync or skipped
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Do not prompt; implied without a terminal
    #[arg(long)]
    pub(crate) no_input: bool,
    /// The number of seconds to wait for another run
    #[arg(long, value_name = "SECONDS", default_value_t = 0, env = "KASM_DB_LOCK_TIMEOUT", value_parser = seconds)]
    pub(crate) lock_timeout: u64,
    /// The number of targets to work on in parallel [default: one for each core, and 16 to write]
    #[arg(long, value_name = "N", env = "KASM_DB_JOBS", value_parser = jobs)]
    pub(crate) jobs: Option<u16>,
}

/// The same options, described once for the program and the command that is run.
#[derive(Debug)]
pub(crate) struct Common(pub(crate) Global);

impl Common {
    /// Returns the descriptions.
    pub(super) fn arguments() -> &'static [Arg] {
        static ARGUMENTS: OnceLock<Vec<Arg>> = OnceLock::new();
        ARGUMENTS.get_or_init(|| Global::augment_args(Command::default()).get_arguments().cloned().collect())
    }
}

impl Deref for Common {
    type Target = Global;

    fn deref(&self) -> &Global {
        &self.0
    }
}

impl DerefMut for Common {
    fn deref_mut(&mut self) -> &mut Global {
        &mut self.0
    }
}

impl Args for Common {
    fn augment_args(command: Command) -> Command {
        command.args(Self::arguments())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Global::augment_args_for_update(command)
    }
}

impl FromArgMatches for Common {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Global::from_arg_matches(matches).map(Self)
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, Error> {
        Global::from_arg_matches_mut(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }

    fn update_from_arg_matches_mut(&mut self, matches: &mut ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches_mut(matches)
    }
}

/// Reads the name of a warning that can be silenced.
fn ignorable() -> impl TypedValueParser<Value = Ignorable> {
    let values = Ignorable::ALL.iter().map(|one| PossibleValue::new(one.name()));
    let unknown = || "unknown warning".to_string();
    clap::builder::PossibleValuesParser::new(values)
        .try_map(move |name| Ignorable::find(&name).ok_or_else(unknown))
}
