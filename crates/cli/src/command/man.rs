//! `kasm-db man`

use clap::CommandFactory;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use commit::reason;
use ops::{Error, Outcome};

use crate::args::{self, Cli};
use crate::exit;
use crate::output::Terminal;

/// Prints the manual page, or writes one for each command.
pub(crate) fn run(args: &args::Man, terminal: &Terminal) -> Result<Outcome, Error> {
    let mut command = Cli::command();
    // Global options belong on every page.
    command.build();
    let Some(folder) = &args.folder else {
        terminal.bytes(&page(&command)?)?;
        return Ok(Outcome::Done);
    };
    terminal.file(&folder.join("kasm-db.1"), &page(&command)?)?;
    for sub in command.get_subcommands() {
        // The display name is `kasm-db-plan`; the page takes it from there.
        let name = sub.get_display_name().unwrap_or(sub.get_name());
        terminal.file(&folder.join(format!("{name}.1")), &page(sub)?)?;
    }
    Ok(Outcome::Done)
}

fn page(command: &clap::Command) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    // The exit codes have a section of their own.
    let command = command.clone().after_help(None::<&str>);
    // A page must not change with the day it was made on.
    let page = Man::new(command).date("").source("kasm-db").manual("kasm-db");
    let failed = |error: std::io::Error| Error::failed(format!("the manual page: {}", reason(&error)));
    page.render(&mut out).map_err(failed)?;
    exit_status().to_writer(&mut out).map_err(failed)?;
    Ok(out)
}

/// Returns the section of the exit codes, which man-pages(7) calls so.
fn exit_status() -> Roff {
    let mut section = Roff::new();
    section.control("SH", ["EXIT STATUS"]);
    for row in exit::TABLE {
        section.control("TP", []);
        section.text([bold(row.code.to_string())]);
        section.text([roman(row.meaning)]);
    }
    section.control("PP", []);
    section.text([roman(exit::severity())]);
    section
}
