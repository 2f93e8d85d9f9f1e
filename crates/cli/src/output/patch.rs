//! A plan as a patch for `git apply` and `patch -p1`.

use render::Plan;

use crate::exit::{Exit, Failure};
use crate::output::is_unsafe;

/// Writes the patch of a plan. Its bytes are exact: nothing in it is escaped or hidden.
///
/// So it is refused where it would show what may be a secret, or what a terminal would obey.
pub(crate) fn patch(plan: &Plan, show_secrets: bool) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::new();
    for file in &plan.files {
        let patch = render::diff::patch(file, show_secrets).map_err(|error| {
            Failure::new(Exit::Error, error.to_string()).help(
                "a patch needs the lines around a change as they are; use `kasm-db apply`, or `--show-secrets` \
                 where nobody else reads the output",
            )
        })?;
        if !show_secrets
            && let Some(c) = String::from_utf8_lossy(&patch).chars().find(|&c| c != '\r' && is_unsafe(c))
        {
            let message =
                format!("a patch of {} would hold the control character U+{:04X}", file.path, u32::from(c));
            return Err(
                Failure::new(Exit::Error, message).help("remove it from the file, or use `kasm-db apply`")
            );
        }
        out.extend(patch);
    }
    Ok(out)
}
