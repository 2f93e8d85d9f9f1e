//! Which files of the host a service's container sees, and where.

use model::yaml::{Kind, NodeId};

use crate::compose::file::ComposeFile;
use crate::compose::parts::Service;
use crate::compose::stack::{Layer, Stack};
use crate::compose::variables::interpolate_with;
use crate::source::join;

/// What a container sees at one of its paths.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mount {
    /// Absolute, in the container.
    target: String,
    source: Host,
}

/// Where something of a container is on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// At this path: absolute, or relative to the files' root.
    Path(String),
    /// In a volume that Docker keeps: with its key in the project, if it has one.
    Volume(Option<String>),
    /// At a path that a variable names which no file sets.
    Unknown,
}

impl Host {
    /// Returns the path, if it is known.
    pub(crate) fn path(self) -> Option<String> {
        match self {
            Self::Path(path) => Some(path),
            Self::Volume(_) | Self::Unknown => None,
        }
    }
}

/// The mounts of a service, those of later layers last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mounts(Vec<Mount>);

impl Mounts {
    /// Reads `volumes` and `configs` of a service in all layers.
    ///
    /// Entries whose path in the container is not known are left out.
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

    /// Returns the host's path for a path of the container; `None` if it lies in the image.
    pub(crate) fn host(&self, container: &str) -> Option<Host> {
        let container = join("/", container);
        let over = self.over(&container)?;
        let Host::Path(source) = &over.source else { return Some(over.source.clone()) };
        let rest = container[over.target.trim_end_matches('/').len()..].trim_start_matches('/');
        Some(Host::Path(if rest.is_empty() { source.clone() } else { join(source, rest) }))
    }

    fn over(&self, container: &str) -> Option<&Mount> {
        // The deepest mount wins, and of equal ones the last.
        let depth = |mount: &&Mount| mount.target.trim_end_matches('/').len();
        self.0.iter().filter(|mount| is_below(container, &mount.target)).max_by_key(depth)
    }

    /// Returns the container's path of the mount that has a path of the container in it.
    pub(crate) fn root(&self, container: &str) -> Option<String> {
        Some(self.over(&join("/", container))?.target.clone())
    }

    /// Returns the container's path of the first mount whose path on the host passes `test`.
    pub(crate) fn containing(&self, test: impl Fn(&str) -> bool) -> Option<String> {
        let found = self.0.iter().find(|mount| matches!(&mount.source, Host::Path(path) if test(path)))?;
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
        let source = file.find(item, "source").map(|entry| resolved(stack, layer, entry.value));
        let source = match (key(stack, layer, file, item, "type").as_deref(), source) {
            (Some("bind"), Some(Some(source))) => path(layer, &source),
            (Some("bind"), _) => Host::Unknown,
            (Some("volume"), Some(Some(name))) => named(stack, &name),
            _ => Host::Volume(None),
        };
        return Some(mount(&target, source));
    }
    let text = stack.text(layer, item)?;
    let text = text.resolved.unwrap_or_else(|_| interpolate_with(&text.raw, &layer.variables, UNKNOWN));
    let mut parts = text.split(':');
    match (parts.next(), parts.next()) {
        // Compose takes one letter for a drive of Windows: nothing of this host.
        (Some(drive), Some(_)) if drive.len() == 1 && drive.as_bytes()[0].is_ascii_alphabetic() => None,
        (Some(_), Some(target)) if target.contains(UNKNOWN) => None,
        (Some(source), Some(target)) if source.contains(UNKNOWN) => Some(mount(target, Host::Unknown)),
        (Some(target), None) => (!target.contains(UNKNOWN)).then(|| mount(target, Host::Volume(None))),
        (Some(source), Some(target)) => {
            // A bare word is the name of a volume.
            let is_path = source.starts_with(['/', '.', '~']);
            Some(mount(target, if is_path { path(layer, source) } else { named(stack, source) }))
        }
        _ => None,
    }
}

/// What stands for a variable that no file sets: no path has it.
const UNKNOWN: &str = "\0";

/// Returns where a named volume is: one whose driver binds a folder is that folder.
fn named(stack: &Stack, name: &str) -> Host {
    let options = stack.project().iter().rev().find_map(|layer| {
        let file = stack.file(layer);
        let declared = file.find(file.find(layer.document, "volumes")?.value, name)?;
        Some((layer, file.find(declared.value, "driver_opts")?.value))
    });
    let Some((layer, options)) = options else { return Host::Volume(Some(name.to_string())) };
    let file = stack.file(layer);
    let binds = key(stack, layer, file, options, "o")
        .is_some_and(|options| options.split(',').any(|option| matches!(option.trim(), "bind" | "rbind")));
    match file.find(options, "device") {
        Some(device) if binds => match resolved(stack, layer, device.value) {
            Some(device) if device.starts_with('/') => path(layer, &device),
            _ => Host::Unknown,
        },
        _ => Host::Volume(Some(name.to_string())),
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
        Some((layer, file.find(declared.value, "file")?.value))
    });
    let source = source.map(|(layer, id)| resolved(stack, layer, id).map(|source| path(layer, &source)));
    Some(mount(&target, source.map_or(Host::Volume(None), |source| source.unwrap_or(Host::Unknown))))
}

fn mount(target: &str, source: Host) -> Mount {
    Mount { target: join("/", target), source }
}

/// Returns the place of a path as a compose file writes it.
fn path(layer: &Layer, source: &str) -> Host {
    // `~` is the home of whoever runs Compose: not known here.
    if source.starts_with('~') { Host::Unknown } else { Host::Path(join(&layer.project, source)) }
}
