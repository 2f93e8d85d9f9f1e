//! One setting: what the running server has, what set it, and what to do about it.

use std::borrow::Cow;

use model::{Code, DesiredSetting};

use super::fixes::{APPLY, RESTART, RIGHTS};
use crate::check::{Check, Fact, Remedy, Source, Subject};
use crate::facts::{ConfState, Override, Server, Setting};

/// How many characters of a value are shown.
const LENGTH: usize = 500;

/// Looks at a setting of the document.
pub(super) fn check(wanted: &DesiredSetting, server: &Server) -> Check {
    let same = |value: &str| server.is_same(wanted, value);
    effective(&wanted.name, &wanted.value, &same, server)
}

/// Looks at the value that counts in a new session, and in those of other users; with both values beside each other.
pub(super) fn effective(name: &str, wanted: &str, same: &dyn Fn(&str) -> bool, server: &Server) -> Check {
    let check = in_force(name, wanted, same, server);
    let now = server.setting(name);
    check.compared(wanted, now.map(actual)).set_by(now.map(source))
}

/// Returns the value that is there, as `SHOW` has it.
fn actual(now: &Setting) -> Fact {
    Fact::Text(if now.shown.is_empty() { &now.value } else { &now.shown }.clone())
}

fn source(now: &Setting) -> Source {
    let is_file = !now.file.is_empty();
    Source {
        kind: now.source.clone(),
        file: is_file.then(|| now.file.clone()),
        line: is_file.then_some(now.line),
    }
}

fn in_force(name: &str, wanted: &str, same: &dyn Fn(&str) -> bool, server: &Server) -> Check {
    let subject = Subject::Setting(name.to_string());
    let Some(now) = server.setting(name) else {
        if !server.superuser && !name.contains('.') {
            return Check::unknown(subject, &format!("it is not shown to {}", server.user), RIGHTS);
        }
        let (why, fix) = match name.split_once('.') {
            Some((library, _)) => (
                format!("the server does not know it: {library} is not loaded"),
                format!(
                    "load {library} with `preload: {{libraries: [{library}]}}`; the check of the library says more"
                ),
            ),
            None => (
                "the server does not know it".to_string(),
                "check the name and the PostgreSQL major".to_string(),
            ),
        };
        return Check::fail(subject, Code::NotEffective, why, fix, Remedy::Hand);
    };
    let fail = |code, why: String, fix: String, remedy| Check::fail(subject.clone(), code, why, fix, remedy);
    let shown = shown(now);
    if same(&now.value) || same(&now.shown) {
        let stays = server.last_line(name).is_some_and(|next| same(&next.value));
        if server.waits(name) && !stays {
            let (next, fix) = next_start(name, server);
            return fail(
                Code::NextStartDiffers,
                format!("it is {shown}, and {next} after a restart"),
                fix,
                Remedy::Hand,
            );
        }
        if let Some(next) = after_a_reload(name, now, same, server) {
            let (why, fix) = next;
            return fail(
                Code::NextStartDiffers,
                format!("it is {shown}, and {why} after a reload"),
                fix,
                Remedy::Hand,
            );
        }
        // For other users something else may count.
        let others: Vec<&Override> = of(name, server).filter(|over| !same(&over.value)).collect();
        if let Some(first) = others.first() {
            let why = format!(
                "it is {shown} here, but {} has '{}'{}",
                first.whom,
                brief(&first.value),
                more(&others)
            );
            return fail(Code::Overridden, why, resets(&others), Remedy::Hand);
        }
        if let Some(check) = for_others(&subject, name, now, same, server) {
            return check;
        }
        if let Err(unknown) = &server.overrides {
            let why = "what is set for roles and databases cannot be seen";
            return Check::unknown(subject, &format!("it is {shown}{}; {why}: {unknown}", by(now)), RIGHTS);
        }
        return Check::ok(subject, format!("{shown}{}", by(now)));
    }
    if let Some(why) = veiled(name, now)
        && let Some(check) = by_line(&subject, why, name, same, server)
    {
        return check;
    }
    let is = format!("it is {shown}, not '{wanted}'");
    if server.waits(name) {
        if server.lines.is_ok() && !server.last_line(name).is_some_and(|next| same(&next.value)) {
            let (next, fix) = next_start(name, server);
            return fail(
                Code::NextStartDiffers,
                format!("{is}, nor after a restart: then {next}"),
                fix,
                Remedy::Hand,
            );
        }
        let why = format!("{is}: the file's value takes effect after a restart");
        return fail(Code::RestartPending, why, RESTART.into(), Remedy::Restart);
    }
    match now.source.as_str() {
        "database" | "user" | "database user" | "global" => {
            let others: Vec<&Override> = of(name, server).filter(|over| !same(&over.value)).collect();
            let whom = others.first().map_or("a role or a database", |over| over.whom.as_str());
            fail(
                Code::Overridden,
                format!("{is}, because it is set for {whom}"),
                resets(&others),
                Remedy::Hand,
            )
        }
        "command line" => fail(
            Code::Overridden,
            format!("{is}, because the command line sets it"),
            format!(
                "remove `-c {name}=…` from the service's `command:` in the compose file, and recreate the container"
            ),
            Remedy::Hand,
        ),
        "environment variable" => fail(
            Code::Overridden,
            format!("{is}, because an environment variable of the server sets it"),
            "remove the variable from the service's `environment:`, and recreate the container".into(),
            Remedy::Hand,
        ),
        "client" | "session" => match server.last_line(name) {
            None => {
                let why = format!("the session that asks sets it itself, to {shown}, and no file sets it");
                fail(Code::NotEffective, why, APPLY.into(), Remedy::Hand)
            }
            Some(line) => {
                let why = format!("{}:{} has '{}', not '{wanted}'", line.file, line.line, line.value);
                fail(Code::NotEffective, why, APPLY.into(), Remedy::Hand)
            }
        },
        "configuration file" => of_file(&subject, name, &is, now, same, server),
        _ => not_from_file(&subject, name, &is, same, server),
    }
}

