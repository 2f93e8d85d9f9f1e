//! `kasm-db rollback`

use ops::rollback::{Options, rollback};
use ops::{Context, Documents, Error, Outcome, Selection, named_tree};

use super::Setting;
use crate::args::Rollback;

/// Goes back to what an earlier apply left: shown like a plan, and committed and followed like one.
pub(crate) fn run(args: &Rollback, setting: &Setting) -> Result<Outcome, Error> {
    let selection = Selection { no_pull: args.writing.no_pull, ..setting.selection() };
    selection.check_allowed()?;
    let options = Options {
        generation: args.generation,
        yes: args.writing.yes,
        dry_run: args.writing.dry_run,
        in_place: args.writing.in_place,
        files_only: args.files_only,
        no_restart: args.no_restart,
    };
    let observer = setting.observer();
    let context = Context::new(&selection, setting.environment.clone(), setting.progress.clone(), &observer)
        .because(args.writing.message.clone());
    let Some(documents) = Documents::load_unless_named(&selection)? else {
        let Some(dir) = named_tree(&selection) else { return Ok(Outcome::Done) };
        setting.begin_target(&dir)?;
        return rollback(&dir, None, &options, &context);
    };
    if !setting.show_documents(&documents) {
        return Ok(Outcome::Invalid);
    }
    let targets = documents.every_target()?;
    let [target] = &targets[..] else {
        let names: Vec<_> = targets.iter().map(|declared| declared.dir.target.name.as_str()).collect();
        let message = format!("{} targets, and each has a history of its own", targets.len());
        return Err(Error::usage(message).help(format!("name one with `--target`: {}", names.join(", "))));
    };
    setting.begin_target(target.dir)?;
    rollback(target.dir, Some(target), &options, &context)
}
