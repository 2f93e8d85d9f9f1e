//! Arguments of the commands about images and upgrades.

use clap::{Args, ValueHint};

use super::format::FormatParser;
use crate::output::emitter::Format;
use crate::output::report::Report;

#[derive(Debug, Args)]
pub(crate) struct UpgradePlan {
    /// The Kasm release to upgrade to [default: that of a newer tree beside the deployment, or of the declared image]
    #[arg(long, value_name = "RELEASE")]
    pub(crate) to: Option<String>,
    /// The output format
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::UpgradePlan))]
    pub(crate) format: &'static Format,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// An image of the Docker engine, or the path of an archive (`docker save`, OCI) or of the folder of an OCI layout
    #[arg(value_name = "IMAGE|ARCHIVE|DIR", value_hint = ValueHint::AnyPath)]
    pub(crate) subject: String,
    /// The image of an archive that has several
    #[arg(long, value_name = "REFERENCE")]
    pub(crate) image: Option<String>,
    /// The platform of an image that is built for several, such as linux/arm64 [default: that of this machine]
    #[arg(long, value_name = "OS/ARCH")]
    pub(crate) platform: Option<String>,
    /// Look into the image again, also if what it holds is in the cache
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// The output format
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = FormatParser(Report::Inspect))]
    pub(crate) format: &'static Format,
}
