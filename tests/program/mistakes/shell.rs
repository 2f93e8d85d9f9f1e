//! Runs a case.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Output};

use testing::postgres::{Cluster, Installation};
use testing::{Memory, Sandbox, open_to_all};

use super::case::Case;
use crate::PROGRAM;

/// What came of a case.
pub(super) struct Said {
    /// The exit code.
    pub(super) code: Option<i32>,
    /// What was written, without what differs from run to run.
    pub(super) text: String,
}

/// Runs cases side by side; `None` for one that this machine cannot run.
pub(super) fn all(cases: &[Case]) -> Vec<Option<Said>> {
    std::thread::scope(|scope| {
        let parts = cases.chunks(cases.len().div_ceil(4));
        let threads: Vec<_> =
            parts.map(|part| scope.spawn(|| part.iter().map(one).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

/// What commands may use besides programs.
const FUNCTIONS: &str = "as_user() { setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\"; }\n";

fn one(case: &Case) -> Option<Said> {
    let sandbox = Sandbox::new(PROGRAM);
    let needs_root = case.commands.iter().any(|line| line.contains("as_user") || line.contains("chgrp"));
    if needs_root && fs::metadata(sandbox.root()).unwrap().uid() != 0 {
        assert!(std::env::var_os("CI").is_none(), "{}: this case takes root", case.title);
        return None;
    }
    sandbox.copied_program();
    fs::set_permissions(sandbox.root(), Permissions::from_mode(0o755)).unwrap();
    open_to_all(&sandbox.root().join("examples"));
    let site = sandbox.root().join("examples/existing");
    without_warnings(&sandbox, &site);
    for (path, content) in &case.files {
        fs::write(site.join(path), content).unwrap();
    }
    let (last, before) = case.commands.split_last().unwrap();
    let is_sql = |line: &&String| line.starts_with(SQL);
    let Some(installation) = Installation::find(MAJOR) else {
        assert!(std::env::var_os("CI").is_none(), "there is no PostgreSQL {MAJOR} with pgaudit");
        return before.iter().all(|line| !is_sql(&line)).then(|| ran(&sandbox, &site, case, last, before));
    };
    let cluster = before.iter().any(|line| is_sql(&line)).then(|| {
        let cluster = Cluster::create(&installation, &site.join("server"));
        cluster.stage(&Memory([("postgresql.conf".to_string(), CONF.to_vec())].into()));
        cluster
    });
    let mut server = cluster.as_ref().map(|cluster| cluster.start(&[]).unwrap());
    for line in before.iter().filter(is_sql) {
        let server = server.as_mut().unwrap();
        server.client().query("CREATE EXTENSION IF NOT EXISTS pgaudit").unwrap();
        server.client().query(line.strip_prefix(SQL).unwrap().trim_end_matches('"')).unwrap();
    }
    let before: Vec<_> = before.iter().filter(|line| !is_sql(line)).cloned().collect();
    Some(ran(&sandbox, &site, case, last, &before))
}

/// Changes what every case would be warned about: an image without a digest, and keys that are there twice.
fn without_warnings(sandbox: &Sandbox, site: &Path) {
    let image = "kasmweb/postgres:1.11.0";
    sandbox.edit(&site.join("kasm-db.yaml"), image, &format!("{image}@sha256:{}", "0".repeat(64)));
    let docker = site.join("opt/kasm/1.11.0/docker");
    for folder in [docker.clone(), docker.join(".conf")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let again = "    restart: always\n    logging:";
                let text = fs::read_to_string(&path).unwrap().replace(again, "    logging:");
                fs::write(&path, text).unwrap();
            }
        }
    }
}

const MAJOR: u16 = 15;

/// A statement for a server in the folder `server`.
const SQL: &str = "psql -c \"";

/// The configuration of that server.
const CONF: &[u8] = b"shared_preload_libraries = 'pgaudit'\npgaudit.log = 'read, ddl'\n";

fn ran(sandbox: &Sandbox, site: &Path, case: &Case, last: &str, before: &[String]) -> Said {
    for line in before {
        let output = run(sandbox, site, line);
        assert!(output.status.success(), "{}: {line}: {}", case.title, text(&output, sandbox.root(), site));
    }
    let output = run(sandbox, site, last);
    Said { code: output.status.code(), text: text(&output, sandbox.root(), site) }
}

fn run(sandbox: &Sandbox, site: &Path, line: &str) -> Output {
    let path = std::env::var("PATH").unwrap_or_default();
    let root = sandbox.root().to_str().unwrap();
    let mut command: Command = sandbox.command("sh");
    command.args(["-c", &format!("{FUNCTIONS}{line}")]).current_dir(site);
    command.env("PATH", format!("{root}:{path}")).env("BIN", root).output().unwrap()
}

/// Returns what a command wrote to standard error, and to standard output if it is short: plans are tested elsewhere.
fn text(output: &Output, root: &Path, site: &Path) -> String {
    let of = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (out, err) = (of(&output.stdout), of(&output.stderr));
    let is_plan = out.contains("\n--- a/") || out.contains("\n@@ ");
    let text = if is_plan || out.is_empty() { err } else { format!("{out}{err}") };
    let text = text.replace(site.to_str().unwrap(), "/site").replace(root.to_str().unwrap(), "/root");
    numbered(&text)
}

/// Returns every process the same number.
fn numbered(text: &str) -> String {
    let mut parts = text.split("process ");
    let mut out = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        out.push_str(if rest.len() < part.len() { "process 4711" } else { "process " });
        out.push_str(rest);
    }
    out
}
