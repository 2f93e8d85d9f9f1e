//! `kasm-db build` with each builder: images that prove themselves, and what two builds of one context differ in.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;

use tempfile::TempDir;

use crate::bed::{Bed, Run, STOCK, docker, finish, has_no_engine};
use crate::build::{BASE, Image, document, image_of};

/// A package that has nothing of pgaudit.
const WITHOUT: &str = "{name: pgaudit, package: postgresql-common}";

/// Says that a program is missing; with `CI=true` that is a failure.
pub(crate) fn is_missing(program: &str) -> bool {
    let is_missing = Command::new(program).arg("--version").output().is_err();
    if is_missing {
        let counts = std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(!counts, "{program} is missing: `scripts/test tools` installs it");
        eprintln!("e2e: {program} is missing, and nothing shows that it builds an image");
    }
    is_missing
}

/// A store of podman and buildah, with a base of the engine.
pub(crate) struct Store {
    folder: TempDir,
}

impl Store {
    pub(crate) fn with(base: &str) -> Self {
        let store = Self { folder: tempfile::Builder::new().prefix("kasm-db-store-").tempdir().unwrap() };
        let at = |name: &str| store.at(name).display().to_string();
        // A container of root may not have more rights than this process, and crun wants control groups of another kind.
        let conf = "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n\
                    [engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\n";
        fs::write(at("containers.conf"), conf).unwrap();
        let storage = format!(
            "[storage]\ndriver = \"overlay\"\ngraphroot = \"{}\"\nrunroot = \"{}\"\n",
            at("data"),
            at("run")
        );
        fs::write(at("storage.conf"), storage).unwrap();
        docker(&["save", "--output", &at("base.tar"), base]);
        store.podman(&["load", "--quiet", "--input", &at("base.tar")]);
        fs::remove_file(at("base.tar")).unwrap();
        // An archive of Docker has the short name.
        if !base.contains('/') {
            store.podman(&["tag", &format!("localhost/{base}"), &format!("docker.io/library/{base}")]);
            store.podman(&["untag", &format!("localhost/{base}"), &format!("localhost/{base}")]);
        }
        store
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn choose<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("CONTAINERS_CONF", self.at("containers.conf"))
            .env("CONTAINERS_STORAGE_CONF", self.at("storage.conf"))
            .env("BUILDAH_ISOLATION", "chroot")
    }

