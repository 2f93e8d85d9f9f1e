//! The checks of what an image is built from.

use super::Checker;
use crate::code::Code;
use crate::desired::DesiredPreload;
use crate::desired_build::{BuiltExtension, DesiredBuild, Distribution, Origin, major_of};
use crate::diagnostic::Diagnostic;
use crate::document::{Build, Document, Extension};
use crate::extension::{KnownExtension, MAJORS, Pgaudit};
use crate::image::Image;
use crate::release::Release;
use crate::suggest::nearest;

impl Checker<'_, '_> {
    /// Checks `build`, and finds the origin of everything that it adds.
    pub(super) fn build(
        &mut self,
        document: &Document,
        preload: Option<&DesiredPreload>,
        audits: bool,
    ) -> Option<DesiredBuild> {
        let build = document.build.as_ref()?;
        let base = self.base(build);
        let major = base.as_ref().and_then(|(_, major, _)| *major);
        if let (Some(declared), Some(major)) = (document.postgres_major, major)
            && declared != major
        {
            let (at, base) = (self.value("/postgres_major"), self.value("/build/base"));
            let message =
                format!("`postgres_major` is {declared}, but `build.base` holds PostgreSQL {major}");
            self.push(
                Diagnostic::error(Code::MajorMismatch, message)
                    .at(at)
                    .related(base, format!("PostgreSQL {major}"))
                    .help("remove `postgres_major`: the tag of the base determines the major"),
            );
        }
        let mut extensions = Vec::new();
        for (index, extension) in build.extensions.iter().enumerate() {
            if build.extensions[..index].iter().any(|other| other.name == extension.name) {
                let at = self.value(&format!("/build/extensions/{index}/name"));
                let message =
                    format!("`build.extensions[{index}]` repeats the extension `{}`", extension.name);
                self.push(
                    Diagnostic::error(Code::DuplicateItem, message).at(at).help("remove one of the two"),
                );
                continue;
            }
            self.preloaded(index, extension, preload);
            let base = base.as_ref().map(|(base, major, distribution)| (base, *major, *distribution));
            let origin = self.origin(index, extension, base);
            extensions.extend(origin.map(|origin| BuiltExtension::new(&extension.name, origin)));
        }
        if let Some((base, ..)) = &base {
            self.libraries(build, preload, audits, &Release::of(base));
        }
        let (base, Some(major), Some(distribution)) = base? else { return None };
        Some(DesiredBuild {
            base,
            major,
            distribution,
            extensions,
            labels: build.labels.clone(),
            platforms: build.platforms.clone(),
            ca_certificates: build.ca_certificates.clone(),
        })
    }

    /// Reads the base, its major and its distribution.
    fn base(&mut self, build: &Build) -> Option<(Image, Option<u16>, Option<Distribution>)> {
        let at = self.value("/build/base");
        let Ok(base) = Image::parse(&build.base) else {
            self.push(
                Diagnostic::error(
                    Code::InvalidImage,
                    "invalid value for `build.base`: not an image reference",
                )
                .at(at)
                .help("write `repository:tag`, as in `postgres:16-bookworm`"),
            );
            return None;
        };
        let (major, distribution) = (major_of(&base), Distribution::of(&base));
        let lacking = match (major, distribution) {
            (Some(_), Some(_)) => None,
            (None, Some(_)) => Some("the PostgreSQL major version"),
            (Some(_), None) => Some("the distribution"),
            (None, None) => Some("neither the PostgreSQL major version nor the distribution"),
        };
        if let Some(lacking) = lacking {
            let shows = if lacking.starts_with("neither") { "shows" } else { "does not show" };
            let message = format!("the name of `build.base` {shows} {lacking}");
            self.push(
                Diagnostic::error(Code::UnknownBase, message)
                    .at(at)
                    .help("use a tag with both, as in `postgres:16-bookworm` or `postgres:16-alpine`"),
            );
        } else if let Some(major) = major.filter(|major| !MAJORS.contains(major)) {
            let message = format!("`build.base` holds PostgreSQL {major}, for which no image can be built");
            let (first, last) = (MAJORS.start(), MAJORS.end());
            let help = format!("use a base with PostgreSQL {first} to {last}");
            self.push(Diagnostic::error(Code::UnknownBase, message).at(at).help(help));
            return Some((base, None, distribution));
        }
        Some((base, major, distribution))
    }

    /// Reports an extension that has no effect because the server does not preload it.
    fn preloaded(&mut self, index: usize, extension: &Extension, preload: Option<&DesiredPreload>) {
        let known = KnownExtension::find(&extension.name);
        let is_needed = known.is_some_and(|known| known.preloaded);
        let is_there = |libraries: &[String]| {
            libraries
                .iter()
                .any(|library| pgconf::same_library(library.as_bytes(), extension.name.as_bytes()))
        };
        if is_needed && !preload.is_some_and(|preload| is_there(&preload.libraries)) {
            let at = self.value(&format!("/build/extensions/{index}/name"));
            let name = &extension.name;
            let message = format!("`{name}` must be preloaded, and `preload.libraries` does not contain it");
            self.push(
                Diagnostic::error(Code::NotPreloaded, message)
                    .at(at)
                    .help(format!("add `{name}` to `preload.libraries`")),
            );
        }
    }

