//! What a run is about: its documents, their targets, and how it treats them.

use std::io::Read;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use live::Environment;
use model::Ignorable;
use model::document::Policy;
use render::TargetKind;

use crate::chroot::Chroot;
use crate::error::Error;
use crate::inspect::Known;
use crate::open_files::side_by_side;
use crate::outputs::Outputs;

/// What a run is about. Made once from the arguments; the default is `./kasm-db.yaml` and all of its targets.
#[derive(Clone, Debug)]
pub struct Selection {
    /// The documents: files, `-` for standard input, or folders to search.
    pub documents: Vec<PathBuf>,
    /// The text of a document that the caller hands over; no others are read then. Relative paths in it start at `/`.
    pub text: Option<Arc<str>>,
    /// Whether folders among them are searched for documents.
    pub recursive: bool,
    /// The source that `-` stands for.
    pub stdin: fn() -> Box<dyn Read>,
    /// Only the targets that one of these patterns matches; all if there is none.
    pub targets: Vec<String>,
    /// A tree that takes the place of the document's targets.
    pub tree: Option<Tree>,
    /// A copy of a host's files: absolute paths of targets start at it, and links resolve below it, as in a chroot.
    pub root: Option<PathBuf>,
    /// The folder that names of a repository may not lead out of; by default the Git work tree of the document, or else
    /// its folder.
    pub top: Option<PathBuf>,
    /// The names of blockers that do not block.
    pub allow: Vec<String>,
    /// Warnings that are not shown, besides those that a document silences.
    pub ignore: Vec<Ignorable>,
    /// Replaces `restart.policy` of the documents.
    pub restart: Option<Policy>,
    /// Whether no image is pulled before a database is stopped.
    pub no_pull: bool,
    /// Who is asked what images hold; otherwise their names are all that is known of them.
    pub inspect: Option<Arc<Known>>,
    /// How programs are run that a saved plan needs.
    pub environment: Environment,
    /// How long to wait for another run.
    pub lock_timeout: Duration,
    /// How many targets are looked at side by side; by default as many as there are cores.
    pub jobs: Option<NonZero<usize>>,
    /// The files that results go to, which the run must not read.
    pub outputs: Outputs,
}

/// How many targets are written at a time.
const WRITERS: usize = 16;

/// A tree that is named without a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// An installed tree.
    Deployment(PathBuf),
    /// An unpacked installer.
    Installer(PathBuf),
}

impl Default for Selection {
    fn default() -> Self {
        Self {
            documents: Vec::new(),
            text: None,
            recursive: false,
            stdin: || Box::new(std::io::empty()),
            targets: Vec::new(),
            tree: None,
            root: None,
            top: None,
            allow: Vec::new(),
            ignore: Vec::new(),
            restart: None,
            no_pull: false,
            inspect: None,
            environment: Environment::default(),
            lock_timeout: Duration::ZERO,
            jobs: None,
            outputs: Outputs::default(),
        }
    }
}

impl Selection {
    /// Selects one document and all of its targets.
    pub fn of(document: impl Into<PathBuf>) -> Self {
        Self { documents: vec![document.into()], ..Self::default() }
    }

    /// Refuses names that no blocker has: a misspelt one would allow nothing and say nothing.
    ///
    /// # Errors
    /// One of the names is not that of a blocker.
    pub fn check_allowed(&self) -> Result<(), Error> {
        let known = || model::Code::ALL.iter().filter(|code| code.risk().is_some()).map(|code| code.name());
        for name in &self.allow {
            if !known().any(|known| known == name) {
                let names: Vec<_> = known().collect();
                let similar: Vec<_> = match model::nearest(name, names.iter().copied()) {
                    Some(meant) => vec![meant],
                    None => names.iter().copied().filter(|known| known.contains(name.as_str())).collect(),
                };
                let help = match similar.is_empty() || name.is_empty() {
                    true => format!("use one of: {}", names.join(", ")),
                    false => use_or("blockers", &similar, &names),
                };
                return Err(Error::usage(format!("unknown blocker `{name}` for `--allow`")).help(help));
            }
        }
        Ok(())
    }

    /// Returns the copy of a host's files that takes the place of the file system, with `--root`.
    pub(crate) fn chroot(&self) -> Option<Chroot> {
        self.root.as_deref().map(Chroot::new)
    }

    /// Returns how many of so many targets are looked at side by side.
    pub(crate) fn jobs_for(&self, targets: usize) -> usize {
        // To count the cores takes a look at the control groups.
        if targets <= 1 {
            return 1;
        }
        side_by_side(self.jobs.map_or_else(cores, NonZero::get).min(targets))
    }

    /// Returns how many of so many targets are written side by side.
    pub(crate) fn writers_for(&self, targets: usize) -> usize {
        if targets <= 1 {
            return 1;
        }
        // A target waits for the disk most of the time, so the number of cores says little.
        self.jobs.map_or(WRITERS, NonZero::get).min(targets)
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// Returns what to use instead of an unknown name, and the other names there are.
pub fn use_or(what: &str, meant: &[&str], all: &[&str]) -> String {
    let others: Vec<_> = all.iter().filter(|name| !meant.contains(name)).copied().collect();
    let meant = meant.join("` or `");
    match others.is_empty() {
        true => format!("use `{meant}`"),
        false => format!("use `{meant}`; the other {what} are: {}", others.join(", ")),
    }
}

impl Tree {
    /// Returns the folder as it was named.
    pub fn folder(&self) -> &PathBuf {
        match self {
            Self::Deployment(folder) | Self::Installer(folder) => folder,
        }
    }

    /// Returns the kind of target that it is.
    pub fn kind(&self) -> TargetKind {
        match self {
            Self::Deployment(_) => TargetKind::Deployment,
            Self::Installer(_) => TargetKind::Installer,
        }
    }
}
