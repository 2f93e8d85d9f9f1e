//! Why an archive of an image cannot be read.

use std::io;

/// Why an archive cannot be read; the words complete "FILE: …".
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// It cannot be read, or ends too early.
    #[error("{}", of_io(.0))]
    Io(#[from] io::Error),
    /// It is not what it should be.
    #[error("{0}")]
    Malformed(String),
    /// It is larger than what is read.
    #[error("it has more than {0}")]
    TooLarge(&'static str),
    /// It is compressed in a way that is not read.
    #[error("{what} is compressed with {method}, which kasm-db does not read")]
    Compressed {
        /// The archive or a layer.
        what: &'static str,
        /// The method.
        method: &'static str,
    },
    /// It is not an archive of an image.
    #[error("it is not an archive of an image: it has neither manifest.json nor index.json")]
    NoImage,
    /// It has several images, and nothing says which one is meant.
    #[error("it has several images: {}", .0.join(", "))]
    Several(Vec<String>),
    /// It has no image of that name.
    #[error("it does not have the image {wanted}, but {}", there.join(", "))]
    Other {
        /// The image that is looked for.
        wanted: String,
        /// Those that are there.
        there: Vec<String>,
    },
    /// It has no image for the platform.
    #[error("it has no image for {wanted}, but for {}", there.join(", "))]
    Platform {
        /// The platform that is looked for.
        wanted: String,
        /// Those that are there.
        there: Vec<String>,
    },
}

impl Fault {
    /// Starts the fault of something that is not what it should be.
    pub(super) fn malformed(what: impl Into<String>) -> Self {
        Self::Malformed(what.into())
    }

    /// Returns what to do.
    pub(super) fn help(&self) -> Option<String> {
        Some(match self {
            Self::Compressed { what: "the archive", method } => {
                format!("decompress it first: `{method} -d FILE`")
            }
            Self::Compressed { .. } => {
                "copy the image with other layers: `skopeo copy --dest-compress-format gzip oci-archive:FILE oci-archive:OTHER`"
                    .into()
            }
            Self::NoImage => "name an archive that `docker save` or `skopeo copy … oci-archive:FILE` wrote, or the folder of an OCI layout".into(),
            Self::Several(_) => "name one with `--image REFERENCE`".into(),
            Self::Other { .. } => "name another archive, or correct the name".into(),
            Self::Platform { .. } => "name one of these with `--platform OS/ARCH`".into(),
            Self::Io(_) | Self::Malformed(_) | Self::TooLarge(_) => return None,
        })
    }
}

fn of_io(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "it ends too early".into(),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => "its compressed data is damaged".into(),
        _ => commit::reason(error),
    }
}
