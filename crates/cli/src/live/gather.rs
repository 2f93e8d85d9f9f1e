//! Finds out what a running server does. The only code of `live` that asks.

use std::path::Path;

use commit::Root;
use model::DesiredState;
use model::document::{Connect, Verify};
use render::ObservedState;

use crate::args::SslMode;
use crate::disk::{LIMIT, identity};
use crate::live::docker::{Container, Docker};
use crate::live::facts::{ConfFile, ConfState, Extension, Facts, Line, Override, Probe, Server, Setting};
use crate::live::session::{Answer, Row, Statement, Unreachable, Way, literal};
use crate::live::tcp::Tcp;
use crate::live::{meaning, probe};

/// How to ask.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    pub(crate) sslmode: Option<SslMode>,
    /// Whether statements are run to see them in the log.
    pub(crate) probe: bool,
}

/// What the host says, to compare the server with.
pub(crate) struct Host<'a> {
    pub(crate) observed: &'a ObservedState,
    pub(crate) root: &'a Root,
    /// The prefix for absolute paths, with `--root`.
    pub(crate) prefix: Option<&'a Path>,
}

/// Asks the server of a document; `None` where the document says to ask nobody.
pub(crate) fn gather(desired: &DesiredState, host: &Host<'_>, options: Options) -> Option<Facts> {
    let verify = desired.verify();
    if verify.connect == Connect::None {
        return None;
    }
    let mut facts = Facts {
        container: None,
        declared_id: None,
        way: String::new(),
        server: Err(Unreachable::new("the server was not asked", "")),
    };
    let (container, way) = reach(verify, options.sslmode);
    if container.is_some()
        && let Ok(docker) = Docker::find()
    {
        facts.declared_id = desired.image().and_then(|image| docker.image_id(image.as_str()));
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
    facts.server = server(&way, desired, host, facts.container.as_ref());
    if options.probe
        && let Ok(server) = &mut facts.server
        && let Some(classes) = desired.classes()
    {
        let probe = probe::run(&way, server, facts.container.as_ref(), &classes.classes());
        server.probe = Some(probe.unwrap_or_else(|unreachable| Probe::Not(unreachable.why)));
    }
    Some(facts)
}

/// Finds the way to the server, and looks at its container on the way.
pub(crate) fn reach(
    verify: &Verify,
    sslmode: Option<SslMode>,
) -> (Option<Container>, Result<Way, Unreachable>) {
    if verify.connect == Connect::Tcp {
        return (None, Tcp::new(verify, sslmode).map(|tcp| Way::Tcp(Box::new(tcp))));
    }
    let looked = Docker::find().and_then(|docker| {
        let container = docker.inspect(verify.container())?;
        Ok((docker, container))
    });
    let (docker, container) = match looked {
        Ok(found) => found,
        Err(unreachable) => return (None, Err(unreachable)),
    };
    if container.status != "running" {
        let unreachable = docker.not_running(&container);
        return (Some(container), Err(unreachable));
    }
    let way = Way::Docker {
        docker,
        container: verify.container().to_string(),
        user: verify.user().to_string(),
        database: verify.database().to_string(),
    };
    (Some(container), Ok(way))
}

/// Asks for all settings, in a session that nothing was set in.
fn settings() -> Statement {
    Statement::new(
        "SELECT 'r', name, coalesce(setting, ''), coalesce(pg_catalog.current_setting(name, true), ''), \
         source, coalesce(sourcefile, ''), coalesce(sourceline, 0)::pg_catalog.text, \
         pending_restart::pg_catalog.text, vartype, coalesce(unit, ''), coalesce(boot_val, '') \
         FROM pg_catalog.pg_settings",
        10,
    )
}

/// The other questions, in the order of [`server`]'s answers.
fn questions() -> Vec<Statement> {
    vec![
        Statement::new(
            "SELECT 'r', current_setting('server_version_num'), current_user, current_database(), \
             (SELECT rolsuper::text FROM pg_catalog.pg_roles WHERE rolname = current_user), \
             pg_catalog.pg_is_in_recovery()::text",
            5,
        ),
        Statement::new(
            "SELECT 'r', coalesce(name, ''), coalesce(setting, ''), coalesce(sourcefile, ''), \
             coalesce(sourceline, 0)::text, coalesce(error, '') FROM pg_catalog.pg_file_settings ORDER BY seqno",
            5,
        ),
        Statement::new(
            "SELECT 'r', c.item, CASE WHEN s.setrole = 0 AND s.setdatabase = 0 THEN 'ALTER ROLE ALL RESET' \
             WHEN s.setrole = 0 THEN pg_catalog.format('ALTER DATABASE %I RESET', d.datname) \
             WHEN s.setdatabase = 0 THEN pg_catalog.format('ALTER ROLE %I RESET', r.rolname) \
             ELSE pg_catalog.format('ALTER ROLE %I IN DATABASE %I RESET', r.rolname, d.datname) END, \
             CASE WHEN s.setrole = 0 THEN 'every role' ELSE pg_catalog.format('the role %I', r.rolname) END || \
             CASE WHEN s.setdatabase = 0 THEN '' ELSE pg_catalog.format(' in the database %I', d.datname) END \
             FROM pg_catalog.pg_db_role_setting s \
             LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase \
             LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole, \
             pg_catalog.unnest(s.setconfig) AS c(item)",
            3,
        ),
        Statement::new(
            // A session has what the server loaded at its start in its own memory. The length is given, as
            // files of /proc have none.
            "SELECT DISTINCT 'r', m[1] FROM pg_catalog.regexp_matches(\
             pg_catalog.pg_read_file('/proc/self/maps', 0, 8000000), '/([^/\\n]+\\.so)[^/\\n]*\\n', 'g') AS m",
            1,
        ),
        Statement::new(
            "SELECT 'r', f, pg_catalog.encode(pg_catalog.pg_read_binary_file(f), 'hex') FROM (\
             SELECT sourcefile AS f FROM pg_catalog.pg_file_settings \
             UNION SELECT pg_catalog.current_setting('config_file')) AS files \
             WHERE (pg_catalog.pg_stat_file(f)).size <= 1048576",
            2,
        ),
        Statement::new("SELECT 'r', datname, datallowconn::text FROM pg_catalog.pg_database", 2),
    ]
}

fn server(
    way: &Way,
    desired: &DesiredState,
    host: &Host<'_>,
    container: Option<&Container>,
) -> Result<Server, Unreachable> {
    let mut answers = way.run_behind(None, &[settings()], &questions())?.into_iter();
    let mut next = || answers.next().unwrap_or_else(|| Err("no answer".into()));
    let refused = |why: String, fix| {
        let is_late = why.contains("statement timeout");
        Unreachable::new(why, if is_late { "raise statement_timeout for this user" } else { fix })
    };
    let settings = next().map_err(|why| refused(why, "give the user the right to read pg_settings"))?;
    let who = next().map_err(|why| refused(why, "check that this is a PostgreSQL server"))?;
    let who = who.into_iter().next().unwrap_or_default();
    let field = |row: &Row, index: usize| row.get(index).cloned().unwrap_or_default();
    let mut server = Server {
        version: field(&who, 0).parse().unwrap_or_default(),
        user: field(&who, 1),
        database: field(&who, 2),
        superuser: field(&who, 3) == "true",
        standby: field(&who, 4) == "true",
        ..Server::default()
    };
    server.settings = settings.iter().map(|row| (field(row, 0).to_ascii_lowercase(), setting(row))).collect();
    server.lines = next().map(|rows| rows.iter().map(line).collect());
    server.overrides = next().map(|rows| rows.iter().filter_map(over).collect());
    meaning::ask(way, desired, &mut server);
    server.libraries = next().map(|rows| rows.iter().map(|row| field(row, 0)).collect());
    server.confs = confs(&server, next(), host, container);
    let databases = next();
    for database in desired.extension_databases() {
        let state = extension(way, database, &databases);
        server.extensions.push((database.clone(), state));
    }
    Ok(server)
}

fn setting(row: &Row) -> Setting {
    let field = |index: usize| row.get(index).cloned().unwrap_or_default();
    Setting {
        value: field(1),
        shown: field(2),
        source: field(3),
        file: field(4),
        line: field(5).parse().unwrap_or_default(),
        pending_restart: field(6) == "true",
        vartype: field(7),
        unit: field(8),
        boot: field(9),
    }
}

fn line(row: &Row) -> Line {
    let field = |index: usize| row.get(index).cloned().unwrap_or_default();
    Line {
        name: field(0).to_ascii_lowercase(),
        value: field(1),
        file: field(2),
        line: field(3).parse().unwrap_or_default(),
        error: field(4),
    }
}

/// Reads `name=value` and what takes it away.
fn over(row: &Row) -> Option<Override> {
    let [item, reset, whom] = &row[..] else { return None };
    let (name, value) = item.split_once('=')?;
    Some(Override {
        name: name.to_ascii_lowercase(),
        value: value.to_string(),
        reset: format!("{reset} {name};"),
        whom: whom.clone(),
    })
}

fn extension(way: &Way, database: &str, databases: &Answer) -> Extension {
    if let Ok(databases) = databases {
        match databases.iter().find(|row| row.first().is_some_and(|name| name == database)) {
            None => return Extension::NoDatabase,
            Some(row) if row.get(1).is_some_and(|allows| allows == "false") => return Extension::Closed,
            Some(_) => {}
        }
    }
    // A trigger that fires on a replica alone does nothing here either.
    let sql = "SELECT 'r', extversion, coalesce((SELECT string_agg(evtname, ', ') FROM pg_event_trigger \
               WHERE evtname LIKE 'pgaudit%' AND evtenabled NOT IN ('O', 'A')), '') \
               FROM pg_extension WHERE extname = 'pgaudit'";
    match way.run(Some(database), &[Statement::new(sql, 2)]) {
        Err(unreachable) => Extension::Unknown(unreachable.why),
        Ok(answers) => match answers.into_iter().next() {
            Some(Ok(rows)) => match rows.into_iter().next().as_deref() {
                Some([version, idle]) if idle.is_empty() => Extension::Version(version.clone()),
                Some([_, idle]) => Extension::Idle(idle.clone()),
                _ => Extension::Missing,
            },
            Some(Err(why)) => Extension::Unknown(why),
            None => Extension::Unknown("no answer".into()),
        },
    }
}

/// Compares the files that the server reads with the host's.
fn confs(server: &Server, files: Answer, host: &Host<'_>, container: Option<&Container>) -> Vec<ConfFile> {
    let main = server.text("config_file").to_string();
    let known: Vec<(&str, &str)> = host.observed.conf_files().collect();
    let Some((_, main_here)) = known.first() else { return Vec::new() };
    let files = match files {
        Ok(files) => files,
        Err(why) => {
            let path = if main.is_empty() { "postgresql.conf".into() } else { main };
            return vec![ConfFile { path, state: ConfState::Unknown(why) }];
        }
    };
    let mut confs = Vec::new();
    for row in &files {
        let [path, hex] = &row[..] else { continue };
        let here = match known.iter().find(|(inside, _)| inside == path) {
            _ if *path == main => *main_here,
            Some((_, here)) => *here,
            None => continue,
        };
        confs.push(ConfFile { path: path.clone(), state: compare(path, hex, here, host, container) });
    }
    confs
}

fn compare(path: &str, hex: &str, here: &str, host: &Host<'_>, container: Option<&Container>) -> ConfState {
    let on_host = match here.strip_prefix('/') {
        Some(_) => crate::disk::prefixed(host.prefix, Path::new(here)),
        None => host.root.path().join(here),
    };
    let mounted = container.and_then(|container| container.host_path(path));
    if let Some(mounted) = &mounted
        && identity(mounted) != identity(&on_host)
    {
        return ConfState::Elsewhere(mounted.display().to_string());
    }
    let bytes = match here.starts_with('/') {
        true => std::fs::read(&on_host).ok(),
        false => host.root.read(Path::new(here), LIMIT).ok().flatten().map(|file| file.bytes),
    };
    match bytes {
        None => ConfState::Unknown(format!("{} can not be read", on_host.display())),
        Some(bytes) if unhex(hex).as_ref() == Some(&bytes) => ConfState::Same,
        Some(_) => ConfState::Differs,
    }
}

/// Reads what `encode(…, 'hex')` writes.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?)).collect()
}

/// Gives a part of a file that the server can read: at most `length` bytes from `offset`.
pub(crate) fn read_part(way: &Way, path: &str, offset: u64, length: u64) -> Result<Vec<u8>, String> {
    let path = literal(path);
    let sql = format!(
        "SELECT 'r', pg_catalog.encode(pg_catalog.pg_read_binary_file({path}, {offset}, {length}), 'hex')"
    );
    let rows = way.rows(Statement::new(sql, 1))?;
    let hex = rows.into_iter().next().and_then(|row| row.into_iter().next()).unwrap_or_default();
    unhex(&hex).ok_or_else(|| "no hexadecimal text".into())
}
