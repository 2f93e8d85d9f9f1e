//! Judges a running server: facts in, checks out, and nobody is asked.

mod files;
mod fixes;
mod log;
mod probe;
mod restored;
mod setting;
#[cfg(test)]
mod tests;

use model::{Code, DesiredState};

use self::files::{conf, image};
use self::fixes::{RESTART, RIGHTS};
pub use self::restored::{Restored, restored_checks};
use crate::check::{Check, Fact, Remedy, Subject};
use crate::facts::{Extension, Facts, Server};

/// Judges everything that the document is about.
pub fn checks(desired: &DesiredState, facts: &Facts) -> Vec<Check> {
    let mut checks = Vec::new();
    let server = match &facts.server {
        Ok(server) => server,
        Err(unreachable) => {
            let (why, fix) = (&unreachable.why, &unreachable.fix);
            checks.push(Check::fail(Subject::Connect, Code::Unreachable, why, fix, Remedy::Hand));
            checks.extend(desired.image().and_then(|wanted| image(wanted, facts)));
            return checks;
        }
    };
    let (user, database, way) = (&server.user, &server.database, &facts.way);
    let version = server.version_text();
    checks.push(Check::ok(
        Subject::Connect,
        format!("PostgreSQL {version}, as {user} in {database}, via {way}"),
    ));
    checks.extend(desired.image().and_then(|wanted| image(wanted, facts)));
    checks.extend(major(desired, server));
    if desired.manages_conf() {
        checks.extend(conf(server));
    }
    checks.extend(preload(desired, server));
    checks.extend(desired.settings().iter().map(|wanted| setting::check(wanted, server)));
    checks.extend(desired.unset().iter().map(|name| setting::unset(name, server)));
    checks.extend(pending(desired, server));
    checks.extend(log::check(desired, server));
    checks.extend(
        server.extensions.iter().map(|(database, state)| extension(database, state, server.standby).judged()),
    );
    checks.extend(probe::checks(desired, server).into_iter().map(Check::judged));
    checks
}

fn major(desired: &DesiredState, server: &Server) -> Option<Check> {
    let (wanted, found) = (desired.postgres_major()?, server.major());
    let compared = |check: Check| {
        Some(check.compared(Fact::Number(wanted.into()), Some(Fact::Number(u64::from(found)))))
    };
    if wanted == found {
        return compared(Check::ok(Subject::Major, format!("PostgreSQL {found}")));
    }
    let why = format!("the server is PostgreSQL {found}, the document is for {wanted}");
    let fix = "declare the image and `postgres_major` of what runs; a data directory of another major needs a dump \
               and a restore";
    compared(Check::fail(Subject::Major, Code::MajorNotRunning, why, fix, Remedy::Hand))
}

fn preload(desired: &DesiredState, server: &Server) -> Vec<Check> {
    let Some(wanted) = desired.preload() else { return Vec::new() };
    let list = wanted.libraries.join(", ");
    let same = |value: &str| model::preload_is_met(value.as_bytes(), wanted);
    let mut checks = vec![setting::effective("shared_preload_libraries", &list, &same, server)];
    let in_list = !checks[0].is_failure();
    for library in &wanted.libraries {
        let subject = Subject::Library(library.clone());
        let loaded = match &server.libraries {
            Ok(files) => files.iter().any(|file| model::is_library(library, file)),
            // Its settings are known to the server only when it is loaded.
            Err(_) if model::is_library(library, "pgaudit") => server.setting("pgaudit.log").is_some(),
            Err(why) => {
                checks.push(Check::unknown(subject, why, RIGHTS).judged());
                continue;
            }
        };
        let check = match loaded {
            true => Check::ok(subject, "loaded"),
            false => Check::fail(
                subject,
                Code::LibraryNotLoaded,
                "the server has not loaded it",
                if in_list {
                    RESTART
                } else {
                    "it is loaded at the next start once it stands in the preload list"
                },
                if in_list { Remedy::Restart } else { Remedy::Hand },
            ),
        };
        checks.push(check.judged());
    }
    checks
}

