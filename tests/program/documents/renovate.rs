//! Renovate finds the image of a document, tag and digest included, without a setting of its own.
//!
//! Its `helm-values` manager takes the value of every key that ends in `image`, in any letter case, and splits
//! it at the digest and at the last colon (`/image$/i`; Renovate 39). What a regex manager would use is tested
//! beside it.

use regex::Regex;
use serde_yaml::Value;
use testing::repository;

/// Returns the values that the manager takes for images, wherever they stand.
fn images<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Mapping(entries) => {
            for (key, value) in entries {
                let is_image = key.as_str().is_some_and(|key| key.to_lowercase().ends_with("image"));
                match value.as_str().filter(|_| is_image) {
                    Some(image) => found.push(image),
                    None => images(value, found),
                }
            }
        }
        Value::Sequence(items) => items.iter().for_each(|item| images(item, found)),
        _ => {}
    }
}

/// Splits a reference as Renovate does: name, tag and digest.
fn split(image: &str) -> (&str, Option<&str>, Option<&str>) {
    let (rest, digest) = image.split_once('@').map_or((image, None), |(rest, digest)| (rest, Some(digest)));
    match rest.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
        Some((name, tag)) => (name, Some(tag), digest),
        None => (rest, None, digest),
    }
}

#[test]
fn renovate_finds_the_image_with_its_tag_and_digest() {
    let pattern = Regex::new(concat!(
        r#"image:\s*["']?(?<depName>[a-z0-9./_-]+):(?<currentValue>[A-Za-z0-9_.-]+)"#,
        r"(?:@(?<currentDigest>sha256:[a-f0-9]{64}))?",
    ))
    .unwrap();
    let mut digests = 0;
    for path in ["existing/kasm-db.yaml", "new/kasm-db.yaml", "fleet/base.kasm-db.yaml"] {
        let text = std::fs::read_to_string(repository().join("examples").join(path)).unwrap();
        let value: Value = serde_yaml::from_str(&text).unwrap();
        let mut found = Vec::new();
        images(&value, &mut found);
        let [image] = found[..] else { panic!("{path}: {found:?}") };
        let (name, tag, digest) = split(image);
        assert_eq!(name, "kasmweb/postgres", "{path}");
        assert!(tag.is_some_and(|tag| tag.starts_with("1.")), "{path}");
        digests += usize::from(digest.is_some_and(|digest| digest.len() == 71));
        let all: Vec<_> = pattern.captures_iter(&text).collect();
        let [only] = &all[..] else { panic!("{path}: {all:?}") };
        assert_eq!(&only["depName"], name);
        assert_eq!(Some(&only["currentValue"]), tag);
        assert_eq!(only.name("currentDigest").map(|digest| digest.as_str()), digest);
    }
    assert_eq!(digests, 1);
}
