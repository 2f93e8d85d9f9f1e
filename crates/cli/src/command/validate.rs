//! `kasm-db validate`

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use ops::output::{OutputFile, Readers};
use ops::validate::{Validated, validate};
use ops::{Document, Error, Named, Outcome, Selection, named_documents};

use super::Setting;
use crate::args::Validate;
use crate::output::{count, escape};

/// How often a document is fixed and read again: a fix may show the next error.
const PASSES: usize = 10;

/// Checks documents, and fixes them before if that is wanted.
pub(crate) fn run(args: &Validate, setting: &Setting) -> Result<Outcome, Error> {
    let selection = setting.selection();
    let named = named_documents(&selection)?;
    if args.fix {
        for one in &named {
            let fixed = fix(one, &selection)?;
            if fixed > 0 {
                let errors = count(fixed, "error", "errors");
                setting
                    .terminal
                    .note(&format!("{}: fixed {errors}\n", escape(&one.path.display().to_string())));
            }
        }
    }
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

/// Applies the safe fixes of a document, and returns how many there were.
fn fix(named: &Named, selection: &Selection) -> Result<usize, Error> {
    if named.path == Path::new("-") {
        return Err(Error::usage("standard input cannot be fixed").help("name a file"));
    }
    let mut fixed = 0;
    for _ in 0..PASSES {
        let mut better = None;
        let read = validate(std::slice::from_ref(named), selection, &mut |validated| {
            if let Validated::Read(document) = validated {
                better = with_fixes(document);
            }
            Ok(())
        });
        // The check that follows reports a document that cannot be read.
        let (Ok(()), Some((text, count))) = (read, better) else { break };
        write(&named.path, &text)?;
        fixed += count;
    }
    Ok(fixed)
}

/// Returns the text of a document with its fixes, and their number; those of its parents are not its own.
fn with_fixes(document: &Document) -> Option<(Vec<u8>, usize)> {
    let own = document.reading.diagnostics.iter().filter(|diagnostic| {
        diagnostic.location.as_ref().is_some_and(|location| location.path == document.name)
    });
    let mut fixes: Vec<_> = own.filter_map(|diagnostic| diagnostic.fix.as_ref()).collect();
    fixes.sort_by_key(|(range, _)| range.start);
    let (mut text, mut end, mut count) = (Vec::new(), 0, 0);
    for (range, replacement) in fixes {
        // Of two that overlap, the next pass sees whether the other one is still needed.
        if range.start < end || range.end > document.bytes.len() {
            continue;
        }
        text.extend_from_slice(&document.bytes[end..range.start]);
        text.extend_from_slice(replacement.as_bytes());
        (end, count) = (range.end, count + 1);
    }
    text.extend_from_slice(&document.bytes[end..]);
    (count > 0 && text != document.bytes).then_some((text, count))
}

/// Replaces a document that belongs to the caller.
pub(super) fn write(path: &Path, text: &[u8]) -> Result<(), Error> {
    let name = path.display();
    let there = std::fs::symlink_metadata(path).map_err(|error| {
        Error::failed(format!("{name}: cannot read the file: {}", commit::reason(&error)))
    })?;
    if !there.is_file() {
        let message = format!("{name} is not a regular file");
        return Err(Error::failed(message).help("name the file that the link leads to"));
    }
    if there.uid() != rustix::process::geteuid().as_raw() {
        return Err(Error::failed(format!("{name} belongs to another user")).help("run this as its owner"));
    }
    let readers = if there.mode() & 0o077 == 0 { Readers::Owner } else { Readers::ByUmask };
    OutputFile::open(path)?.replace(readers, |out| out.write_all(text))
}
