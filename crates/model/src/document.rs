//! The document as it is written: kasm-db.yaml, version 1.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

mod build;

use crate::bounds::{IMAGE_LENGTH, MAJORS, PARAMETER_SIZES, PATH_LENGTH, ROLE_LENGTH};
use crate::form;
use crate::ignorable::Ignorable;

pub use self::build::{Build, Extension, Source};

/// The value of `schema` that this version reads.
pub const VERSION: &str = "kasm-db/v1";

/// The desired state of the database of one or more Kasm Workspaces deployments.
///
/// An absent key is not managed: what is on the host stays.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "kasm-db.yaml", extend("patternProperties" = {"^x-": true}))]
pub struct Document {
    /// The version of this document. Required; selects the schema.
    pub schema: Version,
    /// A document that this one builds on: mappings merge, and everything else replaces the value of the parent.
    ///
    /// The path is relative to the folder of this document. Paths of targets are relative to the folder of the
    /// document that kasm-db was called with, even if a parent contains them.
    #[schemars(
        length(max = PATH_LENGTH),
        regex(pattern = form::DOCUMENT_PATH.pattern),
        extend("examples" = ["../base.kasm-db.yaml"])
    )]
    pub extends: Option<String>,
    /// The oldest kasm-db that may read this document.
    #[schemars(regex(pattern = form::VERSION.pattern), extend("examples" = ["0.1.0"]))]
    pub min_version: Option<String>,
    /// The database image, as one string: `[registry/]repository:tag[@sha256:digest]`.
    #[schemars(length(min = 1, max = IMAGE_LENGTH), extend("examples" = ["kasmweb/postgres:1.11.0"]))]
    pub image: Option<String>,
    /// The PostgreSQL major version in the image, if it cannot be derived from the tag.
    #[serde(default, deserialize_with = "whole")]
    #[schemars(range(min = *MAJORS.start(), max = *MAJORS.end()), extend("examples" = [14]))]
    pub postgres_major: Option<u16>,
    /// The libraries that the server preloads (`shared_preload_libraries`).
    #[schemars(extend("examples" = [{ "libraries": ["pgaudit"] }]))]
    pub preload: Option<Preload>,
    /// What `image` is built from, for `kasm-db build`.
    #[schemars(extend("examples" = [{ "base": "postgres:16-bookworm", "extensions": [{ "name": "pgaudit" }] }]))]
    pub build: Option<Build>,
    /// What pgaudit logs.
    #[schemars(extend("examples" = [{ "classes": ["read", "write", "ddl"] }]))]
    pub audit: Option<Audit>,
    /// Other settings of postgresql.conf, each a scalar.
    #[serde(default)]
    #[schemars(schema_with = "settings_schema")]
    pub settings: BTreeMap<String, serde_json::Value>,
    /// Settings of postgresql.conf to comment out.
    #[serde(default)]
    #[schemars(extend("examples" = [["log_min_messages"]]))]
    pub unset: Vec<String>,
    /// The trees and files to manage.
    #[serde(default)]
    #[schemars(extend("examples" = [[{ "name": "current", "deployment": "/opt/kasm/current" }]]))]
    pub targets: Vec<Target>,
    /// What to do if a change requires a restart of the database.
    #[schemars(extend("examples" = [{ "policy": "if_needed", "timeout": "5min" }]))]
    pub restart: Option<Restart>,
    /// How to connect to the running database.
    #[schemars(extend("examples" = [{ "connect": "docker", "container": "kasm_db" }]))]
    pub verify: Option<Verify>,
    /// What happens to a value that kasm-db set and that is no longer declared: it is restored to what stood there
    /// before, or kept. Default: the value at the last apply, or `restore`.
    #[schemars(extend("default" = "restore"))]
    pub on_removal: Option<OnRemoval>,
    /// Warnings that are not shown, by name. `plan` counts them. Blockers cannot be ignored.
    #[serde(default)]
    #[schemars(extend("examples" = [["no-digest"]]))]
    pub ignore: Vec<Ignorable>,
}

impl Document {
    /// Reads a value as the types say, without the limits that only the schema has.
    pub(crate) fn of(value: &serde_json::Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }
}

/// Reads a whole number; JSON Schema takes `12.0` for one too.
fn whole<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64>,
{
    let number = serde_json::Number::deserialize(deserializer)?;
    let real =
        || number.as_f64().filter(|real| real.fract() == 0.0 && real.abs() < 1e15).map(|real| real as i64);
    let whole = number.as_i64().or_else(real).and_then(|whole| T::try_from(whole).ok());
    whole.map(Some).ok_or_else(|| Error::custom("not a whole number in range"))
}

