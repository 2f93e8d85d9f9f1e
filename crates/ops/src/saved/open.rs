//! Reads a plan file that somebody else may have put there.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use commit::reason;
use rustix::fs::OFlags;

use super::format::{Invalid, MAX_BYTES, PlanFile, decode};
use crate::error::Error;
use crate::selection::Selection;

/// Reads a plan file, or standard input for `-`.
///
/// Whose it is and who can write to it does not matter: nothing that it says is believed, and an apply looks at who wrote the
/// document that it names.
///
/// # Errors
/// It is not a plan file.
pub fn open(path: &Path, selection: &Selection) -> Result<PlanFile, Error> {
    if path == Path::new("-") {
        return from_stdin(selection);
    }
    let name = path.display().to_string();
    let error = |what: String| Error::failed(format!("{name} {what}"));
    let io = |what: &str, why: &std::io::Error| {
        let failed = Error::of_system(format!("{name}: cannot {what} the plan file"), why);
        match why.kind() {
            std::io::ErrorKind::NotFound => {
                failed.help("check the path, or save a plan with `kasm-db plan --out FILE`")
            }
            _ => failed,
        }
    };
    // Looked at before it is opened: opening a device can already do something.
    let found = std::fs::symlink_metadata(path).map_err(|why| io("open", &why))?;
    require_regular(&found).map_err(error)?;
    // NONBLOCK and the second look: the name may have become a FIFO in between.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .map_err(|why| io("open", &why))?;
    let found = file.metadata().map_err(|why| io("read", &why))?;
    require_regular(&found).map_err(error)?;
    if found.len() > MAX_BYTES {
        return Err(error(Invalid::TooLarge.to_string()).help(AGAIN));
    }
    let bytes = read(file).map_err(|why| io("read", &why))?;
    decode(&bytes).map_err(|invalid| match invalid {
        Invalid::Shape(..) if model::names_schema(&bytes) => error("is a document, not a saved plan".into())
            .help(format!("run `kasm-db apply -f {name}`, or {AGAIN}")),
        invalid => error(invalid.to_string()).help(AGAIN),
    })
}

const AGAIN: &str = "save a plan with `kasm-db plan --out FILE`, and apply that file";

/// Reads a plan from standard input: who wrote it is for whoever connected it to say.
fn from_stdin(selection: &Selection) -> Result<PlanFile, Error> {
    let error = |what: String| Error::failed(format!("<stdin> {what}"));
    let mut bytes = Vec::new();
    (selection.stdin)()
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|why| Error::failed(format!("<stdin>: cannot read the plan file: {}", reason(&why))))?;
    decode(&bytes).map_err(|invalid| error(invalid.to_string()).help(AGAIN))
}

/// Reads one byte more than a plan file may have at most: it may be growing.
fn read(file: File) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn require_regular(found: &std::fs::Metadata) -> Result<(), String> {
    if found.is_symlink() {
        Err("is a symbolic link, not a plan file".into())
    } else if !found.is_file() {
        Err("is not a regular file".into())
    } else {
        Ok(())
    }
}
