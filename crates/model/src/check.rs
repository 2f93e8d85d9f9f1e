//! The checks beyond the schema, from a typed document to the desired state.

use std::collections::HashMap;

use crate::audit::{Class, ClassSet};
use crate::code::Code;
use crate::desired::{Compare, DesiredPreload, DesiredSetting, DesiredState};
use crate::diagnostic::{Diagnostic, Place};
use crate::document::{Document, Mode};
use crate::image::Image;
use crate::read::MAX_DIAGNOSTICS;
use crate::release::Release;
use crate::settings::{MAJORS, PGAUDIT, PgauditKind, PgauditSetting};
use crate::texts::{Spot, Texts};

mod settings;

struct Checker<'a, 'd> {
    texts: &'a Texts<'a>,
    diagnostics: &'d mut Vec<Diagnostic>,
}

/// Checks a document; the desired state means something only where no error was reported.
pub(crate) fn check(
    document: Document,
    texts: &Texts<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<DesiredState> {
    let mut checker = Checker { texts, diagnostics };
    let image = checker.image(&document);
    let postgres_major = checker.major(&document, image.as_ref());
    let preload = checker.preload(&document);
    let mut settings = checker.audit(&document, postgres_major);
    let audits = document.audit.as_ref().is_some_and(|audit| {
        let classes = audit.classes.as_ref().and_then(|items| ClassSet::of(items.iter().map(String::as_str)));
        classes.is_some_and(|set| !set.is_empty()) || audit.role.as_ref().is_some_and(|role| !role.is_empty())
    });
    checker.audit_needs_pgaudit(audits, preload.as_ref());
    settings.extend(checker.settings(&document, postgres_major));
    let unset = checker.unset(&document, &settings, postgres_major);
    checker.targets(&document);
    let verify = document.verify.unwrap_or_default();
    let extension_databases = match &document.audit {
        Some(audit) if audits && audit.extension != Some(false) => {
            audit.databases.clone().unwrap_or_else(|| vec![verify.database().to_string()])
        }
        _ => Vec::new(),
    };
    Some(DesiredState {
        image,
        postgres_major,
        preload,
        settings,
        unset,
        audits,
        extension_databases,
        targets: document.targets,
        restart: document.restart.unwrap_or_default(),
        verify,
    })
}

impl Checker<'_, '_> {
    fn place(&self, spot: Spot) -> Place {
        if self.diagnostics.len() >= MAX_DIAGNOSTICS {
            return Place { path: String::new(), span: spot.span, line: 0, column: 0 };
        }
        self.texts.place(spot)
    }

    fn value(&self, pointer: &str) -> Place {
        self.place(self.value_spot(pointer))
    }

    fn value_spot(&self, pointer: &str) -> Spot {
        self.texts.value(0..self.texts.len(), pointer)
    }

    fn key(&self, pointer: &str) -> Place {
        self.place(self.texts.key(0..self.texts.len(), pointer))
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        // Warnings leave room for errors, so that none of those gets lost.
        let limit = if diagnostic.is_error() { MAX_DIAGNOSTICS } else { MAX_DIAGNOSTICS / 2 };
        if self.diagnostics.len() < limit {
            self.diagnostics.push(diagnostic);
        }
    }

    fn image(&mut self, document: &Document) -> Option<Image> {
        let text = document.image.as_deref()?;
        let spot = self.value_spot("/image");
        let place = self.place(spot.clone());
        let image = match Image::parse(text) {
            Ok(image) => image,
            Err(error) => {
                let mut at = place;
                // Behind the quote, if there is one, and only where no escape moves the offset.
                let quote =
                    usize::from(matches!(self.texts.bytes(spot.text).get(at.span.start), Some(b'"' | b'\'')));
                if at.span.len() == text.len() + 2 * quote {
                    let start = at.span.start + quote + error.offset;
                    let wide = text
                        .get(error.offset..)
                        .and_then(|rest| rest.chars().next())
                        .map_or(0, char::len_utf8);
                    at = self.place(Spot { span: start..start + wide, ..spot });
                }
                let help = if text.contains('$') {
                    "variables are not supported here: the document says what it wants".to_string()
                } else {
                    "write `repository:tag`, as in `kasmweb/postgres:1.11.0`".to_string()
                };
                self.push(Diagnostic::error(Code::InvalidImage, error.to_string()).at(at).help(help));
                return None;
            }
        };
        match image.tag() {
            None => {
                self.push(Diagnostic::error(Code::InvalidImage, "the image has no tag").at(place).help(
                    "write `repository:tag`; without one Docker takes `latest`, whatever that is today",
                ));
            }
            Some(tag) if image.digest().is_none() => {
                let moves = tag == "latest" || tag == "develop" || tag.ends_with("-rolling");
                let (code, message) = if moves {
                    (Code::MutableTag, format!("the tag `{tag}` is moved by its publisher"))
                } else {
                    (
                        Code::NoDigest,
                        "the image has no digest; its tag can be moved by its publisher".to_string(),
                    )
                };
                self.push(
                    Diagnostic::warning(code, message)
                        .at(place)
                        .help("append `@sha256:…` to pin the contents"),
                );
            }
            Some(_) => {}
        }
        Some(image)
    }

    fn major(&mut self, document: &Document, image: Option<&Image>) -> Option<u16> {
        let known = image.and_then(|image| Release::of(image).postgres_major());
        if let (Some(declared), Some(known)) = (document.postgres_major, known)
            && declared != known
        {
            let (at, image_at) = (self.value("/postgres_major"), self.value("/image"));
            let message = format!("`postgres_major` is {declared}, but the image holds PostgreSQL {known}");
            self.push(
                Diagnostic::error(Code::MajorMismatch, message)
                    .at(at)
                    .related(image_at, format!("PostgreSQL {known}"))
                    .help("remove `postgres_major`: the tag tells"),
            );
        }
        document.postgres_major.or(known)
    }

    fn preload(&mut self, document: &Document) -> Option<DesiredPreload> {
        let preload = document.preload.as_ref()?;
        let mut seen = HashMap::new();
        for (index, library) in preload.libraries.iter().enumerate() {
            if let Some(first) = seen.insert(pgconf::library_name(library.as_bytes()), index) {
                let at = self.value(&format!("/preload/libraries/{index}"));
                let first = self.value(&format!("/preload/libraries/{first}"));
                self.push(
                    Diagnostic::error(
                        Code::DuplicateItem,
                        format!("the library `{library}` is there already"),
                    )
                    .at(at)
                    .related(first, "first here"),
                );
            }
        }
        let libraries = preload.libraries.clone();
        Some(DesiredPreload { mode: preload.mode, libraries })
    }

    fn audit(&mut self, document: &Document, major: Option<u16>) -> Vec<DesiredSetting> {
        let Some(audit) = &document.audit else {
            return Vec::new();
        };
        self.classes(audit.classes.as_deref().unwrap_or_default());
        let switch = |on: Option<bool>| on.map(|on| if on { "on".to_string() } else { "off".to_string() });
        let value = |key: &str| match key {
            "classes" => audit.classes.as_ref().map(|items| items.join(", ")),
            "log_catalog" => switch(audit.log_catalog),
            "log_client" => switch(audit.log_client),
            "log_level" => audit.log_level.map(|level| level.name().to_string()),
            "log_parameter" => switch(audit.log_parameter),
            "log_parameter_max_size" => audit.log_parameter_max_size.map(|bytes| bytes.to_string()),
            "log_relation" => switch(audit.log_relation),
            "log_rows" => switch(audit.log_rows),
            "log_statement" => switch(audit.log_statement),
            "log_statement_once" => switch(audit.log_statement_once),
            "role" => audit.role.clone(),
            _ => None,
        };
        let mut wanted = Vec::new();
        for row in PGAUDIT {
            let Some(value) = value(row.key) else { continue };
            self.setting_in_major(row, document, major);
            let compare = match row.kind {
                PgauditKind::Classes => {
                    ClassSet::of(value.split(", ")).map_or(Compare::Text, Compare::Classes)
                }
                kind => kind.value_type().map_or(Compare::Text, Compare::Typed),
            };
            wanted.push(DesiredSetting { name: row.name.to_string(), value, compare });
        }
        wanted
    }

    fn setting_in_major(&mut self, row: &PgauditSetting, document: &Document, major: Option<u16>) {
        if row.since <= *MAJORS.start() {
            return;
        }
        let at = self.key(&format!("/audit/{}", row.key));
        let Some(major) = major else {
            let message =
                format!("`{}` needs a known PostgreSQL major: only {} and later have it", row.key, row.since);
            self.push(
                Diagnostic::error(Code::UnknownMajor, message)
                    .at(at)
                    .help("say the image's with `postgres_major:`"),
            );
            return;
        };
        if major < row.since {
            let (pointer, why) = match document.postgres_major {
                Some(_) => ("/postgres_major", format!("PostgreSQL {major}, declared here")),
                None => ("/image", format!("holds PostgreSQL {major}")),
            };
            let related = self.value(pointer);
            let message = format!("`{}` needs PostgreSQL {} or later", row.key, row.since);
            self.push(
                Diagnostic::error(Code::SettingNotInMajor, message)
                    .at(at)
                    .label(format!("the pgaudit of PostgreSQL {major} has no {}", row.name))
                    .related(related, why),
            );
        }
    }

    /// Warns of items that change nothing where they stand.
    fn classes(&mut self, items: &[String]) {
        let mut before = ClassSet::default();
        for (index, item) in items.iter().enumerate() {
            let after = before.and(item).unwrap_or(before);
            let changes = std::mem::replace(&mut before, after) != after;
            if changes || items.len() == 1 {
                continue;
            }
            if self.diagnostics.len() >= MAX_DIAGNOSTICS / 2 {
                return;
            }
            let name = item.trim_start_matches('-');
            let message = match Class::from_name(name) {
                Some(Class::None) => format!("`{item}` changes nothing: it does not take away other classes"),
                _ if item.starts_with('-') => {
                    format!("`{item}` changes nothing: the class is not in what stands before it")
                }
                _ => format!("`{item}` changes nothing: the class is in what stands before it"),
            };
            let at = self.value(&format!("/audit/classes/{index}"));
            self.push(Diagnostic::warning(Code::ClassWithoutEffect, message).at(at).help("remove it"));
        }
    }

    fn audit_needs_pgaudit(&mut self, audits: bool, preload: Option<&DesiredPreload>) {
        let Some(preload) = preload.filter(|_| audits) else {
            return;
        };
        let has =
            preload.libraries.iter().any(|library| pgconf::same_library(library.as_bytes(), b"pgaudit"));
        if !has && preload.mode == Mode::Exact {
            let (at, audit) = (self.key("/preload/libraries"), self.key("/audit"));
            self.push(
                Diagnostic::error(
                    Code::PreloadMissing,
                    "nothing is audited: the exact preload list has no pgaudit",
                )
                .at(at)
                .related(audit, "auditing is wanted here")
                .help("add `pgaudit` to the list"),
            );
        }
    }

    fn targets(&mut self, document: &Document) {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for (index, target) in document.targets.iter().enumerate() {
            let pointer = format!("/targets/{index}");
            if let Some(first) = seen.insert(&target.name, index) {
                let at = self.value(&format!("{pointer}/name"));
                let first = self.value(&format!("/targets/{first}/name"));
                let message = format!("two targets are called `{}`", target.name);
                self.push(
                    Diagnostic::error(Code::DuplicateTarget, message).at(at).related(first, "the other one"),
                );
            }
            let kinds = [target.deployment.is_some(), target.installer.is_some(), target.files.is_some()];
            let count = kinds.iter().filter(|&&there| there).count();
            if count != 1 {
                let at = self.value(&format!("{pointer}/name"));
                let has = if count == 0 { "none" } else { "more than one" };
                let message = format!(
                    "the target `{}` has {has} of `deployment`, `installer` and `files`",
                    target.name
                );
                self.push(
                    Diagnostic::error(Code::TargetKind, message).at(at).help("write exactly one of them"),
                );
            }
            let files = target.files.as_ref();
            if files.is_some_and(|files| files.compose.is_empty() && files.postgresql_conf.is_none()) {
                let at = self.key(&format!("{pointer}/files"));
                self.push(
                    Diagnostic::error(Code::TargetKind, "`files` names no file")
                        .at(at)
                        .help("name files under `compose`, or one under `postgresql_conf`"),
                );
            }
        }
    }
}
