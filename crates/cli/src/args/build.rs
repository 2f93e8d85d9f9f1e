//! The arguments of `build`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::format::FormatParser;
use crate::output::emitter::Format;
use crate::output::report::Report;

/// Where to write, and what to build.
#[derive(Debug, Args)]
pub(crate) struct Build {
    /// The folder with the build context [default: `build` beside the document]
    #[arg(value_hint = ValueHint::DirPath, long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Write nothing, show how the folder differs, and exit with 2 if it does
    #[arg(long, conflicts_with_all = ["write", "run", "save"])]
    pub(crate) check: bool,
    /// Set `build.base` of the document to the base in the Dockerfile of the folder, as a bot may have updated it
    #[arg(long)]
    pub(crate) write: bool,
    /// Build the image
    #[arg(long)]
    pub(crate) run: bool,
    /// Save the image to an archive, for hosts without a registry
    #[arg(value_hint = ValueHint::FilePath, long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
    /// Load the image from an archive, without a document
    #[arg(value_hint = ValueHint::FilePath, long, value_name = "FILE", conflicts_with_all = ["out", "check", "write", "run", "save"])]
    pub(crate) load: Option<PathBuf>,
    /// The program that builds, saves and loads [default: the first that is found]
    #[arg(long, value_name = "NAME", value_parser = ["docker", "podman", "buildah"])]
    pub(crate) builder: Option<String>,
    /// The platform to build, such as linux/amd64 [default: the one in the document]
    #[arg(long, value_name = "NAME", requires = "run")]
    pub(crate) platform: Option<String>,
    /// The network of the builder, such as `host`
    #[arg(long, value_name = "NAME", requires = "run")]
    pub(crate) network: Option<String>,
    /// Repeat every step, also those whose result the builder has kept
    #[arg(long, requires = "run")]
    pub(crate) no_cache: bool,
    /// The time of everything that is added, in seconds since 1970, so that the same packages give the same image
    #[arg(long, value_name = "SECONDS", requires = "run")]
    pub(crate) timestamp: Option<u32>,
    /// The output format
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::Build))]
    pub(crate) format: &'static Format,
}
