//! What is to follow an apply, as it is kept until it is done: enough to continue after a crash, without the
//! document.

use std::time::Duration;

use commit::Root;
use live::{Docker, SslMode};
use model::DesiredState;
use model::document::{Connect, Mode};
use render::Declared;

use super::runner::program_of;
use super::{FollowUp, Step};
use crate::context::Context;
use crate::document::Document;
use crate::error::Error;
use crate::opened::Rooted;
use crate::trust::{Trust, check_document, who_could_put_back};

/// The first line of a record that names its generation.
const HEAD: &str = "kasm-db follow-up 2";

/// The words for how a preload list is declared.
const PRELOAD: [&str; 2] = ["ensure", "exact"];

/// That of version 0.1, which does not.
const FIRST_HEAD: &str = "kasm-db follow-up 1";

/// What is to follow, and how to get there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What is to follow; the commands are named by their whole paths.
    pub follow_up: FollowUp,
    /// What the command line says of TLS; `None` where it says nothing.
    pub sslmode: Option<SslMode>,
    /// The generation whose files it follows, 0 if none was committed yet; `None` in a record of version 0.1.
    pub generation: Option<u64>,
    /// The users whose programs root may run, as the document names them.
    pub trust: Vec<String>,
    /// The digest of the document that it was made from.
    pub document: Option<String>,
    /// The generation to go back to where the server does not come up.
    pub back_to: Option<u64>,
    /// The generation whose files were there before, whether or not they are to come back.
    pub before: Option<u64>,
    /// What of `postgresql.conf` is declared.
    pub declared: Declared,
    /// The PostgreSQL major, declared or known from the image.
    pub major: Option<u16>,
}

impl Record {
    /// Writes down what is to be done from a step on, for the files that are there or are about to be written.
    ///
    /// # Errors
    /// There is no command to stop or start with.
    pub(crate) fn new(
        step: Step,
        (document, desired): (&Document, &DesiredState),
        rooted: &Rooted,
        context: &Context<'_>,
    ) -> Result<Self, Error> {
        check_document(document)?;
        let trust = desired.restart().trust.clone().unwrap_or_default();
        let trusted = Trust::new(&trust, context.selection);
        let follow_up = FollowUp::from(step, desired, &rooted.target.kind);
        let (restart, root) = (desired.restart(), &rooted.root);
        // The record must do without the document: the tree's own commands are named by their whole path.
        let whole = |argv: &[String], is_own: bool| match argv {
            [own] if is_own => vec![root.path().join(own).display().to_string()],
            _ => argv.to_vec(),
        };
        let stop = whole(&follow_up.stop, restart.stop.is_none());
        let start = whole(&follow_up.start, restart.start.is_none());
        if step == Step::Stop {
            // Without docker nothing is stopped: what is looked at before a stop says so, before anything is written.
            let is_reachable =
                follow_up.connect != Connect::Docker || Docker::find(&context.caller()).is_ok();
            for (argv, name) in [(&stop, "stop"), (&start, "start")] {
                if argv.is_empty() {
                    let message = format!("nothing says how to {name} the database of this target");
                    return Err(Error::failed(message).help(
                        "write `restart: {policy: if_needed, stop: […], start: […]}` in the document, or use `--files-only`",
                    ));
                }
                if is_reachable {
                    program_of(argv, root, &trusted, &context.environment)?;
                }
            }
        }
        Ok(Self {
            follow_up: FollowUp { stop, start, ..follow_up },
            sslmode: None,
            // With files it is the next one, once they are written.
            generation: Some(last(root)?),
            trust,
            document: Some(document.digest()),
            back_to: None,
            before: None,
            declared: Declared::of(desired),
            major: desired.postgres_major(),
        })
    }

    /// Begins again with stopping the deployment: other files are there, to which nobody goes back.
    pub(crate) fn stopping(self) -> Self {
        let follow_up = FollowUp { step: Step::Stop, ..self.follow_up };
        Self { follow_up, back_to: None, before: None, ..self }
    }

    /// Omits the extension: the files of before may not load its library.
    pub(crate) fn without_extensions(mut self) -> Self {
        self.follow_up.extension_databases.clear();
        self
    }

