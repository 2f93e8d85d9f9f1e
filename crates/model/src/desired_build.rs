//! What an image is built from, once every part of it is known.

use std::collections::BTreeMap;

use crate::document::Source;
use crate::extension::KnownExtension;
use crate::image::Image;
use crate::release::{Release, Series};

/// The distribution of a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// Debian, with PostgreSQL from packages.
    Debian,
    /// Alpine, with PostgreSQL compiled into `/usr/local`.
    Alpine,
}

impl Distribution {
    /// Returns the distribution that the tag of an image of PostgreSQL names.
    ///
    /// The official images are on Debian if their tag names none; those of Kasm are on Alpine.
    pub fn of(base: &Image) -> Option<Self> {
        let tag = base.tag()?;
        if base.repository().ends_with("kasmweb/postgres") {
            return Some(Self::Alpine);
        }
        let mut parts = tag.split('-').skip(1).peekable();
        if parts.peek().is_none() {
            return Some(Self::Debian);
        }
        parts.find_map(|part| match part {
            "stretch" | "buster" | "bullseye" | "bookworm" | "trixie" => Some(Self::Debian),
            _ => part.starts_with("alpine").then_some(Self::Alpine),
        })
    }

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debian => "Debian",
            Self::Alpine => "Alpine",
        }
    }
}

/// Where an extension comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is in the base.
    Base,
    /// A package of Debian, perhaps with `=version`.
    Package(String),
    /// An archive that is compiled; its version, if it is known.
    Source {
        /// The address.
        url: String,
        /// The SHA-256.
        sha256: String,
        /// The version.
        version: Option<&'static str>,
    },
}

/// An extension of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltExtension {
    /// Its name.
    pub name: String,
    /// Whether it is made with `CREATE EXTENSION`.
    pub is_created: bool,
    /// Where it comes from.
    pub origin: Origin,
}

impl BuiltExtension {
    /// Returns what is known to be right for an extension, and what is declared.
    pub(crate) fn new(name: &str, origin: Origin) -> Self {
        let is_library = KnownExtension::find(name).is_some_and(|known| known.is_library);
        Self { name: name.to_string(), is_created: !is_library, origin }
    }
}

impl Origin {
    /// Returns what a declared source comes to; `None` without a checksum.
    pub(crate) fn of_source(source: &Source) -> Option<Self> {
        let sha256 = source.sha256.clone()?;
        Some(Self::Source { url: source.url.clone(), sha256, version: None })
    }
}

/// What an image is built from.
#[derive(Clone, Debug)]
pub struct DesiredBuild {
    /// The base.
    pub base: Image,
    /// The major of PostgreSQL in it.
    pub major: u16,
    /// Its distribution.
    pub distribution: Distribution,
    /// What the image must have.
    pub extensions: Vec<BuiltExtension>,
    /// Labels of its own.
    pub labels: BTreeMap<String, String>,
    /// The platforms; none for that of the builder.
    pub platforms: Vec<String>,
    /// The files with certificates, relative to the folder of the document.
    pub ca_certificates: Vec<String>,
}

/// Returns the major of PostgreSQL in a base, where its name tells: a mirror may keep only the last part of it.
pub(crate) fn major_of(base: &Image) -> Option<u16> {
    let known = Release::of(base).postgres_major();
    let is_postgres = base.repository().ends_with("/postgres");
    known.or_else(|| base.tag().filter(|_| is_postgres).and_then(Series::parse).map(Series::major))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_of_a_base_names_its_distribution() {
        for (base, wanted) in [
            ("postgres:16", Some(Distribution::Debian)),
            ("postgres:12.22-bullseye", Some(Distribution::Debian)),
            ("postgres:16-alpine3.20", Some(Distribution::Alpine)),
            ("kasmweb/postgres:1.16.0", Some(Distribution::Alpine)),
            ("registry.example.com/mirror/postgres:15-bookworm", Some(Distribution::Debian)),
            ("postgres:16-windows", None),
            ("postgres", None),
        ] {
            assert_eq!(Distribution::of(&Image::parse(base).unwrap()), wanted, "{base}");
        }
    }
}
