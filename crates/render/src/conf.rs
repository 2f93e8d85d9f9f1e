//! The view of postgresql.conf: the files that the server reads, mapped to those of the target.

use std::cell::RefCell;
use std::collections::BTreeMap;

use pgconf::{ConfSet, Found};

use crate::compose::{Host, Mounts};
use crate::source::{Bytes, Source, folder, join};
use crate::target::KASM_CONF;

/// Files that the server reads and the target does not have: the server itself, or its engine, shows them.
#[derive(Clone, Debug, Default)]
pub struct ServersFiles {
    /// `postgresql.auto.conf`: the path that the server has for it, and its bytes.
    pub auto: Option<(String, Bytes)>,
    /// Other files, by the path that the server has for each.
    pub others: BTreeMap<String, Bytes>,
}

/// What the server reads, and where its files are here.
#[derive(Debug)]
pub(crate) struct ObservedConf {
    /// The main file's path, relative to the target's root.
    pub(crate) path: String,
    /// postgresql.conf and what it includes.
    pub(crate) set: ConfSet,
    /// `postgresql.auto.conf`, where it can be read: it counts after everything else.
    pub(crate) auto: Option<ConfSet>,
    /// The path here of each file that the server reads.
    located: BTreeMap<String, String>,
}

impl ObservedConf {
    /// Reads the conf at `path` and what it includes; `None` where it is not there.
    ///
    /// # Errors
    /// It is there and cannot be read; the reason.
    pub(crate) fn read(
        path: &str,
        data: Option<&str>,
        mounts: &Mounts,
        source: &dyn Source,
        installed: bool,
        servers: &ServersFiles,
    ) -> Result<Option<Self>, String> {
        let main = match source.read(path) {
            Found::Yes(bytes) => bytes,
            Found::No => return Ok(None),
            Found::Unknown(why) => return Err(why),
        };
        // The server resolves includes by the path that it knows the file by.
        let inside = mounts.containing(|host| is_located(source, host, installed, path));
        let inside = inside.unwrap_or_else(|| path.to_string());
        let files = ServerFiles {
            source,
            mounts,
            main: &inside,
            beside: path,
            installed,
            servers,
            located: RefCell::default(),
        };
        files.located.borrow_mut().insert(inside.clone(), path.to_string());
        let set = ConfSet::read(&inside, main, &files);
        let beside = join(folder(path), "postgresql.auto.conf");
        let in_data = data.and_then(|data| mounts.host(&join(data, "postgresql.auto.conf"))?.path());
        let auto = in_data.and_then(|host| located(source, &host, installed)).unwrap_or(beside);
        let auto = match source.read(&auto) {
            _ if let Some((path, bytes)) = &servers.auto => Some(ConfSet::read(path, bytes.clone(), &files)),
            Found::Yes(bytes) => {
                files.located.borrow_mut().insert(auto.clone(), auto.clone());
                Some(ConfSet::read(&auto, bytes, &files))
            }
            _ => None,
        };
        let located = files.located.into_inner();
        Ok(Some(Self { path: path.to_string(), set, auto, located }))
    }

    /// Returns whether the server would start with these files, as far as they can be read.
    pub(crate) fn is_readable(&self) -> bool {
        !self.set.problems().iter().any(|problem| problem.kind.is_fatal())
    }

    /// Returns the path here of a file that the server knows as `path`.
    pub(crate) fn here<'a>(&'a self, path: &'a str) -> &'a str {
        self.located.get(path).map_or(path, String::as_str)
    }
}

/// Returns the path below the target's root for a path of the host, as compose files write it.
///
/// An absolute path that is not there is one of the host that the tree will be installed on: Kasm
/// names `/opt/kasm/<version>/…`, and what follows decides. So it is for a tree that is not installed yet,
/// whatever release is installed here.
pub(crate) fn located(source: &dyn Source, host: &str, installed: bool) -> Option<String> {
    certain(source, host, installed).or_else(|| {
        let at = host.find(&format!("/{}/", folder(KASM_CONF)))?;
        Some(host[at + 1..].to_string())
    })
}

