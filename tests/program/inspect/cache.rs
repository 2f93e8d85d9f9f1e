//! What is kept of images of the engine: used for the same image alone, and only if nobody else could have written it.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use testing::{Run, Sandbox};

use super::archive::{config, layout, saved, server, sha256, tar};
use crate::PROGRAM;

const NOBODY: u32 = 65534;

/// A program that answers as `docker` does for one image, and notes what it is asked.
const DOCKER: &str = "#!/bin/sh
echo \"$1 $2\" >> \"${0%/*}/../calls\"
case \"$1 $2\" in
    'image inspect') cat \"${0%/*}/../said\" ;;
    'image save') cat \"${0%/*}/../image.tar\" ;;
esac
";

/// An engine with an image, and a cache that is empty.
struct Engine {
    sandbox: Sandbox,
}

impl Engine {
    fn new(layers: &[Vec<u8>]) -> Self {
        let engine = Self { sandbox: Sandbox::new(PROGRAM) };
        for folder in ["bin", "home"] {
            fs::create_dir(engine.path(folder)).unwrap();
        }
        mode(&engine.path("home"), 0o755);
        fs::write(engine.path("bin/docker"), DOCKER).unwrap();
        mode(&engine.path("bin/docker"), 0o755);
        engine.has(&digits(layers), &saved("a:1", layers));
        engine
    }

    /// Gives the engine another image.
    fn has(&self, id: &str, archive: &[u8]) {
        fs::write(self.path("said"), format!("sha256:{id}\nlinux/amd64\n")).unwrap();
        fs::write(self.path("image.tar"), archive).unwrap();
    }

    fn path(&self, path: &str) -> PathBuf {
        self.sandbox.root().join(path)
    }

    fn images(&self) -> PathBuf {
        self.path("home/.cache/kasm-db/images")
    }

    fn entry(&self) -> PathBuf {
        let said = fs::read_to_string(self.path("said")).unwrap();
        self.images().join(&said["sha256:".len()..][..64])
    }

    fn command(&self, program: &str) -> Command {
        let mut command = self.sandbox.command(program);
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        command.env("PATH", path).env("HOME", self.path("home"));
        command
    }

    #[track_caller]
    fn run(&self, arguments: &str) -> Run {
        self.sandbox.finish(self.command(PROGRAM).args(arguments.split(' '))).expect(0)
    }

    /// Returns how often images were asked for and streamed since the last time.
    fn calls(&self) -> (usize, usize) {
        let calls = fs::read_to_string(self.path("calls")).unwrap_or_default();
        let _ = fs::remove_file(self.path("calls"));
        let count = |what: &str| calls.lines().filter(|line| *line == what).count();
        (count("image inspect"), count("image save"))
    }

    /// Looks into the image, and returns whether all of it was streamed.
    #[track_caller]
    fn is_streamed(&self) -> bool {
        self.calls();
        assert_eq!(self.version("a:1"), "14.12");
        let (asked, streamed) = self.calls();
        assert_eq!(asked, 1);
        streamed == 1
    }

    #[track_caller]
    fn version(&self, image: &str) -> String {
        let run = self.run(&format!("inspect {image} --format json"));
        let value = serde_json::from_slice::<Value>(&run.bytes).unwrap();
        value["image"]["postgres"]["version"].as_str().unwrap().to_string()
    }
}

fn usual() -> Engine {
    Engine::new(&[server("14.12")])
}

