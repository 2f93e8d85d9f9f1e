//! `kasm-db validate`

use ops::validate::{Validated, validate};
use ops::{Error, Outcome, named_documents};

use super::Setting;

/// Checks documents, and nothing else.
pub(crate) fn run(setting: &Setting) -> Result<Outcome, Error> {
    let selection = setting.selection();
    let named = named_documents(&selection)?;
    let several = named.len() > 1;
    let results = &setting.results;
    if several {
        results.each(|emitter| {
            emitter.several();
            Ok(())
        })?;
    }
    let mut outcome = Outcome::Done;
    validate(&named, &selection, &mut |validated| {
        match validated {
            Validated::Read(document) => {
                if document.desired().is_none() {
                    outcome = outcome.worse(Outcome::Invalid);
                }
                setting.note_document(document);
                results.each(|emitter| emitter.checked(document))?;
            }
            Validated::Unread(named, error) => {
                setting.error(&error);
                outcome = outcome.worse(error.kind);
                results.each(|emitter| emitter.unread(named, &error))?;
            }
            Validated::Parent => results.each(|emitter| {
                emitter.parent();
                Ok(())
            })?,
        }
        Ok(())
    })?;
    if several {
        results.each(|emitter| emitter.totals())?;
    }
    results.each(|emitter| emitter.finish())?;
    Ok(outcome)
}
