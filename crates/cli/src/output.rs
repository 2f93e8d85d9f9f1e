//! The one layer between this program and whoever reads what it says.
//!
//! Everything printed passes [`escape()`], but for patches, whose bytes must be exact and are checked
//! instead. What others said, the programs that are run and the server, passes a [`Scrubber`] before.

mod annotations;
mod bar;
pub(crate) mod build;
mod detail;
pub(crate) mod diagnostics;
pub(crate) mod emitter;
mod escape;
pub(crate) mod explain;
mod findings;
mod fingerprint;
pub(crate) mod formats;
mod github;
mod gitlab;
mod gitlab_terraform;
mod held;
mod html;
pub(crate) mod human;
pub(crate) mod inspect;
pub(crate) mod json;
mod junit;
mod markdown;
mod newer;
mod outcomes;
pub(crate) mod panic;
pub(crate) mod patch;
mod plural;
pub(crate) mod progress;
pub(crate) mod report;
pub(crate) mod results;
pub(crate) mod review;
mod sarif;
pub(crate) mod sink;
pub(crate) mod stream;
mod style;
pub(crate) mod summary;
mod terminal;
mod time;
mod upgrade;

pub(crate) use self::detail::Detail;
pub(crate) use self::escape::{escape, escape_bytes, escape_json, escape_lines, escape_message, is_unsafe};
pub(crate) use self::findings::{is_repeated, listed};
pub(crate) use self::plural::count;
pub(crate) use self::terminal::{Color, Terminal, plain};
