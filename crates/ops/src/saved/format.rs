//! The plan file, `kasm-db/plan/v2`: its text, and how it is read.
//!
//! It holds no content of a file but what a plan shows anyway, images and managed settings: edits are
//! offsets, everything else is a SHA-256. The same plan gives the same bytes: there is no time in it.
//!
//! A plan file is data. Nothing in it is ever written to a target; `apply` plans again and compares.

#![allow(
    missing_docs,
    reason = "the members are named as the keys of the file, which the page of the format explains"
)]

use std::fmt;
use std::time::Duration;

use model::document::Connect;
use serde::{Deserialize, Serialize};

use crate::follow_up::{FollowUp, Step};

/// Names the format; another major has another name.
pub const FORMAT: &str = "kasm-db/plan/v2";

/// Additions raise the second number. A reader takes a larger one, and leaves out what it does not know.
pub const VERSION: (u32, u32) = (2, 3);

/// Larger than the plan of ten thousand targets; what is larger is something else.
pub const MAX_BYTES: u64 = 128 << 20;

/// A whole plan file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanFile {
    pub format: String,
    pub format_version: String,
    /// The version of the kasm-db that made the plan.
    pub tool_version: String,
    pub selection: SavedSelection,
    /// The plans of each document, of at least one.
    pub plans: Vec<DocumentPlan>,
}

impl PlanFile {
    /// Returns the targets of all documents, in their order, each with the plans of its document.
    pub fn targets(&self) -> impl Iterator<Item = (&DocumentPlan, &SavedTarget)> {
        self.plans.iter().flat_map(|plan| plan.targets.iter().map(move |target| (plan, target)))
    }
}

/// The plans of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentPlan {
    /// The document, and then each that it extends.
    pub documents: Vec<DocumentDigest>,
    /// The document with those that it extends as one, as `render` writes it: for reviewers and policies. An apply
    /// reads the documents.
    pub resolved: String,
    pub targets: Vec<SavedTarget>,
}

impl DocumentPlan {
    /// Returns the document's path, as the command line named it.
    pub fn document(&self) -> &str {
        self.documents.first().map_or("", |document| &document.path)
    }
}

/// A plan file as it is written: the first document's plans are not in a list, as most files have no others.
#[derive(Serialize, Deserialize)]
struct Whole {
    format: String,
    format_version: String,
    tool_version: String,
    documents: Vec<DocumentDigest>,
    resolved: String,
    selection: SavedSelection,
    targets: Vec<SavedTarget>,
    /// The plans of further documents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    others: Vec<DocumentPlan>,
}

impl From<Whole> for PlanFile {
    fn from(whole: Whole) -> Self {
        let Whole { format, format_version, tool_version, documents, resolved, selection, targets, others } =
            whole;
        let first = DocumentPlan { documents, resolved, targets };
        let plans = std::iter::once(first).chain(others).collect();
        Self { format, format_version, tool_version, selection, plans }
    }
}

impl From<PlanFile> for Whole {
    fn from(file: PlanFile) -> Self {
        let PlanFile { format, format_version, tool_version, selection, plans } = file;
        let mut plans = plans.into_iter();
        let none = DocumentPlan { documents: Vec::new(), resolved: String::new(), targets: Vec::new() };
        let DocumentPlan { documents, resolved, targets } = plans.next().unwrap_or(none);
        Self {
            format,
            format_version,
            tool_version,
            documents,
            resolved,
            selection,
            targets,
            others: plans.collect(),
        }
    }
}

/// A document, and the SHA-256 of its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentDigest {
    pub path: String,
    pub sha256: String,
}

/// What the command line chose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedSelection {
    pub targets: Vec<String>,
    pub deployment: Option<String>,
    pub installer: Option<String>,
    /// Where the files were that the plan was made from. Whoever applies it says where they are.
    pub root: Option<String>,
    /// The blockers that were allowed. Whoever applies must allow them again.
    pub allow: Vec<String>,
    /// The archives that were looked into, besides the engine; nothing if no image was looked into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inspect: Option<Vec<String>>,
}

/// The plan of one target. It is bound to what is below the target's folder, wherever that is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedTarget {
    pub name: String,
    pub kind: Kind,
    /// Where the target's folder led to when the plan was made, all links followed.
    pub folder: String,
    pub blocked: bool,
    pub needs: Need,
    /// What follows the files; nothing if that is for a person to do.
    pub follows: Option<SavedFollows>,
    pub changes: Vec<SavedChange>,
    pub files: Vec<SavedFile>,
    pub findings: Vec<SavedFinding>,
    pub in_order: Vec<String>,
    pub skipped: Vec<String>,
    /// The values that are no longer declared, and are restored.
    #[serde(default)]
    pub restored: Vec<String>,
    /// Every file that the plan was made from.
    pub inputs: Vec<Input>,
    /// What images hold that were looked into.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<SavedImage>,
}

