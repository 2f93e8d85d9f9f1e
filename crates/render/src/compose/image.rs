//! The image of the database's service: where it takes effect.

use model::yaml::{NodeId, Style};
use model::{Code, Diagnostic, Image, Location};

use crate::compose::file::{ComposeFile, Pair};
use crate::compose::parts::{Service, image_of, resets_image};
use crate::compose::stack::{Stack, Text};
use crate::target::TargetKind;

/// Where a service's image comes from.
#[derive(Debug)]
pub(crate) struct ImageSite {
    /// The layer whose service must change.
    pub(crate) layer: usize,
    /// The service in that layer.
    pub(crate) service: Pair,
    /// How the image gets there.
    pub(crate) origin: Origin,
    /// Where `build` stands, if the service has it beside its image.
    pub(crate) build: Option<Location>,
}

/// How a service gets its image.
#[derive(Debug)]
pub(crate) enum Origin {
    /// Its own `image` key, in its own mapping.
    Own(Pair, Option<Text>),
    /// A merge key, an alias or `extends`: its text, as far as it can be read.
    Inherited(Option<Text>),
    /// No layer says.
    Nowhere,
}

impl ImageSite {
    /// Returns the image as it is now, as far as files tell.
    pub(crate) fn image(&self) -> Option<Image> {
        Image::parse(self.text()?.resolved.as_deref().ok()?.trim()).ok()
    }

    /// Returns the image's text as it is now.
    pub(crate) fn text(&self) -> Option<&Text> {
        match &self.origin {
            Origin::Own(_, text) | Origin::Inherited(text) => text.as_ref(),
            Origin::Nowhere => None,
        }
    }
}

pub(super) fn shape(message: &str) -> Diagnostic {
    Diagnostic::error(Code::ImageShape, message)
}

/// Finds where the image of a service takes effect: the last part that has one.
///
/// # Errors
/// The image cannot be changed by changing `image`; says what to do.
pub(crate) fn find(stack: &Stack, service: &Service, kind: &TargetKind) -> Result<ImageSite, Diagnostic> {
    let Some(lowest) = service.parts.first() else {
        return Err(shape(&format!("`{}` is removed by `!reset`", service.name)));
    };
    if let Some((layer, entry)) = service.get(stack, "provider") {
        let message = format!("`{}` comes from a provider, and Compose runs no image for it", service.name);
        return Err(shape(&message).at(at(stack.file(layer), entry.key)).help(kind.service_advice()));
    }
    let build = service.get(stack, "build").map(|(layer, entry)| at(stack.file(layer), entry.key));
    let mut found = None;
    for part in service.parts.iter().rev() {
        let file = stack.file(&stack.layers[part.layer]);
        let Some(image) = image_of(file, part.service.value) else {
            if part.heir.is_none() && resets_image(file, part.service.value) {
                let place = at(file, part.service.key);
                return Err(shape("the image is removed here by `!reset`").at(place));
            }
            continue;
        };
        let is_own = part.heir.is_none() && image.owner == part.service.value;
        // Compose passes over null where another layer has an image.
        let is_null = file.tree.is_null(image.value);
        if !is_null || is_own {
            found = Some((part, image, is_own, is_null));
        }
        if !is_null {
            break;
        }
    }
    let site = match found {
        Some((part, image, is_own, is_null)) => {
            let (layer, entry) = part.top();
            let text = stack.text(&stack.layers[part.layer], image.value).filter(|_| !is_null);
            let origin = if is_own { Origin::Own(image, text) } else { Origin::Inherited(text) };
            ImageSite { layer, service: entry, origin, build: build.clone() }
        }
        None => {
            let (layer, entry) = lowest.top();
            ImageSite { layer, service: entry, origin: Origin::Nowhere, build: build.clone() }
        }
    };
    match (build, site.text()) {
        (Some(build), None) => Err(Diagnostic::error(
            Code::BuiltImage,
            format!("`{}` is built from source and has no `image`", service.name),
        )
        .at(build)
        .help("replace `build:` by `image:` by hand, or change the FROM line of its Dockerfile")),
        _ => once(stack, service, &site).map(|()| site),
    }
}

fn at(file: &ComposeFile, id: NodeId) -> Location {
    file.location(file.tree.written(id).span.clone())
}

/// Refuses two `image` keys, and tags that make something else of a text.
fn once(stack: &Stack, service: &Service, site: &ImageSite) -> Result<(), Diagnostic> {
    let Origin::Own(image, _) = &site.origin else { return Ok(()) };
    let file = stack.file(&stack.layers[site.layer]);
    let keys: Vec<_> = file.tree.all(image.owner, "image").collect();
    if let [(first, _), .., (last, _)] = keys[..] {
        let message = format!("`{}` has two `image` keys", service.name);
        return Err(Diagnostic::error(Code::DuplicateImage, message)
            .at(at(file, last))
            .related(at(file, first), "the other one")
            .help("remove one of the two lines"));
    }
    let core = |tag: &str| tag.starts_with("!!") || tag.starts_with("!<");
    match file.tree.written(image.value).tag.as_deref() {
        Some((tag, _)) if core(tag) && !matches!(tag.as_str(), "!!str" | "!<tag:yaml.org,2002:str>") => {
            Err(shape(&format!("the tag `{tag}` changes the meaning of the image's text"))
                .at(at(file, image.value))
                .help("remove the tag"))
        }
        _ => Ok(()),
    }
}

/// Returns whether a scalar keeps line ends behind its text, which no image has.
pub(super) fn keeps_line_ends(file: &ComposeFile, image: NodeId) -> Option<bool> {
    let node = file.tree.written(image);
    match &node.kind {
        model::yaml::Kind::Scalar(text, Style::Literal | Style::Folded) => {
            if text.starts_with(char::is_whitespace) { None } else { Some(text.ends_with('\n')) }
        }
        _ => Some(false),
    }
}
