//! The configuration files that the server reads, compared with those of the host.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::docker::Container;
use crate::facts::{ConfFile, ConfState};
use crate::file_identity::identity;
use crate::question::Reply;
use crate::questions::ServerFile;

/// A configuration file on the host, to compare with what the server reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFile {
    /// The path that the server has for it.
    pub inside: String,
    /// Its path here.
    pub on_host: PathBuf,
    /// What it holds; `None` if it cannot be read.
    pub bytes: Option<Vec<u8>>,
}

/// Compares the files that the server reads with the host's, the main one of which comes first. `main` is the server's
/// `config_file`, empty if that is not known. `is_stale` returns whether the container has another file than the host.
pub(crate) fn compare(
    main: &str,
    files: Reply<ServerFile>,
    on_host: &[HostFile],
    container: Option<&Container>,
    is_stale: &dyn Fn(&str, &Path) -> Result<bool, String>,
) -> Vec<ConfFile> {
    let Some(main_here) = on_host.first() else { return Vec::new() };
    let files = match files {
        Ok(files) => files,
        Err(why) => {
            let path = if main.is_empty() { "postgresql.conf" } else { main };
            return vec![ConfFile { path: path.into(), state: ConfState::Unknown(why) }];
        }
    };
    let compared = files.into_iter().filter_map(|file| {
        let here = match file.path == main {
            true => main_here,
            false => on_host.iter().find(|here| here.inside == file.path)?,
        };
        let state = match state(&file, here, container) {
            ConfState::Same => match is_stale(&file.path, &here.on_host) {
                Ok(true) => ConfState::Stale,
                Ok(false) => ConfState::Same,
                Err(why) => ConfState::Unknown(why),
            },
            state => state,
        };
        Some(ConfFile { path: file.path, state })
    });
    compared.collect()
}

fn state(file: &ServerFile, here: &HostFile, container: Option<&Container>) -> ConfState {
    let of = |path: &PathBuf| identity(std::fs::metadata(path));
    let mounted = container.and_then(|container| container.host_path(&file.path));
    if let Some(mounted) = mounted.filter(|mounted| of(mounted) != of(&here.on_host)) {
        return ConfState::Elsewhere(mounted.display().to_string());
    }
    match &here.bytes {
        None if here.on_host.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound) => {
            let why = "does not exist here, and the server that runs still has it";
            ConfState::Unknown(format!("{} {why}", here.on_host.display()))
        }
        None => ConfState::Unknown(format!("{} cannot be read", here.on_host.display())),
        Some(bytes) if file.bytes.as_ref() == Some(bytes) => ConfState::Same,
        Some(_) => ConfState::Differs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(main: &str, files: Reply<(&str, &[u8])>, on_host: &[HostFile]) -> Vec<(String, ConfState)> {
        let file =
            |(path, bytes): (&str, &[u8])| ServerFile { path: path.into(), bytes: Some(bytes.to_vec()) };
        let files = files.map(|files| files.into_iter().map(file).collect());
        compare(main, files, on_host, None, &|_, _| Ok(false))
            .into_iter()
            .map(|conf| (conf.path, conf.state))
            .collect()
    }

    #[test]
    fn files_are_paired_by_the_servers_path_and_the_main_one_whatever_it_is_named() {
        let here = |inside: &str, bytes: Option<&[u8]>| HostFile {
            inside: inside.into(),
            on_host: PathBuf::from("/nowhere/conf"),
            bytes: bytes.map(<[u8]>::to_vec),
        };
        let on_host =
            [here("/conf/main", Some(b"a")), here("/conf/more", Some(b"b")), here("/conf/lost", None)];
        let files: [(&str, &[u8]); 4] =
            [("/other", b"a"), ("/conf/more", b"x"), ("/conf/lost", b""), ("/new", b"")];
        let unread = ConfState::Unknown(
            "/nowhere/conf does not exist here, and the server that runs still has it".into(),
        );
        assert_eq!(
            states("/other", Ok(files.to_vec()), &on_host),
            [
                ("/other".into(), ConfState::Same),
                ("/conf/more".into(), ConfState::Differs),
                ("/conf/lost".into(), unread)
            ]
        );
        let refused = ConfState::Unknown("denied".into());
        assert_eq!(states("", Err("denied".into()), &on_host), [("postgresql.conf".into(), refused)]);
        assert_eq!(states("/other", Ok(files.to_vec()), &[]), []);
    }
}
