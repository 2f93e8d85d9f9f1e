//! What is written down of a commit: the journal while it is under way, the manifest of its generation
//! afterwards. Both are one format, so that one rename ends a commit.
//!
//! ```text
//! kasm-db journal 2
//! generation 7
//! time 1785000000
//! tool kasm-db 0.2.0
//! what apply
//! note <what the caller noted>
//! follow-up -
//! managed -
//! exchange 0644 0 0 <sha256 before> 4711 <sha256 after> 4720 docker/docker-compose.yaml
//! in-place 0600 70 70 <sha256 before> 22000 <sha256 after> 22031 conf/database/postgresql.conf
//! sha256 <of everything above this line>
//! ```
//!
//! Neither contents nor anything of them but length and digest. There is one way to write a record, and any
//! other is refused. Two more forms share all of this: the records of layout 1, which begin with
//! `kasm-db journal 1` and have neither note nor `managed`, and what everybody may read of a generation. That begins
//! with `kasm-db generation 2`, ends with the note, and has `-` for the digests of files that not everybody could read.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use crate::digest::Digest;
use crate::error::{Damage, MAX_RECORD};
use crate::path::RelPath;

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
    /// What the caller noted of it; see [`Options::note`](crate::Options::note).
    pub note: Vec<u8>,
    pub(crate) follow_up: Option<Digest>,
    pub(crate) managed: Option<Digest>,
    pub(crate) form: Form,
}

/// Which of the forms a record has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The journal or manifest of layout 1.
    First,
    /// The journal or manifest of layout 2.
    Full,
    /// What everybody may read of a generation.
    Public,
}

/// The first line of each form; another one with every change of the format.
const STARTS: [(Form, &str); 3] = [
    (Form::First, "kasm-db journal 1"),
    (Form::Full, "kasm-db journal 2"),
    (Form::Public, "kasm-db generation 2"),
];

impl Form {
    fn start(self) -> &'static str {
        STARTS.iter().find(|(form, _)| *form == self).map_or("", |(_, start)| start)
    }
}

/// One file of a [`Generation`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replaced {
    /// The file, relative to the root.
    pub path: PathBuf,
    /// The digest of the content that it had. `None` if the caller may read only what everybody may, and not everybody
    /// could read the file.
    pub before: Option<Digest>,
    /// The length of that content, in bytes.
    pub before_len: u64,
    /// The digest of the content that it got; `None` as for [`Replaced::before`].
    pub after: Option<Digest>,
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