/// Returns what a reload would make of a setting that is right now, and how that is taken back; `None` if it stays as it is.
fn after_a_reload(
    name: &str,
    now: &Setting,
    same: &dyn Fn(&str) -> bool,
    server: &Server,
) -> Option<(String, String)> {
    // What overrides the files does so after a reload, too.
    let is_of_files = matches!(now.source.as_str(), "configuration file" | "default");
    if !is_of_files || server.lines.is_err() || server.waits(name) {
        return None;
    }
    let is_right = match server.last_line(name) {
        // What the server does not take changes nothing, and is a failure of its own.
        Some(next) => same(&next.value) || !next.error.is_empty(),
        None => now.source == "default" || same(&now.boot),
    };
    (!is_right).then(|| next_start(name, server))
}

/// Returns what the next start makes of a setting that waits for it, and how that is taken back.
fn next_start(name: &str, server: &Server) -> (String, String) {
    let Some(next) = server.last_line(name) else {
        return ("no file sets it".into(), APPLY.into());
    };
    let fix = match next.file.ends_with("/postgresql.auto.conf") {
        true => format!("run `ALTER SYSTEM RESET {name}; SELECT pg_reload_conf();` in psql"),
        false => APPLY.into(),
    };
    (format!("'{}' by {}:{}", brief(&next.value), next.file, next.line), fix)
}

/// Returns why what the server shows of a setting is not the value that it has.
fn veiled(name: &str, now: &Setting) -> Option<&'static str> {
    match now.source.as_str() {
        "client" | "session" => Some("the session that asks sets it itself"),
        // `wal_buffers = -1`
        "override" if now.vartype == "integer" => Some("the server works the number out itself"),
        "configuration file" if now.shown == "(disabled)" => Some("it has no effect as other settings are"),
        "configuration file" if name.starts_with("tcp_keepalives_") || name == "tcp_user_timeout" => {
            Some("what is shown is this connection's")
        }
        _ => None,
    }
}

