//! How the texts of a folder are worded.

use render::Plan;

/// How texts of a folder are worded; always the same, whatever the terminal and its options are.
pub trait Wording: Sync {
    /// Writes a plan, with its findings.
    fn plan(&self, plan: &Plan, folder: &str) -> String;
    /// Returns the first line of each finding, as [`Wording::plan`] writes it.
    fn finding_titles(&self, plan: &Plan) -> Vec<String>;
    /// Writes the redacted bytes of a file.
    fn file(&self, bytes: &[u8]) -> String;
    /// Returns whether a name holds a character that is not safe to print.
    fn is_unsafe(&self, name: &str) -> bool;
}
