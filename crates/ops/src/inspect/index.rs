//! The descriptions in an archive: which images it has, and what each is made of. They are other people's, and read as values.

use serde_json::Value;

use super::fault::Fault;

/// How deep an index may be in others.
const DEPTH: usize = 4;

/// How many images an archive may have.
const MOST_IMAGES: usize = 1000;

/// An image of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Described {
    /// The references that the archive has for it.
    pub(super) names: Vec<String>,
    /// The platform, if the index says it.
    pub(super) platform: Option<String>,
    pub(super) made: Made,
}

/// What an image is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// As `docker save` writes it: names of pieces.
    Saved { config: String, layers: Vec<String> },
    /// The digest of a manifest.
    Manifest(String),
}

/// Reads the `manifest.json` of `docker save`.
pub(super) fn saved(text: &[u8]) -> Result<Vec<Described>, Fault> {
    let value = parse("manifest.json", text)?;
    let images = value.as_array().ok_or_else(|| not("manifest.json", "a list of images"))?;
    let one = |image: &Value| {
        let config = image["Config"].as_str().ok_or_else(|| not("manifest.json", "a list of images"))?;
        let made = Made::Saved { config: config.to_string(), layers: strings(&image["Layers"]) };
        Ok(Described { names: strings(&image["RepoTags"]), platform: None, made })
    };
    images.iter().take(MOST_IMAGES).map(one).collect()
}

/// Reads an index of the Open Container Initiative; `get` reads those in it.
pub(super) fn index(
    text: &[u8],
    get: &mut dyn FnMut(&str) -> Result<Vec<u8>, Fault>,
) -> Result<Vec<Described>, Fault> {
    let mut images = Vec::new();
    add(text, None, get, DEPTH, &mut images)?;
    Ok(images)
}

fn add(
    text: &[u8],
    name: Option<&str>,
    get: &mut dyn FnMut(&str) -> Result<Vec<u8>, Fault>,
    depth: usize,
    images: &mut Vec<Described>,
) -> Result<(), Fault> {
    let value = parse("an index", text)?;
    let manifests = value["manifests"].as_array().ok_or_else(|| not("an index", "a list of manifests"))?;
    for one in manifests {
        let digest = digest(&one["digest"])?;
        let annotation = |key: &str| one["annotations"][key].as_str();
        let own = annotation("io.containerd.image.name").or(annotation("org.opencontainers.image.ref.name"));
        let name = own.or(name);
        let kind = one["mediaType"].as_str().unwrap_or_default();
        if kind.contains("image.index") || kind.contains("manifest.list") {
            let left =
                depth.checked_sub(1).ok_or_else(|| Fault::malformed("its indexes are nested too deep"))?;
            let text = get(&digest)?;
            add(&text, name, get, left, images)?;
            continue;
        }
        let platform = platform(&one["platform"]);
        // What proves an image is in the same list.
        if platform.as_deref() == Some("unknown/unknown") {
            continue;
        }
        if images.len() >= MOST_IMAGES {
            return Err(Fault::TooLarge("1,000 images"));
        }
        images.push(Described {
            names: name.map(String::from).into_iter().collect(),
            platform,
            made: Made::Manifest(digest),
        });
    }
    Ok(())
}

/// Reads a manifest: the digests of the configuration and of the layers.
pub(super) fn manifest(text: &[u8]) -> Result<(String, Vec<String>), Fault> {
    let value = parse("a manifest", text)?;
    let layers = value["layers"].as_array().ok_or_else(|| not("a manifest", "a list of layers"))?;
    let layers = layers.iter().map(|layer| digest(&layer["digest"])).collect::<Result<_, _>>()?;
    Ok((digest(&value["config"]["digest"])?, layers))
}

/// Reads JSON.
pub(super) fn parse(what: &str, text: &[u8]) -> Result<Value, Fault> {
    serde_json::from_slice(text).map_err(|_| not(what, "JSON"))
}

/// Returns `linux/amd64` and the like.
pub(super) fn platform(value: &Value) -> Option<String> {
    let part = |key: &str| value[key].as_str().filter(|part| !part.is_empty());
    let variant = part("variant").map_or(String::new(), |variant| format!("/{variant}"));
    Some(format!("{}/{}{variant}", part("os")?, part("architecture")?))
}

/// Returns the texts of a list.
pub(super) fn strings(value: &Value) -> Vec<String> {
    let all = value.as_array().into_iter().flatten();
    all.filter_map(|one| one.as_str().map(String::from)).collect()
}

/// Returns the hexadecimal digits of a digest: they name a file, so nothing else may be in them.
fn digest(value: &Value) -> Result<String, Fault> {
    let digest = value.as_str().and_then(|text| text.strip_prefix("sha256:"));
    let is_hex =
        |text: &&str| text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    digest
        .filter(is_hex)
        .map(String::from)
        .ok_or_else(|| Fault::malformed("a digest in it is not that of a SHA-256"))
}

fn not(what: &str, expected: &str) -> Fault {
    Fault::malformed(format!("{what} in it is not {expected}"))
}
