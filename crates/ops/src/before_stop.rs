//! What is looked at before a database is stopped: whether it would come up again, and with the declared values.
//!
//! A plan asks nobody. Here the server and the engine are asked, once before anything is written and once before the stop.

use std::collections::BTreeMap;

use live::facts::Line;
use live::{AutoConf, Container, Docker, ImageFacts, Running, SslMode, Way, reach};
use model::document::{Connect, Verify};
use model::postgres::{self, Context as When};
use model::{Code, Diagnostic, Severity};
use render::{Declared, Edit, Foreign, NextStart, ObservedState, RefusedLine, ServersFiles, Ways};

use crate::context::Context;
use crate::error::Error;
use crate::follow_up::Step;
use crate::follow_up::record::Record;
use crate::opened::{Rooted, on_disk};
use crate::path::quoted;

/// What is known of a database that is about to be stopped, besides its files.
pub(crate) struct BeforeStop<'a> {
    /// How the server is reached.
    pub(crate) verify: Verify,
    /// What the command line says of TLS.
    pub(crate) sslmode: Option<SslMode>,
    /// What of its settings is declared.
    pub(crate) declared: &'a Declared,
    /// The PostgreSQL major that is to start; that of the running server if it is not known.
    pub(crate) major: Option<u16>,
    pub(crate) rooted: &'a Rooted,
    pub(crate) context: &'a Context<'a>,
}

/// What was seen.
#[derive(Default)]
pub(crate) struct Seen {
    /// What keeps the database from being stopped; warnings, if that is allowed.
    pub(crate) findings: Vec<Diagnostic>,
    /// Settings that the document does not name and that get another value with the restart, each with its place.
    pub(crate) also: Vec<String>,
    /// What files set that are not the target's.
    pub(crate) foreign: Vec<Foreign>,
    /// The conf that was replaced on the host while the container keeps the old one, which a reload would read.
    pub(crate) stale: Option<String>,
    /// Whether the server answers.
    pub(crate) is_up: bool,
}

/// More suspects are not worth a line each.
const SUSPECTS: usize = 5;

impl Seen {
    /// Reports for a server that does not come up what else it reads, and how that goes without it; `why` is what it said last.
    pub(crate) fn suspects(&self, why: &str) -> Option<(String, String)> {
        let said = |finding: &Diagnostic| {
            let place = finding.location.as_ref().map(|at| format!("{}:{}: ", at.path, at.line));
            (format!("{}{}", place.unwrap_or_default(), finding.message), finding.help.clone())
        };
        if let Some((what, help)) = self.findings.first().map(said) {
            return Some((what, help?));
        }
        // What its last words repeat is suspected first.
        let is_named = |foreign: &&Foreign| {
            let value = String::from_utf8_lossy(&foreign.value).into_owned();
            why.contains(&foreign.name) || value.len() > 2 && why.contains(value.trim_matches('"'))
        };
        let (named, others): (Vec<_>, Vec<_>) = self.foreign.iter().partition(is_named);
        let all: Vec<_> = named.into_iter().chain(others).take(SUSPECTS).collect();
        let first = all.first()?;
        let listed: Vec<_> = all.iter().map(|one| format!("{} ({})", one.name, one.place)).collect();
        let what = format!("besides the files of this target the server reads {}", listed.join(", "));
        Some((what, format!("if {} is the reason, {}", first.name, first.way_out)))
    }

    /// Returns whether the database is to be left alone.
    pub(crate) fn is_blocked(&self) -> bool {
        self.findings.iter().any(Diagnostic::is_error)
    }

    /// Returns the error that says so: the files are written, and the database runs as before.
    pub(crate) fn error(&self) -> Option<Error> {
        let errors = self.findings.iter().filter(|finding| finding.is_error());
        let error = |finding: &Diagnostic| {
            let place = finding.location.as_ref().map(|at| format!("{}:{}: ", at.path, at.line));
            let message = format!("{}{} [{}]", place.unwrap_or_default(), finding.message, finding.code);
            let help = finding.help.as_deref().unwrap_or(finding.code.fix());
            Error::not_followed(message).help(help)
        };
        let mut errors: Vec<_> = errors.map(error).collect();
        let last = errors.last_mut()?;
        let help = last.help.take().unwrap_or_default();
        last.help =
            Some(format!("{help}; then run `kasm-db apply` or `kasm-db recover`, which continue here"));
        Error::all(errors)
    }
}

/// The image that the server is to start from.
enum NextImage {
    /// That of the running server.
    Same,
    /// Another one, or none runs: its name, and what is in it if the engine has it and it can be looked into.
    Other(String, Option<ImageFacts>),
    /// Nothing tells it, or nobody can be asked.
    Unknown,
}

/// Whoever answered.
struct Asked {
    docker: Option<Docker>,
    container: Option<Container>,
    way: Option<Way>,
    running: Option<Running>,
}

