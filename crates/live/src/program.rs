//! Which program is run, and that what is run is what was checked.

use std::io::Read as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::environment::Environment;
use crate::trust::{Walked, Weak, Weakness, walk};

/// So much of the first line of a script the kernel reads.
const FIRST_LINE: u64 = 256;

/// The start of a program that the kernel runs by itself.
const ELF: &[u8] = b"\x7fELF";

/// A program that was found and checked, and is held open with all that is on the way to it.
///
/// A binary is run through its descriptor: what has its name meanwhile does not matter. What an interpreter runs cannot be, as
/// the interpreter opens it by the name that it is given, and scripts such as Kasm's look for other files beside that name.
/// It is walked to once more right before it is run, and must be the same file on the same way. In between, only root, the
/// caller and users who are trusted could replace it: everything on the way is theirs, or it would not have passed.
#[derive(Clone, Debug)]
pub struct Program(Arc<Checked>);

#[derive(Debug)]
struct Checked {
    path: PathBuf,
    walked: Walked,
    is_binary: bool,
}

/// Why a program cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// No folder of `PATH` has one of this name.
    #[error("`{0}` is not in PATH")]
    Missing(String),
    /// There is nothing at the path that can be run.
    #[error("{0} does not exist, or is not a program")]
    NoProgram(String),
    /// It is a script whose interpreter is not there.
    #[error("{path} names `{interpreter}` in its first line, which does not exist, or is not a program")]
    NoInterpreter {
        /// The script.
        path: String,
        /// What its first line names.
        interpreter: String,
    },
    /// Users other than its owner can write to it, or to a folder on the way to it.
    #[error("{path} can be replaced by others: its mode is {mode:04o}")]
    Open {
        /// The program, or a folder on the way to it.
        path: String,
        /// Its permissions.
        mode: u32,
    },
    /// It, or a folder on the way to it, belongs to somebody else.
    #[error("{path} belongs to the user {uid}, and would run as {}", caller())]
    Foreign {
        /// The program, or a folder on the way to it.
        path: String,
        /// The numeric owner.
        uid: u32,
    },
}

/// Names the user who runs this.
pub fn caller() -> String {
    match rustix::process::geteuid() {
        uid if uid.is_root() => "root".into(),
        uid => format!("the user {}", uid.as_raw()),
    }
}

/// Finds a program by name in the absolute folders of `PATH`.
///
/// # Errors
/// It is not there; or somebody else could replace it: then it is not what it seems.
pub fn find(name: &str, environment: &Environment) -> Result<Program, NotFound> {
    let path = environment.get("PATH").unwrap_or_default();
    let found = std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|path| is_program(path))
        .ok_or_else(|| NotFound::Missing(name.to_string()))?;
    check(found, &|_| false)
}

/// Checks a program that was named by its path. What belongs neither to root nor to the caller is run only if its owner is
/// `trusted`. The same holds for the interpreter that the first line of a script names.
///
/// # Errors
/// As for [`find`].
pub fn check(found: PathBuf, trusted: &dyn Fn(u32) -> bool) -> Result<Program, NotFound> {
    let missing = || NotFound::NoProgram(found.display().to_string());
    let walked = walk(&found).ok().filter(Walked::is_program).ok_or_else(missing)?;
    refuse(&walked, trusted)?;
    // One that may be run and not read is no script: its interpreter has to read it.
    let first_line = start(&walked).unwrap_or_else(|_| ELF.to_vec());
    if let Some(interpreter) = interpreter(&first_line) {
        let missing = || NotFound::NoInterpreter {
            path: found.display().to_string(),
            interpreter: interpreter.display().to_string(),
        };
        refuse(&walk(interpreter).ok().filter(Walked::is_program).ok_or_else(missing)?, trusted)?;
    }
    let is_binary = first_line.starts_with(ELF);
    Ok(Program(Arc::new(Checked { path: found, walked, is_binary })))
}

fn refuse(walked: &Walked, trusted: &dyn Fn(u32) -> bool) -> Result<(), NotFound> {
    for Weak { path, why } in &walked.weak {
        let path = path.display().to_string();
        match *why {
            Weakness::Writable { mode, .. } => return Err(NotFound::Open { path, mode }),
            Weakness::Owner { uid } if !trusted(uid) => return Err(NotFound::Foreign { path, uid }),
            Weakness::Owner { .. } => {}
        }
    }
    Ok(())
}

impl Program {
    /// Returns its path, as it was named or found.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Returns a command that runs what was checked, by the name that it has; `None` if that leads elsewhere now. The program
    /// must be held until the command is started: it may be run through the descriptor.
    pub(crate) fn command(&self) -> Option<Command> {
        let mut command = Command::new(self.executable()?);
        command.arg0(self.path());
        Some(command)
    }

