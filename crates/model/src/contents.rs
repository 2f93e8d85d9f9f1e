//! What an image holds, as somebody found who looked into it: facts in place of what its name tells.

use std::collections::BTreeMap;

use crate::release::Series;

/// What an image holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Its id: the SHA-256 of its configuration, `sha256:…`.
    pub id: String,
    /// The operating system and the architecture that it is for: `linux/amd64`.
    pub platform: String,
    /// The user that its processes run as; empty for root.
    pub user: String,
    /// What is run, with its first arguments.
    pub entrypoint: Vec<String>,
    /// The further arguments, unless others are given.
    pub command: Vec<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The PostgreSQL server in it; `None` if there is none.
    pub server: Option<Server>,
}

/// A PostgreSQL server in an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// What it says of itself: `15.18 (Debian 15.18-1)`.
    pub version: String,
    /// The path of its program.
    pub program: String,
    /// The folder that `$libdir` stands for; `None` if none was found.
    pub library_folder: Option<String>,
    /// The names of the libraries in that folder that the server can load, without `.so`, in order.
    pub libraries: Vec<String>,
    /// The extensions that can be created, by name.
    pub extensions: BTreeMap<String, Extension>,
    /// The settings of these libraries, in order, as far as they are named after the library.
    pub settings: Vec<String>,
}

/// An extension that a server can create.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extension {
    /// The version that `CREATE EXTENSION` installs; `None` if its control file names none.
    pub version: Option<String>,
    /// The extensions that it requires.
    pub requires: Vec<String>,
}

impl Server {
    /// Returns what of its version a data directory is bound to.
    pub fn series(&self) -> Option<Series> {
        Series::parse(&self.version)
    }

    /// Returns whether it would find a preloaded library; `None` for a path, and if its libraries were not found.
    pub fn has_library(&self, name: &str) -> Option<bool> {
        if name.contains('/') || self.library_folder.is_none() {
            return None;
        }
        let name = name.strip_suffix(".so").unwrap_or(name);
        Some(self.libraries.iter().any(|library| library == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_known_to_be_missing_only_where_somebody_looked() {
        let mut server = Server {
            version: "15.18 (Debian)".into(),
            libraries: vec!["pgaudit".into()],
            ..Server::default()
        };
        assert_eq!(server.has_library("pgaudit"), None);
        server.library_folder = Some("/lib".into());
        let has = |name| server.has_library(name);
        assert_eq!(
            (has("pgaudit"), has("pgaudit.so"), has("pg_cron")),
            (Some(true), Some(true), Some(false))
        );
        assert_eq!(has("/own/pgaudit"), None);
        assert_eq!(server.series(), Some(Series::from(15)));
    }
}
