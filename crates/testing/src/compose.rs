//! Compose files in memory, the laws of an edit, and the opinion of the real Compose.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use render::Plan;
use serde_json::Value;

use crate::{Memory, desired, files, repository};

/// The one compose file of a corpus case.
pub const FILE: &str = "docker-compose.yaml";

/// Plans `document` for one service of one compose file, with the major of PostgreSQL free to change.
pub fn plan(bytes: &[u8], service: &str, document: &str) -> Plan {
    let target = files(&[FILE], None, Some(service));
    let mut plan = crate::plan(&desired(document), &target, &Memory::new([(FILE, bytes)]));
    plan.allow(&["major-change".into(), "not-postgres".into()]);
    plan
}

/// A document that wants nothing but an image.
pub fn wanting(image: &str) -> String {
    format!("schema: kasm-db/v1\nimage: {image}\npostgres_major: 14\n")
}

/// What came of setting an image.
#[derive(Debug)]
pub enum Outcome {
    /// The bytes after the edit, and how many places changed.
    Set(Vec<u8>, usize),
    /// The code and the message of the first blocker.
    Refused(model::Code, String),
}

/// Sets the image of a service and checks the four laws on the way.
///
/// The error says which law does not hold, and how.
pub fn set_image(bytes: &[u8], service: &str, image: &str) -> Result<Outcome, String> {
    let nothing = plan(bytes, service, "schema: kasm-db/v1\n");
    if !nothing.is_empty() {
        return Err("GetPut: an edit where nothing is wanted".into());
    }
    let first = plan(bytes, service, &wanting(image));
    if let Some(blocker) = first.blockers().next() {
        if blocker.code == model::Code::NotProved {
            return Err(format!("not proved: {}", blocker.message));
        }
        return Ok(Outcome::Refused(blocker.code, blocker.message.clone()));
    }
    let [file] = &first.files[..] else {
        return Err(format!("{} files change", first.files.len()));
    };
    let after = file.after.clone();
    local(bytes, &after, &file.edit)?;
    let second = plan(&after, service, &wanting(image));
    if !second.is_empty() || second.is_blocked() {
        return Err("Idempotence: the second plan is not empty".into());
    }
    let back = plan(&after, service, "schema: kasm-db/v1\n");
    if !back.is_empty() {
        return Err("GetPut: an edit where nothing is wanted, after the edit".into());
    }
    Ok(Outcome::Set(after.to_vec(), file.edit.replacements().len()))
}

/// Checks that only what the edit names changed, and that it names no more than scalars and lines.
fn local(before: &[u8], after: &[u8], edit: &render::TextEdit) -> Result<(), String> {
    let (mut b, mut a) = (0, 0);
    let mut added = 0;
    for replacement in edit.replacements() {
        let same = replacement.range.start - b;
        if before[b..b + same] != after[a..a + same] {
            return Err(format!("Locality: bytes before {b} differ outside the edit"));
        }
        let old = &before[replacement.range.clone()];
        let lines = |text: &[u8]| text.iter().filter(|&&byte| byte == b'\n').count();
        let trimmed = old.trim_ascii();
        if lines(trimmed) > 0 && !trimmed.starts_with(b"|") && !trimmed.starts_with(b">") {
            return Err(format!("Locality: {} lines are replaced at once", lines(trimmed) + 1));
        }
        added += lines(&replacement.text).saturating_sub(lines(old));
        (b, a) = (replacement.range.end, a + same + replacement.text.len());
    }
    if before[b..] != after[a..] {
        return Err("Locality: bytes behind the edit differ".into());
    }
    if added > edit.replacements().len() {
        return Err(format!("Locality: {added} lines are added"));
    }
    Ok(())
}

/// A file, and one of the [`WAYS`].
type Question = (Vec<u8>, usize);

/// The real Compose, asked for what it reads; the same question is asked once.
pub struct Compose {
    binary: PathBuf,
    known: Mutex<BTreeMap<Question, Result<Value, String>>>,
}

/// Ways to ask: as it is, with a value for every variable, without replacing variables.
pub const WAYS: usize = 3;

