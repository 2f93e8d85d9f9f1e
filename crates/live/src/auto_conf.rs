//! `postgresql.auto.conf` without the server: from the volume on this host, or through Docker.

use std::path::PathBuf;

use rustix::fs::OFlags;

use crate::docker::{Container, Docker};
use crate::regular_file;

/// Larger ones are not looked at.
const LIMIT: u64 = 1 << 20;

/// The file, as it is in a container's data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoConf {
    /// The path in the container.
    pub inside: String,
    /// The path on this host, if it can be read there.
    pub on_host: Option<PathBuf>,
    /// What it holds; nothing if it is not there.
    pub bytes: Vec<u8>,
}

/// Reads it from the container, whether that runs or not.
///
/// # Errors
/// It cannot be read; why.
pub fn auto_conf(docker: &Docker, container: &Container, inside: &str) -> Result<AutoConf, String> {
    let on_host = container.host_path(inside);
    // The folder belongs to the server's user, who may have put a link there.
    let read = on_host.as_deref().map(|path| regular_file::read_with(path, LIMIT, OFlags::NOFOLLOW));
    let (on_host, bytes) = match (on_host, read) {
        (Some(path), Some(Ok((bytes, _)))) => (Some(path), bytes),
        _ => (None, docker.read(&container.name, inside, LIMIT)?.unwrap_or_default()),
    };
    Ok(AutoConf { inside: inside.to_string(), on_host, bytes })
}
