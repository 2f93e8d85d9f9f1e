//! The kasm-db.yaml document: its types, its schema, its checks, and the tables of what is known.
//!
//! [`read()`] is the way in: bytes to a [`DesiredState`] and diagnostics.
//!
//! ```
//! use kasm_db_model as model;
//!
//! let document = b"schema: kasm-db/v1\nimage: kasmweb/postgres:1.11.0\naudit:\n  clases: [read]\n";
//! let reading = model::read("kasm-db.yaml", document);
//! assert!(reading.desired.is_none());
//! let error = reading.diagnostics.iter().find(|d| d.is_error()).unwrap();
//! assert_eq!(error.message, "unknown key `audit.clases`; did you mean `audit.classes`?");
//! assert_eq!(error.location.as_ref().map(|at| (at.line, at.column)), Some((4, 3)));
//! ```
//!
//! # Limitations
//! - Anchors, aliases, tags and merge keys are refused, so that a document means what it says.
//! - Values of settings with a dot (of extensions other than pgaudit) are not checked.

pub mod audit;
mod bounds;
mod check;
mod code;
pub mod contents;
mod desired;
mod desired_build;
mod diagnostic;
pub mod document;
pub mod explain;
mod extends;
pub mod extension;
mod form;
mod ignorable;
mod image;
mod limits;
mod locations;
mod meant;
mod pointer;
pub mod postgres;
mod preload;
mod read;
mod reader;
mod release;
mod resolved;
mod scalar;
pub mod schema;
mod server_value;
pub mod settings;
mod statements;
mod stranger;
mod suggest;
mod syntax;
mod typed;
mod valid_part;
mod violations;
mod written;
pub mod yaml;
mod yaml_error;

pub use code::Code;
pub use contents::Contents;
pub use desired::{Compare, DesiredPreload, DesiredSetting, DesiredState};
pub use desired_build::{BuiltExtension, DesiredBuild, Distribution, Origin};
pub use diagnostic::{Diagnostic, Location, MAX_DIAGNOSTICS, Severity};
pub use extends::{MAX_PARENTS, Parents};
pub use ignorable::Ignorable;
pub use image::{Image, InvalidImage};
pub use preload::{is_library, preload_is_met};
pub use read::{Reading, read, read_with};
pub use release::{Release, Series};
pub use resolved::{resolved, resolved_value};
pub use server_value::{is_same_value, is_shown_value};
pub use statements::class_of;
pub use stranger::names_schema;
pub use suggest::nearest;
pub use typed::{TypedValue, typed};
pub use written::Written;

/// Stands for what is not shown. The same for all values, so that it tells nothing of them.
pub const HIDDEN: &str = "<hidden>";

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