impl Compose {
    /// Finds the binary, installing it where it is missing.
    pub fn find() -> Result<Self, String> {
        let script = repository().join("scripts/get-compose").display().to_string();
        let output = Command::new(&script)
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| format!("{script}: {error}"))?;
        let binary = String::from_utf8_lossy(&output.stdout).trim().to_string();
        if !output.status.success() || binary.is_empty() {
            return Err(format!("{script} gives no binary"));
        }
        Ok(Self { binary: binary.into(), known: Mutex::default() })
    }

    /// Returns what `config` makes of a file, asked in one of the [`WAYS`]; the error is Compose's own.
    pub fn config(&self, bytes: &[u8], way: usize) -> Result<Value, String> {
        let question = (bytes.to_vec(), way);
        if let Some(known) = self.known.lock().unwrap().get(&question) {
            return known.clone();
        }
        let answer = self.ask(bytes, way);
        self.known.lock().unwrap().insert(question, answer.clone());
        answer
    }

    /// Returns the image of every service of a project of files, of which Compose is given those in `main`; the error is
    /// Compose's own.
    pub fn images(
        &self,
        files: &[(&str, &[u8])],
        main: &[&str],
    ) -> Result<BTreeMap<String, Option<String>>, String> {
        let folder = tempfile::tempdir().unwrap();
        for (path, bytes) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let mut command = Command::new(&self.binary);
        for path in main {
            command.args(["-f", path]);
        }
        command
            .args(["--project-name", "random", "config", "--format", "json", "--no-env-resolution"])
            .current_dir(folder.path())
            .env_clear()
            .env("HOME", "/nowhere")
            .env("COMPOSE_PROFILES", "*");
        let mut output = command.output().unwrap();
        for _ in 0..8 {
            // Compose says so of some projects in one run and not in the next, by the order of a map.
            if !String::from_utf8_lossy(&output.stderr).contains("Circular reference") {
                break;
            }
            output = command.output().unwrap();
        }
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_string());
        }
        let project: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
        let services = project["services"].as_object().into_iter().flatten();
        Ok(services
            .map(|(name, service)| (name.clone(), service["image"].as_str().map(String::from)))
            .collect())
    }

    /// Returns whether `config` takes a file as it is, with everything that it checks; the error is Compose's own. `others` are
    /// empty files beside it, and `value` is that of every variable.
    pub fn takes(&self, bytes: &[u8], others: &[String], value: Option<&str>) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        for path in others {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        std::fs::write(folder.path().join(FILE), bytes).unwrap();
        let output = Command::new(&self.binary)
            .args(["--project-name", "rendered", "config", "--quiet"])
            .current_dir(folder.path())
            .env_clear()
            .env("HOME", "/nowhere")
            .env("COMPOSE_PROFILES", "*")
            .envs(
                value
                    .into_iter()
                    .flat_map(|value| variables(bytes).into_iter().map(move |name| (name, value))),
            )
            .output()
            .unwrap();
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr)
                .replace(&*folder.path().to_string_lossy(), "")
                .trim()
                .to_string()),
        }
    }

    /// Returns what `config --environment` says of a `.env` file, in an empty environment; the error is Compose's own.
    pub fn environment(&self, env: &str) -> Result<BTreeMap<String, String>, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".env"), env).unwrap();
        std::fs::write(folder.path().join(FILE), "services: {}\n").unwrap();
        let mut command = Command::new(&self.binary);
        command.args(["--project-name", "random", "-f", FILE, "config", "--environment"]);
        let output = command.current_dir(folder.path()).env_clear().env("HOME", "/nowhere").output().unwrap();
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_string());
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        let mut last: Option<String> = None;
        for line in text.lines() {
            let is_name = |name: &str| {
                !name.is_empty()
                    && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
            };
            match line.split_once('=').filter(|(name, _)| is_name(name)) {
                Some((name, value)) => {
                    all.insert(name.to_string(), value.to_string());
                    last = Some(name.to_string());
                }
                // A value of several lines.
                None => {
                    if let Some(value) = last.as_ref().and_then(|name| all.get_mut(name)) {
                        value.push('\n');
                        value.push_str(line);
                    }
                }
            }
        }
        Ok(all)
    }

    fn ask(&self, bytes: &[u8], way: usize) -> Result<Value, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), bytes).unwrap();
        let mut command = Command::new(&self.binary);
        command
            .args(["--project-name", "corpus", "config", "--format", "json"])
            .args(["--no-consistency", "--no-env-resolution"])
            .current_dir(folder.path())
            .env_clear()
            .env("HOME", "/nowhere")
            // Services of every profile count.
            .env("COMPOSE_PROFILES", "*")
            .envs([("KASM_UID", "1"), ("KASM_GID", "1")]);
        match way {
            0 => {}
            1 => {
                command.envs(variables(bytes).into_iter().map(|name| (name, "1")));
            }
            _ => {
                command.arg("--no-interpolate");
            }
        }
        let output = command.output().unwrap();
        // The folder's name is another one each time.
        let text = |bytes: &[u8]| {
            String::from_utf8_lossy(bytes).replace(&*folder.path().to_string_lossy(), "/project")
        };
        if !output.status.success() {
            return Err(text(&output.stderr).trim().lines().last().unwrap_or_default().to_string());
        }
        serde_json::from_str(&text(&output.stdout)).map_err(|error| error.to_string())
    }
}

/// Lists the names that stand behind `$` and `${`.
fn variables(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let names = text.split('$').skip(1).map(|rest| {
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>()
    });
    names.filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')).collect()
}
