//! kasm-db: config-as-code for the database of a Kasm Workspaces deployment.

mod args;
mod command;
mod disk;
mod document;
mod exit;
mod output;
mod target;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};
use crate::exit::Exit;
use crate::output::Terminal;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error).into(),
    };
    let terminal = Terminal::new(cli.global.color, cli.global.quiet);
    let outcome = match &cli.command {
        Command::Validate(args) => command::validate::run(args, &cli.global, &terminal),
        Command::Plan(args) => command::plan::run(args, &cli.global, &terminal),
        Command::Apply(args) => command::apply::run(args, &cli.global, &terminal),
        Command::Schema => command::schema::run(&terminal),
        Command::Completions(args) => command::completions::run(args, &terminal),
        Command::Man(args) => command::man::run(args, &terminal),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => {
            terminal.failure(&failure);
            failure.exit.into()
        }
    }
}

/// Prints clap's message. Its own exit code for a usage error is 2, which here means "differences".
fn usage(error: &clap::Error) -> Exit {
    let printed = error.print();
    match error.exit_code() {
        0 if printed.is_ok() => Exit::Done,
        0 => Exit::Error,
        _ => Exit::Usage,
    }
}
