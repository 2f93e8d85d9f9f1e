//! What was found out about running servers, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use crate::args::Global;
use crate::command::Whose;
use crate::command::status::{Files, Server, Since, Standing};
use crate::command::verify::Looked;
use crate::live::check::{Check, Verdict};
use crate::output::human::count;
use crate::output::{escape, json, secrets, style};

/// Additions raise the second number, anything else the first.
const VERSION: &str = "1.1";

/// Renders the checks of each target, and a line that sums them up.
pub(crate) fn verified(reports: &[(Whose, Looked)], global: &Global) -> String {
    let mut out = String::new();
    for (index, (whose, looked)) in reports.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let bold = style::BOLD;
        let _ = writeln!(out, "{bold}{}{bold:#}\n", escape(&whose.label()));
        match looked {
            Looked::Not(why) => {
                let _ = writeln!(out, "  {}  {why}", word(&Verdict::Skip));
            }
            Looked::Checked(checks) => {
                for check in checks.iter().filter(|check| !global.quiet || check.is_failure()) {
                    self::check(&mut out, check);
                }
                let _ = writeln!(out, "\n{}", summary(checks));
            }
        }
    }
    out
}

/// Renders what came of an apply: what could be seen in the log, what fails, and the sum.
pub(crate) fn after_apply(checks: &[Check]) -> String {
    let mut out = String::from("\n");
    for check in checks.iter().filter(|check| check.is_failure() || check.name.starts_with("audit ")) {
        self::check(&mut out, check);
    }
    let _ = writeln!(out, "{}", summary(checks));
    out
}

/// Renders one check: what it is, what was found, and what mends it.
pub(crate) fn check(out: &mut String, check: &Check) {
    let (name, says) = (escape(&check.name), one_line(&check.says));
    let _ = match &check.verdict {
        Verdict::Fail { code, fix, .. } => writeln!(
            out,
            "  {}  {name}: {says} [{}]\n        fix: {}",
            word(&check.verdict),
            code.id(),
            one_line(fix)
        ),
        verdict => writeln!(out, "  {}  {name}: {says}", word(verdict)),
    };
}

/// Sums checks up: `Verify: 12 ok, 1 FAIL, 0 skipped.`
pub(crate) fn summary(checks: &[Check]) -> String {
    let count = |test: &dyn Fn(&Verdict) -> bool| checks.iter().filter(|check| test(&check.verdict)).count();
    let failed = count(&|verdict| matches!(verdict, Verdict::Fail { .. }));
    let (ok, skipped) =
        (count(&|verdict| *verdict == Verdict::Ok), count(&|verdict| *verdict == Verdict::Skip));
    format!("Verify: {ok} ok, {failed} FAIL, {skipped} skipped.")
}

fn word(verdict: &Verdict) -> String {
    let (word, color) = match verdict {
        Verdict::Ok => ("ok  ", style::ADDED),
        Verdict::Skip => ("skip", style::DIM),
        Verdict::Fail { .. } => ("FAIL", style::ERROR),
    };
    format!("{color}{word}{color:#}")
}

/// What a server or Docker says may have several lines, and secrets.
fn one_line(text: &str) -> String {
    escape(&secrets::hide(text).replace('\n', " "))
}

#[derive(Serialize)]
struct Verified<'a> {
    format: &'static str,
    format_version: &'static str,
    targets: Vec<TargetChecks<'a>>,
}

#[derive(Serialize)]
struct TargetChecks<'a> {
    document: &'a str,
    name: &'a str,
    /// Why nothing was looked at.
    skipped: Option<&'a str>,
    checks: Vec<CheckRow<'a>>,
}

#[derive(Serialize)]
struct CheckRow<'a> {
    name: &'a str,
    result: &'static str,
    says: String,
    code: Option<&'static str>,
    fix: Option<String>,
}

/// Writes the checks of each target as JSON.
pub(crate) fn verified_json(reports: &[(Whose, Looked)]) -> String {
    let targets = reports.iter().map(|(whose, looked)| {
        let (skipped, checks) = match looked {
            Looked::Not(why) => (Some(*why), &[][..]),
            Looked::Checked(checks) => (None, &checks[..]),
        };
        TargetChecks {
            document: &whose.document,
            name: &whose.target,
            skipped,
            checks: checks.iter().map(row).collect(),
        }
    });
    json::print(&Verified { format: "kasm-db/verify", format_version: VERSION, targets: targets.collect() })
}

