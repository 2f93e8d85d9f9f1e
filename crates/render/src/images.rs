//! Whoever can look into images.

use std::fmt::Debug;
use std::sync::Arc;

use model::{Contents, Image};

/// Whoever can look into images.
pub trait Images: Debug + Send + Sync {
    /// Returns what an image holds; `None` if it is not there to be looked into.
    fn contents(&self, image: &Image) -> Option<Arc<Contents>>;
}
