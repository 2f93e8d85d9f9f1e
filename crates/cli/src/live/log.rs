//! The server's log, from a point on: a file on the host, a file that only the server can read, or what
//! the container wrote.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
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
    /// A file that is the host's too, by a mount.
    Host { inside: String, path: PathBuf },
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
                // Without a collector all goes to standard error, in words.
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
            return Ok(Self { way, place: Place::Host { inside, path }, format, from });
        }
        let sql = format!("SELECT 'r', (pg_catalog.pg_stat_file({})).size::text", literal(&inside));
        let answers = way.run(None, &[Statement::new(sql, 1)]).map_err(|unreachable| unreachable.why)?;
        let rows = answers.into_iter().next().unwrap_or_else(|| Err("no answer".into()))?;
        let size = rows.first().and_then(|row| row.first()).and_then(|size| size.parse().ok());
        Ok(Self { way, place: Place::Server(inside), format, from: size.unwrap_or_default() })
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
                let bytes = docker.logs(container).map_err(|unreachable| unreachable.why)?;
                return Ok(vec![Piece { format: self.format, bytes }]);
            }
            (Place::Output, Way::Tcp(_)) => return Err("there is no container".into()),
        };
        let mut pieces = vec![Piece { format: self.format, bytes: self.part()? }];
        let (now, format) = current(self.way, server)?;
        if now != *was {
            let place = match &self.place {
                Place::Host { path, .. } => Place::Host {
                    path: path.with_file_name(Path::new(&now).file_name().unwrap_or_default()),
                    inside: now,
                },
                _ => Place::Server(now),
            };
            let bytes = Self { way: self.way, place, format, from: 0 }.part()?;
            pieces.push(Piece { format, bytes });
        }
        Ok(pieces)
    }

    fn part(&self) -> Result<Vec<u8>, String> {
        match &self.place {
            Place::Host { path, .. } => {
                let named = |error: std::io::Error| format!("{}: {}", path.display(), commit::reason(&error));
                let mut file = open(path).map_err(named)?;
                file.seek(SeekFrom::Start(self.from)).map_err(named)?;
                let mut bytes = Vec::new();
                file.take(LIMIT).read_to_end(&mut bytes).map_err(named)?;
                Ok(bytes)
            }
            Place::Server(path) => read_part(self.way, path, self.from, LIMIT),
            Place::Output => Ok(Vec::new()),
        }
    }
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
    let answers =
        way.run(None, &[Statement::new(sql, known.len())]).map_err(|unreachable| unreachable.why)?;
    let rows = answers.into_iter().next().unwrap_or_else(|| Err("no answer".into()))?;
    let paths = rows.into_iter().next().unwrap_or_default();
    let Some((path, (_, format))) = paths.into_iter().zip(known).find(|(path, _)| !path.is_empty()) else {
        let destination = server.text("log_destination");
        return Err(format!("the server writes no log file: log_destination is `{destination}`"));
    };
    Ok(match path.starts_with('/') {
        true => (path, *format),
        false => (format!("{}/{path}", server.text("data_directory")), *format),
    })
}
