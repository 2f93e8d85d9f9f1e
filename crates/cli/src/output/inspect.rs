//! Words for what an image holds.

use std::fmt::Write as _;

use model::contents::Server;
use ops::inspect::{Inspected, Place};
use ops::saved::format::SavedImage;

use super::{count, escape, style};

/// The width of what stands in front of a value.
const LABEL: usize = 13;

/// Lines are no longer than this, also on a wider terminal.
const WIDTH: usize = 100;

/// Describes an image for people.
pub(crate) fn text(inspected: &Inspected, terminal: Option<usize>) -> String {
    let bold = style::BOLD;
    let contents = &inspected.contents;
    let width = terminal.map_or(WIDTH, |width| width.min(WIDTH));
    let place = match &inspected.place {
        Place::Engine => "on the engine",
        Place::Archive(_) => "in an archive",
    };
    let mut out = format!("{bold}{}{bold:#} ({place})\n", escape(&inspected.subject));
    row(&mut out, "id", &contents.id);
    row(&mut out, "platform", &contents.platform);
    row(&mut out, "user", if contents.user.is_empty() { "root" } else { &contents.user });
    row(&mut out, "entrypoint", &words(&contents.entrypoint));
    row(&mut out, "command", &words(&contents.command));
    for (index, (key, value)) in contents.labels.iter().enumerate() {
        row(&mut out, if index == 0 { "labels" } else { "" }, &format!("{key}={value}"));
    }
    match &contents.server {
        Some(server) => describe(&mut out, server, width),
        None => row(&mut out, "PostgreSQL", "none: the image has no program `postgres`"),
    }
    out
}

/// Describes what came of looking into the images of a plan, a line for each; nothing if nobody did.
pub(crate) fn looked(all: &[SavedImage]) -> String {
    all.iter().map(|one| format!("{}\n", escape(&line(one)))).collect()
}

/// Describes what came of looking into an image, not escaped.
pub(crate) fn line(image: &SavedImage) -> String {
    let name = image.reference.as_deref().unwrap_or("the present image");
    let Some(id) = &image.id else {
        let why = image.why.as_deref().unwrap_or("it is not there");
        return format!("not inspected: {name}: {why}; what its name tells is used");
    };
    let place = image.archive.as_ref().map_or("on the engine".into(), |archive| format!("in {archive}"));
    let libraries = image.libraries.as_ref().map_or(0, Vec::len);
    let holds = match &image.postgres {
        Some(version) => format!("PostgreSQL {version}, {}", count(libraries, "library", "libraries")),
        None => "no PostgreSQL".into(),
    };
    format!("inspected {place}: {name}: {holds} ({id})")
}

fn describe(out: &mut String, server: &Server, width: usize) {
    row(out, "PostgreSQL", &server.version);
    row(out, "program", &server.program);
    match &server.library_folder {
        Some(folder) => {
            row(out, "libraries", &format!("{} in {folder}", server.libraries.len()));
            list(out, &server.libraries, width);
        }
        None => row(out, "libraries", "unknown: the folder with plpgsql.so was not found"),
    }
    row(out, "extensions", &server.extensions.len().to_string());
    let extensions = server.extensions.iter().map(|(name, extension)| match &extension.version {
        Some(version) => format!("{name} {version}"),
        None => name.clone(),
    });
    list(out, &extensions.collect::<Vec<_>>(), width);
    row(out, "settings", &format!("{} of these libraries", server.settings.len()));
    list(out, &server.settings, width);
}

fn row(out: &mut String, label: &str, value: &str) {
    let _ = writeln!(out, "  {label:<LABEL$}{}", escape(value));
}

/// Writes words with commas between them, in lines that fit.
fn list(out: &mut String, all: &[String], width: usize) {
    let indent = " ".repeat(LABEL + 2);
    let mut line = indent.clone();
    for (index, one) in all.iter().enumerate() {
        let comma = if index + 1 < all.len() { "," } else { "" };
        let word = format!("{}{comma}", escape(one));
        if line.len() > indent.len() && line.chars().count() + word.chars().count() + 1 > width {
            let _ = writeln!(out, "{}", line.trim_end());
            line.clone_from(&indent);
        }
        let _ = write!(line, "{word} ");
    }
    if !all.is_empty() {
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

fn words(all: &[String]) -> String {
    if all.is_empty() {
        return "none".into();
    }
    all.iter().map(|one| ops::quoted(one)).collect::<Vec<_>>().join(" ")
}
