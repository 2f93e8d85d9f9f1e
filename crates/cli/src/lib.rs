//! The program `kasm-db`, as a library: arguments in, output and an exit code out.
//!
//! [`main`] reads the arguments and the environment, starts the thread that waits for signals, and runs one command. What a
//! command does is in [`ops`]; this crate makes a [`Selection`](ops::Selection) of the arguments, puts results, events and
//! errors into words, and maps how the run ended to an exit code.
//!
//! # Limitations
//! - Only `main` is for others. Programs that do the same without a terminal use [`ops`].

mod args;
mod choices;
mod command;
mod complete;
mod exit;
mod open_files;
mod output;
#[doc(hidden)]
pub mod parts;
mod signals;
mod usage;

use std::process::ExitCode;

use clap_complete::CompleteEnv;
use live::Environment;
use ops::{Error, Outcome, Progress};

use crate::args::Command;
use crate::command::Setting;
use crate::exit::Exit;
use crate::output::Terminal;

/// Runs the program: reads the command line, prints to the standard streams, and gives the exit code.
#[must_use]
pub fn main() -> ExitCode {
    // A shell that completes gets its answer on standard output, and nothing else.
    let completer = CompleteEnv::with_factory(args::definition).var(complete::VARIABLE);
    match completer.try_complete(std::env::args_os(), std::env::current_dir().ok().as_deref()) {
        Ok(false) => {}
        Ok(true) => return Exit::from(Outcome::Done).into(),
        Err(error) => return usage::tell(&error).into(),
    }
    if let Some(exit) = usage::version() {
        return exit.into();
    }
    let cli = match args::parse() {
        Ok(cli) => cli,
        Err(error) => return usage::tell(&error).into(),
    };
    let terminal = Terminal::new(cli.global.color, cli.global.quiet, cli.command.can_write());
    let terminal = if cli.command.is_module() { terminal.silent() } else { terminal };
    // A result must not be written to begin with where it would destroy something.
    let outputs = match cli.command.check_outputs(&cli.global) {
        Ok(outputs) => outputs,
        Err(error) => {
            terminal.error(&error);
            return Exit::from(&error).into();
        }
    };
    let progress = Progress::default();
    let results = cli.command.results(terminal, cli.global.detail(), &outputs);
    output::panic::report(terminal, progress.clone(), results.clone());
    signals::watch(terminal, progress.clone(), results.clone());
    #[cfg(debug_assertions)]
    break_if_told();
    let environment = Environment::of(std::env::vars_os());
    terminal.may_show_progress(cli.command.leaves_output_alone(), &environment);
    let shows_repeated = matches!(cli.command, Command::Validate(_) | Command::Plan(_));
    let setting = Setting {
        terminal,
        progress,
        environment,
        global: cli.global.0,
        results,
        shows_repeated,
        said: std::sync::Mutex::default(),
        text: None,
        restart: None,
        outputs,
    };
    let outcome = run(&cli.command, &setting).unwrap_or_else(|error| {
        let error = setting.progress.of_result(error);
        setting.error(&error);
        error.kind
    });
    setting.progress.over();
    terminal.bar.end();
    let outcome = setting.results.end(outcome, |error| {
        let error = setting.progress.of_result(error);
        terminal.error(&error);
        error
    });
    Exit::from(outcome).into()
}

fn run(command: &Command, setting: &Setting) -> Result<Outcome, Error> {
    open_files::require()?;
    match command {
        Command::Validate(args) => command::validate::run(args, setting),
        Command::Plan(args) => command::plan::run(args, setting),
        Command::Ansible(args) => command::ansible::run(args, setting),
        Command::Apply(args) => command::apply::run(args, setting),
        Command::Show(args) => command::show::run(args, setting),
        Command::Recover(args) => command::recover::run(args, setting),
        Command::History(_) => command::history::run(setting),
        Command::Rollback(args) => command::rollback::run(args, setting),
        Command::Forget(args) => command::forget::run(args, setting),
        Command::Import(args) => command::import::run(args, setting),
        Command::Audit(args) => command::audit::run(args, setting),
        Command::Explain(args) => command::explain::run(args, setting),
        Command::Render(args) => command::render::run(args, setting),
        Command::Build(args) => command::build::run(args, setting),
        Command::Status(args) => command::status::run(args, setting),
        Command::Verify(args) => command::verify::run(args, setting),
        Command::Resolve(_) => command::resolve::run(setting),
        Command::UpgradePlan(args) => command::upgrade_plan::run(args, setting),
        Command::Inspect(args) => command::inspect::run(args, setting),
        Command::Schema(args) => command::schema::run(args, setting),
        Command::Completions(args) => command::completions::run(args, &setting.terminal),
        Command::Man(args) => command::man::run(args, &setting.terminal),
        Command::Version(_) => command::version::run(&setting.terminal),
    }
}

/// Breaks the program with a text that must not be printed; for tests, and not in releases.
#[cfg(debug_assertions)]
#[allow(clippy::panic, reason = "to panic is what it is for")]
fn break_if_told() {
    if let Some(text) = std::env::var_os("KASM_DB_TEST_PANIC") {
        panic!("{}", text.display());
    }
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
