//! How much is shown.

/// How much is shown.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Detail {
    /// Lines around each change of a diff.
    pub(crate) context: usize,
    /// Whether values are shown that are hidden otherwise.
    pub(crate) show_secrets: bool,
    /// Whether results and errors alone are shown.
    pub(crate) quiet: bool,
    /// How much more than usual.
    pub(crate) verbose: u8,
    /// Whether the run is about several documents.
    pub(crate) several: bool,
}
