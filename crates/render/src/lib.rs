//! Finds and changes what a kasm-db document names, and plans it.
//!
//! A plan, from a document and a tree in memory:
//!
//! ```
//! use kasm_db_render::{Snapshot, Target, TargetKind, model, observe, reconcile};
//! let yaml = b"schema: kasm-db/v1\nimage: kasmweb/postgres:1.16.0\nsettings: {work_mem: 8MB}\n";
//! let compose = "services: {db: {image: kasmweb/postgres:1.15.0}}\n";
//! let compose = ("docker/docker-compose.yaml", compose);
//! let conf = ("conf/database/postgresql.conf", "work_mem = 4MB\n");
//! let tree = Snapshot::from_iter([compose, conf]);
//! let target = Target::new("prod", TargetKind::Deployment);
//! let desired = model::read("kasm-db.yaml", yaml).desired.unwrap();
//! let plan = reconcile(&desired, &observe(&target, &tree));
//! assert_eq!(plan.files[0].after, b"work_mem = 8MB\n");
//! ```
//!
//! [`observe`] reads a target through a [`Source`]. [`reconcile`] compares it with a
//! [`DesiredState`](model::DesiredState) and returns a [`Plan`], which it has proved: applied in memory, it leaves nothing to
//! do. [`diff`] and [`redact`] show a plan, and [`adopt`] describes what is there as a document.
//!
//! # Limitations
//! - It does no IO: files come through the [`Source`], and writing those of a plan is for the caller.
//! - A file that it cannot edit without a doubt is a blocker in the plan, not an error.

mod adoption;
mod change_kind;
mod compose;
mod conf;
pub mod diff;
mod file_kind;
mod image_answers;
mod images;
mod kasm_image;
mod lines;
mod log;
mod managed;
mod needs;
mod next_start;
mod observe;
mod plan;
mod reconcile;
pub mod redact;
mod rendered;
mod restore;
mod secrets;
mod server_files;
mod source;
mod target;
mod text_edit;
mod upgrade_facts;
mod variable_names;

pub use adoption::{Adoption, LeftOut, adopt};
pub use change_kind::ChangeKind;
pub use compose::{CommandOption, Needed, NeededImage, NeededName, PullPolicy, Variables, read_env};
pub use conf::ServersFiles;
pub use file_kind::FileKind;
pub use images::Images;
pub use log::{LogFolder, ServerLog};
pub use managed::{Managed, ManagedKind, managed};
pub use needs::{ValueBetween, needs_between, values_between};
pub use next_start::{Declared, Edit, Foreign, NextStart, NextValue, RefusedLine, Ways};
pub use observe::{ObservedState, observe, observe_with};
pub use plan::{Action, FileChange, Needs, Plan, ValueChange};
pub use reconcile::{proved, reconcile, reconcile_with};
pub use rendered::{Rendered, redacted, rendered};
pub use restore::{Piece, Record, Written};
pub use secrets::secrets;
pub use server_files::MountedFile;
pub use source::{Bytes, Found, Snapshot, Source};
pub use target::{Target, TargetKind};
pub use text_edit::{Overlap, Replacement, TextEdit};
pub use upgrade_facts::UpgradeFacts;
pub use variable_names::VariableNames;

/// The crate whose documents and diagnostics this one takes and gives.
pub use model;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
