//! What `inspect` says of images is what their own servers say.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::bed::{BARE, STOCK, WITH, docker, engine, has_no_engine};

/// Starts a cluster without a server, and asks: extensions, whether each library can be loaded, settings.
const SCRIPT: &str = r#"
set -e
export PATH=/usr/lib/postgresql/15/bin:$PATH
postgres --version
initdb --no-sync --auth=trust --locale=C -D /tmp/data > /dev/null
preload=auth_delay,auto_explain,basic_archive,basebackup_to_shell,pg_prewarm,pg_stat_statements$1
printf '%s' "$2" | postgres --single -F -D /tmp/data -c shared_preload_libraries="$preload" -c exit_on_error=off postgres 2>&1
"#;

fn inspect(subject: &str) -> Value {
    let home = tempfile::tempdir().unwrap();
    let out = inspect_from(home.path(), subject);
    serde_json::from_slice::<Value>(&out).unwrap()["image"].clone()
}

/// Looks into an image as a user with this folder, whose caches are in it.
fn inspect_from(home: &Path, subject: &str) -> Vec<u8> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kasm-db"));
    command.args(["inspect", subject, "--format", "json"]).env("DOCKER_HOST", engine().unwrap());
    command.env("HOME", home).env_remove("XDG_CACHE_HOME");
    let path = format!("{}:{}", home.join("bin").display(), std::env::var("PATH").unwrap());
    let out = command.env("PATH", path).output().unwrap();
    assert!(out.status.success(), "{out:?}");
    out.stdout
}

fn names(value: &Value) -> BTreeSet<String> {
    value.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_string()).collect()
}

/// Returns the values of a column in what a server without a client prints.
fn column(text: &str, name: &str) -> Vec<String> {
    let start = format!(": {name} = \"");
    let values = text.lines().filter_map(|line| line.split_once(&start)?.1.split('"').next());
    values.map(String::from).collect()
}

#[test]
fn what_inspect_says_of_images_is_what_their_servers_say() {
    if has_no_engine("looking into images") {
        return;
    }
    for (image, audits) in [(WITH, true), (STOCK, false), (BARE, true)] {
        let found = inspect(image);
        let postgres = &found["postgres"];
        let mut sql = String::from(
            "select name as extension from pg_available_extensions\n\
             select default_version as version from pg_available_extensions\n\
             select f || '' as file from pg_ls_dir('/usr/lib/postgresql/15/lib') f where f like '%.so'\n",
        );
        let libraries = names(&postgres["libraries"]);
        for library in &libraries {
            let _ = writeln!(sql, "load '{library}'");
        }
        sql.push_str("select name as setting from pg_settings where name like '%.%'\n");
        let more = if audits { ",pgaudit" } else { "" };
        let arguments = [
            "run",
            "--rm",
            "--network",
            "none",
            "--user",
            "postgres",
            "--entrypoint",
            "sh",
            image,
            "-c",
            SCRIPT,
            "sh",
            more,
            &sql,
        ];
        let said = docker(&arguments);
        let version = postgres["version"].as_str().unwrap();
        assert!(said.starts_with(&format!("postgres (PostgreSQL) {version}\n")), "{image}: {said}");
        let extensions: BTreeSet<_> =
            column(&said, "extension").into_iter().zip(column(&said, "version")).collect();
        let text = |value: &Value| value.as_str().unwrap().to_string();
        let own = postgres["extensions"].as_array().unwrap().iter();
        let own: BTreeSet<_> = own.map(|one| (text(&one["name"]), text(&one["version"]))).collect();
        assert_eq!(own, extensions, "{image}");
        assert_eq!(own.contains(&("pgaudit".into(), "1.7".into())), audits, "{image}");
        // Every file there is a library that can be loaded, but for one whose own library is left out of the image.
        let files: BTreeSet<_> =
            column(&said, "file").iter().map(|file| file.strip_suffix(".so").unwrap().to_string()).collect();
        assert_eq!(libraries, files, "{image}");
        let failed: BTreeSet<_> = said.lines().filter(|line| line.contains("ERROR:")).collect();
        assert!(
            failed.iter().all(|line| line.contains("llvmjit") || line.contains("sepgsql")),
            "{failed:#?}"
        );
        let own: BTreeSet<_> =
            names(&postgres["settings"]).into_iter().filter(|name| !name.starts_with("sepgsql.")).collect();
        assert_eq!(own, column(&said, "setting").into_iter().collect(), "{image}");
        // The engine's own words.
        let engine = docker(&["image", "inspect", "--format", "{{.ID}} {{json .Config.Entrypoint}}", image]);
        assert_eq!(engine.trim(), format!("{} {}", text(&found["id"]), found["entrypoint"]));
    }
}

#[test]
fn an_archive_says_what_the_engine_says_and_an_image_without_postgresql_is_told() {
    if has_no_engine("looking into images") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("image.tar").display().to_string();
    docker(&["save", "--output", &archive, BARE]);
    assert_eq!(inspect(&archive), inspect(BARE));
    let root = folder.path().join("root.tar").display().to_string();
    let packed = Command::new("tar").args(["-cf", &root, "-C", "/etc", "hostname"]).status().unwrap();
    assert!(packed.success());
    let name = format!("kasm-db/other:{}", std::process::id());
    docker(&["import", &root, &name]);
    let found = inspect(&name);
    docker(&["rmi", &name]);
    assert_eq!(found["postgres"], Value::Null);
    assert!(found["id"].as_str().unwrap().starts_with("sha256:"), "{found}");
}

#[test]
fn a_second_look_reads_an_image_of_the_engine_no_more() {
    if has_no_engine("looking into images twice") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let (bin, read) = (home.path().join("bin"), home.path().join("read"));
    std::fs::create_dir(&bin).unwrap();
    let docker_path =
        String::from_utf8(Command::new("which").arg("docker").output().unwrap().stdout).unwrap();
    // The real program, and how many bytes it answers each question with.
    let counting = format!(
        "#!/bin/bash\nset -o pipefail\n{} \"$@\" | tee >(wc -c | sed \"s/^/$1 $2 /\" >> {})\n",
        docker_path.trim(),
        read.display()
    );
    std::fs::write(bin.join("docker"), counting).unwrap();
    std::fs::set_permissions(bin.join("docker"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let name = format!("kasm-db/again:{}", std::process::id());
    docker(&["tag", BARE, &name]);
    let first = inspect_from(home.path(), BARE);
    let second = inspect_from(home.path(), BARE);
    let other = inspect_from(home.path(), &name);
    docker(&["rmi", &name]);
    assert_eq!(first, second);
    assert_eq!(String::from_utf8(first).unwrap().replace(BARE, &name), String::from_utf8(other).unwrap());
    // What counts may end after what is counted.
    let bytes = |what: &str| -> Vec<u64> {
        let text = std::fs::read_to_string(&read).unwrap();
        text.lines().filter_map(|line| line.strip_prefix(what)?.trim().parse().ok()).collect()
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while bytes("image inspect").len() < 3 || bytes("image save").is_empty() {
        assert!(std::time::Instant::now() < deadline, "{}", std::fs::read_to_string(&read).unwrap());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let (asked, saved) = (bytes("image inspect"), bytes("image save"));
    assert_eq!((asked.len(), saved.len()), (3, 1));
    assert!(saved[0] > 100 << 20 && asked.iter().all(|bytes| *bytes < 200), "{asked:?} {saved:?}");
}
