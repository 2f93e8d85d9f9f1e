//! What a server is asked about itself: each question with its SQL, its columns and how they are read.

use auditlog::Format;

use crate::facts::{Line, LogFile, Override, Setting};
use crate::question::Question;
use crate::session::literal;

/// Returns an expression without most of a long text: any role can set a value of megabytes for itself, and an answer has
/// a bound. What is left is longer than any value that a document could mean.
///
/// Every name has its schema. Lengths are compared in bytes, so that the cut lies before the end of the text whatever the
/// encoding: a character that is not complete is an error there.
fn clipped(text: &str) -> String {
    format!(
        "CASE WHEN pg_catalog.octet_length({text}) OPERATOR(pg_catalog.>) 65536 \
         THEN pg_catalog.\"left\"({text}, 16000) ELSE {text} END"
    )
}

/// Asks for all settings by name, in a session that nothing was set in: every name has its schema. From then on, names are
/// looked up in `pg_catalog` alone.
///
/// The parts of a `UNION ALL` are run one after the other, and the rows of `pg_settings` are made before the first of them is
/// returned. A `SET` of its own would be one more entry in the audit log.
pub(crate) fn settings() -> Question<(String, Setting), 10> {
    Question::new(
        format!(
            "SELECT 'r', name, coalesce({}, ''), coalesce({}, ''), \
             source, coalesce(sourcefile, ''), coalesce(sourceline, 0)::pg_catalog.text, \
             pending_restart::pg_catalog.text, vartype, coalesce(unit, ''), coalesce(boot_val, '') \
             FROM pg_catalog.pg_settings \
             UNION ALL SELECT 'r', '', '', '', '', '', '', '', '', '', '' \
             WHERE pg_catalog.set_config('search_path', 'pg_catalog', false) IS NULL",
            clipped("setting"),
            clipped("pg_catalog.current_setting(name, true)"),
        ),
        |[name, value, shown, source, file, line, pending_restart, vartype, unit, boot]| {
            let setting = Setting {
                value,
                shown,
                source,
                file,
                line: line.parse().unwrap_or_default(),
                pending_restart: pending_restart == "true",
                vartype,
                unit,
                boot,
            };
            (name.to_ascii_lowercase(), setting)
        },
    )
}

/// Who asks, and whom.
#[derive(Default)]
pub(crate) struct Identity {
    /// Such as 150018.
    pub(crate) version: u32,
    pub(crate) user: String,
    pub(crate) database: String,
    pub(crate) superuser: bool,
    pub(crate) standby: bool,
}

pub(crate) fn identity() -> Question<Identity, 5> {
    Question::new(
        "SELECT 'r', current_setting('server_version_num'), current_user, current_database(), \
         (SELECT rolsuper::text FROM pg_catalog.pg_roles WHERE rolname = current_user), \
         pg_catalog.pg_is_in_recovery()::text",
        |[version, user, database, superuser, standby]| Identity {
            version: version.parse().unwrap_or_default(),
            user,
            database,
            superuser: superuser == "true",
            standby: standby == "true",
        },
    )
}

/// Asks for the lines of the configuration files, in reading order.
pub(crate) fn lines() -> Question<Line, 5> {
    Question::new(
        "SELECT 'r', coalesce(name, ''), coalesce(setting, ''), coalesce(sourcefile, ''), \
         coalesce(sourceline, 0)::text, coalesce(error, '') FROM pg_catalog.pg_file_settings ORDER BY seqno",
        |[name, value, file, line, error]| Line {
            name: name.to_ascii_lowercase(),
            value,
            file,
            line: line.parse().unwrap_or_default(),
            error,
        },
    )
}

