//! What pgaudit logged: which entries are wanted, where they are, and how they are read.

mod bound;
mod counts;
mod filter;
mod follow;
mod input;
mod logs;
mod pieces;
mod reading;

pub(crate) use counts::Counts;
pub(crate) use filter::Filter;
pub(crate) use follow::{Following, follow};
pub(crate) use input::Input;
pub(crate) use logs::{Logs, logs_of};
pub(crate) use pieces::count_in_pieces;
pub(crate) use reading::{Query, Reading, Tally, View};
