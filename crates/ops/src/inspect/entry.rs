//! The text of an entry of the cache: a line with its format, the program and the SHA-256 of the rest, then JSON.
//!
//! It holds what `inspect` shows, and so nothing of the image's environment. The reference is not part of it: another tag
//! may stand for the same image.

use std::collections::BTreeMap;

use model::Contents;
use model::contents::{Extension, Server};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Another one if an entry is written differently, or if another answer is found in the same image.
const FORMAT: u32 = 1;

#[derive(Deserialize, Serialize)]
struct Entry {
    id: String,
    platform: String,
    user: String,
    entrypoint: Vec<String>,
    command: Vec<String>,
    labels: BTreeMap<String, String>,
    server: Option<EntryServer>,
}

#[derive(Deserialize, Serialize)]
struct EntryServer {
    version: String,
    program: String,
    library_folder: Option<String>,
    libraries: Vec<String>,
    extensions: BTreeMap<String, EntryExtension>,
    settings: Vec<String>,
}

#[derive(Deserialize, Serialize)]
struct EntryExtension {
    version: Option<String>,
    requires: Vec<String>,
}

/// Writes what the image with this id holds.
pub(super) fn encode(contents: &Contents, digits: &str) -> Option<Vec<u8>> {
    let Contents { id: _, platform, user, entrypoint, command, labels, server } = contents.clone();
    let server = server.map(EntryServer::from);
    let entry = Entry { id: digits.into(), platform, user, entrypoint, command, labels, server };
    let text = serde_json::to_vec(&entry).ok()?;
    Some([head(&text).into_bytes(), text].concat())
}

/// Reads what the image with this id holds; `None` if the entry is of another format, another program or another image, or damaged.
pub(super) fn decode(bytes: &[u8], digits: &str) -> Option<Contents> {
    let end = bytes.iter().position(|byte| *byte == b'\n')? + 1;
    let (first, text) = bytes.split_at(end);
    if first != head(text).as_bytes() {
        return None;
    }
    let Entry { id, platform, user, entrypoint, command, labels, server } =
        serde_json::from_slice(text).ok()?;
    let server = server.map(Server::from);
    (id == digits).then_some(Contents { id, platform, user, entrypoint, command, labels, server })
}

fn head(text: &[u8]) -> String {
    let sha256: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("kasm-db image {FORMAT} {} {sha256}\n", env!("CARGO_PKG_VERSION"))
}

impl From<Server> for EntryServer {
    fn from(server: Server) -> Self {
        let Server { version, program, library_folder, libraries, extensions, settings } = server;
        let one = |(name, Extension { version, requires })| (name, EntryExtension { version, requires });
        let extensions = extensions.into_iter().map(one).collect();
        Self { version, program, library_folder, libraries, extensions, settings }
    }
}

impl From<EntryServer> for Server {
    fn from(server: EntryServer) -> Self {
        let EntryServer { version, program, library_folder, libraries, extensions, settings } = server;
        let one = |(name, EntryExtension { version, requires })| (name, Extension { version, requires });
        let extensions = extensions.into_iter().map(one).collect();
        Self { version, program, library_folder, libraries, extensions, settings }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_gives_back_everything_and_nothing_if_a_byte_of_it_changed() {
        let texts = |all: &[&str]| all.iter().map(|one| (*one).to_string()).collect::<Vec<_>>();
        let digits = "0".repeat(64);
        let extension = Extension { version: Some("1.7".into()), requires: texts(&["plpgsql"]) };
        let contents = Contents {
            id: digits.clone(),
            platform: "linux/amd64".into(),
            user: "70".into(),
            entrypoint: texts(&["docker-entrypoint.sh", "\u{1b}[1m\n"]),
            command: texts(&["postgres"]),
            labels: [("a".into(), "ä".into())].into(),
            server: Some(Server {
                version: "15.18".into(),
                program: "/usr/bin/postgres".into(),
                library_folder: Some("/usr/lib".into()),
                libraries: texts(&["pgaudit"]),
                extensions: [("pgaudit".into(), extension), ("other".into(), Extension::default())].into(),
                settings: texts(&["pgaudit.log"]),
            }),
        };
        let bytes = encode(&contents, &digits).unwrap();
        assert_eq!(decode(&bytes, &digits), Some(contents.clone()));
        assert_eq!(decode(&bytes, &"1".repeat(64)), None, "that of another image");
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert_eq!(decode(&other, &digits), None, "byte {at}");
            assert_eq!(decode(&bytes[..at], &digits), None, "the first {at} bytes");
        }
        let without = Contents { id: digits.clone(), ..Contents::default() };
        assert_eq!(decode(&encode(&without, &digits).unwrap(), &digits), Some(without));
    }
}
