//! What a document would say of what is there, so that a plan from it is empty.

mod conf;
mod image;

use model::document::{Target, VERSION};
use model::{Code, DesiredState, Diagnostic, Written};
use serde_json::{Map, Value, json};

use crate::observe::ObservedState;
use crate::plan::Plan;
use crate::reconcile::reconcile;
use crate::target::{KASM_CONF, TargetKind};

/// What of an observed target a document says, and what it can not say.
///
/// It is proved: the document that [`Adoption::document`] writes is valid, a plan from it changes nothing,
/// and nothing stands in that plan's way that did not stand there before.
#[derive(Clone, Debug)]
pub struct Adoption {
    entries: Vec<Entry>,
    left_out: Vec<LeftOut>,
    /// Whether the target has a postgresql.conf, and whether what is in force there loads a library.
    conf: Option<Preloads>,
    /// Whether trees of the target's kind have a postgresql.conf.
    has_kasm_conf: bool,
    /// Blockers and warnings that are there with any document.
    findings: Vec<Diagnostic>,
}

/// Something that is there and stays out of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The key of the document, or the setting's name.
    pub subject: String,
    /// Why; it repeats no value that may be secret.
    pub why: String,
    /// What could be written there, were it not for the reason.
    value: Option<Value>,
    key: Key,
}

/// What is preloaded now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Preloads {
    Nothing,
    Something,
}

/// One value of the document.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    key: Key,
    value: Value,
    /// Where the value comes from, where that is not plain.
    note: Option<String>,
}

/// The place of a value in the document.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    Image,
    PostgresMajor,
    Libraries,
    Audit(&'static str),
    Setting(String),
}

impl Key {
    fn subject(&self) -> String {
        match self {
            Self::Image => "image".into(),
            Self::PostgresMajor => "postgres_major".into(),
            Self::Libraries => "preload.libraries".into(),
            Self::Audit(key) => format!("audit.{key}"),
            Self::Setting(name) => name.clone(),
        }
    }
}

/// Gathers what a document would say of what is there: the image, the preload list and pgaudit's settings,
/// and with `all_settings` every other setting that differs from PostgreSQL's sample and is no secret.
///
/// # Errors
/// What keeps everything from being read; the diagnostics say where, and what to do.
pub fn adopt(observed: &ObservedState, all_settings: bool) -> Result<Adoption, Vec<Diagnostic>> {
    let Some(nothing) = read(&format!("schema: {VERSION}\n")).ok() else { return Err(Vec::new()) };
    let findings = reconcile(&nothing, observed).findings;
    let unreadable = |finding: &&Diagnostic| {
        let of_conf = matches!(finding.code, Code::ConfSyntax | Code::ConfInclude);
        finding.is_error() && (of_conf || observed.findings.contains(finding))
    };
    let refused: Vec<_> =
        findings.iter().filter(unreadable).cloned().chain(image::stranger(observed)).collect();
    if !refused.is_empty() {
        return Err(refused);
    }
    let mut adoption = Adoption {
        entries: Vec::new(),
        left_out: Vec::new(),
        conf: None,
        has_kasm_conf: !matches!(observed.target.kind, TargetKind::Files { .. }),
        findings,
    };
    image::adopt(observed, &mut adoption);
    conf::adopt(observed, all_settings, &mut adoption);
    if adoption.fault(observed).is_some() {
        adoption.keep_what_holds(observed)?;
    }
    Ok(adoption)
}

fn read(text: &str) -> Result<DesiredState, String> {
    let reading = model::read("kasm-db.yaml", text.as_bytes());
    let first = reading.diagnostics.into_iter().find(Diagnostic::is_error);
    reading.desired.ok_or_else(|| first.map_or_else(String::new, |error| error.message))
}

impl Adoption {
    /// Gives what is there and stays out of the document.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// Gives the blockers and warnings that a plan from any document meets.
    pub fn findings(&self) -> &[Diagnostic] {
        &self.findings
    }

    /// Gives what the document says, by the names of its keys.
    pub fn subjects(&self) -> impl Iterator<Item = String> {
        self.entries.iter().map(|entry| entry.key.subject())
    }

    /// Writes the document, with comments, for a target that was observed.
    pub fn document(&self, target: &Target) -> String {
        self.written(Some(target)).text().to_string()
    }

    fn push(&mut self, key: Key, value: impl Into<Value>, note: Option<String>) {
        self.entries.push(Entry { key, value: value.into(), note });
    }

    fn leave_out(&mut self, key: Key, value: Option<Value>, why: impl Into<String>) {
        self.left_out.push(LeftOut { subject: key.subject(), why: why.into(), value, key });
    }

    /// Says why a plan from the document would not be empty, or would be refused where nothing was before.
    fn fault(&self, observed: &ObservedState) -> Option<String> {
        let desired = match read(self.written(None).text()) {
            Ok(desired) => desired,
            Err(why) => return Some(why),
        };
        let plan = reconcile(&desired, observed);
        if let Some(blocker) = self.new_blocker(&plan) {
            return Some(blocker.message.clone());
        }
        let changed = plan.changes.first().map(|change| change.subject.clone());
        let changed = changed.or_else(|| plan.files.first().map(|file| file.path.clone()));
        changed.map(|subject| format!("a plan would change `{subject}`"))
    }

