//! `kasm-db resolve`

use ops::{Documents, Error, Outcome};

use super::Setting;

/// Prints a document and those that it extends as one.
pub(crate) fn run(setting: &Setting) -> Result<Outcome, Error> {
    let documents = Documents::load(&setting.selection())?;
    if !setting.show_documents(&documents) {
        return Ok(Outcome::Invalid);
    }
    let all: Vec<_> = documents.documents().collect();
    let [document] = &all[..] else {
        let names: Vec<_> = all.iter().map(|document| document.name.as_str()).collect();
        let message = format!("cannot resolve several documents into one: {}", names.join(", "));
        return Err(Error::usage(message).help("name one document"));
    };
    setting.say(&document.resolved())?;
    setting.results.each(|emitter| emitter.resolved(document))?;
    Ok(Outcome::Done)
}
