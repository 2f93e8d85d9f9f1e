//! Asks a running server whether it does what a kasm-db document says.
//!
//! [`gather`] asks, and returns [`Facts`]. [`checks`] judges facts without IO, so that any state of a server can be judged:
//!
//! ```
//! use kasm_db_live::{Facts, Subject, Unreachable, checks};
//!
//! let document = b"schema: kasm-db/v1\nimage: kasmweb/postgres:1.16.0\nsettings: {work_mem: 8MB}\n";
//! let desired = model::read("kasm-db.yaml", document).desired.unwrap();
//! let facts = Facts {
//!     container: None,
//!     declared_id: Ok(None),
//!     way: "psql in kasm_db".into(),
//!     server: Err(Unreachable::new("the container kasm_db does not run", "start the deployment")),
//! };
//! let checks = checks(&desired, &facts);
//! assert!(checks.iter().any(|check| check.subject == Subject::Connect && check.is_failure()));
//! ```
//!
//! A server is reached by psql in its container or, with the feature `tcp`, by a connection of our own. [`child`] runs
//! programs without a shell, with limits for time and output. What a program or a server says may hold secrets: it is a
//! [`Said`], which only a [`Scrubber`] turns into text.
//!
//! The crate does not print, does not read the environment and does not end the process: a [`Caller`] passes in an
//! [`Environment`] and a [`Scrubber`], and signals come as a [`Watch`].
//!
//! # Limitations
//! - Unix only.
//! - The engine is reached through the `docker` program.
//! - The modes of TLS in which someone in between chooses are refused: see [`SslMode`].

#[cfg(feature = "tcp")]
mod auth;
mod auto_conf;
mod caller;
mod cause;
mod check;
mod checks;
pub mod child;
#[cfg(feature = "tcp")]
mod crls;
mod docker;
mod engine_has;
mod environment;
pub mod facts;
mod file_identity;
#[cfg(feature = "tcp")]
mod frames;
mod gather;
mod image_facts;
mod io_error;
mod last_words;
pub mod libpq;
mod log;
mod log_fault;
mod meaning;
mod password;
mod probe;
mod processes;
pub mod program;
mod psql;
mod question;
mod questions;
mod regular_file;
mod running;
mod scrub;
mod server_files;
mod server_user;
mod session;
mod sslmode;
mod stale;
#[cfg(feature = "tcp")]
mod tcp;
#[cfg(feature = "tcp")]
mod tls;
#[cfg(feature = "tcp")]
mod tls_options;
mod trace;
pub mod trust;
#[cfg(feature = "tcp")]
mod verifier;
mod watch;
mod way;

pub use auto_conf::{AutoConf, auto_conf};
pub use caller::Caller;
pub use check::{Check, Fact, Remedy, Source, Subject, Verdict};
pub use checks::{Restored, checks, restored_checks};
pub use docker::{ComposeLabels, Container, Docker};
pub use engine_has::{EngineImage, Kind};
pub use environment::Environment;
pub use facts::Facts;
pub use gather::{Options, Proof, gather};
pub use image_facts::ImageFacts;
pub use password::passwords;
pub use running::{Running, running};
pub use scrub::{Said, Scrubber};
pub use server_files::HostFile;
pub use server_user::ServerUser;
pub use session::{Answer, Row, Statement, Unreachable};
pub use sslmode::{SslMode, UnknownSslMode};
pub use stale::is_stale;
pub use watch::{Commanding, Interrupted, Unwatched, Watch};
pub use way::{Way, reach};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
