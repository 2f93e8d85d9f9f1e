//! An image in an archive or in the folder of an OCI layout: which one is meant, and its pieces.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use model::Image;
use rustix::fs::OFlags;
use serde_json::Value;

use super::fault::Fault;
use super::index::{self, Described, Made};
use super::layer::Tree;
use super::limits::Limits;
use super::pieces::{Content, Piece, Pieces};

/// Which image of an archive is meant.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted<'a> {
    /// Its reference.
    pub(super) image: Option<&'a Image>,
    /// Its platform; if it is not said, that of this machine.
    pub(super) platform: Option<&'a str>,
    /// The id that its bytes are to prove, in hexadecimal digits.
    pub(super) id: Option<&'a str>,
}

/// An image as an archive has it.
pub(super) struct Archived {
    /// Its id, `sha256:…`.
    pub(super) id: String,
    /// Its configuration.
    pub(super) config: Value,
    pub(super) tree: Tree,
    /// Whether the wanted id and its platform can mean no other bytes than those that were read.
    pub(super) is_proved: bool,
}

/// Reads an image from a path.
pub(super) fn open(path: &Path, wanted: Wanted<'_>, limits: &Limits) -> Result<Archived, Fault> {
    if path.is_dir() {
        let mut store = Store { pieces: Pieces::default(), folder: Some(path.to_path_buf()), limits };
        let is_layout = store.piece("index.json")?.is_some();
        return if is_layout { store.image(wanted) } else { Err(Fault::NoImage) };
    }
    read(file(path)?.0, wanted, limits)
}

/// Reads an image from the bytes of an archive.
pub(super) fn read(from: impl Read, wanted: Wanted<'_>, limits: &Limits) -> Result<Archived, Fault> {
    let pieces = Pieces::read(from, limits)?;
    Store { pieces, folder: None, limits }.image(wanted)
}

/// Opens a regular file, and returns its size; a pipe would be waited for.
fn file(path: &Path) -> Result<(std::fs::File, u64), Fault> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    match metadata.is_file() {
        true => Ok((file, metadata.len())),
        false => Err(Fault::malformed("it is not a regular file")),
    }
}

/// Where pieces come from: an archive that was read, or a folder.
struct Store<'a> {
    pieces: Pieces,
    folder: Option<PathBuf>,
    limits: &'a Limits,
}

