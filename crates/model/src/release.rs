//! What is known of database images: one row for each kind.
//!
//! Sources: the Dockerfiles of kasmtech/kasm-db by release branch, the Helm chart's documented server
//! versions, and docker-library/postgres.

use std::fmt;

use crate::image::Image;

/// What an image brings, as far as its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// The PostgreSQL in it, where the tag tells.
    pub series: Option<Series>,
    /// Whether it is one of the images whose contents are known.
    pub known: bool,
    /// Libraries that it brings beyond PostgreSQL's own contrib modules.
    pub libraries: &'static [&'static str],
    /// The `config_file` that its own command names.
    pub config_file: Option<&'static str>,
}

/// What of PostgreSQL's version a data directory is bound to: `14`, and before PostgreSQL 10 two numbers, `9.5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series {
    major: u16,
    /// The second number, before PostgreSQL 10.
    second: Option<u16>,
}

impl Series {
    /// Reads the start of a version, of a tag or of `PG_VERSION`: `14`, `14.2-alpine`, `9.5.25`.
    pub fn parse(text: &str) -> Option<Self> {
        let major = leading_number(text)?;
        let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
        // The tag `9` is that of the last one, which is 9.6.
        let second = || rest.strip_prefix('.').and_then(leading_number).unwrap_or(6);
        Some(Self { major, second: (major < 10).then(second) })
    }

    /// Returns the first number.
    pub fn major(self) -> u16 {
        self.major
    }
}

impl From<u16> for Series {
    fn from(major: u16) -> Self {
        Self { major, second: (major < 10).then_some(6) }
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.second {
            Some(second) => write!(f, "{}.{second}", self.major),
            None => write!(f, "{}", self.major),
        }
    }
}

/// The Kasm releases `kasmweb/postgres` was built for, and the PostgreSQL major in it.
const KASM: &[(u16, u16, u16)] = &[(11, 15, 12), (16, 18, 14), (19, 19, 16)];

/// The last PostgreSQL major that has images.
const MAJORS: u16 = 18;

/// What the official images of PostgreSQL are built on, besides Alpine with its version.
const BASES: &[&str] = &["alpine", "stretch", "buster", "bullseye", "bookworm", "trixie"];

/// Libraries that PostgreSQL's own contrib modules can preload; official images bring all of them.
const CONTRIB: &[&str] = &[
    "auth_delay",
    "auto_explain",
    "basebackup_to_shell",
    "basic_archive",
    "passwordcheck",
    "pg_overexplain",
    "pg_prewarm",
    "pg_stash_advice",
    "pg_stat_statements",
    "pg_trgm",
    "sepgsql",
];

impl Release {
    /// Looks an image up by its repository and tag.
    pub fn of(image: &Image) -> Self {
        let repository = image.repository();
        let path = repository.split_once('/').map_or("", |(_, path)| path);
        // A mirror keeps the path below its own name: `example.org/proxy/kasmweb/postgres`.
        let is = |name: &str| path == name || path.ends_with(&format!("/{name}"));
        let tag = image.tag().unwrap_or_default();
        if is("kasmweb/postgres") {
            Self {
                series: kasm_major(tag).map(Series::from),
                known: true,
                libraries: &["pgaudit"],
                config_file: Some("/var/lib/postgresql/conf/postgresql.conf"),
            }
        } else if is("library/postgres") {
            Self { series: Series::parse(tag), known: true, libraries: &[], config_file: None }
        } else {
            Self { series: None, known: false, libraries: &[], config_file: None }
        }
    }

    /// Returns whether every part of a reference is one that its publisher gives out: the repository, the version and what
    /// may stand behind it. Such a reference holds no secret, wherever its parts come from.
    pub fn is_published(image: &Image) -> bool {
        let (Some(tag), None) = (image.tag(), image.digest()) else { return false };
        let is_date = |parts: &[&str]| {
            let is =
                |part: &str, digits| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
            matches!(parts, [year, month, day] if is(year, 4) && is(month, 2) && is(day, 2))
        };
        let is_version = |text: &str, most| {
            let number = |part: &str| (1..=2).contains(&part.len()) && leading_number(part).is_some();
            text.split('.').count() <= most
                && text.split('.').all(|part| number(part) && part.parse::<u8>().is_ok())
        };
        match image.repository().as_str() {
            "docker.io/kasmweb/postgres" => {
                let plain =
                    ["x86_64-", "aarch64-"].iter().find_map(|arch| tag.strip_prefix(arch)).unwrap_or(tag);
                let mut parts = plain.split('-');
                let version = parts.next().unwrap_or_default();
                let rest: Vec<&str> = parts.collect();
                let is_rolling = matches!(rest.split_first(), Some((&"rolling", date)) if date.is_empty() || is_date(date));
                kasm_major(version).is_some() && is_version(version, 3) && (rest.is_empty() || is_rolling)
            }
            "docker.io/library/postgres" => {
                let mut parts = tag.split('-');
                let version = parts.next().unwrap_or_default();
                let major = leading_number(version).is_some_and(|major| (9..=MAJORS).contains(&major));
                let is_base = |part: &str| {
                    BASES.contains(&part)
                        || part.strip_prefix("alpine").is_some_and(|version| is_version(version, 2))
                };
                major && is_version(version, 3) && parts.clone().count() <= 1 && parts.all(is_base)
            }
            _ => false,
        }
    }

