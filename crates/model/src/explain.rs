//! What the fields of the document are, from its schema and the tables of settings.

mod field;
mod setting;
mod subject;

pub use field::{Field, field, fields};
pub use setting::{SettingHelp, setting, since};
pub use subject::{Subject, find, nearest};
