//! What images of the engine hold, kept from one run to the next by their ids.
//!
//! It decides whether a plan is blocked, so it is believed only if nobody but root and this user could have written it. It is
//! never needed: whatever is wrong with it, the image is looked into.

use std::path::{Path, PathBuf};

use commit::Private;
use live::Environment;
use live::trust::walk;
use model::Contents;

use super::entry;

/// Where it is, below the folder of this user's caches.
const BENEATH: &str = "kasm-db/images";

/// The longest entry; an image with a hundred extensions takes some kilobytes.
const LONGEST: u64 = 1 << 20;

/// So many entries are kept.
const MOST: usize = 100;

/// The answers of earlier runs.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    place: Option<Place>,
    /// Whether they are only written.
    is_renewed: bool,
}

/// A folder: what is there of its path, without links, and the rest.
#[derive(Clone, Debug)]
struct Place {
    top: PathBuf,
    beneath: PathBuf,
}

impl Cache {
    /// Uses `$XDG_CACHE_HOME/kasm-db/images` or `$HOME/.cache/kasm-db/images`; without either, and if somebody else could replace
    /// that folder, nothing is kept.
    pub fn of(environment: &Environment) -> Self {
        let path = |name: &str| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let caches = path("XDG_CACHE_HOME").or_else(|| Some(path("HOME")?.join(".cache")));
        Self { place: caches.and_then(|caches| Place::below(&caches)), is_renewed: false }
    }

    /// Returns the same cache, whose entries are replaced and not used.
    #[must_use]
    pub fn renewed(self) -> Self {
        Self { is_renewed: true, ..self }
    }

    /// Returns what the image with this id holds, if an earlier run found it out.
    pub(super) fn get(&self, digits: &str) -> Option<Contents> {
        let place = self.place.as_ref().filter(|_| !self.is_renewed)?;
        let folder = Private::open(&place.top, &place.beneath).ok()?;
        entry::decode(&folder.read(digits, LONGEST).ok()??, digits)
    }

    /// Keeps what the image with this id holds, if that is possible.
    pub(super) fn put(&self, digits: &str, contents: &Contents) {
        let Some(place) = &self.place else { return };
        let bytes = entry::encode(contents, digits).filter(|bytes| bytes.len() as u64 <= LONGEST);
        let (Some(bytes), Ok(folder)) = (bytes, Private::create(&place.top, &place.beneath)) else { return };
        if folder.write(digits, &bytes).is_ok() {
            // What cannot be removed now is removed by another run.
            let _ = folder.keep_newest(MOST);
        }
    }
}

impl Place {
    /// Finds the place in a folder of caches. That may be missing, but not the folder that it is to be in.
    fn below(caches: &Path) -> Option<Self> {
        let there = [Some(caches), caches.parent()].into_iter().flatten();
        let (there, top) = there.filter_map(|path| Some((path, path.canonicalize().ok()?))).next()?;
        let is_ours = walk(there).is_ok_and(|walked| walked.weak.is_empty());
        let beneath = caches.strip_prefix(there).ok()?.join(BENEATH);
        is_ours.then_some(Self { top, beneath })
    }
}

/// Returns the hexadecimal digits of an id, which name a file; `None` if it is not a SHA-256.
pub(super) fn digits(id: &str) -> Option<&str> {
    // Podman's have nothing in front.
    let digits = id.strip_prefix("sha256:").unwrap_or(id);
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (digits.len() == 64 && digits.bytes().all(is_hex)).then_some(digits)
}
