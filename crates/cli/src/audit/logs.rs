//! The log files of a target, oldest first.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use auditlog::Prefix;
use render::{LogFolder, ServerLog};

use crate::args::Global;
use crate::disk::{Disk, prefixed};
use crate::exit::{Exit, Failure};
use crate::target::Place;

/// A server's log files.
pub(crate) struct Logs {
    folder: PathBuf,
    log: ServerLog,
}

/// Finds the logs of a target by its compose files and its postgresql.conf.
pub(crate) fn logs_of(place: &Place, global: &Global) -> Result<Logs, Failure> {
    let root = place.open()?;
    let disk = Disk::new(&root, global.root.as_deref());
    let observed = render::observe(&place.target, &disk);
    let name = &place.target.name;
    let fails = |message: String| Failure::new(Exit::Error, format!("{name}: {message}"));
    let Some(log) = observed.server_log(&disk) else {
        let message = "there is no postgresql.conf that tells where the server logs".to_string();
        return Err(fails(message).help("name the log files, or `-` for standard input"));
    };
    let folder = match &log.folder {
        LogFolder::Host(path) if path.starts_with('/') => prefixed(global.root.as_deref(), Path::new(path)),
        LogFolder::Host(path) => root.path().join(path),
        LogFolder::Volume(path) => {
            return Err(fails(format!(
                "its logs are in {path} of the container, in a volume that Docker keeps"
            ))
            .help("read them with `docker exec`, and name `-` for standard input"));
        }
        LogFolder::Container(path) => {
            return Err(fails(format!(
                "its logs are in {path} of the container, which no volume brings here"
            ))
            .help("read them with `docker exec`, and name `-` for standard input"));
        }
        LogFolder::Printed => {
            return Err(fails("logging_collector is off: Docker keeps what the server prints".into())
                .help("docker logs kasm_db 2>&1 | kasm-db audit -"));
        }
    };
    Ok(Logs { folder, log })
}

impl Logs {
    /// Gives the prefix of the lines in words.
    pub(crate) fn prefix(&self) -> Prefix {
        Prefix::new(&self.log.prefix)
    }

    /// Lists the files of one destination: with several, all of them hold the same entries.
    ///
    /// csvlog and jsonlog leave no doubt about what an entry is, so that they come first.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>, Failure> {
        let folder = self.folder.display();
        let listed = std::fs::read_dir(&self.folder)
            .map_err(|error| super::input::unreadable(&folder.to_string(), &error))?;
        let mut all: Vec<(SystemTime, PathBuf, Vec<u8>)> = Vec::new();
        for entry in listed.flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_file() {
                let time = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                all.push((time, entry.path(), entry.file_name().into_encoded_bytes()));
            }
        }
        all.sort();
        for destination in ["csvlog", "jsonlog", "stderr"] {
            if !self.log.destinations.iter().any(|name| name == destination) {
                continue;
            }
            let name = file_name(&self.log.filename, destination);
            let fits = |found: &&(SystemTime, PathBuf, Vec<u8>)| is_rotation(&name, &found.2);
            let files: Vec<_> = all.iter().filter(fits).map(|(_, path, _)| path.clone()).collect();
            if !files.is_empty() {
                return Ok(files);
            }
        }
        let message = format!("{folder}: no file is called like `{}`", self.log.filename);
        Err(Failure::new(Exit::Error, message).help("name the log files, or `-` for standard input"))
    }
}

/// Gives `log_filename` as the server changes it for a destination.
fn file_name(pattern: &str, destination: &str) -> String {
    let suffix = match destination {
        "csvlog" => ".csv",
        "jsonlog" => ".json",
        _ => return pattern.to_string(),
    };
    format!("{}{suffix}", pattern.strip_suffix(".log").unwrap_or(pattern))
}

/// Tells whether a file's name is one that the pattern gives at some time, or the same with an addition of
/// those who rotate files: `.1`, `.2.gz`, `-20261122.gz`.
fn is_rotation(pattern: &str, name: &[u8]) -> bool {
    let Some((&first, rest)) = pattern.as_bytes().split_first() else {
        return match name {
            [] => true,
            [b'.' | b'-', more @ ..] => {
                more.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
            }
            _ => false,
        };
    };
    let rest = || std::str::from_utf8(rest).unwrap_or_default();
    if first != b'%' {
        return name.first() == Some(&first) && is_rotation(rest(), &name[1..]);
    }
    // What an escape of strftime gives: a number or a name.
    let escape = rest().as_bytes().first().copied().unwrap_or(b'%');
    let behind = rest().get(1..).unwrap_or_default();
    let digits = match escape {
        b'%' => return name.first() == Some(&b'%') && is_rotation(behind, &name[1..]),
        b'Y' | b'G' => Some(4),
        b'm' | b'd' | b'H' | b'M' | b'S' | b'I' | b'y' | b'C' | b'U' | b'V' | b'W' | b'g' => Some(2),
        b'j' => Some(3),
        b'u' | b'w' => Some(1),
        _ => None,
    };
    match digits {
        Some(digits) => {
            name.len() >= digits
                && name[..digits].iter().all(u8::is_ascii_digit)
                && is_rotation(behind, &name[digits..])
        }
        None => (1..=name.len().min(32))
            .take_while(|end| name[end - 1] != b'/')
            .any(|end| is_rotation(behind, &name[end..])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_pattern_and_of_rotation() {
        let kasm = "postgresql-%m-%d.log";
        for name in ["postgresql-11-22.log", "postgresql-11-22.log.1", "postgresql-11-22.log-20261122.gz"] {
            assert!(is_rotation(kasm, name.as_bytes()), "{name}");
        }
        for name in ["postgresql-11-22.csv", "postgresql-1-22.log", "postgresql-11-22.logs", "x", ""] {
            assert!(!is_rotation(kasm, name.as_bytes()), "{name}");
        }
        assert!(is_rotation("pg_%a_%Y-%m-%d_%H%M%S.log", b"pg_Mon_2026-11-22_224635.log"));
        assert!(is_rotation("%%.log", b"%.log") && is_rotation("x%", b"x%"));
        assert_eq!(file_name(kasm, "csvlog"), "postgresql-%m-%d.csv");
        assert_eq!(file_name("pg", "jsonlog"), "pg.json");
    }
}