/// Asks what `ALTER DATABASE` and `ALTER ROLE` set these names to, which are in lower case: `name=value`, and what takes it
/// away. Every role can set something for itself, so that all of it might be more than an answer holds.
pub(crate) fn overrides<'a>(names: impl IntoIterator<Item = &'a str>) -> Question<Option<Override>, 3> {
    let names: Vec<_> = names.into_iter().map(literal).collect();
    let sql = format!(
        "SELECT 'r', {}, CASE WHEN s.setrole = 0 AND s.setdatabase = 0 THEN 'ALTER ROLE ALL RESET' \
         WHEN s.setrole = 0 THEN pg_catalog.format('ALTER DATABASE %I RESET', d.datname) \
         WHEN s.setdatabase = 0 THEN pg_catalog.format('ALTER ROLE %I RESET', r.rolname) \
         ELSE pg_catalog.format('ALTER ROLE %I IN DATABASE %I RESET', r.rolname, d.datname) END, \
         CASE WHEN s.setrole = 0 THEN 'every role' ELSE pg_catalog.format('the role %I', r.rolname) END || \
         CASE WHEN s.setdatabase = 0 THEN '' ELSE pg_catalog.format(' in the database %I', d.datname) END \
         FROM pg_catalog.pg_db_role_setting s \
         LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase \
         LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole, \
         pg_catalog.unnest(s.setconfig) AS c(item) \
         WHERE EXISTS (SELECT FROM unnest(ARRAY[{}]::text[]) AS n(name) \
         WHERE starts_with(lower(c.item COLLATE \"C\"), n.name || '='))",
        clipped("c.item"),
        names.join(", "),
    );
    Question::new(sql, |[item, reset, whom]| {
        let (name, value) = item.split_once('=')?;
        Some(Override {
            name: name.to_ascii_lowercase(),
            value: value.to_string(),
            reset: format!("{reset} {name};"),
            whom,
        })
    })
}

/// Asks for the names of the files of loaded libraries.
pub(crate) fn libraries() -> Question<String, 1> {
    // A session has what the server loaded at its start in its own memory. The length is given, as files of /proc
    // have none.
    Question::new(
        "SELECT DISTINCT 'r', m[1] FROM pg_catalog.regexp_matches(\
         pg_catalog.pg_read_file('/proc/self/maps', 0, 8000000), '/([^/\\n]+\\.so)[^/\\n]*\\n', 'g') AS m",
        |[file]| file,
    )
}

/// A configuration file that the server reads.
pub(crate) struct ServerFile {
    /// The path that the server has for it.
    pub(crate) path: String,
    pub(crate) bytes: Option<Vec<u8>>,
}

/// Asks for the configuration files.
pub(crate) fn server_files() -> Question<ServerFile, 2> {
    Question::new(
        "SELECT 'r', f, pg_catalog.encode(pg_catalog.pg_read_binary_file(f), 'hex') FROM (\
         SELECT sourcefile AS f FROM pg_catalog.pg_file_settings \
         UNION SELECT pg_catalog.current_setting('config_file')) AS files \
         WHERE (pg_catalog.pg_stat_file(f)).size <= 1048576",
        |[path, hex]| ServerFile { path, bytes: unhex(&hex) },
    )
}

/// Asks for everything that the server reads at a start, `postgresql.auto.conf` among it: of a file in which the first line
/// is wrong, the server names no path.
pub(crate) fn files_of_a_start() -> Question<ServerFile, 2> {
    Question::new(
        "SELECT 'r', f, pg_catalog.encode(pg_catalog.pg_read_binary_file(f, 0, 1048577), 'hex') FROM (\
         SELECT sourcefile AS f FROM pg_catalog.pg_file_settings \
         UNION SELECT pg_catalog.current_setting('config_file') \
         UNION SELECT pg_catalog.current_setting('data_directory') || '/postgresql.auto.conf') AS files \
         WHERE f LIKE '/%' AND (pg_catalog.pg_stat_file(f, true)).size IS NOT NULL",
        |[path, hex]| ServerFile { path, bytes: unhex(&hex).filter(|bytes| bytes.len() <= 1 << 20) },
    )
}

/// Asks for the folder of the server's libraries.
pub(crate) fn library_folder() -> Question<String, 1> {
    Question::new("SELECT 'r', setting FROM pg_catalog.pg_config WHERE name = 'PKGLIBDIR'", |[folder]| folder)
}

/// Asks which of these files are there.
pub(crate) fn files_there(paths: &[&str]) -> Question<String, 1> {
    let paths: Vec<_> = paths.iter().map(|path| literal(path)).collect();
    let sql = format!(
        "SELECT 'r', p FROM unnest(ARRAY[{}]::text[]) AS p \
         WHERE (pg_catalog.pg_stat_file(p, true)).size IS NOT NULL",
        paths.join(", ")
    );
    Question::new(sql, |[path]| path)
}

/// A database of the server.
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) lets_in: bool,
}

/// Asks for the databases.
pub(crate) fn databases() -> Question<Database, 2> {
    Question::new("SELECT 'r', datname, datallowconn::text FROM pg_catalog.pg_database", |[name, lets_in]| {
        Database { name, lets_in: lets_in != "false" }
    })
}

/// The extension pgaudit in a database.
pub(crate) struct Installed {
    pub(crate) version: String,
    /// Its event triggers that do nothing.
    pub(crate) idle: String,
    /// The schema that it is in.
    pub(crate) schema: String,
}

