//! The desired state: a document that passed every check.

use pgconf::value::Type;

use crate::audit::ClassSet;
use crate::desired_build::DesiredBuild;
use crate::diagnostic::Location;
use crate::document::{Mode, OnRemoval, Restart, Target, Verify};
use crate::ignorable::Ignorable;
use crate::image::Image;
use crate::locations::Places;

/// What a checked document asks for. Only [`read`](crate::read()) makes one.
#[derive(Clone, Debug)]
pub struct DesiredState {
    pub(crate) image: Option<Image>,
    pub(crate) postgres_major: Option<u16>,
    pub(crate) preload: Option<DesiredPreload>,
    pub(crate) build: Option<DesiredBuild>,
    pub(crate) settings: Vec<DesiredSetting>,
    pub(crate) unset: Vec<String>,
    pub(crate) audits: bool,
    pub(crate) extension_databases: Vec<String>,
    pub(crate) targets: Vec<Target>,
    pub(crate) restart: Restart,
    pub(crate) verify: Verify,
    pub(crate) on_removal: Option<OnRemoval>,
    pub(crate) ignored: Vec<Ignorable>,
    /// Where values are declared, by JSON pointer.
    pub(crate) places: Places,
}

/// The preload libraries that are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredPreload {
    /// Whether others may stay.
    pub mode: Mode,
    /// The libraries in their order, each once.
    pub libraries: Vec<String>,
}

/// A setting that is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredSetting {
    /// The name in postgresql.conf, in lower case.
    pub name: String,
    /// The value as the server stores it: without the file's quotes.
    pub value: String,
    /// How the value compares with what is there.
    pub compare: Compare,
}

/// How two texts of a setting are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Compare {
    /// As lists of audit classes, by what they add up to.
    Classes(ClassSet),
    /// As lists of words, in any letter case: blanks do not count.
    Words {
        /// Whether their order counts.
        ordered: bool,
    },
    /// By PostgreSQL's type: `1min` is `60s`, `on` is `true`.
    Typed(Type),
    /// Byte by byte.
    Text,
}

impl Compare {
    /// Returns whether two values mean the same.
    pub fn is_same(self, one: &[u8], other: &[u8]) -> bool {
        match self {
            Self::Classes(set) => [one, other].iter().all(|value| ClassSet::parse(value) == Some(set)),
            Self::Words { ordered } => match [one, other].map(pgconf::split_identifiers) {
                [Some(mut one), Some(mut other)] => {
                    if !ordered {
                        for words in [&mut one, &mut other] {
                            words.sort_unstable();
                            words.dedup();
                        }
                    }
                    one == other
                }
                _ => one == other,
            },
            Self::Typed(kind) => pgconf::value::same(&kind, one, other),
            Self::Text => one == other,
        }
    }
}

/// Settings that are lists of words (`SplitIdentifierString`, PostgreSQL 12 to 18), and whether the order of the
/// words counts.
const WORDS: &[(&str, bool)] = &[
    ("createrole_self_grant", false),
    ("debug_io_direct", false),
    ("log_destination", false),
    ("restrict_nonsystem_relation_kind", false),
    ("search_path", true),
    ("temp_tablespaces", false),
    ("wal_consistency_checking", false),
];

/// Returns whether a setting is a list of words.
pub(crate) fn is_list_of_words(name: &str) -> bool {
    WORDS.iter().any(|(list, _)| list.eq_ignore_ascii_case(name))
}

impl Compare {
    /// Returns how texts of one of PostgreSQL's settings are compared.
    pub(crate) fn of(name: &str, kind: Type) -> Self {
        match WORDS.iter().find(|(list, _)| list.eq_ignore_ascii_case(name)) {
            Some((_, ordered)) => Self::Words { ordered: *ordered },
            None => Self::Typed(kind),
        }
    }
}

impl DesiredState {
    /// Returns one that declares nothing of the database any more; what was declared is restored, or kept.
    #[must_use]
    pub fn released(self, keep: bool) -> Self {
        Self {
            image: None,
            preload: None,
            settings: Vec::new(),
            unset: Vec::new(),
            audits: false,
            extension_databases: Vec::new(),
            on_removal: Some(if keep { OnRemoval::Keep } else { OnRemoval::Restore }),
            ..self
        }
    }

    /// Returns the image that the database service must have.
    pub fn image(&self) -> Option<&Image> {
        self.image.as_ref()
    }

    /// Returns the PostgreSQL major in the image, declared or known from its tag.
    pub fn postgres_major(&self) -> Option<u16> {
        self.postgres_major
    }

    /// Returns the wanted preload libraries.
    pub fn preload(&self) -> Option<&DesiredPreload> {
        self.preload.as_ref()
    }

