//! Finds out what a running server does. The one who asks; whoever judges asks nobody.

use std::path::Path;

use model::DesiredState;
use model::document::Connect;

use crate::caller::Caller;
use crate::docker::{Container, Docker};
use crate::facts::{Extension, Facts, LogFile, NotRun, Probe, Server};
use crate::question::{Answers, Asked, Batch, Reply};
use crate::questions::{self, Database, Installed};
use crate::server_files::{self, HostFile};
use crate::session::Unreachable;
use crate::sslmode::SslMode;
use crate::way::{Way, reach};
use crate::{meaning, probe, stale, trace};

/// How to ask.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// What the command line says of TLS; `None` if it says nothing.
    pub sslmode: Option<SslMode>,
    /// What is run to see it in the log.
    pub proof: Proof,
}

/// What is run to see it in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proof {
    /// Nothing.
    #[default]
    None,
    /// One statement that writes a line, in the session that asks.
    Line,
    /// The probe: a statement of each declared class, and that line.
    Statements,
}

/// Asks the server of a document; returns `None` if the document says to ask nobody.
///
/// `files` are the host's configuration files, `postgresql.conf` itself first; none if the target has none.
pub fn gather(
    desired: &DesiredState,
    files: &[HostFile],
    options: Options,
    caller: &Caller<'_>,
) -> Option<Facts> {
    let verify = desired.verify();
    if verify.connect == Connect::None {
        return None;
    }
    let mut facts = Facts {
        container: None,
        declared_id: Ok(None),
        way: String::new(),
        server: Err(Unreachable::new("the server was not asked", "")),
    };
    let (container, way) = reach(verify, options.sslmode, caller);
    if container.is_some()
        && let Ok(docker) = Docker::find(caller)
    {
        facts.declared_id = desired.image().map_or(Ok(None), |image| docker.image_id(image.as_str()));
    }
    facts.container = container;
    let way = match way {
        Ok(way) => way,
        Err(unreachable) => {
            facts.server = Err(unreachable);
            return Some(facts);
        }
    };
    facts.way = way.name();
    let is_audited = desired.classes().is_some_and(|classes| !classes.classes().is_empty());
    let is_traced = options.proof == Proof::Line && is_audited;
    let tag = match is_traced.then(trace::tag).transpose() {
        Ok(tag) => tag,
        Err(unreachable) => {
            facts.server = Err(unreachable);
            return Some(facts);
        }
    };
    facts.server = server(&way, desired, files, facts.container.as_ref(), tag.as_deref(), caller);
    if options.proof == Proof::Statements
        && let Ok(server) = &mut facts.server
        && let Some(classes) = desired.classes()
    {
        let probe = probe::run(&way, server, facts.container.as_ref(), &classes.classes());
        server.probe = Some(probe.unwrap_or_else(|unreachable| Probe::Not(NotRun::Failed(unreachable))));
    }
    Some(facts)
}

/// Settings that are judged although a document has them under other names, or not at all.
const JUDGED: [&str; 2] = ["shared_preload_libraries", "log_min_messages"];

