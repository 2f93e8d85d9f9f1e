//! `kasm-db validate`

use crate::args::{Global, ReportFormat, Validate};
use crate::document::{Loaded, Parents, documents, lacks_only_keys, load};
use crate::exit::{Exit, Failure};
use crate::output::human::count;
use crate::output::{Terminal, escape, json};

/// Checks documents, and nothing else.
///
/// Each is forgotten before the next one is read, so that a thousand take no more memory than one.
pub(crate) fn run(args: &Validate, global: &Global, terminal: &Terminal) -> Result<Exit, Failure> {
    let named = documents(global)?;
    let mut totals = Totals::default();
    let mut reports = json::Reports::default();
    let report = |loaded: &Loaded, totals: &mut Totals, reports: &mut json::Reports| -> Result<(), Failure> {
        let errors = totals.add(loaded);
        match args.format {
            ReportFormat::Json => reports.add(&loaded.name, &loaded.reading.diagnostics),
            ReportFormat::Human => show(loaded, errors, named.len() > 1, terminal)?,
        }
        Ok(())
    };
    // A parent may lack what its children bring; whether it is one is known when all have been read.
    let (mut waiting, mut parents) = (Vec::new(), Parents::default());
    for one in &named {
        let loaded = match load(one) {
            Ok(loaded) => loaded,
            Err(failure) if named.len() > 1 => {
                terminal.failure(&failure);
                totals.exit = totals.exit.worse(failure.exit);
                totals.documents += 1;
                totals.unread += 1;
                reports.unread(&one.path.display().to_string(), &failure.message);
                continue;
            }
            Err(failure) => return Err(failure),
        };
        parents.of(&loaded);
        if lacks_only_keys(one, &loaded) {
            waiting.push(one);
        } else {
            report(&loaded, &mut totals, &mut reports)?;
        }
    }
    for one in waiting {
        if parents.has(one) {
            totals.documents += 1;
        } else {
            report(&load(one)?, &mut totals, &mut reports)?;
        }
    }
    match args.format {
        ReportFormat::Json => terminal.result(&reports.finish())?,
        ReportFormat::Human if named.len() > 1 => terminal.result(&totals.line())?,
        ReportFormat::Human => {}
    }
    Ok(totals.exit)
}

/// What all documents came to.
struct Totals {
    exit: Exit,
    documents: usize,
    invalid: usize,
    /// Those that could not be read at all.
    unread: usize,
    warnings: usize,
}

impl Default for Totals {
    fn default() -> Self {
        Self { exit: Exit::Done, documents: 0, invalid: 0, unread: 0, warnings: 0 }
    }
}

impl Totals {
    /// Counts a document; gives the number of its errors.
    fn add(&mut self, loaded: &Loaded) -> usize {
        let errors = loaded.reading.diagnostics.iter().filter(|d| d.is_error()).count();
        self.documents += 1;
        self.warnings += loaded.reading.diagnostics.len() - errors;
        if errors > 0 {
            self.invalid += 1;
            self.exit = self.exit.worse(Exit::Invalid);
        }
        errors
    }

    fn line(&self) -> String {
        let documents = count(self.documents, "document", "documents");
        let warnings = count(self.warnings, "warning", "warnings");
        let unread = if self.unread > 0 { format!("{} not read, ", self.unread) } else { String::new() };
        match self.invalid {
            0 if self.exit == Exit::Done => format!("{documents}: all valid, {warnings}\n"),
            invalid => format!("{documents}: {unread}{invalid} with errors, {warnings}\n"),
        }
    }
}

fn show(loaded: &Loaded, errors: usize, several: bool, terminal: &Terminal) -> Result<(), Failure> {
    let valid = super::desired(loaded, terminal).is_ok();
    let name = escape(&loaded.name);
    let warnings = count(loaded.reading.diagnostics.len() - errors, "warning", "warnings");
    // Beyond that many nothing more is said, and it would be wrong to call them all.
    let more = if errors >= model::MAX_DIAGNOSTICS { " or more" } else { "" };
    match valid {
        true if several && terminal.quiet => Ok(()),
        true => terminal.result(&format!("{name}: valid, {warnings}\n")),
        false => {
            terminal.result(&format!("{name}: {}{more}, {warnings}\n", count(errors, "error", "errors")))
        }
    }
}
