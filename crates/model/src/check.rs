//! The checks beyond the schema, from a typed document to the desired state.

use std::collections::HashMap;

use crate::audit::{Class, ClassSet};
use crate::code::Code;
use crate::desired::{Compare, DesiredPreload, DesiredSetting, DesiredState};
use crate::desired_build::major_of;
use crate::diagnostic::{Diagnostic, Location, MAX_DIAGNOSTICS};
use crate::document::{Document, Mode};
use crate::image::Image;
use crate::locations::{Places, Spot, Texts};
use crate::release::Release;
use crate::settings::{MAJORS, PGAUDIT, PgauditKind, PgauditSetting};

mod build;
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
    let base = document.build.as_ref().and_then(|build| major_of(&Image::parse(&build.base).ok()?));
    let postgres_major = checker.major(&document, image.as_ref()).or(base);
    let preload = checker.preload(&document);
    let mut settings = checker.audit(&document, postgres_major);
    let audits = document.audit.as_ref().is_some_and(|audit| {
        let classes = audit.classes.as_ref().and_then(|items| ClassSet::of(items.iter().map(String::as_str)));
        classes.is_some_and(|set| !set.is_empty()) || audit.role.as_ref().is_some_and(|role| !role.is_empty())
    });
    checker.audit_needs_pgaudit(audits, preload.as_ref());
    let build = checker.build(&document, preload.as_ref(), audits);
    settings.extend(checker.settings(&document, postgres_major));
    let unset = checker.unset(&document, &settings, postgres_major);
    checker.targets(&document);
    let places = checker.places(&document);
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
        build,
        settings,
        unset,
        audits,
        extension_databases,
        targets: document.targets,
        restart: document.restart.unwrap_or_default(),
        verify,
        on_removal: document.on_removal,
        ignored: document.ignore,
        places,
    })
}

/// What findings of a plan point at, besides the libraries and the targets.
const DECLARED: &[&str] = &["/image", "/postgres_major", "/preload", "/audit", "/settings", "/unset"];

impl Checker<'_, '_> {
    fn location(&self, spot: Spot) -> Location {
        if self.diagnostics.len() >= MAX_DIAGNOSTICS {
            return Location { path: String::new(), span: spot.span, line: 0, column: 0 };
        }
        self.texts.location(spot)
    }

    fn value(&self, pointer: &str) -> Location {
        self.location(self.value_spot(pointer))
    }

    fn value_spot(&self, pointer: &str) -> Spot {
        self.texts.value(0..self.texts.len(), pointer)
    }

    fn key(&self, pointer: &str) -> Location {
        self.location(self.texts.key(0..self.texts.len(), pointer))
    }