/// Returns that path where it is not a guess.
pub(crate) fn certain(source: &dyn Source, host: &str, installed: bool) -> Option<String> {
    if !host.starts_with('/') {
        return Some(host.to_string());
    }
    let there = || (installed && matches!(source.read(host), Found::Yes(_))).then(|| host.to_string());
    source.below_root(host).or_else(there)
}

/// Returns whether `located` gives `path`; a file that cannot be it is not read.
pub(crate) fn is_located(source: &dyn Source, host: &str, installed: bool, path: &str) -> bool {
    if !host.starts_with('/') {
        return host == path;
    }
    match source.below_root(host) {
        Some(below) => below == path,
        None => host.ends_with(path) && located(source, host, installed).as_deref() == Some(path),
    }
}

/// Returns the server's files: its paths are the container's.
struct ServerFiles<'a> {
    source: &'a dyn Source,
    mounts: &'a Mounts,
    /// The main file, as the server knows it and as it is here.
    main: &'a str,
    beside: &'a str,
    installed: bool,
    servers: &'a ServersFiles,
    located: RefCell<BTreeMap<String, String>>,
}

impl ServerFiles<'_> {
    /// Returns the path here for a path of the server, or says why it cannot be seen.
    fn here(&self, path: &str) -> Result<String, String> {
        match self.mounts.host(path) {
            Some(Host::Path(host)) => located(self.source, &host, self.installed)
                .ok_or_else(|| format!("{host} is not on this host")),
            Some(Host::Volume(_)) => Err("it lies in a volume that Docker keeps".into()),
            Some(Host::Unknown) => Err("no file sets the variable in the path of its volume".into()),
            None if self.main == self.beside => Ok(path.to_string()),
            None => {
                // What stands beside the file here may well be what an image was given.
                let rest = path.strip_prefix(folder(self.main)).map(|rest| rest.trim_start_matches('/'));
                rest.map(|rest| join(folder(self.beside), rest))
                    .ok_or_else(|| "it lies in the image: no volume brings it from this host".to_string())
            }
        }
    }

    fn is_certain(&self, path: &str) -> bool {
        self.main == self.beside || self.mounts.host(path).is_some()
    }
}

impl pgconf::Source for ServerFiles<'_> {
    fn read(&self, path: &str) -> Found<Bytes> {
        match self.servers.others.get(path) {
            Some(bytes) => Found::Yes(bytes.clone()),
            None => self.read_here(path),
        }
    }

    fn list(&self, folder: &str) -> Found<Vec<String>> {
        match self.list_here(folder) {
            Found::Unknown(why) => {
                let prefix = format!("{}/", folder.trim_end_matches('/'));
                let names = self.servers.others.keys().filter_map(|path| path.strip_prefix(&prefix));
                let names: Vec<_> = names.filter(|name| !name.contains('/')).map(String::from).collect();
                if names.is_empty() { Found::Unknown(why) } else { Found::Yes(names) }
            }
            found => found,
        }
    }
}

impl ServerFiles<'_> {
    fn read_here(&self, path: &str) -> Found<Bytes> {
        let here = match self.here(path) {
            Ok(here) => here,
            Err(why) => return Found::Unknown(why),
        };
        self.located.borrow_mut().insert(path.to_string(), here.clone());
        match self.source.read(&here) {
            Found::No if !self.is_certain(path) => {
                Found::Unknown("no volume brings it from this host".into())
            }
            Found::No if here.starts_with('/') => Found::Unknown("it is not on this host".into()),
            found => found,
        }
    }

    fn list_here(&self, folder: &str) -> Found<Vec<String>> {
        let here = match self.here(folder) {
            Ok(here) => here,
            Err(why) => return Found::Unknown(why),
        };
        match self.source.list(&here) {
            Found::No if !self.is_certain(folder) => {
                Found::Unknown("no volume brings it from this host".into())
            }
            Found::No if here.starts_with('/') => Found::Unknown("it is not on this host".into()),
            found => found,
        }
    }
}