/// Looks at what sessions of other users and databases have, where this one has the value by its own user or
/// database, or by itself; `None` where they have the same.
fn for_others(
    subject: &Subject,
    name: &str,
    now: &Setting,
    same: &dyn Fn(&str) -> bool,
    server: &Server,
) -> Option<Check> {
    if !matches!(now.source.as_str(), "database" | "user" | "database user" | "client" | "session") {
        return None;
    }
    let here = format!("it is {} here{}", shown(now), by(now));
    let elsewhere = match (&server.lines, server.last_line(name)) {
        (Err(unknown), _) => {
            let why = format!("{here}; what others have cannot be seen: {unknown}");
            return Some(Check::unknown(subject.clone(), &why, RIGHTS));
        }
        (Ok(_), Some(line)) if same(&line.value) && line.error.is_empty() => return None,
        (Ok(_), Some(line)) => format!("{}:{} has '{}'", line.file, line.line, line.value),
        (Ok(_), None) if same(&now.boot) => return None,
        // The default of some is not fixed: `client_encoding` is the database's.
        (Ok(_), None) if matches!(now.source.as_str(), "client" | "session") => "no file sets it".into(),
        (Ok(_), None) => format!("no file sets it, so that it is '{}'", now.boot),
    };
    let why = format!("{here}, but for others {elsewhere}");
    Some(Check::fail(subject.clone(), Code::NotEffective, why, APPLY, Remedy::Hand))
}

/// Judges by the line of the files that counts; `None` where that is not what is wanted either.
fn by_line(
    subject: &Subject,
    why: &str,
    name: &str,
    same: &dyn Fn(&str) -> bool,
    server: &Server,
) -> Option<Check> {
    match (&server.lines, server.last_line(name)) {
        (Err(unknown), _) => {
            let why = format!("{why}, and the files cannot be seen: {unknown}");
            Some(Check::unknown(subject.clone(), &why, RIGHTS))
        }
        (Ok(_), Some(line)) if same(&line.value) && line.error.is_empty() => Some(Check::ok(
            subject.clone(),
            format!("'{}', by {}:{}; {why}", line.value, line.file, line.line),
        )),
        _ => None,
    }
}

/// Looks at a setting that no file may set.
pub(super) fn unset(name: &str, server: &Server) -> Check {
    let check = is_unset(name, server);
    let now = server.setting(name);
    Check { actual: now.map(actual), ..check.set_by(now.map(source)) }
}

fn is_unset(name: &str, server: &Server) -> Check {
    let subject = Subject::Unset(name.to_string());
    match server.setting(name) {
        Some(now) if server.waits(name) && server.last_line(name).is_none() => {
            let why = format!("it is {} until a restart", shown(now));
            Check::fail(subject, Code::RestartPending, why, RESTART, Remedy::Restart)
        }
        Some(now) if now.source == "configuration file" => match server.last_line(name) {
            None if server.lines.is_ok() => {
                let why = format!("it is {}, although no file sets it any longer", shown(now));
                Check::fail(
                    subject,
                    Code::NotEffective,
                    why,
                    "run `SELECT pg_reload_conf();`",
                    Remedy::Reload,
                )
            }
            _ => {
                let why = format!("it is {}{}", shown(now), by(now));
                let (fix, remedy) = file_fix(name, now, server);
                Check::fail(subject, Code::NotEffective, why, fix, remedy)
            }
        },
        _ => match &server.lines {
            Ok(_) => Check::ok(subject, "no file sets it"),
            Err(why) => Check::unknown(subject, why, RIGHTS),
        },
    }
}

