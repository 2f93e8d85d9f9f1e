//! `kasm-db man`

use clap::CommandFactory;
use clap_mangen::Man;

use crate::args::{self, Cli};
use crate::exit::{Exit, Failure};
use crate::output::Terminal;

/// Prints the manual page, or writes one for each command.
pub(crate) fn run(args: &args::Man, terminal: &Terminal) -> Result<Exit, Failure> {
    let mut command = Cli::command();
    // Global options belong on every page.
    command.build();
    let Some(folder) = &args.folder else {
        terminal.bytes(&page(&command)?)?;
        return Ok(Exit::Done);
    };
    terminal.file(&folder.join("kasm-db.1"), &page(&command)?)?;
    for sub in command.get_subcommands() {
        // The display name is `kasm-db-plan`; the page takes it from there.
        let name = sub.get_display_name().unwrap_or(sub.get_name());
        terminal.file(&folder.join(format!("{name}.1")), &page(sub)?)?;
    }
    Ok(Exit::Done)
}

fn page(command: &clap::Command) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::new();
    // A page must not change with the day it was made on.
    let page = Man::new(command.clone()).date("").source("kasm-db").manual("kasm-db");
    page.render(&mut out).map_err(|error| Failure::new(Exit::Error, format!("the manual page: {error}")))?;
    Ok(out)
}
