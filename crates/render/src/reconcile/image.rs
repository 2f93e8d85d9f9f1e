//! The image of the database's service, in every project of the target.

use model::{Code, DesiredState, Diagnostic, Image, Release, Series};

use crate::compose::{Database, ImageSite, Origin, ServiceFound};
use crate::observe::{ObservedDatabase, ObservedState};
use crate::plan::{Action, Change, FileKind, Needs};
use crate::reconcile::Draft;
use crate::redact;
use crate::target::TargetKind;

pub(super) fn reconcile(desired: &DesiredState, observed: &ObservedState, draft: &mut Draft) {
    for problem in observed.databases.iter().flat_map(|observed| &observed.database.problems) {
        draft.find(problem.clone());
    }
    let Some(image) = desired.image() else { return };
    for database in &observed.databases {
        one(image, desired.postgres_major().map(Series::from), database, observed, draft);
    }
}

/// Gives the image that a database has now, as far as files tell.
pub(crate) fn current(database: &Database) -> Option<Image> {
    let site = database.site.as_ref().ok()?;
    Image::parse(site.text()?.resolved.as_deref().ok()?.trim()).ok()
}

fn one(
    image: &Image,
    declared: Option<Series>,
    observed_database: &ObservedDatabase,
    observed: &ObservedState,
    draft: &mut Draft,
) {
    let database = &observed_database.database;
    let site = match &database.site {
        Ok(site) => site,
        Err(problem) => return draft.find(problem.clone()),
    };
    let found = current(database);
    let place = database.image_place(site);
    // Docker takes no image with a blank or a line end around it, so that one is not met.
    let resolved = site.text().and_then(|text| text.resolved.as_deref().ok());
    let is_clean = resolved.is_some_and(|text| text.trim().len() == text.len());
    if let Some(found) = found.as_ref().filter(|_| is_clean)
        && image.is_met_by(found)
    {
        return;
    }
    if database.found == ServiceFound::ByKey
        && let Some(found) = found.as_ref().filter(|found| is_another_database(found))
    {
        let message =
            format!("the service `{}` runs {found}, which does not look like PostgreSQL", database.service);
        draft.find(
            Diagnostic::error(Code::NotPostgres, message)
                .at(place)
                .help("name the database's service with `service:` under `files`"),
        );
        return;
    }
    let replacements = match database.edit(site, image.as_str()) {
        Ok(replacements) => replacements,
        Err(problem) => return draft.find(problem),
    };
    let path = database.file(site).path.clone();
    if path.starts_with('/') || path.starts_with("../") {
        let message = format!("{path} lies outside the target and is not changed");
        return draft.find(Diagnostic::error(Code::ComposeReference, message).at(place));
    }
    variables(database, site, draft);
    if let Some(build) = &site.build {
        let message = format!("`{}` also has `build:`", database.service);
        draft.find(Diagnostic::warning(Code::BuiltImage, message).at(build.clone()).help(format!(
            "`docker compose build` and `up --build` would give the name {image} to what they build; remove \
             `build:` if the image is to be pulled"
        )));
    }
    let wanted = Release::of(image).series.or(declared);
    majors(wanted, found.as_ref(), observed_database, observed, draft);
    let needs = match observed.target.kind {
        TargetKind::Installer => Needs::Nothing,
        _ if observed_database.project.runs => Needs::Recreate,
        _ => Needs::Nothing,
    };
    let own = matches!(&site.origin, Origin::Own(..));
    let before = site.text().map(|text| text.raw.trim().to_string()).filter(|text| !text.is_empty());
    let (before, secret) = before.map_or((None, None), |text| {
        let has_user = redact::has_user(&text);
        let (shown, secret) = redact::split(text, has_user);
        (Some(shown), secret)
    });
    draft.changes.push(Change {
        path: path.clone(),
        line: place.line,
        subject: format!("services.{}.image", database.service),
        action: if before.is_some() { Action::Change } else { Action::Add },
        before,
        secret,
        after: Some(image.to_string()),
        needs,
        why: (!own && site.text().is_some())
            .then(|| "the service gets a line of its own; what it inherited stays".into()),
    });
    draft.replace(&path, FileKind::Compose, replacements);
}

/// Databases that also go by the service key `db`.
pub(crate) fn is_another_database(image: &Image) -> bool {
    let repository = image.repository();
    ["mysql", "mariadb", "percona", "mongo", "redis", "couchdb", "cassandra", "mssql", "clickhouse", "neo4j"]
        .iter()
        .any(|name| repository.contains(name))
}

fn variables(database: &Database, site: &ImageSite, draft: &mut Draft) {
    if let Origin::Own(_, Some(text)) = &site.origin
        && text.has_variables()
    {
        let raw = text.raw.trim();
        let shown = if redact::has_user(raw) { redact::HIDDEN } else { raw };
        let mut finding = Diagnostic::warning(
            Code::ImageFromVariable,
            format!("`{shown}` becomes a literal: the variable no longer chooses the image"),
        )
        .at(database.image_place(site));
        if let Err(name) = &text.resolved {
            finding = finding.help(format!("no .env file sets `{name}`, so the present image is not known"));
        }
        draft.find(finding);
    }
}

/// Compares the PostgreSQL majors of the old and the new image.
fn majors(
    wanted: Option<Series>,
    found: Option<&Image>,
    observed_database: &ObservedDatabase,
    observed: &ObservedState,
    draft: &mut Draft,
) {
    let database = &observed_database.database;
    let Ok(site) = &database.site else { return };
    let place = database.image_place(site);
    // What the data directory itself says is worth more than the name of an image.
    let (Some(found), Some(wanted), None) = (found, wanted, &observed.data) else { return };
    let Some(old) = Release::of(found).series else {
        draft.find(
            Diagnostic::warning(
                Code::UnknownCurrentMajor,
                format!(
                    "the PostgreSQL major of {found} is not known; the data directory must be one of {wanted}"
                ),
            )
            .at(place),
        );
        return;
    };
    if old == wanted {
        return;
    }
    let message = format!("{found} is PostgreSQL {old}, the new image is PostgreSQL {wanted}");
    let finding = if observed.target.kind.has_data() {
        Diagnostic::error(Code::MajorChange, format!("{message}: it can not open the data directory")).help(format!(
            "declare an image of PostgreSQL {old}; to change the major, dump the database with the old image \
             and restore it into a new volume"
        ))
    } else {
        Diagnostic::warning(Code::MajorChange, format!("{message}; the installer makes a new volume")).help(
            "an upgrade of Kasm restores a dump into it, which works from an older major to a newer one only",
        )
    };
    draft.find(finding.at(place));
}