    /// Returns the PostgreSQL major, where the tag tells.
    pub fn postgres_major(&self) -> Option<u16> {
        self.series.map(Series::major)
    }

    /// Returns whether a library is one of PostgreSQL's own contrib modules.
    pub(crate) fn is_contrib(name: &str) -> bool {
        CONTRIB.contains(&name)
    }

    /// Returns whether the server would find a preloaded library; `None` where that is not known.
    pub fn has_library(&self, name: &str) -> Option<bool> {
        if self.libraries.contains(&name) || CONTRIB.contains(&name) {
            return self.known.then_some(true);
        }
        // What an official image lacks is known only for the library this tool is about.
        (self.known && name == "pgaudit").then_some(false)
    }
}

/// Returns the major of `1.16.0`, `1.16.0-rolling-2026-05-01`, `x86_64-1.16.0`, …
fn kasm_major(tag: &str) -> Option<u16> {
    let tag = ["x86_64-", "aarch64-"].iter().find_map(|arch| tag.strip_prefix(arch)).unwrap_or(tag);
    let minor = leading_number(tag.strip_prefix("1.")?)?;
    KASM.iter().find(|(from, to, _)| (*from..=*to).contains(&minor)).map(|&(_, _, major)| major)
}

fn leading_number(text: &str) -> Option<u16> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).map_or(text, |end| &text[..end]);
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn major(image: &str) -> Option<u16> {
        Release::of(&Image::parse(image).unwrap()).postgres_major()
    }

    #[test]
    fn a_reference_with_any_part_that_nobody_publishes_may_hold_a_secret() {
        let is_published = |image: &str| Release::is_published(&Image::parse(image).unwrap());
        for image in [
            "kasmweb/postgres:1.11.0",
            "docker.io/kasmweb/postgres:1.18.1-rolling",
            "kasmweb/postgres:x86_64-1.19.0-rolling-2026-05-01",
            "postgres:14",
            "postgres:9.5.25-alpine",
            "library/postgres:16.4-alpine3.20",
            "postgres:15-bookworm",
        ] {
            assert!(is_published(image), "{image}");
        }
        for image in [
            "kasmweb/postgres:hunter2",
            "kasmweb/postgres:1.11.0-hunter2",
            "kasmweb/postgres:1.11.0-rolling-hunter2",
            "kasmweb/postgres:1.11.20250101",
            "kasmweb/postgres:1.11.0.1",
            "kasmweb/postgres:develop",
            "kasmweb/postgres",
            "host.example/kasmweb/postgres:1.11.0",
            "hunter2/postgres:14",
            "postgres:8675309",
            "postgres:14.8675309",
            "postgres:14-hunter2",
            "postgres:14-alpine-hunter2",
            "postgres:14-alpine3.8675309",
            "postgres:99",
            &format!("postgres:14@sha256:{}", "0".repeat(64)),
        ] {
            assert!(!is_published(image), "{image}");
        }
    }

    #[test]
    fn every_kasm_release_has_its_major() {
        for (tag, expected) in
            [("1.11.0", 12), ("1.15.0", 12), ("1.16.1", 14), ("1.18.1-rolling", 14), ("1.19.0", 16)]
        {
            assert_eq!(major(&format!("kasmweb/postgres:{tag}")), Some(expected), "{tag}");
        }
        assert_eq!(major("example.org/mirror/kasmweb/postgres:x86_64-1.19.0-rolling-2026-05-01"), Some(16));
        for unknown in [
            "kasmweb/postgres:develop",
            "kasmweb/postgres:1.99.0",
            "kasmweb/postgres:1.110.0",
            "postgres:latest",
            "bitnami/postgresql:15",
        ] {
            assert_eq!(major(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn before_10_a_version_has_two_numbers_that_count() {
        let series = |tag: &str| Series::parse(tag).map(|series| series.to_string());
        for (tag, expected) in [
            ("9.5-alpine", "9.5"),
            ("9.6.24", "9.6"),
            ("9", "9.6"),
            ("9-alpine", "9.6"),
            ("10.1", "10"),
            ("14.2-bookworm", "14"),
            ("16rc1", "16"),
        ] {
            assert_eq!(series(tag).as_deref(), Some(expected), "{tag}");
        }
        assert_eq!(series("latest"), None);
        assert_ne!(Series::parse("9.5"), Series::parse("9.6"));
        assert_eq!(Series::parse("14.1"), Some(Series::from(14)));
    }

    #[test]
    fn official_images_tell_their_major_and_lack_pgaudit() {
        assert_eq!(major("postgres:14-alpine"), Some(14));
        assert_eq!(major("postgres:9.5-alpine"), Some(9));
        let stock = Release::of(&Image::parse("postgres:14").unwrap());
        assert_eq!(
            (stock.has_library("pgaudit"), stock.has_library("auto_explain")),
            (Some(false), Some(true))
        );
        let kasm = Release::of(&Image::parse("kasmweb/postgres:1.16.0").unwrap());
        assert_eq!((kasm.has_library("pgaudit"), kasm.has_library("timescaledb")), (Some(true), None));
        let other = Release::of(&Image::parse("example.org/own/db:1").unwrap());
        assert_eq!(other.has_library("pgaudit"), None);
    }
}
