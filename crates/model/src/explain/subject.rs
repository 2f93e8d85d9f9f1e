//! What a text that somebody wants explained may mean.

use super::field::{Field, field, fields};
use super::setting::{SettingHelp, setting};
use crate::audit::Class;
use crate::settings::PGAUDIT;
use crate::{Code, postgres, suggest};

/// Something that can be explained.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A diagnostic.
    Code(Code),
    /// A field of the document.
    Field(&'static Field),
    /// A setting of PostgreSQL itself.
    Setting(SettingHelp),
}

/// Finds everything that a text may mean, in any letter case.
///
/// That is a code or its name, a path of a field or its end (`files.service`, `service`), a setting with or
/// without `settings.` in front, and a name that has a key of its own in the document (`pgaudit.log`,
/// `shared_preload_libraries`).
pub fn find(text: &str) -> Vec<Subject> {
    let text = text.to_ascii_lowercase();
    let name = text.strip_prefix("settings.").unwrap_or(&text);
    let end = format!(".{text}");
    let is_meant = |field: &&Field| {
        let path = field.path.to_ascii_lowercase();
        path == text || path.ends_with(&end) || stands_for(name).contains(&path.as_str())
    };
    let codes = Code::find(&text).into_iter().map(Subject::Code);
    let mut found: Vec<_> = fields().iter().filter(is_meant).collect();
    // What is called exactly so goes first, before what only ends so.
    found.sort_by_key(|field| !field.path.eq_ignore_ascii_case(&text));
    let settings = setting(name).into_iter().map(Subject::Setting);
    codes.chain(found.into_iter().map(Subject::Field)).chain(settings).collect()
}

/// Returns what was probably meant by a text that means nothing.
pub fn nearest(text: &str) -> Option<String> {
    let settings = || postgres::MAJORS.rev().flat_map(postgres::names);
    if let Some(name) = text.get(..9).filter(|start| start.eq_ignore_ascii_case("settings.")) {
        return suggest::nearest(&text[name.len()..], settings()).map(|meant| format!("settings.{meant}"));
    }
    let codes = Code::ALL.iter().flat_map(|code| [code.id(), code.name()]);
    let paths = fields().iter().map(|field| field.path.as_str());
    let keys = fields().iter().filter_map(|field| field.path.rsplit('.').next());
    let pgaudit = PGAUDIT.iter().map(|row| row.name);
    let mut known: Vec<&str> = codes.chain(paths).chain(keys).chain(pgaudit).chain(settings()).collect();
    // One that stands there twice would not be the only one that begins with the text.
    let mut seen = std::collections::HashSet::new();
    known.retain(|name| seen.insert(*name));
    suggest::nearest(text, known).map(String::from)
}

/// Returns the fields that stand for a name of postgresql.conf, or for the extension itself.
fn stands_for(name: &str) -> Vec<&'static str> {
    match name {
        "shared_preload_libraries" => vec!["preload.libraries"],
        "pgaudit" => vec!["preload.libraries", "audit"],
        class if Class::from_name(class).is_some() => vec!["audit.classes"],
        name => {
            let row = PGAUDIT.iter().find(|row| row.name == name);
            let own = row.and_then(|row| field(&format!("audit.{}", row.key)));
            own.map(|field| field.path.as_str()).into_iter().collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let name = |subject: Subject| match subject {
            Subject::Code(code) => code.id().to_string(),
            Subject::Field(field) => field.path.clone(),
            Subject::Setting(help) => format!("({})", help.name),
        };
        find(text).into_iter().map(name).collect()
    }

    #[test]
    fn everything_that_a_name_may_mean_is_found() {
        for (text, meant) in [
            ("kdb101", &["KDB101"][..]),
            ("Unknown-Key", &["KDB101"]),
            ("libraries", &["preload.libraries"]),
            ("ddl", &["audit.classes"]),
            ("role", &["audit.classes", "audit.role", "(role)"]),
            ("files.service", &["targets.files.service"]),
            ("timeout", &["restart.timeout"]),
            ("shared_buffers", &["(shared_buffers)"]),
            ("Settings.Shared_Buffers", &["(shared_buffers)"]),
            ("datestyle", &["(DateStyle)"]),
            ("sort_mem", &["(work_mem)"]),
            ("checkpoint_segments", &["(checkpoint_segments)"]),
            ("log_statement", &["audit.log_statement", "(log_statement)"]),
            ("audit.log_statement", &["audit.log_statement"]),
            ("pgaudit.log", &["audit.classes"]),
            ("settings.pgaudit.log_rows", &["audit.log_rows"]),
            ("shared_preload_libraries", &["preload.libraries", "(shared_preload_libraries)"]),
            ("pgaudit", &["preload.libraries", "audit"]),
            ("image", &["image"]),
            ("brary", &[]),
            ("", &[]),
            ("settings.", &[]),
            (".", &[]),
        ] {
            assert_eq!(names(text), meant, "{text}");
        }
    }

    #[test]
    fn every_name_that_there_is_is_found_alone() {
        let codes = Code::ALL.iter().flat_map(|code| [code.id(), code.name()]);
        let keys = fields().iter().flat_map(|f| [f.path.as_str(), f.path.rsplit('.').next().unwrap()]);
        let settings = postgres::MAJORS.flat_map(postgres::names);
        for name in codes.chain(keys).chain(settings).chain(PGAUDIT.iter().map(|row| row.name)) {
            assert!(!find(name).is_empty(), "{name}");
        }
    }

    #[test]
    fn what_is_close_is_suggested_as_it_was_written() {
        for (text, meant) in [
            ("audit.log_catalogue", Some("audit.log_catalog")),
            ("settings.wrok_mem", Some("settings.work_mem")),
            ("wrok_mem", Some("work_mem")),
            ("libaries", Some("libraries")),
            ("pgaudit.logg", Some("pgaudit.log")),
            ("unknow-key", Some("unknown-key")),
            ("KDB1011", Some("KDB101")),
            ("shared_preload_library", None),
            ("banana", None),
        ] {
            assert_eq!(nearest(text).as_deref(), meant, "{text}");
        }
    }
}
