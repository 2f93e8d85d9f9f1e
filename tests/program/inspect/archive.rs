//! Archives of images, made byte by byte: also those that no program writes.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// An entry of a tar archive: its name, its type, what it links to, its contents.
pub(crate) type Entry<'a> = (&'a str, u8, &'a str, &'a [u8]);

/// Returns a tar archive.
pub(crate) fn tar(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, kind, link, bytes) in entries {
        let size = if *kind == b'0' { bytes.len() as u64 } else { 0 };
        out.extend(header(name, *kind, link, size));
        if *kind == b'0' {
            out.extend(*bytes);
            out.resize(out.len().next_multiple_of(512), 0);
        }
    }
    out.resize(out.len() + 1024, 0);
    out
}

/// Returns a header, whatever follows it.
pub(crate) fn header(name: &str, kind: u8, link: &str, size: u64) -> [u8; 512] {
    let mut header = [0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    header[156] = kind;
    header[157..157 + link.len()].copy_from_slice(link.as_bytes());
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// Returns what a program makes of bytes.
pub(crate) fn piped(program: &str, arguments: &[&str], bytes: &[u8]) -> Vec<u8> {
    let command = Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = command.unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(bytes).unwrap());
        child.wait_with_output().unwrap().stdout
    })
}

/// Returns the SHA-256 of bytes.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    String::from_utf8(piped("sha256sum", &[], bytes)).unwrap()[..64].to_string()
}

/// Returns the configuration of an image with these layers, which are not compressed.
pub(crate) fn config(layers: &[Vec<u8>], architecture: &str) -> String {
    let ids: Vec<_> = layers.iter().map(|layer| format!("\"sha256:{}\"", sha256(layer))).collect();
    format!(
        r#"{{"os":"linux","architecture":"{architecture}","config":{{"User":"70","Env":["PATH=/usr/bin","SECRET=hunter2"],
        "Entrypoint":["docker-entrypoint.sh"],"Cmd":["postgres"],"Labels":{{"org.opencontainers.image.version":"1"}}}},
        "rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
        ids.join(",")
    )
}

/// Returns what `docker save` writes for an image.
pub(crate) fn saved(name: &str, layers: &[Vec<u8>]) -> Vec<u8> {
    let config = config(layers, "amd64");
    let names: Vec<_> = (0..layers.len()).map(|index| format!("{index}/layer.tar")).collect();
    let list = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(",");
    let manifest = format!(r#"[{{"Config":"c.json","RepoTags":["{name}"],"Layers":[{list}]}}]"#);
    let mut entries: Vec<Entry<'_>> =
        names.iter().zip(layers).map(|(name, layer)| (name.as_str(), b'0', "", layer.as_slice())).collect();
    entries.push(("c.json", b'0', "", config.as_bytes()));
    entries.push(("manifest.json", b'0', "", manifest.as_bytes()));
    tar(&entries)
}

/// Returns the files of an OCI layout with an image for each of these architectures.
pub(crate) fn layout(name: &str, images: &[(&str, Vec<Vec<u8>>)]) -> Vec<(String, Vec<u8>)> {
    packed(name, images, "gzip")
}

/// Returns such a layout whose layers a program compressed.
pub(crate) fn packed(name: &str, images: &[(&str, Vec<Vec<u8>>)], program: &str) -> Vec<(String, Vec<u8>)> {
    let mut files = vec![("oci-layout".to_string(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec())];
    let mut blob = |bytes: Vec<u8>| {
        let digest = sha256(&bytes);
        files.push((format!("blobs/sha256/{digest}"), bytes));
        digest
    };
    let mut manifests = Vec::new();
    for (architecture, layers) in images {
        let config = blob(config(layers, architecture).into_bytes());
        let packed: Vec<_> = layers.iter().map(|layer| blob(piped(program, &["-c"], layer))).collect();
        let packed: Vec<_> =
            packed.iter().map(|digest| format!(r#"{{"digest":"sha256:{digest}"}}"#)).collect();
        let manifest =
            format!(r#"{{"config":{{"digest":"sha256:{config}"}},"layers":[{}]}}"#, packed.join(","));
        let digest = blob(manifest.into_bytes());
        manifests.push(format!(
            r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:{digest}",
            "platform":{{"os":"linux","architecture":"{architecture}"}},
            "annotations":{{"org.opencontainers.image.ref.name":"{name}"}}}}"#
        ));
    }
    files.push(("index.json".into(), format!(r#"{{"manifests":[{}]}}"#, manifests.join(",")).into_bytes()));
    files
}

/// Returns a layer with a server of PostgreSQL, as a build of its own has it.
pub(crate) fn server(version: &str) -> Vec<u8> {
    let program = format!("\x7fELF\0postgres (PostgreSQL) {version}\n\0");
    tar(&[
        ("usr/", b'5', "", b""),
        ("bin", b'2', "usr/bin", b""),
        ("usr/bin/postgres", b'2', "../libexec/pg/postgres", b""),
        ("usr/libexec/pg/postgres", b'0', "", program.as_bytes()),
        ("usr/lib/pg/plpgsql.so", b'0', "", b"\x7fELF\0Pg_magic_func\0plpgsql.extra_errors\0"),
        ("usr/lib/pg/pgaudit.so", b'0', "", b"\x7fELF\0Pg_magic_func\0pgaudit.log\0pgaudit.role\0"),
        ("usr/lib/pg/passwordcheck.so", b'0', "", b"\x7fELF\0Pg_magic_func\0"),
        ("usr/lib/pg/again.so", b'1', "usr/lib/pg/passwordcheck.so", b""),
        ("usr/lib/pg/libpq.so", b'0', "", b"\x7fELF\0"),
        ("usr/share/pg/extension/plpgsql.control", b'0', "", b"default_version = '1.0'\n"),
        (
            "usr/share/pg/extension/pgaudit.control",
            b'0',
            "",
            b"default_version = '1.7' # x\nrequires = 'plpgsql'\n",
        ),
    ])
}
