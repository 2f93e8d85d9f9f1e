//! A reading under way: the texts, and what was said of them so far.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use crate::code::Code;
use crate::diagnostic::{Diagnostic, MAX_DIAGNOSTICS};
use crate::locations::{Spot, Texts};

/// Gathers what is said of a document and of those that it extends.
pub(crate) struct Reader<'a> {
    pub(crate) texts: Texts<'a>,
    /// The text that is read now.
    pub(crate) now: usize,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Accepts what is said beyond the limit.
    overflow: Diagnostic,
    /// Pointers of keys that a misspelt one was probably meant for.
    pub(crate) guessed: HashSet<String>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(path: &str, bytes: &'a [u8]) -> Self {
        let mut texts = Texts::default();
        texts.push(path.to_string(), Cow::Borrowed(bytes));
        let overflow = Diagnostic::error(Code::DocumentShape, "");
        Self { texts, now: 0, diagnostics: Vec::new(), overflow, guessed: HashSet::new() }
    }

    pub(crate) fn here(&self, span: Range<usize>) -> Spot {
        Spot { text: self.now, span }
    }

    pub(crate) fn error(&mut self, code: Code, spot: Spot, message: impl Into<String>) -> &mut Diagnostic {
        if self.is_full() {
            self.overflow = Diagnostic::error(code, "");
            return &mut self.overflow;
        }
        let location = self.texts.location(spot);
        self.diagnostics.push(Diagnostic::error(code, message).at(location));
        let last = self.diagnostics.len() - 1;
        &mut self.diagnostics[last]
    }

    pub(crate) fn is_full(&self) -> bool {
        self.diagnostics.len() >= MAX_DIAGNOSTICS
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}
