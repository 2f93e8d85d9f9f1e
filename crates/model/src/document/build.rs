//! What an image is built from.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::bounds::IMAGE_LENGTH;
use crate::form;

/// What the image is built from: a base with PostgreSQL, and what is added to it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Image to build")]
pub struct Build {
    /// The image that is built on: an official one of PostgreSQL, or a mirror of it, whose tag names the major version and
    /// the distribution.
    #[schemars(length(min = 1, max = IMAGE_LENGTH), extend("examples" = ["postgres:16-bookworm", "postgres:16-alpine"]))]
    pub base: String,
    /// The extensions that the image has.
    #[serde(default)]
    #[schemars(extend("examples" = [[{ "name": "pgaudit" }]]))]
    pub extensions: Vec<Extension>,
    /// Labels of the image, besides those that kasm-db sets.
    #[serde(default)]
    #[schemars(
        extend("propertyNames" = { "pattern": form::LABEL.pattern }),
        extend("additionalProperties" = { "type": "string", "pattern": form::LABEL_VALUE.pattern }),
        extend("examples" = [{ "org.opencontainers.image.vendor": "Example" }])
    )]
    pub labels: BTreeMap<String, String>,
    /// The platforms that are built. Default: the one of the builder.
    #[serde(default)]
    #[schemars(inner(regex(pattern = form::PLATFORM.pattern)), extend("examples" = [["linux/amd64", "linux/arm64"]]))]
    pub platforms: Vec<String>,
    /// Files with certificates in PEM that the image trusts, relative to the folder of the document.
    #[serde(default)]
    #[schemars(inner(length(min = 1)), extend("examples" = [["certs/internal-ca.pem"]]))]
    pub ca_certificates: Vec<String>,
}

/// An extension of PostgreSQL, and where it comes from if that is not known.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Extension")]
pub struct Extension {
    /// The name of the extension or library, as in `CREATE EXTENSION`.
    #[schemars(regex(pattern = form::EXTENSION.pattern), extend("examples" = ["pgaudit"]))]
    pub name: String,
    /// The package of the distribution that has it, with `=version` to pin it. Debian only.
    #[schemars(regex(pattern = form::PACKAGE.pattern), extend("examples" = ["postgresql-16-cron"]))]
    pub package: Option<String>,
    /// The archive that it is compiled from.
    #[schemars(extend("examples" = [{ "url": "https://registry.example.com/pg_cron-1.6.tar.gz", "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }]))]
    pub source: Option<Source>,
}

/// An archive with the source of an extension that PGXS builds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Source of an extension")]
pub struct Source {
    /// The address of the archive, a compressed tar file. It holds no password.
    #[schemars(regex(pattern = form::ADDRESS.pattern), extend("examples" = ["https://registry.example.com/pg_cron-1.6.tar.gz"]))]
    pub url: String,
    /// The SHA-256 of the archive. Required.
    #[schemars(regex(pattern = form::SHA256.pattern), extend("examples" = ["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]))]
    pub sha256: Option<String>,
}