fn row(check: &Check) -> CheckRow<'_> {
    let (result, code, fix) = match &check.verdict {
        Verdict::Ok => ("ok", None, None),
        Verdict::Skip => ("skip", None, None),
        Verdict::Fail { code, fix, .. } => ("fail", Some(code.id()), Some(secrets::hide(fix))),
    };
    CheckRow { name: &check.name, result, says: secrets::hide(&check.says), code, fix }
}

/// Renders a line for each target.
pub(crate) fn standings(standings: &[(Whose, Standing)], global: &Global) -> String {
    let width = standings.iter().map(|(whose, _)| whose.label().chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for (whose, standing) in standings {
        let files = match &standing.files {
            Files::InSync => format!("{0}files in sync{0:#}", style::ADDED),
            Files::Differ { changes, files, since } => format!(
                "{0}files differ{0:#}: {1} in {2} ({3})",
                style::CHANGED,
                count(*changes, "value", "values"),
                count(*files, "file", "files"),
                words(*since)
            ),
            Files::Blocked { why, .. } => format!("{0}files blocked{0:#}: {1}", style::ERROR, one_line(why)),
        };
        let server = match &standing.server {
            Server::InSync => format!("{0}server in sync{0:#}", style::ADDED),
            Server::NotAsked(why) => format!("{0}server not asked{0:#}: {why}", style::DIM),
            Server::Unreachable(why) => {
                format!("{0}server unreachable{0:#}: {1}", style::ERROR, one_line(why))
            }
            Server::RestartPending(names) => {
                format!("{0}restart pending{0:#}: {1}", style::CHANGED, one_line(&names.join(", ")))
            }
            Server::Differs(names) => {
                format!("{0}server differs{0:#}: {1}", style::CHANGED, one_line(&names.join(", ")))
            }
        };
        let pending = match standing.pending {
            Some(step) => {
                format!(
                    "; {0}an apply is not finished{0:#}: its step `{step}` is next, `kasm-db recover` goes on",
                    style::CHANGED
                )
            }
            None => String::new(),
        };
        let _ = writeln!(out, "{:width$}  {files}{pending}; {server}", escape(&whose.label()));
    }
    let differs = |standing: &Standing| !matches!(standing.server, Server::InSync | Server::NotAsked(_));
    if !global.quiet && standings.iter().any(|(_, standing)| differs(standing)) {
        let _ = writeln!(out, "\n`kasm-db verify` says why, and what mends it.");
    }
    out
}

/// Says what a difference comes from.
fn words(since: Since) -> &'static str {
    match since {
        Since::NeverApplied => "never applied",
        Since::DocumentAhead => "the document is ahead",
        Since::ChangedOutside => "changed outside since the last apply",
    }
}

#[derive(Serialize)]
struct Status<'a> {
    format: &'static str,
    format_version: &'static str,
    targets: Vec<StandingRow<'a>>,
}

#[derive(Serialize)]
struct StandingRow<'a> {
    document: &'a str,
    name: &'a str,
    files: FilesRow,
    /// The step of an apply that is not finished.
    pending: Option<&'static str>,
    server: ServerRow<'a>,
}

#[derive(Serialize)]
struct FilesRow {
    state: &'static str,
    changes: usize,
    files: usize,
    why: Option<String>,
}

#[derive(Serialize)]
struct ServerRow<'a> {
    state: &'static str,
    failed: &'a [String],
    why: Option<String>,
}

/// Writes how each target stands as JSON.
pub(crate) fn standings_json(standings: &[(Whose, Standing)]) -> String {
    let targets = standings.iter().map(|(whose, standing)| StandingRow {
        document: &whose.document,
        name: &whose.target,
        files: match &standing.files {
            Files::InSync => FilesRow { state: "in_sync", changes: 0, files: 0, why: None },
            Files::Differ { changes, files, since } => FilesRow {
                state: "differ",
                changes: *changes,
                files: *files,
                why: Some(words(*since).into()),
            },
            Files::Blocked { why, .. } => {
                FilesRow { state: "blocked", changes: 0, files: 0, why: Some(secrets::hide(why)) }
            }
        },
        pending: standing.pending,
        server: match &standing.server {
            Server::InSync => ServerRow { state: "in_sync", failed: &[], why: None },
            Server::NotAsked(why) => {
                ServerRow { state: "not_asked", failed: &[], why: Some((*why).to_string()) }
            }
            Server::Unreachable(why) => {
                ServerRow { state: "unreachable", failed: &[], why: Some(secrets::hide(why)) }
            }
            Server::RestartPending(names) => ServerRow { state: "restart_pending", failed: names, why: None },
            Server::Differs(names) => ServerRow { state: "differs", failed: names, why: None },
        },
    });
    json::print(&Status { format: "kasm-db/status", format_version: VERSION, targets: targets.collect() })
}
