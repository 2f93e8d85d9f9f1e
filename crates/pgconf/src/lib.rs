//! Reads and edits `postgresql.conf` by PostgreSQL's own grammar.
//!
//! No file is printed again: a [`Conf`] keeps the file's bytes, and a change is a list of [`Edit`]s of
//! byte ranges. The first law is therefore that an unchanged file comes back as it was, whatever it
//! holds:
//!
//! ```
//! let bytes = b"Work_Mem=8MB#no blanks\r\nsearch_path 'a''b' # caf\xe9";
//! let conf = pgconf::Conf::parse(bytes);
//! assert_eq!(conf.bytes(), bytes);
//!
//! // The last assignment wins, in any letter case; quotes and escapes are the server's.
//! let path = conf.effective("SEARCH_PATH").unwrap();
//! assert_eq!((path.line, conf.value(path)), (2, b"a'b".to_vec()));
//!
//! // A change touches the value and nothing else.
//! let mut editor = pgconf::Editor::new(&conf);
//! editor.replace_value(conf.effective("work_mem").unwrap(), b"16MB")?;
//! let after = pgconf::apply(bytes, &editor.finish());
//! assert_eq!(after, b"Work_Mem=16MB#no blanks\r\nsearch_path 'a''b' # caf\xe9");
//! # Ok::<(), pgconf::EditError>(())
//! ```
//!
//! The grammar is the one of PostgreSQL 12 to 18 (`guc-file.l` did not change between them). It works
//! on bytes: a comment may be in any encoding, a byte order mark is part of the first name, and a
//! carriage return is white space.
//!
//! # Limitations
//! - It knows no setting: which names exist, and which values they take, is for the caller. [`value`]
//!   reads booleans, numbers with units and enums once the caller knows the type.
//! - [`ConfSet`] does no IO; a [`Source`] gives it the included files.
//! - Names of included files that are not UTF-8 are read with U+FFFD in place of the bad bytes.
//! - [`ConfSet`] stops after 2,000 includes, where the server would continue.

mod bytes;
mod conf;
mod edit;
mod lexer;
mod list;
mod names;
mod set;
mod text;
pub mod value;

pub use bytes::Bytes;
pub use conf::{Commented, Conf, Entry, SyntaxError};
pub use edit::{Edit, EditError, Editor, Quoting, apply};
pub use list::{library_name, same_library, split_identifiers, split_libraries};
pub use set::{Assignment, ConfSet, Found, Problem, ProblemKind, Source, normalize};
pub use text::{decode, encode};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
