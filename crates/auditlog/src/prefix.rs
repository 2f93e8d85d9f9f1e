//! `log_line_prefix`: what the server writes before the severity of each message.

mod clock;
mod guess;
mod known;
mod matching;
mod tag;
mod template;

pub(crate) use guess::guess;
pub(crate) use known::known;
pub(crate) use matching::{Names, Reading, STEPS};
pub use template::Prefix;