fn digits(layers: &[Vec<u8>]) -> String {
    sha256(config(layers, "amd64").as_bytes())
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn mode_of(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o7777
}

/// Giving files away takes root; where tests have to run, they run as root.
fn is_not_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    assert!(is_root || std::env::var_os("CI").is_none(), "this test takes root");
    !is_root
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[test]
fn a_second_look_says_the_same_and_streams_nothing() {
    let engine = usual();
    let first = ["human", "json"].map(|format| {
        let run = engine.run(&format!("inspect a:1 --no-cache --format {format}"));
        assert_eq!(engine.calls(), (1, 1));
        run.bytes
    });
    let second = ["human", "json"].map(|format| {
        let run = engine.run(&format!("inspect a:1 --format {format}"));
        assert_eq!(engine.calls(), (1, 0));
        run.bytes
    });
    assert_eq!(first, second);
    // Another tag of the same image, and the id without its algorithm, as Podman has it.
    engine.run("inspect other.example/b:2");
    assert_eq!(engine.calls(), (1, 0));
    let said = fs::read_to_string(engine.path("said")).unwrap();
    fs::write(engine.path("said"), said.strip_prefix("sha256:").unwrap()).unwrap();
    let run = engine.run("inspect a:1");
    assert_eq!(engine.calls(), (1, 0));
    assert!(!run.stdout.contains("sha256:"), "{}", run.stdout);
    fs::write(engine.path("said"), said).unwrap();
    // What is kept is for its owner, and has neither the environment of the image nor its name.
    let modes = ["home/.cache", "home/.cache/kasm-db", "home/.cache/kasm-db/images"];
    assert_eq!(modes.map(|path| mode_of(&engine.path(path))), [0o700; 3]);
    assert_eq!(mode_of(&engine.entry()), 0o600);
    let text = fs::read_to_string(engine.entry()).unwrap();
    assert!(text.contains("14.12") && !text.contains("hunter2") && !text.contains("a:1"), "{text}");
}

#[test]
fn a_tag_that_moved_is_another_image() {
    let engine = usual();
    assert_eq!(engine.version("a:1"), "14.12");
    let layers = [server("16.3")];
    engine.has(&digits(&layers), &saved("a:1", &layers));
    assert_eq!((engine.version("a:1"), engine.version("a:1")), ("16.3".into(), "16.3".into()));
    assert_eq!(engine.calls(), (3, 2));
    assert_eq!(names(&engine.images()).len(), 2);
}

#[test]
fn an_entry_that_is_damaged_or_of_another_format_is_replaced() {
    let engine = usual();
    engine.is_streamed();
    let right = fs::read(engine.entry()).unwrap();
    let text = String::from_utf8(right.clone()).unwrap();
    let other = {
        let layers = [server("16.3")];
        let other = Engine::new(&layers);
        other.version("a:1");
        fs::read_to_string(other.entry()).unwrap()
    };
    for (what, wrong) in [
        ("empty", String::new()),
        ("cut", text[..text.len() - 20].to_string()),
        ("changed", text.replace("14.12", "14.13")),
        ("another format", text.replacen("image 1 ", "image 2 ", 1)),
        ("another program", text.replacen(env!("CARGO_PKG_VERSION"), "0.0.9", 1)),
        ("another image", other),
        ("large", "x".repeat(2 << 20)),
    ] {
        assert_ne!(wrong, text, "{what}");
        fs::write(engine.entry(), wrong).unwrap();
        assert!(engine.is_streamed(), "{what}");
        assert_eq!(fs::read(engine.entry()).unwrap(), right, "{what}");
        assert!(!engine.is_streamed(), "{what}");
    }
}

#[test]
fn a_cache_that_somebody_else_could_have_written_is_neither_used_nor_written() {
    if is_not_root() {
        return;
    }
    let engine = usual();
    let cache = engine.path("home/.cache");
    let check = |what: &str| {
        let seen = || (engine.sandbox.seen(&cache), names(&engine.path("home")));
        let before = seen();
        assert!(engine.is_streamed() && engine.is_streamed(), "{what}");
        assert_eq!(seen(), before, "{what}");
    };
    engine.is_streamed();
    assert!(!engine.is_streamed());
    for folder in ["home", "home/.cache", "home/.cache/kasm-db", "home/.cache/kasm-db/images"] {
        let path = engine.path(folder);
        chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
        check(&format!("{folder} of another user"));
        chown(&path, Some(0), Some(0)).unwrap();
        let usual = mode_of(&path);
        for more in [0o020, 0o002] {
            chown(&path, Some(0), Some(NOBODY)).unwrap();
            mode(&path, usual | more);
            check(&format!("{folder} with mode {:o}", usual | more));
            chown(&path, Some(0), Some(0)).unwrap();
        }
        mode(&path, usual);
        assert!(!engine.is_streamed(), "{folder}");
    }
    // Links: of the two folders that are kasm-db's, none is followed.
    for folder in ["home/.cache/kasm-db", "home/.cache/kasm-db/images"] {
        let (path, aside) = (engine.path(folder), engine.path("aside"));
        fs::rename(&path, &aside).unwrap();
        symlink(&aside, &path).unwrap();
        let before = engine.sandbox.seen(&aside);
        check(&format!("a link for {folder}"));
        assert_eq!(engine.sandbox.seen(&aside), before);
        fs::remove_file(&path).unwrap();
        fs::rename(&aside, &path).unwrap();
    }
    // A link of ours for the folder of all caches is nobody else's.
    fs::rename(&cache, engine.path("aside")).unwrap();
    symlink(engine.path("aside"), &cache).unwrap();
    assert!(!engine.is_streamed());
}

#[test]
fn an_entry_that_somebody_else_could_have_written_is_replaced_and_not_written_through() {
    if is_not_root() {
        return;
    }
    let engine = usual();
    engine.is_streamed();
    let entry = engine.entry();
    chown(&entry, Some(NOBODY), None).unwrap();
    assert!(engine.is_streamed() && !engine.is_streamed());
    mode(&entry, 0o620);
    assert!(engine.is_streamed() && !engine.is_streamed());
    let aside = engine.path("aside");
    fs::rename(&entry, &aside).unwrap();
    symlink(&aside, &entry).unwrap();
    let before = engine.sandbox.seen(&aside);
    assert!(engine.is_streamed() && !engine.is_streamed());
    assert!(entry.symlink_metadata().unwrap().is_file());
    assert_eq!(engine.sandbox.seen(&aside), before);
    // What cannot be replaced stays, and the answer is the same.
    fs::remove_file(&entry).unwrap();
    fs::create_dir(&entry).unwrap();
    assert!(engine.is_streamed() && engine.is_streamed());
}

#[test]
fn without_a_folder_for_caches_and_with_one_that_cannot_be_written_nothing_is_kept() {
    if is_not_root() {
        return;
    }
    let engine = usual();
    let look = |home: Option<&str>, caches: Option<&str>| {
        let mut command = engine.command(PROGRAM);
        command.args(["inspect", "a:1"]).env_remove("HOME");
        for (name, value) in [("HOME", home), ("XDG_CACHE_HOME", caches)] {
            command.envs(value.map(|value| (name, value)));
        }
        let run = engine.sandbox.finish(&mut command).expect(0);
        assert_eq!(run.stderr, "");
        engine.calls().1
    };
    let (home, caches) = (engine.path("home"), engine.path("caches"));
    let nothing = engine.path("nothing/here");
    let shown = |path: &Path| path.to_str().map(String::from);
    let (home, caches_text, nothing) =
        (shown(&home).unwrap(), shown(&caches).unwrap(), shown(&nothing).unwrap());
    for (home, caches) in [
        (None, None),
        (Some(""), None),
        (Some("relative"), None),
        (Some(nothing.as_str()), None),
        (None, Some(nothing.as_str())),
        (None, Some("/proc")),
        (None, Some("/dev/null")),
    ] {
        assert_eq!((look(home, caches), look(home, caches)), (1, 1), "{home:?} {caches:?}");
    }
    assert!(!engine.path("nothing").exists() && names(&engine.path("home")).is_empty());
    // A relative folder of caches counts as none, and an absolute one comes first.
    assert_eq!((look(Some(&home), Some("relative")), look(Some(&home), None)), (1, 0));
    assert_eq!((look(Some(&home), Some(&caches_text)), look(None, Some(&caches_text))), (1, 0));
    assert_eq!(names(&caches.join("kasm-db/images")).len(), 1);
    // Somebody else who can read what root has kept uses it, and without that keeps nothing in a folder that is root's.
    testing::open_to_all(engine.sandbox.root());
    fs::write(engine.path("calls"), "").unwrap();
    mode(&engine.path("calls"), 0o666);
    let program = engine.sandbox.copied_program();
    let id = NOBODY.to_string();
    let other = || {
        let mut command = engine.command("setpriv");
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(&program);
        fs::write(engine.path("calls"), "").unwrap();
        let run = engine.sandbox.finish(command.args(["inspect", "a:1"])).expect(0);
        assert_eq!(run.stderr, "");
        fs::read_to_string(engine.path("calls")).unwrap()
    };
    assert_eq!(other(), "image inspect\n");
    fs::remove_dir_all(engine.path("home/.cache")).unwrap();
    assert_eq!(other(), "image inspect\nimage save\n");
    assert!(names(&engine.path("home")).is_empty());
}

#[test]
fn runs_at_once_leave_one_whole_entry() {
    let engine = usual();
    let start = || engine.command(PROGRAM).args(["inspect", "a:1"]).stdout(Stdio::piped()).spawn().unwrap();
    let runs: Vec<_> = (0..8).map(|_| start()).collect();
    let outputs: Vec<_> = runs.into_iter().map(|run| run.wait_with_output().unwrap()).collect();
    assert!(outputs.iter().all(|output| output.status.success() && output.stdout == outputs[0].stdout));
    assert_eq!(names(&engine.images()).len(), 1);
    assert!(!engine.is_streamed());
}

#[test]
fn a_hundred_entries_are_kept() {
    let engine = usual();
    engine.is_streamed();
    fs::remove_file(engine.entry()).unwrap();
    for age in 0..104 {
        let file = File::create(engine.images().join(format!("{age:03}"))).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(1000 + age)).unwrap();
    }
    engine.is_streamed();
    let mut names = names(&engine.images());
    names.sort();
    assert_eq!((names.len(), names[98].as_str()), (100, "098"), "{names:#?}");
    assert!(!engine.is_streamed());
}

