//! What is written down of a commit: the journal while it is under way, the manifest of its generation
//! afterwards. Both are one format, so that one rename ends a commit.
//!
//! ```text
//! kasm-db journal 1
//! generation 7
//! time 1785000000
//! tool kasm-db 0.1.0
//! what apply
//! follow-up -
//! exchange 0644 0 0 <sha256 before> 4711 <sha256 after> 4720 docker/docker-compose.yaml
//! in-place 0600 70 70 <sha256 before> 22000 <sha256 after> 22031 conf/database/postgresql.conf
//! sha256 <of everything above this line>
//! ```
//!
//! Neither contents nor anything of them but length and digest. There is one way to write a record, and any
//! other is refused.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use crate::digest::Digest;
use crate::path::RelPath;

/// Raised with every change of the format.
const FIRST: &str = "kasm-db journal 1";

/// More than any set of files needs.
pub(crate) const MAX_BYTES: u64 = 1 << 20;

/// One commit, as the journal and the history have it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Generation {
    /// Its number; each commit below one root has the next.
    pub number: u64,
    /// When it was made, in seconds since 1970.
    pub time: u64,
    /// The program and its version.
    pub tool: String,
    /// What the commit was for, such as `apply`.
    pub what: String,
    /// The files that it changed.
    pub files: Vec<Replaced>,
    pub(crate) follow_up: Option<Digest>,
}

/// One file of a [`Generation`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replaced {
    /// The file, relative to the root.
    pub path: PathBuf,
    /// The digest of the content that it had.
    pub before: Digest,
    /// The length of that content, in bytes.
    pub before_len: u64,
    /// The digest of the content that it got.
    pub after: Digest,
    /// The length of that content, in bytes.
    pub after_len: u64,
    /// The permission bits, with set-user-ID, set-group-ID and sticky.
    pub mode: u32,
    /// The numeric owner.
    pub uid: u32,
    /// The numeric group.
    pub gid: u32,
    /// Whether it was written in place, rather than exchanged for another.
    pub in_place: bool,
}

/// Says why bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// It is of another version of the format, or something else altogether.
    #[error("it does not begin with `{FIRST}`")]
    Version,
    /// The digest at its end is not that of what is above.
    #[error("its checksum is missing or wrong")]
    Checksum,
    /// It is complete, but does not make sense.
    #[error("line {0} is not as this program writes it")]
    Line(usize),
    /// It is larger than a record can be.
    #[error("it is larger than {MAX_BYTES} bytes")]
    Size,
    /// It is the record of another generation than the one that it lies in.
    #[error("it is the record of another generation")]
    Number,
}

impl Generation {
    /// Writes the record.
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!(
            "{FIRST}\ngeneration {}\ntime {}\ntool {}\nwhat {}\n",
            self.number,
            self.time,
            escape(self.tool.as_bytes()),
            escape(self.what.as_bytes())
        );
        let follow_up = self.follow_up.map_or_else(|| "-".to_owned(), |digest| digest.to_string());
        // Writing to a string can not fail.
        let _ = writeln!(text, "follow-up {follow_up}");
        for file in &self.files {
            let Replaced { path, before, before_len, after, after_len, mode, uid, gid, in_place } = file;
            let how = if *in_place { "in-place" } else { "exchange" };
            let path = escape(path.as_os_str().as_bytes());
            let _ = writeln!(
                text,
                "{how} {mode:04o} {uid} {gid} {before} {before_len} {after} {after_len} {path}"
            );
        }
        let sum = Digest::of(text.as_bytes());
        let _ = writeln!(text, "sha256 {sum}");
        text.into_bytes()
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`Damage`] for anything that [`Generation::encode`] did not write.
    pub fn decode(bytes: &[u8]) -> Result<Generation, Damage> {
        if u64::try_from(bytes.len()).is_ok_and(|len| len > MAX_BYTES) {
            return Err(Damage::Size);
        }
        let text = str::from_utf8(bytes).map_err(|_| Damage::Checksum)?;
        if text.lines().next() != Some(FIRST) {
            return Err(Damage::Version);
        }
        let end = text.rfind("\nsha256 ").ok_or(Damage::Checksum)? + 1;
        let sum = text[end..].strip_prefix("sha256 ").and_then(|rest| rest.strip_suffix('\n'));
        if sum.and_then(Digest::parse) != Some(Digest::of(&bytes[..end])) {
            return Err(Damage::Checksum);
        }
        let read = parse(&text[..end])?;
        // Whatever was read leniently above is found here: leading zeros, a second blank, another escape.
        if read.encode() == bytes { Ok(read) } else { Err(Damage::Line(1)) }
    }
}

