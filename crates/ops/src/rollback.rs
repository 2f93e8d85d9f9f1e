//! Rolling back to what an earlier apply left: planned and shown like an apply, and committed and followed like one.

mod end;

use commit::{Back, Change, Root, WayBack};
use model::{Code, Diagnostic, Severity};
use render::{FileKind, Needs, needs_between, observe, reconcile};

use self::end::{Ending, restored};
use crate::before_stop::{BeforeStop, Seen};
use crate::context::Context;
use crate::disk::LIMIT;
use crate::documents::Declared;
use crate::error::Error;
use crate::follow_up::record::{Record, pending};
use crate::follow_up::{first_step, is_followed};
use crate::note::Note;
use crate::observer::{Event, Question};
use crate::opened::{Locked, Rooted};
use crate::outcome::Outcome;
use crate::overlaid::Overlaid;
use crate::permissions::{self, Purpose};
use crate::ready::{Ready, in_place};
use crate::selection::Selection;
use crate::target_dir::TargetDir;
use crate::trust;
use crate::written_record::Sets;

/// How to roll back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The generation whose files come back; by default the one before the last.
    pub generation: Option<u64>,
    /// Whether nobody is asked.
    pub yes: bool,
    /// Whether nothing is written.
    pub dry_run: bool,
    /// Whether files are written in place rather than replaced.
    pub in_place: bool,
    /// Whether the run ends after the files, whatever `restart` of the document says.
    pub files_only: bool,
    /// Whether what follows is left to a later run.
    pub no_restart: bool,
}

/// Rolls a target back. Without a document nobody knows how to stop and start the database, and the files are all that
/// changes.
///
/// # Errors
/// There is no such generation, or the files cannot be written; or what follows them failed.
pub fn rollback(
    dir: &TargetDir,
    declared: Option<&Declared<'_>>,
    options: &Options,
    context: &Context<'_>,
) -> Result<Outcome, Error> {
    context.progress.another();
    let rooted = Rooted::open(dir, context.selection)?;
    let locked = rooted.lock_to_write(context.selection.lock_timeout, options.dry_run, context)?;
    let to = match options.generation {
        Some(number) => number,
        None => before_the_last(&rooted.root)?,
    };
    let back = rooted.root.way_back(to, LIMIT).map_err(|error| Error::from(&error))?;
    let folder = rooted.folder();
    if back.is_empty() {
        context.tell(Event::NothingToRollBack(&folder, to))?;
        return resume(&locked, declared, options, context);
    }
    let mut findings = findings(&back, &rooted.root, context.selection);
    let opened = rooted.read();
    let changes = back.files.iter().map(|back| &back.change);
    let changed = changes.filter_map(|change| Some((change.path.to_str()?, change.after.as_slice().into())));
    let after = observe(&rooted.target, &Overlaid { files: changed.collect(), others: &opened.source() });
    let mut needs = needs_between(&opened.observed, &after);
    let is_declared = declared.is_none_or(|declared| reconcile(declared.desired, &after).is_empty());
    let target = &rooted.target;
    let files = &back.files;
    let is_blocked = findings.iter().any(Diagnostic::is_error);
    let (mut next, mut record) = match files.is_empty() || is_blocked {
        true => (Next::Nothing, None),
        false => Next::of(needs, declared, options, &locked, context)?,
    };
    let seen = match record.as_ref().filter(|_| next == Next::Now && !options.no_restart) {
        Some(record) => {
            opened.learn_secrets(&context.environment, context.scrubber());
            BeforeStop::of(record, &rooted, context).look_for(record.follow_up.step, &after)
        }
        None => Seen::default(),
    };
    let Seen { findings: seen, also, stale, .. } = seen;
    findings.extend(seen);
    let stale = stale.filter(|_| needs == Needs::Reload);
    if stale.is_some() {
        needs = Needs::Restart;
        (next, record) = Next::of(needs, declared, options, &locked, context)?;
    }
    context.tell(Event::Back {
        target,
        folder: &folder,
        to,
        files,
        needs,
        is_declared,
        findings: &findings,
    })?;
    if findings.iter().any(Diagnostic::is_error) {
        return Ok(Outcome::Refused);
    }
    if files.is_empty() {
        return Ok(Outcome::Done);
    }
    if let Some(stale) = &stale {
        context.tell(Event::Stale(stale))?;
    }
    context.tell(Event::Seen { findings: &[], also: &also })?;
    let kinds = files.iter().map(|back| FileKind::of(&back.change.path));
    let in_place = options.in_place || in_place(needs, kinds);
    let ready = Ready {
        locked: &locked,
        what: format!("rollback to {to}"),
        changes: back.files.into_iter().map(|back| back.change).collect(),
        in_place,
        record,
        note: Note::of(context),
        sets: Sets::default(),
    };
    ready.check()?;
    if options.dry_run {
        context.tell(Event::DryRun)?;
        return Ok(Outcome::Done);
    }
    if !options.yes && !context.confirm(Question::RollBack)? {
        context.tell(Event::Declined)?;
        return Ok(Outcome::Failed);
    }
    let written = write(&ready, needs, next, context)?;
    match (next, written.record, declared) {
        (Next::Now, Some(record), _) if options.no_restart => {
            context.tell(Event::Left(record.follow_up.step))?;
            Ok(written.outcome.worse(Outcome::Unfinished))
        }
        (Next::Now, Some(record), Some(declared)) => {
            let restored = &restored(&opened.observed, &after);
            let ending = Ending { locked: &locked, declared, restored, context, is_resumed: false };
            Ok(written.outcome.worse(ending.run(record)?))
        }
        (Next::Later, ..) => Ok(written.outcome.worse(Outcome::Unfinished)),
        _ => Ok(written.outcome),
    }
}

