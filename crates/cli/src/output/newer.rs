//! A newer tree beside a deployment, in words.

/// Reports that a newer tree is beside the deployment, and what to do about it.
pub(crate) fn newer_tree(newer: &str) -> (String, String) {
    (
        format!("a newer tree is beside the deployment: {newer}"),
        format!("run `kasm-db apply --files-only --deployment {newer}` before its database is restored"),
    )
}