/// What an image holds that was looked into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedImage {
    /// Its reference; nothing if that may hold a secret.
    pub reference: Option<String>,
    /// Its id; nothing if it was not there.
    pub id: Option<String>,
    pub postgres: Option<String>,
    pub libraries: Option<Vec<String>>,
    /// The archive that it was found in; nothing for the engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<String>,
    /// Why it was not looked into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What an apply does after the files are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedFollows {
    /// `stop`, `start`, `healthy`, `reload`, `extension`.
    pub steps: Vec<String>,
    /// A path that is not absolute starts at the target's folder.
    pub stop: Vec<String>,
    pub start: Vec<String>,
    pub stop_timeout_seconds: u64,
    pub timeout_seconds: u64,
    /// `docker`, `tcp` or `none`.
    pub connect: String,
    pub container: String,
    pub user: String,
    pub database: String,
    pub extension_databases: Vec<String>,
    /// The statements that the steps run.
    pub sql: Vec<String>,
}

impl SavedFollows {
    /// Returns what an apply does; `None` for a step or a way to connect that this version does not know.
    pub fn follow_up(&self) -> Option<FollowUp> {
        Some(FollowUp {
            step: Step::named(self.steps.first()?)?,
            stop: self.stop.clone(),
            start: self.start.clone(),
            stop_timeout: Duration::from_secs(self.stop_timeout_seconds),
            timeout: Duration::from_secs(self.timeout_seconds),
            connect: match &*self.connect {
                "docker" => Connect::Docker,
                "tcp" => Connect::Tcp,
                "none" => Connect::None,
                _ => return None,
            },
            container: self.container.clone(),
            user: self.user.clone(),
            database: self.database.clone(),
            extension_databases: self.extension_databases.clone(),
        })
    }
}

/// A file that was read, or looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    pub path: String,
    pub found: InputFound,
    /// Of a file that could be read, in hexadecimal digits.
    pub sha256: Option<String>,
}

/// One changed value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedChange {
    pub r#type: ChangeType,
    pub action: ChangeAction,
    pub subject: String,
    pub path: String,
    pub line: usize,
    pub before: Option<String>,
    pub after: Option<String>,
    pub needs: Need,
    pub why: Option<String>,
}

/// One changed file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedFile {
    pub path: String,
    pub kind: SavedFileKind,
    pub sha256_before: String,
    pub sha256_after: String,
    pub edits: Vec<SavedEdit>,
}

/// One replacement: bytes of the file as it was, and the SHA-256 of what takes their place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedEdit {
    pub start: usize,
    pub end: usize,
    pub sha256: String,
}

/// A blocker or a warning, before anybody overruled it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedFinding {
    pub code: String,
    pub name: String,
    pub severity: SavedSeverity,
    pub message: String,
    pub place: Option<SavedLocation>,
    pub help: Option<String>,
}

/// Where a finding is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedLocation {
    pub path: String,
    pub line: usize,
    pub column: usize,
    pub start: usize,
    pub end: usize,
}

/// Declares an enumeration of the file beside the planner's: the same variants, with the names that the file has.
macro_rules! names {
    ($(#[$about:meta])* $name:ident = $of:ty { $($variant:ident $text:literal),* $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name {
            $(#[serde(rename = $text)] $variant),*
        }

        impl From<$of> for $name {
            fn from(of: $of) -> Self {
                match of {
                    $(<$of>::$variant => Self::$variant),*
                }
            }
        }

        impl From<$name> for $of {
            fn from(name: $name) -> Self {
                match name {
                    $($name::$variant => Self::$variant),*
                }
            }
        }
    };
}

names! {
    /// What a changed value is.
    ChangeType = render::ChangeKind { Image "image", Preload "preload", Setting "setting", Unset "unset" }
}

names! {
    /// What a change does to a value.
    ChangeAction = render::Action { Add "add", Change "change", Remove "remove" }
}

names! {
    /// What a change needs to take effect.
    Need = render::Needs { Nothing "nothing", Reload "reload", Restart "restart", Recreate "recreate" }
}

names! {
    /// The kind of a file.
    SavedFileKind = render::FileKind { Compose "compose", Conf "postgresql_conf" }
}

names! {
    /// How bad a finding is.
    SavedSeverity = model::Severity { Error "error", Warning "warning" }
}

/// The kind of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Deployment,
    Installer,
    Files,
}

/// What came of reading a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputFound {
    File,
    Absent,
    Unreadable,
}

