//! Compose files, made from their structure: services, the database among them, and the many ways in
//! which its image can be written.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// How the database's image is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Plain,
    Single,
    Double,
    Literal,
    Folded,
    Spaced,
    Tagged,
    Anchored,
    Alias,
    AliasOnly,
    Variable,
    Merged,
    MergedList,
    MergedFlow,
    Extends,
    ExtendsMapping,
    Extended,
    MergedInto,
    ServiceAlias,
    ServiceMerged,
    Flow,
    FlowLines,
    Empty,
    Missing,
}

const WAYS: &[Way] = &[
    Way::Plain,
    Way::Single,
    Way::Double,
    Way::Literal,
    Way::Folded,
    Way::Spaced,
    Way::Tagged,
    Way::Anchored,
    Way::Alias,
    Way::AliasOnly,
    Way::Variable,
    Way::Merged,
    Way::MergedList,
    Way::MergedFlow,
    Way::Extends,
    Way::ExtendsMapping,
    Way::Extended,
    Way::MergedInto,
    Way::ServiceAlias,
    Way::ServiceMerged,
    Way::Flow,
    Way::FlowLines,
    Way::Empty,
    Way::Missing,
];

/// A compose file and what it is about.
#[derive(Clone, Debug)]
pub(crate) struct Compose {
    pub(crate) text: String,
    /// The key of the database's service.
    pub(crate) service: &'static str,
}

/// What surrounds the image.
#[derive(Clone, Debug)]
struct Shape {
    way: Way,
    key: &'static str,
    image: &'static str,
    comment: &'static str,
    indent: usize,
    neighbours: Vec<&'static str>,
    place: Index,
    order: Vec<Index>,
    extras: Vec<&'static str>,
    services_last: bool,
}

/// Other keys of the database's service, each as its lines.
const EXTRAS: &[&str] = &[
    "restart: always",
    "environment:\n  POSTGRES_USER: kasmapp\n  POSTGRES_PASSWORD: \"p#w: x\"",
    "volumes:\n  - ./postgresql.conf:/var/lib/postgresql/conf/postgresql.conf\n  - data:/var/lib/postgresql/data",
    "command: postgres -c config_file=/var/lib/postgresql/conf/postgresql.conf",
    "command:\n- postgres\n- -c\n- config_file=/var/lib/postgresql/conf/postgresql.conf",
    "healthcheck: {test: [CMD, pg_isready], retries: 20}",
    "# image: kasmweb/postgres:0.0.0",
    "labels:\n  image: not this one # nor this",
    "configs: []",
];

/// Services beside the database.
const NEIGHBOURS: &[&str] = &[
    "app:\n  image: kasmweb/api:1.16.0\n  depends_on: [other]",
    "other: {image: \"redis:5-alpine\"}",
    "# a comment between services",
    "proxy:\n  image: |-\n    nginx:1\n  ports:\n  - \"443:443\"",
    "\u{e4}\u{1f40d}:\n  image: 'x:1'",
];

fn indented(text: &str, by: usize) -> String {
    let blank = " ".repeat(by);
    text.lines().map(|line| format!("{blank}{line}\n")).collect()
}

impl Shape {
    /// Returns the keys of the database's service that bring its image.
    fn image_lines(&self) -> String {
        let (image, comment) = (self.image, self.comment);
        let padded =
            |text: &str| if comment.is_empty() { text.to_string() } else { format!("{text} {comment}") };
        match self.way {
            Way::Single => padded(&format!("image: '{image}'")),
            Way::Double => padded(&format!("image: \"{image}\"")),
            Way::Literal => format!("image: |-\n  {image}"),
            Way::Folded => format!("image: >-\n  {image}"),
            Way::Spaced => padded(&format!("\"image\" :    {image}   ")),
            Way::Tagged => padded(&format!("image: !!str {image}")),
            Way::Anchored => padded(&format!("image: &img {image}")),
            Way::Alias | Way::AliasOnly => padded("image: *img"),
            Way::Variable => padded(&format!("image: ${{PG_IMAGE:-{image}}}")),
            Way::Merged | Way::MergedFlow => padded("<<: *base"),
            Way::MergedList => padded("<<: [*more, *base]"),
            Way::Extends => padded("extends: base"),
            Way::ExtendsMapping => "extends:\n  service: base".into(),
            Way::Empty => padded("image:"),
            Way::Missing => String::new(),
            _ => padded(&format!("image: {image}")),
        }
    }

