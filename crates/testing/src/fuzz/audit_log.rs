//! Any bytes as a log: whatever they are, and in whatever pieces they come, the same is read.

use auditlog::{AuditEntry, Ending, Format, Prefix, Reason, Scanner, Visitor};

/// What a log gives, as text.
#[derive(Debug, Default, PartialEq)]
struct Seen(Vec<String>);

impl Visitor for Seen {
    fn entry(&mut self, entry: &AuditEntry<'_>) {
        let fields = entry.fields();
        let head =
            [entry.time(), entry.user(), entry.database(), entry.host(), entry.port(), entry.session()];
        let head: Vec<_> = head.iter().flatten().map(|text| text.bytes().into_owned()).collect();
        assert!(entry.line() > 0 && !entry.class().is_empty() && !entry.is_cut());
        let all = (head, fields.command(), fields.object_name(), fields.statement(), fields.parameter());
        self.0.push(format!("{} {all:?} {:?}", entry.line(), fields.rows()));
    }

    fn fault(&mut self, line: u64, reason: Reason) {
        assert!(line > 0);
        self.0.push(format!("{line} {reason}"));
    }
}

/// Runs the target with one input.
pub fn run(input: &[u8]) {
    // The first byte is the size of the pieces; the rest is the log.
    let Some((&chunk, log)) = input.split_first() else { return };
    let prefix = Prefix::new(log.split(|b| *b == b'\n').next_back().unwrap_or_default());
    let lines = 1 + log.iter().filter(|b| **b == b'\n').count() as u64;
    let mut whole = Scanner::new(Some(&prefix));
    let done = whole.scan(log, Ending::End, &mut Seen::default());
    assert_eq!((done, whole.line()), (log.len(), lines), "at the end all is done and every line is counted");
    for format in [Format::Csv, Format::Json, Format::Stderr] {
        let (mut seen, mut scanner) = (Seen::default(), Scanner::of(format, Some(&prefix)));
        assert_eq!(scanner.scan(log, Ending::End, &mut seen), log.len());
        let (mut again, mut scanner) = (Seen::default(), Scanner::of(format, Some(&prefix)));
        let (mut done, mut have) = (0, 0);
        // Pieces of a byte would make the cost a square.
        let size = usize::from(chunk).max(1 + log.len() / 64);
        loop {
            let ending = if have == log.len() { Ending::End } else { Ending::More };
            done += scanner.scan(&log[done..have], ending, &mut again);
            assert!(done <= have);
            if ending == Ending::End {
                break;
            }
            have = (have + size).min(log.len());
        }
        assert_eq!(again, seen, "{format:?} in pieces of {size} bytes");
        assert_eq!(scanner.line(), lines);
    }
}
