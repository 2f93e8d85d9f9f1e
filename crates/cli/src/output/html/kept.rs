//! What a page has of documents or targets: the worst first, and not more than a browser shows at once.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::text::shown;
use crate::output::count;

/// The rows of a table; more are counted.
const ROWS: usize = 1000;

/// The bytes of all sections together.
const BYTES: usize = 2 << 20;

/// A document or a target.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) rank: Rank,
    /// Those behind the name.
    pub(super) cells: Vec<Markup>,
    /// What is to be said besides.
    pub(super) section: Option<Markup>,
}

/// What became of it; the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// It has errors.
    Bad,
    /// It would change, or differs.
    Changes,
    /// It has warnings.
    Warned,
    /// There is nothing to do.
    Same,
}

/// The worst of all entries. However many there are, it holds no more than half as much again as a page shows.
#[derive(Default)]
pub(super) struct Kept {
    /// With the number of each, in the order in which they came.
    entries: Vec<(usize, Entry)>,
    bytes: usize,
    counts: BTreeMap<Rank, usize>,
    sections: usize,
}

impl Kept {
    /// Adds an entry.
    pub(super) fn push(&mut self, entry: Entry) {
        *self.counts.entry(entry.rank).or_default() += 1;
        self.sections += usize::from(entry.section.is_some());
        self.bytes += size(&entry);
        self.entries.push((self.len(), entry));
        if self.bytes > BYTES + BYTES / 2 || self.entries.len() > ROWS + ROWS / 2 {
            self.shorten();
        }
    }

    /// Leaves out what a page does not show: a row that is not among the worst of these is not among the worst of more, either.
    fn shorten(&mut self) {
        self.entries.sort_by_key(|(number, entry)| (entry.rank, *number));
        self.entries.truncate(ROWS);
        let mut left = BYTES;
        for (_, entry) in &mut self.entries {
            match left.checked_sub(size(entry)) {
                Some(rest) => left = rest,
                None => entry.section = None,
            }
        }
        self.bytes = self.entries.iter().map(|(_, entry)| size(entry)).sum();
    }

    /// Returns how many there were.
    pub(super) fn len(&self) -> usize {
        self.counts.values().sum()
    }

    /// Returns whether there is nothing to show.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns how many there were of a rank.
    pub(super) fn of(&self, rank: Rank) -> usize {
        self.counts.get(&rank).copied().unwrap_or_default()
    }

    /// Returns the worst rank of all.
    pub(super) fn worst(&self) -> Option<Rank> {
        self.counts.keys().next().copied()
    }

    /// Writes the numbers of all of them; the names are one of them, several, and those of each rank.
    pub(super) fn tiles(&self, [one, many, ranks @ ..]: [&str; 6], errors: usize) -> Markup {
        let ranks = [Rank::Bad, Rank::Changes, Rank::Warned, Rank::Same].into_iter().zip(ranks);
        let ranks = ranks.filter(|(rank, _)| self.of(*rank) > 0);
        html! {
            dl.tiles {
                div { dt { (if self.len() == 1 { one } else { many }) } dd { (self.len()) } }
                @for (rank, name) in ranks { div class=(rank.class()) { dt { (name) } dd { (self.of(rank)) } } }
                @if errors > 0 { div.bad { dt { "errors of the run" } dd { (errors) } } }
            }
        }
    }

    /// Writes the table, the worst first.
    pub(super) fn table(&mut self, heading: &str, columns: &[&str], command: &str) -> Markup {
        self.shorten();
        let left_out = self.len() - self.entries.len();
        html! {
            section {
                h2 { (heading) }
                table.matrix {
                    thead { tr { @for column in columns { th scope="col" { (column) } } } }
                    tbody {
                        @for (number, entry) in &self.entries {
                            tr {
                                th scope="row" {
                                    @if entry.section.is_some() { a href=(format!("#{}", id(heading, *number))) { (shown(&entry.name)) } }
                                    @else { (shown(&entry.name)) }
                                }
                                @for (cell, column) in entry.cells.iter().zip(&columns[1..]) {
                                    td data-label=(column) { (cell) }
                                }
                            }
                        }
                    }
                }
                @if left_out > 0 { p.more { (left_out) " more are left out here: run " code { "kasm-db " (command) } " for all of them." } }
            }
        }
    }