/// Who does what follows the files of a rollback.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Nobody: nothing follows that a later run has to know of.
    Nothing,
    /// This run.
    Now,
    /// A later run finishes an earlier apply on these files.
    Later,
    /// A person: an earlier apply is not finished, and nothing says how to stop and start the database.
    ByHand,
}

impl Next {
    /// Returns it, and the record of what follows.
    fn of(
        needs: Needs,
        declared: Option<&Declared<'_>>,
        options: &Options,
        locked: &Locked<'_>,
        context: &Context<'_>,
    ) -> Result<(Self, Option<Record>), Error> {
        let left = pending(&locked.rooted.root)?;
        let declared = declared.filter(|declared| goes_on(declared, options, locked, context));
        if let Some(Declared { document, desired, .. }) = declared {
            let Some(step) = first_step(needs, left.map(|left| left.follow_up.step)) else {
                return Ok((Self::Nothing, None));
            };
            let record = Record::new(step, (document, desired), locked.rooted, context)?;
            return Ok((Self::Now, Some(record.without_extensions())));
        }
        Ok(match left {
            None => (Self::Nothing, None),
            // Whatever step an unfinished apply is at, the database has to be started on these files now.
            Some(left) if left.follow_up.stop.is_empty() || left.follow_up.start.is_empty() => {
                (Self::ByHand, None)
            }
            Some(left) => (Self::Later, Some(left.stopping())),
        })
    }
}

/// Files that came back.
struct Followed {
    /// How the run ends as far as they matter.
    outcome: Outcome,
    /// What follows them.
    record: Option<Record>,
}

fn write(ready: &Ready<'_>, needs: Needs, next: Next, context: &Context<'_>) -> Result<Followed, Error> {
    let locked = ready.locked;
    let written = ready.write(context.progress.writing_target()?, context)?;
    let root = locked.rooted.root.path();
    let (is_left, is_followed) = (next == Next::Later, next == Next::Now);
    let report = &written.report;
    context
        .tell(Event::RolledBack { root, needs, is_left, is_followed, report })
        .map_err(Error::after_files)?;
    if let Some(record) = &written.record {
        context.tell(Event::Next(Some(record.follow_up.step))).map_err(Error::after_files)?;
    }
    if next == Next::ByHand {
        locked.lock.clear_follow_up().map_err(|error| Error::from(&error).after_files())?;
    }
    let outcome = written.outcome();
    written.interrupted?;
    Ok(Followed { outcome, record: written.record })
}

/// Does what an earlier run has left to be done on the files that are there, if the document says how.
fn resume(
    locked: &Locked<'_>,
    declared: Option<&Declared<'_>>,
    options: &Options,
    context: &Context<'_>,
) -> Result<Outcome, Error> {
    let Some(left) = pending(&locked.rooted.root)? else { return Ok(Outcome::Done) };
    let step = left.follow_up.step;
    let is_left = options.no_restart || options.dry_run;
    let Some(declared) = declared.filter(|declared| !is_left && goes_on(declared, options, locked, context))
    else {
        context.tell(Event::Left(step))?;
        return Ok(Outcome::Unfinished);
    };
    context.tell(Event::Resumed(step))?;
    // The commands are the document's: the record may be of an older one, or of somebody else.
    let Declared { document, desired, .. } = declared;
    let now = Record::new(step, (document, desired), locked.rooted, context).map_err(Error::not_done)?;
    // Files that came back may not load the extension's library.
    let now = if left.follow_up.extension_databases.is_empty() { now.without_extensions() } else { now };
    let record = Record { sslmode: left.sslmode, back_to: left.back_to, before: left.before, ..now };
    locked.lock.set_follow_up(&record.encode()).map_err(|error| Error::from(&error))?;
    Ending { locked, declared, restored: &[], context, is_resumed: true }.run(record)
}

/// Returns whether the run does more than write files.
fn goes_on(declared: &Declared<'_>, options: &Options, locked: &Locked<'_>, context: &Context<'_>) -> bool {
    !options.files_only && is_followed(declared.desired, &locked.rooted.target.kind, context.selection)
}

fn before_the_last(root: &Root) -> Result<u64, Error> {
    let history = root.history().map_err(|error| Error::from(&error))?;
    let Some(last) = history.last() else {
        let message = format!("{}: nothing has been applied here yet", root.path().display());
        return Err(Error::failed(message)
            .help("check that this is the right folder: there is nothing to roll back to"));
    };
    Ok(last.number - 1)
}

fn findings(back: &WayBack, root: &Root, selection: &Selection) -> Vec<Diagnostic> {
    let edited = |back: &Back| {
        let Change { path, .. } = &back.change;
        Diagnostic::error(Code::EditedSince, format!("{} was edited since the last apply", path.display()))
            .help("save what you need of the lines that the diff removes")
    };
    let gone = |path: &std::path::PathBuf| {
        Diagnostic::error(
            Code::FileGone,
            format!("{} no longer exists, and is not created again", path.display()),
        )
        .help("pass `--allow file-gone` to leave it out, or create a file of this name first")
    };
    let mut findings: Vec<_> = back.files.iter().filter(|back| back.edited).map(edited).collect();
    findings.extend(back.gone.iter().map(gone));
    let paths = back.files.iter().map(|back| back.change.path.as_path());
    findings.extend(permissions::of_paths(paths, root, Purpose::Applying));
    findings.extend(trust::above(root.path(), Purpose::Applying));
    for finding in &mut findings {
        if finding.code.risk().is_some() && selection.allow.iter().any(|name| name == finding.code.name()) {
            finding.severity = Severity::Warning;
        }
    }
    findings
}
