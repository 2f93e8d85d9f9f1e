//! Real servers of PostgreSQL, of the test's own.

mod client;
mod server;

pub use client::{Client, Row, literal, lossy};
pub use server::{Cluster, Installation, Server};
