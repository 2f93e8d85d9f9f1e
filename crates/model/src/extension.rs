//! The extensions that can be built without further details: where each comes from, and in which majors.

/// The majors that an image can be built for.
pub const MAJORS: std::ops::RangeInclusive<u16> = 12..=18;

/// What is known of an extension.
#[derive(Clone, Copy, Debug)]
pub struct KnownExtension {
    /// Its name.
    pub name: &'static str,
    /// Whether the server must preload it.
    pub preloaded: bool,
    /// Whether it is a library without `CREATE EXTENSION`.
    pub is_library: bool,
    /// Whether PostgreSQL itself brings it.
    pub contrib: bool,
}

const fn contrib(name: &'static str) -> KnownExtension {
    KnownExtension { name, preloaded: false, is_library: false, contrib: true }
}

const fn library(name: &'static str) -> KnownExtension {
    KnownExtension { name, preloaded: true, is_library: true, contrib: true }
}

/// Every extension that is known, in the order of the names.
const KNOWN: &[KnownExtension] = &[
    contrib("amcheck"),
    library("auth_delay"),
    library("auto_explain"),
    contrib("bloom"),
    contrib("btree_gin"),
    contrib("btree_gist"),
    contrib("citext"),
    contrib("cube"),
    contrib("dblink"),
    contrib("earthdistance"),
    contrib("file_fdw"),
    contrib("fuzzystrmatch"),
    contrib("hstore"),
    contrib("intarray"),
    contrib("isn"),
    contrib("lo"),
    contrib("ltree"),
    contrib("pageinspect"),
    library("passwordcheck"),
    contrib("pg_buffercache"),
    contrib("pg_freespacemap"),
    contrib("pg_prewarm"),
    KnownExtension { preloaded: true, ..contrib("pg_stat_statements") },
    contrib("pg_trgm"),
    contrib("pg_visibility"),
    KnownExtension { name: "pgaudit", preloaded: true, is_library: false, contrib: false },
    KnownExtension { name: "pgauditlogtofile", preloaded: true, is_library: false, contrib: false },
    contrib("pgcrypto"),
    contrib("pgrowlocks"),
    contrib("pgstattuple"),
    contrib("postgres_fdw"),
    contrib("seg"),
    contrib("sslinfo"),
    contrib("tablefunc"),
    contrib("tcn"),
    contrib("tsm_system_rows"),
    contrib("tsm_system_time"),
    contrib("unaccent"),
    contrib("uuid-ossp"),
    contrib("xml2"),
];

/// A release of pgaudit, as an archive of the commit that its tag names.
#[derive(Clone, Copy, Debug)]
pub struct Pgaudit {
    /// The major of PostgreSQL that it is for.
    pub major: u16,
    /// Its tag.
    pub version: &'static str,
    /// The commit of the tag: unlike the tag, it cannot be moved.
    pub commit: &'static str,
    /// The SHA-256 of the archive of that commit.
    pub sha256: &'static str,
}

/// The releases of pgaudit. The sums are those of the archives that `git archive` makes of the commits of the project's
/// repository, compressed by gzip, as its host does; the one of 18.0 has been published by others, too.
const PGAUDIT: &[Pgaudit] = &[
    Pgaudit {
        major: 12,
        version: "1.4.3",
        commit: "21fea0792139529302e02af145c90f7ec5cff2eb",
        sha256: "bd7729abd3a16650081fe825aef44619a7dbf2ae5e3db86d9aabb227480d1ee5",
    },
    Pgaudit {
        major: 13,
        version: "1.5.3",
        commit: "b5e3d92c56e2cbfa95329e35ebd43da8f1ff667e",
        sha256: "d045254486563255affefd47aac655b137161d1da2e00e25d2a39a5738512ac2",
    },
    Pgaudit {
        major: 14,
        version: "1.6.3",
        commit: "abdb653a57228c28c52600aefa4852616eb6b0af",
        sha256: "cef4a1424fafd373f20e5d89bc8b20c904b9fc875ddbf805bb2896d716643b65",
    },
    Pgaudit {
        major: 15,
        version: "1.7.1",
        commit: "72da89c3fa02f3f2b9f3933214d91ad9c3428467",
        sha256: "3a27de4da689463ec92a2cc2edaf9d0a8e45fb814bb6d8fa277442d1284d2ba1",
    },
    Pgaudit {
        major: 16,
        version: "16.1",
        commit: "a81792e8a4ea8f7aaf75bd610fcc4c2f96650bdc",
        sha256: "92e9c932ee0b07cbd041187bed04faae23769b80a0bca89800fcaddbf7131153",
    },
    Pgaudit {
        major: 17,
        version: "17.1",
        commit: "538f89a93d8fd0d8913f3d740cacaea7b7eb66d9",
        sha256: "ff3b173ccc78ec05a467499bd508d1c586510446b5f5dd86ed3e4769993d561f",
    },
    Pgaudit {
        major: 18,
        version: "18.0",
        commit: "f39f8dbb15dc5bd4cbe5f1e5abe0d930ed7593a8",
        sha256: "bbfc57be090c82b4efd8f8ed7f613e2d8537c38c35f25bb2d1c005d5747ef2e4",
    },
];

impl KnownExtension {
    /// Finds an extension by its name.
    pub fn find(name: &str) -> Option<&'static Self> {
        KNOWN.iter().find(|known| known.name == name)
    }

    /// Lists the names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KNOWN.iter().map(|known| known.name)
    }

    /// Returns the package of Debian's repository of PostgreSQL that has it.
    pub fn debian_package(&self, major: u16) -> Option<String> {
        (!self.contrib).then(|| format!("postgresql-{major}-{}", self.name))
    }
}

impl Pgaudit {
    /// Returns the release for a major.
    pub fn of(major: u16) -> Option<&'static Self> {
        PGAUDIT.iter().find(|release| release.major == major)
    }

    /// Returns the address of its archive.
    pub fn url(&self) -> String {
        format!("https://github.com/pgaudit/pgaudit/archive/{}.tar.gz", self.commit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_major_has_a_release_of_pgaudit_with_a_checksum() {
        for major in MAJORS {
            let release = Pgaudit::of(major).unwrap();
            assert_eq!((release.commit.len(), release.sha256.len()), (40, 64), "{major}");
            assert!(crate::form::ADDRESS.fits(&release.url()) && crate::form::SHA256.fits(release.sha256));
        }
        assert!(Pgaudit::of(11).is_none() && Pgaudit::of(19).is_none());
        assert!(KNOWN.is_sorted_by(|one, other| one.name < other.name));
        assert!(KNOWN.iter().all(|known| crate::form::EXTENSION.fits(known.name)));
    }
}