fn parse(text: &str) -> Result<Generation, Damage> {
    let mut lines = text.lines().enumerate().skip(1);
    let mut field = |name: &str| {
        let (index, line) = lines.next().ok_or(Damage::Line(0))?;
        let value = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(' '));
        value.map(|value| (value, Damage::Line(index + 1))).ok_or(Damage::Line(index + 1))
    };
    let (number, bad) = field("generation")?;
    let number = number.parse().map_err(|_| bad)?;
    let (time, bad) = field("time")?;
    let time = time.parse().map_err(|_| bad)?;
    let (tool, bad) = field("tool")?;
    let tool = words(tool).ok_or(bad)?;
    let (what, bad) = field("what")?;
    let what = words(what).ok_or(bad)?;
    let follow_up = match field("follow-up")? {
        ("-", _) => None,
        (digest, bad) => Some(Digest::parse(digest).ok_or(bad)?),
    };
    let (mut files, mut paths) = (Vec::new(), HashSet::new());
    for (index, line) in lines {
        let file = replaced(line).ok_or(Damage::Line(index + 1))?;
        if !paths.insert(file.path.clone()) {
            return Err(Damage::Line(index + 1));
        }
        files.push(file);
    }
    Ok(Generation { number, time, tool, what, files, follow_up })
}

fn replaced(line: &str) -> Option<Replaced> {
    let mut fields = line.split(' ');
    let mut next = || fields.next();
    let in_place = match next()? {
        "exchange" => false,
        "in-place" => true,
        _ => return None,
    };
    let mode = u32::from_str_radix(next()?, 8).ok().filter(|mode| *mode <= 0o7777)?;
    let uid = next()?.parse().ok()?;
    let gid = next()?.parse().ok()?;
    let before = Digest::parse(next()?)?;
    let before_len = next()?.parse().ok()?;
    let after = Digest::parse(next()?)?;
    let after_len = next()?.parse().ok()?;
    let path = PathBuf::from(OsString::from_vec(unescape(next()?)?));
    // What is read here leads to writing: the same paths as in a change, and no others.
    RelPath::parse_target(&path).ok()?;
    Some(Replaced { path, before, before_len, after, after_len, mode, uid, gid, in_place })
}

/// Writes everything but visible ASCII as `%` and two digits, blanks included.
fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_graphic() && byte != b'%' {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02x}");
        }
    }
    out
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2)?;
        out.push(u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?);
        rest = tail;
    }
    Some(out)
}

fn words(text: &str) -> Option<String> {
    String::from_utf8(unescape(text)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, in_place: bool) -> Replaced {
        Replaced {
            path: path.into(),
            before: Digest::of(b"old"),
            before_len: 3,
            after: Digest::of(b"newer"),
            after_len: 5,
            mode: 0o4640,
            uid: 70,
            gid: 0,
            in_place,
        }
    }

    fn record() -> Generation {
        Generation {
            number: 7,
            time: 1_785_000_000,
            tool: "kasm-db 0.1.0".into(),
            what: "rollback to 3".into(),
            files: vec![file("d/a b%\n\u{e4}", false), file("e", true)],
            follow_up: Some(Digest::of(b"then")),
        }
    }

    /// The text with another body, and the checksum that fits.
    fn with(from: &str, to: &str) -> Vec<u8> {
        let text = String::from_utf8(record().encode()).unwrap();
        let (body, _) = text.split_at(text.rfind("sha256").unwrap());
        assert!(body.contains(from), "{from} is not in {body}");
        let body = body.replacen(from, to, 1);
        format!("{body}sha256 {}\n", Digest::of(body.as_bytes())).into_bytes()
    }

    #[test]
    fn what_was_written_reads_back() {
        assert_eq!(Generation::decode(&record().encode()), Ok(record()));
        let plain = Generation { follow_up: None, files: Vec::new(), what: String::new(), ..record() };
        assert_eq!(Generation::decode(&plain.encode()), Ok(plain));
    }

    #[test]
    fn a_record_that_is_cut_short_or_has_another_byte_is_refused() {
        let bytes = record().encode();
        for end in 0..bytes.len() {
            assert!(Generation::decode(&bytes[..end]).is_err(), "its first {end} bytes pass");
        }
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert!(Generation::decode(&other).is_err(), "byte {at} may be another");
        }
    }

    #[test]
    fn a_record_that_makes_no_sense_is_refused_though_its_checksum_is_right() {
        for (from, to) in [
            ("generation 7", "generation 07"),
            ("generation 7", "generation -7"),
            ("generation 7\n", ""),
            ("time 1785000000", "time  1785000000"),
            ("%0a", "%0A"),
            ("tool kasm-db%20", "tool kasm-db "),
            ("exchange", "remove"),
            ("4640", "14640"),
            ("in-place 4640 70", "in-place 4640 99999999999"),
            (" e\n", " ../e\n"),
            (" e\n", " /e\n"),
            (" e\n", " .e.kasm-db-new\n"),
            (" e\n", " .kasm-db/journal\n"),
            (" e\n", " d/a%20b%25%0a%c3%a4\n"),
            (" e\n", " e%00\n"),
            (" e\n", "\n"),
        ] {
            assert!(matches!(Generation::decode(&with(from, to)), Err(Damage::Line(_))), "{to}");
        }
        assert_eq!(Generation::decode(&with("journal 1", "journal 2")), Err(Damage::Version));
        assert!(Generation::decode(&with("what rollback%20to%203", "what apply")).is_ok());
    }

    #[test]
    fn a_record_can_not_be_too_large() {
        let large = vec![b'x'; usize::try_from(MAX_BYTES).unwrap() + 1];
        assert_eq!(Generation::decode(&large), Err(Damage::Size));
    }
}
