//! The image of a release, as far as the document tells which one is meant.

use model::{DesiredState, Image, Release, Series};

use super::names::Declared;
use crate::newer::numbers;

/// Returns whether an image is Kasm's own, in whatever registry.
pub(super) fn is_kasm(image: &Image) -> bool {
    image.repository().ends_with("/kasmweb/postgres")
}

/// Returns the release that a tag of Kasm's image names: `1.19.0` for `x86_64-1.19.0-rolling`.
pub(super) fn release(image: &Image) -> Option<String> {
    image.tag()?.split('-').find(|part| numbers(part).is_some()).map(String::from)
}

/// Returns the image of a release, and what must change in the document for it.
pub(super) fn of_release(
    desired: &DesiredState,
    release: &str,
    own: Option<&str>,
    here: Option<Series>,
    document: &str,
) -> Declared {
    let Some(image) = desired.image() else { return Declared::None };
    let document = || desired.image_place().map_or(document, |place| &place.path).to_string();
    if is_kasm(image) {
        if self::release(image).as_deref() == Some(release) {
            return Declared::Already(image.to_string());
        }
        return Declared::Replaced { image: with_release(image, release, own), document: document() };
    }
    let declared = Release::of(image).series.or(desired.postgres_major().map(Series::from));
    match (here, declared) {
        (Some(here), Some(declared)) if here != declared => Declared::Already(image.to_string()),
        _ => Declared::Own { document: document() },
    }
}

/// Returns Kasm's image of another release, from the registry and in the kind that the document has: a rolling one stays so,
/// without the date of the old one, and a digest is that of the old one.
fn with_release(image: &Image, release: &str, own: Option<&str>) -> String {
    let text = image.as_str();
    let text = text.split_once('@').map_or(text, |(text, _)| text);
    let tag = image.tag().unwrap_or_default();
    let name = text.strip_suffix(&format!(":{tag}")).unwrap_or(text);
    let old = self::release(image).or(own.map(String::from)).unwrap_or_default();
    let (before, after) = tag.split_once(&old).filter(|_| !old.is_empty()).unwrap_or_default();
    let rolling = if after.starts_with("-rolling") { "-rolling" } else { "" };
    format!("{name}:{before}{release}{rolling}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_and_the_kind_of_a_tag_stay() {
        for (old, new) in [
            ("kasmweb/postgres:1.15.0", "kasmweb/postgres:1.16.0"),
            ("kasmweb/postgres:develop", "kasmweb/postgres:1.16.0"),
            ("kasmweb/postgres", "kasmweb/postgres:1.16.0"),
            (
                "example.org:5000/hub/kasmweb/postgres:1.15.0-rolling",
                "example.org:5000/hub/kasmweb/postgres:1.16.0-rolling",
            ),
            ("kasmweb/postgres:aarch64-1.15.0-rolling-2026-05-01", "kasmweb/postgres:aarch64-1.16.0-rolling"),
        ] {
            assert_eq!(with_release(&Image::parse(old).unwrap(), "1.16.0", Some("1.15.0")), new);
            let pinned = format!("{old}@sha256:{}", "0".repeat(64));
            assert_eq!(with_release(&Image::parse(&pinned).unwrap(), "1.16.0", None), new);
        }
    }
}
