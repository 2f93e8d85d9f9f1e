//! Real files: those below the folder that `KASM_DB_CORPUS` names.
//!
//! They are other people's and no part of this repository. The folder holds `kasm/<version>` trees and
//! `pgconf/{sample,real}` files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use kasm_db_render::{Target, TargetKind};
use model::postgres::{self, Context};
use testing::laws::laws;
use testing::{Memory, desired, files_target, plan};

pub(crate) fn root() -> Option<PathBuf> {
    let root = std::env::var_os("KASM_DB_CORPUS").map(PathBuf::from);
    if root.is_none() {
        #[allow(clippy::print_stderr, reason = "a test that looks at nothing must say so")]
        {
            eprintln!("KASM_DB_CORPUS is not set: no real files are looked at");
        }
    }
    root
}

pub(crate) fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    assert!(!entries.is_empty(), "{} is empty", folder.display());
    entries
}

pub(crate) fn tree(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for path in entries(folder) {
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            tree(&path, &format!("{name}/"), files);
        } else {
            files.insert(name, fs::read(&path).unwrap());
        }
    }
}

/// Makes of an installer what it installs.
pub(crate) fn installed(installer: &Memory) -> Memory {
    let mut deployment = installer.clone();
    for (name, bytes) in &installer.0 {
        if let Some(copy) = name.strip_prefix("docker/docker-compose-") {
            deployment.0.insert(format!("docker/.conf/docker-compose-{copy}"), bytes.clone());
        }
    }
    let all = installer.get("docker/docker-compose-all.yaml").to_vec();
    deployment.0.insert("docker/docker-compose.yaml".into(), all);
    deployment
}

const DOCUMENT: &str = "\
preload: {libraries: [pgaudit]}
audit: {classes: [read, write, ddl], log_relation: true}
settings: {log_min_duration_statement: 250ms, work_mem: 5MB, my.flag: 'it''s'}
unset: [log_line_prefix, shared_buffers]
";

/// Returns the same bytes as other tools would leave them.
fn variants(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let replaced = |end: &[u8]| {
        bytes.split_inclusive(|&b| b == b'\n').fold(Vec::new(), |mut out: Vec<u8>, line| {
            match line.strip_suffix(b"\n") {
                Some(line) => {
                    out.extend(line);
                    out.extend(end);
                }
                None => out.extend(line),
            }
            out
        })
    };
    let closed: &[u8] = bytes.trim_ascii_end();
    vec![
        ("as it is", bytes.to_vec()),
        ("CRLF", replaced(b"\r\n")),
        ("no final newline", closed.to_vec()),
        ("final blank lines", [closed, b"\n\n \t\n\n"].concat()),
        ("trailing blanks", replaced(b" \t \n")),
    ]
}

#[test]
fn the_laws_hold_for_every_conf_of_the_corpus() {
    let Some(root) = root() else { return };
    let (mut all, mut refused) = (0, 0);
    for folder in ["pgconf/sample", "pgconf/real"] {
        for path in entries(&root.join(folder)) {
            for (variant, bytes) in variants(&fs::read(&path).unwrap()) {
                // The other majors see the file as it is: what they differ in is no matter of line ends.
                let majors = if variant == "as it is" { postgres::MAJORS } else { 14..=14 };
                for major in majors {
                    let text = format!("schema: kasm-db/v1\npostgres_major: {major}\n{DOCUMENT}");
                    let files = Memory::new([("postgresql.conf", &bytes)]);
                    let (plan, after) = laws(&desired(&text), &files_target(&files), &files);
                    all += 1;
                    refused += usize::from(plan.is_blocked());
                    let other = ["my.flag", "log_min_duration_statement"];
                    let written = pgconf::Conf::parse(after.get("postgresql.conf"));
                    let is_set = other.iter().all(|name| written.effective(name).is_some());
                    assert!(plan.is_blocked() || is_set, "{} ({variant})", path.display());
                }
            }
        }
    }
    assert!(refused * 2 < all, "{refused} of {all} were refused: the laws say little");
}

#[test]
fn a_document_of_every_setting_that_is_there_plans_nothing() {
    let Some(root) = root() else { return };
    for folder in ["pgconf/sample", "pgconf/real"] {
        for path in entries(&root.join(folder)) {
            let bytes = fs::read(&path).unwrap();
            for major in [12, 16, 18] {
                let files = Memory::new([("postgresql.conf", &bytes)]);
                let target = files_target(&files);
                let document = settings_of(&bytes, major);
                let plan = plan(&desired(&document), &target, &files);
                assert!(plan.is_empty(), "{} {:#?}", path.display(), plan.changes);
            }
        }
    }
}

/// Writes a document that asks for what a conf sets already.
fn settings_of(bytes: &[u8], major: u16) -> String {
    let conf = pgconf::Conf::parse(bytes);
    let mut settings = serde_json::Map::new();
    for entry in conf.entries() {
        let Ok(name) = String::from_utf8(conf.name(entry).to_ascii_lowercase()) else { continue };
        let value = conf.effective(&name).map(|entry| conf.value(entry)).unwrap_or_default();
        let Some(row) = postgres::lookup(&name, major) else { continue };
        let managed = row.context != Context::Internal && name != "shared_preload_libraries";
        let valid = pgconf::value::check(&row.value, &value).is_ok();
        if let (true, true, Ok(value)) = (managed, valid, String::from_utf8(value)) {
            settings.insert(name, value.into());
        }
    }
    serde_json::json!({"schema": "kasm-db/v1", "postgres_major": major, "settings": settings}).to_string()
}

#[test]
fn the_laws_hold_for_every_release_as_installer_and_as_deployment() {
    let Some(root) = root() else { return };
    for path in entries(&root.join("kasm")) {
        let mut installer = Memory::default();
        tree(&path, "", &mut installer.0);
        let deployment = installed(&installer);
        for image in
            ["kasmweb/postgres:1.12.0", "kasmweb/postgres:1.16.1", "postgres:9.5-alpine", "example.org/db:1"]
        {
            for document in
                [format!("image: {image}\n"), format!("image: {image}\n{DOCUMENT}"), DOCUMENT.to_string()]
            {
                let desired = desired(&format!("schema: kasm-db/v1\n{document}"));
                for (kind, files) in
                    [(TargetKind::Installer, &installer), (TargetKind::Deployment, &deployment)]
                {
                    let target = Target { name: "t".into(), kind };
                    let (plan, _) = laws(&desired, &target, files);
                    for file in plan.files.iter().filter(|file| file.path.contains("compose")) {
                        assert_eq!(file.edit.replacements().len(), 1, "{}", file.path);
                    }
                }
            }
        }
    }
}
