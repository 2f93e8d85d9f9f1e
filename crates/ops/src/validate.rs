//! Checking documents, and nothing else.

use crate::document::{Document, load};
use crate::document_search::Named;
use crate::documents::{Parents, lacks_only_keys};
use crate::error::Error;
use crate::selection::Selection;

/// A document, as it is checked.
pub enum Validated<'a> {
    /// It was read; what is wrong with it is in its reading.
    Read(&'a Document),
    /// It cannot be read; others are there.
    Unread(&'a Named, Error),
    /// It lacks what those bring that extend it.
    Parent,
}

/// Checks documents one after the other. Each is forgotten before the next one is read, so that a thousand take no more
/// memory than one.
///
/// # Errors
/// The only document cannot be read, or `take` failed.
pub fn validate(
    named: &[Named],
    selection: &Selection,
    take: &mut dyn FnMut(Validated<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    // A parent may lack what its children bring; whether it is one is known when all have been read.
    let (mut waiting, mut parents) = (Vec::new(), Parents::default());
    for one in named {
        let document = match load(one, selection) {
            Ok(document) => document,
            Err(error) if named.len() > 1 => {
                take(Validated::Unread(one, error.of(&one.path.display().to_string(), None)))?;
                continue;
            }
            Err(error) => return Err(error.of(&one.path.display().to_string(), None)),
        };
        parents.add(&document);
        if lacks_only_keys(one, &document) {
            waiting.push(one);
        } else {
            take(Validated::Read(&document))?;
        }
    }
    for one in waiting {
        if parents.contains(one) {
            take(Validated::Parent)?;
        } else {
            take(Validated::Read(&load(one, selection)?))?;
        }
    }
    Ok(())
}
