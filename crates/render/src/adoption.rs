//! What a document would say of what is there, so that a plan from it is empty.

mod conf;
mod contents;
mod image;

pub use contents::LeftOut;

use model::document::{Target, VERSION};
use model::{Code, DesiredState, Diagnostic, Image, Written};
use serde_json::{Map, Value, json};

use crate::adoption::contents::{Contents, Field, Key, Preloads};
use crate::observe::ObservedState;
use crate::plan::Plan;
use crate::reconcile::reconcile;
use crate::target::{KASM_CONF, TargetKind};
use crate::variable_names::VariableNames;

/// What of an observed target a document says, and what it cannot say.
///
/// It is proved: the document that [`Adoption::document`] writes is valid, a plan from it changes nothing,
/// and nothing stands in that plan's way that did not stand there before.
#[derive(Clone, Debug)]
pub struct Adoption {
    contents: Contents,
    /// Whether trees of the target's kind have a postgresql.conf.
    has_kasm_conf: bool,
    /// Whether the present image includes pgaudit.
    has_pgaudit: bool,
    /// The image with pgaudit that fits the Kasm release that is there.
    kasm_image: Option<Image>,
    /// Blockers and warnings that are there with any document.
    findings: Vec<Diagnostic>,
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
    let names = VariableNames::of(observed.snapshot());
    let stranger = image::stranger(observed).map(|mut finding| {
        names.name_in(&mut finding);
        finding
    });
    let refused: Vec<_> = findings.iter().filter(unreadable).cloned().chain(stranger).collect();
    if !refused.is_empty() {
        return Err(refused);
    }
    let has_pgaudit = image::has_pgaudit(observed);
    let mut adoption = Adoption {
        contents: Contents::default(),
        has_kasm_conf: !matches!(observed.target.kind, TargetKind::Files { .. }),
        has_pgaudit,
        kasm_image: if has_pgaudit { None } else { observed.kasm_image() },
        findings,
    };
    image::adopt(observed, &mut adoption.contents);
    conf::adopt(observed, all_settings, &names, &mut adoption.contents);
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
    /// Returns what is there and stays out of the document.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.contents.left_out
    }

    /// Returns the blockers and warnings that a plan from any document meets.
    pub fn findings(&self) -> &[Diagnostic] {
        &self.findings
    }

    /// Returns what the document says, by the names of its keys.
    pub fn subjects(&self) -> impl Iterator<Item = String> {
        self.contents.fields.iter().map(|field| field.key.subject())
    }

    /// Writes the document, with comments, for a target that was observed.
    pub fn document(&self, target: &Target) -> String {
        self.written(Some(target)).text().to_string()
    }

    /// Returns why a plan from the document would not be empty, or would be refused where nothing was before.
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

    /// Returns whether a blocker stands in the way of any document.
    pub fn is_known(&self, blocker: &Diagnostic) -> bool {
        let same = |old: &Diagnostic| {
            old.code == blocker.code
                && old.location == blocker.location
                && (old.location.is_some() || old.message == blocker.message)
        };
        self.findings.iter().filter(|finding| finding.is_error()).any(same)
    }

    /// Tries every entry by itself, on top of image and major, and leaves out those that do not hold.
    fn keep_what_holds(&mut self, observed: &ObservedState) -> Result<(), Vec<Diagnostic>> {
        let fields = std::mem::take(&mut self.contents.fields);
        let is_base = |field: &Field| matches!(field.key, Key::Image | Key::PostgresMajor);
        let (base, others): (Vec<_>, Vec<_>) = fields.into_iter().partition(is_base);
        let mut kept: Vec<Field> = Vec::new();
        for field in base {
            self.contents.fields = [kept.clone(), vec![field.clone()]].concat();
            match self.fault(observed) {
                None => kept.push(field),
                Some(why) => self.contents.leave_out(field.key, Some(field.value), why),
            }
        }
        let base = kept.len();
        for field in others {
            self.contents.fields = [kept[..base].to_vec(), vec![field.clone()]].concat();
            match self.fault(observed) {
                None => kept.push(field),
                Some(why) => self.contents.leave_out(field.key, Some(field.value), why),
            }
        }
        self.contents.fields = kept;
        match self.fault(observed) {
            None => Ok(()),
            Some(why) => Err(vec![
                Diagnostic::error(Code::NotProved, format!("no document fits what is there: {why}"))
                    .help("write the document by hand, and report this"),
            ]),
        }
    }

    fn written(&self, target: Option<&Target>) -> Written {
        let mut to = Written::default();
        if let Some(id) = model::schema::id() {
            to.line(&format!("# yaml-language-server: $schema={id}"));
        }
        let is_blocked = self.findings.iter().any(Diagnostic::is_error);
        let plan = if is_blocked { "refuses what is wrong there" } else { "finds nothing to do" };
        to.comment(&format!(
            "Written by `kasm-db import` from what is there: `kasm-db plan` {plan}.\n\
             What is not named here is not managed, and stays as it is."
        ));
        to.line(&format!("schema: {VERSION}"));
        for key in [Key::Image, Key::PostgresMajor] {
            let name = key.subject();
            if let Some(field) = self.contents.fields.iter().find(|field| field.key == key) {
                to.gap();
                field.note.iter().for_each(|note| to.comment(note));
                to.field(&name, &field.value);
            }
            for left in self.contents.left_out.iter().filter(|left| left.key == key) {
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
        if self.contents.conf.is_none() && self.has_kasm_conf {
            to.gap();
            to.comment(&format!("There is no {KASM_CONF} here, so the image is all that can be managed."));
        }
        if self.contents.conf == Some(Preloads::Nothing) {
            to.gap();
            let nothing = "Nothing is preloaded, and so nothing is audited.";
            let use_image = "To audit, use an image that includes pgaudit";
            to.comment(&match &self.kasm_image {
                _ if self.has_pgaudit => format!("{nothing} To audit:"),
                Some(image) => format!("{nothing}\n{use_image}, such as {image}:"),
                None => format!("{nothing}\n{use_image}:"),
            });
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
        let left: Vec<_> = self.contents.left_out.iter().filter(|left| of(&left.key).is_some()).collect();
        let fields: Vec<_> =
            self.contents.fields.iter().filter_map(|field| Some((of(&field.key)?, field))).collect();
        if left.is_empty() && fields.is_empty() {
            return;
        }
        to.gap();
        for left in left {
            to.comment(&format!("`{}` is left out: {}", left.subject, left.why));
        }
        if fields.is_empty() {
            return;
        }
        to.open(name);
        for (key, field) in fields {
            field.note.iter().for_each(|note| to.comment(note));
            to.field(key, &field.value);
        }
        to.close();
    }
}

/// Returns a target as the document writes it.
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
