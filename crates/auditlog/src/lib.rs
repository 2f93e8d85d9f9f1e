//! Reads the entries of pgaudit in the logs of PostgreSQL: `stderr` with any `log_line_prefix`, `csvlog`
//! and `jsonlog`, as PostgreSQL 12 to 18 write them.
//!
//! ```
//! use kasm_db_auditlog::{Ending, Entry, Reason, Scanner, Visitor};
//!
//! struct Statements(Vec<String>);
//!
//! impl Visitor for Statements {
//!     fn entry(&mut self, entry: &Entry<'_>) {
//!         self.0.push(String::from_utf8_lossy(&entry.fields().statement()).into_owned());
//!     }
//!     fn fault(&mut self, line: u64, reason: Reason) {
//!         panic!("line {line}: {reason}");
//!     }
//! }
//!
//! let log = b"2026-11-22 22:46:35.866 UTC [7] LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,\"select 1, 2\",<none>\n";
//! let mut statements = Statements(Vec::new());
//! let done = Scanner::new(None).scan(log, Ending::End, &mut statements);
//! assert_eq!((done, statements.0), (log.len(), vec!["select 1, 2".to_string()]));
//! ```
//!
//! Reading is a stream: a [`Scanner`] gets bytes and gives entries to a [`Visitor`]; what is not whole yet is
//! given again with what follows. It copies little and decodes only what is asked for.
//!
//! # Limits
//! - An entry of more than [`LIMIT`] bytes in the log is cut at that length.
//! - Lines that came through syslog are recognised, and reported as not understood.
//! - Where a log in words has a prefix that neither is given nor widely used, only what can be told apart is.
//! - In a log in words, names that stand in the prefix may hold what looks like a message. Such a line is
//!   reported, and not dropped. csvlog and jsonlog leave no such doubt.

mod csvlog;
mod detect;
mod entry;
mod fault;
mod jsonlog;
mod lines;
mod masks;
mod message;
mod prefix;
mod record;
mod scanner;
mod stderr_log;
mod text;
pub mod time;

pub use entry::{Entry, Visitor};
pub use fault::Reason;
pub use message::{Fields, Kind};
pub use prefix::Prefix;
pub use record::starts as csv_record_starts;
pub use scanner::{Ending, Format, LIMIT, Scanner};
pub use text::Text;
