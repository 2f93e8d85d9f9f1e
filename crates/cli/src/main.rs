//! kasm-db: config-as-code for the database of a Kasm Workspaces deployment.

mod args;
mod audit;
mod command;
mod disk;
mod document;
mod exit;
mod folder;
mod interrupt;
mod live;
mod output;
mod permissions;
mod recovery;
mod saved;
mod target;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Color, Command};
use crate::exit::Exit;
use crate::output::Terminal;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error).into(),
    };
    let terminal = Terminal::new(cli.global.color, cli.global.quiet);
    output::panic::report(terminal);
    interrupt::watch(terminal);
    #[cfg(debug_assertions)]
    break_if_told();
    let outcome = match &cli.command {
        Command::Validate(args) => command::validate::run(args, &cli.global, &terminal),
        Command::Plan(args) => command::plan::run(args, &cli.global, &terminal),
        Command::Apply(args) => command::apply::run(args, &cli.global, &terminal),
        Command::Show(args) => command::show::run(args, &cli.global, &terminal),
        Command::Recover => command::recover::run(&cli.global, &terminal),
        Command::History(args) => command::history::run(args, &cli.global, &terminal),
        Command::Rollback(args) => command::rollback::run(args, &cli.global, &terminal),
        Command::Import(args) => command::import::run(args, &cli.global, &terminal),
        Command::Audit(args) => command::audit::run(args, &cli.global, &terminal),
        Command::Explain(args) => command::explain::run(args, &terminal),
        Command::Render(args) => command::render::run(args, &cli.global, &terminal),
        Command::Status(args) => command::status::run(args, &cli.global, &terminal),
        Command::Verify(args) => command::verify::run(args, &cli.global, &terminal),
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

/// Breaks the program with a text that must not be printed; for tests, and not in releases.
#[cfg(debug_assertions)]
#[allow(clippy::panic, reason = "to panic is what it is for")]
fn break_if_told() {
    if let Some(text) = std::env::var_os("KASM_DB_TEST_PANIC") {
        panic!("{}", text.display());
    }
}

/// Prints clap's message. Its own exit code for a usage error is 2, which here means "differences".
fn usage(error: &clap::Error) -> Exit {
    let terminal = Terminal::new(Color::Auto, false);
    if error.exit_code() != 0 {
        terminal.note(&said(error));
        terminal.state(exit::state::NOTHING_CHANGED);
        return Exit::Usage;
    }
    // Help and version are results, with all that goes with one.
    match terminal.result(&said(error)) {
        Ok(()) => Exit::Done,
        Err(failure) => {
            terminal.failure(&failure);
            failure.exit
        }
    }
}

/// Gives clap's text. It repeats arguments and variables as they came, which in a pipeline may be the name that
/// somebody gave to a branch.
fn said(error: &clap::Error) -> String {
    let text = error.render();
    let (plain, styled) = (text.to_string(), text.ansi().to_string());
    let is_style = |part: &str| {
        let rest = part.strip_prefix('[').unwrap_or_default();
        rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m')
    };
    if plain.contains(output::is_unsafe) || !styled.split('\u{1b}').skip(1).all(is_style) {
        output::escape_lines(&plain)
    } else {
        styled
    }
}
