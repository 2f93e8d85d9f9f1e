//! `kasm-db render`

use std::collections::HashSet;
use std::path::PathBuf;

use ops::output::{OutputFolder, beside};
use ops::review::{By, review};
use ops::{Document, Documents, Error, Outcome, TargetDir, only};

use super::Setting;
use crate::args::Render;
use crate::output::emitter::RenderRow;
use crate::output::review::{Words, check};
use crate::output::{count, escape, progress};

/// The name of the folder beside a document.
const USUAL: &str = "rendered";

/// Writes what every target comes to into a folder, or compares it with what is there.
pub(crate) fn run(args: &Render, setting: &Setting) -> Result<Outcome, Error> {
    let selection = setting.selection();
    selection.check_allowed()?;
    let global = &setting.global;
    if global.show_secrets {
        return Err(Error::usage("`--show-secrets` is not for a folder that is committed")
            .help("use `kasm-db plan --show-secrets` if nobody else can read the output"));
    }
    if !global.target.is_empty() {
        return Err(Error::usage("the folder is one of all targets; `--target` would remove others")
            .help("remove `--target`, and unset KASM_DB_TARGET"));
    }
    if args.out.is_some() {
        only(&selection)?;
    }
    let documents = Documents::load(&selection)?;
    let mut folders: HashSet<PathBuf> = HashSet::new();
    documents.each_document(
        |document, dirs| {
            let path = args.out.clone().unwrap_or_else(|| beside(document, USUAL));
            if !folders.insert(path.clone()) {
                let message = format!("{} is the folder of two documents", path.display());
                return Err(Error::usage(message)
                    .help("render each one separately, to its own folder with `--out DIR`"));
            }
            let folder = match &args.out {
                Some(folder) => OutputFolder::named(folder),
                None => OutputFolder::beside(document, USUAL),
            };
            one(document, dirs, &folder?, args, setting)
        },
        |met| {
            setting.show_met(met);
        },
    )
}

/// Renders one document.
fn one(
    document: &Document,
    dirs: &[TargetDir],
    folder: &OutputFolder,
    args: &Render,
    setting: &Setting,
) -> Result<Outcome, Error> {
    let Some(desired) = document.desired() else { return Ok(Outcome::Invalid) };
    let (selection, several) = (setting.selection(), dirs.len() > 1);
    let mut see = |plan: &::render::Plan| {
        let heading = several.then_some(plan.target.name.as_str());
        progress::warnings(plan, heading, &setting.terminal);
        progress::blockers(plan, heading, &setting.terminal);
        let (document, target) = (Some(document.name.as_str()), Some(plan.target.name.as_str()));
        // What cannot be written here cannot be written at the end either, and is an error then.
        let _ = setting.results.each(|emitter| emitter.findings(document, target, &plan.findings));
    };
    let review = review(folder, document, desired, dirs, &selection, &Words, &mut see)?;
    let shown = escape(&folder.path().display().to_string());
    if args.check {
        let review = review.with_list()?;
        let is_other = review.by().is_some_and(|by| by != By::This);
        let mut show = |text: &str| setting.say(text);
        check(&shown, &review, desired, setting.detail(), &mut show)?;
        let row = RenderRow {
            document: &document.name,
            folder: &folder.path().display().to_string(),
            files: review.files(),
            brought: None,
            differences: if is_other { &[] } else { review.differences() },
            by: review.by(),
        };
        setting.results.each(|emitter| emitter.rendered(&row))?;
        let is_same = !is_other && review.differences().is_empty();
        return Ok(if is_same { Outcome::Done } else { Outcome::Differences });
    }
    let brought = review.write()?;
    setting.progress.written();
    let files = count(review.files(), "file", "files");
    setting.say(&format!("{shown}: {files}, {} written, {} removed.\n", brought.written, brought.removed))?;
    let row = RenderRow {
        document: &document.name,
        folder: &folder.path().display().to_string(),
        files: review.files(),
        brought: Some((brought.written, brought.removed)),
        differences: review.differences(),
        by: Some(By::This),
    };
    setting.results.each(|emitter| emitter.rendered(&row))?;
    Ok(Outcome::Done)
}
