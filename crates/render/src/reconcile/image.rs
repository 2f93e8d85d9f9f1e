//! The image of the database's service, in every project of the target.

use model::{Code, DesiredState, Diagnostic, Image, Release, Series};

use crate::compose::{Database, ImageSite, Origin, ServiceFound};
use crate::file_kind::FileKind;
use crate::observe::{ObservedDatabase, ObservedState};
use crate::plan::{Action, Needs, ValueChange};
use crate::reconcile::draft::Draft;
use crate::redact;
use crate::target::TargetKind;

pub(super) fn reconcile(desired: &DesiredState, observed: &ObservedState, draft: &mut Draft) {
    for problem in observed.databases.iter().flat_map(|observed| &observed.database.problems) {
        draft.find(problem.clone());
    }
    let Some(image) = desired.image() else { return };
    for database in &observed.databases {
        one(image, desired, database, observed, draft);
    }
}

/// Returns the image that a database has now, as far as files tell.
pub(crate) fn current(database: &Database) -> Option<Image> {
    database.site.as_ref().ok()?.image()
}

fn one(
    image: &Image,
    desired: &DesiredState,
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
    let location = database.image_location(site);
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
                .at(location)
                .help(observed.target.kind.service_advice()),
        );
        return;
    }
    let replacements = match database.edit(site, image.as_str()) {
        Ok(replacements) => replacements,
        Err(problem) => return draft.find(problem),
    };
    let path = database.file(site).path.clone();
    let is_outside = |path: &str| path.starts_with('/') || path.starts_with("../");
    if let Some((outside, _)) = replacements.iter().find(|(file, _)| is_outside(&file.path)) {
        let message = format!("{} lies outside the target and is not changed", outside.path);
        return draft.find(Diagnostic::error(Code::ComposeReference, message).at(location));
    }
    variables(database, site, draft);
    if let Some(build) = &site.build {
        let message = format!("`{}` also has `build:`", database.service);
        draft.find(Diagnostic::warning(Code::BuiltImage, message).at(build.clone()).help(format!(
            "remove `build:` if the image is to be pulled: `docker compose build` and `up --build` would give the \
             name {image} to what they build"
        )));
    }
    let wanted = observed.series_of(image).or(desired.postgres_major().map(Series::from));
    majors(desired, wanted, found.as_ref(), observed_database, observed, draft);
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
    draft.changes.push(ValueChange {
        path: path.clone(),
        line: location.line,
        subject: format!("services.{}.image", database.service),
        action: if before.is_some() { Action::Change } else { Action::Add },
        before,
        secret,
        after: Some(image.to_string()),
        needs,
        why: (!own && site.text().is_some())
            .then(|| "the service gets a line of its own; what it inherited stays".into()),
    });
    for (file, replacement) in replacements {
        draft.replace(&file.path, FileKind::Compose, [replacement]);
    }
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
        .at(database.image_location(site));
        if let Err(name) = &text.resolved {
            finding = finding
                .help(format!("set `{name}` in the .env file: without it, the current image is not known"));
        }
        draft.find(finding);
    }
}

/// Compares the PostgreSQL majors of the old and the new image.
pub(super) fn majors(
    desired: &DesiredState,
    wanted: Option<Series>,
    found: Option<&Image>,
    observed_database: &ObservedDatabase,
    observed: &ObservedState,
    draft: &mut Draft,
) {
    let database = &observed_database.database;
    let Ok(site) = &database.site else { return };
    let location = database.image_location(site);
    if wanted.is_none() && observed.target.kind.has_data() {
        let image = desired.image().map_or("the new image", Image::as_str);
        let message = format!(
            "cannot tell the PostgreSQL major version of {image}: the server might not be able to open the data directory"
        );
        let finding = Diagnostic::error(Code::MajorUnknown, message)
            .at(location)
            .help("add `postgres_major:` with the major of the image to the document");
        return draft.find_declared(finding, desired.image_place());
    }
    // What the data directory itself says is worth more than the name of an image.
    let (Some(found), Some(wanted), None) = (found, wanted, &observed.data) else { return };
    let Some(old) = observed.series_of(found) else {
        let message = format!(
            "the PostgreSQL major of {found} is not known; the data directory must be one of {wanted}"
        );
        let finding = Diagnostic::warning(Code::UnknownCurrentMajor, message).at(location).help(format!(
            "check that the data directory was made by PostgreSQL {wanted}, in its file PG_VERSION"
        ));
        return draft.find_declared(finding, desired.image_place());
    };
    if old == wanted {
        return;
    }
    let message = format!("{found} is PostgreSQL {old}, the new image is PostgreSQL {wanted}");
    let finding = if observed.target.kind.has_data() {
        let image = desired.image().map_or("the new image", Image::as_str);
        let message = format!(
            "{image} is PostgreSQL {wanted} and cannot open the data directory of {found}, which is PostgreSQL {old}"
        );
        let fitting = observed.kasm_image().filter(|image| Release::of(image).series == Some(old));
        let such_as = fitting.map(|image| format!(", such as {image}")).unwrap_or_default();
        Diagnostic::error(Code::MajorChange, message).help(format!(
            "declare an image with PostgreSQL {old}{such_as}; to change the major version, dump the database with the \
             old image and restore it into a new volume"
        ))
    } else {
        Diagnostic::warning(Code::MajorChange, format!("{message}; the installer makes a new volume"))
            .help("restore a dump into it: that works from an older major to a newer one only")
    };
    draft.find_declared(finding.at(location), desired.image_place());
}
