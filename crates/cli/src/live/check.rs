//! The checks of a running server: facts in, results out, and nobody is asked.

mod log;
mod setting;
#[cfg(test)]
mod tests;

use model::{Code, DesiredState};

use crate::live::facts::{ConfState, Extension, Facts, Found, Probe, Server};

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    /// Such as `setting pgaudit.log`.
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
    /// What was found, or why nothing could be.
    pub(crate) says: String,
}

/// What came of a [`Check`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Ok,
    /// It could not be looked at, or is not for here.
    Skip,
    Fail {
        code: Code,
        fix: String,
        mend: Mend,
    },
}

/// What `apply` would have to do about a failure; the greater includes the lesser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mend {
    /// Nothing that it can do: a person has to.
    Hand,
    /// Create the extension.
    Extension,
    /// Let the server read its files again.
    Reload,
    /// Stop and start the deployment.
    Restart,
}

impl Check {
    fn ok(name: impl Into<String>, says: impl Into<String>) -> Self {
        Self { name: name.into(), verdict: Verdict::Ok, says: says.into() }
    }

    fn skip(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self { name: name.into(), verdict: Verdict::Skip, says: why.into() }
    }

    fn fail(
        name: impl Into<String>,
        code: Code,
        why: impl Into<String>,
        fix: impl Into<String>,
        mend: Mend,
    ) -> Self {
        let verdict = Verdict::Fail { code, fix: fix.into(), mend };
        Self { name: name.into(), verdict, says: why.into() }
    }

    pub(crate) fn is_failure(&self) -> bool {
        matches!(self.verdict, Verdict::Fail { .. })
    }

    /// Gives what `apply` would have to do; nothing where all is well.
    pub(crate) fn mend(&self) -> Option<Mend> {
        match self.verdict {
            Verdict::Fail { mend, .. } => Some(mend),
            _ => None,
        }
    }

    /// Tells whether it fails for no other reason than that the server was not started anew.
    pub(crate) fn waits_for_restart(&self) -> bool {
        matches!(self.verdict, Verdict::Fail { mend: Mend::Restart, .. })
    }
}

/// What to say where only starting it anew helps.
const RESTART: &str = "stop and start the deployment (`bin/stop`, `bin/start`), or run `kasm-db apply` with \
    `restart: {policy: if_needed}` in the document";

/// Looks at everything that the document is about.
pub(crate) fn checks(desired: &DesiredState, facts: &Facts) -> Vec<Check> {
    let mut checks = Vec::new();
    let server = match &facts.server {
        Ok(server) => server,
        Err(unreachable) => {
            let (why, fix) = (&unreachable.why, &unreachable.fix);
            checks.push(Check::fail("connect", Code::Unreachable, why, fix, Mend::Hand));
            checks.extend(image(desired, facts));
            return checks;
        }
    };
    let (user, database, way) = (&server.user, &server.database, &facts.way);
    let version = server.version_text();
    checks.push(Check::ok("connect", format!("PostgreSQL {version}, as {user} in {database}, by {way}")));
    checks.extend(image(desired, facts));
    checks.extend(major(desired, server));
    checks.extend(conf(desired, server));
    checks.extend(preload(desired, server));
    checks.extend(desired.settings().iter().map(|wanted| setting::check(wanted, server)));
    checks.extend(desired.unset().iter().map(|name| setting::unset(name, server)));
    checks.extend(pending(desired, server));
    checks.extend(log::check(desired, server));
    checks
        .extend(server.extensions.iter().map(|(database, state)| extension(database, state, server.standby)));
    checks.extend(probe(desired, server));
    checks
}

fn image(desired: &DesiredState, facts: &Facts) -> Option<Check> {
    let wanted = desired.image()?;
    let Some(container) = &facts.container else {
        return facts.server.is_ok().then(|| Check::skip("image", "over TCP the container is not seen"));
    };
    let runs = &container.image;
    let fail = |why: String| Some(Check::fail("image", Code::ImageNotRunning, why, RESTART, Mend::Restart));
    let same = model::Image::parse(runs).is_ok_and(|found| wanted.is_met_by(&found));
    if !same && *runs != container.image_id {
        return fail(format!("the container {} runs {runs}, not {}", container.name, wanted.as_str()));
    }
    match &facts.declared_id {
        Some(id) if *id != container.image_id => fail(format!(
            "the container {} was made from an older {}: that name means another image by now",
            container.name,
            wanted.as_str()
        )),
        _ => Some(Check::ok("image", format!("{} runs {runs}", container.name))),
    }
}

