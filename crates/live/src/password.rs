//! Passwords as libpq finds them: its variable, and its password file.

use std::path::{Path, PathBuf};

use crate::environment::Environment;
use crate::regular_file;
#[cfg(feature = "tcp")]
use crate::{io_error::reason, session::Unreachable};

/// A larger file is not looked through for passwords.
const LIMIT: u64 = 1 << 20;

/// Lists the passwords of `PGPASSWORD` and of the password file, so that they can be hidden.
pub fn passwords(environment: &Environment) -> Vec<String> {
    let mut passwords: Vec<_> = environment.text("PGPASSWORD").map(String::from).into_iter().collect();
    let path = password_file(environment);
    if let Some((bytes, _)) = path.and_then(|path| regular_file::read(&path, LIMIT).ok()) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        passwords.extend(text.lines().filter_map(|line| fields(line).map(|[.., password]| password)));
    }
    passwords
}

/// Returns the path of libpq's password file, if there is one.
pub(crate) fn password_file(environment: &Environment) -> Option<PathBuf> {
    let named = environment.get("PGPASSFILE").filter(|path| !path.is_empty()).map(PathBuf::from);
    let default = || environment.get("HOME").map(|home| Path::new(home).join(".pgpass"));
    named.or_else(|| default().filter(|path| path.exists()))
}

/// Reads a password file that nobody else can read.
///
/// # Errors
/// It is not there, is not a regular file, or others can read it.
#[cfg(feature = "tcp")]
pub(crate) fn read(path: &Path) -> Result<String, Unreachable> {
    use std::os::unix::fs::PermissionsExt;

    let named = |why: String| format!("{}: {why}", path.display());
    let (bytes, metadata) = regular_file::read(path, LIMIT).map_err(|error| {
        Unreachable::new(named(reason(&error)), "name a password file that this user can read in PGPASSFILE")
    })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let why = named(format!("others can read this password file: its mode is {mode:04o}"));
        return Err(Unreachable::new(why, "remove the permissions of others: run `chmod 600`"));
    }
    // A comment may be in any encoding.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns the password of a line `host:port:database:user:password` that is for these four.
#[cfg(any(feature = "tcp", test))]
pub(crate) fn password_for(line: &str, wanted: &[&str; 4]) -> Option<String> {
    let [host, port, database, user, password] = fields(line)?;
    let fits = |(field, wanted): (&String, &&str)| field == "*" || field == wanted;
    [&host, &port, &database, &user].into_iter().zip(wanted).all(fits).then_some(password)
}

/// Splits a line of a password file into its five fields, the password last.
fn fields(line: &str) -> Option<[String; 5]> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields = vec![String::new()];
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => fields.last_mut()?.extend(chars.next()),
            // What stands behind the fourth colon is the password, colons included.
            ':' if fields.len() < 5 => fields.push(String::new()),
            c => fields.last_mut()?.push(c),
        }
    }
    fields.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_file_is_read_as_libpq_reads_it() {
        let wanted = ["db.example", "5432", "kasm", "kasmapp"];
        let of = |line: &str| password_for(line, &wanted);
        assert_eq!(of("db.example:5432:kasm:kasmapp:s:e\\:c\\\\"), Some("s:e:c\\".into()));
        assert_eq!(of("*:*:*:kasmapp:x"), Some("x".into()));
        for other in ["*:5433:*:*:x", "#*:*:*:*:x", "*:*:*:*", "db:5432:kasm:kasmapp:x"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
