//! Which texts are images.

/// Returns whether a text can be an image, with variables or without.
pub(super) fn is_image(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-/:@${}?+".contains(c);
    let (name, digest) = text.trim().split_once("@sha256:").unwrap_or((text.trim(), ""));
    let is_digest = digest.is_empty() || digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
    is_digest && is_short(name) && !name.contains("//") && name.chars().all(fits)
}

/// What is long, or looks like a URL with a password, is not harmless under any key.
fn is_short(text: &str) -> bool {
    text.len() <= 80 && !text.contains("://") && !text.contains('\n')
}

/// Returns whether an image has what looks like a user and a password; no registry takes that.
pub(crate) fn has_user(image: &str) -> bool {
    let is_digest = |text: &str| text.starts_with("sha256:") || text.starts_with("sha512:");
    image.match_indices('@').any(|(at, _)| !is_digest(&image[at + 1..]))
}