/// Asks a database for the extension pgaudit.
pub(crate) fn extension() -> Question<Installed, 3> {
    // A trigger that fires on a replica alone does nothing here either.
    Question::new(
        "SELECT 'r', extversion, coalesce((SELECT string_agg(evtname, ', ') FROM pg_event_trigger \
         WHERE evtname LIKE 'pgaudit%' AND evtenabled NOT IN ('O', 'A')), ''), nspname \
         FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'pgaudit'",
        |[version, idle, schema]| Installed { version, idle, schema },
    )
}

/// Asks who owns the schema that pgaudit is in, unless that is a superuser. Not everybody may see who owns a database.
pub(crate) fn extension_owner() -> Question<String, 1> {
    // The role pg_database_owner stands for the owner of the database.
    Question::new(
        "SELECT 'r', owner.rolname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace, \
         pg_roles AS named, pg_roles AS owner, pg_database \
         WHERE extname = 'pgaudit' AND named.oid = nspowner AND datname = current_database() AND NOT owner.rolsuper \
         AND owner.oid = CASE named.rolname WHEN 'pg_database_owner' THEN datdba ELSE nspowner END",
        |[owner]| owner,
    )
}

/// Asks which file the server writes its log to now, with every `%` of `log_filename` resolved, and in which format.
pub(crate) fn log_file() -> Question<Option<LogFile>, 4> {
    // Asking for a format that a major does not have is an error. Without one, it is the first that is there: in words, as
    // csvlog, as jsonlog.
    Question::new(
        "SELECT 'r', coalesce(pg_catalog.pg_current_logfile(), ''), \
         coalesce(pg_catalog.pg_current_logfile('stderr'), ''), \
         coalesce(pg_catalog.pg_current_logfile('csvlog'), ''), \
         coalesce((SELECT setting FROM pg_settings WHERE name = 'data_directory'), '')",
        |[path, stderr, csv, data]| {
            let format = match &path {
                path if *path == stderr => Format::Stderr,
                path if *path == csv => Format::Csv,
                _ => Format::Json,
            };
            let absolute = if path.starts_with('/') { path.clone() } else { format!("{data}/{path}") };
            (!path.is_empty()).then_some(LogFile { path: absolute, format, size: None })
        },
    )
}

/// Asks for the size of the file that the server writes its log to now. One that is not there has none: somebody may have
/// removed it, and the server writes on to it.
pub(crate) fn log_size() -> Question<Option<u64>, 1> {
    Question::new(
        "SELECT 'r', coalesce((pg_catalog.pg_stat_file(pg_catalog.pg_current_logfile(), true)).size, -1)::text",
        |[size]| size.parse().ok(),
    )
}

/// Asks whether the last mebibyte of a file has a text of letters and digits. Every name has its schema.
pub(crate) fn ends_with(path: &str, text: &str) -> Question<bool, 1> {
    let (path, text) = (literal(path), literal(text));
    Question::new(
        format!(
            "SELECT 'r', (pg_catalog.\"position\"(pg_catalog.pg_read_binary_file({path}, \
             pg_catalog.int8larger((pg_catalog.pg_stat_file({path}, true)).size OPERATOR(pg_catalog.-) 1048576, 0), 1048576, true), \
             {text}::pg_catalog.bytea) OPERATOR(pg_catalog.>) 0)::pg_catalog.text"
        ),
        |[is_there]| is_there == "true",
    )
}

/// Asks for a part of a file: at most `length` bytes from `offset`, or from its start if it is shorter than that; nothing of one
/// that is not there. Every name has its schema.
pub(crate) fn file_part(path: &str, offset: u64, length: u64) -> Question<Option<Vec<u8>>, 1> {
    let path = literal(path);
    Question::new(
        format!(
            "SELECT 'r', coalesce(pg_catalog.encode(pg_catalog.pg_read_binary_file({path}, \
             CASE WHEN (pg_catalog.pg_stat_file({path}, true)).size OPERATOR(pg_catalog.<) {offset}::pg_catalog.int8 THEN 0 \
             ELSE {offset}::pg_catalog.int8 END, {length}, true), 'hex'), '')"
        ),
        |[hex]| unhex(&hex),
    )
}

/// Reads what `encode(…, 'hex')` writes.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_text_is_read_in_pairs() {
        assert_eq!(unhex("00fF0a"), Some(vec![0, 255, 10]));
        assert_eq!((unhex(""), unhex("0"), unhex("0g")), (Some(Vec::new()), None, None));
    }
}
