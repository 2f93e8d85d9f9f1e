//! `kasm-db rollback`

use std::path::Path;

use commit::{Back, Change, Options, Root};
use model::{Code, Diagnostic};
use render::FileKind;

use super::apply::outcome::{failed, leftovers};
use crate::args::{Global, Rollback};
use crate::disk::LIMIT;
use crate::exit::{Exit, Failure, state};
use crate::interrupt;
use crate::live::follow::{FollowUp, Step};
use crate::live::restart::pending;
use crate::output::human::{self, count};
use crate::output::{Terminal, escape};
use crate::permissions;
use crate::recovery;
use crate::target::Place;

/// Goes back to what an earlier apply left: shown like a plan, and committed like one.
pub(crate) fn run(args: &Rollback, global: &Global, terminal: &Terminal) -> Result<Exit, Failure> {
    super::check_allowed(global)?;
    let places = super::places_of(global, terminal)?;
    let [place] = &places[..] else {
        let names: Vec<_> = places.iter().map(|place| place.target.name.as_str()).collect();
        let message = format!("{} targets, and each has a history of its own", places.len());
        return Err(Failure::new(Exit::Usage, message)
            .help(format!("name one with `--target`: {}", names.join(", "))));
    };
    one(place, args, global, terminal)
}

fn one(place: &Place, args: &Rollback, global: &Global, terminal: &Terminal) -> Result<Exit, Failure> {
    let root = place.open()?;
    if args.writing.dry_run
        && let Some(failure) = recovery::interrupted(&root)
    {
        return Err(failure);
    }
    let lock = recovery::lock(&root, global)?;
    if !args.writing.dry_run
        && let Some(text) = recovery::recover(&lock, &root)?
    {
        terminal.note(&text);
    }
    let to = match args.generation {
        Some(number) => number,
        None => {
            let history = root.history().map_err(|error| recovery::refused(&error))?;
            let Some(last) = history.last() else {
                let message = format!("{}: nothing was applied here yet", root.path().display());
                return Err(Failure::new(Exit::Error, message)
                    .help("there is nothing to go back to; check that this is the folder that was meant"));
            };
            last.number - 1
        }
    };
    let back = root.way_back(to, LIMIT).map_err(|error| recovery::refused(&error))?;
    let folder = root.path().display().to_string();
    if back.is_empty() {
        let text =
            format!("Nothing to do: the files below {} are as generation {to} left them.\n", escape(&folder));
        terminal.result(&text)?;
        return Ok(Exit::Done);
    }
    terminal.result(&human::rollback(&place.target, &folder, to, &back, global))?;
    let findings = findings(&back, &root, global);
    super::show(&findings, None, terminal);
    if findings.iter().any(Diagnostic::is_error) {
        terminal.state(state::NOTHING_CHANGED);
        return Ok(Exit::Refused);
    }
    let changes: Vec<Change> = back.into_iter().map(|back| back.change).collect();
    let mut options = options(&format!("rollback to {to}"), &changes, args.writing.in_place);
    if args.writing.dry_run {
        lock.check(&changes, &options).map_err(|error| failed(&error, None))?;
        terminal.note("Dry run: nothing was written.\n");
        return Ok(Exit::Done);
    }
    if !args.writing.yes && !super::confirmed("Go back?", "kasm-db rollback --yes", global, terminal)? {
        terminal.note("Nothing was written.\n");
        return Ok(Exit::Error);
    }
    // Whatever step an unfinished apply is at, the database has to be started on these files now; where it was to
    // reload only, and nothing says how to start it, that is for a person to do.
    let (left, is_for_hands) = match pending(&root)? {
        Some(left) if left.stop.is_empty() || left.start.is_empty() => (None, true),
        left => (left.map(|left| FollowUp { step: Step::Stop, back_to: None, ..left }), false),
    };
    options.follow_up = left.as_ref().map(FollowUp::encode);
    let writing = interrupt::writing();
    let outcome = lock.commit_with(&changes, &options);
    let interrupted = writing.end(outcome.is_ok());
    let report = outcome.map_err(|error| failed(&error, interrupted.as_ref().err()))?;
    let files = count(report.written.len(), "file", "files");
    let still = if changes.iter().any(|change| kind(&change.path) == FileKind::Compose) {
        "stop and start the deployment, so that the container is made anew"
    } else {
        "restart the database"
    };
    let by = if left.is_some() { "; `kasm-db recover` does it" } else { "" };
    let text =
        format!("Rolled back: {files} below {} written. Still needed: {still}{by}.\n", escape(&folder));
    terminal
        .result(&text)
        .map_err(|failure| Failure { exit: Exit::Unfinished, ..failure.state(state::APPLIED) })?;
    if is_for_hands {
        lock.clear_follow_up().map_err(|error| Failure {
            exit: Exit::Unfinished,
            ..recovery::refused(&error).state(state::APPLIED)
        })?;
    }
    let exit = leftovers(&report, terminal);
    interrupted?;
    Ok(exit)
}

/// Says how a commit of this program is written down.
pub(crate) fn options(what: &str, changes: &[Change], in_place: bool) -> Options {
    Options {
        tool: format!("kasm-db {}", env!("CARGO_PKG_VERSION")),
        what: what.to_owned(),
        in_place: changes.iter().filter(|_| in_place).map(|change| change.path.clone()).collect(),
        follow_up: None,
    }
}

fn findings(back: &[Back], root: &Root, global: &Global) -> Vec<Diagnostic> {
    let edited: Vec<_> = back.iter().filter(|back| back.edited).collect();
    let mut findings: Vec<_> = edited
        .iter()
        .map(|back| {
            let message = format!("{} was changed by somebody else since", back.change.path.display());
            Diagnostic::error(Code::EditedSince, message)
                .help("keep what is needed of the lines that the diff removes")
        })
        .collect();
    let paths = back.iter().map(|back| back.change.path.as_path());
    findings.extend(permissions::of_paths(paths, root, permissions::For::Applying));
    for finding in &mut findings {
        if finding.code.risk().is_some() && global.allow.iter().any(|name| name == finding.code.name()) {
            finding.severity = model::Severity::Warning;
        }
    }
    findings
}

/// Tells by its name what a file is: the history knows no more of it.
pub(crate) fn kind(path: &Path) -> FileKind {
    // What is neither is taken for a compose file, of which nothing is shown that is no image.
    if path.extension().is_some_and(|extension| extension == "conf") {
        FileKind::Conf
    } else {
        FileKind::Compose
    }
}
