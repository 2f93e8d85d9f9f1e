//! Whether what pgaudit logs gets into any log at all, as far as settings tell.

use model::{Code, DesiredState};

use super::{probe, setting};
use crate::check::{Check, Remedy, Subject};
use crate::facts::{Override, Server, Traced};

/// The levels of messages, from the least on, with the other name of one (PostgreSQL 15, `server_message_level_options`).
/// `log` has no place among them: see [`is_written`].
const LEVELS: &[&[&str]] = &[
    &["debug5"],
    &["debug4"],
    &["debug3"],
    &["debug2", "debug"],
    &["debug1"],
    &["info"],
    &["notice"],
    &["warning"],
    &["error"],
    &["fatal"],
    &["panic"],
];

/// Looks whether entries get into the log: at the settings that could keep every one out, and at the line that was written
/// to it; nothing if none is wanted.
pub(super) fn check(desired: &DesiredState, server: &Server) -> Option<Check> {
    if desired.classes().is_none_or(|classes| classes.classes().is_empty()) {
        return None;
    }
    let by_settings = settings(server);
    match &server.traced {
        Some(traced) if !by_settings.is_failure() => Some(match traced {
            Traced::Yes { log } => {
                Check::ok(Subject::Log, format!("it grows: a line that was written to it is in {log}"))
            }
            Traced::No { log, fault } => {
                let (why, fix) = probe::lost(log, fault.as_ref());
                Check::fail(Subject::Log, Code::ClassNotLogged, why, fix, Remedy::Hand)
            }
            Traced::Not(why) => probe::unmade(Subject::Log, why, desired),
        }),
        _ => Some(by_settings),
    }
}

/// Looks at the settings that could keep every entry out of the log.
fn settings(server: &Server) -> Check {
    let fail =
        |why: String, fix: String| Check::fail(Subject::Log, Code::ClassNotLogged, why, fix, Remedy::Hand);
    let known = |name: &str| server.setting(name).is_some();
    if known("log_destination") && server.text("log_destination").trim().is_empty() {
        return fail(
            "log_destination is empty: the server writes its log nowhere".into(),
            "set log_destination to `stderr`, `csvlog`, `jsonlog` or `syslog`".into(),
        );
    }
    // Without `log_client` the level of an entry is LOG, whatever `log_level` says (pgaudit 1.7, `log_audit_event`).
    let level = match server.text("pgaudit.log_client") {
        "on" => server.text("pgaudit.log_level"),
        _ => "log",
    };
    let least = server.text("log_min_messages");
    if known("log_min_messages") && !is_written(level, least) {
        return fail(
            format!("log_min_messages is `{least}`, which leaves entries of the level `{level}` out"),
            "set log_min_messages to `warning`; or, with `log_client`, remove `log_level`".into(),
        );
    }
    let others: Vec<&Override> =
        setting::of("log_min_messages", server).filter(|over| !is_written(level, &over.value)).collect();
    match others.first() {
        None => Check::ok(Subject::Log, format!("entries are logged: log_min_messages is `{least}`")),
        Some(first) => fail(
            format!("{} has log_min_messages = '{}', which leaves entries out", first.whom, first.value),
            setting::resets(&others),
        ),
    }
}

/// Returns whether a message of a level gets into the log (PostgreSQL 15, `is_log_level_output`): LOG counts as more
/// than an error, and less than what ends a session.
fn is_written(level: &str, least: &str) -> bool {
    let place =
        |name: &str| LEVELS.iter().position(|names| names.iter().any(|one| one.eq_ignore_ascii_case(name)));
    let (fatal, is_log) = (place("fatal"), |name: &str| name.eq_ignore_ascii_case("log"));
    match (place(level), place(least)) {
        (None, least) if is_log(level) => least.is_none() || least < fatal,
        (level @ Some(_), None) if is_log(least) => level >= fatal,
        (Some(level), Some(least)) => level >= least,
        // Nothing is said of what is not known.
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_compared_as_the_server_does() {
        for (level, least, written) in [
            ("log", "warning", true),
            ("log", "ERROR", true),
            ("log", "log", true),
            ("log", "fatal", false),
            ("log", "panic", false),
            ("notice", "warning", false),
            ("warning", "warning", true),
            ("notice", "debug", true),
            ("debug1", "debug2", true),
            ("debug3", "debug2", false),
            ("warning", "log", false),
            ("what", "ever", true),
        ] {
            assert_eq!(is_written(level, least), written, "{level} with {least}");
        }
    }
}