/// What waits for a restart and is not the document's.
fn pending(desired: &DesiredState, server: &Server) -> Option<Check> {
    if !desired.manages_conf() {
        return None;
    }
    let (mut lag, mut bad, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for name in server.all_waiting() {
        match waiting(name, desired, server) {
            Some(Waiting::Lags) => lag.push(name),
            // Its own check says what to do first.
            Some(Waiting::GetsWorse) => bad.push(name),
            None => others.push(name),
        }
    }
    Some(match (&lag[..], &bad[..], &others[..]) {
        ([], [], []) if let Err(why) = &server.lines => Check::unknown(Subject::PendingRestart, why, RIGHTS),
        ([], [], []) => Check::ok(Subject::PendingRestart, "nothing waits for a restart"),
        (_, [_, ..], _) => {
            let why = format!("a restart changes what is declared: {}", bad.join(", "));
            let fix = "see the check of each setting; do not restart before that";
            Check::fail(Subject::PendingRestart, Code::NextStartDiffers, why, fix, Remedy::Hand)
        }
        ([], [], others) => {
            let others = others.join(", ");
            let why = format!("a restart changes what the document does not name: {others}");
            let fix = "stop and start the deployment (`bin/stop`, `bin/start`) when that suits, or declare the value: \
                       `kasm-db apply` does not restart for what is not declared";
            Check::fail(Subject::PendingRestart, Code::RestartPending, why, fix, Remedy::Hand)
        }
        (lag, [], _) => {
            let why = format!("{} in the file counts only after a restart", lag.join(", "));
            Check::fail(Subject::PendingRestart, Code::RestartPending, why, RESTART, Remedy::Restart)
        }
    })
}

/// What a restart makes of a declared setting that has another value at the next start.
enum Waiting {
    /// The declared one.
    Lags,
    /// Another one than is declared.
    GetsWorse,
}

/// Looks at a setting that has another value at the next start; `None` if nothing that is declared changes with it.
fn waiting(name: &str, desired: &DesiredState, server: &Server) -> Option<Waiting> {
    let next = server.last_line(name).map(|line| line.value.as_str());
    let now = server.setting(name);
    let of = |same: &dyn Fn(&str) -> bool| {
        let is_now = now.is_some_and(|now| same(&now.value) || same(&now.shown));
        match next.is_some_and(same) {
            // Without the files nobody knows what comes; whoever restarts looks again.
            _ if server.lines.is_err() => Some(Waiting::Lags),
            true => (!is_now).then_some(Waiting::Lags),
            false => Some(Waiting::GetsWorse),
        }
    };
    if name == "shared_preload_libraries" {
        let wanted = desired.preload()?;
        return of(&|value| model::preload_is_met(value.as_bytes(), wanted));
    }
    if desired.unset().iter().any(|unset| unset == name) {
        return Some(if next.is_none() { Waiting::Lags } else { Waiting::GetsWorse });
    }
    let wanted = desired.settings().iter().find(|setting| setting.name == name)?;
    of(&|value| server.is_same(wanted, value))
}

fn extension(database: &str, state: &Extension, is_standby: bool) -> Check {
    let subject = || Subject::Extension(database.to_string());
    let fail =
        |why: String, fix: String, remedy| Check::fail(subject(), Code::ExtensionMissing, why, fix, remedy);
    match state {
        Extension::Version(version) => Check::ok(subject(), format!("version {version}")),
        Extension::Droppable { version, schema, owner } => Check::ok(
            subject(),
            format!(
                "version {version}; {owner} can drop it with the schema {schema}: \
                 `ALTER EXTENSION pgaudit SET SCHEMA pg_catalog;` prevents that"
            ),
        ),
        Extension::Missing if is_standby => fail(
            "the database has no extension pgaudit: entries of DDL name no objects".into(),
            format!("create it in the database {database} of the primary, from which this standby gets it"),
            Remedy::Hand,
        ),
        Extension::Idle(triggers) => fail(
            format!("its event triggers are disabled ({triggers}): entries of DDL name no objects"),
            format!("run `ALTER EVENT TRIGGER … ENABLE;` for each in the database {database}"),
            Remedy::Hand,
        ),
        Extension::Closed => fail(
            format!("the database {database} allows no connections, so that it cannot be created there"),
            format!(
                "run `ALTER DATABASE \"{database}\" ALLOW_CONNECTIONS true;`, or take it out of `audit: {{databases: …}}`"
            ),
            Remedy::Hand,
        ),
        Extension::Missing => fail(
            "the database has no extension pgaudit: entries of DDL name no objects".into(),
            format!(
                "run `CREATE EXTENSION IF NOT EXISTS pgaudit SCHEMA pg_catalog;` in the database {database}"
            ),
            Remedy::Extension,
        ),
        Extension::NoDatabase => fail(
            format!("there is no database {database}"),
            "correct `audit: {databases: …}` or `verify: {database: …}` of the document".into(),
            Remedy::Hand,
        ),
        Extension::Unknown(why) => Check::unknown(subject(), why, "let the user connect to this database"),
    }
}