#[test]
fn no_cache_looks_again_and_replaces_the_entry() {
    let engine = usual();
    engine.is_streamed();
    let right = fs::read(engine.entry()).unwrap();
    // Right in its form, and wrong in what it says.
    let layers = [server("14.12")];
    let wrong = String::from_utf8(right.clone()).unwrap();
    let (_, text) = wrong.split_once('\n').unwrap();
    let text = text.replace("14.12", "14.99");
    let head = format!("kasm-db image 1 {} {}\n", env!("CARGO_PKG_VERSION"), sha256(text.as_bytes()));
    fs::write(engine.entry(), head + &text).unwrap();
    assert_eq!(engine.version("a:1"), "14.99");
    engine.calls();
    assert!(engine.run("inspect a:1 --no-cache").stdout.contains("14.12"));
    assert_eq!(engine.calls(), (1, 1));
    assert_eq!(fs::read(engine.entry()).unwrap(), right);
    // The platform that is asked for is compared with what is kept, too.
    let mut command = engine.command(PROGRAM);
    command.args(["inspect", "a:1", "--platform", "linux/arm64"]);
    let run = engine.sandbox.finish(&mut command).expect(1);
    assert!(run.stderr.contains("it has no image for linux/arm64, but for linux/amd64"), "{}", run.stderr);
    assert_eq!(digits(&layers).len(), 64);
}

