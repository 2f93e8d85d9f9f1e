//! What whoever uses this library hands in besides a document.

use crate::environment::Environment;
use crate::scrub::Scrubber;

/// What this library knows of its caller.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// Where programs are found, what children get, and libpq's variables.
    pub environment: &'a Environment,
    /// What must not be repeated of what programs say.
    pub scrubber: &'a Scrubber,
}
