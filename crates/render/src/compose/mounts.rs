//! Which files of the host a service's container sees, and where.

use model::yaml::{Kind, NodeId};

use crate::compose::file::ComposeFile;
use crate::compose::parts::Service;
use crate::compose::stack::{Layer, Stack};
use crate::source::join;

/// A path of the container that is one of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Absolute, in the container.
    pub(crate) target: String,
    /// Absolute on the host, or relative to the files' root; `None` for a volume that Docker keeps.
    pub(crate) source: Option<String>,
}

/// The mounts of a service, those of later layers last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mounts(Vec<Mount>);

impl Mounts {
    /// Reads `volumes` and `configs` of a service in all layers.
    ///
    /// Entries with a variable that no file sets are left out.
    pub(crate) fn read(stack: &Stack, service: &Service) -> Self {
        let mut mounts = Vec::new();
        for (layer, volumes) in service.list(stack, "volumes") {
            let items = stack.file(layer).tree.items(volumes.value);
            mounts.extend(items.iter().filter_map(|&item| volume(stack, layer, item)));
        }
        for (layer, configs) in service.list(stack, "configs") {
            let items = stack.file(layer).tree.items(configs.value);
            mounts.extend(items.iter().filter_map(|&item| config(stack, layer, item)));
        }
        Self(mounts)
    }

    /// Gives the host's path for a path of the container.
    ///
    /// `Some(None)`: the path lies in a volume that Docker keeps. `None`: it lies in the image.
    pub(crate) fn host(&self, container: &str) -> Option<Option<String>> {
        let container = join("/", container);
        // The deepest mount wins, and of equal ones the last.
        let depth = |mount: &&Mount| mount.target.trim_end_matches('/').len();
        let over = self.0.iter().filter(|mount| is_below(&container, &mount.target)).max_by_key(depth)?;
        Some(over.source.as_ref().map(|source| {
            let rest = container[over.target.trim_end_matches('/').len()..].trim_start_matches('/');
            if rest.is_empty() { source.clone() } else { join(source, rest) }
        }))
    }

    /// Gives the container's path of the first mount whose path on the host passes `test`.
    pub(crate) fn containing(&self, test: impl Fn(&str) -> bool) -> Option<String> {
        let found = self.0.iter().find(|mount| mount.source.as_deref().is_some_and(&test))?;
        Some(found.target.clone())
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    let folder = folder.trim_end_matches('/');
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn resolved(stack: &Stack, layer: &Layer, id: NodeId) -> Option<String> {
    stack.text(layer, id)?.resolved.ok()
}

fn key(stack: &Stack, layer: &Layer, file: &ComposeFile, item: NodeId, name: &str) -> Option<String> {
    resolved(stack, layer, file.find(item, name)?.value)
}

fn volume(stack: &Stack, layer: &Layer, item: NodeId) -> Option<Mount> {
    let file = stack.file(layer);
    if let Kind::Mapping(..) = &file.tree.node(item).kind {
        let target = key(stack, layer, file, item, "target")?;
        let bind = key(stack, layer, file, item, "type").as_deref() == Some("bind");
        let source = key(stack, layer, file, item, "source").filter(|_| bind);
        return Some(mount(layer, &target, source.as_deref()));
    }
    let text = resolved(stack, layer, item)?;
    let mut parts = text.split(':');
    match (parts.next(), parts.next()) {
        // Compose takes one letter for a drive of Windows: nothing of this host.
        (Some(drive), Some(_)) if drive.len() == 1 && drive.as_bytes()[0].is_ascii_alphabetic() => None,
        (Some(target), None) => Some(mount(layer, target, None)),
        (Some(source), Some(target)) => {
            // A bare word is the name of a volume.
            let is_path = source.starts_with(['/', '.', '~']);
            Some(mount(layer, target, is_path.then_some(source)))
        }
        _ => None,
    }
}

/// Reads an entry of `configs`: a name, or `source` and `target`; its file stands at the top.
fn config(stack: &Stack, layer: &Layer, item: NodeId) -> Option<Mount> {
    let file = stack.file(layer);
    let (name, target) = match resolved(stack, layer, item) {
        Some(name) => (name.clone(), format!("/{name}")),
        None => {
            let name = key(stack, layer, file, item, "source")?;
            let target = key(stack, layer, file, item, "target").unwrap_or_else(|| format!("/{name}"));
            (name, target)
        }
    };
    let source = stack.project().iter().rev().find_map(|layer| {
        let file = stack.file(layer);
        let declared = file.find(file.find(layer.document, "configs")?.value, &name)?;
        Some((layer, key(stack, layer, file, declared.value, "file")?))
    });
    Some(match source {
        Some((layer, source)) => mount(layer, &target, Some(&source)),
        None => mount(layer, &target, None),
    })
}

fn mount(layer: &Layer, target: &str, source: Option<&str>) -> Mount {
    // `~` is the home of whoever runs Compose: not known here.
    let source = source.filter(|source| !source.starts_with('~'));
    Mount { target: join("/", target), source: source.map(|source| join(&layer.project, source)) }
}
