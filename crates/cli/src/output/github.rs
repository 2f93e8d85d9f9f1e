//! Annotations of GitHub Actions.

use std::fmt::Write as _;

use model::Severity;

use super::annotations::{Annotated, Annotation, Gathered, REPORTS};
use super::emitter::Format;
use crate::output::escape_lines;

/// The format.
pub(crate) const FORMAT: Format = Format {
    name: "github",
    reports: REPORTS,
    new: |report, sink, _| Box::new(Annotated::for_people(report, sink, commands)),
    entries: None,
    is_public: true,
};

/// GitHub shows so many errors and so many warnings of a step, and silently drops the rest.
const SHOWN: usize = 10;

/// Writes a command for each problem, the worst first.
fn commands(gathered: &Gathered) -> String {
    let mut out = String::new();
    for (severity, word) in [(Severity::Error, "error"), (Severity::Warning, "warning")] {
        let of_this: Vec<_> = gathered.problems.iter().filter(|one| one.severity == severity).collect();
        let shown = if of_this.len() > SHOWN { SHOWN - 1 } else { of_this.len() };
        of_this.iter().take(shown).for_each(|one| command(&mut out, word, one));
        if of_this.len() > shown {
            let _ = writeln!(out, "::{word} title=kasm-db::and {} more", of_this.len() - shown);
        }
    }
    out
}

fn command(out: &mut String, word: &str, one: &Annotation) {
    let place = one.place.as_ref().map_or(String::new(), |place| {
        format!("file={},line={},col={},", property(&place.path), place.line, place.column)
    });
    let title = one.code.map_or("kasm-db".into(), |code| format!("{code} {}", code.name()));
    let _ = writeln!(out, "::{word} {place}title={}::{}", property(&title), data(&one.message));
}

/// Escapes a message: a line feed would end the command.
fn data(text: &str) -> String {
    escape_lines(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes the value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