    /// Writes what is to be said of each, one piece after the other, and forgets it.
    pub(super) fn sections(&mut self, heading: &str, command: &str) -> impl Iterator<Item = Markup> + use<> {
        self.shorten();
        let written = self.entries.iter().filter(|(_, entry)| entry.section.is_some()).count();
        let left_out = std::mem::take(&mut self.sections) - written;
        let (heading, command) = (heading.to_string(), command.to_string());
        let rest = (left_out > 0).then(|| {
            html! {
                p.more {
                    "The details of " (count(left_out, "more", "more")) " are left out here: run "
                    code { "kasm-db " (command) } " for all of them."
                }
            }
        });
        let sections = std::mem::take(&mut self.entries).into_iter().filter_map(move |(number, entry)| {
            let section = entry.section?;
            Some(html! {
                section.entry id=(id(&heading, number)) {
                    h2 { (shown(&entry.name)) }
                    (section)
                }
            })
        });
        sections.chain(rest)
    }
}

impl Rank {
    /// Returns the class of the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Changes => "changed",
            Self::Warned => "warned",
            Self::Same => "good",
        }
    }
}

/// Returns the bytes of an entry's section.
fn size(entry: &Entry) -> usize {
    entry.section.as_ref().map_or(0, |section| section.0.len())
}

/// Returns what a link to a section names.
fn id(heading: &str, number: usize) -> String {
    format!("{}-{number}", heading.to_lowercase())
}

#[cfg(test)]
mod tests {
    use maud::PreEscaped;

    use super::*;

    fn entry(number: usize, rank: Rank, bytes: usize) -> Entry {
        let section = Some(PreEscaped(format!("s{number} {}", "x".repeat(bytes))));
        Entry { name: format!("t{number}"), rank, cells: Vec::new(), section }
    }

    #[test]
    fn the_worst_is_shown_whenever_it_comes_and_no_more_is_held_than_a_page_shows() {
        let mut kept = Kept::default();
        for number in 0..20_000 {
            let rank = if number % 5_000 == 4_999 { Rank::Bad } else { Rank::Changes };
            kept.push(entry(number, rank, 10_000));
            assert!(kept.entries.len() <= ROWS + ROWS / 2 && kept.bytes <= BYTES + BYTES / 2);
        }
        assert_eq!((kept.len(), kept.of(Rank::Bad), kept.worst()), (20_000, 4, Some(Rank::Bad)));
        let table = kept.table("Targets", &["target"], "plan").0;
        let place = |name: &str| table.find(&format!(">{name}<")).unwrap();
        assert!(
            place("t4999") < place("t19999") && place("t19999") < place("t0") && place("t0") < place("t1")
        );
        assert!(table.contains("19000 more are left out here"), "{}", &table[table.len() - 300..]);
        let sections: Vec<_> = kept.sections("Targets", "plan").map(|section| section.0).collect();
        let bytes: usize = sections.iter().map(String::len).sum();
        assert!(bytes < BYTES + 100_000, "{bytes}");
        assert!(sections[0].contains("s4999 ") && sections[4].contains("s0 "));
        let shown = sections.len() - 1;
        let rest = format!("The details of {} more are left out", 20_000 - shown);
        assert!(sections[shown].contains(&rest), "{}", sections[shown]);
        assert!(kept.is_empty() && kept.sections("Targets", "plan").next().is_none());
    }

    #[test]
    fn a_section_that_is_larger_than_a_page_is_left_out_alone() {
        let mut kept = Kept::default();
        kept.push(entry(0, Rank::Bad, 10));
        kept.push(entry(1, Rank::Bad, 2 * BYTES));
        kept.push(entry(2, Rank::Same, 10));
        let sections: Vec<_> = kept.sections("Targets", "plan").map(|section| section.0).collect();
        assert_eq!(sections.len(), 3, "the others, and how many are left out");
        assert!(sections[2].contains("The details of 1 more"), "{}", sections[2]);
    }
}