    /// Finds where an extension comes from.
    fn origin(
        &mut self,
        index: usize,
        extension: &Extension,
        base: Option<(&Image, Option<u16>, Option<Distribution>)>,
    ) -> Option<Origin> {
        let (name, pointer) = (&extension.name, format!("/build/extensions/{index}"));
        if let (Some(_), Some(_)) = (&extension.package, &extension.source) {
            let at = self.key(&format!("{pointer}/source"));
            let message = format!("extension `{name}` has both `package` and `source`");
            self.push(Diagnostic::error(Code::UnknownExtension, message).at(at).help("remove one of them"));
            return None;
        }
        if let Some(source) = &extension.source {
            let origin = Origin::of_source(source);
            if origin.is_none() {
                let at = self.key(&format!("{pointer}/source"));
                self.push(
                    Diagnostic::error(
                        Code::ChecksumMissing,
                        format!("the source of extension `{name}` has no `sha256`"),
                    )
                    .at(at)
                    .help("download the archive, check where it is from, and add what `sha256sum` prints"),
                );
            }
            return origin;
        }
        let (base, major, distribution) = base?;
        if let Some(package) = &extension.package {
            if distribution == Some(Distribution::Alpine) {
                let at = self.key(&format!("{pointer}/package"));
                self.push(
                    Diagnostic::error(
                        Code::UnknownExtension,
                        format!("extension `{name}` has a `package`, and the base is on Alpine"),
                    )
                    .at(at)
                    .label("packages of Alpine are for Alpine's own PostgreSQL, which the base does not use")
                    .help("use `source:`, or a base on Debian"),
                );
                return None;
            }
            return Some(Origin::Package(package.clone()));
        }
        let at = self.value(&format!("{pointer}/name"));
        let Some(known) = KnownExtension::find(name) else {
            let meant = nearest(name, KnownExtension::names());
            let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
            self.push(
                Diagnostic::error(Code::UnknownExtension, format!("unknown extension `{name}`{meant}"))
                    .at(at)
                    .help("add `package:` with its package, or `source:` with its archive"),
            );
            return None;
        };
        if known.contrib || Release::of(base).libraries.contains(&name.as_str()) {
            return Some(Origin::Base);
        }
        match (distribution?, name.as_str()) {
            (Distribution::Debian, _) => known.debian_package(major?).map(Origin::Package),
            (Distribution::Alpine, "pgaudit") => {
                let release = Pgaudit::of(major?)?;
                let version = Some(release.version);
                Some(Origin::Source { url: release.url(), sha256: release.sha256.into(), version })
            }
            (Distribution::Alpine, _) => {
                self.push(
                    Diagnostic::error(
                        Code::ChecksumMissing,
                        format!("no archive of `{name}` with a known checksum"),
                    )
                    .at(at)
                    .help("add `source:` with `url` and `sha256`, or use a base on Debian"),
                );
                None
            }
        }
    }

    /// Reports libraries that would be preloaded and are not in the image.
    fn libraries(&mut self, build: &Build, preload: Option<&DesiredPreload>, audits: bool, base: &Release) {
        let is_built = |library: &str| {
            build
                .extensions
                .iter()
                .any(|extension| pgconf::same_library(library.as_bytes(), extension.name.as_bytes()))
        };
        let libraries = preload.map(|preload| preload.libraries.as_slice()).unwrap_or_default();
        for (index, library) in libraries.iter().enumerate() {
            let name = pgconf::library_name(library.as_bytes());
            let name = String::from_utf8_lossy(&name).into_owned();
            if !is_built(library) && base.has_library(&name) != Some(true) && !Release::is_contrib(&name) {
                let at = self.value(&format!("/preload/libraries/{index}"));
                let message = format!("the image would not have the library `{library}`");
                let help = format!("add `- name: {name}` to `build.extensions`");
                self.push(Diagnostic::error(Code::LibraryNotBuilt, message).at(at).help(help));
            }
        }
        let is_listed = libraries.iter().any(|library| pgconf::same_library(library.as_bytes(), b"pgaudit"));
        if audits && !is_listed && !is_built("pgaudit") && base.has_library("pgaudit") != Some(true) {
            let at = self.key("/build");
            let audit = self.key("/audit");
            self.push(
                Diagnostic::error(Code::LibraryNotBuilt, "the image would not have the library `pgaudit`")
                    .at(at)
                    .related(audit, "auditing is declared here")
                    .help(
                        "add `- name: pgaudit` to `build.extensions`, and `pgaudit` to `preload.libraries`",
                    ),
            );
        }
    }
}
