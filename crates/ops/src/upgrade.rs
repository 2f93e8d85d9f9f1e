//! The path of an upgrade for a deployment: steps with their commands, what can go wrong, and the way back. Nothing is written.

mod image;
mod major;
mod names;
mod release;
mod step;

use std::path::Path;

use model::{DesiredState, Image, Release, Series};
use render::TargetKind;

use self::names::{Declared, Names};
pub use self::step::{Risk, Step};
use crate::error::Error;
use crate::newer::numbers;
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

/// The scripts of Kasm that the path calls, in the old tree and in the new one.
const OLD_SCRIPTS: &[&str] = &["bin/start", "bin/stop", "bin/utils/db_backup"];
const NEW_SCRIPTS: &[&str] = &["bin/start", "bin/stop", RESTORE, "bin/utils/db_upgrade"];
const RESTORE: &str = "bin/utils/db_restore";

/// Makes the path of a deployment to a Kasm release, or to what the document declares.
///
/// # Errors
/// The target cannot be read, is not a deployment, lacks Kasm's scripts, or there is nothing to upgrade to.
pub fn path(
    desired: &DesiredState,
    dir: &TargetDir,
    to: Option<&str>,
    selection: &Selection,
) -> Result<UpgradePath, Error> {
    if selection.documents.iter().any(|path| path.as_os_str() == "-") {
        return Err(Error::usage(
            "the document is standard input, which the commands of the path could not read again",
        )
        .help("name a file"));
    }
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
    // The commands are for the host itself, also if its files are looked at in a copy.
    let tree = match &rooted.chroot {
        Some(chroot) => inside(chroot.path(), rooted.root.path()),
        None => rooted.folder(),
    };
    let newer = rooted.newer_tree();
    let newer_name =
        newer.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let own_release = facts.release.clone().or_else(|| name_of(&tree));
    let declared = desired.image();
    let of_image = declared.filter(|image| image::is_kasm(image)).and_then(image::release);
    let of_image =
        of_image.filter(|release| own_release.as_deref().is_some_and(|own| is_later(release, own)));
    let release = to.map(String::from).or(newer_name).or(of_image);
    let kind = match &release {
        Some(release) => check_release(release, own_release.as_deref(), &tree)?,
        None => check_major(desired, facts.series, &tree)?,
    };
    let needed = match kind {
        Kind::Release => OLD_SCRIPTS.to_vec(),
        Kind::Major => [OLD_SCRIPTS, &[RESTORE]].concat(),
    };
    if let Some(script) = needed.into_iter().find(|script| !rooted.root.path().join(script).exists()) {
        return Err(Error::failed(format!("{tree}: {script} is not there")).help(
            "run this where Kasm is installed: the path consists of the scripts of Kasm's installer; dump and restore any other \
             database with `pg_dump` and `pg_restore`",
        ));
    }
    let new_tree = match &release {
        Some(release) => Path::new(&tree).parent().unwrap_or(Path::new("/")).join(release),
        None => Path::new(&tree).to_path_buf(),
    };
    let has_all = |tree: &Path| NEW_SCRIPTS.iter().all(|script| tree.join(script).exists());
    let document = dir.document.clone().unwrap_or_else(|| "kasm-db.yaml".into());
    let declaration = match &release {
        Some(release) => image::of_release(desired, release, own_release.as_deref(), facts.series, &document),
        None => declared.map_or(Declared::None, |image| Declared::Already(image.to_string())),
    };
    let wanted = match (&declaration, &release) {
        (Declared::Already(image), _) => series(image).or(desired.postgres_major().map(Series::from)),
        (Declared::Replaced { image, .. }, _) => series(image),
        (Declared::None, Some(release)) => series(&format!("kasmweb/postgres:{release}")),
        _ => None,
    };
    let verify = desired.verify();
    let major_place = desired.major_place().filter(|place| Some(*place) != desired.image_place());
    let names = Names {
        is_installed: newer.as_deref() == Some(new_tree.as_path()) && has_all(&new_tree),
        new_tree: new_tree.display().to_string(),
        container: facts.container.unwrap_or_else(|| verify.container().to_string()),
        user: verify.user().to_string(),
        database: verify.database().to_string(),
        volume: facts.volume.filter(|volume| is_name(volume)),
        compose_file: facts.compose_file.unwrap_or_else(|| "docker/docker-compose.yaml".into()),
        compose_files: facts.compose_files,
        service: facts.service,
        has_kasm: facts.has_kasm,
        from: facts.series,
        to: wanted,
        image: declaration,
        major_document: major_place.map(|place| place.path.clone()),
        names_tree: dir.folder.file_name().is_none_or(|name| name != "current"),
        document,
        top: selection.top.as_ref().map(|top| top.display().to_string()),
        audits: desired.audits(),
        tree,
    };
    let steps = match kind {
        Kind::Release => release::steps(&names, release.as_deref().unwrap_or_default()),
        Kind::Major => major::steps(&names),
    };
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
            image: names.image.image().map(String::from),
            postgres: shown(wanted),
        },
        folder: names.tree,
        steps,
    })
}

