//! From bytes to a typed document: one spanned reading, and all errors of it.

use serde_json::Value;

use crate::check;
use crate::code::Code;
use crate::desired::DesiredState;
use crate::diagnostic::Diagnostic;
use crate::document::{Document, Policy};
use crate::extends::Parents;
use crate::ignorable::Ignorable;
use crate::limits;
use crate::reader::Reader;
use crate::stranger;
use crate::violations::Missing;

/// What came of reading a document.
#[derive(Debug)]
pub struct Reading {
    /// The desired state; holding one proves that there was no error.
    pub desired: Option<DesiredState>,
    /// Every error and warning, in the order of the text; no more than a hundred.
    pub diagnostics: Vec<Diagnostic>,
    /// Warnings that are silenced.
    pub ignored: Vec<Diagnostic>,
    /// The documents that it extends, nearest first: the paths that diagnostics give them, and their bytes.
    pub parents: Vec<(String, Vec<u8>)>,
}

/// Reads and checks a document that extends no other one.
///
/// `path` is the name that diagnostics give to the file.
pub fn read(path: &str, bytes: &[u8]) -> Reading {
    read_with(path, bytes, &|_| Err("no other document can be read from here".into()))
}

/// Reads and checks a document and those that it extends.
pub fn read_with(path: &str, bytes: &[u8], parents: &Parents<'_>) -> Reading {
    let mut reader = Reader::new(path, bytes);
    let value = reader.value(parents);
    let desired = value.and_then(|value| match reader.typed(&value) {
        Some(document) => check::check(document, &reader.texts, &mut reader.diagnostics),
        None => {
            reader.check_valid_part(value);
            None
        }
    });
    let Reader { mut diagnostics, texts, .. } = reader;
    stranger::hide(&mut diagnostics, &texts);
    diagnostics.sort_by_key(|d| {
        d.location
            .as_ref()
            .map_or((0, 0), |location| (texts.number(&location.path).unwrap_or(0), location.span.start))
    });
    let failed = diagnostics.iter().any(Diagnostic::is_error);
    let desired = desired.filter(|_| !failed);
    let silenced = desired.as_ref().map_or(&[][..], DesiredState::ignored);
    let ignored = Ignorable::take(silenced, &mut diagnostics);
    // A run over a fleet holds thousands of readings, and nearly none has anything left to say.
    diagnostics.shrink_to_fit();
    Reading { desired, diagnostics, ignored, parents: texts.into_parents() }
}

impl Reading {
    /// Silences further warnings.
    pub fn ignore(&mut self, silenced: &[Ignorable]) {
        self.ignored.extend(Ignorable::take(silenced, &mut self.diagnostics));
    }

    /// Replaces what the document says of restarts.
    pub fn restart(&mut self, policy: Policy) {
        if let Some(desired) = &mut self.desired {
            desired.restart.policy = policy;
        }
    }
}

impl Reader<'_> {
    /// Returns the value of the document and its parents together, or `None` where one of them has errors.
    pub(crate) fn value(&mut self, parents: &Parents<'_>) -> Option<Value> {
        let own = self.text()?;
        if !own.get("extends").is_some_and(Value::is_string) {
            return Some(own);
        }
        self.chain(own, parents)
    }

    /// Builds the types of a value, or reports what does not fit them.
    pub(crate) fn typed(&mut self, value: &Value) -> Option<Document> {
        // What fits the types and their limits fits the schema; only errors need its validator.
        if let Some(document) = limits::read(value)
            && !self.has_errors()
        {
            return Some(document);
        }
        // What stands in the texts of a chain was looked at one by one.
        let missing = if self.texts.len() == 1 { Missing::Too } else { Missing::Only };
        self.violations(0..self.texts.len(), value, missing);
        if !self.has_errors() {
            let message = "internal error: the schema accepts what the types refuse";
            self.error(Code::DocumentShape, self.here(0..0), message);
        }
        None
    }
}
