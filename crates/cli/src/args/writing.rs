//! Arguments of commands that write files.

use clap::Args;

/// How files are written.
#[derive(Debug, Default, Args)]
pub(crate) struct Writing {
    /// Do not ask for confirmation
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Do everything except write
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Write into the files instead of replacing them, for single-file bind mounts
    #[arg(long)]
    pub(crate) in_place: bool,
    /// Why you make the change; `kasm-db history` shows it
    #[arg(long, value_name = "TEXT", value_parser = message)]
    pub(crate) message: Option<String>,
    /// Pull no image before the database is stopped; a missing image is then refused
    #[arg(long)]
    pub(crate) no_pull: bool,
}

/// The most bytes that a message of the history has.
const MESSAGE: usize = 4096;

fn message(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("write at least one word".into()),
        text if text.len() > MESSAGE => Err(format!("use at most {MESSAGE} bytes")),
        text => Ok(text.to_string()),
    }
}