/// Why bytes are no plan file.
///
/// It names places and never content: the bytes may be those of any file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invalid {
    TooLarge,
    /// It ends before its JSON does.
    Truncated,
    /// It is no JSON, or not of the right shape, at this line and column.
    Shape(usize, usize),
    /// It is JSON of another format.
    Format,
    /// It is what `plan --format json` or `show --format json` prints.
    Report,
    /// It is a plan file of kasm-db 0.1.0.
    Version1,
    /// It is a plan file of another major.
    Version,
    /// It has a key that this version does not write.
    UnknownKey(String),
    /// Something in it cannot be, at this key.
    Value(String),
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => {
                write!(f, "is larger than {} MiB, which is too large for a plan file", MAX_BYTES >> 20)
            }
            Self::Truncated => f.write_str("is cut short"),
            Self::Shape(line, column) => write!(f, "is not a plan file: line {line}, column {column}"),
            Self::Format => write!(f, "is not a plan file: its format is not {FORMAT}"),
            Self::Report => {
                f.write_str("is the output of `plan` or `show` with `--format json`, not a saved plan")
            }
            Self::Version1 => {
                f.write_str("is a plan file of kasm-db 0.1.0, which this kasm-db does not apply")
            }
            Self::Version => f.write_str("is a plan file of a version that this kasm-db does not know"),
            Self::UnknownKey(key) => write!(f, "was changed by hand: kasm-db writes no key `{key}`"),
            Self::Value(key) => write!(f, "was changed by hand: kasm-db writes no such `{key}`"),
        }
    }
}

/// Writes a plan file.
pub fn encode(plan: PlanFile) -> Vec<u8> {
    // These structs hold nothing that JSON cannot: no maps with other keys than text, no NaN.
    let mut text = serde_json::to_vec_pretty(&Whole::from(plan)).unwrap_or_default();
    text.push(b'\n');
    text
}

/// Reads a plan file. Whoever holds one knows its shape, and not that it is true.
pub fn decode(bytes: &[u8]) -> Result<PlanFile, Invalid> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Invalid::TooLarge);
    }
    let minor = minor(bytes)?;
    let mut unknown = None;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let whole: Whole = serde_ignored::deserialize(&mut reader, |path| {
        unknown.get_or_insert_with(|| path.to_string());
    })
    .map_err(|error| invalid(&error))?;
    reader.end().map_err(|error| invalid(&error))?;
    match unknown {
        Some(key) if minor <= VERSION.1 => return Err(Invalid::UnknownKey(key)),
        _ => {}
    }
    let file = PlanFile::from(whole);
    file.plans.iter().try_for_each(check)?;
    Ok(file)
}

/// Finds out which format it is before anything else of it is believed.
fn minor(bytes: &[u8]) -> Result<u32, Invalid> {
    #[derive(Deserialize)]
    struct Head {
        format: Option<String>,
        format_version: Option<String>,
    }
    let head: Head = serde_json::from_slice(bytes).map_err(|error| invalid(&error))?;
    match head.format.as_deref() {
        Some(FORMAT) => {}
        Some("kasm-db/plan" | "kasm-db/show") => return Err(Invalid::Report),
        Some("kasm-db/plan/v1") => return Err(Invalid::Version1),
        Some(other) if other.starts_with("kasm-db/plan/") => return Err(Invalid::Version),
        _ => return Err(Invalid::Format),
    }
    let version = head.format_version.as_deref().and_then(|text| text.split_once('.'));
    let number = |text: &str| {
        let is_plain = text == "0" || (!text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()));
        text.parse::<u32>().ok().filter(|_| is_plain)
    };
    match version.and_then(|(major, minor)| Some((number(major)?, number(minor)?))) {
        Some((major, minor)) if major == VERSION.0 => Ok(minor),
        Some(_) => Err(Invalid::Version),
        None => Err(Invalid::Value("format_version".into())),
    }
}

/// Omits serde's own words: they quote what they found.
fn invalid(error: &serde_json::Error) -> Invalid {
    if error.is_eof() { Invalid::Truncated } else { Invalid::Shape(error.line(), error.column()) }
}

/// Checks what no type says. `apply` compares all of it once more with a plan of its own.
fn check(plan: &DocumentPlan) -> Result<(), Invalid> {
    let refuse = |key: &str| Err(Invalid::Value(key.to_string()));
    if plan.documents.is_empty() || !plan.documents.iter().all(|document| is_hash(&document.sha256)) {
        return refuse("documents");
    }
    for target in &plan.targets {
        let is_right = |input: &Input| match (input.found, &input.sha256) {
            (InputFound::File, Some(hash)) => is_hash(hash),
            (InputFound::Absent | InputFound::Unreadable, None) => true,
            _ => false,
        };
        if !target.inputs.iter().all(is_right) {
            return refuse("inputs");
        }
        for file in &target.files {
            if !is_below(&file.path) {
                return refuse("files.path");
            }
            if !is_hash(&file.sha256_before) || !is_hash(&file.sha256_after) {
                return refuse("files.sha256");
            }
            let mut end = 0;
            for edit in &file.edits {
                if edit.start < end || edit.end < edit.start || !is_hash(&edit.sha256) {
                    return refuse("files.edits");
                }
                end = edit.end;
            }
        }
    }
    Ok(())
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Returns whether a path can only lead to something below the folder that it starts from.
fn is_below(path: &str) -> bool {
    !path.contains('\0') && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}
