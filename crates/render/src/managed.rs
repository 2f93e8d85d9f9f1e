//! Everything that a document asks for beside what is there, also what does not change.

use model::audit::ClassSet;
use model::{Compare, DesiredState, Image};

use crate::observe::{ObservedDatabase, ObservedState};
use crate::reconcile::{PRELOAD, in_force};
use crate::redact;
use crate::variable_names::VariableNames;

/// One thing that the document asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Managed {
    /// What it is.
    pub kind: ManagedKind,
    /// `services.db.image`, the setting's name, or the database of an extension.
    pub subject: String,
    /// The file that says it or would, relative to the target's root; none for an extension.
    pub path: Option<String>,
    /// What the document says; nothing for a setting that must not be set.
    pub declared: Option<String>,
    /// What the files say, as it may be shown; nothing if they do not say.
    pub found: Option<String>,
    /// What the files say as it is, where it may be a secret and `found` hides it.
    pub secret: Option<String>,
    /// Whether the files are as the document says; unknown if they cannot be read, or only the server knows.
    pub in_sync: Option<bool>,
}

/// What a [`Managed`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManagedKind {
    /// The image of the database's service.
    Image,
    /// The preload list.
    Preload,
    /// A setting that must have a value.
    Setting,
    /// A setting that must not be set.
    Unset,
    /// pgaudit's extension in a database; no file tells whether it is there.
    Extension,
}

/// The setting with the classes that are audited.
const CLASSES: &str = "pgaudit.log";

/// Lists everything that a document asks for, with what the files of a target say; without them, nothing is known of it but
/// what is declared.
pub fn managed(desired: &DesiredState, observed: Option<&ObservedState>) -> Vec<Managed> {
    let mut all = Vec::new();
    if let Some(wanted) = desired.image() {
        let databases = observed.map_or(&[][..], |observed| &observed.databases);
        if databases.is_empty() {
            all.push(unknown(ManagedKind::Image, "image", Some(wanted.to_string())));
        }
        all.extend(databases.iter().map(|database| image(wanted, database)));
    }
    let major = desired.postgres_major();
    let readable = observed.and_then(|observed| Some((observed, observed.conf.as_ref()?)));
    let readable = readable.filter(|(_, conf)| conf.is_readable());
    let mut add = |kind, name: &str, declared: Option<String>, same: &dyn Fn(Option<&[u8]>) -> bool| {
        let Some((observed, conf)) = readable else {
            all.push(unknown(kind, name, declared));
            return;
        };
        let (value, by) = in_force(name, major, observed, conf).unzip();
        let path = Some(conf.path.clone());
        let in_sync = Some(same(value.as_deref()));
        let (found, secret) = value.map_or((None, None), |value| {
            let classes = ClassSet::parse(&value).filter(|_| name == CLASSES).map(ClassSet::list);
            let text = classes.unwrap_or_else(|| String::from_utf8_lossy(&value).into_owned());
            // A command line that does not say what is wanted, or that has more in a list, and a list that is none, may say
            // anything.
            let is_elsewhere = by.flatten().is_some();
            let has_variable = || VariableNames::of(observed.snapshot()).in_text(&text).is_some();
            let is_strange = (is_elsewhere && (in_sync != Some(true) || has_variable()))
                || (kind == ManagedKind::Preload && pgconf::split_libraries(&value).is_none());
            let may_be_secret = is_strange || redact::may_be_secret_before(name, &value);
            let (found, secret) = redact::split(text, may_be_secret);
            (Some(found), secret)
        });
        all.push(Managed { kind, subject: name.to_string(), path, declared, found, secret, in_sync });
    };
    if let Some(wanted) = desired.preload() {
        let same = |value: Option<&[u8]>| model::preload_is_met(value.unwrap_or_default(), wanted);
        add(ManagedKind::Preload, PRELOAD, Some(wanted.libraries.join(", ")), &same);
    }
    for setting in desired.settings() {
        let same = |value: Option<&[u8]>| {
            value.is_some_and(|value| setting.compare.is_same(value, setting.value.as_bytes()))
        };
        // A policy asks for a class, and not for how a list comes to it: `all, -ddl` does not audit `ddl`.
        let declared = match setting.compare {
            Compare::Classes(set) => set.list(),
            _ => redact::declared(&setting.name, setting.value.clone()),
        };
        add(ManagedKind::Setting, &setting.name, Some(declared), &same);
    }
    for name in desired.unset() {
        add(ManagedKind::Unset, name, None, &|value| value.is_none());
    }
    for database in desired.extension_databases() {
        all.push(unknown(ManagedKind::Extension, database, Some("pgaudit".into())));
    }
    all
}

fn unknown(kind: ManagedKind, subject: &str, declared: Option<String>) -> Managed {
    let subject = subject.to_string();
    Managed { kind, subject, path: None, declared, found: None, secret: None, in_sync: None }
}

fn image(wanted: &Image, observed: &ObservedDatabase) -> Managed {
    let database = &observed.database;
    let subject = format!("services.{}.image", database.service);
    let declared = Some(wanted.to_string());
    let Ok(site) = &database.site else { return unknown(ManagedKind::Image, &subject, declared) };
    let text = site.text();
    let resolved = text.and_then(|text| text.resolved.as_deref().ok());
    let is_met = |text: &str| Image::parse(text).is_ok_and(|found| wanted.is_met_by(&found));
    let in_sync = match (text, resolved) {
        // Only whoever starts the deployment knows what the variable is.
        (Some(_), None) => None,
        (_, resolved) => Some(resolved.is_some_and(is_met)),
    };
    // As it is written: what a variable makes of it may be a secret of another application.
    let (found, secret) = match text.map(|text| text.raw.trim()) {
        None => (None, None),
        Some(text) => {
            let (found, secret) = redact::split(text.to_string(), redact::has_user(text));
            (Some(found), secret)
        }
    };
    let path = Some(database.file(site).path.clone());
    Managed { kind: ManagedKind::Image, subject, path, declared, found, secret, in_sync }
}
