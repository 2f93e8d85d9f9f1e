//! `kasm-db import`

use std::path::Path;

use ops::import::{Imported, Options, import, there_already, write};
use ops::output::OutputFile;
use ops::{Error, FilesState, Outcome, outcome_of_blockers};
use render::Adoption;

use super::Setting;
use crate::args::Import;
use crate::output::emitter::ImportRow;
use crate::output::{escape, escape_lines, escape_message, progress};

/// Writes a document from what is there. A plan from it is empty, and that is tried before it is written.
pub(crate) fn run(args: &Import, setting: &Setting) -> Result<Outcome, Error> {
    let Setting { terminal, global, .. } = setting;
    if !global.target.is_empty() {
        return Err(Error::usage("`--target` names a target of a document, and none is read")
            .help("name what is there by `--deployment`, `--installer`, or `--compose` and `--conf`"));
    }
    if global.recursive {
        return Err(Error::usage("`-R` searches a folder for documents, and one is written here")
            .help("name it with `-o FILE`"));
    }
    let named = match &global.file[..] {
        [] => Path::new("kasm-db.yaml"),
        [file] => file,
        _ => {
            return Err(Error::usage("only one document is written").help("name it with `-f FILE`"));
        }
    };
    let output = args.output.as_deref().unwrap_or(named);
    let file = (output != Path::new("-")).then_some(output);
    if file.is_some_and(|file| std::fs::symlink_metadata(file).is_ok()) {
        return Err(there_already(output));
    }
    let written = file.map(OutputFile::open).transpose()?;
    let parent = file.and_then(Path::parent).filter(|parent| !parent.as_os_str().is_empty());
    let folder = parent.unwrap_or(Path::new("."));
    let options = Options {
        compose: args.compose.clone(),
        conf: args.conf.clone(),
        service: args.service.clone(),
        all_settings: args.all_settings,
    };
    let Imported { text, adoption } = match import(folder, &options, &setting.selection())? {
        Ok(imported) => imported,
        Err(refused) => {
            progress::show(&refused, None, terminal);
            setting.results.each(|emitter| emitter.findings(None, None, &refused))?;
            terminal.note("No document was written.\n");
            terminal.state(FilesState::NothingChanged);
            return Ok(outcome_of_blockers(&refused));
        }
    };
    match &written {
        None => setting.say(&escape_lines(&text))?,
        Some(file) => {
            write(file, text.as_bytes())?;
            setting.progress.written();
            setting.say(&format!(
                "{}: written, {}.\n",
                escape(&file.path().display().to_string()),
                says(&adoption)
            ))?;
        }
    }
    let row = ImportRow { path: file, text: &text, adoption: &adoption };
    setting.results.each(|emitter| emitter.imported(&row))?;
    remarks(&adoption, setting)?;
    Ok(Outcome::Done)
}

fn says(adoption: &Adoption) -> String {
    let subjects: Vec<_> = adoption.subjects().map(|subject| escape(&subject)).collect();
    if subjects.is_empty() {
        "with nothing but its target".into()
    } else {
        format!("with {}", subjects.join(", "))
    }
}

/// Returns what stays out of the document, and what a plan will meet whatever the document says.
fn remarks(adoption: &Adoption, setting: &Setting) -> Result<(), Error> {
    let terminal = &setting.terminal;
    for left in adoption.left_out().iter().filter(|_| !terminal.quiet) {
        terminal.note(&format!("left out: `{}`: {}\n", escape(&left.subject), escape_message(&left.why)));
    }
    let blockers: Vec<_> = adoption.findings().iter().filter(|f| f.is_error()).cloned().collect();
    if !blockers.is_empty() {
        progress::show(&blockers, None, terminal);
        setting.results.each(|emitter| emitter.findings(None, None, &blockers))?;
        terminal.note("A plan is refused until this is fixed. The document does not cause it.\n");
    }
    Ok(())
}