    /// Returns what the image is built from, if the document says so.
    pub fn build(&self) -> Option<&DesiredBuild> {
        self.build.as_ref()
    }

    /// Returns the wanted settings, pgaudit's first.
    pub fn settings(&self) -> &[DesiredSetting] {
        &self.settings
    }

    /// Returns the settings that must be commented out, in lower case.
    pub fn unset(&self) -> &[String] {
        &self.unset
    }

    /// Returns whether the document asks for auditing, which needs pgaudit preloaded.
    pub fn audits(&self) -> bool {
        self.audits
    }

    /// Returns the classes of statements that must be logged, where the document names them.
    pub fn classes(&self) -> Option<ClassSet> {
        self.settings.iter().find_map(|setting| match setting.compare {
            Compare::Classes(set) => Some(set),
            _ => None,
        })
    }

    /// Returns the databases that must have pgaudit's extension.
    pub fn extension_databases(&self) -> &[String] {
        &self.extension_databases
    }

    /// Returns whether anything in postgresql.conf is managed.
    pub fn manages_conf(&self) -> bool {
        self.preload.is_some() || !self.settings.is_empty() || !self.unset.is_empty()
    }

    /// Returns the targets as they are written.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Returns where the image is declared.
    pub fn image_place(&self) -> Option<&Location> {
        self.places.get("/image")
    }

    /// Returns where the PostgreSQL major comes from: `postgres_major`, else `image`.
    pub fn major_place(&self) -> Option<&Location> {
        self.places.get("/postgres_major").or_else(|| self.image_place())
    }

    /// Returns where the base of the image to build is declared: its value.
    pub fn base_place(&self) -> Option<&Location> {
        self.places.get("/build/base")
    }

    /// Returns where auditing is declared.
    pub fn audit_place(&self) -> Option<&Location> {
        self.places.get("/audit")
    }

    /// Returns where the preload list is declared.
    pub fn preload_place(&self) -> Option<&Location> {
        self.places.get("/preload")
    }

    /// Returns where a preload library is declared.
    pub fn library_place(&self, library: &[u8]) -> Option<&Location> {
        let libraries = &self.preload.as_ref()?.libraries;
        let index = libraries.iter().position(|one| pgconf::same_library(one.as_bytes(), library))?;
        self.places.get(&format!("/preload/libraries/{index}"))
    }

    /// Returns where the first thing is declared that is written to postgresql.conf.
    pub fn conf_place(&self) -> Option<&Location> {
        ["/preload", "/audit", "/settings", "/unset"].iter().find_map(|pointer| self.places.get(pointer))
    }

    /// Returns the key of a target's path, and where it is declared.
    pub fn target_place(&self, name: &str) -> Option<(String, &Location)> {
        let index = self.targets.iter().position(|target| target.name == name)?;
        ["deployment", "installer", "files"].iter().find_map(|key| {
            let place = self.places.get(&format!("/targets/{index}/{key}"))?;
            Some((format!("targets[{index}].{key}"), place))
        })
    }

    /// Returns the restart policy.
    pub fn restart(&self) -> &Restart {
        &self.restart
    }

    /// Returns what happens to a value that is no longer declared, if the document says so.
    pub fn on_removal(&self) -> Option<OnRemoval> {
        self.on_removal
    }

    /// Returns the warnings that the document silences.
    pub fn ignored(&self) -> &[Ignorable] {
        &self.ignored
    }

    /// Returns the way to the running database.
    pub fn verify(&self) -> &Verify {
        &self.verify
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn same(name: &str, one: &str, other: &str) -> bool {
        let row = crate::postgres::lookup(name, 15).unwrap();
        Compare::of(row.name, row.value).is_same(one.as_bytes(), other.as_bytes())
    }

    #[test]
    fn lists_of_words_are_compared_by_their_words() {
        assert!(same("log_destination", "stderr,csvlog", "CSVLOG , stderr, csvlog"));
        assert!(!same("log_destination", "stderr", "csvlog"));
        assert!(same("search_path", "\"$user\", public", "\"$user\",PUBLIC"));
        assert!(!same("search_path", "a, b", "b, a"));
        assert!(!same("search_path", "\"A\"", "a"));
        // What is no list is the same as itself.
        assert!(same("search_path", "a b", "a b") && !same("search_path", "a b", "a  b"));
        assert!(!same("listen_addresses", "a,b", "a, b"));
    }

    #[test]
    fn every_list_of_words_is_a_text_setting() {
        for (name, _) in WORDS {
            let row = crate::postgres::lookup_in(name, None).unwrap();
            assert_eq!((row.name, row.value), (*name, Type::String));
        }
    }
}