    /// Finds a blocker that no other document meets; its words may name what the document says.
    fn new_blocker<'a>(&self, plan: &'a Plan) -> Option<&'a Diagnostic> {
        plan.blockers().find(|new| !self.is_known(new))
    }

    /// Tells whether a blocker stands in the way of any document.
    pub fn is_known(&self, blocker: &Diagnostic) -> bool {
        let same = |old: &Diagnostic| {
            old.code == blocker.code
                && old.place == blocker.place
                && (old.place.is_some() || old.message == blocker.message)
        };
        self.findings.iter().filter(|finding| finding.is_error()).any(same)
    }

    /// Tries every entry by itself, on top of image and major, and leaves out those that do not hold.
    fn keep_what_holds(&mut self, observed: &ObservedState) -> Result<(), Vec<Diagnostic>> {
        let entries = std::mem::take(&mut self.entries);
        let is_base = |entry: &Entry| matches!(entry.key, Key::Image | Key::PostgresMajor);
        let (base, others): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_base);
        let mut kept: Vec<Entry> = Vec::new();
        for entry in base {
            self.entries = [kept.clone(), vec![entry.clone()]].concat();
            match self.fault(observed) {
                None => kept.push(entry),
                Some(why) => self.leave_out(entry.key, Some(entry.value), why),
            }
        }
        let base = kept.len();
        for entry in others {
            self.entries = [kept[..base].to_vec(), vec![entry.clone()]].concat();
            match self.fault(observed) {
                None => kept.push(entry),
                Some(why) => self.leave_out(entry.key, Some(entry.value), why),
            }
        }
        self.entries = kept;
        match self.fault(observed) {
            None => Ok(()),
            Some(why) => Err(vec![
                Diagnostic::error(Code::NotProved, format!("no document fits what is there: {why}"))
                    .help("write the document by hand, and report this please"),
            ]),
        }
    }

    fn written(&self, target: Option<&Target>) -> Written {
        let mut to = Written::default();
        to.line(&format!("# yaml-language-server: $schema={}", model::schema::ID));
        let is_blocked = self.findings.iter().any(Diagnostic::is_error);
        let plan = if is_blocked { "refuses what is wrong there" } else { "finds nothing to do" };
        to.comment(&format!(
            "Written by `kasm-db import` from what is there: `kasm-db plan` {plan}.\n\
             What is not named here is not managed, and stays as it is."
        ));
        to.line(&format!("schema: {VERSION}"));
        for key in [Key::Image, Key::PostgresMajor] {
            let name = key.subject();
            if let Some(entry) = self.entries.iter().find(|entry| entry.key == key) {
                to.gap();
                entry.note.iter().for_each(|note| to.comment(note));
                to.field(&name, &entry.value);
            }
            for left in self.left_out.iter().filter(|left| left.key == key) {
                to.gap();
                to.comment(&left.why);
                left.value.iter().for_each(|value| to.hint(&name, value));
            }
        }
        self.section(&mut to, "preload", |key| matches!(key, Key::Libraries).then_some("libraries"));
        self.section(&mut to, "audit", |key| match key {
            Key::Audit(key) => Some(key),
            _ => None,
        });
        self.section(&mut to, "settings", |key| match key {
            Key::Setting(name) => Some(name),
            _ => None,
        });
        if self.conf.is_none() && self.has_kasm_conf {
            to.gap();
            to.comment(&format!("There is no {KASM_CONF} here, so the image is all that can be managed."));
        }
        if self.conf == Some(Preloads::Nothing) {
            to.gap();
            to.comment("Nothing is preloaded, and so nothing is audited. With an image that brings pgaudit:");
            to.hint("preload", &json!({"libraries": ["pgaudit"]}));
            to.hint("audit", &json!({"classes": ["read", "write", "ddl"]}));
        }
        if let Some(target) = target {
            to.gap();
            to.field("targets", &Value::Array(vec![of_target(target)]));
        }
        to
    }

    /// Writes one mapping of the document, after what was left out of it.
    fn section(&self, to: &mut Written, name: &str, of: impl Fn(&Key) -> Option<&str>) {
        let left: Vec<_> = self.left_out.iter().filter(|left| of(&left.key).is_some()).collect();
        let entries: Vec<_> =
            self.entries.iter().filter_map(|entry| Some((of(&entry.key)?, entry))).collect();
        if left.is_empty() && entries.is_empty() {
            return;
        }
        to.gap();
        for left in left {
            to.comment(&format!("`{}` is left out: {}", left.subject, left.why));
        }
        if entries.is_empty() {
            return;
        }
        to.open(name);
        for (key, entry) in entries {
            entry.note.iter().for_each(|note| to.comment(note));
            to.field(key, &entry.value);
        }
        to.close();
    }
}

/// Gives a target as the document writes it.
fn of_target(target: &Target) -> Value {
    let mut map = Map::new();
    map.insert("name".into(), json!(target.name));
    for (key, folder) in [("deployment", &target.deployment), ("installer", &target.installer)] {
        folder.iter().for_each(|folder| drop(map.insert(key.into(), json!(folder))));
    }
    if let Some(files) = &target.files {
        let mut inner = Map::new();
        if !files.compose.is_empty() {
            inner.insert("compose".into(), json!(files.compose));
        }
        for (key, value) in [("postgresql_conf", &files.postgresql_conf), ("service", &files.service)] {
            value.iter().for_each(|value| drop(inner.insert(key.into(), json!(value))));
        }
        map.insert("files".into(), Value::Object(inner));
    }
    Value::Object(map)
}
