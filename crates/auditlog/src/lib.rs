//! Reads the entries of pgaudit in the logs of PostgreSQL: `stderr` with any `log_line_prefix`, `csvlog`
//! and `jsonlog`, as PostgreSQL 12 to 18 write them.
//!
//! ```
//! use kasm_db_auditlog::{AuditEntry, Ending, Reason, Scanner, Visitor};
//!
//! struct Statements(Vec<String>);
//!
//! impl Visitor for Statements {
//!     fn entry(&mut self, entry: &AuditEntry<'_>) {
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
//! A [`Scanner`] takes bytes and passes entries to a [`Visitor`]. The caller passes an incomplete entry again, together with
//! what follows it. The scanner copies little and decodes only what is asked for.
//!
//! # Limitations
//! - An entry of more than [`LIMIT`] bytes in the log is cut at that length.
//! - Lines that came through syslog are recognised, and reported as not understood.
//! - In a `stderr` log, names in the prefix may hold what looks like the rest of a line, or like other lines. An entry whose
//!   line can be read in several ways, may be part of a name, contradicts itself, or is next to a line that is not of the log
//!   is [uncertain](AuditEntry::is_uncertain), and so is each one with a prefix that is neither given nor widely used. A role
//!   without spaces and a database without `@` are taken for what they are if both readings fit.
//! - What a function writes looks like an entry, but for the context and the statement that come with it. If the server's
//!   settings hide them in a `stderr` log, it cannot be told apart there.
//! - A torn `stderr` log may hold lines of other programs, which look like the rest of an entry without its start.

mod csvlog;
mod detect;
mod entry;
mod fault;
mod format;
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

pub use entry::{AuditEntry, Visitor};
pub use fault::Reason;
pub use format::{Ending, Format, LIMIT};
pub use message::{AuditType, Fields};
pub use prefix::Prefix;
pub use record::starts as csv_record_starts;
pub use scanner::Scanner;
pub use text::Text;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
