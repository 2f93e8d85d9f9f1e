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
//! assert_eq!(error.message, "unknown key `clases`; did you mean `classes`?");
//! assert_eq!(error.place.as_ref().map(|place| (place.line, place.column)), Some((4, 3)));
//! ```
//!
//! # Limitations
//! - Anchors, aliases, tags and merge keys are refused, so that a document means what it says.
//! - Values of settings with a dot (of extensions other than pgaudit) are not checked.

pub mod audit;
mod check;
mod code;
mod desired;
mod diagnostic;
pub mod document;
pub mod explain;
mod extends;
mod fits;
mod image;
pub mod postgres;
mod read;
mod release;
mod resolved;
mod rest;
pub mod schema;
pub mod settings;
mod shown;
mod suggest;
mod texts;
mod violations;
mod written;
pub mod yaml;

pub use code::Code;
pub use desired::{Compare, DesiredPreload, DesiredSetting, DesiredState};
pub use diagnostic::{Diagnostic, Place, Severity};
pub use extends::{MAX_PARENTS, Parents};
pub use image::{Image, InvalidImage};
pub use read::{MAX_DIAGNOSTICS, Reading, read, read_with};
pub use release::{Release, Series};
pub use resolved::resolved;
pub use suggest::nearest;
pub use written::Written;
