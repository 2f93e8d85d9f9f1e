//! Lines that no server starts with.

use model::postgres::{self, Context};
use model::{Code, Diagnostic};
use pgconf::{Assignment, ProblemKind};

use super::reading::{MAX, NextStart};
use crate::reconcile::{PRELOAD, in_force_at, is_name, location};

/// Settings that name something in a database: a session looks for it, and a server that starts cannot.
const OF_A_DATABASE: &[&str] = &[
    "default_table_access_method",
    "default_tablespace",
    "default_text_search_config",
    "role",
    "session_authorization",
    "temp_tablespaces",
];

/// A line that the running server does not take, as `pg_file_settings` has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefusedLine {
    /// The setting's name in lower case; empty for a line that is not one of a setting.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The file, by the path that the server has for it.
    pub file: String,
    /// Its number.
    pub line: usize,
    /// What the server has against it.
    pub error: String,
}

/// Finds lines that keep a server from starting.
pub(super) fn check(next: &NextStart<'_>) -> Vec<Diagnostic> {
    let findings = problems(next).into_iter().chain(unknown(next)).chain(refused(next));
    findings.chain(preload(next)).collect()
}

/// Finds them among those that the running server does not take.
pub(super) fn refused_by_server(next: &NextStart<'_>, lines: &[RefusedLine]) -> Vec<Diagnostic> {
    let is_known = |name: &str| next.known_major().and_then(|major| postgres::lookup(name, major));
    let finding = |line: &RefusedLine| {
        let error = line.error.escape_debug().to_string();
        if line.name.is_empty() {
            // The target's own files may be others by now, and were read here.
            let is_here = line.file.is_empty() || next.is_own(&line.file);
            let message = format!("the server would not start: {error}");
            let finding = Diagnostic::error(Code::WouldNotStart, message);
            let at = model::Location { path: line.file.clone(), span: 0..0, line: line.line, column: 1 };
            return (!is_here).then(|| finding.at(at).help(next.way_out(&line.file, line.line, None)));
        }
        // One that waits for a start says the same as one that is wrong, and of an extension's the server only warns.
        let row = is_known(&line.name)?;
        let counts = next.value(&line.name).is_some_and(|next| next.value == line.value.as_bytes());
        if row.context == Context::Postmaster || !counts || OF_A_DATABASE.contains(&row.name) {
            return None;
        }
        let message = format!("the server would not start: it refuses the value of `{}`", row.name);
        Some(next.of_setting(row.name, Diagnostic::error(Code::WouldNotStart, message)))
    };
    lines.iter().filter_map(finding).take(MAX).collect()
}

fn problems(next: &NextStart<'_>) -> Vec<Diagnostic> {
    let auto = next.conf.auto.iter().flat_map(|auto| auto.problems().iter().map(move |p| (auto, p)));
    let all = next.conf.set.problems().iter().map(|problem| (&next.conf.set, problem)).chain(auto);
    let fatal = all.filter(|(_, problem)| problem.kind.is_fatal()).take(MAX);
    let finding = |(set, problem): (&pgconf::ConfSet, &pgconf::Problem)| {
        let bytes = set.files().find(|(path, _)| *path == problem.path).map(|(_, conf)| conf.bytes());
        let here = next.conf.here(&problem.path);
        let at = model::Location::new(here, bytes.unwrap_or_default(), problem.span.clone());
        let what = match &problem.kind {
            ProblemKind::Syntax(_) => "a syntax error".into(),
            ProblemKind::EmptyName => "an include without a name".into(),
            ProblemKind::Missing(file) | ProblemKind::MissingFolder(file) => {
                format!("{file}, which is included, is missing")
            }
            ProblemKind::Recursion(file) => format!("{file} includes itself"),
            ProblemKind::TooDeep(file) => format!("{file} is included more than ten levels deep"),
            _ => "there is more in it than a server reads".into(),
        };
        let message = format!("the server would not start: {what}");
        let help = next.way_out(&problem.path, problem.line, None);
        Diagnostic::error(Code::WouldNotStart, message).at(at).help(help)
    };
    fatal.map(finding).collect()
}

fn unknown(next: &NextStart<'_>) -> Vec<Diagnostic> {
    let Some(major) = next.known_major() else { return Vec::new() };
    let is_unknown = |assignment: &Assignment<'_>| {
        let name = String::from_utf8_lossy(assignment.name());
        !name.contains('.') && postgres::lookup(&name, major).is_none()
    };
    let finding = |assignment: Assignment<'_>| {
        let name = String::from_utf8_lossy(assignment.name()).escape_debug().to_string();
        let message = format!("the server would not start: PostgreSQL {major} has no setting `{name}`");
        Diagnostic::error(Code::WouldNotStart, message)
            .at(location(&next.conf, assignment))
            // `ALTER SYSTEM` does not know it either.
            .help(next.way_out(assignment.path, assignment.entry.line, None))
    };
    next.assignments().filter(is_unknown).take(MAX).map(finding).collect()
}

/// Finds values that a server refuses when it starts: of each setting the one that counts.
fn refused(next: &NextStart<'_>) -> Vec<Diagnostic> {
    let Some(major) = next.known_major() else { return Vec::new() };
    let mut names: Vec<&str> = Vec::new();
    for assignment in next.assignments() {
        let row = postgres::lookup(&String::from_utf8_lossy(assignment.name()), major);
        names.extend(row.map(|row| row.name));
    }
    names.sort_unstable();
    names.dedup();
    let finding = |name: &str| {
        let row = postgres::lookup(name, major)?;
        let at = in_force_at(name, next.major, next.observed, &next.conf)?;
        let why = match postgres::check(row, &at.value, major) {
            _ if row.context == Context::Internal => "no file can set it".to_string(),
            Err(error) => error.to_string(),
            Ok(()) => return None,
        };
        let message = format!("the server would not start: `{name}`: {why}");
        Some(next.of_setting(name, Diagnostic::error(Code::WouldNotStart, message)))
    };
    names.into_iter().filter_map(finding).take(MAX).collect()
}

/// Finds a name in the preload list that cannot be one of a library. A list that cannot be split lets a server start,
/// and loads nothing.
fn preload(next: &NextStart<'_>) -> Option<Diagnostic> {
    let at = next.value(PRELOAD)?;
    let items = pgconf::split_libraries(&at.value)?;
    let bad = items.iter().find(|item| !is_name(item))?;
    let bad = String::from_utf8_lossy(bad).escape_debug().to_string();
    let message =
        format!("the server would not start: {PRELOAD} has `{bad}`, which is not the name of a library");
    Some(next.of_setting(PRELOAD, Diagnostic::error(Code::WouldNotStart, message)))
}
