//! What `scripts/release` packs, with the program as it is: `scripts/long packages` builds what is released, and installs it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a test says what it looked at")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;
use testing::repository;

use crate::PROGRAM;

/// What was packed once for all tests here.
struct Packed {
    folder: TempDir,
    /// The program that was packed: a script, as a debug build takes a minute to compress.
    program: Vec<u8>,
}

static PACKED: LazyLock<Option<Packed>> = LazyLock::new(|| {
    let missing: Vec<_> = ["git", "dpkg-deb", "python3"].into_iter().filter(|name| !is_there(name)).collect();
    let is_clone = repository().join(".git").exists();
    if !missing.is_empty() || !is_clone {
        let why = format!("missing: {missing:?}; a clone with Git: {is_clone}");
        assert!(std::env::var_os("CI").is_none(), "{why}");
        eprintln!("nothing was packed: {why}");
        return None;
    }
    let folder = tempfile::Builder::new().prefix("kasm-db-packages-").tempdir().unwrap();
    let program = format!("#!/bin/sh\nexec {PROGRAM} \"$@\"\n").into_bytes();
    let path = folder.path().join("program");
    fs::write(&path, &program).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let packed = Packed { folder, program };
    packed.pack("out", "022");
    Some(packed)
});

impl Packed {
    fn pack(&self, name: &str, umask: &str) {
        let script = repository().join("scripts/release");
        let line = format!("umask {umask} && exec \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &line, "sh"]).arg(script).current_dir(self.folder.path());
        said(command.args(["--binary", "program", "--out", name]));
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// Returns the path of the only file whose name ends so.
    fn file(&self, end: &str) -> PathBuf {
        let all = fs::read_dir(self.out()).unwrap().map(|entry| entry.unwrap().path());
        let mut found = all.filter(|path| path.to_str().unwrap().ends_with(end));
        let file = found.next().unwrap_or_else(|| panic!("no {end}"));
        assert!(found.next().is_none());
        file
    }

    /// Unpacks an archive into a folder of its name.
    fn unpack(&self, archive: &Path) -> PathBuf {
        let folder = archive.with_extension("unpacked");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        said(Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(&folder));
        folder
    }
}

fn is_there(program: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|folder| folder.join(program).exists())
}

/// Runs a command that must succeed, and returns what it prints.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn json(path: impl AsRef<Path>) -> Value {
    serde_json::from_slice(&read(path).unwrap()).unwrap()
}

/// Returns what the manifests of the workspace say.
fn packages() -> Vec<Value> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--locked", "--offline", "--no-deps", "--format-version", "1"]);
    let said = said(cargo.current_dir(repository()));
    serde_json::from_str::<Value>(&said).unwrap()["packages"].as_array().unwrap().clone()
}

fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn the_same_commit_and_program_give_the_same_packages() {
    let Some(packed) = &*PACKED else { return };
    packed.pack("again", "077");
    let again = packed.folder.path().join("again");
    let files = names(&again);
    for file in &files {
        assert!(read(packed.out().join(file)).unwrap() == read(again.join(file)).unwrap(), "{file}");
    }
    let kinds = [".tar.gz", ".deb", ".image.tar", ".cdx.json", "SHA256SUMS"];
    assert_eq!(files.len(), kinds.len(), "{files:?}");
    for kind in kinds {
        packed.file(kind);
    }
    let checked = said(Command::new("sha256sum").args(["--check", "SHA256SUMS"]).current_dir(again));
    assert_eq!(checked.matches(": OK\n").count(), kinds.len() - 1, "{checked}");
}

