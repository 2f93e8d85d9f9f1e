//! What `inspect` says of images is what their own servers say.

use std::collections::BTreeSet;
use std::fmt::Write as _;
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
    let mut command = Command::new(env!("CARGO_BIN_EXE_kasm-db"));
    command.args(["inspect", subject, "--format", "json"]).env("DOCKER_HOST", engine().unwrap());
    let out = command.output().unwrap();
    assert!(out.status.success(), "{out:?}");
    serde_json::from_slice::<Value>(&out.stdout).unwrap()["image"].clone()
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
