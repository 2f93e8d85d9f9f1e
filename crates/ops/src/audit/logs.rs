//! The log files of a target, oldest first.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use auditlog::{Format, Prefix};
use render::{LogFolder, ServerLog};

use super::elsewhere::{Elsewhere, earlier_confs};
use super::log_name::{is_named_as_log, kind, stem};
use crate::disk::identity_of;
use crate::documents::{Documents, Met, no_targets};
use crate::error::Error;
use crate::opened::{Rooted, on_disk};
use crate::outcome::Outcome;
use crate::selection::Selection;
use crate::target_dir::{TargetDir, named_tree};

/// A server's log files.
pub struct Logs {
    folder: PathBuf,
    log: ServerLog,
    elsewhere: Elsewhere,
}

/// Finds the logs of a target by its compose files and its postgresql.conf.
///
/// # Errors
/// They do not tell where it logs, or that is nowhere on this host.
pub(crate) fn logs_of(dir: &TargetDir, selection: &Selection) -> Result<Logs, Error> {
    let rooted = Rooted::open(dir, selection)?;
    let opened = rooted.read();
    let name = &dir.target.name;
    let fails = |message: String| Error::failed(format!("{name}: {message}"));
    let earlier = earlier_confs(&rooted, &opened.observed);
    let Some(log) = opened.observed.server_log(&opened.source(), &earlier) else {
        // A file that nobody may read is not missing.
        if let Some(finding) = opened.observed.unreadable() {
            let message = format!("{}/{} (target `{name}`)", rooted.folder(), finding.message);
            let error = Error::failed(message);
            return Err(finding.help.iter().fold(error, Error::help));
        }
        let message = "there is no postgresql.conf that shows where the server logs".to_string();
        return Err(fails(message).help("name the log files, or `-` for standard input"));
    };
    let folder = match &log.folder {
        LogFolder::Host(path) => {
            on_disk(&rooted, path).map_err(|error| super::input::unreadable(path, &error))?
        }
        LogFolder::Volume(path) => {
            return Err(fails(format!(
                "its logs are in {path} of the container, in a volume that Docker keeps"
            ))
            .help("pipe them from `docker exec`, and name `-` for standard input"));
        }
        LogFolder::Container(path) => {
            return Err(fails(format!(
                "its logs are in {path} of the container, which no volume brings here"
            ))
            .help("pipe them from `docker exec`, and name `-` for standard input"));
        }
        LogFolder::Printed => {
            return Err(fails("logging_collector is off: Docker keeps what the server prints".into())
                .help("run `docker logs kasm_db 2>&1 | kasm-db audit -`"));
        }
    };
    let elsewhere = Elsewhere::new(&log, &rooted);
    Ok(Logs { folder, log, elsewhere })
}

