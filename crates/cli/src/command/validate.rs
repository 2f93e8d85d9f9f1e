//! `kasm-db validate`

use crate::args::{Global, ReportFormat, Validate};
use crate::document::load;
use crate::exit::{Exit, Failure};
use crate::output::human::count;
use crate::output::{Terminal, escape, json};

/// Checks the document, and nothing else.
pub(crate) fn run(args: &Validate, global: &Global, terminal: &Terminal) -> Result<Exit, Failure> {
    let loaded = load(global.file.as_deref())?;
    let diagnostics = &loaded.reading.diagnostics;
    let errors = diagnostics.iter().filter(|d| d.is_error()).count();
    match args.format {
        ReportFormat::Json => terminal.result(&json::report(&loaded.name, diagnostics))?,
        ReportFormat::Human => {
            let desired = super::desired(&loaded, terminal);
            let warnings = diagnostics.len() - errors;
            let name = escape(&loaded.name);
            let warnings = count(warnings, "warning", "warnings");
            let text = match desired {
                Ok(_) => format!("{name}: valid, {warnings}\n"),
                Err(_) => format!("{name}: {}, {warnings}\n", count(errors, "error", "errors")),
            };
            terminal.result(&text)?;
        }
    }
    Ok(if errors == 0 { Exit::Done } else { Exit::Invalid })
}
