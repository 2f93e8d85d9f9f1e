//! Where a service's server keeps its data.

use model::Series;

use crate::compose::command::Command;
use crate::compose::parts::Service;
use crate::compose::stack::Stack;
use crate::compose::variables::read_env;
use crate::source::{Found, Source, folder, join};

/// The first major whose official images keep the data in a folder of its own.
const FIRST_OWN: u16 = 18;

/// Returns the data directory of the official images of a major.
pub(crate) fn usual(series: Option<Series>) -> String {
    match series.map(Series::major).filter(|major| *major >= FIRST_OWN) {
        Some(major) => format!("/var/lib/postgresql/{major}/docker"),
        None => "/var/lib/postgresql/data".to_string(),
    }
}

/// Returns the data directory in the container; `None` where a variable names it that no file sets.
///
/// The command line wins over `PGDATA` of the service's `environment`, that over `env_file`, and that over the image's own.
pub(crate) fn directory(
    stack: &Stack,
    service: &Service,
    command: &Command,
    series: Option<Series>,
    source: &dyn Source,
) -> Option<String> {
    if let Some(option) = command.options.iter().rev().find(|option| option.name == "data_directory") {
        return Some(option.value.clone());
    }
    let mut found = Some(usual(series));
    for path in env_files(stack, service) {
        // One that is not there is not asked for: its name would be among what the plan was made from.
        let name = path.rsplit_once('/').map_or(&*path, |(_, name)| name);
        if matches!(source.list(folder(&path)), Found::Yes(names) if names.iter().any(|other| other == name))
            && let Found::Yes(bytes) = source.read(&path)
            && let Some(value) = read_env(&bytes).remove("PGDATA")
        {
            found = value;
        }
    }
    for (layer, environment) in service.list(stack, "environment") {
        let file = stack.file(layer);
        let resolved = |id| stack.text(layer, id).and_then(|text| text.resolved.ok());
        if let Some(entry) = file.find(environment.value, "PGDATA") {
            found = resolved(entry.value);
        }
        for &item in file.tree.items(environment.value) {
            let names_it = file.tree.scalar(item).is_some_and(|text| text.starts_with("PGDATA="));
            if names_it {
                found = resolved(item).and_then(|text| Some(text.strip_prefix("PGDATA=")?.to_string()));
            }
        }
    }
    found
}

/// Lists the files that `env_file` names, a later one wins.
fn env_files(stack: &Stack, service: &Service) -> Vec<String> {
    let mut paths = Vec::new();
    for (layer, entry) in service.list(stack, "env_file") {
        let file = stack.file(layer);
        let items = file.tree.items(entry.value);
        let items = if items.is_empty() { vec![entry.value] } else { items.to_vec() };
        for item in items {
            let path = file.find(item, "path").map_or(item, |path| path.value);
            if let Some(Ok(path)) = stack.text(layer, path).map(|text| text.resolved) {
                paths.push(join(&layer.project, &path));
            }
        }
    }
    paths
}
