//! A result that is kept back until it is complete.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

/// So much is kept in memory: the result of a fleet is larger than that should be.
const IN_MEMORY: usize = 1 << 20;

/// A result that is kept back: in memory, and beyond that in a file without a name.
pub(super) struct Held {
    /// Creates the file without a name.
    without_name: Box<dyn Fn() -> io::Result<File> + Send>,
    memory: Vec<u8>,
    rest: Rest,
}

/// Where it goes what is more than memory should hold.
enum Rest {
    NotNeeded,
    File(File),
    /// The file system has no files without a name: memory it is.
    Impossible,
}

impl Held {
    /// Starts a result; a large one is kept in `folder`.
    pub(super) fn new(folder: &Path) -> Self {
        let folder = folder.to_path_buf();
        Self::kept_in(move || without_name(&folder))
    }

    /// Starts a result; a large one is kept in the file that `without_name` makes.
    pub(super) fn kept_in(without_name: impl Fn() -> io::Result<File> + Send + 'static) -> Self {
        Self { without_name: Box::new(without_name), memory: Vec::new(), rest: Rest::NotNeeded }
    }

    /// Writes all of it.
    pub(super) fn write_to(mut self, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
        if let Rest::File(file) = &mut self.rest {
            file.rewind()?;
            io::copy(file, out)?;
        }
        out.write_all(&self.memory).and_then(|()| out.flush())
    }
}

impl Write for Held {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.memory.extend(bytes);
        if self.memory.len() < IN_MEMORY {
            return Ok(bytes.len());
        }
        if matches!(self.rest, Rest::NotNeeded) {
            self.rest = (self.without_name)().map_or(Rest::Impossible, Rest::File);
        }
        if let Rest::File(file) = &mut self.rest {
            file.write_all(&self.memory)?;
            self.memory.clear();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens a file that nobody else can open, and that is gone with the process.
fn without_name(folder: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::TMPFILE.bits()).map_err(io::Error::other)?;
    OpenOptions::new().read(true).write(true).mode(0o600).custom_flags(flags).open(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_comes_out_whole_wherever_it_was_kept() {
        let folder = tempfile::tempdir().unwrap();
        let line = [b'x'; 99_999];
        for (folder, lines) in
            [(folder.path(), 3), (folder.path(), 25), (Path::new("/proc"), 25), (Path::new("/nowhere"), 25)]
        {
            let mut held = Held::new(folder);
            (0..lines).for_each(|_| held.write_all(&line).unwrap());
            assert_eq!(
                matches!(held.rest, Rest::File(_)),
                lines > 3 && !folder.starts_with("/proc") && folder.exists()
            );
            let mut out = Vec::new();
            held.write_to(&mut out).unwrap();
            assert!(out == line.repeat(lines));
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
