//! What a compose file means to another YAML reader.

use serde_yaml::{Mapping, Value};

/// The services of a file: the image that each gets, and everything else.
#[derive(Debug, PartialEq)]
pub(crate) struct Meaning {
    pub(crate) images: Vec<(String, Option<String>)>,
    pub(crate) rest: Value,
}

/// Reads a file with merge keys resolved and `extends` followed for images.
pub(crate) fn of(bytes: &[u8]) -> Option<Meaning> {
    // That reader takes a byte order mark for text.
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let mut value: Value = serde_yaml::from_slice(bytes).ok()?;
    value.apply_merge().ok()?;
    let services = value.get_mut("services")?.as_mapping_mut()?;
    let names: Vec<String> = services.keys().filter_map(|key| key.as_str().map(String::from)).collect();
    let images = names.into_iter().map(|name| (name.clone(), image(services, &name, 0))).collect();
    for (_, service) in services.iter_mut() {
        service.as_mapping_mut()?.remove("image");
    }
    Some(Meaning { images, rest: value })
}

fn image(services: &Mapping, name: &str, depth: usize) -> Option<String> {
    let service = services.get(name)?;
    if let Some(image) = service.get("image").and_then(Value::as_str) {
        return Some(image.trim().to_string());
    }
    let extends = service.get("extends").filter(|_| depth < 9)?;
    let base = extends.as_str().or_else(|| extends.get("service")?.as_str())?;
    image(services, base, depth + 1)
}