    /// Finds what findings of a plan point at.
    fn places(&self, document: &Document) -> Places {
        let libraries = document.preload.iter().flat_map(|preload| 0..preload.libraries.len());
        let libraries = libraries.map(|index| format!("/preload/libraries/{index}"));
        let targets = document.targets.iter().enumerate().map(|(index, target)| {
            let kind = match target {
                target if target.deployment.is_some() => "deployment",
                target if target.installer.is_some() => "installer",
                _ => "files",
            };
            format!("/targets/{index}/{kind}")
        });
        let spot = |pointer: String| {
            let spot = match pointer.starts_with("/targets")
                || pointer == "/build/base"
                || pointer.ends_with(|c: char| c.is_ascii_digit())
            {
                true => self.texts.value(0..self.texts.len(), &pointer),
                false => self.texts.key(0..self.texts.len(), &pointer),
            };
            (pointer, spot)
        };
        let is_declared = |pointer: &&&str| match **pointer {
            "/image" => document.image.is_some(),
            "/postgres_major" => document.postgres_major.is_some(),
            "/preload" => document.preload.is_some(),
            "/audit" => document.audit.is_some(),
            "/settings" => !document.settings.is_empty(),
            _ => !document.unset.is_empty(),
        };
        let base = document.build.iter().map(|_| "/build/base".to_string());
        let declared = DECLARED.iter().filter(is_declared).map(|pointer| (*pointer).to_string());
        self.texts.locations(declared.chain(libraries).chain(targets).chain(base).map(spot).collect())
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
        let location = self.location(spot.clone());
        let image = match Image::parse(text) {
            Ok(image) => image,
            Err(error) => {
                self.invalid_image(text, &spot, location, error.offset);
                return None;
            }
        };
        match image.tag() {
            None => {
                let tag = if text.contains("kasmweb/") { "1.16.1" } else { "TAG" };
                let help = match image.digest() {
                    Some(_) => {
                        let name = text.split('@').next().unwrap_or_default();
                        format!(
                            "add the tag before the digest, as in `{name}:{tag}@sha256:...`, to show which release it belongs to"
                        )
                    }
                    None => format!("add the tag, as in `{text}:{tag}`; without one, Docker uses `latest`"),
                };
                self.push(
                    Diagnostic::error(Code::InvalidImage, "`image` has no tag").at(location).help(help),
                );
            }
            Some(tag) if image.digest().is_none() => {
                let moves = tag == "latest" || tag == "develop" || tag.ends_with("-rolling");
                let (code, message) = if moves {
                    (Code::MutableTag, format!("the tag `{tag}` of `image` is mutable"))
                } else {
                    (Code::NoDigest, "`image` has no digest, and its tag is mutable".to_string())
                };
                let help = if moves && text.contains("kasmweb/") {
                    "use the tag of a release, such as `1.16.1`, and append `@sha256:…` to pin the contents"
                } else if moves {
                    "use a tag that does not move, and append `@sha256:…` to pin the contents"
                } else {
                    "append `@sha256:…` to pin the contents"
                };
                self.push(Diagnostic::warning(code, message).at(location).help(help));
            }
            Some(_) => {}
        }
        Some(image)
    }

