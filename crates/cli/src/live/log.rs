//! The server's log, from a point on: a file on the host, a file that only the server can read, or what
//! the container wrote.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use auditlog::Format;
use rustix::fs::OFlags;

use crate::live::docker::Container;
use crate::live::facts::Server;
use crate::live::gather::read_part;
use crate::live::session::{Statement, Way, literal};

/// How much of a log is looked at. A probe writes a few kilobytes; a busy server some more.
const LIMIT: u64 = 8 << 20;

/// A log, and where to start.
pub(crate) struct Log<'a> {
    way: &'a Way,
    place: Place,
    format: Format,
    from: u64,
}

/// A piece of a log: one file's, in one format.
pub(crate) struct Piece {
    pub(crate) format: Format,
    pub(crate) bytes: Vec<u8>,
}

enum Place {
    /// A file that is the host's too, by a mount. It is kept open: who rotates files gives them other names.
    Host { inside: String, path: PathBuf, file: File },
    /// A file that the server reads for us.
    Server(String),
    /// What Docker keeps of the container's output.
    Output,
}

impl<'a> Log<'a> {
    /// Finds the log by the server's own settings, and its end.
    ///
    /// # Errors
    /// There is no file, or it may not be known; why.
    pub(crate) fn open(way: &'a Way, server: &Server, container: Option<&Container>) -> Result<Self, String> {
        if server.text("logging_collector") == "off" {
            return match container {
                // Without a collector all goes to standard error, in words; but not what goes elsewhere alone.
                _ if only_elsewhere(server) => Err(no_file(server)),
                Some(_) => Ok(Self { way, place: Place::Output, format: Format::Stderr, from: 0 }),
                None => {
                    Err("the server writes its log to its standard error, which can not be seen from here"
                        .into())
                }
            };
        }
        let (inside, format) = current(way, server)?;
        if let Some(path) = container.and_then(|container| container.host_path(&inside))
            && let Ok(file) = open(&path)
        {
            let from = file.metadata().map(|metadata| metadata.len()).unwrap_or_default();
            return Ok(Self { way, place: Place::Host { inside, path, file }, format, from });
        }
        let from = size(way, &inside)?.unwrap_or_default();
        Ok(Self { way, place: Place::Server(inside), format, from })
    }

    /// Says where the log is.
    pub(crate) fn name(&self) -> String {
        match &self.place {
            Place::Host { path, .. } => path.display().to_string(),
            Place::Server(path) => path.clone(),
            Place::Output => "the container's output".into(),
        }
    }

    /// Gives what was written since the log was opened; of a log that was changed for another since then, all
    /// that the new one holds.
    pub(crate) fn read(&self, server: &Server) -> Result<Vec<Piece>, String> {
        let was = match (&self.place, self.way) {
            (Place::Host { inside, .. } | Place::Server(inside), _) => inside,
            (Place::Output, Way::Docker { docker, container, .. }) => {
                let bytes = docker.logs(container)?;
                return Ok(vec![Piece { format: self.format, bytes }]);
            }
            (Place::Output, Way::Tcp(_)) => return Err("there is no container".into()),
        };
        let (now, format) = current(self.way, server)?;
        let is_same = now == *was;
        let (first, second) = match &self.place {
            Place::Host { path, file, .. } => {
                let named = |error| format!("{}: {}", path.display(), commit::reason(&error));
                let first = part(file, self.from).map_err(named)?;
                let path = path.with_file_name(Path::new(&now).file_name().unwrap_or_default());
                let second = match open(&path) {
                    Ok(new) if !is_same || identity(&new) != identity(file) => {
                        Some(part(&new, 0).map_err(named)?)
                    }
                    // Between two names there may be none.
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(named(error)),
                    _ => None,
                };
                (first, second)
            }
            Place::Server(path) => {
                let second = (!is_same).then(|| self.ask(&now, 0)).transpose()?;
                (self.ask(path, self.from)?, second)
            }
            Place::Output => return Err("there is no file".into()),
        };
        let second = second.map(|bytes| Piece { format, bytes });
        Ok([Piece { format: self.format, bytes: first }].into_iter().chain(second).collect())
    }

    /// Lets the server read a file from a point on; from its start where it is shorter by now, and nothing of one
    /// that is not there.
    fn ask(&self, path: &str, from: u64) -> Result<Vec<u8>, String> {
        match size(self.way, path)? {
            None => Ok(Vec::new()),
            Some(size) => read_part(self.way, path, if size < from { 0 } else { from }, LIMIT),
        }
    }
}

/// Asks for the size of a file. One that is not there has none: somebody may have removed it, and the server writes
/// on to it.
fn size(way: &Way, path: &str) -> Result<Option<u64>, String> {
    let sql =
        format!("SELECT 'r', coalesce((pg_catalog.pg_stat_file({}, true)).size, -1)::text", literal(path));
    let rows = way.rows(Statement::new(sql, 1))?;
    Ok(rows.first().and_then(|row| row.first()).and_then(|size| size.parse().ok()))
}

/// Gives what a file holds from a point on; all of it where it is shorter by now.
fn part(mut file: &File, from: u64) -> std::io::Result<Vec<u8>> {
    let from = if file.metadata()?.len() < from { 0 } else { from };
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(LIMIT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What tells one file from another of the same name.
fn identity(file: &File) -> Option<(u64, u64)> {
    file.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Tells whether the server's log goes nowhere but to where nobody here can see it.
fn only_elsewhere(server: &Server) -> bool {
    let destination = server.text("log_destination").to_ascii_lowercase();
    !destination.split(',').any(|one| matches!(one.trim(), "stderr" | "csvlog" | "jsonlog"))
}

fn no_file(server: &Server) -> String {
    format!("the server writes no log file: log_destination is `{}`", server.text("log_destination"))
}

/// Opens a regular file. The folder is the container's to write to: a link in it could lead anywhere, and
/// opening a pipe would wait for ever.
fn open(path: &Path) -> std::io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(std::io::Error::other("not a regular file")) }
}

/// Asks which file the server writes to now: absolute, with every `%` of `log_filename` resolved; and in which
/// format.
fn current(way: &Way, server: &Server) -> Result<(String, Format), String> {
    // Asking for a format that a major does not have is an error.
    let formats = [("stderr", Format::Stderr), ("csvlog", Format::Csv), ("jsonlog", Format::Json)];
    let known = if server.major() >= 15 { &formats[..] } else { &formats[..2] };
    let names =
        known.iter().map(|(name, _)| format!("coalesce(pg_catalog.pg_current_logfile('{name}'), '')"));
    let sql = format!("SELECT 'r', {}", names.collect::<Vec<_>>().join(", "));
    let paths = way.rows(Statement::new(sql, known.len()))?.into_iter().next().unwrap_or_default();
    let Some((path, (_, format))) = paths.into_iter().zip(known).find(|(path, _)| !path.is_empty()) else {
        return Err(no_file(server));
    };
    Ok(match path.starts_with('/') {
        true => (path, *format),
        false => (format!("{}/{path}", server.text("data_directory")), *format),
    })
}
