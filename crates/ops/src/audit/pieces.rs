//! Counting a large csvlog in several pieces at once.
//!
//! Where a record starts cannot be told from the middle of a file: a statement may hold lines that look like
//! one. So a piece starts at a line that looks like a record, and counts only if the piece before it ended
//! exactly there, between two records. Where one did not, the rest of the file is read in one go.

use std::collections::BTreeMap;
use std::fs::File;
use std::num::NonZero;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::{Builder, available_parallelism, scope};

use auditlog::{AuditEntry, Ending, Format, LIMIT, Scanner, csv_record_starts};

use super::input::Buffer;
use super::{LogSettings, Query, Reading, Tally};

/// Bytes of a piece.
const PIECE: u64 = 4 << 20;

/// More threads than that wait for memory, not for each other.
const THREADS: usize = 4;

/// Where to look for the first record of a piece.
const LOOK: usize = 64 << 10;

/// A piece that was read.
struct Piece {
    start: u64,
    tally: Tally,
    lines: u64,
    /// Whether it ended between two records.
    clean: bool,
}

/// Pieces that wait for those before them.
#[derive(Default)]
struct Order {
    next: u64,
    waiting: BTreeMap<u64, Option<Piece>>,
    whole: Tally,
    lines: u64,
    /// From here on the file is to be read in one go.
    broken: Option<u64>,
}

/// Counts the entries of a file, if that is one to be read in pieces.
pub(crate) fn count_in_pieces(
    file: &File,
    size: u64,
    query: &Query,
    settings: &LogSettings,
) -> Option<std::io::Result<Tally>> {
    let threads = available_parallelism().map_or(1, NonZero::get).min(THREADS);
    if threads < 2 || size < 2 * PIECE || !starts_as_csv(file) {
        return None;
    }
    let pieces = size.div_ceil(PIECE);
    let (taken, order, turn) = (AtomicU64::new(0), Mutex::new(Order::default()), Condvar::new());
    let work = || {
        let mut buffer = Buffer::new();
        loop {
            let index = taken.fetch_add(1, Ordering::Relaxed);
            if index >= pieces {
                return;
            }
            {
                // No more pieces are held than there are threads for.
                let held =
                    |order: &mut Order| index >= order.next + 2 * threads as u64 && order.broken.is_none();
                let lock = order.lock().unwrap_or_else(PoisonError::into_inner);
                let lock = turn.wait_while(lock, held).unwrap_or_else(PoisonError::into_inner);
                if lock.broken.is_some() {
                    return;
                }
            }
            let piece = read(file, index, size, (query, settings), &mut buffer);
            let mut order = order.lock().unwrap_or_else(PoisonError::into_inner);
            order.waiting.insert(index, piece);
            order.advance();
            turn.notify_all();
        }
    };
    scope(|scope| {
        // Where the system starts no more threads, those that there are do the work.
        let start = |_: &usize| Builder::new().spawn_scoped(scope, work).is_ok();
        let _ = (1..threads).take_while(start).count();
        work();
    });
    let Order { mut whole, lines, broken, .. } = order.into_inner().unwrap_or_else(PoisonError::into_inner);
    let Some(from) = broken else { return Some(Ok(whole)) };
    let mut reading = Reading::new(query, settings, |_: &AuditEntry<'_>| {});
    // Only a log that starts with a record is read so.
    let mut scanner = Scanner::at_csv_record();
    let read = range(file, from, size, &mut scanner, &mut reading, &mut Buffer::new(), true);
    whole.merge(reading.tally, lines);
    Some(read.map(|()| whole))
}

impl Order {
    /// Accepts the pieces whose turn it is.
    fn advance(&mut self) {
        while self.broken.is_none() {
            let Some(piece) = self.waiting.remove(&self.next) else { return };
            self.next += 1;
            match piece {
                Some(piece) if piece.clean => {
                    let lines = self.lines;
                    self.lines += piece.lines;
                    self.whole.merge(piece.tally, lines);
                }
                Some(piece) => self.broken = Some(piece.start),
                // No record starts in it: the one before it went on, and was not clean.
                None => {}
            }
        }
    }
}

fn starts_as_csv(file: &File) -> bool {
    let mut start = vec![0; LOOK];
    let Ok(length) = file.read_at(&mut start, 0) else { return false };
    start.truncate(length);
    let mut scanner = Scanner::new(None);
    let query = Query { filter: super::Filter::default(), view: super::View::Summary };
    let settings = LogSettings::default();
    scanner.scan(&start, Ending::End, &mut Reading::new(&query, &settings, |_: &AuditEntry<'_>| {}));
    // With a line before it, the first line is looked at too.
    start.insert(0, b'\n');
    scanner.format() == Some(Format::Csv) && csv_record_starts(&start) == Some(1)
}

/// Reads one piece: from the first line in it that looks like a record to that of the next one.
fn read(
    file: &File,
    index: u64,
    size: u64,
    (query, settings): (&Query, &LogSettings),
    buffer: &mut Buffer,
) -> Option<Piece> {
    let start = if index == 0 { 0 } else { first(file, index * PIECE, size)? };
    let end =
        ((index + 1)..size.div_ceil(PIECE)).find_map(|next| first(file, next * PIECE, size)).unwrap_or(size);
    let mut reading = Reading::new(query, settings, |_: &AuditEntry<'_>| {});
    let mut scanner = Scanner::at_csv_record();
    let read = range(file, start, end, &mut scanner, &mut reading, buffer, end == size);
    let clean = read.is_ok()
        && buffer.is_empty()
        && (end == size || scanner.is_between_csv_records())
        && !reading.tally.counts.is_large();
    buffer.clear();
    Some(Piece { start, lines: scanner.line() - 1, tally: reading.tally, clean })
}

/// Finds the first line behind a place that looks like a record and is in its piece.
fn first(file: &File, from: u64, size: u64) -> Option<u64> {
    let mut bytes = vec![0; LOOK];
    let mut at = from - 1;
    while at < size.min(from + PIECE) {
        let length = file.read_at(&mut bytes, at).ok().filter(|length| *length > 0)?;
        if let Some(found) = csv_record_starts(&bytes[..length]) {
            return Some(at + found as u64).filter(|found| *found < from + PIECE);
        }
        // The start of a line may lie across the end of what was read.
        at += if length > 64 { length as u64 - 64 } else { length as u64 };
    }
    None
}

/// Reads a range of a file.
fn range(
    file: &File,
    from: u64,
    to: u64,
    scanner: &mut Scanner,
    reading: &mut Reading<'_, impl FnMut(&AuditEntry<'_>)>,
    buffer: &mut Buffer,
    last: bool,
) -> std::io::Result<()> {
    let mut part = Part { file, at: from, end: to };
    while buffer.more(&mut part)? > 0 {
        buffer.scan(scanner, Ending::More, reading);
    }
    if last {
        buffer.end(scanner, reading);
    }
    Ok(())
}

/// A part of a file, read without its position: several threads share it.
struct Part<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl std::io::Read for Part<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(LIMIT);
        let length = bytes.len().min(left);
        let length = self.file.read_at(&mut bytes[..length], self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}