/// Any scalar may be a value; `schemars` has no attribute for the type of a map's values.
fn settings_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "additionalProperties": { "type": ["string", "integer", "number", "boolean"] },
        "examples": [{ "log_min_duration_statement": "250ms" }],
    })
}

/// A version of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Version {
    #[allow(missing_docs, reason = "schemars turns documented variants into oneOf, whose errors say nothing")]
    #[serde(rename = "kasm-db/v1")]
    V1,
}

/// The preload libraries.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    title = "Preload libraries",
    extend(
        "if" = { "properties": { "mode": { "const": "exact" } }, "required": ["mode"] },
        "else" = { "properties": { "libraries": { "minItems": 1 } } },
    )
)]
pub struct Preload {
    /// Whether other libraries stay in the list (`ensure`) or are removed (`exact`).
    #[serde(default)]
    #[schemars(extend("default" = "ensure"))]
    pub mode: Mode,
    /// The libraries, in loading order; an empty list, with `mode: exact`, for none.
    #[schemars(
        inner(
            regex(pattern = form::LIBRARY.pattern),
        ),
        extend("examples" = [["pgaudit"]])
    )]
    pub libraries: Vec<String>,
}

/// How the document's list and the file's go together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "schemars turns documented variants into oneOf, whose errors say nothing")]
pub enum Mode {
    #[default]
    Ensure,
    Exact,
}

/// What happens to a value that is no longer declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "schemars turns documented variants into oneOf, whose errors say nothing")]
pub enum OnRemoval {
    Restore,
    Keep,
}

/// What pgaudit logs: its settings under their own names.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "Auditing")]
pub struct Audit {
    /// The classes of statements to log (`pgaudit.log`), added up from left to right; `-class` subtracts.
    #[schemars(
        length(min = 1),
        inner(
            regex(pattern = form::CLASS.pattern),
        ),
        extend("examples" = [["read", "write", "ddl"]])
    )]
    pub classes: Option<Vec<String>>,
    /// Whether statements that touch only pg_catalog are logged.
    pub log_catalog: Option<bool>,
    /// Whether log messages are also sent to the client.
    pub log_client: Option<bool>,
    /// The level of the messages sent to the client.
    #[schemars(extend("examples" = ["notice"]))]
    pub log_level: Option<LogLevel>,
    /// Whether the parameters of a statement are logged.
    pub log_parameter: Option<bool>,
    /// The size in bytes above which a parameter is not logged; 0 for no limit. PostgreSQL 16 and later.
    #[serde(deserialize_with = "whole")]
    #[schemars(range(min = *PARAMETER_SIZES.start(), max = *PARAMETER_SIZES.end()), extend("examples" = [8192]))]
    pub log_parameter_max_size: Option<i64>,
    /// Whether each relation in a statement gets its own entry.
    pub log_relation: Option<bool>,
    /// Whether the number of rows is logged. PostgreSQL 14 and later.
    pub log_rows: Option<bool>,
    /// Whether the text of a statement is logged. PostgreSQL 14 and later.
    pub log_statement: Option<bool>,
    /// Whether text and parameters are logged only with the first entry of a statement.
    pub log_statement_once: Option<bool>,
    /// The role whose grants select the objects to log; empty for none.
    #[schemars(length(max = ROLE_LENGTH), extend("examples" = ["auditor"]))]
    pub role: Option<String>,
    /// Whether `apply` creates the extension in the databases. Default: true.
    #[schemars(extend("default" = true))]
    pub extension: Option<bool>,
    /// The databases that get the extension. Default: the one of `verify`.
    #[schemars(
        length(min = 1),
        inner(
            regex(pattern = form::IDENTIFIER.pattern),
        ),
        extend("examples" = [["kasm"]])
    )]
    pub databases: Option<Vec<String>>,
}

/// A message level of `pgaudit.log_level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "schemars turns documented variants into oneOf, whose errors say nothing")]
pub enum LogLevel {
    Debug5,
    Debug4,
    Debug3,
    Debug2,
    Debug1,
    Debug,
    Info,
    Notice,
    Warning,
    Log,
}

impl LogLevel {
    /// Returns the level as the server writes it.
    pub fn name(self) -> &'static str {
        crate::settings::LOG_LEVELS[self as usize]
    }
}

/// One tree, or one set of files: exactly one of `deployment`, `installer` and `files`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Target")]
pub struct Target {
    /// A unique name, for output and for `--target`.
    #[schemars(regex(pattern = form::TARGET.pattern), extend("examples" = ["current"]))]
    pub name: String,
    /// An installed tree, such as `/opt/kasm/current`.
    #[schemars(length(min = 1), extend("examples" = ["/opt/kasm/current"]))]
    pub deployment: Option<String>,
    /// An unpacked installer (`kasm_release`).
    #[schemars(length(min = 1), extend("examples" = ["kasm_release"]))]
    pub installer: Option<String>,
    /// Files by name.
    pub files: Option<Files>,
}