impl<'a> BeforeStop<'a> {
    /// Accepts what is known from the record of what is about to be done.
    pub(crate) fn of(record: &'a Record, rooted: &'a Rooted, context: &'a Context<'a>) -> Self {
        let (verify, sslmode) = (record.follow_up.verify(), record.sslmode);
        Self { verify, sslmode, declared: &record.declared, major: record.major, rooted, context }
    }

    /// Looks at a server before a step, whose files are, or are about to be, `after`.
    pub(crate) fn look_for(&self, step: Step, after: &ObservedState) -> Seen {
        match step {
            Step::Stop => self.look(after),
            // What would keep it from starting does not matter as long as it runs.
            Step::Reload => {
                let mut seen = self.look(after);
                // What a reload does not reach takes a stop.
                if seen.stale.is_none() {
                    seen.findings.retain(|finding| finding.code == Code::NextStartDiffers);
                    seen.also.clear();
                }
                seen
            }
            Step::Start | Step::Healthy | Step::Extension => Seen::default(),
        }
    }

    /// Looks at a server whose files are, or are about to be, `after`.
    pub(crate) fn look(&self, after: &ObservedState) -> Seen {
        if self.verify.connect == Connect::None {
            return Seen::default();
        }
        let asked = self.ask();
        let mut seen = Seen { is_up: asked.running.is_some(), ..Seen::default() };
        seen.stale = self.stale(&asked, after);
        let auto = self.auto_conf(&asked, after);
        match &auto {
            Ok(auto) => self.next_start(&asked, after, auto.as_ref(), &mut seen),
            // What does not run cannot be made worse.
            Err(why) if asked.is_up() => seen.findings.push(unknown(why)),
            Err(_) => {}
        }
        for finding in &mut seen.findings {
            let allow = &self.context.selection.allow;
            if finding.code.risk().is_some() && allow.iter().any(|name| name == finding.code.name()) {
                finding.severity = Severity::Warning;
            }
        }
        seen
    }

    fn ask(&self) -> Asked {
        let caller = self.context.caller();
        let (container, way) = reach(&self.verify, self.sslmode, &caller);
        let way = way.ok();
        let running = way.as_ref().and_then(|way| live::running(way).ok());
        let docker = container.as_ref().and_then(|_| Docker::find(&caller).ok());
        Asked { docker, container, way, running }
    }

    /// Finds a file of the target that the container has an old version of.
    fn stale(&self, asked: &Asked, after: &ObservedState) -> Option<String> {
        let (Some(docker), Some(container), Some(_)) = (&asked.docker, &asked.container, &asked.running)
        else {
            return None;
        };
        let is_stale = |(inside, here): &(&str, &str)| {
            let here = on_disk(self.rooted, here).ok();
            here.is_some_and(|here| {
                matches!(live::is_stale(docker, container, inside, &here), Ok(Some(true)))
            })
        };
        after.conf_files().find(is_stale).map(|(_, here)| here.to_string())
    }

    /// Finds `postgresql.auto.conf`; `None` if there is surely none, or nothing that runs could read one.
    fn auto_conf(&self, asked: &Asked, after: &ObservedState) -> Result<Option<AutoConf>, String> {
        let running = asked.running.as_ref();
        let inside = running.and_then(Running::auto_conf).or_else(|| after.auto_conf_path());
        let on_disk = match (&asked.docker, &asked.container, &inside) {
            (Some(docker), Some(container), Some(inside)) => live::auto_conf(docker, container, inside),
            (Some(_), Some(_), None) => Err("nothing says where the server keeps its data".into()),
            _ => Err("the server's container is not seen".into()),
        };
        let shown = match (running.map(|running| &running.files), inside) {
            (Some(Ok(files)), Some(inside)) => {
                let bytes = files.get(&inside).cloned().unwrap_or_default();
                let on_host = on_disk.as_ref().ok().and_then(|found| found.on_host.clone());
                return Ok(Some(AutoConf { inside, on_host, bytes }));
            }
            (Some(Err(why)), _) => Some(why.clone()),
            _ => None,
        };
        match on_disk {
            Ok(found) => Ok(Some(found)),
            Err(_) if asked.container.is_none() && running.is_none() => Ok(None),
            Err(why) => Err(shown.unwrap_or(why)),
        }
    }

    fn next_start(&self, asked: &Asked, after: &ObservedState, auto: Option<&AutoConf>, seen: &mut Seen) {
        let major = self.major.or_else(|| asked.running.as_ref().map(Running::major));
        let servers = servers_files(asked, after, auto);
        let Some(next) = after.next_start(major, &servers, self.ways(asked, auto)) else { return };
        seen.findings.extend(next.would_not_start());
        let image = asked.next_image(after);
        seen.findings.extend(self.libraries(asked, &image, &next));
        let refused = asked.running.iter().flat_map(|running| &running.refused).map(refused_line);
        let more = next.refused_by_server(&refused.collect::<Vec<_>>());
        // One line is one reason.
        for finding in more.into_iter().chain(next.differs(self.declared)) {
            let place = |finding: &Diagnostic| finding.location.as_ref().map(|at| (at.path.clone(), at.line));
            if place(&finding).is_none() || !seen.findings.iter().any(|other| place(other) == place(&finding))
            {
                seen.findings.push(finding);
            }
        }
        seen.foreign = next.foreign();
        if let Some(running) = &asked.running {
            seen.also = self.also(&next, running);
        }
    }

