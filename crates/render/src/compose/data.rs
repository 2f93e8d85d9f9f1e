//! Where a service's server keeps its data.

use crate::compose::command::Command;
use crate::compose::parts::Service;
use crate::compose::stack::Stack;

/// The data directory of the official images up to PostgreSQL 17.
pub(crate) const USUAL: &str = "/var/lib/postgresql/data";

/// Gives the data directory in the container; `None` where a variable names it that no file sets.
///
/// The command line wins over `PGDATA` of the service's `environment`, and that over the image's own.
pub(crate) fn directory(stack: &Stack, service: &Service, command: &Command) -> Option<String> {
    if let Some(option) = command.options.iter().rev().find(|option| option.name == "data_directory") {
        return Some(option.value.clone());
    }
    let mut found = Some(USUAL.to_string());
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