impl Store<'_> {
    fn piece(&mut self, name: &str) -> Result<Option<Rc<Piece>>, Fault> {
        if let Some(piece) = self.pieces.get(name) {
            return Ok(Some(piece));
        }
        let Some(folder) = &self.folder else { return Ok(None) };
        let (file, size) = match file(&folder.join(name)) {
            Err(Fault::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let piece = Piece::read(self.limits.counted(file), size, self.limits)?;
        Ok(Some(self.pieces.keep(name.to_string(), piece)))
    }

    fn text(&mut self, name: &str) -> Result<Vec<u8>, Fault> {
        match self.piece(name)?.as_deref() {
            Some(Piece { content: Content::Text(text), .. }) => Ok(text.clone()),
            Some(_) => Err(Fault::malformed(format!("{name} in it is not JSON of at most 4 MiB"))),
            None => Err(Fault::malformed(format!("{name} is missing in it"))),
        }
    }

    /// Returns a description by its digest, which it must have.
    fn blob(&mut self, digest: &str) -> Result<Vec<u8>, Fault> {
        let name = format!("blobs/sha256/{digest}");
        let text = self.text(&name)?;
        let sha256 = self.piece(&name)?.map(|piece| piece.sha256.clone());
        if sha256.as_deref() == Some(digest) { Ok(text) } else { Err(damaged(&name)) }
    }

    fn image(mut self, wanted: Wanted<'_>) -> Result<Archived, Fault> {
        let images = if self.piece("manifest.json")?.is_some() {
            index::saved(&self.text("manifest.json")?)?
        } else if self.piece("index.json")?.is_some() {
            let text = self.text("index.json")?;
            index::index(&text, &mut |digest| self.blob(digest))?
        } else {
            return Err(Fault::NoImage);
        };
        let image = chosen(images, wanted)?;
        let (id, config, layers) = match &image.made {
            Made::Saved { config, layers } => {
                let text = self.text(config)?;
                let id = self.piece(config)?.map(|piece| piece.sha256.clone()).unwrap_or_default();
                (id, index::parse("the configuration", &text)?, layers.clone())
            }
            Made::Manifest(digest) => {
                let (config, layers) = index::manifest(&self.blob(digest)?)?;
                let text = self.blob(&config)?;
                let layers = layers.iter().map(|layer| format!("blobs/sha256/{layer}")).collect();
                (config, index::parse("the configuration", &text)?, layers)
            }
        };
        let digests = index::strings(&config["rootfs"]["diff_ids"]);
        if digests.len() != layers.len() {
            return Err(Fault::malformed("its configuration names other layers than its manifest"));
        }
        let mut tree = Tree::default();
        let mut is_by_config = true;
        for (name, digest) in layers.iter().zip(&digests) {
            let piece = self.piece(name)?;
            let piece =
                piece.ok_or_else(|| Fault::malformed(format!("the layer {name} is missing in it")))?;
            // A blob is named by what it is; one that is not compressed has the digest of the configuration, too.
            let own = name.strip_prefix("blobs/sha256/").unwrap_or(&piece.sha256);
            let is_right = piece.is_compressed || digest.strip_prefix("sha256:") == Some(&piece.sha256);
            if own != piece.sha256 || !is_right {
                return Err(damaged(name));
            }
            // What a compressed layer becomes is not hashed.
            is_by_config &= !piece.is_compressed;
            match &piece.content {
                Content::Layer(Ok(layer)) => tree.add(layer),
                Content::Layer(Err(fault)) => return Err(again(fault)),
                Content::Text(_) | Content::Unknown => {
                    return Err(Fault::malformed(format!("the layer {name} in it is not a tar archive")));
                }
            }
        }
        if let Some(wanted) = wanted.platform {
            let own = index::platform(&config).unwrap_or_else(|| "an unknown platform".into());
            if !same_platform(&own, wanted) {
                return Err(Fault::Platform { wanted: wanted.into(), there: vec![own] });
            }
        }
        let platform = index::platform(&config).unwrap_or_default();
        let made = (id.clone(), layers);
        let is_proved = wanted.id.is_some_and(|wanted| match wanted == id {
            true => is_by_config,
            false => self.leads_to(wanted, &made, &platform),
        });
        Ok(Archived { id: format!("sha256:{id}"), config, tree, is_proved })
    }

    /// Returns whether a manifest with this digest, or the only one for the platform in an index with it, is of this
    /// configuration and these layers, which are named by their digests. An engine that keeps images as registries do has no
    /// other id for them.
    fn leads_to(&mut self, digest: &str, made: &(String, Vec<String>), platform: &str) -> bool {
        let is_of = |text: &[u8]| {
            let named =
                |layers: Vec<String>| layers.iter().map(|layer| format!("blobs/sha256/{layer}")).collect();
            index::manifest(text).is_ok_and(|(config, layers)| *made == (config, named(layers)))
        };
        let Ok(text) = self.blob(digest) else { return false };
        let Ok(mut images) = index::index(&text, &mut |digest| self.blob(digest)) else {
            return is_of(&text);
        };
        let own = without_variant(platform);
        images.retain(|image| image.platform.as_deref().is_none_or(|other| without_variant(other) == own));
        match &images[..] {
            [Described { made: Made::Manifest(only), .. }] => self.blob(only).is_ok_and(|text| is_of(&text)),
            _ => false,
        }
    }
}

/// Chooses the image that is meant.
fn chosen(images: Vec<Described>, wanted: Wanted<'_>) -> Result<Described, Fault> {
    let names: Vec<String> = images.iter().flat_map(|image| image.names.clone()).collect();
    let mut images = images;
    if let Some(image) = wanted.image {
        let is_it = |described: &Described| {
            described.names.iter().any(|name| Image::parse(name).is_ok_and(|name| image.is_met_by(&name)))
        };
        if images.iter().any(is_it) {
            images.retain(is_it);
        } else if names.iter().any(|name| is_reference(name)) {
            return Err(Fault::Other { wanted: image.to_string(), there: names });
        }
    }
    if images.len() > 1 && images.iter().all(|image| image.platform.is_some()) {
        let usual = usual_platform();
        let platform = wanted.platform.unwrap_or(&usual);
        let there: Vec<_> = images.iter().filter_map(|image| image.platform.clone()).collect();
        images.retain(|image| image.platform.as_deref().is_some_and(|own| same_platform(own, platform)));
        if images.is_empty() {
            return Err(Fault::Platform { wanted: platform.to_string(), there });
        }
    }
    match images.len() {
        0 => Err(Fault::malformed("it has no image")),
        1 => Ok(images.remove(0)),
        number if names.is_empty() => Err(Fault::Several(vec![format!("{number} without a name")])),
        _ => Err(Fault::Several(names)),
    }
}

/// Returns whether a name is that of a repository, and not a tag alone, which some programs write instead.
fn is_reference(name: &str) -> bool {
    name.contains([':', '/']) && Image::parse(name).is_ok()
}

/// Returns whether a platform is the wanted one, which may leave out the variant.
pub(super) fn same_platform(own: &str, wanted: &str) -> bool {
    own == wanted || own.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('/'))
}

/// Returns `linux/arm64` of `linux/arm64/v8`.
fn without_variant(platform: &str) -> &str {
    platform.match_indices('/').nth(1).map_or(platform, |(at, _)| &platform[..at])
}

/// Returns the platform of this machine in the words of images.
fn usual_platform() -> String {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("linux/{architecture}")
}

fn damaged(name: &str) -> Fault {
    Fault::malformed(format!(
        "{name} in it is not what its digest says: the archive is damaged, or was changed"
    ))
}

/// Returns the same fault once more.
fn again(fault: &Fault) -> Fault {
    match fault {
        Fault::Compressed { what, method } => Fault::Compressed { what, method },
        other => Fault::malformed(format!("a layer cannot be read: {other}")),
    }
}