#[test]
fn the_archive_has_the_program_and_what_belongs_to_it() {
    let Some(packed) = &*PACKED else { return };
    let unpacked = packed.unpack(&packed.file(".tar.gz"));
    let version = env!("CARGO_PKG_VERSION");
    let top = unpacked.join(format!("kasm-db-{version}-{}-linux", std::env::consts::ARCH));
    let expected = "CHANGELOG.md LICENSE-APACHE LICENSE-MIT README.md SECURITY.md THIRD-PARTY.txt completions docs examples \
        kasm-db man schemas";
    assert_eq!(names(&top), expected.split_whitespace().map(String::from).collect());
    assert_eq!(read(top.join("kasm-db")).unwrap(), packed.program);
    assert_eq!(fs::metadata(top.join("kasm-db")).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(names(&top.join("schemas")), names(&repository().join("schemas")));
    // Links and modes are those of the repository.
    assert!(top.join("examples/existing/opt/kasm/current").is_symlink());
    let program = said(Command::new(PROGRAM).args(["completions", "zsh"]));
    assert_eq!(fs::read_to_string(top.join("completions/zsh/_kasm-db")).unwrap(), program);
    let pages = names(&top.join("man/man1"));
    assert!(pages.contains("kasm-db.1") && pages.contains("kasm-db-plan.1"), "{pages:?}");
    assert!(top.join("man/man5/kasm-db.yaml.5").exists());
    // Whatever is linked is named with its licenses.
    let licenses = fs::read_to_string(top.join("THIRD-PARTY.txt")).unwrap();
    for name in ["ring 0.", "serde_json 1.", "glibc ", "rust-std ", "ISC License", "Apache License"] {
        assert!(licenses.contains(name), "{name}");
    }
    for name in ["insta ", "proptest ", "clap_derive "] {
        assert!(!licenses.contains(&format!("\n{name}")), "{name} is not linked");
    }
}

#[test]
fn the_debian_package_is_complete() {
    let Some(packed) = &*PACKED else { return };
    let deb = packed.file(".deb");
    let version = env!("CARGO_PKG_VERSION");
    let field = |name: &str| said(Command::new("dpkg-deb").arg("-f").arg(&deb).arg(name)).trim().to_string();
    assert_eq!((field("Package"), field("Version")), ("kasm-db".into(), format!("{version}-1")));
    // A static program depends on nothing, and there is nothing to configure.
    assert_eq!(field("Depends"), "");
    assert!(!field("Maintainer").is_empty() && field("Description").contains("PostgreSQL"));
    let root = packed.folder.path().join("deb");
    said(Command::new("dpkg-deb").arg("-R").arg(&deb).arg(&root));
    assert_eq!(names(&root.join("DEBIAN")), ["control", "md5sums"].map(String::from).into());
    said(Command::new("md5sum").args(["--check", "--quiet", "DEBIAN/md5sums"]).current_dir(&root));
    for path in [
        "usr/share/bash-completion/completions/kasm-db",
        "usr/share/zsh/vendor-completions/_kasm-db",
        "usr/share/fish/vendor_completions.d/kasm-db.fish",
        "usr/share/man/man1/kasm-db-plan.1.gz",
        "usr/share/man/man5/kasm-db.yaml.5.gz",
        "usr/share/kasm-db/schemas/kasm-db.v1.schema.json",
        "usr/share/doc/kasm-db/copyright",
        "usr/share/doc/kasm-db/changelog.gz",
        "usr/share/doc/kasm-db/changelog.Debian.gz",
        "usr/share/doc/kasm-db/third-party.txt.gz",
        "usr/share/doc/kasm-db/examples/existing/kasm-db.yaml",
    ] {
        assert!(root.join(path).is_file(), "{path}");
    }
    assert_eq!(read(root.join("usr/bin/kasm-db")).unwrap(), packed.program);
    let listed = said(Command::new("dpkg-deb").arg("-c").arg(&deb));
    let foreign: Vec<_> = listed.lines().filter(|line| !line.contains(" root/root ")).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}

#[test]
fn the_image_has_the_program_and_engines_of_both_kinds_find_it() {
    let Some(packed) = &*PACKED else { return };
    let layout = packed.unpack(&packed.file(".image.tar"));
    let blob = |described: &Value| {
        let digest = described["digest"].as_str().unwrap();
        let path = layout.join("blobs").join(digest.replace(':', "/"));
        let sum = said(Command::new("sha256sum").arg(&path));
        assert!(sum.starts_with(digest.strip_prefix("sha256:").unwrap()), "{digest}");
        assert_eq!(fs::metadata(&path).unwrap().len(), described["size"].as_u64().unwrap());
        path
    };
    assert_eq!(json(layout.join("oci-layout"))["imageLayoutVersion"], "1.0.0");
    let manifest = json(blob(&json(layout.join("index.json"))["manifests"][0]));
    let config = blob(&manifest["config"]);
    let layer = blob(&manifest["layers"][0]);
    let for_docker = &json(layout.join("manifest.json"))[0];
    let named = |path: &Path| path.strip_prefix(&layout).unwrap().to_str().unwrap().to_string();
    assert_eq!(for_docker["Config"], named(&config));
    assert_eq!(for_docker["Layers"], serde_json::json!([named(&layer)]));
    assert_eq!(for_docker["RepoTags"][0], format!("kasm-db:{}", env!("CARGO_PKG_VERSION")));
    let config = json(config);
    let unpacked = said(Command::new("sh").args(["-c", "gzip -dc \"$1\" | sha256sum", "sh"]).arg(&layer));
    let id = config["rootfs"]["diff_ids"][0].as_str().unwrap();
    assert!(unpacked.starts_with(id.strip_prefix("sha256:").unwrap()));
    assert_eq!(config["config"]["Entrypoint"], serde_json::json!(["/usr/bin/kasm-db"]));
    assert_eq!(config["config"]["Labels"]["org.opencontainers.image.version"], env!("CARGO_PKG_VERSION"));
    let files = packed.unpack(&layer);
    assert_eq!(read(files.join("usr/bin/kasm-db")).unwrap(), packed.program);
    assert!(files.join("work").is_dir() && files.join("usr/share/doc/kasm-db/THIRD-PARTY.txt").exists());
}

#[test]
fn the_list_of_what_is_linked_fits_its_schema_and_the_lock_file() {
    let Some(packed) = &*PACKED else { return };
    let list = json(packed.file(".cdx.json"));
    let lock = fs::read_to_string(repository().join("Cargo.lock")).unwrap();
    let components = list["components"].as_array().unwrap();
    let known: BTreeMap<_, _> =
        components.iter().map(|one| (one["bom-ref"].as_str().unwrap(), one)).collect();
    assert!(known.len() == components.len() && known.len() > 100);
    for component in components {
        let (name, version) = (component["name"].as_str().unwrap(), component["version"].as_str().unwrap());
        if component["purl"].as_str().unwrap().starts_with("pkg:cargo/") {
            let entry = format!("name = \"{name}\"\nversion = \"{version}\"\n");
            let (_, rest) = lock.split_once(&entry).unwrap_or_else(|| panic!("{name} {version}"));
            let hash = component["hashes"][0]["content"].as_str();
            assert!(hash.is_none_or(|hash| rest.split("\n\n").next().unwrap().contains(hash)), "{name}");
        }
        assert!(!component["licenses"][0]["expression"].as_str().unwrap().is_empty(), "{name}");
    }
    // From the program on, the dependencies lead to everything.
    let dependencies = list["dependencies"].as_array().unwrap().iter();
    let uses: BTreeMap<_, _> = dependencies
        .map(|one| (one["ref"].as_str().unwrap(), one["dependsOn"].as_array().unwrap()))
        .collect();
    let mut reached = BTreeSet::new();
    let mut next = vec![list["metadata"]["component"]["bom-ref"].as_str().unwrap()];
    while let Some(one) = next.pop() {
        if reached.insert(one) {
            next.extend(uses[one].iter().map(|used| used.as_str().unwrap()));
        }
    }
    assert_eq!(reached.len(), components.len() + 1);

    let script = repository().join("scripts/get-cyclonedx-schema");
    let output = Command::new(script).output().unwrap();
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        assert!(std::env::var_os("CI").is_none(), "{why}");
        eprintln!("the list was not compared with its schema: {why}");
        return;
    }
    let folder = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    let schema = |name: &str| json(folder.join(format!("{name}.SNAPSHOT.schema.json")));
    let mut registry = jsonschema::Registry::new();
    for name in ["spdx", "jsf-0.82"] {
        let address = format!("http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json");
        registry = registry.add(address, schema(name)).unwrap();
    }
    let registry = registry.prepare().unwrap();
    let validator = jsonschema::options().with_registry(&registry).build(&schema("bom-1.6")).unwrap();
    let errors: Vec<_> = validator.iter_errors(&list).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let mut wrong = list.clone();
    wrong["components"][0]["type"] = "crate".into();
    assert!(!validator.is_valid(&wrong));
}

