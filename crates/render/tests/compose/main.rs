//! The image of a service in compose files of every shape: what changes, and what is refused.
//!
//! A case is one text for both sides: `«old→new»` marks a change, `«old»` becomes the wanted image.

#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test panics where something does not hold, and looks at the clock"
)]

mod effective;
mod elsewhere;
mod hostile;
mod inherited;
mod layers;
mod scalars;
mod services;
mod support;
