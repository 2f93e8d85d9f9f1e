//! An image registry on the loopback interface, which has one image of the engine.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;

use crate::bed::docker;

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";

/// A registry.
pub(crate) struct Registry {
    /// The reference of its only image.
    pub(crate) image: String,
}

/// What it has.
struct Has {
    manifest: String,
    /// Files by their digests.
    blobs: HashMap<String, PathBuf>,
}

impl Registry {
    /// Starts one that has an image of the engine; it ends with the process. Its files are in `folder`.
    pub(crate) fn of(image: &str, folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let tar = folder.join("image.tar");
        docker(&["save", "--output", tar.to_str().unwrap(), image]);
        let unpacked = Command::new("tar").arg("-xf").arg(&tar).arg("-C").arg(folder).status().unwrap();
        assert!(unpacked.success());
        let listed = std::fs::read_to_string(folder.join("manifest.json")).unwrap();
        let names: Vec<_> = listed.split('"').filter(|name| is_blob(name)).map(String::from).collect();
        let mut blobs = HashMap::new();
        let mut entries = Vec::new();
        for name in &names {
            let path = folder.join(name);
            let digest = digest(&path);
            let kind = if name.ends_with(".json") { CONFIG } else { LAYER };
            let size = path.metadata().unwrap().len();
            entries.push(format!(r#"{{"mediaType":"{kind}","size":{size},"digest":"{digest}"}}"#));
            blobs.insert(digest, path);
        }
        let config = entries.remove(0);
        let layers = entries.join(",");
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{config},"layers":[{layers}]}}"#
        );
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let image = format!("127.0.0.1:{}/kasm/pulled:1", listener.local_addr().unwrap().port());
        let has = Arc::new(Has { manifest, blobs });
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let has = Arc::clone(&has);
                thread::spawn(move || has.serve(&stream));
            }
        });
        Self { image }
    }
}

fn is_blob(name: &str) -> bool {
    name.ends_with(".json") || name.ends_with("layer.tar")
}

fn digest(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    format!("sha256:{}", text.split(' ').next().unwrap())
}

impl Has {
    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
            let mut words = line.split(' ');
            let (method, path) = (words.next().unwrap().to_string(), words.next().unwrap().to_string());
            let mut header = String::from("x");
            while !header.trim().is_empty() {
                header.clear();
                reader.read_line(&mut header).unwrap();
            }
            if self.answer(stream, &method, &path).is_err() {
                return;
            }
            line.clear();
        }
    }

    fn answer(&self, mut stream: &TcpStream, method: &str, path: &str) -> std::io::Result<()> {
        let last = path.rsplit('/').next().unwrap_or_default();
        let (kind, size, blob) = if path.contains("/manifests/") {
            (MANIFEST, self.manifest.len() as u64, None)
        } else if let Some(blob) = self.blobs.get(last) {
            ("application/octet-stream", blob.metadata()?.len(), Some(blob))
        } else {
            ("application/json", 2, None)
        };
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n\r\n")?;
        match blob {
            _ if method == "HEAD" => Ok(()),
            Some(blob) => std::io::copy(&mut File::open(blob)?.take(size), &mut stream).map(drop),
            None if kind == MANIFEST => stream.write_all(self.manifest.as_bytes()),
            None => stream.write_all(b"{}"),
        }
    }
}
