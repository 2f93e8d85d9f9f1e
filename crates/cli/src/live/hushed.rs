//! What must not be repeated of what children and the server say: the secrets of a target, and our own.

use std::path::PathBuf;

use commit::Root;

use crate::disk::{Disk, LIMIT};
use crate::live::tcp;
use crate::output::secrets::learn;
use crate::target::Place;

/// A password this short stands everywhere.
const SHORTEST: usize = 4;

/// Says to the output layer which texts are secrets, before a child runs that could say them.
pub(crate) fn hush(place: &Place, root: &Root, prefix: Option<&std::path::Path>) {
    let observed = render::observe(&place.target, &Disk::new(root, prefix));
    // What the files may have together is no limit for those that only hold secrets.
    learn(render::secrets(&observed, &Disk::new(root, prefix)));
    learn(passwords().into_iter().filter(|password| password.len() >= SHORTEST));
}

/// Gives the passwords of libpq's variable and of its password file.
fn passwords() -> Vec<String> {
    let mut passwords: Vec<_> = std::env::var("PGPASSWORD").ok().into_iter().collect();
    let path = tcp::password_file();
    let is_small = |path: &PathBuf| path.metadata().is_ok_and(|meta| meta.is_file() && meta.len() <= LIMIT);
    if let Some(bytes) = path.filter(is_small).and_then(|path| std::fs::read(path).ok()) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        passwords.extend(text.lines().filter_map(|line| tcp::fields(line).map(|[.., password]| password)));
    }
    passwords
}
