//! `kasm-db build`

use std::path::{Path, PathBuf};

use model::{DesiredState, Image};
use ops::build::{Builder, Caller, Context, Wanted, context};
use ops::output::OutputFolder;
use ops::{Document, Documents, Error, Outcome};

use super::{Setting, only_document};
use crate::args::Build;
use crate::output::build::check;
use crate::output::emitter::BuildRow;
use crate::output::{count, escape};

/// The name of the folder beside a document.
const USUAL: &str = "build";

/// Writes a build context, or compares one with what is there, and builds the image.
pub(crate) fn run(args: &Build, setting: &Setting) -> Result<Outcome, Error> {
    let builder = args.builder.as_deref().and_then(Builder::find);
    if let Some(file) = &args.load {
        let used = ops::build::load(builder, file, &caller(setting), &mut |line| said(setting, line))?;
        let name = escape(&file.display().to_string());
        setting.say(&format!("{} has the images of {name}.\n", used.name()))?;
        return Ok(Outcome::Done);
    }
    let documents = Documents::load(&setting.selection())?;
    if !setting.show_documents(&documents) {
        return Ok(Outcome::Invalid);
    }
    let document = only_document(&documents, "build several documents at once")?;
    let Some(desired) = document.desired() else { return Ok(Outcome::Invalid) };
    one(document, desired, args, builder, setting)
        .map_err(|error| Error { document: Some(document.name.as_str().into()), ..error })
}

/// Works on one document.
fn one(
    document: &Document,
    desired: &DesiredState,
    args: &Build,
    builder: Option<Builder>,
    setting: &Setting,
) -> Result<Outcome, Error> {
    let place = match &args.out {
        Some(folder) => OutputFolder::named(folder)?,
        None => OutputFolder::beside(document, USUAL)?,
    };
    let mut found = context(&place, document, desired)?;
    let shown = escape(&place.path().display().to_string());
    if args.check {
        check(&shown, &found, setting.detail(), &mut |text| setting.say(text))?;
        row(document, desired, &place, &found, None, None, setting)?;
        let is_same = found.differences().is_empty();
        return Ok(if is_same { Outcome::Done } else { Outcome::Differences });
    }
    let documents;
    let (mut document, mut desired) = (document, desired);
    if let (true, Some(base)) = (args.write, found.other_base().map(String::from)) {
        if let Some(text) = ops::build::with_base(document, desired, &base)? {
            replace(document, &text)?;
            setting.say(&format!("{}: `build.base` is {} now.\n", escape(&document.name), escape(&base)))?;
        }
        documents = Documents::load(&setting.selection())?;
        let again = documents.documents().find(|again| again.name == document.name);
        (document, desired) = again
            .and_then(|again| Some((again, again.desired()?)))
            .ok_or_else(|| Error::failed(format!("{}: it changed meanwhile", document.name)))?;
        found = context(&place, document, desired)?;
    }
    let image = image_of(document, desired, args)?;
    let brought = found.write()?;
    setting.progress.written();
    let files = count(found.files(), "file", "files");
    setting.say(&format!("{shown}: {files}, {} written, {} removed.\n", brought.written, brought.removed))?;
    let mut used = None;
    if let Some(image) = image {
        if args.run {
            used = Some(build(document, desired, image, place.path(), args, builder, setting)?);
        }
        if let Some(file) = &args.save {
            let used = ops::build::save(builder, image, file, &caller(setting), &mut |line| {
                said(setting, line);
            })?;
            let file = escape(&file.display().to_string());
            setting.say(&format!("{file}: {} wrote {}.\n", used.name(), escape(image.as_str())))?;
        }
    }
    row(document, desired, &place, &found, Some((brought.written, brought.removed)), used, setting)?;
    Ok(Outcome::Done)
}

/// Returns the image that is built or saved, if that is wanted.
fn image_of<'a>(
    document: &Document,
    desired: &'a DesiredState,
    args: &Build,
) -> Result<Option<&'a Image>, Error> {
    if !args.run && args.save.is_none() {
        return Ok(None);
    }
    desired.image().map(Some).ok_or_else(|| {
        Error::failed(format!("{} does not name the image that is built", document.name))
            .help("add `image:` with the name of the result")
    })
}

/// Runs a builder.
fn build(
    document: &Document,
    desired: &DesiredState,
    image: &Image,
    folder: &Path,
    args: &Build,
    builder: Option<Builder>,
    setting: &Setting,
) -> Result<Builder, Error> {
    let Some(declared) = desired.build() else {
        return Err(Error::failed(format!("{} does not say what the image is built from", document.name)));
    };
    let platform = match (&args.platform, declared.platforms.as_slice()) {
        (Some(platform), _) => Some(platform.as_str()),
        (None, []) => None,
        (None, [platform]) => Some(platform.as_str()),
        (None, several) => {
            let message = format!("one platform is built at a time: {}", several.join(", "));
            return Err(Error::usage(message).help("name one with `--platform NAME`"));
        }
    };
    let path = PathBuf::from(&document.name);
    let network = args.network.as_deref();
    let (base, timestamp, no_cache) = (&declared.base, args.timestamp, args.no_cache);
    let wanted = Wanted { image, base, folder, document: &path, platform, network, timestamp, no_cache };
    let built = ops::build::run(builder, &wanted, &caller(setting), &mut |line| said(setting, line))?;
    let name = built.builder.name();
    setting.say(&format!("{}: {name} built it, and it proved itself.\n", escape(image.as_str())))?;
    if built.lost_health_check {
        let base = escape(base.as_str());
        let message = format!("{base} has a health check, and {} has none", escape(image.as_str()));
        setting.warning(
            &message,
            Some("build without `--timestamp` to keep it: the form of OCI has no place for it"),
        );
    }
    Ok(built.builder)
}

/// Returns who runs a builder.
fn caller(setting: &Setting) -> Caller<'_> {
    Caller { environment: &setting.environment, progress: &setting.progress }
}

/// Shows a line that a builder said.
fn said(setting: &Setting, line: &str) {
    if !setting.terminal.quiet {
        setting.terminal.note(&format!("{}\n", escape(line)));
    }
}

/// Replaces the document.
fn replace(document: &Document, text: &[u8]) -> Result<(), Error> {
    if document.name == "-" {
        return Err(Error::usage("standard input cannot be changed").help("name a file"));
    }
    let name = Path::new(&document.name).file_name().unwrap_or_default();
    let path = document.folder.join(name);
    super::validate::write(&path, text)
}

/// Reports what a document came to.
fn row(
    document: &Document,
    desired: &DesiredState,
    place: &OutputFolder,
    found: &Context,
    brought: Option<(usize, usize)>,
    builder: Option<Builder>,
    setting: &Setting,
) -> Result<(), Error> {
    let folder = place.path().display().to_string();
    let row = BuildRow {
        document: &document.name,
        image: desired.image().map(Image::as_str),
        base: desired.build().map(|build| build.base.as_str()).unwrap_or_default(),
        folder: &folder,
        files: found.files(),
        brought,
        differences: found.differences(),
        other_base: found.other_base(),
        builder: builder.map(Builder::name),
    };
    setting.results.each(|emitter| emitter.built(&row))
}
