//! `kasm-db forget`

use std::path::PathBuf;

use ops::apply::Options as ApplyOptions;
use ops::forget::{Options, forget};
use ops::{Context, Documents, Error, Outcome, Selection};

use super::Setting;
use crate::args::Forget;

/// What a tree is left with that is named without a document.
const NOTHING: &[u8] = b"schema: kasm-db/v1\n";

/// Restores what kasm-db set, and deletes what it keeps.
pub(crate) fn run(args: &Forget, setting: &Setting) -> Result<Outcome, Error> {
    let selection = setting.selection();
    selection.check_allowed()?;
    let options = Options {
        keep: args.keep,
        apply: ApplyOptions {
            yes: args.writing.yes,
            dry_run: args.writing.dry_run,
            in_place: args.writing.in_place,
            files_only: args.files_only,
            ..ApplyOptions::default()
        },
    };
    let observer = setting.observer();
    let context = Context::new(&selection, setting.environment.clone(), setting.progress.clone(), &observer)
        .because(args.writing.message.clone());
    let documents = match Documents::load_unless_named(&selection)? {
        Some(documents) => documents,
        None => Documents::load(&Selection {
            documents: vec![PathBuf::from("-")],
            stdin: || Box::new(NOTHING),
            ..selection.clone()
        })?,
    };
    if !setting.show_documents(&documents) {
        return Ok(Outcome::Invalid);
    }
    Ok(forget(documents, &options, &context)?.outcome)
}