#[test]
fn what_the_bytes_of_the_engine_do_not_prove_is_not_kept() {
    let engine = usual();
    // An engine that says another id than that of the configuration.
    engine.has(&"0".repeat(64), &saved("a:1", &[server("14.12")]));
    assert!(engine.is_streamed() && engine.is_streamed());
    assert!(!engine.images().exists());
    // One that says no platform.
    let id = digits(&[server("14.12")]);
    engine.has(&id, &saved("a:1", &[server("14.12")]));
    fs::write(engine.path("said"), format!("sha256:{id}\n")).unwrap();
    assert!(engine.is_streamed() && engine.is_streamed());
    assert!(!engine.images().exists());
    // A layer that is compressed is not what the configuration names.
    let gzip = super::piped("gzip", &["-c"], &server("14.12"));
    let configuration = config(&[server("14.12")], "amd64");
    let manifest = br#"[{"Config":"c.json","RepoTags":["a:1"],"Layers":["layer.tar"]}]"#;
    engine.has(
        &id,
        &tar(&[
            ("layer.tar", b'0', "", &gzip),
            ("c.json", b'0', "", configuration.as_bytes()),
            ("manifest.json", b'0', "", manifest),
        ]),
    );
    assert!(engine.is_streamed() && engine.is_streamed());
    assert!(!engine.images().exists());
}

