//! What a build context is made from.

use model::audit::{Class, ClassSet};
use model::{DesiredBuild, DesiredState, Distribution, Image, Origin};

/// What a context is made from.
pub(super) struct Input<'a> {
    pub(super) build: &'a DesiredBuild,
    /// The name of the image that comes of it.
    pub(super) image: Option<&'a Image>,
    pub(super) proof: Proof,
    /// The certificates, in the order of the document.
    pub(super) certificates: Vec<Vec<u8>>,
}

/// What the server of the image must show while it is built.
pub(super) struct Proof {
    /// The value of `shared_preload_libraries`.
    pub(super) preload: String,
    /// The extensions that are created.
    pub(super) extensions: Vec<String>,
    /// The value of `pgaudit.log`; empty if pgaudit is not in the image.
    pub(super) classes: String,
    /// The classes that an entry of the log must have.
    pub(super) logged: Vec<&'static str>,
}

impl Proof {
    /// Takes what a document declares. With pgaudit and without classes, all of them are tried.
    pub(super) fn of(desired: &DesiredState, build: &DesiredBuild) -> Self {
        let libraries = desired.preload().map(|preload| preload.libraries.clone()).unwrap_or_default();
        let is_pgaudit = |library: &String| pgaudit(library);
        let created = build.extensions.iter().filter(|extension| extension.is_created);
        let set = libraries.iter().any(is_pgaudit).then(|| {
            let declared = desired.classes().filter(|set| !set.is_empty());
            declared.or_else(|| ClassSet::of(["all"])).unwrap_or_default()
        });
        let classes: Vec<_> = set.map(ClassSet::classes).unwrap_or_default();
        // Entries of SET have the class of the other statements of that kind.
        let named = |class: &Class| if *class == Class::MiscSet { Class::Misc } else { *class };
        let mut logged: Vec<_> = classes.iter().map(named).map(upper).collect();
        logged.sort_unstable();
        logged.dedup();
        Self {
            preload: libraries.join(","),
            extensions: created.map(|extension| extension.name.clone()).collect(),
            classes: classes.iter().map(|class| class.name()).collect::<Vec<_>>().join(","),
            logged,
        }
    }
}

fn pgaudit(library: &str) -> bool {
    model::is_library(library, "pgaudit")
}

/// Returns a class as the entries of the log write it.
fn upper(class: Class) -> &'static str {
    match class {
        Class::Read => "READ",
        Class::Write => "WRITE",
        Class::Function => "FUNCTION",
        Class::Role => "ROLE",
        Class::Ddl => "DDL",
        _ => "MISC",
    }
}

/// Returns the name of a certificate in the context.
pub(super) fn certificate(index: usize) -> String {
    format!("certificates/kasm-db-{:02}.crt", index + 1)
}

impl Input<'_> {
    /// Returns the packages that are installed.
    pub(super) fn packages(&self) -> Vec<String> {
        let extensions = self.build.extensions.iter();
        let package = |extension: &model::BuiltExtension| match &extension.origin {
            Origin::Package(package) => Some(package.clone()),
            _ => None,
        };
        extensions.filter_map(package).collect()
    }

    /// Returns the extensions that are compiled: name, address and checksum.
    pub(super) fn sources(&self) -> Vec<(&str, &str, &str)> {
        let extensions = self.build.extensions.iter();
        extensions
            .filter_map(|extension| match &extension.origin {
                Origin::Source { url, sha256, .. } => {
                    Some((extension.name.as_str(), url.as_str(), sha256.as_str()))
                }
                _ => None,
            })
            .collect()
    }

    /// Returns whether the base is on Alpine.
    pub(super) fn is_alpine(&self) -> bool {
        self.build.distribution == Distribution::Alpine
    }
}
