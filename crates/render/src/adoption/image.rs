//! The image of a document that leaves every compose file as it is.

use model::{Code, Diagnostic, Image, Release};
use serde_json::{Value, json};

use crate::adoption::contents::{Contents, Key};
use crate::compose::{Database, ServiceFound, Text};
use crate::observe::{ObservedDatabase, ObservedState};
use crate::reconcile::{current_image, is_another_database};
use crate::redact;
use crate::target::TargetKind;

/// Refuses a service that only its key makes the database, and whose image is another one's.
pub(super) fn stranger(observed: &ObservedState) -> Option<Diagnostic> {
    observed.databases.iter().map(|observed| &observed.database).find_map(|database| {
        let image = current_image(database).filter(is_another_database)?;
        if database.found != ServiceFound::ByKey {
            return None;
        }
        let message =
            format!("the service `{}` runs {image}, which does not look like PostgreSQL", database.service);
        let location = database.site.as_ref().ok().map(|site| database.image_location(site))?;
        Some(Diagnostic::error(Code::NotPostgres, message).at(location).help(match observed.target.kind {
            TargetKind::Files { .. } => {
                "name the database's service with `--service NAME` beside `--compose FILE`"
            }
            TargetKind::Deployment | TargetKind::Installer => observed.target.kind.service_advice(),
        }))
    })
}

/// Returns whether the image of every database includes pgaudit.
pub(super) fn has_pgaudit(observed: &ObservedState) -> bool {
    let mut images = observed.databases.iter().map(|observed| current_image(&observed.database));
    !observed.databases.is_empty()
        && images
            .all(|image| image.is_some_and(|image| Release::of(&image).has_library("pgaudit") == Some(true)))
}

pub(super) fn adopt(observed: &ObservedState, contents: &mut Contents) {
    let Some(first) = observed.databases.first() else { return };
    let mut images: Vec<(Image, &ObservedDatabase)> = Vec::new();
    for observed in &observed.databases {
        match image(&observed.database) {
            Ok(image) => images.push((image, observed)),
            Err(why) => {
                let why = format!("{}: {why}. So this document says nothing of the image.", file(observed));
                return contents.leave_out(Key::Image, None, why);
            }
        }
    }
    let Some((image, _)) = images.first().cloned() else { return };
    let is_hidden =
        |(image, observed): &&(Image, &ObservedDatabase)| !may_be_written(image, &observed.database);
    if let Some((_, hidden)) = images.iter().find(is_hidden) {
        let why = format!(
            "The image is written `{}` in {}, and what a variable becomes may be a secret.\n\
             So this document says nothing of the image. Write it by hand, unless it is a secret.",
            written(&hidden.database).unwrap_or(redact::HIDDEN),
            file(hidden)
        );
        return contents.leave_out(Key::Image, None, why);
    }
    let majors: Vec<_> = images.iter().map(|(image, _)| Release::of(image).postgres_major()).collect();
    let major = majors[0].filter(|_| majors.iter().all(|major| *major == majors[0]));
    if images.iter().all(|(other, _)| *other == image) {
        let others = match images.len() - 1 {
            0 => String::new(),
            1 => " and one more file".into(),
            more => format!(" and {more} more files"),
        };
        let how = written(&first.database).map_or_else(String::new, |raw| format!(", written `{raw}`"));
        let note = format!("`services.{}` of {}{others}{how}.", first.database.service, file(first));
        contents.push(Key::Image, image.as_str(), Some(note));
        if major.is_none() {
            contents.leave_out(
                Key::PostgresMajor,
                Some(json!(14)),
                "The image's name does not tell its PostgreSQL major; with it, settings can be checked.",
            );
        }
        return;
    }
    // A preload list or a setting of some majors may still need it.
    if let Some(major) = major {
        contents.push(Key::PostgresMajor, major, Some("All of these images hold this major.".into()));
    }
    let mut why =
        String::from("The files do not agree on the image, and a plan would make all of them the same:");
    for (image, observed) in &images {
        why.push_str(&format!("\n  {image} in {}", file(observed)));
    }
    contents.leave_out(Key::Image, Some(Value::from(image.as_str())), why);
}

/// Returns the image as a document writes it, or says why it cannot be written.
fn image(database: &Database) -> Result<Image, String> {
    let site = database.site.as_ref().map_err(|problem| problem.message.clone())?;
    let text = site.text().ok_or("the service has no image")?;
    let resolved = match &text.resolved {
        Ok(resolved) => resolved,
        Err(name) => return Err(format!("the image has the variable `{name}`, which no .env file sets")),
    };
    if resolved.trim().len() != resolved.len() {
        return Err("the image has spaces or line ends around it, which a plan would remove".into());
    }
    let image = Image::parse(resolved).map_err(|_| "the image is not a valid reference".to_string())?;
    match (image.tag(), image.digest()) {
        (Some(_), _) => Ok(image),
        (None, Some(_)) => Err("the image has a digest and no tag, which a document must have".into()),
        // What Docker takes in its place.
        (None, None) => Image::parse(&format!("{resolved}:latest")).map_err(|error| error.to_string()),
    }
}

/// Returns whether a document may say what the image is: what a variable becomes may be a secret, unless it makes one of the
/// images that everybody can get.
fn may_be_written(image: &Image, database: &Database) -> bool {
    let text = database.site.as_ref().ok().and_then(|site| site.text());
    !text.is_some_and(Text::has_variables) || Release::is_published(image)
}

/// Returns the image as it is written, where that is not what the document says.
fn written(database: &Database) -> Option<&str> {
    let text = database.site.as_ref().ok()?.text()?;
    let raw = text.raw.trim();
    (text.has_variables() && !redact::has_user(raw)).then_some(raw)
}

fn file(observed: &ObservedDatabase) -> String {
    let database = &observed.database;
    match &database.site {
        Ok(site) => database.file(site).path.clone(),
        Err(_) => observed.project.files.first().cloned().unwrap_or_default(),
    }
}