fn major(desired: &DesiredState, server: &Server) -> Option<Check> {
    let (wanted, found) = (desired.postgres_major()?, server.major());
    if wanted == found {
        return Some(Check::ok("major", format!("PostgreSQL {found}")));
    }
    let why = format!("the server is PostgreSQL {found}, the document is for {wanted}");
    let fix = "declare the image and `postgres_major` of what runs; a data directory of another major needs a dump \
               and a restore";
    Some(Check::fail("major", Code::MajorNotRunning, why, fix, Mend::Hand))
}

/// The files that the server reads: their bytes, and whether it takes them.
fn conf(desired: &DesiredState, server: &Server) -> Vec<Check> {
    let mut checks = Vec::new();
    if !desired.manages_conf() {
        return checks;
    }
    for conf in &server.confs {
        let name = format!("file {}", conf.path);
        let fail = |why: &str| Check::fail(&name, Code::ConfNotRead, why, RESTART, Mend::Restart);
        checks.push(match &conf.state {
            ConfState::Same => Check::ok(&name, "what the server reads is the file on the host"),
            ConfState::Differs => fail(
                "the server reads another content than the host has: a file that is mounted by itself is not seen \
                 anew when it is replaced",
            ),
            ConfState::Elsewhere(path) => Check::fail(
                &name,
                Code::ConfNotRead,
                format!("the container has {path} for it, which is not this target's file"),
                "correct the volume in the compose file, or the path of the target",
                Mend::Hand,
            ),
            ConfState::Unknown(why) => Check::skip(&name, why),
        });
    }
    let lines = match &server.lines {
        Ok(lines) => lines,
        Err(why) => {
            checks.push(Check::skip("files", why));
            return checks;
        }
    };
    // A value that waits for a restart is "not applied" too, and so is one that the command line overrules: what
    // the document names of these has a check of its own.
    let waits = |name: &str| {
        server.setting(name).is_some_and(|now| now.pending_restart || now.source == "command line")
    };
    let errors: Vec<_> = lines.iter().filter(|line| !line.error.is_empty() && !waits(&line.name)).collect();
    checks.push(match errors.first() {
        None => Check::ok("files", "the server takes every line of its files"),
        Some(first) => {
            let more = match errors.len() - 1 {
                0 => String::new(),
                n => format!(", and {n} more"),
            };
            let name = if first.name.is_empty() { String::new() } else { format!("`{}`: ", first.name) };
            let why = format!("{}:{}: {name}{}{more}", first.file, first.line, first.error);
            let fix =
                "mend the line: the server ignores it, or the whole file, and may not start again with it";
            Check::fail("files", Code::ConfNotTaken, why, fix, Mend::Hand)
        }
    });
    checks
}

fn preload(desired: &DesiredState, server: &Server) -> Vec<Check> {
    let Some(wanted) = desired.preload() else { return Vec::new() };
    let list = wanted.libraries.join(", ");
    let same = |value: &str| render::preload_is_met(value.as_bytes(), wanted);
    let mut checks = vec![setting::effective("shared_preload_libraries", &list, &same, server)];
    let in_list = !checks[0].is_failure();
    for library in &wanted.libraries {
        let name = format!("library {library}");
        let loaded = match &server.libraries {
            Ok(files) => files.iter().any(|file| render::is_library(library, file)),
            // Its settings are known to the server only when it is loaded.
            Err(_) if render::is_library(library, "pgaudit") => server.setting("pgaudit.log").is_some(),
            Err(why) => {
                checks.push(Check::skip(&name, why));
                continue;
            }
        };
        checks.push(match loaded {
            true => Check::ok(&name, "loaded"),
            false => Check::fail(
                &name,
                Code::LibraryNotLoaded,
                "the server has not loaded it",
                if in_list {
                    RESTART
                } else {
                    "it is loaded at the next start once it stands in the preload list"
                },
                if in_list { Mend::Restart } else { Mend::Hand },
            ),
        });
    }
    checks
}