fn server(
    way: &Way,
    desired: &DesiredState,
    files: &[HostFile],
    container: Option<&Container>,
    tag: Option<&str>,
    caller: &Caller<'_>,
) -> Result<Server, Unreachable> {
    let mut batch = Batch::default();
    let settings = batch.open_with(questions::settings());
    let identity = batch.add(questions::identity());
    let lines = batch.add(questions::lines());
    let names = desired.settings().iter().map(|setting| setting.name.as_str());
    let overrides = batch.add(questions::overrides(names.chain(JUDGED)));
    let libraries = batch.add(questions::libraries());
    let server_files = batch.add(questions::server_files());
    let databases = batch.add(questions::databases());
    let (log_file, log_size) = (batch.add(questions::log_file()), batch.add(questions::log_size()));
    let wants_extension = !desired.extension_databases().is_empty();
    let extension = wants_extension.then(|| InDatabase::ask(&mut batch));
    if let Some(tag) = tag {
        batch.end_with(trace::statement(tag));
    }
    let mut answers = batch.ask(way, None)?;

    let refused = |why: String, fix| {
        let is_late = why.contains("statement timeout");
        Unreachable::new(why, if is_late { "raise statement_timeout for this user" } else { fix })
    };
    let settings =
        answers.take(&settings).map_err(|why| refused(why, "give the user the right to read pg_settings"))?;
    let identity =
        answers.take(&identity).map_err(|why| refused(why, "check that this is a PostgreSQL server"))?;
    let identity = identity.into_iter().next().unwrap_or_default();
    let mut server = Server {
        version: identity.version,
        user: identity.user,
        database: identity.database,
        superuser: identity.superuser,
        standby: identity.standby,
        settings: settings.into_iter().collect(),
        lines: answers.take(&lines),
        overrides: answers.take(&overrides).map(|all| all.into_iter().flatten().collect()),
        libraries: answers.take(&libraries),
        log_file: answers.take(&log_file).map(|all| {
            let size = answers.take(&log_size).ok().and_then(|all| all.into_iter().next().flatten());
            all.into_iter().next().flatten().map(|file| LogFile { size, ..file })
        }),
        ..Server::default()
    };
    let docker = container.and_then(|_| Docker::find(caller).ok());
    let is_stale = |inside: &str, here: &Path| {
        let both = docker.as_ref().zip(container);
        let stale = both.map(|(docker, container)| stale::is_stale(docker, container, inside, here));
        // What cannot be compared is not taken for stale: the server has the same content.
        stale.transpose().map(|stale| stale.flatten() == Some(true)).map_err(|unreachable| unreachable.why)
    };
    let (main, read) = (server.text("config_file"), answers.take(&server_files));
    server.confs = server_files::compare(main, read, files, container, &is_stale);
    meaning::ask(way, desired, &mut server);
    let databases = answers.take(&databases);
    let mut here = extension.map(|asked| asked.state(&mut answers));
    for database in desired.extension_databases() {
        let state = match here.take_if(|_| *database == server.database) {
            Some(state) => state,
            None => elsewhere(way, database, &databases),
        };
        server.extensions.push((database.clone(), state));
    }
    server.traced = tag.map(|tag| trace::look(way, &server, container, tag, answers.last()));
    Ok(server)
}

/// What is asked about the extension in the database of a session.
struct InDatabase {
    extension: Asked<Installed, 3>,
    owner: Asked<String, 1>,
}

impl InDatabase {
    fn ask(batch: &mut Batch) -> Self {
        Self { extension: batch.add(questions::extension()), owner: batch.add(questions::extension_owner()) }
    }

    fn state(self, answers: &mut Answers) -> Extension {
        // Who could drop the extension together with its schema; nobody may be able to, and not everybody may see it.
        let owner = answers.take(&self.owner).ok().and_then(|owners| owners.into_iter().next());
        match answers.take(&self.extension).map(|installed| installed.into_iter().next()) {
            Err(why) => Extension::Unknown(why),
            Ok(None) => Extension::Missing,
            Ok(Some(Installed { idle, .. })) if !idle.is_empty() => Extension::Idle(idle),
            Ok(Some(Installed { version, schema, .. })) => match owner {
                // No database's owner owns that one.
                Some(owner) if schema != "pg_catalog" => Extension::Droppable { version, schema, owner },
                _ => Extension::Version(version),
            },
        }
    }
}

/// Asks another database than that of the first session.
fn elsewhere(way: &Way, database: &str, databases: &Reply<Database>) -> Extension {
    if let Ok(databases) = databases {
        match databases.iter().find(|known| known.name == database) {
            None => return Extension::NoDatabase,
            Some(known) if !known.lets_in => return Extension::Closed,
            Some(_) => {}
        }
    }
    let mut batch = Batch::default();
    let asked = InDatabase::ask(&mut batch);
    match batch.ask(way, Some(database)) {
        Err(unreachable) => Extension::Unknown(unreachable.why),
        Ok(mut answers) => asked.state(&mut answers),
    }
}
