//! `kasm-db resolve`

use ops::{Documents, Error, Outcome};

use super::{Setting, only_document};

/// Prints a document and those that it extends as one.
pub(crate) fn run(setting: &Setting) -> Result<Outcome, Error> {
    let documents = Documents::load(&setting.selection())?;
    if !setting.show_documents(&documents) {
        return Ok(Outcome::Invalid);
    }
    let document = only_document(&documents, "resolve several documents into one")?;
    setting.say(&document.resolved())?;
    setting.results.each(|emitter| emitter.resolved(document))?;
    Ok(Outcome::Done)
}
