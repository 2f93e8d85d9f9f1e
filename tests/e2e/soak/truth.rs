//! What holds, by the server's and the engine's own answers: nothing of `kasm-db` is asked.

use std::os::unix::fs::MetadataExt as _;
use std::process::Output;

use super::site::{CONF, INSIDE, Site};

/// What holds for a deployment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Truth {
    /// Everything is as declared, also at the next start.
    InOrder,
    /// The server answers, and something is not as declared.
    Differs(String),
    /// The server does not answer.
    Down(String),
}

/// The settings that the document declares.
const NAMES: &str = "('max_connections', 'work_mem', 'shared_preload_libraries', 'pgaudit.log')";

impl Site {
    /// Asks the engine and the server.
    pub(super) fn truth(&self) -> Truth {
        let status = self.try_docker(&["inspect", "--format", "{{.State.Status}}", &self.bed.name]);
        let status = match status.status.success() {
            true => text(&status),
            false => return Truth::Down("no container".into()),
        };
        if status != "running" {
            return Truth::Down(status);
        }
        let sql = format!(
            "SELECT 'now|' || name || '|' || current_setting(name) FROM pg_settings WHERE name IN {NAMES};\n\
             SELECT 'next|' || lower(name) || '|' || setting FROM pg_file_settings WHERE lower(name) IN {NAMES} ORDER BY seqno;\n\
             SELECT 'wrong|' || sourcefile || '|' || error FROM pg_file_settings\n\
             WHERE error IS NOT NULL AND error <> 'setting could not be applied';\n\
             SELECT 'role|' || unnest(setconfig) || '|' FROM pg_db_role_setting;\n\
             SELECT 'extension|' || count(*) || '|' FROM pg_extension WHERE extname = 'pgaudit';"
        );
        let arguments = [
            "exec",
            &self.bed.name,
            "psql",
            "-XqtA",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "kasmapp",
            "-d",
            "kasm",
            "-c",
        ];
        let output = self.try_docker(&[&arguments[..], &[&sql]].concat());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() {
            // A conf that the server's user cannot read keeps it from answering this one alone.
            let answers = self.try_docker(&[&arguments[..], &["SELECT 1"]].concat()).status.success();
            return if answers { Truth::Differs(error) } else { Truth::Down(error) };
        }
        let answer = text(&output);
        let rows: Vec<Vec<&str>> = answer.lines().map(|line| line.splitn(3, '|').collect()).collect();
        let all = |kind: &str| -> Vec<(&str, &str)> {
            rows.iter().filter(|row| row[0] == kind).map(|row| (row[1], row[2])).collect()
        };
        for (name, value) in self.declared() {
            let last =
                |kind: &str| all(kind).into_iter().rfind(|(known, _)| *known == name).map(|(_, value)| value);
            for kind in ["now", "next"] {
                if last(kind) != Some(value.as_str()) {
                    return Truth::Differs(format!("{name}: {kind} {:?}, not {value}", last(kind)));
                }
            }
        }
        if let Some((file, error)) = all("wrong").first() {
            return Truth::Differs(format!("{file}: {error}"));
        }
        let is_declared =
            |(set, _): &&(&str, &str)| self.declared().iter().any(|(name, _)| set.starts_with(name));
        if let Some((set, _)) = all("role").iter().find(is_declared) {
            return Truth::Differs(format!("a role or a database has {set}"));
        }
        if all("extension") != [("1", "")] {
            return Truth::Differs("no extension".into());
        }
        let inode = text(&self.try_docker(&["exec", &self.bed.name, "stat", "-c", "%i", INSIDE]));
        let here = std::fs::metadata(self.bed.tree().join(CONF)).map(|here| here.ino().to_string());
        match here {
            Ok(here) if here == inode => Truth::InOrder,
            other => {
                Truth::Differs(format!("the conf has the inode {inode} in the container, and {other:?} here"))
            }
        }
    }

    /// Asks until the server has read its files, or came up; the last answer counts.
    pub(super) fn settled(&self, wanted: impl Fn(&Truth) -> bool) -> Truth {
        let started = std::time::Instant::now();
        loop {
            let truth = self.truth();
            if wanted(&truth) || started.elapsed().as_secs() > 30 {
                return truth;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }
}

pub(super) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_string()
}