    /// Returns the path that runs what was checked; `None` if that is not what its own path leads to any more.
    ///
    /// The kernel follows the path to the descriptor before it closes that, so no child inherits it.
    fn executable(&self) -> Option<PathBuf> {
        let Checked { path, walked, is_binary } = &*self.0;
        let descriptor = descriptor(walked);
        // Without `/proc`, a binary is as a script.
        if *is_binary && descriptor.exists() {
            return Some(descriptor);
        }
        walk(path).is_ok_and(|again| walked.is_same(&again)).then(|| path.clone())
    }
}

/// Reads the start of the file that a path led to.
fn start(walked: &Walked) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(descriptor(walked))?;
    file.take(FIRST_LINE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns the path by which this process, and a child before it runs something, opens what a walk led to.
fn descriptor(walked: &Walked) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", walked.file().as_raw_fd()))
}

/// Returns the interpreter that the first line of a script names.
fn interpreter(first_line: &[u8]) -> Option<&Path> {
    let line = first_line.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let name = line.trim_ascii().split(|byte| matches!(byte, b' ' | b'\t' | 0)).next()?;
    Some(Path::new(std::ffi::OsStr::from_bytes(name)))
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, copy, rename, set_permissions, write};

    use super::*;
    use crate::child::{Ended, Job, run};

    /// Creates a program that anybody may run.
    fn executable(path: &Path, text: Option<&str>) -> PathBuf {
        match text {
            Some(text) => write(path, text).unwrap(),
            None => drop(copy("/bin/sh", path).unwrap()),
        }
        set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        path.to_path_buf()
    }

    fn ran(program: &Program, arguments: &[&str]) -> Result<Ended, String> {
        let job = Job {
            program,
            arguments: arguments.iter().map(ToString::to_string).collect(),
            input: String::new(),
            environment: &Environment::of([("PATH".into(), "/usr/bin:/bin".into())]),
            timeout: std::time::Duration::from_secs(30),
            limit: 4096,
            commanding: None,
        };
        run(&job, &mut |_| {}).map_err(|error| error.to_string())
    }

    fn said(program: &Program, arguments: &[&str]) -> String {
        String::from_utf8(ran(program, arguments).unwrap().stdout).unwrap()
    }

    #[test]
    fn a_binary_that_was_checked_is_run_whatever_has_its_name_by_then() {
        let folder = tempfile::tempdir().unwrap();
        let path = executable(&folder.path().join("tool"), None);
        let program = check(path.clone(), &|_| true).unwrap();
        let other = executable(&folder.path().join("other"), Some("#!/bin/sh\necho theirs\n"));
        rename(other, &path).unwrap();
        // It sees the name that it was called by, and not the descriptor, which it does not get.
        let show = "echo \"$0\"; ls -l /proc/$$/fd | grep -c \"$0\"";
        assert_eq!(said(&program, &["-c", show]), format!("{}\n0\n", path.display()));
    }

    #[test]
    fn a_script_is_run_by_its_name_and_only_if_it_is_the_one_that_was_checked() {
        let folder = tempfile::tempdir().unwrap();
        let path =
            executable(&folder.path().join("stop"), Some("#!/bin/sh\ncat \"$(dirname \"$0\")/beside\"\n"));
        write(folder.path().join("beside"), "beside it\n").unwrap();
        let program = check(path.clone(), &|_| true).unwrap();
        assert_eq!(said(&program, &[]), "beside it\n");
        let other = executable(&folder.path().join("other"), Some("#!/bin/sh\necho theirs\n"));
        rename(other, &path).unwrap();
        let error = ran(&program, &[]).unwrap_err();
        assert_eq!(error, format!("{} does not run: it was replaced after it was checked", path.display()));
    }

    #[test]
    fn an_interpreter_counts_as_the_program_does() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let own = executable(&folder.join("interpreter"), None);
        for line in ["#!", "#! \t"] {
            let text = format!("{line}{} -e\nexit 0\n", own.display());
            let path = executable(&folder.join("stop"), Some(&text));
            set_permissions(&own, Permissions::from_mode(0o755)).unwrap();
            assert!(ran(&check(path.clone(), &|_| false).unwrap(), &[]).unwrap().status.success());
            set_permissions(&own, Permissions::from_mode(0o757)).unwrap();
            let refused = NotFound::Open { path: own.display().to_string(), mode: 0o757 };
            assert_eq!(check(path, &|_| false).unwrap_err(), refused);
        }
    }
}
