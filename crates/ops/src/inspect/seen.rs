//! What of a file of an image is kept: of a server its version, of a library whether the server can load it.

use std::io::{self, Read};

use memchr::memmem;

/// What every module for PostgreSQL has (`PG_MODULE_MAGIC`).
const MAGIC: &[u8] = b"Pg_magic_func";

/// What the server prints for `--version`, as it is in its program.
const VERSION: &[u8] = b"postgres (PostgreSQL) ";

/// The longest control file that is read.
const CONTROL: u64 = 1 << 16;

/// The most settings that are kept of a library.
const MOST_SETTINGS: usize = 1000;

/// What was seen in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It is not of interest.
    Nothing,
    /// A server of this version.
    Server(String),
    /// A library that the server can load, with the settings that are named after it.
    Module(Vec<String>),
    /// The control file of an extension.
    Control { version: Option<String>, requires: Vec<String> },
}

/// Looks into a file.
pub(super) fn look(path: &str, from: &mut impl Read) -> io::Result<Seen> {
    let (_, name) = split(path);
    let mut bytes = Vec::new();
    if name == "postgres" {
        from.read_to_end(&mut bytes)?;
        return Ok(version(&bytes).map_or(Seen::Nothing, Seen::Server));
    }
    if let Some(library) = name.strip_suffix(".so") {
        from.read_to_end(&mut bytes)?;
        return Ok(match memmem::find(&bytes, MAGIC) {
            Some(_) => Seen::Module(settings(library, &bytes)),
            None => Seen::Nothing,
        });
    }
    if name.ends_with(".control") {
        from.take(CONTROL).read_to_end(&mut bytes)?;
        return Ok(control(&String::from_utf8_lossy(&bytes)));
    }
    Ok(Seen::Nothing)
}

/// Splits a path into its folder and its name.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

fn version(program: &[u8]) -> Option<String> {
    let starts = memmem::find_iter(program, VERSION).map(|at| at + VERSION.len());
    let mut versions = starts.filter_map(|start| {
        let rest = &program[start..program.len().min(start + 200)];
        let end = rest.iter().position(|byte| matches!(byte, b'\n' | 0))?;
        let text = std::str::from_utf8(&rest[..end]).ok()?.trim();
        text.starts_with(|c: char| c.is_ascii_digit()).then(|| text.to_string())
    });
    versions.next()
}

/// Returns the texts of a library that look like its settings: its name, a dot and a word.
fn settings(library: &str, bytes: &[u8]) -> Vec<String> {
    let prefix = format!("\0{library}.");
    let mut found: Vec<String> = Vec::new();
    for at in memmem::find_iter(bytes, prefix.as_bytes()) {
        let rest = &bytes[at + prefix.len()..];
        let length = rest
            .iter()
            .take(64)
            .take_while(|byte| byte.is_ascii_lowercase() || **byte == b'_' || byte.is_ascii_digit());
        let length = length.count();
        let word = &rest[..length];
        // The name of its own file is none.
        if length > 0 && rest.get(length) == Some(&0) && !matches!(word, b"so" | b"c") {
            found.push(format!("{library}.{}", String::from_utf8_lossy(word)));
        }
        if found.len() >= MOST_SETTINGS {
            break;
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn control(text: &str) -> Seen {
    let (mut version, mut requires) = (None, Vec::new());
    for line in text.lines() {
        let line = line.trim();
        let Some((key, value)) = line.split_once('=') else { continue };
        let value = value.trim();
        // What is behind the quotes is a comment.
        let value = match value.strip_prefix('\'') {
            Some(quoted) => quoted.split('\'').next().unwrap_or_default(),
            None => value.split('#').next().unwrap_or_default().trim(),
        };
        match key.trim().to_ascii_lowercase().as_str() {
            "default_version" => version = Some(value.to_string()),
            "requires" => {
                let names = value.split(',').map(|name| name.trim().trim_matches('"').to_string());
                requires = names.filter(|name| !name.is_empty()).collect();
            }
            _ => {}
        }
    }
    Seen::Control { version, requires }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_a_module_and_a_control_file_are_recognised() {
        let program = b"\x7fELF\0postgres (PostgreSQL) \0postgres (PostgreSQL) 15.18 (Debian 15.18-1)\n\0";
        let seen = |path: &str, bytes: &[u8]| look(path, &mut &bytes[..]).unwrap();
        assert_eq!(seen("usr/bin/postgres", program), Seen::Server("15.18 (Debian 15.18-1)".into()));
        assert_eq!(seen("usr/bin/postgres", b"#!/bin/sh\n"), Seen::Nothing);
        let library = b"\0Pg_magic_func\0pgaudit.log\0pgaudit.so\0pgaudit.role\0set pgaudit.x\0pgaudit.Log\0";
        let settings = vec!["pgaudit.log".to_string(), "pgaudit.role".to_string()];
        assert_eq!(seen("l/pgaudit.so", library), Seen::Module(settings));
        assert_eq!(seen("l/libpq.so", b"no module"), Seen::Nothing);
        let control = b"# comment\ndefault_version = '1.7' # or so\nrequires = 'a, \"b\"'\n";
        let expected = Seen::Control { version: Some("1.7".into()), requires: vec!["a".into(), "b".into()] };
        assert_eq!(seen("e/pgaudit.control", control), expected);
    }
}
