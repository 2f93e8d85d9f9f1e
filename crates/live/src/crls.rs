//! Lists of certificates that their authorities have revoked, found as libpq finds them.

use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;

use crate::io_error::reason;
use crate::regular_file;
use crate::session::Unreachable;

/// The most bytes of all lists together.
const LIMIT: u64 = 32 << 20;

/// The most files of a folder that are looked at.
const FILES: usize = 1000;

/// Where the lists are.
#[derive(Clone, Debug, Default)]
pub(crate) struct CrlFiles {
    /// `PGSSLCRL`, or the default file if it is there.
    pub(crate) file: Option<PathBuf>,
    /// `PGSSLCRLDIR`.
    pub(crate) folder: Option<PathBuf>,
}

impl CrlFiles {
    /// Reads all lists; none if none are to be followed.
    ///
    /// # Errors
    /// A file or folder that is named is not there, or holds no list. libpq connects then.
    pub(crate) fn read(&self) -> Result<Vec<CertificateRevocationListDer<'static>>, Unreachable> {
        let mut paths: Vec<PathBuf> = self.file.iter().cloned().collect();
        if let Some(folder) = &self.folder {
            paths.extend(of_folder(folder)?);
        }
        let (mut lists, mut left) = (Vec::new(), LIMIT);
        for path in paths {
            let (bytes, _) = regular_file::read(&path, left).map_err(|error| {
                wrong(&path, &reason(&error), "name a file with revocation lists in PGSSLCRL")
            })?;
            left = left.saturating_sub(bytes.len() as u64);
            let read: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(&bytes).collect();
            match read {
                Ok(read) if !read.is_empty() => lists.extend(read),
                Ok(_) => {
                    return Err(wrong(&path, "it holds no revocation list", "write the list in PEM form"));
                }
                Err(error) => return Err(wrong(&path, &error.to_string(), "write the list in PEM form")),
            }
        }
        Ok(lists)
    }
}

/// Lists the files of a folder that OpenSSL would look for: the hash of the authority's name, `.r` and a number.
fn of_folder(folder: &Path) -> Result<Vec<PathBuf>, Unreachable> {
    let entries = std::fs::read_dir(folder).map_err(|error| {
        wrong(folder, &reason(&error), "name a folder with revocation lists in PGSSLCRLDIR")
    })?;
    let is_list = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.split_once(".r").is_some_and(|(hash, number)| {
            hash.len() == 8
                && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
                && !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    let mut paths: Vec<_> = entries.take(FILES + 1).filter_map(|entry| Some(entry.ok()?.path())).collect();
    if paths.len() > FILES {
        return Err(wrong(
            folder,
            &format!("it holds more than {FILES} files"),
            "use a folder of lists alone",
        ));
    }
    paths.retain(is_list);
    if paths.is_empty() {
        return Err(wrong(folder, "it holds no revocation list", "run `openssl rehash` on the folder"));
    }
    paths.sort();
    Ok(paths)
}

fn wrong(path: &Path, why: &str, fix: &str) -> Unreachable {
    Unreachable::new(format!("{}: {why}", path.display()), fix)
}
