//! What came of the probe: whether a statement of each declared class is in the log.

use model::audit::{Class, ClassSet};
use model::{Code, DesiredState};

use crate::check::{Check, Remedy, Subject};
use crate::facts::{LogFault, Logged, NotRun, Probe, Server};
use crate::session::Unreachable;

/// Judges each declared class.
pub(super) fn checks(desired: &DesiredState, server: &Server) -> Vec<Check> {
    let classes = desired.classes().map(ClassSet::classes).unwrap_or_default();
    match &server.probe {
        None => Vec::new(),
        Some(Probe::Not(why)) => classes.iter().map(|class| not_run(*class, why, desired)).collect(),
        Some(Probe::Ran { log, classes, grows, fault }) => {
            let stands = (!grows).then_some(fault.as_ref());
            classes.iter().map(|(class, found)| ran(*class, found, log, stands)).collect()
        }
    }
}

/// Judges a class. `stands` is there if the log does not grow: why, if that can be seen.
fn ran(class: Class, found: &Logged, log: &str, stands: Option<Option<&LogFault>>) -> Check {
    let subject = Subject::Audit(class);
    match found {
        Logged::Yes => Check::ok(subject, format!("a statement of this class is in {log}")),
        Logged::Impossible => {
            Check::skip(subject, "the server is a standby, which runs no statement of this class")
        }
        Logged::Failed(why) => {
            let why = format!("the probe's statement failed: {why}");
            Check::unknown(subject, &why, "correct what the server says, and verify again")
        }
        Logged::No(_) if let Some(fault) = stands => {
            let (why, fix) = lost(log, fault);
            Check::fail(subject, Code::ClassNotLogged, why, fix, Remedy::Hand)
        }
        Logged::No(others) => {
            let but = match &others[..] {
                [] => String::new(),
                others => format!(" as such, but as {}", others.join(", ")),
            };
            let why = format!("a statement of this class was run, and is not in {log}{but}");
            let fix = "fix what fails above; if nothing does, check what `pgaudit.log` is for this user: other lines get into \
                       the log";
            Check::fail(subject, Code::ClassNotLogged, why, fix, Remedy::Hand)
        }
    }
}

fn not_run(class: Class, why: &NotRun, desired: &DesiredState) -> Check {
    unmade(Subject::Audit(class), why, desired)
}

/// Judges what was not run, or could not be looked for.
pub(super) fn unmade(subject: Subject, why: &NotRun, desired: &DesiredState) -> Check {
    match why {
        NotRun::NotLoaded => {
            let why = "no statement of this class is logged: pgaudit is not loaded";
            let fix = "load pgaudit: the check of the library says how";
            Check::fail(subject, Code::ClassNotLogged, why, fix, Remedy::Hand)
        }
        // The document wants it so.
        NotRun::Setting { name, why } if desired.settings().iter().any(|setting| setting.name == *name) => {
            Check::skip(subject, format!("{why}, as the document says"))
        }
        NotRun::Setting { name, why } => {
            let fix = format!("change {name}, or declare it in the document, or use `--no-probe`");
            Check::unknown(subject, why, fix)
        }
        NotRun::Failed(Unreachable { why, fix, .. }) => Check::unknown(subject, why, fix),
    }
}

/// Reports that the log does not grow, and what to do about it.
pub(super) fn lost(log: &str, fault: Option<&LogFault>) -> (String, String) {
    match fault {
        Some(LogFault { why, fix }) => (format!("what the server logs is not in {log}: {why}"), fix.clone()),
        None => (
            format!("what the server logs is not in {log}"),
            "run `SELECT pg_rotate_logfile();`, with which the server opens its log file again, and look whether the disk is \
             full"
                .into(),
        ),
    }
}
