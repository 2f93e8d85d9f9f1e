//! `kasm-db apply`

use std::path::Path;

use live::Scrubber;
use ops::apply::{Applied, End, Options, apply, apply_saved};
use ops::saved::{open, reread};
use ops::{Context, Document, Documents, Error, Event, Observer, Outcome, Selection, TargetName};

use super::Setting;
use crate::args::Apply;
use crate::open_files::allow_all;

/// Writes what the plan says: for each target all files or none.
pub(crate) fn run(args: &Apply, setting: &Setting) -> Result<Outcome, Error> {
    let selection = Selection { no_pull: args.writing.no_pull, ..setting.selection() };
    selection.check_allowed()?;
    allow_all();
    let options = Options {
        yes: args.writing.yes,
        dry_run: args.writing.dry_run,
        in_place: args.writing.in_place,
        files_only: args.files_only,
        no_restart: args.no_restart,
        rollback_on_failure: args.rollback_on_failure,
        keep_going: args.keep_going,
        max_failures: args.max_failures,
        sslmode: args.sslmode,
    };
    let observer = setting.observer();
    let context = Context::new(&selection, setting.environment.clone(), setting.progress.clone(), &observer)
        .because(args.writing.message.clone());
    let applied = match &args.plan {
        Some(path) => {
            let saved = open(path, &selection)?;
            let reread = reread(&saved, &selection)?;
            let see = |documents: &Documents| documents.documents().for_each(|one| show(one, setting));
            apply_saved(&saved, reread, &options, &context, see).map_err(|error| named(error, path))?
        }
        None => {
            let documents = Documents::load(&selection)?;
            if !documents.are_all_usable() {
                return not_started(&documents, setting, &observer);
            }
            setting.show_documents(&documents);
            apply(&documents, &options, &context)?
        }
    };
    let Applied { outcome, targets } = applied;
    if targets.len() > 1 {
        setting.results.each(|emitter| emitter.finish())?;
    }
    Ok(outcome)
}

/// Names the plan file in what is said of the plan.
fn named(error: Error, path: &Path) -> Error {
    match error.message.strip_prefix("the plan ") {
        Some(rest) if path != Path::new("-") => {
            Error { message: format!("{} {rest}", path.display()), ..error }
        }
        _ => error,
    }
}

fn show(document: &Document, setting: &Setting) {
    // What cannot be written here cannot be written at the end either, and is an error then.
    let _ = setting.show_document(document);
}

/// Describes what is wrong with the documents, and of every target that is known that the run did not get to it.
fn not_started(documents: &Documents, setting: &Setting, observer: &dyn Observer) -> Result<Outcome, Error> {
    let tell = |target: TargetName| {
        let ended = Event::Ended { target: &target, end: End::NotStarted, outcome: Outcome::Done };
        observer.event(ended, &Scrubber::default())
    };
    documents.each_document(
        |document, dirs| {
            documents.names(document, dirs).try_for_each(tell)?;
            Ok(Outcome::Done)
        },
        |met| {
            setting.show_met(met);
        },
    )
}