/// Files by name; paths are relative to the document's folder.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Files of a target")]
pub struct Files {
    /// The compose files, in the order in which Compose merges them.
    #[serde(default)]
    #[schemars(extend("examples" = [["compose.yaml", "compose.override.yaml"]]))]
    pub compose: Vec<String>,
    /// The postgresql.conf that the server reads.
    #[schemars(length(min = 1), extend("examples" = ["conf/postgresql.conf"]))]
    pub postgresql_conf: Option<String>,
    /// The database's service, if it cannot be derived from the files.
    #[schemars(length(min = 1), extend("examples" = ["db"]))]
    pub service: Option<String>,
}

/// What to do if a change requires a restart.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "Restart")]
pub struct Restart {
    /// Whether `apply` restarts or reloads the database if a change requires it.
    #[schemars(extend("default" = "never"))]
    pub policy: Policy,
    /// The command that stops the database, as a list of arguments. Default: `bin/stop` of the deployment.
    #[schemars(length(min = 1), extend("examples" = [["/opt/kasm/bin/stop"]]))]
    pub stop: Option<Vec<String>>,
    /// The command that starts the database, as a list of arguments. Default: `bin/start` of the deployment.
    #[schemars(length(min = 1), extend("examples" = [["/opt/kasm/bin/start"]]))]
    pub start: Option<Vec<String>>,
    /// Users whose programs root may run to stop and start the database, such as the owner of the deployment. Default: none.
    #[schemars(length(min = 1), inner(length(min = 1)), extend("examples" = [["kasm"]]))]
    pub trust: Option<Vec<String>>,
    /// How long the database may take to come up: a number with `s`, `min` or `h`. Default: `5min`.
    #[schemars(regex(pattern = form::TIMEOUT.pattern), extend("examples" = ["5min"]))]
    pub timeout: Option<String>,
    /// How long the command that stops the database may take: a number with `s`, `min` or `h`. Default: `5min`.
    #[schemars(regex(pattern = form::TIMEOUT.pattern), extend("examples" = ["2min"]))]
    pub stop_timeout: Option<String>,
}

impl Restart {
    /// Returns how long the database may take to come up.
    pub fn timeout(&self) -> Duration {
        duration(self.timeout.as_deref())
    }

    /// Returns how long the command that stops it may take.
    pub fn stop_timeout(&self) -> Duration {
        duration(self.stop_timeout.as_deref())
    }
}

fn duration(text: Option<&str>) -> Duration {
    let text = text.unwrap_or("5min");
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    // The schema lets nothing else through than at most six digits and one of three units.
    let number: u64 = text[..digits].parse().unwrap_or(0);
    Duration::from_secs(match &text[digits..] {
        "h" => number * 3600,
        "min" => number * 60,
        _ => number,
    })
}

/// Whether `apply` restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "schemars turns documented variants into oneOf, whose errors say nothing")]
pub enum Policy {
    #[default]
    Never,
    IfNeeded,
}

/// How to connect to the running database. There is no key for a password: use PGPASSFILE or `~/.pgpass`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "Connection to the database")]
pub struct Verify {
    /// Through `docker exec`, over TCP, or not at all.
    #[schemars(extend("default" = "docker"))]
    pub connect: Connect,
    /// The container. Default: `kasm_db`.
    #[schemars(regex(pattern = form::CONTAINER.pattern), extend("default" = "kasm_db"))]
    pub container: Option<String>,
    /// The database user. Default: `kasmapp`.
    #[schemars(regex(pattern = form::IDENTIFIER.pattern), extend("default" = "kasmapp"))]
    pub user: Option<String>,
    /// The database. Default: `kasm`.
    #[schemars(regex(pattern = form::IDENTIFIER.pattern), extend("default" = "kasm"))]
    pub database: Option<String>,
}

impl Verify {
    /// Returns the container's name.
    pub fn container(&self) -> &str {
        self.container.as_deref().unwrap_or("kasm_db")
    }

    /// Returns the database user.
    pub fn user(&self) -> &str {
        self.user.as_deref().unwrap_or("kasmapp")
    }

    /// Returns the database.
    pub fn database(&self) -> &str {
        self.database.as_deref().unwrap_or("kasm")
    }
}

/// A way to the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "schemars turns documented variants into oneOf, whose errors say nothing")]
pub enum Connect {
    #[default]
    Docker,
    Tcp,
    None,
}
