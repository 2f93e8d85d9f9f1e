//! Whether a service is started: those with profiles are only if one of them is enabled.

use crate::compose::parts::Service;
use crate::compose::stack::Stack;

/// The variable of the project's `.env` that enables profiles.
const COMPOSE_PROFILES: &str = "COMPOSE_PROFILES";

/// Returns whether `docker compose up` starts a service. What a variable leaves open is taken for enabled.
pub(crate) fn starts(stack: &Stack, service: &Service) -> bool {
    let mut profiles = Vec::new();
    for (layer, entry) in service.list(stack, "profiles") {
        let items = stack.file(layer).tree.items(entry.value).iter();
        profiles.extend(items.filter_map(|&item| Some(stack.text(layer, item)?.resolved)));
    }
    let variables = stack.project().first().map(|layer| &layer.variables);
    let enabled = match variables.and_then(|variables| variables.get(COMPOSE_PROFILES)) {
        Some(None) => return true,
        Some(Some(enabled)) => enabled.split(',').map(str::trim).collect(),
        None => Vec::new(),
    };
    let is_enabled = |profile: &Result<String, String>| match profile {
        Ok(profile) => enabled.iter().any(|known| known == profile || *known == "*"),
        Err(_) => true,
    };
    profiles.is_empty() || profiles.iter().any(is_enabled)
}