    /// Writes it down: a line for each value.
    pub fn encode(&self) -> Vec<u8> {
        let FollowUp { step, stop, start, stop_timeout, timeout, connect, .. } = &self.follow_up;
        let FollowUp { container, user, database, extension_databases, .. } = &self.follow_up;
        let connect = match connect {
            Connect::Docker => "docker",
            Connect::Tcp => "tcp",
            Connect::None => "none",
        };
        let mut lines = vec![
            ("step", step.name().to_string()),
            ("timeout", timeout.as_secs().to_string()),
            ("stop_timeout", stop_timeout.as_secs().to_string()),
            ("connect", connect.to_string()),
            ("container", container.clone()),
            ("user", user.clone()),
            ("database", database.clone()),
        ];
        lines.extend(self.sslmode.map(|mode| ("sslmode", mode.name().to_string())));
        lines.extend(stop.iter().map(|argument| ("stop", argument.clone())));
        lines.extend(start.iter().map(|argument| ("start", argument.clone())));
        lines.extend(extension_databases.iter().map(|database| ("extension", database.clone())));
        lines.extend(self.generation.map(|number| ("generation", number.to_string())));
        lines.extend(self.trust.iter().map(|name| ("trust", name.clone())));
        lines.extend(self.document.iter().map(|digest| ("document", digest.clone())));
        lines.extend(self.back_to.map(|number| ("back_to", number.to_string())));
        lines.extend(self.before.map(|number| ("before", number.to_string())));
        let Declared { settings, unset, preload } = &self.declared;
        lines.extend(settings.iter().map(|name| ("declared", name.clone())));
        lines.extend(unset.iter().map(|name| ("unset", name.clone())));
        lines.extend(preload.map(|mode| ("preload", PRELOAD[usize::from(mode == Mode::Exact)].to_string())));
        lines.extend(self.major.map(|major| ("major", major.to_string())));
        let head = if self.generation.is_some() { HEAD } else { FIRST_HEAD };
        let mut text = format!("{head}\n");
        for (key, value) in lines {
            let value = value.replace('\\', "\\\\").replace('\n', "\\n");
            text.push_str(&format!("{key} {value}\n"));
        }
        text.push_str("end\n");
        text.into_bytes()
    }

    /// Reads what [`Record::encode`] wrote; `None` for anything else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(bytes).ok()?.strip_suffix("end\n")?.lines();
        let has_generation = match lines.next()? {
            HEAD => true,
            FIRST_HEAD => false,
            _ => return None,
        };
        let mut all: Vec<(&str, String)> = Vec::new();
        for line in lines {
            let (key, value) = line.split_once(' ')?;
            all.push((key, unescape(value)?));
        }
        let list = |key| -> Vec<String> {
            all.iter().filter(|(known, _)| *known == key).map(|(_, value)| value.clone()).collect()
        };
        let one = |key| list(key).into_iter().next();
        let number = |key| match one(key) {
            Some(number) => number.parse::<u64>().ok().map(Some),
            None => Some(None),
        };
        let step = one("step")?;
        let timeout = Duration::from_secs(one("timeout")?.parse().ok()?);
        let follow_up = FollowUp {
            step: Step::named(&step)?,
            stop: list("stop"),
            start: list("start"),
            // Before it was a value of its own, the other one was for both.
            stop_timeout: match one("stop_timeout") {
                Some(seconds) => Duration::from_secs(seconds.parse().ok()?),
                None => timeout,
            },
            timeout,
            connect: match one("connect")?.as_str() {
                "docker" => Connect::Docker,
                "tcp" => Connect::Tcp,
                "none" => Connect::None,
                _ => return None,
            },
            container: one("container")?,
            user: one("user")?,
            database: one("database")?,
            extension_databases: list("extension"),
        };
        Some(Self {
            follow_up,
            sslmode: match one("sslmode") {
                Some(mode) => Some(mode.parse().ok()?),
                None => None,
            },
            generation: if has_generation { Some(one("generation")?.parse().ok()?) } else { None },
            trust: list("trust"),
            document: one("document").filter(|_| has_generation),
            back_to: number("back_to")?,
            before: number("before")?,
            declared: Declared {
                settings: list("declared"),
                unset: list("unset"),
                preload: match one("preload").as_deref() {
                    Some(mode) if mode == PRELOAD[0] => Some(Mode::Ensure),
                    Some(mode) if mode == PRELOAD[1] => Some(Mode::Exact),
                    Some(_) => return None,
                    None => None,
                },
            },
            major: match number("major")? {
                Some(major) => Some(u16::try_from(major).ok()?),
                None => None,
            },
        })
    }
}

