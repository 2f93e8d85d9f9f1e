//! Image references, as the document and compose files write them.

use std::fmt;

use container_image_dist_ref::ImgRef;

/// An image reference: `[registry/]repository[:tag][@digest]`, kept as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    text: String,
    name: std::ops::Range<usize>,
    tag: Option<std::ops::Range<usize>>,
    digest: Option<std::ops::Range<usize>>,
}

/// Describes what of a text is not an image reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an image reference (`repository:tag` or `registry/repository:tag@sha256:…`)")]
pub struct InvalidImage {
    /// The offset of the byte that does not fit.
    pub offset: usize,
}

impl Image {
    /// Reads a reference by the grammar of the distribution project.
    ///
    /// # Errors
    /// [`InvalidImage`] with the offset of the first byte that does not fit.
    pub fn parse(text: &str) -> Result<Self, InvalidImage> {
        ImgRef::new(text).map_err(|error| {
            let offset: usize = error.index().into();
            InvalidImage { offset: offset.min(text.len()) }
        })?;
        let tagged = text.find('@').unwrap_or(text.len());
        let digest = (tagged < text.len()).then_some(tagged + 1..text.len());
        // A colon before the last slash is a port's.
        let slash = text[..tagged].rfind('/').map_or(0, |slash| slash + 1);
        let name = text[slash..tagged].find(':').map_or(tagged, |colon| slash + colon);
        let tag = (name < tagged).then_some(name + 1..tagged);
        Ok(Self { text: text.to_string(), name: 0..name, tag, digest })
    }

    /// Returns the reference as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the repository as Docker completes it: `docker.io/library/postgres` for `postgres`.
    pub fn repository(&self) -> String {
        let name = &self.text[self.name.clone()];
        let (registry, path) = match name.split_once('/') {
            // Docker's rule: the first part is a host only with a dot, a port, or as `localhost`.
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host, path),
            _ => ("docker.io", name),
        };
        match registry {
            "docker.io" | "index.docker.io" if !path.contains('/') => format!("docker.io/library/{path}"),
            "docker.io" | "index.docker.io" => format!("docker.io/{path}"),
            _ => format!("{registry}/{path}"),
        }
    }

    /// Returns the tag that is written.
    pub fn tag(&self) -> Option<&str> {
        self.tag.clone().map(|range| &self.text[range])
    }

    /// Returns the digest that is written, `sha256:…`.
    pub fn digest(&self) -> Option<&str> {
        self.digest.clone().map(|range| &self.text[range])
    }

    /// Returns whether what is there now (`found`) already is this image.
    ///
    /// The same repository (`docker.io/` and `library/` are implied) and tag (`latest` is implied). A
    /// digest counts when this reference has one: a digest that something else pinned on the same tag
    /// is no difference.
    pub fn is_met_by(&self, found: &Self) -> bool {
        let tag = |image: &Self| match (image.tag(), image.digest()) {
            (Some(tag), _) => Some(tag.to_string()),
            (None, Some(_)) => None,
            (None, None) => Some("latest".to_string()),
        };
        self.repository() == found.repository()
            && tag(self) == tag(found)
            && (self.digest().is_none() || self.digest() == found.digest())
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(text: &str) -> Image {
        Image::parse(text).unwrap()
    }

    #[test]
    fn the_parts_are_those_that_are_written() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let full = image(&format!("localhost:5000/kasmweb/postgres:1.11.0@{digest}")).clone();
        assert_eq!(full.repository(), "localhost:5000/kasmweb/postgres");
        assert_eq!((full.tag(), full.digest()), (Some("1.11.0"), Some(&*digest)));
        assert_eq!((image("postgres").tag(), image("postgres").digest()), (None, None));
    }

    #[test]
    fn repositories_compare_as_docker_completes_them() {
        for same in
            ["postgres:12", "library/postgres:12", "docker.io/postgres:12", "docker.io/library/postgres:12"]
        {
            assert!(image("postgres:12").is_met_by(&image(same)), "{same}");
        }
        for other in ["postgres:13", "postgres", "kasmweb/postgres:12", "example.org/postgres:12"] {
            assert!(!image("postgres:12").is_met_by(&image(other)), "{other}");
        }
    }

    #[test]
    fn a_digest_counts_only_when_it_is_wanted() {
        let pinned = format!("postgres:12@sha256:{}", "a".repeat(64));
        assert!(image("postgres:12").is_met_by(&image(&pinned)));
        assert!(!image(&pinned).is_met_by(&image("postgres:12")));
        assert!(!image(&pinned).is_met_by(&image(&pinned.replace('a', "b"))));
    }

    #[test]
    fn what_is_not_a_reference_says_where() {
        for text in ["", "Postgres:12", "postgres:12\nx: y", "${IMAGE}", "postgres:", "a b", "--help"] {
            assert!(Image::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(Image::parse("postgres:1 2").unwrap_err().offset, 10);
    }
}
