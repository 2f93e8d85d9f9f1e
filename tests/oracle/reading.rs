//! What a running server reads in a conf, line by line: `pg_file_settings`.

use std::collections::{BTreeMap, BTreeSet};

use testing::Memory;
use testing::postgres::{Server, literal, lossy};

/// One line of a conf as the server sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub file: String,
    pub(crate) line: usize,
    /// None where the line cannot be read at all.
    pub(crate) name: Option<Vec<u8>>,
    pub(crate) setting: Vec<u8>,
    pub(crate) error: Option<String>,
}

/// Names that every major still takes.
const OLD_NAMES: [(&str, &str); 2] = [("sort_mem", "work_mem"), ("vacuum_mem", "maintenance_work_mem")];

/// All lines of a conf and of what it includes, in the server's order.
pub(crate) struct Reading(pub(crate) Vec<Line>);

/// A server that is asked for files which it was not started with.
pub(crate) struct Reader<'a> {
    pub(crate) server: Server<'a>,
    /// The context of every setting, by its name in lower case.
    pub(crate) contexts: BTreeMap<String, String>,
}

impl<'a> Reader<'a> {
    /// Accepts a server that was started on an empty conf.
    pub(crate) fn new(mut server: Server<'a>) -> Self {
        let rows = server.client().query("select lower(name), context from pg_settings").unwrap();
        let text = |value: &Option<Vec<u8>>| lossy(value.as_deref().unwrap_or_default());
        let contexts = rows.iter().map(|row| (text(&row[0]), text(&row[1]))).collect();
        Self { server, contexts }
    }

    /// Puts files in place and reads them; the server keeps running with what it was started with.
    pub(crate) fn read(&mut self, files: &Memory) -> Reading {
        self.server.cluster().stage(files);
        let conf = format!("{}/", self.server.cluster().conf().display());
        let sql = "select sourcefile, sourceline, name, setting, error from pg_file_settings order by seqno";
        let rows = self.server.client().query(sql).unwrap();
        let lines = rows.into_iter().map(|row| {
            let [file, line, name, setting, error] = <[_; 5]>::try_from(row).unwrap();
            let text = |value: Option<Vec<u8>>| lossy(&value.unwrap_or_default());
            let file = text(file);
            let file = file.strip_prefix(&conf).or_else(|| file.rsplit_once("/data/").map(|(_, name)| name));
            Line {
                file: resolved(file.unwrap_or_default()),
                line: text(line).parse().unwrap_or_default(),
                name,
                setting: setting.unwrap_or_default(),
                error: error.map(|error| lossy(&error)),
            }
        });
        Reading(lines.collect())
    }

    /// Returns whether two values of a setting are one to the server; None where only a start could tell.
    pub(crate) fn same(&mut self, name: &str, one: &[u8], other: &[u8]) -> Option<bool> {
        // Any text is a value of a setting whose library this server does not load.
        self.contexts.get(name)?;
        let mut shown = |value: &[u8]| {
            let (name, value) = (literal(name), literal(std::str::from_utf8(value).ok()?));
            let sql =
                format!("begin; select set_config({name}, {value}, true); select current_setting({name})");
            let rows = self.server.client().query(&sql);
            self.server.client().query("rollback").unwrap();
            rows.ok()?.pop()
        };
        Some(shown(one)? == shown(other)?)
    }
}

/// Resolves `..` by name, as servers do from PostgreSQL 15 on.
fn resolved(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        if part == ".." && parts.last().is_some_and(|last| *last != "..") {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

impl Line {
    /// Returns the name in lower case; of an old name, the one that the server takes it for.
    pub(crate) fn key(&self) -> Option<String> {
        let name = lossy(self.name.as_ref()?).to_ascii_lowercase();
        let today = OLD_NAMES.iter().find(|(old, _)| *old == name);
        Some(today.map_or(name, |(_, today)| (*today).to_string()))
    }

    /// Returns whether a server refuses to start for this line whatever follows it: its syntax, an include, or
    /// an unknown name. A bad value counts only where it is the last one.
    pub(crate) fn is_fatal(&self) -> bool {
        self.error.is_some() && !self.is_value_error()
    }

    fn is_value_error(&self) -> bool {
        self.error.as_deref() == Some("setting could not be applied")
    }

    fn is_unknown_name(&self) -> bool {
        self.is_fatal() && self.name.is_some()
    }
}

impl Reading {
    /// Returns the places of the lines that keep a server from starting, without the names in `but`.
    pub(crate) fn fatal(&self, but: &[String]) -> BTreeSet<(String, usize)> {
        let fatal = self.0.iter().filter(|line| line.is_fatal());
        let fatal =
            fatal.filter(|line| !line.is_unknown_name() || line.key().is_none_or(|k| !but.contains(&k)));
        fatal.map(|line| (line.file.clone(), line.line)).collect()
    }

    /// Returns the line that counts for each setting.
    pub(crate) fn last(&self) -> BTreeMap<String, &Line> {
        self.0.iter().filter_map(|line| Some((line.key()?, line))).collect()
    }

    /// Returns the line that counts for a setting, without `postgresql.auto.conf`.
    pub(crate) fn in_files(&self, name: &str) -> Option<&Line> {
        let mut lines = self.0.iter().filter(|line| line.file != "postgresql.auto.conf");
        lines.rfind(|line| line.key().as_deref() == Some(name))
    }
}