#[test]
fn every_crate_but_that_of_the_tests_can_be_published() {
    let temp = tempfile::Builder::new().prefix("kasm-db-crates-").tempdir().unwrap();
    let mut published = BTreeSet::new();
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        // What tests share, and what the hooks of pre-commit build.
        if matches!(name, "kasm-db-testing" | "kasm-db-hooks") {
            assert_eq!(package["publish"], serde_json::json!([]));
            continue;
        }
        published.insert(name.to_string());
        assert!(package["publish"].is_null(), "{name}");
        for field in ["description", "license", "readme", "rust_version"] {
            assert!(!package[field].as_str().unwrap_or_default().is_empty(), "{name}: {field}");
        }
        let keywords = package["keywords"].as_array().unwrap();
        assert!((1..=5).contains(&keywords.len()) && !package["categories"].as_array().unwrap().is_empty());
        assert!(keywords.iter().all(|word| word.as_str().unwrap().len() <= 20), "{name}");
        for dependency in package["dependencies"].as_array().unwrap() {
            let is_ours = dependency["path"].is_string();
            let is_versioned = dependency["req"] != "*";
            // Cargo leaves a dependency of tests out of the package if it has a path and no version.
            let is_for_tests = dependency["kind"] == "dev";
            assert!(!is_ours || is_versioned || is_for_tests, "{name}: {}", dependency["name"]);
        }
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "package",
        "--workspace",
        "--exclude",
        "kasm-db-testing",
        "--exclude",
        "kasm-db-hooks",
        "--no-verify",
        "--allow-dirty",
    ]);
    cargo.args(["--locked", "--offline", "--quiet", "--target-dir"]).arg(temp.path());
    said(cargo.current_dir(repository()));
    for name in published {
        let package = temp.path().join(format!("package/{name}-{}.crate", env!("CARGO_PKG_VERSION")));
        let listed = said(Command::new("tar").arg("-tf").arg(package));
        for file in ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "Cargo.toml"] {
            assert!(
                listed.lines().any(|line| line.ends_with(&format!("/{file}"))),
                "{name}: {file}\n{listed}"
            );
        }
    }
}