impl Generation {
    /// Writes the record.
    pub fn encode(&self) -> Vec<u8> {
        let digest =
            |digest: Option<Digest>| digest.map_or_else(|| "-".to_owned(), |digest| digest.to_string());
        let mut text = format!(
            "{}\ngeneration {}\ntime {}\ntool {}\nwhat {}\n",
            self.form.start(),
            self.number,
            self.time,
            escape(self.tool.as_bytes()),
            escape(self.what.as_bytes())
        );
        // Writing to a string cannot fail.
        if self.form != Form::First {
            let _ = writeln!(text, "note {}", escape(&self.note));
        }
        if self.form != Form::Public {
            let _ = writeln!(text, "follow-up {}", digest(self.follow_up));
        }
        if self.form == Form::Full {
            let _ = writeln!(text, "managed {}", digest(self.managed));
        }
        for file in &self.files {
            let Replaced { path, before, before_len, after, after_len, mode, uid, gid, in_place } = file;
            let how = if *in_place { "in-place" } else { "exchange" };
            let (before, after) = (digest(*before), digest(*after));
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

    /// Returns what everybody may read of it.
    pub(crate) fn public(&self) -> Generation {
        let file = |file: &Replaced| {
            let is_public = file.mode & 0o004 != 0;
            let (before, after) = (file.before.filter(|_| is_public), file.after.filter(|_| is_public));
            Replaced { before, after, ..file.clone() }
        };
        let files = self.files.iter().map(file).collect();
        Generation { files, follow_up: None, managed: None, form: Form::Public, ..self.clone() }
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`Damage`] for anything that [`Generation::encode`] did not write.
    pub fn decode(bytes: &[u8]) -> Result<Generation, Damage> {
        if u64::try_from(bytes.len()).is_ok_and(|len| len > MAX_RECORD) {
            return Err(Damage::Size);
        }
        let text = str::from_utf8(bytes).map_err(|_| Damage::Checksum)?;
        let start = text.lines().next().unwrap_or_default();
        let form = STARTS.iter().find(|(_, known)| *known == start).ok_or(Damage::Version)?.0;
        let end = text.rfind("\nsha256 ").ok_or(Damage::Checksum)? + 1;
        let sum = text[end..].strip_prefix("sha256 ").and_then(|rest| rest.strip_suffix('\n'));
        if sum.and_then(Digest::parse) != Some(Digest::of(&bytes[..end])) {
            return Err(Damage::Checksum);
        }
        let read = parse(form, &text[..end])?;
        // Whatever was read leniently above is found here: leading zeros, a second blank, another escape.
        if read.encode() == bytes { Ok(read) } else { Err(Damage::Line(1)) }
    }
}

fn parse(form: Form, text: &str) -> Result<Generation, Damage> {
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
    let note = match form {
        Form::First => Vec::new(),
        Form::Full | Form::Public => {
            let (note, bad) = field("note")?;
            unescape(note).ok_or(bad)?
        }
    };
    let mut digest = |name| {
        let (digest, bad) = field(name)?;
        optional(digest).ok_or(bad)
    };
    let follow_up = if form == Form::Public { None } else { digest("follow-up")? };
    let managed = if form == Form::Full { digest("managed")? } else { None };
    let (mut files, mut paths) = (Vec::new(), HashSet::new());
    for (index, line) in lines {
        let file = replaced(line).ok_or(Damage::Line(index + 1))?;
        let is_known = file.before.is_some() && file.after.is_some();
        if !is_known && form != Form::Public {
            return Err(Damage::Line(index + 1));
        }
        if !paths.insert(file.path.clone()) {
            return Err(Damage::Line(index + 1));
        }
        files.push(file);
    }
    Ok(Generation { number, time, tool, what, files, note, follow_up, managed, form })
}

/// Reads a digest, or `-` for none.
fn optional(text: &str) -> Option<Option<Digest>> {
    if text == "-" { Some(None) } else { Digest::parse(text).map(Some) }
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
    let before = optional(next()?)?;
    let before_len = next()?.parse().ok()?;
    let after = optional(next()?)?;
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
            before: Some(Digest::of(b"old")),
            before_len: 3,
            after: Some(Digest::of(b"newer")),
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
            note: b"by anna\n\xff".to_vec(),
            follow_up: Some(Digest::of(b"then")),
            managed: Some(Digest::of(b"all")),
            form: Form::Full,
        }
    }

    /// As layout 1 has it.
    fn first() -> Generation {
        Generation { note: Vec::new(), managed: None, form: Form::First, ..record() }
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
        assert_eq!(Generation::decode(&first().encode()), Ok(first()));
        let public = record().public();
        assert_eq!(Generation::decode(&public.encode()), Ok(public));
    }

    #[test]
    fn everybody_may_read_the_digest_of_what_everybody_could_read() {
        let with = |mode| {
            let files = vec![Replaced { mode, ..file("e", false) }];
            let public = Generation { files, ..record() }.public();
            assert_eq!((public.note.clone(), public.follow_up, public.managed), (record().note, None, None));
            let [file] = public.files.as_slice() else { panic!("{public:?}") };
            (file.before.is_some(), file.after.is_some())
        };
        assert_eq!([0o644, 0o604].map(with), [(true, true); 2]);
        assert_eq!([0o640, 0o600, 0o4751].map(with), [(false, false), (false, false), (false, false)]);
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
            ("note by%20", "note by "),
            ("managed ", "managed -"),
            (&Digest::of(b"old").to_string(), "-"),
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
        assert_eq!(Generation::decode(&with("journal 2", "journal 3")), Err(Damage::Version));
        // A form is what its first line says.
        for other in ["journal 1", "generation 2"] {
            assert!(matches!(Generation::decode(&with("journal 2", other)), Err(Damage::Line(_))), "{other}");
        }
        assert!(Generation::decode(&with("what rollback%20to%203", "what apply")).is_ok());
    }

    #[test]
    fn a_record_cannot_be_too_large() {
        let large = vec![b'x'; usize::try_from(MAX_RECORD).unwrap() + 1];
        assert_eq!(Generation::decode(&large), Err(Damage::Size));
    }
}
