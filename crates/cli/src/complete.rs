//! Completions that depend on what is there: targets, blockers, and what can be explained.

use std::path::PathBuf;

use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use model::Code;
use model::explain::fields;
use ops::{Documents, Selection};

/// The variable by which a shell requests completions.
pub(crate) const VARIABLE: &str = "KASM_DB_COMPLETE";

/// Completes the names of the targets in the documents that the command line names so far.
pub(crate) fn targets() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let words: Vec<_> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
        let (mut documents, recursive) = documents(&words);
        if documents.is_empty() {
            documents.extend(std::env::var_os("KASM_DB_FILE").map(PathBuf::from));
        }
        // A shell that completes has no place for an error.
        let Ok(found) = Documents::load(&Selection { documents, recursive, ..Selection::default() }) else {
            return Vec::new();
        };
        let targets = found.with_targets().flat_map(|(document, dirs)| {
            dirs.iter().map(|dir| candidate(dir.target.name.as_str(), &document.name))
        });
        targets.collect()
    })
}

/// Completes the names of blockers that can be overridden.
pub(crate) fn blockers() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let codes = Code::ALL.iter().filter(|code| code.risk().is_some());
        codes.map(|code| candidate(code.name(), code.title())).collect()
    })
}

/// Completes codes, keys of the document and settings.
pub(crate) fn subjects() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let codes = Code::ALL
            .iter()
            .flat_map(|code| [code.id(), code.name()].map(|name| candidate(name, code.title())));
        let keys = fields()
            .iter()
            .map(|field| candidate(&field.path, field.description.lines().next().unwrap_or_default()));
        let settings = model::postgres::names(*model::postgres::MAJORS.end());
        codes.chain(keys).chain(settings.map(|name| candidate(name, "a setting of PostgreSQL"))).collect()
    })
}

fn candidate(value: &str, help: &str) -> CompletionCandidate {
    CompletionCandidate::new(value).help(Some(help.to_string().into()))
}

/// Finds the documents among words of the command line, and whether folders are searched.
fn documents(words: &[String]) -> (Vec<PathBuf>, bool) {
    let mut documents = Vec::new();
    let mut recursive = false;
    for (index, word) in words.iter().enumerate() {
        let next = || words.get(index + 1).cloned();
        let value = match word.as_str() {
            "-f" | "--file" => next(),
            "-R" | "--recursive" => {
                recursive = true;
                None
            }
            _ => word.strip_prefix("--file=").map(String::from),
        };
        // Reading standard input would take what the shell needs.
        documents.extend(value.filter(|value| value != "-").map(PathBuf::from));
    }
    (documents, recursive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_found_among_the_words() {
        let words =
            ["kasm-db", "--", "kasm-db", "-f", "a", "--file=b", "-R", "plan", "--file", "-", "--target"];
        let (documents, recursive) = documents(&words.map(String::from));
        assert_eq!((documents, recursive), (vec![PathBuf::from("a"), PathBuf::from("b")], true));
    }
}
