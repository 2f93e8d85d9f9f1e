//! The running database: what it really does.
//!
//! `gather` asks and `check` judges; only the first does IO.

pub(crate) mod check;
pub(crate) mod child;
pub(crate) mod docker;
pub(crate) mod facts;
pub(crate) mod follow;
pub(crate) mod gather;
pub(crate) mod hushed;
pub(crate) mod log;
pub(crate) mod meaning;
pub(crate) mod probe;
pub(crate) mod program;
pub(crate) mod restart;
pub(crate) mod session;
pub(crate) mod tcp;
pub(crate) mod tls;