    /// Reports an image that is not a reference; `offset` is that of the byte that does not fit.
    fn invalid_image(&mut self, text: &str, spot: &Spot, mut at: Location, offset: usize) {
        let repository = &text[..text.rfind([':', '@']).unwrap_or(text.len())];
        let is_web = text.contains("://");
        let capital = repository.find(char::is_uppercase).filter(|_| !is_web);
        let start = capital.unwrap_or(offset);
        // Behind the quote, if there is one, and only where no escape moves the offset.
        let quote = usize::from(matches!(self.texts.bytes(spot.text).get(at.span.start), Some(b'"' | b'\'')));
        let whole = at.span.clone();
        if at.span.len() == text.len() + 2 * quote {
            let wide = text.get(start..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
            let start = at.span.start + quote + start;
            at = self.location(Spot { span: start..start + wide, ..*spot });
        }
        let lower = text.replacen(repository, &repository.to_lowercase(), 1);
        let (message, help) = if is_web {
            (
                "an image reference is not a web address",
                "write the repository and a tag, as in `kasmweb/postgres:1.16.1`",
            )
        } else if capital.is_some() && Image::parse(&lower).is_ok() {
            ("the repository name must be lowercase", "")
        } else if text.contains('$') {
            ("variables are not supported in a document", "write the tag out")
        } else if text.contains(char::is_whitespace) {
            ("an image reference must not contain spaces", "remove the space")
        } else if text.matches(':').count() > 1 && offset == text.rfind(':').unwrap_or_default() {
            ("it has more than one tag", "write `repository:tag`, with one tag")
        } else {
            ("not an image reference", "write `repository:tag`, as in `kasmweb/postgres:1.16.1`")
        };
        let diagnostic =
            Diagnostic::error(Code::InvalidImage, format!("invalid value for `image`: {message}")).at(at);
        self.push(if help.is_empty() {
            diagnostic.help(format!("write `{lower}`")).fix(whole, lower)
        } else {
            diagnostic.help(help)
        });
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
                    .help("remove `postgres_major`: the tag determines the major"),
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
                        format!("`preload.libraries[{index}]` repeats the library `{library}`"),
                    )
                    .at(at)
                    .related(first, "first here")
                    .help("remove one of the two"),
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
            let message = format!(
                "`audit.{}` needs a known PostgreSQL major: only {} and later have it",
                row.key, row.since
            );
            self.push(
                Diagnostic::error(Code::UnknownMajor, message)
                    .at(at)
                    .help("add `postgres_major:` with the major of the image"),
            );
            return;
        };
        if major < row.since {
            let (pointer, why) = match document.postgres_major {
                Some(_) => ("/postgres_major", format!("PostgreSQL {major}, declared here")),
                None => ("/image", format!("holds PostgreSQL {major}")),
            };
            let related = self.value(pointer);
            let message = format!("`audit.{}` needs PostgreSQL {} or later", row.key, row.since);
            self.push(
                Diagnostic::error(Code::SettingNotInMajor, message)
                    .at(at)
                    .label(format!("pgaudit for PostgreSQL {major} has no {}", row.name))
                    .related(related, why)
                    .help(match document.postgres_major {
                        Some(_) => format!(
                            "remove it, or, if the server runs PostgreSQL {} or later, correct `postgres_major`",
                            row.since
                        ),
                        None => format!("remove it, or use an image with PostgreSQL {} or later", row.since),
                    }),
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
                Some(Class::None) => "it does not subtract other classes",
                _ if item.starts_with('-') => "the items before it do not include the class",
                _ => "the items before it include the class",
            };
            let message = format!("`{item}` in `audit.classes[{index}]` has no effect: {message}");
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
                    "`preload.libraries` has no pgaudit, and `preload.mode` is exact: nothing would be audited",
                )
                .at(at)
                .related(audit, "auditing is declared here")
                .help("add `pgaudit` to `preload.libraries`"),
            );
        }
    }

    fn targets(&mut self, document: &Document) {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for (index, target) in document.targets.iter().enumerate() {
            let pointer = format!("/targets/{index}");
            if let Some(first_index) = seen.insert(&target.name, index) {
                let at = self.value(&format!("{pointer}/name"));
                let first = self.value(&format!("/targets/{first_index}/name"));
                let message =
                    format!("the target name `{}` is already used by `targets[{first_index}]`", target.name);
                self.push(
                    Diagnostic::error(Code::DuplicateTarget, message)
                        .at(at)
                        .related(first, "first used here")
                        .help("give each target a unique name"),
                );
            }
            let kinds = [target.deployment.is_some(), target.installer.is_some(), target.files.is_some()];
            let count = kinds.iter().filter(|&&there| there).count();
            if count != 1 {
                let names = ["deployment", "installer", "files"].iter().zip(kinds);
                let mut there = names.filter(|(_, there)| *there).map(|(name, _)| *name);
                let (first, second) = (there.next(), there.next());
                let at = match second {
                    Some(second) => self.key(&format!("{pointer}/{second}")),
                    None => self.value(&format!("{pointer}/name")),
                };
                let has = match (first, second) {
                    (Some(first), Some(second)) if count == 2 => format!("both `{first}` and `{second}`"),
                    (Some(_), Some(_)) => "`deployment`, `installer`, and `files`".to_string(),
                    _ => "none of `deployment`, `installer`, and `files`".to_string(),
                };
                let message = format!("target `{}` has {has}", target.name);
                let help = match (first, second) {
                    (Some(_), Some(_)) if count == 2 => {
                        "remove one of them, or split the target into two".to_string()
                    }
                    (Some(_), Some(_)) => "keep one of them, or split the target into three".into(),
                    _ => "add `deployment:` with the path of an installed tree, such as /opt/kasm/current"
                        .into(),
                };
                self.push(Diagnostic::error(Code::TargetKind, message).at(at).help(help));
            }
            let files = target.files.as_ref();
            if files.is_some_and(|files| files.compose.is_empty() && files.postgresql_conf.is_none()) {
                let at = self.key(&format!("{pointer}/files"));
                self.push(
                    Diagnostic::error(Code::TargetKind, format!("`targets[{index}].files` names no file"))
                        .at(at)
                        .help("add `compose:` or `postgresql_conf:`"),
                );
            }
        }
    }
}
