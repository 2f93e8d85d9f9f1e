//! What holds for every log, in each of the three formats.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says which seed it began with")]

mod cases;
mod damage;
mod event;
mod forgery;
mod prefixes;
mod write;

use event::{Event, read};
use kasm_db_auditlog::Prefix;
use proptest::prelude::*;
use write::{Format, PREFIX, Record, records};

const FORMATS: [Format; 5] =
    [Format::Stderr, Format::Csv(23), Format::Csv(24), Format::Csv(26), Format::Json];

fn log(format: Format, records: &[Record]) -> Vec<u8> {
    records.iter().flat_map(|record| record.write(format)).collect()
}

fn events(log: &[u8], chunk: usize) -> Vec<Event> {
    read(log, chunk, Some(&Prefix::new(PREFIX.as_bytes())))
}

/// Without the lines, which differ between formats.
fn without_lines(events: Vec<Event>) -> Vec<Event> {
    events.into_iter().map(|event| event.on_line(0)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_the_server_writes_is_read_back_in_each_format(records in records()) {
        for format in FORMATS {
            let log = log(format, &records);
            let wanted: Vec<_> = records.iter().filter_map(Record::event).collect();
            let read = without_lines(events(&log, log.len()));
            prop_assert_eq!(&read, &wanted, "{:?}\n{}", format, String::from_utf8_lossy(&log));
        }
    }

    #[test]
    fn two_logs_in_a_row_have_the_entries_of_both(one in records(), two in records()) {
        // Names of this kind may be the rest of an entry that begins in the other log.
        let mut names = one.iter().chain(&two).flat_map(|record| [&record.user, &record.database]);
        let may_be_in_doubt = names.any(|name| name.contains(['"', ',']));
        for format in FORMATS {
            let (one, two) = (log(format, &one), log(format, &two));
            let both = [one.clone(), two.clone()].concat();
            let mut wanted = without_lines(events(&one, one.len()));
            wanted.extend(without_lines(events(&two, two.len())));
            let found = without_lines(events(&both, both.len()));
            prop_assert_eq!(found.len(), wanted.len());
            for (found, wanted) in found.into_iter().zip(wanted) {
                if !may_be_in_doubt || found != wanted.clone().without_names() {
                    prop_assert_eq!(found, wanted);
                }
            }
        }
    }

    #[test]
    fn it_does_not_matter_in_which_pieces_a_log_arrives(
        records in records(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), edit()), 0..6),
        format in 0..FORMATS.len(),
        chunk in 1..200_usize,
    ) {
        let mut log = log(FORMATS[format], &records);
        for (at, edit) in &edits {
            if log.is_empty() {
                break;
            }
            let at = at.index(log.len());
            match edit {
                Edit::Insert(byte) => log.insert(at, *byte),
                Edit::Replace(byte) => log[at] = *byte,
                Edit::Remove(length) => drop(log.drain(at..(at + length).min(log.len()))),
                Edit::Cut => log.truncate(at),
            }
        }
        let whole = events(&log, log.len().max(1));
        prop_assert_eq!(events(&log, 1), whole.clone(), "{}", String::from_utf8_lossy(&log));
        prop_assert_eq!(events(&log, chunk), whole);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), chunk in 1..64_usize) {
        prop_assert_eq!(events(&bytes, chunk), events(&bytes, bytes.len().max(1)));
    }
}

#[derive(Clone, Debug)]
enum Edit {
    Insert(u8),
    Replace(u8),
    Remove(usize),
    Cut,
}

fn edit() -> impl Strategy<Value = Edit> {
    let byte = || prop::sample::select(b"\",\n\r\t\\{}:A1 \0\xff".to_vec());
    prop_oneof![
        4 => byte().prop_map(Edit::Insert),
        4 => byte().prop_map(Edit::Replace),
        2 => (1..60_usize).prop_map(Edit::Remove),
        1 => Just(Edit::Cut),
    ]
}