/// Returns the archive of a layout whose list has one of its images, as such engines write it, and the digests of the index, and of the
/// manifest and the configuration of that image.
fn of_registry(images: &[(&str, Vec<Vec<u8>>)], chosen: usize) -> (Vec<u8>, [String; 3]) {
    let mut files = layout("a:1", images);
    let (_, index) = files.pop().unwrap();
    let manifest = {
        let index: Value = serde_json::from_slice(&index).unwrap();
        index["manifests"][chosen]["digest"].as_str().unwrap()["sha256:".len()..].to_string()
    };
    let of = |digest: &str| {
        let name = format!("blobs/sha256/{digest}");
        let (_, bytes) = files.iter().find(|(path, _)| *path == name).unwrap();
        serde_json::from_slice::<Value>(bytes).unwrap()
    };
    let described = of(&manifest);
    let blob =
        |value: &Value| value["digest"].as_str().unwrap().replace(':', "/").replace("sha256", "blobs/sha256");
    let layers: Vec<_> = described["layers"].as_array().unwrap().iter().map(blob).collect();
    let configuration = blob(&described["config"]);
    let list = json!([{ "Config": configuration, "RepoTags": ["a:1"], "Layers": layers }]);
    let digest = sha256(&index);
    files.push((format!("blobs/sha256/{digest}"), index.clone()));
    files.push(("index.json".into(), index));
    files.push(("manifest.json".into(), list.to_string().into_bytes()));
    let entries: Vec<_> =
        files.iter().map(|(name, bytes)| (name.as_str(), b'0', "", bytes.as_slice())).collect();
    let configuration = configuration.rsplit('/').next().unwrap().to_string();
    (tar(&entries), [digest, manifest, configuration])
}

#[test]
fn an_engine_that_keeps_images_as_registries_do_names_them_by_manifests_and_indexes() {
    let engine = usual();
    let images = [("amd64", vec![server("14.12")]), ("arm64", vec![server("16.3")])];
    let (archive, [index, manifest, configuration]) = of_registry(&images, 0);
    for (id, is_kept) in [(&index, true), (&manifest, true), (&configuration, false)] {
        engine.has(id, &archive);
        assert!(engine.is_streamed());
        assert_eq!(engine.is_streamed(), !is_kept, "{id}");
        assert_eq!(engine.entry().exists(), is_kept, "{id}");
    }
    // An engine on another machine has another image of the same index.
    let (archive, [same, ..]) = of_registry(&images, 1);
    assert_eq!(same, index);
    engine.has(&index, &archive);
    fs::write(engine.path("said"), format!("sha256:{index}\nlinux/arm64\n")).unwrap();
    engine.calls();
    assert_eq!((engine.version("a:1"), engine.version("a:1")), ("16.3".into(), "16.3".into()));
    assert_eq!(engine.calls(), (2, 1));
    // Two for a platform: the id does not say which one was read.
    let (archive, [index, ..]) = of_registry(&[images[0].clone(), ("amd64", vec![server("15.1")])], 0);
    engine.has(&index, &archive);
    assert!(engine.is_streamed() && engine.is_streamed());
    assert!(!engine.entry().exists());
}

#[test]
fn a_plan_and_the_check_of_a_saved_one_use_what_is_kept() {
    let engine = Engine::new(&[server("12.1")]);
    let document = "schema: kasm-db/v1\nimage: example.org/own/db:1\npostgres_major: 12\npreload: {libraries: [pgaudit]}\n\
                    audit: {classes: [read]}\ntargets: [{name: a, deployment: examples/existing/opt/kasm/current}]\n";
    fs::write(engine.path("kasm-db.yaml"), document).unwrap();
    let first = engine.run("plan --inspect");
    let (_, streamed) = engine.calls();
    // The image of the document and the present one have the same id.
    assert_eq!(streamed, 1);
    let second = engine.run("plan --inspect --out plan.json");
    assert_eq!(engine.calls().1, 0);
    assert!(second.stdout.starts_with(&first.stdout), "{}{}", first.stdout, second.stdout);
    let layers = [server("12.1"), tar(&[("etc/more", b'0', "", b"x")])];
    let before = ["said", "image.tar"].map(|name| fs::read(engine.path(name)).unwrap());
    engine.has(&digits(&layers), &saved("a:1", &layers));
    let run = engine.sandbox.finish(engine.command(PROGRAM).args(["apply", "plan.json"])).expect(5);
    assert!(run.stderr.contains("example.org/own/db:1: is sha256:"), "{}", run.stderr);
    for (name, bytes) in ["said", "image.tar"].into_iter().zip(before) {
        fs::write(engine.path(name), bytes).unwrap();
    }
    engine.calls();
    engine.run("apply plan.json");
    assert_eq!(engine.calls().1, 0);
}