/// Finds the logs of every target of a run. `see` gets the documents, and the targets that have none: the others are read.
///
/// # Errors
/// A document cannot be read, or none names a target; or the logs of a tree that was named without one are not here.
pub fn logs_of_all(
    selection: &Selection,
    see: &mut dyn FnMut(Met<'_, ()>),
) -> Result<(Vec<Logs>, Outcome), Error> {
    if let Some(dir) = named_tree(selection) {
        return Ok((vec![logs_of(&dir, selection)?], Outcome::Done));
    }
    let (mut all, mut outcome) = (Vec::new(), Outcome::Done);
    for (document, dirs) in Documents::load(selection)?.into_targets() {
        let document = document.map_err(|error| match error.help {
            None => error,
            Some(_) => error.help("name log files, `--deployment DIR`, or a document with `-f FILE`"),
        })?;
        // Of a valid document only the targets matter here; its warnings are for those who change it.
        if document.desired().is_none() {
            see(Met::Document(&document, None));
            outcome = outcome.worse(Outcome::Invalid);
        }
        for dir in dirs? {
            match logs_of(&dir, selection) {
                Ok(logs) => all.push(logs),
                Err(error) => {
                    outcome = outcome.worse(error.kind);
                    see(Met::Failed(error.of(&document.name, Some(&dir.target.name))));
                }
            }
        }
    }
    if all.is_empty() && outcome == Outcome::Done { Err(no_targets()) } else { Ok((all, outcome)) }
}

impl Logs {
    /// Returns the prefix of the lines in words.
    pub fn prefix(&self) -> Prefix {
        Prefix::new(&self.log.prefix)
    }

    /// Returns the zone of its times.
    pub fn timezone(&self) -> Option<&str> {
        self.log.timezone.as_deref()
    }

    /// Returns whether a log in words shows nothing of what wrote a message.
    pub fn hides_functions(&self) -> bool {
        self.log.hides_functions && self.log.destinations.iter().any(|destination| destination == "stderr")
    }

    /// Returns the format that a file of the log folder must have, by its name.
    pub fn format(&self, path: &Path) -> Option<Format> {
        let name = path.file_name()?.as_encoded_bytes();
        let is = |destination: &&str| is_rotation(&file_name(&self.log.filename, destination), name);
        let destination = DESTINATIONS.into_iter().find(|destination| is(destination))?;
        (path.parent() == Some(&self.folder)).then_some(match destination {
            "csvlog" => Format::Csv,
            "jsonlog" => Format::Json,
            _ => Format::Stderr,
        })
    }

    /// Lists the files of all destinations, and those that are left out: `log_destination` may have been another one before.
    ///
    /// csvlog and jsonlog leave no doubt about what an entry is, so that they come first.
    ///
    /// # Errors
    /// The folder cannot be listed, or has none.
    pub fn files(&self) -> Result<Found, Error> {
        let folder = self.folder.display();
        let elsewhere = self.elsewhere.logs(&self.folder, &self.prefix());
        let listed = match std::fs::read_dir(&self.folder) {
            Ok(listed) => Some(listed),
            // The server has not made it yet.
            Err(error) if error.kind() == ErrorKind::NotFound && !elsewhere.is_empty() => None,
            Err(error) => return Err(super::input::unreadable(&folder.to_string(), &error)),
        };
        let mut groups: BTreeMap<Vec<u8>, Vec<(usize, SystemTime, PathBuf)>> = BTreeMap::new();
        let mut left_out = Vec::new();
        let names = DESTINATIONS.map(|destination| file_name(&self.log.filename, destination));
        for entry in listed.into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            let name = entry.file_name().into_encoded_bytes();
            let destination = names.iter().position(|pattern| is_rotation(pattern, &name));
            match destination.filter(|_| metadata.is_file()) {
                Some(destination) => {
                    let time = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                    groups.entry(stem(&name)).or_default().push((destination, time, entry.path()));
                }
                None if !metadata.is_dir() && (destination.is_some() || is_named_as_log(&name)) => {
                    left_out.push(entry.path());
                }
                None => {}
            }
        }
        left_out.sort();
        if groups.is_empty() {
            let message = format!("{folder}: no file matches `{}`", self.log.filename);
            let more = match left_out.first().or(elsewhere.first()) {
                Some(path) => format!(" ({} is there)", path.display()),
                None => String::new(),
            };
            return Err(Error::failed(message + &more).help("name the log files, or `-` for standard input"));
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        for group in &mut groups {
            group.sort();
        }
        groups.sort_by_key(|group| {
            (group.iter().map(|(_, time, _)| *time).min(), group.first().map(|(.., path)| path.clone()))
        });
        let groups = groups.into_iter().map(|group| group.into_iter().map(|(.., path)| path).collect());
        Ok(Found { groups: groups.collect(), left_out, elsewhere })
    }
}

/// The log files that there are.
#[derive(Debug, Default)]
pub struct Found {
    /// Files that may hold the same entries, together; the oldest first.
    pub groups: Vec<Vec<PathBuf>>,
    /// Files of the log folder that look like logs, and whose names do not match `log_filename`.
    pub left_out: Vec<PathBuf>,
    /// Logs that are not in the log folder.
    pub elsewhere: Vec<PathBuf>,
}

/// Where a server writes to, those first that leave least open.
pub(super) const DESTINATIONS: [&str; 3] = ["csvlog", "jsonlog", "stderr"];

/// Groups files that were named: those that differ in the format that their name tells belong together.
///
/// Returns besides them those that are there twice: under another name, or with the same content.
pub fn grouped(files: &[PathBuf]) -> (Vec<Vec<PathBuf>>, Vec<(PathBuf, PathBuf)>) {
    let (mut taken, mut twice): (Vec<&PathBuf>, Vec<(PathBuf, PathBuf)>) = (Vec::new(), Vec::new());
    for path in files {
        if let Some(other) = taken.iter().find(|other| is_same(other, path)) {
            twice.push((path.clone(), (*other).clone()));
            continue;
        }
        taken.push(path);
    }
    if !is_mixed(taken.iter().copied()) {
        return (taken.into_iter().map(|path| vec![path.clone()]).collect(), twice);
    }
    let mut all: Vec<PathBuf> = taken.into_iter().cloned().collect();
    all.sort_by_key(|path| kind(path));
    (vec![all], twice)
}

/// Returns whether names tell of several formats, so that files may have the same entries.
pub(crate) fn is_mixed<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> bool {
    let mut kinds = files.into_iter().map(|path| kind(path));
    let first = kinds.next();
    kinds.any(|kind| Some(kind) != first)
}

/// Returns whether two paths are of one file, or of files with the same content.
fn is_same(one: &Path, two: &Path) -> bool {
    let (Ok(first), Ok(second)) = (std::fs::metadata(one), std::fs::metadata(two)) else { return one == two };
    if identity_of(&first) == identity_of(&second) {
        return true;
    }
    let may_be = first.is_file() && second.is_file() && first.len() == second.len() && first.len() > 0;
    may_be && is_same_content(one, two).unwrap_or(false)
}

fn is_same_content(one: &Path, two: &Path) -> std::io::Result<bool> {
    let (mut one, mut two) = (BufReader::new(File::open(one)?), BufReader::new(File::open(two)?));
    loop {
        let (first, second) = (one.fill_buf()?, two.fill_buf()?);
        let length = first.len().min(second.len());
        if length == 0 || first[..length] != second[..length] {
            return Ok(first.is_empty() && second.is_empty());
        }
        one.consume(length);
        two.consume(length);
    }
}

/// Returns `log_filename` as the server changes it for a destination.
pub(super) fn file_name(pattern: &str, destination: &str) -> String {
    let suffix = match destination {
        "csvlog" => ".csv",
        "jsonlog" => ".json",
        _ => return pattern.to_string(),
    };
    format!("{}{suffix}", pattern.strip_suffix(".log").unwrap_or(pattern))
}

/// Returns whether a file's name is one that the pattern gives at some time, or the same with an addition of
/// those who rotate files: `.1`, `.2.gz`, `-20261122.gz`.
///
/// Whoever owns the folder chooses names, and whoever may change the configuration the pattern: each part of the pattern is
/// looked at once for each byte of the name.
pub(super) fn is_rotation(pattern: &str, name: &[u8]) -> bool {
    // Whether the pattern so far ends before each byte of the name, and behind the last one.
    let mut ends = vec![false; name.len() + 1];
    ends[0] = true;
    let mut rest = pattern.as_bytes();
    while let Some((&first, mut behind)) = rest.split_first() {
        let mut part = Part::Byte(first);
        if first == b'%' {
            // What an escape of strftime gives: a number or a name.
            let escape = behind.first().copied().unwrap_or(b'%');
            behind = behind.get(1..).unwrap_or_default();
            part = match escape {
                b'%' => Part::Byte(b'%'),
                b'Y' | b'G' => Part::Digits(4),
                b'm' | b'd' | b'H' | b'M' | b'S' | b'I' | b'y' | b'C' | b'U' | b'V' | b'W' | b'g' => {
                    Part::Digits(2)
                }
                b'j' => Part::Digits(3),
                b'u' | b'w' => Part::Digits(1),
                _ => Part::Name,
            };
        }
        rest = behind;
        let mut next = vec![false; name.len() + 1];
        for start in (0..=name.len()).filter(|start| ends[*start]) {
            match part {
                Part::Byte(byte) => {
                    if name.get(start) == Some(&byte) {
                        next[start + 1] = true;
                    }
                }
                Part::Digits(digits) => {
                    let number = name.get(start..start + digits);
                    if number.is_some_and(|number| number.iter().all(u8::is_ascii_digit)) {
                        next[start + digits] = true;
                    }
                }
                Part::Name => {
                    let text = name[start..].iter().take(32).take_while(|byte| **byte != b'/');
                    let length = text.count();
                    next[start + 1..=start + length].fill(true);
                }
            }
        }
        ends = next;
    }
    let is_addition = |more: &[u8]| match more {
        [] => true,
        [b'.' | b'-', more @ ..] => {
            more.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
        }
        _ => false,
    };
    (0..=name.len()).any(|end| ends[end] && is_addition(&name[end..]))
}

/// What a part of `log_filename` gives.
#[derive(Clone, Copy)]
enum Part {
    Byte(u8),
    /// So many digits.
    Digits(usize),
    /// The name of a day, or whatever else.
    Name,
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
        assert!(!is_rotation(&format!("{}x", "%A".repeat(200)), &[b'a'; 4000]));
        assert_eq!(file_name(kasm, "csvlog"), "postgresql-%m-%d.csv");
        assert_eq!(file_name("pg", "jsonlog"), "pg.json");
        for name in ["pg-11-22.log", "pg-11-22.csv", "pg-11-22.json.gz", "pg-11-22.log.zst"] {
            assert_eq!(stem(name.as_bytes()), b"pg-11-22", "{name}");
        }
        assert_eq!(stem(b"pg.csv.1"), stem(b"pg.log.1"));
        assert_ne!(stem(b"pg.csv.1"), stem(b"pg.csv.2"));
    }
}
