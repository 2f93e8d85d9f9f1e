//! Replaces files by others: `replace ROOT FILE NEW [FILE NEW]...`, each FILE relative to ROOT.
//!
//! Exit codes: 0 done or nothing to do, 1 nothing changed, 7 rolled back, 8 some files could not be put back,
//! 9 done but not cleaned up.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use kasm_db_commit::{Change, Root, State};

const LIMIT: u64 = 16 << 20;

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let (code, message) = match arguments.split_first() {
        Some((root, files)) if !files.is_empty() && files.len().is_multiple_of(2) => replace(root, files),
        _ => (1, "usage: replace ROOT FILE NEW [FILE NEW]...".to_owned()),
    };
    // Written without a panic on failure: on a full disk the exit code still tells.
    let _ = if code == 0 {
        writeln!(io::stdout(), "{message}")
    } else {
        writeln!(io::stderr(), "error: {message}")
    };
    ExitCode::from(code)
}

fn replace(root: &Path, files: &[PathBuf]) -> (u8, String) {
    match try_replace(root, files) {
        Ok(done) => done,
        Err(error) => (1, error.to_string()),
    }
}

fn try_replace(root: &Path, files: &[PathBuf]) -> Result<(u8, String), Box<dyn std::error::Error>> {
    let root = Root::open(root)?;
    let lock = root.lock(Duration::from_secs(5))?;
    let mut changes = Vec::new();
    for pair in files.chunks_exact(2) {
        let [path, new] = pair else { continue };
        let before = root.read(path, LIMIT)?.ok_or_else(|| format!("{}: no such file", path.display()))?;
        let after = std::fs::read(new).map_err(|error| format!("{}: {error}", new.display()))?;
        changes.push(Change { path: path.clone(), before: before.bytes, after });
    }
    match lock.commit(&changes) {
        Ok(report) => match report.leftovers.first() {
            None => Ok((0, format!("replaced {} of {} files", report.written.len(), changes.len()))),
            Some(left) => Ok((9, format!("{left}; all files are replaced"))),
        },
        Err(error) => {
            let code = match error.state {
                State::NothingChanged => 1,
                State::RolledBack => 7,
                State::RecoveryPending(_) => 8,
            };
            let help = error.help().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
            Ok((code, format!("{error}{help}")))
        }
    }
}
