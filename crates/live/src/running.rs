//! What a running server says of itself before it is stopped: its values, and the files that it reads.

use std::collections::BTreeMap;

use crate::facts::{Line, Setting};
use crate::question::Batch;
use crate::questions;
use crate::session::Unreachable;
use crate::way::Way;

/// What a running server says of itself.
#[derive(Clone, Debug)]
pub struct Running {
    /// Such as 150018.
    pub version: u32,
    /// Who asked.
    pub user: String,
    /// By name in lower case.
    pub settings: BTreeMap<String, Setting>,
    /// The configuration files that it reads now, by the path that it has for each; the error if they cannot be seen.
    pub files: Result<BTreeMap<String, Vec<u8>>, String>,
    /// The lines of these files that it does not take; none if they cannot be seen.
    pub refused: Vec<Line>,
    /// The folder of its libraries; `None` if this user may not know.
    libraries: Option<String>,
}

/// Asks a server for it.
///
/// # Errors
/// No session, or it broke off; or this user may see nothing.
pub fn running(way: &Way) -> Result<Running, Unreachable> {
    let mut batch = Batch::default();
    let settings = batch.open_with(questions::settings());
    let identity = batch.add(questions::identity());
    let files = batch.add(questions::files_of_a_start());
    let lines = batch.add(questions::lines());
    let libraries = batch.add(questions::library_folder());
    let mut answers = batch.ask(way, None)?;
    let refused = |why| Unreachable::new(why, "check that this is a PostgreSQL server, and who asks it");
    let settings = answers.take(&settings).map_err(refused)?;
    let identity = answers.take(&identity).map_err(refused)?.into_iter().next().unwrap_or_default();
    let files = answers.take(&files).and_then(|files| {
        let file = |file: questions::ServerFile| match file.bytes {
            Some(bytes) => Ok((file.path, bytes)),
            None => Err(format!("{} is larger than is looked at", file.path)),
        };
        files.into_iter().map(file).collect()
    });
    Ok(Running {
        version: identity.version,
        user: identity.user,
        settings: settings.into_iter().collect(),
        files,
        refused: answers
            .take(&lines)
            .unwrap_or_default()
            .into_iter()
            .filter(|line| !line.error.is_empty())
            .collect(),
        libraries: answers.take(&libraries).ok().and_then(|all| all.into_iter().next()),
    })
}

impl Running {
    /// Returns the major.
    pub fn major(&self) -> u16 {
        u16::try_from(self.version / 10_000).unwrap_or(u16::MAX)
    }

    /// Returns the path that the server has for `postgresql.auto.conf`; `None` if this user may not know.
    pub fn auto_conf(&self) -> Option<String> {
        let data = self.settings.get("data_directory").filter(|data| !data.shown.is_empty())?;
        Some(format!("{}/postgresql.auto.conf", data.shown.trim_end_matches('/')))
    }

    /// Returns which of these items of a preload list the server finds no file for; `None` if this user may not look.
    pub fn missing_libraries(&self, way: &Way, items: &[String]) -> Option<Vec<String>> {
        if items.is_empty() {
            return Some(Vec::new());
        }
        let paths: Vec<_> = items.iter().map(|item| self.paths_of(item)).collect::<Option<_>>()?;
        let all: Vec<&str> = paths.iter().flatten().map(String::as_str).collect();
        let mut batch = Batch::default();
        let there = batch.add(questions::files_there(&all));
        let there = batch.ask(way, None).ok()?.take(&there).ok()?;
        let is_missing = |paths: &[String]| !paths.iter().any(|path| there.contains(path));
        let missing = items.iter().zip(&paths).filter(|(_, paths)| is_missing(paths));
        Some(missing.map(|(item, _)| item.clone()).collect())
    }

    /// Lists where a server looks for a library (PostgreSQL 12 to 18, `expand_dynamic_library_name`).
    fn paths_of(&self, item: &str) -> Option<Vec<String>> {
        let own = self.libraries.as_deref()?;
        let expanded = |path: &str| match path.strip_prefix("$libdir") {
            Some(rest) => format!("{own}{rest}"),
            None => path.to_string(),
        };
        let whole = if item.contains('/') {
            vec![expanded(item)]
        } else {
            let folders = self.settings.get("dynamic_library_path").map_or("$libdir", |path| &path.shown);
            let folders = folders.split(':').filter(|folder| !folder.is_empty());
            folders.map(|folder| format!("{}/{item}", expanded(folder).trim_end_matches('/'))).collect()
        };
        Some(whole.into_iter().flat_map(|path| [format!("{path}.so"), path]).collect())
    }

    /// Returns whether a text of a file gives a setting the value that the server has now.
    pub fn has(&self, name: &str, text: &str) -> bool {
        let Some(now) = self.settings.get(name) else { return false };
        let is_shown = |shown: &str| {
            model::is_shown_value(name, text, shown, (&now.vartype, &now.unit), Some(self.major()))
        };
        is_shown(&now.value) || is_shown(&now.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_looked_for_where_the_server_looks() {
        let path = |path: &str| Setting { shown: path.into(), ..Setting::default() };
        let running = |folders: Option<&str>| Running {
            version: 150_018,
            user: String::new(),
            settings: folders.map(|at| ("dynamic_library_path".to_string(), path(at))).into_iter().collect(),
            files: Ok(BTreeMap::new()),
            refused: Vec::new(),
            libraries: Some("/lib".into()),
        };
        let of = |folders, item: &str| running(folders).paths_of(item).unwrap().join(" ");
        assert_eq!(of(None, "pgaudit"), "/lib/pgaudit.so /lib/pgaudit");
        assert_eq!(of(Some("/own/:$libdir"), "x.so"), "/own/x.so.so /own/x.so /lib/x.so.so /lib/x.so");
        assert_eq!(of(None, "$libdir/pgaudit"), "/lib/pgaudit.so /lib/pgaudit");
        assert_eq!(of(None, "/own/x"), "/own/x.so /own/x");
    }
}
