//! What kasm-db wrote, what stood there before, and the way back once a document no longer declares it.
//!
//! A revert of a commit leaves a document without the keys that the commit added. What they set is then restored to what
//! stood there before, byte for byte, if it still is what kasm-db wrote. A line that somebody changed since is theirs.

mod align;
mod edit;
mod lines;
mod piece;
mod pieces;
mod record;
mod setting;

pub(crate) use edit::{Back, edit_between};
pub(crate) use lines::Lines;
pub use piece::Piece;
pub use record::{Record, Written};
pub(crate) use setting::value;
