//! `kasm-db build` with each builder: images that prove themselves, and what two builds of one context differ in.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

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
