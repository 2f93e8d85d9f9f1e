//! Targets of one run that share a file: if one of them changes it, the plan of the other does not hold any more.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use commit::Digest;
use model::{Code, DesiredState, Diagnostic, Location};
use render::{Found, Plan, Snapshot};

use crate::path::normalize;
use crate::planned::Planned;

/// What to do about two targets that share a file.
pub(crate) const HELP: &str = "merge them into one target, or apply one after the other with `--target`";

/// The files that the plan of a target was made from.
#[derive(Debug, Default)]
pub struct Touched {
    /// Each file with its whole path, and whether the plan changes it.
    files: Vec<(PathBuf, bool)>,
    /// The key that declares the target, and its place.
    declared: Option<(String, Location)>,
}

/// The files of the targets that were planned so far. Of their paths only a part of a digest is held, as a fleet has many:
/// two paths of a million would have the same with a probability of 10⁻²⁷.
#[derive(Debug, Default)]
pub struct Overlaps {
    seen: HashMap<[u8; 16], Seen>,
    labels: Vec<String>,
}

/// The target that a file is of, or the one of several that changes it.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// An index of the labels. A run has no more targets than fit into this.
    target: u32,
    is_changed: bool,
}

impl Touched {
    /// Collects the files of a plan that can be applied. One that is blocked is not applied, and changes nothing.
    pub(crate) fn of(plan: &Plan, snapshot: &Snapshot, folder: &Path, desired: &DesiredState) -> Self {
        if plan.is_blocked() {
            return Self::default();
        }
        let there = snapshot.files().filter(|(_, found)| matches!(found, Found::Yes(_)));
        let is_changed = |path: &str| plan.files.iter().any(|file| file.path == path);
        let declared = desired.target_place(&plan.target.name);
        let declared = declared.map(|(key, place)| (key, place.clone()));
        Self { declared, ..Self::below(folder, there.map(|(path, _)| (path, is_changed(path)))) }
    }

    /// Collects the files of a saved plan that was made again, if `plan` can be applied as it is judged.
    pub fn again(plan: &Plan, now: &Planned) -> Self {
        if plan.is_blocked() {
            return Self::default();
        }
        let there = now.snapshot.files().filter(|(_, found)| matches!(found, Found::Yes(_)));
        let is_changed = |path: &str| plan.files.iter().any(|file| file.path == path);
        Self::below(Path::new(&now.folder), there.map(|(path, _)| (path, is_changed(path))))
    }

    /// Collects files by their paths from a folder.
    pub(crate) fn below<'p>(folder: &Path, files: impl Iterator<Item = (&'p str, bool)>) -> Self {
        // An absolute path stays what it is.
        let files = files.map(|(path, is_changed)| (normalize(&folder.join(path)), is_changed));
        Self { files: files.collect(), declared: None }
    }
}

impl Overlaps {
    /// Adds a target by the name that messages give it. Returns what is wrong if it changes a file that one before it
    /// reads, or reads one that such a target changes.
    pub(crate) fn add(&mut self, label: String, touched: &Touched) -> Option<String> {
        let target = u32::try_from(self.labels.len()).unwrap_or(u32::MAX);
        self.labels.push(label);
        let mut shared = None;
        for (path, is_changed) in &touched.files {
            let now = Seen { target, is_changed: *is_changed };
            let seen = self.seen.entry(Digest::of(path.as_os_str().as_bytes()).start()).or_insert(now);
            if seen.target != target && (seen.is_changed || *is_changed) {
                let (changes, other) =
                    if seen.is_changed { (seen.target, target) } else { (target, seen.target) };
                shared.get_or_insert((path, changes, other));
            }
            if *is_changed && !seen.is_changed {
                *seen = now;
            }
        }
        let (path, changes, other) = shared?;
        let label = |target| self.labels.get(usize::try_from(target).ok()?).cloned();
        let [changes, other] = [changes, other].map(|target: u32| label(target).unwrap_or_default());
        let path = path.display();
        Some(format!("{path} would be changed for the target `{changes}`, and belongs to `{other}`, too"))
    }

    /// Adds a target by the name that messages give it. Returns the blocker of its plan if it shares a file that changes
    /// with a target before it.
    pub fn blocker(&mut self, label: String, touched: &Touched) -> Option<Diagnostic> {
        let message = self.add(label, touched)?;
        let mut blocker = Diagnostic::error(Code::SharedFile, message);
        blocker.help = Some(HELP.into());
        let declared = touched.declared.as_ref();
        blocker.related = declared.map(|(key, place)| (place.clone(), format!("`{key}` is declared here")));
        Some(blocker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(overlaps: &mut Overlaps, name: &str, files: &[(&str, bool)]) -> Option<String> {
        overlaps.add(name.into(), &Touched::below(Path::new("/trees/a"), files.iter().copied()))
    }

    #[test]
    fn only_a_shared_file_that_changes_is_an_overlap() {
        let mut overlaps = Overlaps::default();
        assert_eq!(add(&mut overlaps, "one", &[("conf", false), ("./conf", true), ("/etc/x", false)]), None);
        assert_eq!(add(&mut overlaps, "two", &[("/etc/x", false), ("../b/conf", true)]), None);
        let wrong = add(&mut overlaps, "three", &[("/trees/a/conf", false)]).unwrap();
        assert_eq!(wrong, "/trees/a/conf would be changed for the target `one`, and belongs to `three`, too");
        let wrong = add(&mut overlaps, "four", &[("/etc/x", true)]).unwrap();
        assert_eq!(wrong, "/etc/x would be changed for the target `four`, and belongs to `one`, too");
        let wrong = add(&mut overlaps, "five", &[("/etc/x", false)]).unwrap();
        assert_eq!(wrong, "/etc/x would be changed for the target `four`, and belongs to `five`, too");
    }
}
