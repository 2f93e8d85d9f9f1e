//! What kasm-db does, without a terminal: plans, applies, rolls back and recovers, and looks at files and servers.
//!
//! ```
//! use kasm_db_ops::{Context, Documents, Outcome, Selection, apply};
//!
//! let tree = tempfile::tempdir()?;
//! let text = "schema: kasm-db/v1\nunset: [port]\ntargets: [{name: a, files: {postgresql_conf: conf}}]";
//! std::fs::write(tree.path().join("conf"), "port = 5433\n")?;
//! std::fs::write(tree.path().join("kasm-db.yaml"), text)?;
//! let selection = Selection::of(tree.path().join("kasm-db.yaml"));
//! let documents = Documents::load(&selection)?;
//! let applied = apply::apply(&documents, &apply::Options::default(), &Context::silent(&selection))?;
//! assert_eq!(applied.outcome, Outcome::Done);
//! Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A [`Selection`] names documents and targets. [`Documents`] are read once; [`Documents::each_target`] works on their
//! targets, several side by side, and hands out the results in the documents' order. Each operation is a function:
//! [`plan()`], [`status()`], [`verify()`], [`rollback::rollback`], [`recover::recover`] and [`history::history`] take one
//! target, [`apply::apply`] takes all, [`import::import`] and [`review::review`] a folder.
//!
//! A target goes through states: [`Rooted`], its folder is open; [`Opened`], its files were read; or, to write, locked and
//! then read.
//!
//! The crate does not print, does not read the environment and does not end the process. An operation reports progress as an
//! [`Event`] to an [`Observer`], which also answers questions, and returns its result as a value. A thread that waits for
//! signals shares the run's [`Progress`].
//!
//! # Limitations
//! - Linux only, as [`commit`] is.

pub mod apply;
pub mod audit;
mod before_stop;
pub mod build;
mod chroot;
mod context;
mod disk;
mod document;
mod document_search;
mod documents;
mod each;
mod error;
pub mod follow_up;
pub mod forget;
mod git_commit;
mod glob;
pub mod history;
pub mod import;
pub mod inspect;
mod nearby;
mod newer;
pub mod note;
mod observer;
mod open_files;
mod opened;
mod outcome;
pub mod output;
mod outputs;
mod overlaid;
mod overlap;
mod path;
mod permissions;
mod plan;
mod planned;
mod progress;
mod ready;
pub mod recover;
mod recovery;
pub mod review;
pub mod rollback;
pub mod saved;
mod selection;
pub mod status;
mod target_dir;
mod top;
mod trust;
pub mod upgrade;
pub mod validate;
pub mod verify;
mod written_record;

pub use live::child::seconds;

pub use context::Context;
pub use document::Document;
pub use document_search::{Named, Searched, has_document_name, named_documents, only};
pub use documents::{Declared, Documents, Met, TargetName, only_targets};
pub use error::{Error, FilesState};
pub use follow_up::FollowUp;
pub use observer::{Event, Observer, Question, Silent};
pub use open_files::limit as limit_of_open_files;
pub use opened::{Opened, Rooted};
pub use outcome::{Outcome, WORST_FIRST};
pub use outputs::Outputs;
pub use overlap::{Overlaps, Touched};
pub use path::quoted;
pub use plan::{TargetPlan, check_outputs, plan};
pub use planned::{Planned, outcome_of, outcome_of_blockers};
pub use progress::{Ending, PATIENCE, Progress, Signalled};
pub use selection::{Selection, Tree, use_or};
pub use status::status;
pub use target_dir::{TargetDir, named_tree};
pub use verify::verify;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