    fn ways(&self, asked: &Asked, auto: Option<&AutoConf>) -> Ways {
        let edit = auto.and_then(|auto| match (&auto.on_host, &asked.container) {
            (Some(path), _) => Some(Edit { sed: "sed".into(), path: quoted(&path.display().to_string()) }),
            (None, Some(container)) => Some(Edit {
                sed: format!(
                    "docker run --rm --network none --user 0 --volumes-from {} --entrypoint sed {}",
                    quoted(&container.name),
                    quoted(&container.image_id)
                ),
                path: quoted(&auto.inside),
            }),
            (None, None) => None,
        });
        Ways { has_server: asked.running.is_some(), edit }
    }

    /// Finds libraries that the image lacks from which the server is to start.
    fn libraries(&self, asked: &Asked, image: &NextImage, next: &NextStart<'_>) -> Vec<Diagnostic> {
        let items = next.libraries();
        let missing = match (image, &asked.running, &asked.way) {
            (NextImage::Same, Some(running), Some(way)) => running.missing_libraries(way, &items),
            (NextImage::Other(_, facts), ..) => facts.as_ref().map(|facts| facts.missing_libraries(&items)),
            (NextImage::Same | NextImage::Unknown, ..) => None,
        };
        let whose = match image {
            NextImage::Other(name, _) => name.as_str(),
            _ => asked.container.as_ref().map_or("the server", |container| container.image.as_str()),
        };
        let missing = missing.unwrap_or_default();
        missing.iter().map(|library| next.library_missing(library, whose)).collect()
    }

    /// Lists what else gets another value.
    fn also(&self, next: &NextStart<'_>, running: &Running) -> Vec<String> {
        let is_postmaster = |name: &&str| {
            let row = postgres::lookup(name, running.major());
            row.is_some_and(|row| row.context == When::Postmaster) && !self.declared.has(name)
        };
        let changed = |name: &str| {
            let now = running.settings.get(&name.to_ascii_lowercase())?;
            match next.value(name) {
                Some(at) => {
                    let text = String::from_utf8_lossy(&at.value).into_owned();
                    let is_same = running.has(&name.to_ascii_lowercase(), &text);
                    (!is_same).then(|| format!("{name} ({})", at.place))
                }
                // Others than a file set it, or nothing did.
                None if now.source != "configuration file" || now.value == now.boot => None,
                None => Some(format!("{name} (no file sets it any more)")),
            }
        };
        postgres::names(running.major()).filter(is_postmaster).filter_map(changed).collect()
    }
}

impl Asked {
    fn next_image(&self, after: &ObservedState) -> NextImage {
        let (Some(docker), Some(image)) = (&self.docker, after.image()) else {
            return NextImage::Unknown;
        };
        let id = docker.image_id(image.as_str());
        let runs =
            self.container.as_ref().filter(|_| self.running.is_some()).map(|container| &container.image_id);
        match id {
            Ok(Some(id)) if Some(&id) == runs => NextImage::Same,
            Ok(id) => NextImage::Other(image.as_str().to_string(), id.and_then(|id| docker.image_facts(&id))),
            Err(_) => NextImage::Unknown,
        }
    }

    fn is_up(&self) -> bool {
        self.running.is_some()
            || self.container.as_ref().is_some_and(|container| container.status == "running")
    }
}

/// Returns the files that count besides those of the target.
fn servers_files(asked: &Asked, after: &ObservedState, auto: Option<&AutoConf>) -> ServersFiles {
    let own: Vec<_> = after.conf_files().map(|(inside, _)| inside.to_string()).collect();
    let files = asked.running.iter().flat_map(|running| running.files.iter().flatten());
    let is_other = |path: &String| !own.contains(path) && auto.is_none_or(|auto| auto.inside != *path);
    let others: BTreeMap<_, _> =
        files.filter(|(path, _)| is_other(path)).map(|(path, bytes)| (path.clone(), bytes.clone())).collect();
    ServersFiles { auto: auto.map(|auto| (auto.inside.clone(), auto.bytes.clone())), others }
}

fn refused_line(line: &Line) -> RefusedLine {
    RefusedLine {
        name: line.name.clone(),
        value: line.value.clone(),
        file: line.file.clone(),
        line: line.line as usize,
        error: line.error.clone(),
    }
}

fn unknown(why: &str) -> Diagnostic {
    Diagnostic::error(
        Code::NextStartUnknown,
        format!("what the server reads at its next start cannot be seen: {why}"),
    )
    .help("run as root where the container runs, or name a superuser under `verify: {user: …}`")
}
