//! What follows an apply, step by step: each is written down before it begins, so that whoever comes after a
//! crash continues there.

mod command;
mod healthy;

use commit::{Change, Root};
use live::{Statement, Unreachable, Way, reach};

pub(crate) use self::command::program_of;
use super::record::Record;
use super::{CREATE_EXTENSION, Step};
use crate::before_stop::{BeforeStop, Seen};
use crate::context::Context;
use crate::disk::LIMIT;
use crate::error::{Error, FilesState};
use crate::note::Note;
use crate::observer::Event;
use crate::opened::Locked;
use crate::outcome::Outcome;
use crate::ready::Ready;
use crate::trust::Trust;
use crate::written_record::Sets;

/// What was seen before a stop.
struct Before {
    /// Why the database must not be stopped.
    error: Option<Error>,
    /// Whether it answers.
    is_up: bool,
}

/// Whether a step had something to do.
enum Done {
    Yes,
    NotNeeded,
}

/// Does what follows.
pub(crate) struct Runner<'a> {
    pub(crate) locked: &'a Locked<'a>,
    pub(crate) context: &'a Context<'a>,
    /// Whether an earlier run began it.
    pub(crate) is_resumed: bool,
}

impl Runner<'_> {
    /// Goes through the steps, from the one that is next.
    ///
    /// # Errors
    /// A step failed: it stays the next one. Where the record says so, the files went back, and the server was
    /// started on them.
    pub(crate) fn run(&self, mut record: Record) -> Result<(), Error> {
        if self.is_resumed {
            record.follow_up.step = match record.follow_up.step {
                Step::Reload => self.reload_or_stop(&record)?,
                _ => self.resumed_at(&record)?,
            };
            self.write_down(&record)?;
        }
        self.go_through(record)
    }

    fn go_through(&self, mut record: Record) -> Result<(), Error> {
        loop {
            let step = record.follow_up.step;
            self.context.progress.next(Some(step.name()));
            self.context.tell(Event::Next(Some(step)))?;
            let done = match step {
                Step::Stop => match self.before_stop(&record)? {
                    // A database that runs is left alone, on whatever files it was started.
                    Before { error: Some(error), is_up: true } => return Err(error),
                    Before { error: Some(error), is_up: false } => Err(error),
                    Before { error: None, .. } => self.command(step, &record),
                },
                Step::Start => self.command(step, &record),
                Step::Healthy => self.healthy(&record),
                Step::Reload => self.reload(&record),
                Step::Extension => self.extensions(&record),
            };
            match done {
                Ok(Done::Yes) => self.context.tell(Event::Followed(step))?,
                Ok(Done::NotNeeded) => {}
                Err(failed) => {
                    return Err(match record.back_to {
                        Some(number) if step.comes_up() && failed.kind != Outcome::Interrupted => {
                            self.go_back(record, number, &failed)
                        }
                        _ => failed,
                    });
                }
            }
            let Some(next) = step.next() else {
                self.locked.lock.clear_follow_up().map_err(|error| Error::not_followed(error.to_string()))?;
                self.context.progress.next(None);
                return self.context.tell(Event::Next(None));
            };
            record.follow_up.step = next;
            self.write_down(&record)?;
            self.context.progress.next(Some(next.name()));
            self.context.tell(Event::Next(Some(next)))?;
            self.context.progress.interrupted()?;
        }
    }

    /// Looks whether the database would come up again.
    fn before_stop(&self, record: &Record) -> Result<Before, Error> {
        let rooted = self.locked.rooted;
        let (before, opened) = (BeforeStop::of(record, rooted, self.context), rooted.read());
        let seen = before.pull(before.look(&opened.observed), &opened.observed)?;
        // Whoever began it was told before the question; errors end the run.
        if self.is_resumed {
            let warnings: Vec<_> = seen.findings.iter().filter(|found| !found.is_error()).cloned().collect();
            self.context.tell(Event::Seen { findings: &warnings, also: &seen.also })?;
        }
        Ok(Before { error: seen.error(), is_up: seen.is_up })
    }

    /// Returns the step that lets the server read its files: a reload does not reach a container that has an old one.
    fn reload_or_stop(&self, record: &Record) -> Result<Step, Error> {
        let Some(stale) = self.seen(record).stale else { return Ok(Step::Reload) };
        self.context.tell(Event::Stale(&stale))?;
        Ok(Step::Stop)
    }

    fn seen(&self, record: &Record) -> Seen {
        let rooted = self.locked.rooted;
        BeforeStop::of(record, rooted, self.context).look(&rooted.read().observed)
    }

    fn write_down(&self, record: &Record) -> Result<(), Error> {
        let written = self.locked.lock.set_follow_up(&record.encode());
        written.map_err(|error| Error::not_followed(error.to_string()))
    }

    fn command(&self, step: Step, record: &Record) -> Result<Done, Error> {
        let trust = Trust::new(&record.trust, self.context.selection);
        command::run(step, &record.follow_up, self.root(), &trust, self.context).map(|()| Done::Yes)
    }

    fn root(&self) -> &Root {
        &self.locked.rooted.root
    }

    fn way(&self, record: &Record) -> Result<Way, Unreachable> {
        reach(&record.follow_up.verify(), record.sslmode, &self.context.caller()).1
    }

    fn reload(&self, record: &Record) -> Result<Done, Error> {
        self.context.tell(Event::Reload)?;
        let failed = |unreachable: Unreachable| {
            let fix = unreachable.fix;
            Error::not_followed(format!(
                "the server could not be told to read its files again: {}",
                unreachable.why
            ))
            .help(format!("{fix}; then run `kasm-db apply` or `kasm-db recover`, which continue here"))
        };
        let reload = [Statement::new("SELECT 'r', pg_catalog.pg_reload_conf()::text", 1)];
        let answers = self.way(record).and_then(|way| way.run(None, &reload)).map_err(failed)?;
        match answers.into_iter().next() {
            Some(Err(why)) => Err(failed(Unreachable::new(why, "let a superuser do it"))),
            _ => Ok(Done::Yes),
        }
    }

    fn extensions(&self, record: &Record) -> Result<Done, Error> {
        let databases = &record.follow_up.extension_databases;
        if record.follow_up.connect == model::document::Connect::None || databases.is_empty() {
            return Ok(Done::NotNeeded);
        }
        for database in databases {
            let made = self.way(record).and_then(|way| create_extension(&way, database));
            made.map_err(|unreachable| {
                Error::not_followed(unreachable.why).help(format!(
                    "{}; then run `kasm-db apply` or `kasm-db recover`, which continue here",
                    unreachable.fix
                ))
            })?;
        }
        Ok(Done::Yes)
    }

    /// Puts the files of before back and starts the server on them.
    fn go_back(&self, record: Record, number: u64, failed: &Error) -> Error {
        let also = |why: String| {
            let message = format!("{}; the old files could not be put back: {why}", failed.message);
            Error::not_followed(message)
                .help("put them back with `kasm-db rollback`, and stop and start the deployment")
        };
        if let Err(error) = self.context.tell(Event::PuttingBack) {
            return error;
        }
        let back = match self.root().way_back(number, LIMIT) {
            Ok(back) => back,
            Err(error) => return also(error.to_string()),
        };
        if back.is_empty() {
            return also("no file was changed".into());
        }
        if let Some(edited) = back.files.iter().find(|back| back.edited) {
            return also(format!("{} was changed since", edited.change.path.display()));
        }
        if let Some(gone) = back.gone.first() {
            return also(format!("{} is gone", gone.display()));
        }
        let changes: Vec<Change> = back.files.into_iter().map(|back| back.change).collect();
        let record = record.stopping().without_extensions();
        let ready = Ready {
            locked: self.locked,
            what: "rollback".into(),
            changes,
            in_place: false,
            record: Some(record),
            note: Note::of(self.context),
            sets: Sets::default(),
        };
        let bound = match ready.bound() {
            Ok(bound) => bound,
            Err(error) => return also(error.message),
        };
        let writing = self.context.progress.writing();
        let committed = ready.commit(&bound);
        let _ = writing.end(false);
        if let Err(error) = committed {
            return also(error.cause.to_string());
        }
        self.context.progress.put_back();
        if let Err(error) = self.context.tell(Event::PutBack) {
            return error;
        }
        if let Err(interrupted) = self.context.progress.interrupted() {
            return interrupted;
        }
        let message = match bound.record.map_or(Ok(()), |record| self.go_through(record)) {
            Ok(()) => format!("{}; the database runs again on the old files", failed.message),
            Err(second) if second.kind == Outcome::Interrupted => return second,
            Err(second) => {
                format!("{}; nor does it come up on the old files: {}", failed.message, second.message)
            }
        };
        Error::new(Outcome::RolledBack, message)
            .help("check the container's log for the reason, correct the document, and apply again")
            .state(FilesState::RolledBack)
    }
}

/// Creates the extension where it is missing.
fn create_extension(way: &Way, database: &str) -> Result<(), Unreachable> {
    // A session that may not write may not do this either, also where there is nothing to do.
    let is_there =
        Statement::new("SELECT 'r', extname FROM pg_catalog.pg_extension WHERE extname = 'pgaudit'", 1);
    let is_there = way.run(Some(database), &[is_there])?.into_iter().next();
    if matches!(is_there, Some(Ok(rows)) if !rows.is_empty()) {
        return Ok(());
    }
    let create = [
        Statement::new("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", 0),
        Statement::new(CREATE_EXTENSION, 0),
    ];
    let answers = way.run_behind(Some(database), &create, &[])?;
    match answers.into_iter().last() {
        Some(Err(why)) if why.contains("read-only transaction") => Err(Unreachable::new(
            format!("the extension pgaudit cannot be created in the database {database}: {why}"),
            "create it on the primary, from which a standby gets it",
        )),
        Some(Err(why)) => Err(Unreachable::new(
            format!("the extension pgaudit cannot be created in the database {database}: {why}"),
            "fix what the server reports",
        )),
        _ => Ok(()),
    }
}