/// Returns what an earlier run has left to be done.
///
/// # Errors
/// It cannot be read; or it follows another generation than the last one: its commands would run for other files than
/// those that it was written for, as somebody has put an old record in place of the last one.
pub(crate) fn pending(root: &Root) -> Result<Option<Record>, Error> {
    let bytes = root.follow_up().map_err(|error| unreadable(root, &error))?;
    let Some(bytes) = bytes else { return Ok(None) };
    let mut record = Record::decode(&bytes).ok_or_else(|| {
        Error::failed(format!("{} is not a record of what follows the last apply", path(root)))
            .help("stop and start the deployment by hand, remove this file, and run `kasm-db apply` again")
    })?;
    let last = last(root)?;
    if *record.generation.get_or_insert(last) != last {
        let number = record.generation.unwrap_or_default();
        let message = format!("{}: follows generation {number}, but the last one is {last}", path(root));
        return Err(Error::failed(message).help(
            "find out who put it there, remove this file, and stop and start the deployment by hand if the server still \
             has to read its files",
        ));
    }
    Ok(Some(record))
}

/// Refuses a record that somebody else could have kept and put back, as a folder on the way to it is theirs, unless it was made
/// from the document that the run names: the same commands then follow from that.
///
/// # Errors
/// It was made from another document, or the run names none.
pub(crate) fn check_origin(root: &Root, record: &Record, digest: Option<&str>) -> Result<(), Error> {
    if digest.is_some() && record.document.as_deref() == digest {
        return Ok(());
    }
    let Some(who) = who_could_put_back(&root.path().join(".kasm-db/follow-up")) else { return Ok(()) };
    let what = match digest {
        Some(_) => "was made from another document than this one",
        None => "says what is to be run, and no document is named that it was made from",
    };
    Err(Error::not_followed(format!("{}: {what}, and {who}, who could have put an old one there", path(root))).help(
        "run `kasm-db apply -f FILE`, which takes the commands from the document; or `kasm-db recover -f FILE` with the one \
         that was applied",
    ))
}

/// Returns the number of the last generation; 0 if there is none.
pub(crate) fn last(root: &Root) -> Result<u64, Error> {
    let history = root.history().map_err(|error| Error::from(&error))?;
    Ok(history.last().map_or(0, |generation| generation.number))
}

fn path(root: &Root) -> String {
    root.path().join(".kasm-db/follow-up").display().to_string()
}

/// Everybody sees that there is a record, but only its owner may read it.
fn unreadable(root: &Root, error: &commit::Error) -> Error {
    if !error.is_permission_denied() {
        return Error::from(error);
    }
    Error::failed(format!(
        "{}: an apply is not finished, and its record cannot be read: permission denied",
        path(root)
    ))
    .help("run it again as root, or as the owner of this file")
}

fn unescape(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next()? {
                'n' => '\n',
                '\\' => '\\',
                _ => return None,
            },
            c => c,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_reads_back_and_anything_else_does_not() {
        let follow_up = FollowUp {
            step: Step::Healthy,
            stop: vec!["/a b/stop".into(), "x\n\\end\n".into(), String::new()],
            start: vec!["start".into()],
            stop_timeout: Duration::from_secs(91),
            timeout: Duration::from_secs(90),
            connect: Connect::Docker,
            container: "kasm_db".into(),
            user: "kasmapp".into(),
            database: "kasm".into(),
            extension_databases: vec!["kasm".into(), "other".into()],
        };
        let record = Record {
            follow_up,
            trust: vec!["kasm".into()],
            sslmode: Some(SslMode::VerifyCa),
            generation: Some(7),
            document: Some("0a".into()),
            back_to: Some(3),
            before: Some(6),
            declared: Declared {
                settings: vec!["work_mem".into(), "pgaudit.log".into()],
                unset: vec!["port".into()],
                preload: Some(Mode::Exact),
            },
            major: Some(15),
        };
        let first = Record { generation: None, document: None, ..record.clone() };
        assert!(first.encode().starts_with(b"kasm-db follow-up 1\n"));
        assert_eq!(Record::decode(&first.encode()), Some(first));
        let bytes = record.encode();
        assert_eq!(Record::decode(&bytes).as_ref(), Some(&record));
        for end in 0..bytes.len() {
            assert_eq!(Record::decode(&bytes[..end]), None, "{end}");
        }
        let other = String::from_utf8(bytes).unwrap();
        for (from, to) in [
            ("up 2", "up 3"),
            ("generation 7\n", ""),
            ("healthy", "sleep"),
            ("docker", "ssh"),
            ("verify-ca", "no"),
            ("90", "x"),
        ] {
            assert_eq!(Record::decode(other.replacen(from, to, 1).as_bytes()), None, "{to}");
        }
    }
}