/// Returns the path on the host of a folder in a copy of its files.
fn inside(copy: &Path, folder: &Path) -> String {
    let rest = folder.strip_prefix(copy).unwrap_or(folder);
    Path::new("/").join(rest).display().to_string()
}

/// Checks that a release is one, and a later one, and that the tree is where Kasm's scripts look for it.
fn check_release(release: &str, own: Option<&str>, tree: &str) -> Result<Kind, Error> {
    let later = "name a later release with `--to`, such as `--to 1.16.0`";
    if numbers(release).is_none_or(|numbers| numbers.len() < 3) {
        return Err(Error::usage(format!("`--to {release}`: not a Kasm release")).help(later));
    }
    if name_of(tree).is_none() {
        let message = format!("{tree} is not named by its release, as Kasm's scripts expect it");
        return Err(Error::failed(message).help(
            "upgrade by the documentation of whoever made this deployment; `kasm-db plan --installer kasm_release` shows what the document \
             changes in a new release",
        ));
    }
    match own {
        Some(own) if own == release => {
            Err(Error::usage(format!("{tree} is Kasm {release} already")).help(later))
        }
        Some(own) if !is_later(release, own) => {
            Err(Error::usage(format!("{tree} is Kasm {own}, which is later than {release}")).help(later))
        }
        _ => Ok(Kind::Release),
    }
}

/// Checks that the document asks for another PostgreSQL major than the one that is here.
fn check_major(desired: &DesiredState, here: Option<Series>, tree: &str) -> Result<Kind, Error> {
    let wanted = desired.image().and_then(|image| Release::of(image).series);
    let wanted = wanted.or(desired.postgres_major().map(Series::from)).filter(|_| desired.image().is_some());
    match (here, wanted) {
        (Some(here), Some(wanted)) if here != wanted => Ok(Kind::Major),
        (None, Some(wanted)) => Err(Error::usage(format!(
            "which PostgreSQL major {tree} has is not known, so neither is whether PostgreSQL {wanted} is another"
        ))
        .help("name a Kasm release with `--to`, such as `--to 1.16.0`")),
        _ => Err(Error::usage(
            "the document asks for no upgrade: it has the release and the PostgreSQL major of the deployment",
        )
        .help("name a Kasm release with `--to`, such as `--to 1.16.0`, or declare the new `image`")),
    }
}

fn is_later(release: &str, own: &str) -> bool {
    numbers(release) > numbers(own)
}

fn series(image: &str) -> Option<Series> {
    Release::of(&Image::parse(image).ok()?).series
}

/// Returns whether a text can be the name of a volume; anything else is not for a command.
fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

/// Returns the release that a tree is named by.
fn name_of(tree: &str) -> Option<String> {
    let name = Path::new(tree).file_name()?.to_str()?;
    numbers(name).map(|_| name.to_string())
}