    /// Runs podman; fails the test where it fails.
    pub(crate) fn podman(&self, arguments: &[&str]) -> String {
        let output = self.choose(Command::new("podman").args(arguments)).output().unwrap();
        assert!(output.status.success(), "podman {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs `kasm-db` with this store.
    pub(crate) fn run(&self, bed: &Bed, arguments: &str) -> Run {
        finish(self.choose(&mut bed.command(arguments)))
    }
}

/// What podman leaves mounted could not be removed.
impl Drop for Store {
    fn drop(&mut self) {
        let mounted = self.at("data/overlay");
        let _ = Command::new("umount").args(["--recursive", "--lazy"]).arg(mounted).output();
    }
}

#[test]
fn podman_and_buildah_build_the_same_image_twice_and_none_that_does_not_audit() {
    if has_no_engine("that podman and buildah build an image")
        || is_missing("podman")
        || is_missing("buildah")
    {
        return;
    }
    let (bed, store) = (Bed::new(STOCK), Store::with(BASE));
    let image = image_of(&bed);
    for builder in ["podman", "buildah"] {
        document(&bed, &image, "name: pgaudit");
        let build = |file: &str| {
            let run = format!(
                "build --run --save {file} --network host --builder {builder} --no-cache --timestamp 0"
            );
            let says = format!("{builder} built it, and it proved itself");
            store.run(&bed, &run).expect(0).says(&[&says]);
            store.podman(&["image", "inspect", "--format", "{{.Id}}", &image])
        };
        // The id is the digest of the configuration, which has the digests of the layers: names, owners, modes, times, contents.
        assert_eq!(build("one.tar"), build("two.tar"), "{builder}");
        let bytes = |file: &str| fs::read(bed.root.join(file)).unwrap();
        assert!(bytes("one.tar") == bytes("two.tar"), "the archives of {builder} differ");
        let kept = "{{json .Config.Entrypoint}}{{json .Config.Cmd}}{{json .Config.Env}}{{json .Config.User}}\
                    {{json .Config.Volumes}}{{json .Config.StopSignal}}";
        let inspect = |name: &str| store.podman(&["image", "inspect", "--format", kept, name]);
        assert_eq!(inspect(&image), inspect(BASE), "what the base sets stays");
        store.podman(&["image", "rm", "--force", &image]);
        document(&bed, &image, WITHOUT);
        let run = store.run(&bed, &format!("build --run --network host --builder {builder}")).expect(1);
        run.says(&["the server does not start with shared_preload_libraries = 'pgaudit,pg_stat_statements'"]);
        assert_eq!(
            store.podman(&["image", "ls", "--quiet", &image]),
            "",
            "nothing has the name of the image"
        );
        // The archive is one for the engine of the host, too.
        let loaded = Image(image.clone());
        bed.run("build --load one.tar --builder docker").expect(0);
        let proof = loaded.read("/usr/share/doc/kasm-db/proof.txt");
        assert!(proof.ends_with("audited: DDL\naudited: READ\naudited: WRITE\n"), "{builder}: {proof}");
    }
}

/// A proxy that refuses and reports every request.
fn proxy() -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (asked, all) = mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let (mut request, mut part) = (Vec::new(), [0; 4096]);
            while !request.ends_with(b"\r\n\r\n") {
                match stream.read(&mut part) {
                    Ok(length @ 1..) => request.extend_from_slice(&part[..length]),
                    _ => break,
                }
            }
            let _ = asked.send(String::from_utf8_lossy(&request).into_owned());
            let _ =
                stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    (port, all)
}

#[test]
fn the_steps_of_podman_and_buildah_use_the_proxy_whose_password_is_neither_shown_nor_in_the_image() {
    if has_no_engine("that a build uses a proxy") || is_missing("podman") || is_missing("buildah") {
        return;
    }
    let (bed, store) = (Bed::new(STOCK), Store::with(BASE));
    let image = image_of(&bed);
    document(&bed, &image, "name: pgaudit");
    let (port, asked) = proxy();
    // The sources of this base are on its own disk.
    let id = |name: &str, user: &str| {
        let arguments =
            "build --run --network host --builder buildah --no-cache --timestamp 0 --save image.tar";
        let url = format!("http://{user}:proxy-can,ary@127.0.0.1:{port}");
        finish(store.choose(&mut bed.command(arguments)).env(name, url)).expect(0);
        store.podman(&["image", "inspect", "--format", "{{.Id}}", &image])
    };
    assert_eq!(id("http_proxy", "one"), id("HTTPS_PROXY", "two"), "the proxy is in the image");
    let archive = fs::read(bed.root.join("image.tar")).unwrap();
    assert!(!String::from_utf8_lossy(&archive).contains("can,ary"));
    store.podman(&["image", "rm", "--force", &image]);
    // buildah asks the registry for a later base.
    let mut requests = asked.try_iter();
    assert!(
        requests.any(|request| request.starts_with("CONNECT ")),
        "buildah used no proxy for the registry"
    );
    // Now from a source that only the proxy could reach.
    let container = store.podman(&["create", "--network", "host", BASE]);
    fs::write(bed.root.join("sources.list"), "deb [trusted=yes] http://sources.invalid ./\n").unwrap();
    let to = format!("{}:/etc/apt/sources.list", container.trim());
    store.podman(&["cp", &bed.root.join("sources.list").display().to_string(), &to]);
    store.podman(&["commit", "--quiet", container.trim(), &format!("docker.io/library/{BASE}")]);
    store.podman(&["rm", container.trim()]);
    for builder in ["podman", "buildah"] {
        let arguments = format!("build --run --network host --builder {builder}");
        let url = format!("http://user:proxy-can,ary@127.0.0.1:{port}");
        let run = finish(store.choose(&mut bed.command(&arguments)).env("http_proxy", url)).expect(1);
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(!said.contains("can,ary"), "{builder}: {said}");
        let requests: Vec<_> = asked.try_iter().collect();
        let is_of_step = |request: &&String| {
            request.starts_with("GET http://sources.invalid/./InRelease HTTP/1.1\r\n")
                && request.contains("Proxy-Authorization: Basic ")
        };
        assert!(requests.iter().any(|request| is_of_step(&request)), "{builder}: {requests:?}: {said}");
    }
}

#[test]
fn two_images_of_docker_and_of_buildkit_have_the_same_layers() {
    if has_no_engine("that two images have the same layers") {
        return;
    }
    let bed = Bed::new(STOCK);
    let image = Image(image_of(&bed));
    // The client of the engine's own package: a newer one has BuildKit in a plugin, which may not be there.
    let path = format!("/usr/bin:{}", bed.path());
    for kind in ["0", "1"] {
        let run = |arguments: &str| {
            let arguments = format!("{arguments} --network host --builder docker --no-cache --timestamp 0");
            finish(bed.command(&arguments).env("PATH", &path).env("DOCKER_BUILDKIT", kind))
        };
        document(&bed, &image.0, "name: pgaudit");
        // Names, owners, modes, times and contents. This engine is too old for more: its configuration has the time of the build,
        // and the id of a container.
        let layers = [0, 1].map(|_| {
            let run = run("build --run").expect(0);
            let is_buildkit = run.stderr.contains("exporting layers");
            assert_eq!(is_buildkit, kind == "1", "{}", run.stderr);
            docker(&["image", "inspect", "--format", "{{json .RootFS.Layers}}", &image.0])
        });
        assert_eq!(layers[0], layers[1], "DOCKER_BUILDKIT={kind}");
        let proof = "stat --format '%u:%g %a' /usr/share/doc/kasm-db/proof.txt";
        let proof =
            docker(&["run", "--rm", "--network", "none", "--entrypoint", "sh", &image.0, "-c", proof]);
        assert_eq!(proof, "0:0 644\n");
        docker(&["image", "rm", "--force", &image.0]);
        document(&bed, &image.0, WITHOUT);
        let run = run("build --run").expect(1);
        run.says(&["the server does not start with shared_preload_libraries = 'pgaudit,pg_stat_statements'"]);
        // A context for Alpine is read to its first compilation; this base has nothing of Alpine but the name.
        let text = fs::read_to_string(bed.root.join("kasm-db.yaml")).unwrap();
        let text = text.replace(BASE, STOCK).replace(WITHOUT, "name: pgaudit");
        fs::write(bed.root.join("kasm-db.yaml"), text).unwrap();
        let run = finish(
            bed.command("build --run --network host --builder docker")
                .env("PATH", &path)
                .env("DOCKER_BUILDKIT", kind),
        );
        run.expect(1).says(&["sh /tmp/compile.sh pgaudit", "PG_MAJOR: parameter not set"]);
        assert_eq!(docker(&["image", "ls", "--quiet", &image.0]), "", "nothing has the name of the image");
    }
}