    fn database(&self) -> String {
        let key = self.key;
        match self.way {
            Way::ServiceAlias => return format!("{key}: *whole\n"),
            Way::Flow => {
                return format!("{key}: {{container_name: kasm_db, image: {}}} # flow\n", self.image);
            }
            Way::FlowLines => {
                return format!(
                    "{key}: {{\n  \"container_name\": \"kasm_db\",\n  \"image\": \"{}\"\n}}\n",
                    self.image
                );
            }
            _ => {}
        }
        let mut parts = vec!["container_name: kasm_db".to_string(), self.image_lines()];
        let mut seen = vec!["image", "container_name"];
        for extra in &self.extras {
            let name = extra.split(':').next().unwrap_or_default();
            if extra.starts_with('#') || !seen.contains(&name) {
                seen.push(name);
                parts.push((*extra).to_string());
            }
        }
        let mut shuffled = Vec::new();
        for index in &self.order {
            if !parts.is_empty() {
                shuffled.push(parts.remove(index.index(parts.len())));
            }
        }
        shuffled.extend(parts);
        let body: String =
            shuffled.iter().filter(|part| !part.is_empty()).map(|part| indented(part, self.indent)).collect();
        let anchor = if matches!(self.way, Way::MergedInto | Way::ServiceMerged) { " &db" } else { "" };
        format!("{key}:{anchor}\n{body}")
    }

    /// Returns what the image needs above `services`.
    fn above(&self) -> String {
        let image = self.image;
        match self.way {
            Way::Alias => format!("x-image: &img {image}\nx-copy: *img\n"),
            Way::AliasOnly => format!("x-image: &img '{image}'\n"),
            Way::Merged => format!("x-base: &base\n  image: {image} # inherited\n  restart: always\n"),
            Way::MergedFlow => format!("x-base: &base {{image: {image}}}\n"),
            Way::MergedList => {
                format!("x-more: &more {{user: \"0\"}}\nx-base: &base\n  image: {image}\n  user: \"1\"\n")
            }
            Way::ServiceAlias => format!("x-whole: &whole\n  container_name: kasm_db\n  image: {image}\n"),
            _ => String::new(),
        }
    }

    fn render(&self) -> String {
        let mut services: Vec<String> = self.neighbours.iter().map(|text| format!("{text}\n")).collect();
        let mut seen = Vec::new();
        services.retain(|text| {
            let fresh = !seen.contains(text);
            seen.push(text.clone());
            fresh
        });
        let at = self.place.index(services.len() + 1);
        services.insert(at, self.database());
        let last = match self.way {
            Way::Anchored => "copy:\n  image: *img # the same\n".to_string(),
            Way::Extends | Way::ExtendsMapping => format!("base:\n  image: {}\n", self.image),
            Way::Extended => format!("copy:\n  extends: {{service: {}}}\n  container_name: copy\n", self.key),
            Way::MergedInto => "copy:\n  <<: *db\n  container_name: copy\n".to_string(),
            Way::ServiceMerged => "copy: {<<: *db, container_name: copy}\n".to_string(),
            _ => String::new(),
        };
        services.push(last);
        let services: String = services.iter().map(|text| indented(text, self.indent)).collect();
        // What stands last in a file may lack its line end.
        match self.services_last {
            true => format!("{}volumes:\n  data:\nservices:\n{services}", self.above()),
            false => format!("{}services:\n{services}volumes:\n  data:\n", self.above()),
        }
    }
}

fn shape(images: &'static [&'static str]) -> impl Strategy<Value = Shape> {
    let comment = select(&["", "", "# note", "# image: \u{e4}"][..]);
    let surroundings = (vec(select(NEIGHBOURS), 0..4), any::<Index>(), vec(any::<Index>(), 8));
    let extras = (vec(select(EXTRAS), 0..5), any::<bool>());
    (
        select(WAYS),
        select(&["db", "kasm_db", "pg"][..]),
        select(images),
        comment,
        select(&[2usize, 4, 3][..]),
        surroundings,
        extras,
    )
        .prop_map(
            |(way, key, image, comment, indent, (neighbours, place, order), (extras, services_last))| Shape {
                way,
                key,
                image,
                comment,
                indent,
                neighbours,
                place,
                order,
                extras,
                services_last,
            },
        )
}

/// Returns a compose file with a database, in any of its ways.
pub(crate) fn compose(images: &'static [&'static str]) -> impl Strategy<Value = Compose> {
    let file =
        (any::<(bool, bool)>(), select(&["", "", "\u{feff}", "---\n", "# top\n\n", "version: '3'\n"][..]));
    (shape(images), file, select(&["", "", "\n\n", "# end\n", "...\n"][..])).prop_map(
        |(shape, ((crlf, open), top), tail)| {
            let mut text = format!("{top}{}{tail}", shape.render());
            if open {
                text.truncate(text.trim_end_matches('\n').len());
            }
            if crlf {
                text = text.replace('\n', "\r\n");
            }
            Compose { text, service: shape.key }
        },
    )
}
