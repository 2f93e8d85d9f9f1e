//! A plan as a patch for `git apply` and `patch -p1`.

use std::path::{Path, PathBuf};

use ops::saved::stale;
use ops::{Error, Outcome};
use render::Plan;

use super::Detail;
use super::emitter::{Emitter, Format, PlanHead, PlanRow};
use super::report::Report;
use super::sink::Sink;
use crate::output::is_unsafe;

/// The format.
pub(crate) const FORMAT: Format = Format {
    name: "patch",
    reports: &[Report::Plan, Report::Show],
    new: |_, sink, detail| Box::new(Patches::new(sink, detail)),
    entries: None,
    is_public: false,
};

/// Gathers the patches of all targets. They are written together: a part of a patch must not be taken for the whole.
struct Patches {
    sink: Sink,
    detail: Detail,
    /// The first error ends the patch, and not the run: the findings of other targets are shown, and what other formats say.
    targets: Result<Vec<TargetPatch>, Error>,
    stale: Vec<String>,
}

/// The patch of one target that changes.
struct TargetPatch {
    name: String,
    /// Its paths start at the target's folder.
    own: Vec<u8>,
    /// Its paths start at this folder, that of the document; nothing if the target is not below it.
    from_document: Option<(PathBuf, Vec<u8>)>,
}

impl Patches {
    fn new(sink: Sink, detail: Detail) -> Self {
        Self { sink, detail, targets: Ok(Vec::new()), stale: Vec::new() }
    }
}

/// Joins the patches of all targets.
///
/// # Errors
/// There are several, and no folder in which all of their paths can be applied.
fn together(targets: Vec<TargetPatch>) -> Result<Vec<u8>, Error> {
    if targets.len() < 2 {
        return Ok(targets.into_iter().flat_map(|target| target.own).collect());
    }
    let names: Vec<_> = targets.iter().map(|target| target.name.clone()).collect();
    let mut all = Vec::new();
    let mut folder = None;
    for target in targets {
        match target.from_document {
            Some((from, bytes)) if *folder.get_or_insert_with(|| from.clone()) == from => all.extend(bytes),
            _ => {
                let message =
                    format!("{} targets change, and one patch cannot be applied to all of them", names.len());
                let help = format!("choose one with `--target`: {}", names.join(", "));
                return Err(Error::failed(message).help(help));
            }
        }
    }
    Ok(all)
}

impl Emitter for Patches {
    fn begin_plans(&mut self, head: &PlanHead<'_>) -> Result<(), Error> {
        self.stale = head.stale.unwrap_or_default().to_vec();
        Ok(())
    }

    fn plan(&mut self, row: &PlanRow<'_>) -> Result<(), Error> {
        if row.plan.is_blocked() {
            return Ok(());
        }
        if let Ok(targets) = &mut self.targets {
            let target = match row.saved_files {
                None => target_patch(row, self.detail.show_secrets),
                Some(_) => {
                    Err(stale(&self.stale).help("plan again: a patch needs the files as the plan saw them"))
                }
            };
            match target {
                Ok(target) if target.own.is_empty() => {}
                Ok(target) => targets.push(target),
                Err(error) => self.targets = Err(error),
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        let targets = std::mem::replace(&mut self.targets, Ok(Vec::new()))?;
        self.sink.bytes(&together(targets)?)?;
        self.sink.complete();
        Ok(())
    }

    fn end(&mut self, _: Outcome) -> Result<(), Error> {
        self.sink.end()
    }
}

fn target_patch(row: &PlanRow<'_>, show_secrets: bool) -> Result<TargetPatch, Error> {
    let document = Path::new(row.document)
        .parent()
        .map(|folder| if folder == Path::new("") { Path::new(".") } else { folder });
    let document = document.and_then(|folder| folder.canonicalize().ok());
    let below = document.and_then(|document| {
        let below = Path::new(row.folder).strip_prefix(&document).ok()?.to_str()?.to_string();
        Some((document, below))
    });
    let own = patch(row.plan, "", show_secrets)?;
    let from_document = match below {
        Some((document, below)) => Some((document, patch(row.plan, &below, show_secrets)?)),
        None => None,
    };
    Ok(TargetPatch { name: row.plan.target.name.clone(), own, from_document })
}

/// Writes the patch of a plan, with paths that start above the folder `below`. Its bytes are exact: nothing in it is escaped or hidden.
///
/// So it is refused where it would show what may be a secret, or what a terminal would obey.
fn patch(plan: &Plan, below: &str, show_secrets: bool) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    for file in &plan.files {
        let path = if below.is_empty() { file.path.clone() } else { format!("{below}/{}", file.path) };
        let patch = render::diff::patch_at(file, &path, show_secrets).map_err(|error| {
            Error::failed(error.to_string()).help(
                "a patch needs the lines around a change as they are; use `kasm-db apply`, or `--show-secrets` \
                 if nobody else can read the output",
            )
        })?;
        if !show_secrets
            && let Some(c) = String::from_utf8_lossy(&patch).chars().find(|&c| c != '\r' && is_unsafe(c))
        {
            let message =
                format!("a patch of {} would hold the control character U+{:04X}", file.path, u32::from(c));
            return Err(Error::failed(message).help("remove it from the file, or use `kasm-db apply`"));
        }
        out.extend(patch);
    }
    Ok(out)
}
