//! What is in an image, read from archives without an engine.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod archive;
mod cache;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use testing::Sandbox;

use self::archive::{header, layout, piped, saved, server, sha256, tar};
use crate::PROGRAM;

fn sandbox(bytes: &[u8]) -> Sandbox {
    let sandbox = Sandbox::new(PROGRAM);
    fs::write(sandbox.root().join("image.tar"), bytes).unwrap();
    sandbox
}

fn write_layout(folder: &Path, files: &[(String, Vec<u8>)]) {
    for (name, bytes) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

#[track_caller]
fn postgres(sandbox: &Sandbox, subject: &str) -> Value {
    let run = sandbox.run(&format!("inspect {subject} --format json")).expect(0);
    assert!(!run.stdout.contains("hunter2"), "{}", run.stdout);
    serde_json::from_slice::<Value>(&run.bytes).unwrap()["image"]["postgres"].clone()
}

#[test]
fn an_archive_of_docker_tells_what_its_server_is_and_can_load() {
    let bytes = saved("kasmweb/postgres:1.16.0", &[server("14.12")]);
    let sandbox = sandbox(&bytes);
    let run = sandbox.run("inspect image.tar").expect(0);
    let text = regex::Regex::new("sha256:[0-9a-f]{64}").unwrap().replace(&run.stdout, "sha256:DIGEST");
    insta::assert_snapshot!(text, @r"
    image.tar (in an archive)
      id           sha256:DIGEST
      platform     linux/amd64
      user         70
      entrypoint   docker-entrypoint.sh
      command      postgres
      labels       org.opencontainers.image.version=1
      PostgreSQL   14.12
      program      /usr/libexec/pg/postgres
      libraries    4 in /usr/lib/pg
                   again, passwordcheck, pgaudit, plpgsql
      extensions   2
                   pgaudit 1.7, plpgsql 1.0
      settings     3 of these libraries
                   pgaudit.log, pgaudit.role, plpgsql.extra_errors
    ");
    // Packed as a whole it is the same.
    fs::write(sandbox.root().join("image.tar.gz"), piped("gzip", &["-c"], &bytes)).unwrap();
    assert_eq!(postgres(&sandbox, "image.tar.gz"), postgres(&sandbox, "image.tar"));
}

#[test]
fn a_layout_is_read_as_a_folder_and_as_an_archive_for_each_platform() {
    let files = layout("1.16.0", &[("amd64", vec![server("14.12")]), ("arm64", vec![server("16.3")])]);
    let entries: Vec<_> =
        files.iter().map(|(name, bytes)| (name.as_str(), b'0', "", bytes.as_slice())).collect();
    let sandbox = sandbox(&tar(&entries));
    write_layout(&sandbox.root().join("layout"), &files);
    for subject in ["image.tar", "layout"] {
        let version = |platform: &str| {
            postgres(&sandbox, &format!("{subject} --platform {platform}"))["version"].clone()
        };
        assert_eq!((version("linux/amd64"), version("linux/arm64")), (json!("14.12"), json!("16.3")));
        let run = sandbox.run(&format!("inspect {subject} --platform linux/riscv64")).expect(1);
        assert_eq!(
            run.stderr,
            format!(
                "error: {subject}: it has no image for linux/riscv64, but for linux/amd64, linux/arm64\n  = \
                 help: name one of these with `--platform OS/ARCH`\n"
            )
        );
    }
    // A blob that is not what its name says is not believed.
    let (name, bytes) = files.iter().find(|(_, bytes)| bytes.starts_with(&[0x1f, 0x8b])).unwrap();
    let other = piped("gzip", &["-c"], &piped("gunzip", &["-c"], bytes)[..512 * 3]);
    fs::write(sandbox.root().join("layout").join(name), other).unwrap();
    let run = sandbox.run("inspect layout --platform linux/amd64").expect(1);
    assert!(run.stderr.contains("not what its digest says"), "{}", run.stderr);
}

#[test]
fn what_a_later_layer_removes_or_replaces_is_not_in_the_image() {
    let magic = b"Pg_magic_func\0".as_slice();
    let libraries = |above: Vec<u8>| {
        let sandbox = sandbox(&saved("a:1", &[server("15.1"), above]));
        postgres(&sandbox, "image.tar")["libraries"].clone()
    };
    assert_eq!(libraries(tar(&[])), json!(["again", "passwordcheck", "pgaudit", "plpgsql"]));
    let gone = tar(&[("usr/lib/pg/.wh.pgaudit.so", b'0', "", b"")]);
    assert_eq!(libraries(gone), json!(["again", "passwordcheck", "plpgsql"]));
    // What is hidden are the layers below, not what stands beside it.
    let hidden =
        tar(&[("usr/lib/pg/plpgsql.so", b'0', "", magic), ("usr/lib/pg/.wh..wh..opq", b'0', "", b"")]);
    assert_eq!(libraries(hidden), json!(["plpgsql"]));
    let replaced = tar(&[("usr/lib/pg/pgaudit.so", b'0', "", b"something else")]);
    assert_eq!(libraries(replaced), json!(["again", "passwordcheck", "plpgsql"]));
    let moved = tar(&[
        ("usr/lib/pg", b'2', "new", b""),
        ("usr/lib/new/plpgsql.so", b'0', "", magic),
        ("usr/lib/new/pg_cron.so", b'0', "", magic),
    ]);
    assert_eq!(libraries(moved), json!(["pg_cron", "plpgsql"]));
}

#[test]
fn an_image_without_postgresql_and_one_with_two_get_a_clear_answer() {
    let other = sandbox(&saved("a:1", &[tar(&[("usr/bin/redis-server", b'0', "", b"\x7fELF")])]));
    assert_eq!(postgres(&other, "image.tar"), Value::Null);
    let run = other.run("inspect image.tar").expect(0);
    assert!(run.stdout.contains("PostgreSQL   none: the image has no program `postgres`"), "{}", run.stdout);
    let program = b"postgres (PostgreSQL) 14.1\n".as_slice();
    let both = tar(&[("a/postgres", b'0', "", program), ("b/postgres", b'0', "", program)]);
    let run = sandbox(&saved("a:1", &[both])).run("inspect image.tar").expect(1);
    assert_eq!(run.stderr, "error: image.tar: it has several PostgreSQL servers: /a/postgres, /b/postgres\n");
}

#[test]
fn hostile_archives_are_refused_and_nothing_is_written() {
    let layer = |bytes: Vec<u8>| saved("a:1", &[server("15.1"), bytes]);
    let long = "x".repeat(100);
    let extended = [&header("x", b'x', "", 1 << 32)[..], &[0; 1024]].concat();
    let numbered = {
        let mut header = header("a", b'0', "", 0);
        header[124..136].fill(0xff);
        header.to_vec()
    };
    let digest = "0".repeat(64);
    let nested = format!(
        r#"{{"manifests":[{{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"sha256:{digest}"}}]}}"#
    );
    let traversal = r#"{"manifests":[{"digest":"sha256:../../../../etc/passwd"}]}"#;
    let cases: &[(&str, Vec<u8>, &str)] = &[
        ("empty", Vec::new(), "it is empty"),
        ("text", b"hello\n".repeat(200), "it is not a tar archive"),
        ("no image", tar(&[("a", b'0', "", b"b")]), "neither manifest.json nor index.json"),
        ("xz", b"\xfd7zXZ\0\0".to_vec(), "the archive is compressed with xz, which kasm-db does not read"),
        ("parent", layer(tar(&[("../../evil", b'0', "", b"x")])), "a name in it leads out of it"),
        ("inner parent", layer(tar(&[("a/../../evil", b'0', "", b"x")])), "a name in it leads out of it"),
        ("hard parent", layer(tar(&[("a", b'1', "../../etc/passwd", b"")])), "a name in it leads out of it"),
        ("cut", saved("a:1", &[server("15.1")])[..2000].to_vec(), "it ends too early"),
        ("endless header", layer(extended), "64 KiB in a header"),
        ("odd number", layer(numbered), "a layer cannot be read"),
        (
            "no layer",
            tar(&[("manifest.json", b'0', "", br#"[{"Config":"c","Layers":["x"]}]"#)]),
            "c is missing in it",
        ),
        ("no json", tar(&[("manifest.json", b'0', "", b"[{]")]), "manifest.json in it is not JSON"),
        (
            "deep json",
            tar(&[("manifest.json", b'0', "", &b"[".repeat(1 << 20))]),
            "manifest.json in it is not JSON",
        ),
        ("traversal", tar(&[("index.json", b'0', "", traversal.as_bytes())]), "not that of a SHA-256"),
        ("missing index", tar(&[("index.json", b'0', "", nested.as_bytes())]), "is missing in it"),
    ];
    for (name, bytes, expected) in cases {
        let sandbox = sandbox(bytes);
        let before = sandbox.contents(sandbox.root());
        let run = sandbox.run("inspect image.tar").expect(1);
        assert!(run.stderr.contains(expected), "{name}: {}", run.stderr);
        assert!(!run.stderr.contains("panic"), "{name}: {}", run.stderr);
        assert_eq!(sandbox.contents(sandbox.root()), before, "{name}");
    }
    // Of what is small and becomes large nothing is kept.
    let bomb = piped("sh", &["-c", "head -c 200000000 /dev/zero | gzip -9c"], b"");
    sandbox(&layer(bomb)).run("inspect image.tar").expect(0);
    // Links that lead round and round, and devices, are nothing to load.
    let links = tar(&[
        ("usr/lib/pg/loop.so", b'2', "loop.so", b""),
        ("usr/lib/pg/one.so", b'2', "two.so", b""),
        ("usr/lib/pg/two.so", b'2', "one.so", b""),
        ("usr/lib/pg/up.so", b'2', "../../../../../../../../etc/passwd", b""),
        ("usr/lib/pg/device.so", b'3', "", b""),
        ("a", b'2', "a/a/a", b""),
        (&long, b'2', &long, b""),
    ]);
    let sandbox = sandbox(&layer(links));
    assert_eq!(
        postgres(&sandbox, "image.tar")["libraries"],
        json!(["again", "passwordcheck", "pgaudit", "plpgsql"])
    );
}

#[test]
fn layers_and_archives_in_zstd_are_read() {
    let layers = vec![server("14.1"), tar(&[("etc/more", b'0', "", &b"more ".repeat(100_000))])];
    let files = archive::packed("a:1", &[("amd64", layers.clone())], "zstd");
    let sandbox = sandbox(b"");
    write_layout(&sandbox.root().join("layout"), &files);
    let plain = {
        fs::write(sandbox.root().join("plain.tar"), saved("a:1", &layers)).unwrap();
        postgres(&sandbox, "plain.tar")
    };
    assert_eq!(postgres(&sandbox, "layout"), plain);
    fs::write(sandbox.root().join("image.tar"), piped("zstd", &["-c"], &saved("a:1", &layers))).unwrap();
    assert_eq!(postgres(&sandbox, "image.tar"), plain);
    // A layer that ends too early.
    let packed = piped("zstd", &["-c"], &layers[1]);
    let cut = saved("a:1", &[packed[..packed.len() - 8].to_vec()]);
    fs::write(sandbox.root().join("image.tar"), cut).unwrap();
    let run = sandbox.run("inspect image.tar").expect(1);
    assert!(run.stderr.contains("its compressed data is damaged"), "{}", run.stderr);
}

#[test]
fn a_layer_in_xz_and_an_archive_of_several_images_say_what_to_do() {
    let xz = b"\xfd7zXZ\0\0\0".repeat(100);
    let run = sandbox(&saved("a:1", &[xz])).run("inspect image.tar").expect(1);
    assert!(run.stderr.contains("a layer is compressed with xz"), "{}", run.stderr);
    assert!(run.stderr.contains("--dest-compress-format gzip"), "{}", run.stderr);
    let (one, two) = (server("14.1"), server("15.1"));
    let configs = [&one, &two].map(|layer| archive::config(std::slice::from_ref(layer), "amd64"));
    let manifest = br#"[{"Config":"1","RepoTags":["a:1"],"Layers":["1.tar"]},{"Config":"2","RepoTags":["docker.io/library/b:2"],"Layers":["2.tar"]}]"#;
    let sandbox = sandbox(&tar(&[
        ("1.tar", b'0', "", &one),
        ("2.tar", b'0', "", &two),
        ("1", b'0', "", configs[0].as_bytes()),
        ("2", b'0', "", configs[1].as_bytes()),
        ("manifest.json", b'0', "", manifest),
    ]));
    let run = sandbox.run("inspect image.tar").expect(1);
    assert_eq!(
        run.stderr,
        "error: image.tar: it has several images: a:1, docker.io/library/b:2\n  = help: name one with `--image REFERENCE`\n"
    );
    assert_eq!(postgres(&sandbox, "image.tar --image b:2")["version"], json!("15.1"));
    let run = sandbox.run("inspect image.tar --image c:3").expect(1);
    assert!(
        run.stderr.contains("it does not have the image c:3, but a:1, docker.io/library/b:2"),
        "{}",
        run.stderr
    );
    assert_eq!(sha256(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

#[test]
fn a_subject_that_is_nothing_says_what_can_be_named() {
    let sandbox = Sandbox::new(PROGRAM);
    let run = sandbox.run("inspect ./nothing.tar").expect(1);
    assert_eq!(run.stderr, "error: ./nothing.tar: no such file or directory\n");
    let run = sandbox.run("inspect a:b:c").expect(64);
    assert!(
        run.stderr.contains("neither a file or folder that is there, nor an image reference"),
        "{}",
        run.stderr
    );
}

/// Returns a document with an image that no table knows, and the tree of the example with the same major.
fn planned(layers: &[Vec<u8>]) -> Sandbox {
    let sandbox = sandbox(&saved("example.org/own/db:1", layers));
    let document = "schema: kasm-db/v1\nimage: example.org/own/db:1\npostgres_major: 12\npreload: {libraries: [pgaudit]}\n\
                    audit: {classes: [read]}\ntargets: [{name: a, deployment: examples/existing/opt/kasm/current}]\n";
    fs::write(sandbox.root().join("kasm-db.yaml"), document).unwrap();
    sandbox
}

#[test]
fn a_plan_takes_what_is_in_an_image_for_what_its_name_does_not_tell() {
    let without = tar(&[("usr/lib/pg/.wh.pgaudit.so", b'0', "", b"")]);
    let sandbox = planned(&[server("12.1"), without]);
    // Nobody looks unless somebody says so.
    sandbox.run("plan").expect(0);
    let run = sandbox.run("plan --inspect=image.tar").expect(4);
    assert!(
        run.stderr.contains("example.org/own/db:1 has no pgaudit: the server would not start"),
        "{}",
        run.stderr
    );
    assert!(
        run.stdout.contains("inspected in image.tar: example.org/own/db:1: PostgreSQL 12.1, 3 libraries"),
        "{}",
        run.stdout
    );
    let run = planned(&[server("15.1")]).run("plan --inspect=image.tar").expect(4);
    assert!(
        run.stderr.contains("example.org/own/db:1 is PostgreSQL 15 and cannot open the data"),
        "{}",
        run.stderr
    );
    let run = planned(&[tar(&[("etc/hostname", b'0', "", b"x")])]).run("plan --inspect=image.tar").expect(4);
    assert!(run.stderr.contains("has no pgaudit"), "{}", run.stderr);
    assert!(run.stdout.contains("example.org/own/db:1: no PostgreSQL"), "{}", run.stdout);
    // What is not there is said, and the name is used.
    let run = sandbox.run("plan --inspect=nothing.tar --format json").expect(0);
    let images = serde_json::from_slice::<Value>(&run.bytes).unwrap()["targets"][0]["images"].clone();
    assert_eq!(images[0]["inspected"], json!(false));
    assert_eq!(images[0]["why"], json!("nothing.tar: no such file or directory"));
}

#[test]
fn a_saved_plan_is_stale_if_the_image_is_another() {
    let sandbox = planned(&[server("12.1")]);
    let run = sandbox.run("plan --inspect=image.tar --out plan.json").expect(0);
    assert!(run.stdout.contains("inspected in image.tar"), "{}", run.stdout);
    let text = fs::read_to_string(sandbox.root().join("plan.json")).unwrap();
    let plan: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&plan["format_version"], &plan["selection"]["inspect"]),
        (&json!("2.3"), &json!(["image.tar"]))
    );
    let image = &plan["targets"][0]["images"][0];
    assert_eq!((&image["reference"], &image["postgres"]), (&json!("example.org/own/db:1"), &json!("12.1")));
    let other = saved("example.org/own/db:1", &[server("12.1"), tar(&[("etc/more", b'0', "", b"x")])]);
    let first = fs::read(sandbox.root().join("image.tar")).unwrap();
    fs::write(sandbox.root().join("image.tar"), other).unwrap();
    let run = sandbox.run("apply plan.json").expect(5);
    assert!(run.stderr.contains("example.org/own/db:1: is sha256:"), "{}", run.stderr);
    assert!(
        run.stderr.contains(&format!("now, and was {}", image["id"].as_str().unwrap())),
        "{}",
        run.stderr
    );
    fs::write(sandbox.root().join("image.tar"), first).unwrap();
    sandbox.run("apply plan.json").expect(0);
}

/// Returns what of a text is about images.
fn about_images(text: &str) -> String {
    let lines = text.lines().filter(|line| line.contains("inspected ") || line.contains("not inspected: "));
    // Of HTML, from the heading on; the rest of the page is one line.
    let lines = lines.map(|line| match line.split_once("<h3>Images</h3>") {
        Some((_, list)) => list.split_once("</ul>").unwrap().0,
        None => line,
    });
    lines.fold(String::new(), |all, line| all + line + "\n")
}

#[test]
fn every_format_of_a_plan_and_of_a_saved_one_says_which_images_were_inspected() {
    let sandbox = planned(&[server("12.1")]);
    sandbox.run("plan --inspect=image.tar --out plan.json").expect(0);
    let mut all = String::new();
    for format in ["human", "markdown", "html"] {
        let plan = about_images(
            &sandbox.run(&format!("plan --inspect=image.tar --format {format}")).expect(0).stdout,
        );
        let show = about_images(&sandbox.run(&format!("show plan.json --format {format}")).expect(0).stdout);
        assert_eq!(plan, show, "{format}");
        all.push_str(&format!("----- {format}\n{plan}"));
    }
    let images = |command: &str| {
        let run = sandbox.run(&format!("{command} --format json")).expect(0);
        serde_json::from_slice::<Value>(&run.bytes).unwrap()["targets"][0]["images"].clone()
    };
    assert_eq!(images("plan --inspect=image.tar"), images("show plan.json"));
    all.push_str(&format!("----- json\n{:#}\n", images("show plan.json")));
    // Also where the plan no longer holds.
    fs::write(sandbox.root().join("image.tar"), saved("example.org/own/db:1", &[server("12.2")])).unwrap();
    let stale = sandbox.run("show plan.json").expect(5);
    assert!(
        stale.stdout.contains("inspected in image.tar: example.org/own/db:1: PostgreSQL 12.1"),
        "{stale}"
    );
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("inspected_images", all));
}
