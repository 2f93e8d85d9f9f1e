//! The plan file, `kasm-db/plan/v1`: its text, and how it is read.
//!
//! It holds no content of a file but what a plan shows anyway, images and managed settings: edits are
//! offsets, everything else is a SHA-256. The same plan gives the same bytes: there is no time in it.
//!
//! A plan file is data. Nothing in it is ever written to a target; `apply` plans anew and compares.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Names the format; another major has another name.
pub(crate) const FORMAT: &str = "kasm-db/plan/v1";

/// Additions raise the second number. A reader takes a larger one, and leaves out what it does not know.
pub(crate) const VERSION: (u32, u32) = (1, 0);

/// Larger than the plan of a thousand targets; what is larger is something else.
pub(crate) const MAX_BYTES: u64 = 8 << 20;

/// A whole plan file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PlanFile {
    pub(crate) format: String,
    pub(crate) format_version: String,
    /// The version of the kasm-db that made the plan.
    pub(crate) tool_version: String,
    /// The document, and then each that it extends.
    pub(crate) documents: Vec<Input>,
    pub(crate) selection: Selection,
    pub(crate) targets: Vec<SavedTarget>,
}

/// What the command line chose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Selection {
    pub(crate) targets: Vec<String>,
    pub(crate) deployment: Option<String>,
    pub(crate) installer: Option<String>,
    pub(crate) root: Option<String>,
    /// The blockers that were overruled. Whoever applies must overrule them again.
    pub(crate) allow: Vec<String>,
}

/// The plan of one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedTarget {
    pub(crate) name: String,
    pub(crate) kind: String,
    /// Where the target's folder led to, all links followed.
    pub(crate) folder: String,
    pub(crate) blocked: bool,
    pub(crate) needs: String,
    pub(crate) changes: Vec<SavedChange>,
    pub(crate) files: Vec<SavedFile>,
    pub(crate) findings: Vec<SavedFinding>,
    pub(crate) in_order: Vec<String>,
    pub(crate) skipped: Vec<String>,
    /// Every file that the plan was made from.
    pub(crate) inputs: Vec<Input>,
}

/// A file that was read, or looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Input {
    pub(crate) path: String,
    /// `file`, `absent` or `unreadable`.
    pub(crate) found: String,
    /// Of a file that could be read, in hexadecimal digits.
    pub(crate) sha256: Option<String>,
}

/// One changed value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedChange {
    pub(crate) action: String,
    pub(crate) subject: String,
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
    pub(crate) needs: String,
    pub(crate) why: Option<String>,
}

/// One changed file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedFile {
    pub(crate) path: String,
    pub(crate) kind: String,
    pub(crate) sha256_before: String,
    pub(crate) sha256_after: String,
    pub(crate) edits: Vec<SavedEdit>,
}

/// One replacement: bytes of the file as it was, and the SHA-256 of what takes their place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedEdit {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) sha256: String,
}

/// A blocker or a warning, before anybody overruled it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedFinding {
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) severity: String,
    pub(crate) message: String,
    pub(crate) place: Option<SavedPlace>,
    pub(crate) help: Option<String>,
}

/// Where a finding is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedPlace {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Why bytes are no plan file.
///
/// It names places and never content: the bytes may be those of any file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Invalid {
    TooLarge,
    /// It ends before its JSON does.
    Truncated,
    /// It is no JSON, or not of the right shape, at this line and column.
    Shape(usize, usize),
    /// It is JSON of another format.
    Format,
    /// It is what `plan --format json` prints.
    Report,
    /// It is a plan file of another major.
    Version,
    /// It has a key that this version does not write.
    UnknownKey(String),
    /// Something in it can not be, at this key.
    Value(String),
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(f, "is larger than {MAX_BYTES} bytes, and no plan file is"),
            Self::Truncated => f.write_str("is cut short"),
            Self::Shape(line, column) => write!(f, "is not a plan file: line {line}, column {column}"),
            Self::Format => write!(f, "is not a plan file: its format is not {FORMAT}"),
            Self::Report => f.write_str("is what `plan --format json` prints, not a plan file"),
            Self::Version => f.write_str("is a plan file of a version that this kasm-db does not know"),
            Self::UnknownKey(key) => write!(f, "was changed by hand: kasm-db writes no key `{key}`"),
            Self::Value(key) => write!(f, "was changed by hand: kasm-db writes no such `{key}`"),
        }
    }
}

/// Writes a plan file.
pub(crate) fn encode(plan: &PlanFile) -> Vec<u8> {
    // These structs hold nothing that JSON can not: no maps with other keys than text, no NaN.
    let mut text = serde_json::to_vec_pretty(plan).unwrap_or_default();
    text.push(b'\n');
    text
}

/// Reads a plan file. Whoever holds one knows its shape, and not that it is true.
pub(crate) fn decode(bytes: &[u8]) -> Result<PlanFile, Invalid> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Invalid::TooLarge);
    }
    let minor = minor(bytes)?;
    let mut unknown = None;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let plan: PlanFile = serde_ignored::deserialize(&mut reader, |path| {
        unknown.get_or_insert_with(|| path.to_string());
    })
    .map_err(|error| invalid(&error))?;
    reader.end().map_err(|error| invalid(&error))?;
    match unknown {
        Some(key) if minor <= VERSION.1 => return Err(Invalid::UnknownKey(key)),
        _ => {}
    }
    check(&plan)?;
    Ok(plan)
}

/// Gives the hexadecimal digits of a hash.
pub(crate) fn hex(hash: &[u8]) -> String {
    use fmt::Write as _;
    hash.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
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
        Some("kasm-db/plan") => return Err(Invalid::Report),
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

/// Leaves serde's own words out: they quote what they found.
fn invalid(error: &serde_json::Error) -> Invalid {
    if error.is_eof() { Invalid::Truncated } else { Invalid::Shape(error.line(), error.column()) }
}

/// Checks what no type says. `apply` compares all of it once more with a plan of its own.
fn check(plan: &PlanFile) -> Result<(), Invalid> {
    let refuse = |key: &str| Err(Invalid::Value(key.to_string()));
    let one_of = |text: &str, known: &[&str]| known.contains(&text);
    if plan.documents.is_empty() {
        return refuse("documents");
    }
    for input in plan.documents.iter().chain(plan.targets.iter().flat_map(|target| &target.inputs)) {
        let is_right = match (&*input.found, &input.sha256) {
            ("file", Some(hash)) => is_hash(hash),
            ("absent" | "unreadable", None) => true,
            _ => false,
        };
        if !is_right {
            return refuse("inputs");
        }
    }
    for target in &plan.targets {
        if !one_of(&target.kind, &["deployment", "installer", "files"]) {
            return refuse("kind");
        }
        let mut needs = target.changes.iter().map(|change| &change.needs).chain([&target.needs]);
        if !needs.all(|needs| one_of(needs, &["nothing", "reload", "restart", "recreate"])) {
            return refuse("needs");
        }
        if !target.changes.iter().all(|change| one_of(&change.action, &["add", "change", "remove"])) {
            return refuse("action");
        }
        if !target.findings.iter().all(|finding| one_of(&finding.severity, &["error", "warning"])) {
            return refuse("severity");
        }
        for file in &target.files {
            if !is_below(&file.path) {
                return refuse("files.path");
            }
            if !one_of(&file.kind, &["compose", "postgresql_conf"]) {
                return refuse("files.kind");
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

/// Tells whether a path can only lead to something below the folder that it starts from.
fn is_below(path: &str) -> bool {
    !path.contains('\0') && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}