/// What waits for a restart and is not the document's.
fn pending(desired: &DesiredState, server: &Server) -> Option<Check> {
    if !desired.manages_conf() {
        return None;
    }
    let is_ours = |name: &str| {
        name == "shared_preload_libraries"
            || desired.settings().iter().any(|setting| setting.name == name)
            || desired.unset().iter().any(|unset| unset == name)
    };
    let waiting = server.settings.iter().filter(|(_, setting)| setting.pending_restart);
    let (ours, others): (Vec<_>, Vec<_>) =
        waiting.map(|(name, _)| name.as_str()).partition(|name| is_ours(name));
    Some(match (&ours[..], &others[..]) {
        ([], []) => Check::ok("pending_restart", "nothing waits for a restart"),
        ([], others) => Check::ok(
            "pending_restart",
            format!(
                "of what the document names nothing waits for a restart; others do: {}",
                others.join(", ")
            ),
        ),
        (ours, _) => {
            let why = format!("{} in the file counts only after a restart", ours.join(", "));
            Check::fail("pending_restart", Code::RestartPending, why, RESTART, Mend::Restart)
        }
    })
}

fn extension(database: &str, state: &Extension, is_standby: bool) -> Check {
    let name = format!("extension pgaudit in {database}");
    let fail = |why: String, fix: String, mend| Check::fail(&name, Code::ExtensionMissing, why, fix, mend);
    match state {
        Extension::Version(version) => Check::ok(&name, format!("version {version}")),
        Extension::Missing if is_standby => fail(
            "the database has no extension pgaudit: entries of DDL name no objects".into(),
            format!("create it in the database {database} of the primary, from which this standby gets it"),
            Mend::Hand,
        ),
        Extension::Idle(triggers) => fail(
            format!("its event triggers are disabled ({triggers}): entries of DDL name no objects"),
            format!("run `ALTER EVENT TRIGGER … ENABLE;` for each in the database {database}"),
            Mend::Hand,
        ),
        Extension::Closed => fail(
            format!("the database {database} allows no connections, so that it can not be made there"),
            format!(
                "run `ALTER DATABASE \"{database}\" ALLOW_CONNECTIONS true;`, or take it out of `audit: {{databases: …}}`"
            ),
            Mend::Hand,
        ),
        Extension::Missing => fail(
            "the database has no extension pgaudit: entries of DDL name no objects".into(),
            format!("run `CREATE EXTENSION IF NOT EXISTS pgaudit;` in the database {database}"),
            Mend::Extension,
        ),
        Extension::NoDatabase => fail(
            format!("there is no database {database}"),
            "correct `audit: {databases: …}` or `verify: {database: …}` of the document".into(),
            Mend::Hand,
        ),
        Extension::Unknown(why) => Check::skip(&name, why),
    }
}

fn probe(desired: &DesiredState, server: &Server) -> Vec<Check> {
    let classes = desired.classes().map(model::audit::ClassSet::classes).unwrap_or_default();
    match &server.probe {
        None => Vec::new(),
        Some(Probe::Not(why)) => {
            classes.iter().map(|class| Check::skip(format!("audit {}", class.name()), why)).collect()
        }
        Some(Probe::Ran { log, classes }) => classes
            .iter()
            .map(|(class, found)| {
                let name = format!("audit {}", class.name());
                match found {
                    Found::Logged => Check::ok(&name, format!("a statement of this class is in {log}")),
                    Found::Failed(why) => Check::skip(&name, format!("the probe's statement failed: {why}")),
                    Found::NotLogged(others) => {
                        let but = match &others[..] {
                            [] => String::new(),
                            others => format!(" as such, but as {}", others.join(", ")),
                        };
                        let why = format!("a statement of this class was run, and is not in {log}{but}");
                        let fix = "mend what fails above; if nothing does, look whether the server still writes \
                                   to that file (`SELECT pg_rotate_logfile();` makes it open its file anew), and \
                                   at what `pgaudit.log` is for this user";
                        Check::fail(&name, Code::ClassNotLogged, why, fix, Mend::Hand)
                    }
                }
            })
            .collect(),
    }
}
