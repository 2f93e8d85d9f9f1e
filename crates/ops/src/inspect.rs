//! Looking into an image: which PostgreSQL is in it, and what that can load. Nothing of the image is run or written.

mod archive;
mod cache;
mod entry;
mod fault;
mod image;
mod index;
mod known;
mod layer;
mod limits;
mod pieces;
mod seen;
mod server;
mod tar;
mod zstd;

pub use self::cache::Cache;
pub use self::image::{Choice, Inspected, Place, inspect, of_archive, of_engine};
pub use self::known::{Known, Looked};
