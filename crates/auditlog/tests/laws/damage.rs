//! No entry is lost silently, whatever happens to a log: the others are shown, and what is lost is reported.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::event::{Event, read_whole};
use crate::write::{Format, PREFIX, Record};
use kasm_db_auditlog::Prefix;

const FORMATS: [Format; 5] =
    [Format::Stderr, Format::Csv(23), Format::Csv(24), Format::Csv(26), Format::Json];

/// What happens to a log.
#[derive(Clone, Debug)]
enum Damage {
    /// These bytes are missing.
    Lose(Range<usize>),
    /// These bytes stand there twice.
    Repeat(Range<usize>),
    /// So many zeros were put in.
    Pad(usize, usize),
    /// These bytes are zeros.
    Zero(Range<usize>),
}

/// A log, with where each record is, and the number of its entry.
struct Log {
    bytes: Vec<u8>,
    records: Vec<(Range<usize>, Option<u64>)>,
}

impl Log {
    fn new(format: Format, records: impl Iterator<Item = Record>) -> Self {
        let mut log = Self { bytes: Vec::new(), records: Vec::new() };
        for record in records {
            let start = log.bytes.len();
            log.bytes.extend(record.write(format));
            log.records.push((start..log.bytes.len(), record.number()));
        }
        log
    }

    /// Finds the record that holds a byte.
    fn at(&self, byte: usize) -> usize {
        self.records.iter().position(|(range, _)| range.contains(&byte)).unwrap()
    }

    fn damaged(&self, damage: &Damage) -> Vec<u8> {
        let bytes = &self.bytes;
        match damage.clone() {
            Damage::Lose(range) => [&bytes[..range.start], &bytes[range.end..]].concat(),
            Damage::Repeat(range) => [&bytes[..range.end], &bytes[range.start..]].concat(),
            Damage::Pad(at, length) => [&bytes[..at], &vec![0; length], &bytes[at..]].concat(),
            Damage::Zero(range) => {
                let mut bytes = bytes.clone();
                bytes[range].fill(0);
                bytes
            }
        }
    }

    #[track_caller]
    fn check(&self, format: Format, damage: &Damage) {
        let log = self.damaged(damage);
        let events = read_whole(&log, Some(&Prefix::new(PREFIX.as_bytes())));
        let mut shown = BTreeSet::new();
        let mut faults = 0;
        for event in &events {
            match event {
                Event::Entry(entry) => drop(shown.insert(entry.ids.0)),
                Event::Fault(..) => faults += 1,
            }
        }
        let (gone, hit) = match damage {
            Damage::Lose(range) | Damage::Zero(range) => (range.clone(), range.clone()),
            Damage::Repeat(range) => (0..0, range.end..range.end),
            Damage::Pad(at, _) => (0..0, *at..*at),
        };
        let mut touched = 0;
        let (mut lost, mut beside) = (0, 0);
        let mut is_within = false;
        let says = || {
            let faults: Vec<_> = events.iter().filter(|event| matches!(event, Event::Fault(..))).collect();
            let log = String::from_utf8_lossy(&log).replace('\0', "~");
            format!("{format:?} {damage:?}\nshown {shown:?}, {faults:?}\n{log:.6000}")
        };
        for (range, number) in &self.records {
            // A line feed alone is nothing of a record.
            if gone.start <= range.start && range.end <= gone.end + 1 {
                continue;
            }
            let is_touched = hit.start < range.end && range.start < hit.end
                || hit.is_empty() && range.start < hit.start && hit.start < range.end;
            touched += usize::from(is_touched);
            is_within |= range.start < gone.start && gone.end < range.end - 1;
            let is_lost = number.is_some_and(|number| !shown.contains(&number));
            lost += usize::from(is_lost && is_touched);
            beside += usize::from(is_lost && !is_touched);
        }
        assert!(beside <= 1, "{beside} others are lost: {}", says());
        let is_start = |at| at == self.bytes.len() || self.records.iter().any(|(range, _)| range.start == at);
        // Half of one entry and half of another may be one, and one without its middle another message.
        let spliced = match damage {
            Damage::Lose(_) if touched == 2 => 2,
            // What is left of an entry without its start may be words of another program.
            Damage::Lose(range) => usize::from(is_within || range.start > 0 && is_start(range.start)),
            // A mark with a letter twice is none.
            Damage::Repeat(_) => touched.min(1),
            _ => 0,
        };
        // A hole may hold any number of entries.
        let is_zero = matches!(damage, Damage::Pad(..) | Damage::Zero(_));
        let reported = if is_zero && faults > 0 { touched } else { faults };
        assert!(lost + beside <= reported + spliced, "{lost} and {beside} are lost: {}", says());
        let is_clean = matches!(damage, Damage::Lose(range) if is_start(range.start) && is_start(range.end));
        // Each line of what is left of an entry may be one.
        let lines = match damage {
            Damage::Repeat(range) => self.bytes[range.clone()].iter().filter(|byte| **byte == b'\n').count(),
            _ => 0,
        };
        let most = if is_clean { 0 } else { 2 * touched + 2 + lines };
        assert!(faults <= most, "{faults} faults: {}", says());
        assert!(faults > 0 || !is_zero, "a hole is not reported: {}", says());
    }
}

#[test]
fn wherever_a_log_is_damaged_the_others_are_shown_and_what_is_lost_is_reported() {
    for format in FORMATS {
        let log = Log::new(format, (1..=6).map(Record::numbered));
        log.check(format, &Damage::Lose(0..0));
        let length = log.bytes.len();
        for at in 0..length {
            let end = log.records[log.at(at)].0.end;
            let damages = [
                Damage::Lose(at..length),
                Damage::Lose(0..at),
                // A write that was not finished, and what was written next.
                Damage::Lose(at..end),
                Damage::Lose(at..end - 1),
                Damage::Pad(at, 1),
                Damage::Pad(at, 5000),
                Damage::Zero(at..(at + 70).min(end)),
                Damage::Repeat(at..end),
            ];
            for damage in damages {
                log.check(format, &damage);
            }
        }
    }
}

/// A sequence of numbers that look random (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((number ^ (number >> 31)) % limit as u64) as usize
    }
}

#[allow(clippy::disallowed_methods, reason = "variables ask for the long form")]
fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name}: {text}")))
}

/// `scripts/long audit-damage` sets how many, and from which seed.
#[test]
fn so_it_is_in_logs_of_any_entries_and_with_any_damage() {
    let (logs, seed) = (number("KASM_DB_DAMAGED_LOGS", 60), number("KASM_DB_SEED", 1));
    println!("{logs} logs of each format from seed {seed}");
    for format in FORMATS {
        for seed in seed..seed + logs {
            let mut numbers = Numbers(seed);
            let count = 3 + numbers.below(30) as u64;
            let kinds: Vec<_> = (0..count).map(|_| numbers.below(1000) as u64 * 1000).collect();
            let log = Log::new(format, (1..).zip(kinds).map(|(id, kind)| Record::numbered(kind + id)));
            for _ in 0..20 {
                let from = numbers.below(log.bytes.len());
                let to = (from + numbers.below(600)).min(log.bytes.len());
                let damage = match numbers.below(4) {
                    0 => Damage::Lose(from..to),
                    1 => Damage::Repeat(from..to),
                    2 => Damage::Pad(from, 1 + numbers.below(9000)),
                    _ => Damage::Zero(from..to.max(from + 1)),
                };
                let whole = std::panic::catch_unwind(|| log.check(format, &damage));
                assert!(whole.is_ok(), "KASM_DB_SEED={seed} KASM_DB_DAMAGED_LOGS=1 shows it");
            }
        }
    }
}
