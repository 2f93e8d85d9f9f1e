//! What the document of a saved plan asks for, as far as the plan file says.

use render::{Managed, ManagedKind};

use super::format::{ChangeType, DocumentPlan, SavedChange, SavedTarget};

/// Lists everything that the document in a plan file asks for. Of what the plan saw, the file has the values that change.
/// `None` if the document in it is not valid: then it was changed after it was saved.
pub fn managed(saved: &DocumentPlan, target: &SavedTarget) -> Option<Vec<Managed>> {
    let desired = model::read("resolved", saved.resolved.as_bytes()).desired?;
    let mut all = Vec::new();
    for declared in render::managed(&desired, None) {
        let changes = || target.changes.iter().filter(|change| is_of(change, &declared));
        all.extend(changes().map(|change| changed(&declared, change)));
        if changes().next().is_none() {
            all.push(declared);
        }
    }
    Some(all)
}

/// Returns whether a change is one of this thing. Each file has an image of its own, which the document does not name.
fn is_of(change: &SavedChange, declared: &Managed) -> bool {
    let is_same = change.subject == declared.subject;
    match change.r#type {
        ChangeType::Image => declared.kind == ManagedKind::Image,
        ChangeType::Preload => declared.kind == ManagedKind::Preload,
        ChangeType::Setting => declared.kind == ManagedKind::Setting && is_same,
        ChangeType::Unset => declared.kind == ManagedKind::Unset && is_same,
    }
}

fn changed(declared: &Managed, change: &SavedChange) -> Managed {
    Managed {
        subject: change.subject.clone(),
        path: Some(change.path.clone()),
        found: change.before.clone(),
        in_sync: Some(false),
        ..declared.clone()
    }
}