/// A file sets it otherwise.
fn of_file(
    subject: &Subject,
    name: &str,
    is: &str,
    now: &Setting,
    same: &dyn Fn(&str) -> bool,
    server: &Server,
) -> Check {
    if let Some(last) = server.last_line(name).filter(|last| same(&last.value)) {
        let place = format!("{}:{}", last.file, last.line);
        return match last.error.as_str() {
            "" => Check::fail(
                subject.clone(),
                Code::NotEffective,
                format!("{is}: the server has not read {place} yet"),
                "run `SELECT pg_reload_conf();`",
                Remedy::Reload,
            ),
            error => Check::fail(
                subject.clone(),
                Code::ConfNotTaken,
                format!("{is}: the server does not take {place}: {error}"),
                "check the server's log for the reason",
                Remedy::Hand,
            ),
        };
    }
    let at = if now.file.is_empty() { "a file".into() } else { format!("{}:{}", now.file, now.line) };
    let code = match now.file == server.text("config_file") {
        true => Code::NotEffective,
        false => Code::Overridden,
    };
    let (fix, remedy) = file_fix(name, now, server);
    Check::fail(subject.clone(), code, format!("{is}: {at} sets it"), fix, remedy)
}

/// Returns how a line of a file goes away.
fn file_fix(name: &str, now: &Setting, server: &Server) -> (String, Remedy) {
    if now.file.ends_with("/postgresql.auto.conf") {
        let fix = format!(
            "run `ALTER SYSTEM RESET {name};` and `SELECT pg_reload_conf();`, or restart where it needs one"
        );
        return (fix, Remedy::Hand);
    }
    match server.confs.iter().find(|conf| conf.path == now.file).map(|conf| &conf.state) {
        // The host's file may say otherwise.
        Some(ConfState::Differs | ConfState::Stale) => (RESTART.into(), Remedy::Restart),
        // Nothing that is written here reaches a file that only the server has.
        None if !server.confs.is_empty() && !now.file.is_empty() => {
            ("remove the line from that file, and run `SELECT pg_reload_conf();`".into(), Remedy::Hand)
        }
        _ => (APPLY.into(), Remedy::Hand),
    }
}

/// The default counts: no file sets it, or the server does not take what the file says.
fn not_from_file(
    subject: &Subject,
    name: &str,
    is: &str,
    same: &dyn Fn(&str) -> bool,
    server: &Server,
) -> Check {
    match server.last_line(name) {
        Some(last) if same(&last.value) && last.error.is_empty() => Check::fail(
            subject.clone(),
            Code::NotEffective,
            format!("{is}: the server has not read {}:{} yet", last.file, last.line),
            "run `SELECT pg_reload_conf();`",
            Remedy::Reload,
        ),
        Some(last) => Check::fail(
            subject.clone(),
            Code::ConfNotTaken,
            format!("{is}: the server does not take '{}' of {}:{}", last.value, last.file, last.line),
            APPLY,
            Remedy::Hand,
        ),
        None => {
            let set =
                if name.starts_with("pgaudit.") { "; a `SET` applies only to its own session" } else { "" };
            let why = format!("{is}: no file sets it{set}");
            Check::fail(subject.clone(), Code::NotEffective, why, APPLY, Remedy::Hand)
        }
    }
}

fn shown(now: &Setting) -> String {
    format!("'{}'", brief(if now.shown.is_empty() { &now.value } else { &now.shown }))
}

/// Returns the start of a long value: any role can set one of megabytes for itself.
fn brief(value: &str) -> Cow<'_, str> {
    match value.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &value[..end]).into(),
        None => value.into(),
    }
}

/// Returns what set it.
fn by(now: &Setting) -> String {
    match now.source.as_str() {
        "configuration file" if !now.file.is_empty() => format!(", by {}:{}", now.file, now.line),
        "configuration file" => String::new(),
        source => format!(", by {source}"),
    }
}

pub(super) fn of<'a>(name: &'a str, server: &'a Server) -> impl Iterator<Item = &'a Override> {
    server.overrides.iter().flatten().filter(move |over| over.name.eq_ignore_ascii_case(name))
}

fn more(others: &[&Override]) -> String {
    match others.len() {
        0 | 1 => String::new(),
        n => format!(", and {} more", n - 1),
    }
}

pub(super) fn resets(others: &[&Override]) -> String {
    let statements: Vec<_> = others.iter().map(|over| format!("`{}`", over.reset)).collect();
    match statements.is_empty() {
        true => "run `\\drds` in psql to see what is set, and reset it".into(),
        false => format!("run {}", statements.join(" and ")),
    }
}
