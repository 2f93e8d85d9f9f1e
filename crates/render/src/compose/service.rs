//! Which service is the database.

use std::collections::BTreeMap;

use model::{Code, Diagnostic, Location};

use crate::compose::stack::Stack;
use crate::target::TargetKind;

/// The container name that Kasm gives to its database.
const CONTAINER_NAME: &str = "kasm_db";

/// How the database's service was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServiceFound {
    /// The document or a `container_name: kasm_db` names it.
    Named,
    /// Only its key, `kasm_db` or `db`, speaks for it.
    ByKey,
}

/// Finds the database's service in a stack; `None` where it has none.
///
/// The service that the document names; else the one with `container_name: kasm_db`; else the key
/// `kasm_db`, else `db`.
///
/// # Errors
/// More than one service has the container name.
pub(crate) fn find(stack: &Stack, kind: &TargetKind) -> Result<Option<(String, ServiceFound)>, Diagnostic> {
    if let Some(wanted) = kind.service() {
        return Ok(location(stack, wanted).map(|_| (wanted.to_string(), ServiceFound::Named)));
    }
    // A later layer's container_name replaces an earlier one's.
    let mut container_names: BTreeMap<&str, String> = BTreeMap::new();
    for (layer, name, service) in stack.services() {
        let found = stack.file(layer).find(service.value, "container_name");
        if let Some(text) = found.and_then(|entry| stack.text(layer, entry.value)) {
            container_names.insert(name, text.resolved.unwrap_or_default());
        }
    }
    container_names.retain(|_, container_name| container_name == CONTAINER_NAME);
    let candidates: Vec<_> = container_names.into_keys().collect();
    match candidates[..] {
        [] => {}
        [only] => return Ok(Some((only.to_string(), ServiceFound::Named))),
        [first, ..] => {
            let listed: Vec<_> = candidates.iter().take(10).map(|name| describe(stack, name)).collect();
            let message = format!("{} services may be the database: {}", candidates.len(), listed.join(", "));
            let mut diagnostic =
                Diagnostic::error(Code::AmbiguousService, message).help(kind.service_advice());
            diagnostic.location = location(stack, first);
            return Err(diagnostic);
        }
    }
    let by_key = [CONTAINER_NAME, "db"].into_iter().find(|key| location(stack, key).is_some());
    Ok(by_key.map(|key| (key.to_string(), ServiceFound::ByKey)))
}

fn describe(stack: &Stack, name: &str) -> String {
    location(stack, name).map_or_else(|| name.to_string(), |p| format!("`{name}` ({}:{})", p.path, p.line))
}

/// Returns the place of a service's key, in the last layer that has it.
pub(crate) fn location(stack: &Stack, name: &str) -> Option<Location> {
    let (layer, service) =
        stack.project().iter().rev().find_map(|layer| Some((layer, stack.service(layer, name)?)))?;
    let file = stack.file(layer);
    Some(file.location(file.tree.written(service.key).span.clone()))
}
