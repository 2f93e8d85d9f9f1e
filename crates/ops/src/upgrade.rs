//! The path of an upgrade for a deployment: steps with their commands, what can go wrong, and the way back. Nothing is written.

mod major;
mod names;
mod release;
mod step;

use std::path::Path;

use model::{DesiredState, Image, Release, Series};
use render::TargetKind;

use self::names::Names;
pub use self::step::{Risk, Step};
use crate::error::Error;
use crate::opened::Rooted;
use crate::selection::Selection;
use crate::target_dir::TargetDir;

/// What an upgrade changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The release of Kasm, which installs a tree and a volume of its own.
    Release,
    /// The PostgreSQL major alone: the same tree with another volume.
    Major,
}

/// Where an upgrade starts or ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// The Kasm release, if it is known.
    pub release: Option<String>,
    /// The image of the database, if it is known and may be shown.
    pub image: Option<String>,
    /// The PostgreSQL in it, if it is known.
    pub postgres: Option<String>,
}

/// The path of an upgrade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpgradePath {
    /// What it changes.
    pub kind: Kind,
    /// The tree that it starts from.
    pub folder: String,
    /// What is there.
    pub from: Side,
    /// What is there at the end.
    pub to: Side,
    /// What to do, in this order.
    pub steps: Vec<Step>,
}

/// Makes the path of a deployment to a Kasm release, or to what the document declares.
///
/// # Errors
/// The target cannot be read, is no deployment, or there is nothing to upgrade to.
pub fn path(
    desired: &DesiredState,
    dir: &TargetDir,
    to: Option<&str>,
    selection: &Selection,
) -> Result<UpgradePath, Error> {
    let rooted = Rooted::open(dir, selection)?;
    if rooted.target.kind != TargetKind::Deployment {
        return Err(Error::usage("only a deployment can be upgraded")
            .help("use `--deployment DIR`, or a target with `deployment:`"));
    }
    let opened = rooted.read();
    let Some(facts) = opened.observed.upgrade_facts() else {
        let message = format!("{}: no compose file has a database service", rooted.folder());
        return Err(Error::failed(message).help("an external database is upgraded by whoever runs it"));
    };
    let tree = rooted.folder();
    let newer = rooted.newer_tree();
    let newer_name =
        newer.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let declared = desired.image();
    let own_release = facts.release.clone().or_else(|| name_of(&tree));
    let of_image = declared.filter(|image| is_kasm(image)).and_then(|image| image.tag().map(String::from));
    let of_image = of_image.filter(|tag| own_release.as_ref().is_some_and(|own| own != tag));
    let release = to.map(String::from).or(newer_name).or(of_image);
    let series = |image: &Image| Release::of(image).series;
    let (kind, image) = match &release {
        Some(release) if Some(release) == own_release.as_ref() => {
            return Err(Error::usage(format!("{tree} is Kasm {release} already"))
                .help("name a later release with `--to`"));
        }
        Some(release) => {
            let text = format!("kasmweb/postgres:{release}");
            let image = Image::parse(&text).map_err(|_| {
                Error::usage(format!("`--to {release}`: not a Kasm release")).help("name one such as 1.16.0")
            })?;
            (
                Kind::Release,
                declared.filter(|own| is_kasm(own) && own.tag() == image.tag()).cloned().unwrap_or(image),
            )
        }
        None => match declared {
            Some(image)
                if facts.series.is_some() && series(image).is_some() && series(image) != facts.series =>
            {
                (Kind::Major, image.clone())
            }
            _ => {
                return Err(Error::usage("the document asks for no upgrade: it has the release and the PostgreSQL major of the deployment")
                    .help("name a Kasm release with `--to`, such as `--to 1.16.0`, or declare the new `image`"));
            }
        },
    };
    let wanted =
        series(&image).or(desired.postgres_major().filter(|_| kind == Kind::Major).map(Series::from));
    let new_tree = match (&release, &newer) {
        (Some(release), Some(newer)) if newer.ends_with(release) => newer.clone(),
        (Some(release), _) => Path::new(&tree).parent().unwrap_or(Path::new("/")).join(release),
        (None, _) => Path::new(&tree).to_path_buf(),
    };
    let verify = desired.verify();
    let names = Names {
        is_installed: newer.as_deref() == Some(new_tree.as_path()),
        new_tree: new_tree.display().to_string(),
        container: facts.container.unwrap_or_else(|| verify.container().to_string()),
        user: verify.user().to_string(),
        database: verify.database().to_string(),
        volume: facts.volume.unwrap_or_else(|| format!("kasm_db_{}", name_of(&tree).unwrap_or_default())),
        compose_file: facts.compose_file.unwrap_or_else(|| "docker/docker-compose.yaml".into()),
        service: facts.service,
        from: facts.series,
        to: wanted,
        image: image.to_string(),
        document: dir.document.clone().unwrap_or_else(|| "kasm-db.yaml".into()),
        audits: desired.audits(),
        tree,
    };
    let steps = match kind {
        Kind::Release => release::steps(&names, release.as_deref().unwrap_or_default()),
        Kind::Major => major::steps(&names),
    };
    let steps = steps.into_iter().map(|step| step.of_document(&names.document)).collect();
    let shown = |series: Option<Series>| series.map(|series| series.to_string());
    Ok(UpgradePath {
        kind,
        from: Side {
            release: own_release.clone(),
            image: facts.image.map(|image| image.to_string()),
            postgres: shown(facts.series),
        },
        to: Side {
            release: release.or(own_release),
            image: Some(names.image.clone()),
            postgres: shown(wanted),
        },
        folder: names.tree,
        steps,
    })
}

fn is_kasm(image: &Image) -> bool {
    image.repository().ends_with("kasmweb/postgres")
}

/// Returns the release that a tree is named by.
fn name_of(tree: &str) -> Option<String> {
    let name = Path::new(tree).file_name()?.to_str()?;
    name.starts_with(|c: char| c.is_ascii_digit()).then(|| name.to_string())
}
