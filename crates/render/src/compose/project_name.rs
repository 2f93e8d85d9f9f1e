//! The name of a project, by which Compose knows its containers.

use crate::compose::stack::Stack;

/// The variable of the project's `.env` that names it.
const COMPOSE_PROJECT_NAME: &str = "COMPOSE_PROJECT_NAME";

/// Returns the name that Compose gives to a project: that of `.env`, of `name:`, or of the folder; `None` if that cannot be
/// known.
pub(crate) fn of(stack: &Stack) -> Option<String> {
    let first = stack.project().first()?;
    if let Some(named) = first.variables.get(COMPOSE_PROJECT_NAME) {
        return named.clone().filter(|name| !name.is_empty()).or_else(|| of_files(stack));
    }
    of_files(stack)
}

fn of_files(stack: &Stack) -> Option<String> {
    let first = stack.project().first()?;
    let named = stack.project().iter().rev().find_map(|layer| {
        let entry = stack.file(layer).find(layer.document, "name")?;
        stack.text(layer, entry.value)
    });
    match named {
        Some(text) => text.resolved.ok(),
        None => Some(normal(first.project.rsplit('/').next()?)).filter(|name| !name.is_empty()),
    }
}

/// Creates a name of that of a folder, as Compose does (`NormalizeProjectName`).
fn normal(folder: &str) -> String {
    let lower = folder.to_lowercase();
    let kept: String = lower
        .chars()
        .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'))
        .collect();
    kept.trim_start_matches(['-', '_']).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_folder_is_made_one_of_a_project() {
        assert_eq!(normal("docker"), "docker");
        assert_eq!(normal("_My Kasm.1-x"), "mykasm1-x");
    }
}
