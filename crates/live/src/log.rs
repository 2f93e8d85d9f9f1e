//! The server's log, from a point on: a file on the host, a file that only the server can read, or what
//! the container wrote.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use auditlog::Format;
use rustix::fs::OFlags;

use crate::docker::Container;
use crate::facts::{LogFile, NotRun, Server};
use crate::file_identity::identity;
use crate::io_error::reason;
use crate::question::Batch;
use crate::session::Unreachable;
use crate::way::Way;
use crate::{questions, regular_file};

/// How much of a log is looked at. A probe writes a few kilobytes; a busy server some more.
const LIMIT: u64 = 8 << 20;

/// A log, and where to start.
pub(crate) struct Log<'a> {
    way: &'a Way,
    origin: Origin,
    format: Format,
    from: u64,
    /// Where the file is on the host, whether or not it can be opened there.
    here: Option<PathBuf>,
}

/// A piece of a log: one file's, in one format.
pub(crate) struct Piece {
    pub(crate) format: Format,
    pub(crate) bytes: Vec<u8>,
}

enum Origin {
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
    pub(crate) fn open(way: &'a Way, server: &Server, container: Option<&Container>) -> Result<Self, NotRun> {
        let elsewhere = || NotRun::Setting { name: "log_destination", why: no_file(server) };
        if server.text("logging_collector") == "off" {
            return match container {
                // Without a collector all goes to standard error, in words; but not what goes elsewhere alone.
                _ if only_elsewhere(server) => Err(elsewhere()),
                Some(_) => {
                    Ok(Self { way, origin: Origin::Output, format: Format::Stderr, from: 0, here: None })
                }
                None => Err(NotRun::Setting {
                    name: "logging_collector",
                    why: "the server writes its log to its standard error, which cannot be seen from here"
                        .into(),
                }),
            };
        }
        let failed = |why: String, fix| NotRun::Failed(Unreachable::new(why, fix));
        let LogFile { path: inside, format, size } = match &server.log_file {
            Ok(Some(file)) => file.clone(),
            Ok(None) if only_elsewhere(server) => return Err(elsewhere()),
            Ok(None) => {
                return Err(failed(no_file(server), "check log_destination and logging_collector"));
            }
            Err(why) => {
                let why = format!("the name of the log file cannot be seen: {why}");
                let fix = "name a superuser under `verify: {user: …}` of the document, or grant the user pg_monitor";
                return Err(failed(why, fix));
            }
        };
        let here = container.and_then(|container| container.host_path(&inside));
        if let Some(path) = here.clone()
            && let Ok(file) = open(&path)
        {
            let from = file.metadata().map(|metadata| metadata.len()).unwrap_or_default();
            return Ok(Self { way, origin: Origin::Host { inside, path, file }, format, from, here });
        }
        // One that is not there has nothing yet.
        Ok(Self { way, origin: Origin::Server(inside), format, from: size.unwrap_or_default(), here })
    }

    /// Returns where the log is.
    pub(crate) fn name(&self) -> String {
        match &self.origin {
            Origin::Host { path, .. } => path.display().to_string(),
            Origin::Server(inside) => match &self.here {
                Some(here) => here.display().to_string(),
                None => inside.clone(),
            },
            Origin::Output => "the container's output".into(),
        }
    }

    /// Returns what was written since the log was opened. `now` is the file that the server writes to by now: of a log that was
    /// changed for another since then, all that the new one holds is returned as well.
    pub(crate) fn read(&self, now: Option<&LogFile>) -> Result<Vec<Piece>, String> {
        let other = |inside: &str| now.filter(|now| now.path != inside);
        let (first, second, format) = match &self.origin {
            Origin::Output => (self.way.container_output()?, None, self.format),
            Origin::Host { inside, path, file } => {
                let named = |error| format!("{}: {}", path.display(), reason(&error));
                let first = part(file, self.from).map_err(named)?;
                let other = other(inside);
                let format = other.map_or(self.format, |now| now.format);
                let name = other.and_then(|now| Path::new(&now.path).file_name());
                let path = name.map_or_else(|| path.clone(), |name| path.with_file_name(name));
                let second = match open(&path) {
                    Ok(new) if other.is_some() || identity(new.metadata()) != identity(file.metadata()) => {
                        Some(part(&new, 0).map_err(named)?)
                    }
                    // Between two names there may be none.
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(named(error)),
                    _ => None,
                };
                (first, second, format)
            }
            Origin::Server(path) => {
                let other = other(path);
                let second = other.map(|now| self.ask(&now.path, 0)).transpose()?;
                (self.ask(path, self.from)?, second, other.map_or(self.format, |now| now.format))
            }
        };
        let second = second.map(|bytes| Piece { format, bytes });
        Ok([Piece { format: self.format, bytes: first }].into_iter().chain(second).collect())
    }

    /// Returns where the file is on the host, if a mount brings it there.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.here.as_deref()
    }

    /// Returns whether the end of the log has a text of letters and digits.
    ///
    /// # Errors
    /// It cannot be read; why.
    pub(crate) fn ends_with(&self, text: &str) -> Result<bool, String> {
        let bytes = match &self.origin {
            Origin::Output => self.way.container_output()?,
            Origin::Host { path, .. } => {
                let named = |error| format!("{}: {}", path.display(), reason(&error));
                match open(path) {
                    Ok(file) => {
                        let end = file.metadata().map_err(named)?.len();
                        part(&file, end.saturating_sub(LIMIT)).map_err(named)?
                    }
                    Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
                    Err(error) => return Err(named(error)),
                }
            }
            Origin::Server(path) => {
                let mut batch = Batch::qualified();
                let asked = batch.add(questions::ends_with(path, text));
                let mut answers = batch.ask(self.way, None).map_err(|unreachable| unreachable.why)?;
                return Ok(answers.take(&asked)?.contains(&true));
            }
        };
        Ok(bytes.windows(text.len()).any(|window| window == text.as_bytes()))
    }

    /// Lets the server read a file from a point on; from its start if it is shorter by now, and nothing of one that is not
    /// there.
    fn ask(&self, path: &str, from: u64) -> Result<Vec<u8>, String> {
        let part = questions::file_part(path, from, LIMIT);
        let mut batch = Batch::qualified();
        let part = batch.add(part);
        let mut answers = batch.ask(self.way, None).map_err(|unreachable| unreachable.why)?;
        let bytes = answers.take(&part)?.into_iter().next();
        // No row has no text either, which is the file's end.
        bytes.unwrap_or_else(|| Some(Vec::new())).ok_or_else(|| "no hexadecimal text".into())
    }
}

/// Returns what a file holds from a point on; all of it where it is shorter by now.
fn part(mut file: &File, from: u64) -> std::io::Result<Vec<u8>> {
    let from = if file.metadata()?.len() < from { 0 } else { from };
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(LIMIT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns whether the server's log goes nowhere but to where nobody here can see it.
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
    regular_file::open(path, OFlags::NOFOLLOW).map(|(file, _)| file)
}
