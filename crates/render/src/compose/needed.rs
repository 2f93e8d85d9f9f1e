//! What the engine must have before Compose starts a project: images, networks, volumes, and free container names.

use std::collections::BTreeSet;

use model::Location;
use model::yaml::{Kind, NodeId};

use crate::compose::file::Pair;
use crate::compose::parts::Service;
use crate::compose::profiles;
use crate::compose::project_name;
use crate::compose::stack::{Layer, Stack};

/// What Compose needs to start a project. Compose starts nothing at all if something is missing that one of the services
/// needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needed {
    /// The database's service.
    pub service: String,
    /// The name of the project, as far as files tell; the command line of Compose wins over them.
    pub project: Option<String>,
    /// The images.
    pub images: Vec<NeededImage>,
    /// The networks that Compose does not make.
    pub networks: Vec<NeededName>,
    /// The volumes that Compose does not make.
    pub volumes: Vec<NeededName>,
    /// The names that containers get.
    pub names: Vec<NeededName>,
    /// The containers whose network a service joins.
    pub joined: Vec<NeededName>,
    /// Files of the host that must be there, which Compose does not make.
    pub files: Vec<NeededName>,
    /// The user that the database's service names with `user:`.
    pub user: Option<String>,
    /// What a variable that no file sets, or a project of too many services, leaves open.
    pub unknown: Vec<NeededName>,
}

/// An image that a service is started from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeededImage {
    /// The service.
    pub service: String,
    /// The reference.
    pub reference: String,
    /// The platform, if the service names one.
    pub platform: Option<String>,
    /// When Compose pulls it.
    pub pull: PullPolicy,
    /// Whether Compose can build it.
    pub is_built: bool,
    /// Where it is written.
    pub place: Location,
}

/// When Compose pulls an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullPolicy {
    /// If the engine does not have it.
    Missing,
    /// Never.
    Never,
    /// At every start, or at some of them.
    Often,
    /// It builds it at every start.
    Build,
    /// A word that is not known here.
    Other(String),
}

/// A name that a service needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeededName {
    /// The service.
    pub service: String,
    /// The name.
    pub name: String,
    /// Where it is written.
    pub place: Location,
}

impl PullPolicy {
    fn named(word: Option<&str>) -> Self {
        match word {
            None | Some("missing" | "if_not_present") => Self::Missing,
            Some("never") => Self::Never,
            Some("build") => Self::Build,
            Some("always" | "refresh" | "daily" | "weekly") => Self::Often,
            Some(word) if word.starts_with("every_") => Self::Often,
            Some(word) => Self::Other(word.to_string()),
        }
    }
}

/// Reads what a project needs: its database's service, and the others if they are known.
pub(crate) fn read(stack: &Stack, database: &Service, others: Option<&[Service]>) -> Needed {
    let project = project_name::of(stack);
    let needed = Needed { service: database.name.clone(), project, ..Needed::default() };
    let mut reader = Reader { stack, needed, seen: BTreeSet::new() };
    reader.service(database);
    reader.needed.user = reader.text(database, "user").map(|(_, text, _)| text);
    match others {
        Some(others) => {
            let started = others.iter().filter(|other| profiles::starts(stack, other));
            started.for_each(|other| reader.service(other));
        }
        None => {
            if let Some(place) = place_of(stack, database) {
                let service = database.name.clone();
                let name = "the other services: there are too many".to_string();
                reader.needed.unknown.push(NeededName { service, name, place });
            }
        }
    }
    reader.needed
}

/// Returns the name of the volume that a key stands for, if Compose does not make it.
pub(crate) fn external_volume(stack: &Stack, database: &Service, key: &str) -> Option<String> {
    let mut reader = Reader { stack, needed: Needed::default(), seen: BTreeSet::new() };
    reader.external(database, "volumes", key).map(|found| found.name)
}

fn place_of(stack: &Stack, service: &Service) -> Option<Location> {
    let part = service.parts.last()?;
    Some(at(stack, &stack.layers[part.layer], part.service.key))
}

fn at(stack: &Stack, layer: &Layer, id: NodeId) -> Location {
    let file = stack.file(layer);
    file.location(file.tree.written(id).span.clone())
}

struct Reader<'a> {
    stack: &'a Stack,
    needed: Needed,
    /// What is listed already: several services share a network.
    seen: BTreeSet<(&'static str, String)>,
}

impl<'a> Reader<'a> {
    fn service(&mut self, service: &Service) {
        if service.get(self.stack, "provider").is_some() {
            return;
        }
        self.image(service);
        self.networks(service);
        for (layer, volumes) in service.list(self.stack, "volumes") {
            for &item in self.stack.file(layer).tree.items(volumes.value) {
                self.volume(service, layer, item);
            }
        }
        for (layer, entry) in service.list(self.stack, "env_file") {
            let items = self.stack.file(layer).tree.items(entry.value);
            let items = if items.is_empty() { vec![entry.value] } else { items.to_vec() };
            items.into_iter().for_each(|item| self.env_file(service, layer, item));
        }
        if let Some((layer, name, id)) = self.text(service, "container_name") {
            let place = at(self.stack, layer, id);
            self.needed.names.push(NeededName { service: service.name.clone(), name, place });
        }
    }

    /// Reads a scalar of a service; one that a variable leaves open is said, and is not known.
    fn text(&mut self, service: &Service, key: &str) -> Option<(&'a Layer, String, NodeId)> {
        let (layer, entry) = service.get(self.stack, key)?;
        let text = self.resolved(service, layer, entry.value)?;
        (!text.is_empty()).then_some((layer, text, entry.value))
    }

    fn resolved(&mut self, service: &Service, layer: &Layer, id: NodeId) -> Option<String> {
        match self.stack.text(layer, id)?.resolved {
            Ok(text) => Some(text.trim().to_string()),
            Err(variable) => {
                let place = at(self.stack, layer, id);
                let name = format!("what the variable `{variable}` is, which no file sets");
                if self.seen.insert(("variable", variable)) {
                    self.needed.unknown.push(NeededName { service: service.name.clone(), name, place });
                }
                None
            }
        }
    }

    fn image(&mut self, service: &Service) {
        let is_built = service.get(self.stack, "build").is_some();
        let Some((_, part, image)) = service.image(self.stack) else { return };
        let layer = &self.stack.layers[part.layer];
        let Some(reference) = self.resolved(service, layer, image.value) else { return };
        let pull = PullPolicy::named(self.text(service, "pull_policy").map(|(_, text, _)| text).as_deref());
        let platform = self.text(service, "platform").map(|(_, text, _)| text);
        let place = at(self.stack, layer, image.value);
        let service = service.name.clone();
        self.needed.images.push(NeededImage { service, reference, platform, pull, is_built, place });
    }

    fn networks(&mut self, service: &Service) {
        if let Some((layer, mode, id)) = self.text(service, "network_mode") {
            if let Some(name) = mode.strip_prefix("container:") {
                let place = at(self.stack, layer, id);
                let name = name.to_string();
                self.needed.joined.push(NeededName { service: service.name.clone(), name, place });
            }
            return;
        }
        let mut keys = BTreeSet::new();
        for (layer, networks) in service.list(self.stack, "networks") {
            let file = self.stack.file(layer);
            keys.extend(file.all(networks.value).into_iter().map(|(name, _)| name.to_string()));
            for &item in file.tree.items(networks.value) {
                keys.extend(self.resolved(service, layer, item));
            }
        }
        if keys.is_empty() {
            keys.insert("default".to_string());
        }
        for key in keys {
            if let Some(found) = self.external(service, "networks", &key)
                && self.seen.insert(("network", found.name.clone()))
            {
                self.needed.networks.push(found);
            }
        }
    }

    fn volume(&mut self, service: &Service, layer: &Layer, item: NodeId) {
        let file = self.stack.file(layer);
        let key = match &file.tree.node(file.tree.resolve(item)).kind {
            Kind::Mapping(..) => {
                let text = |key: &str| Some(self.stack.text(layer, file.find(item, key)?.value)?.resolved);
                let kind = text("type").and_then(Result::ok);
                match (kind.as_deref(), file.find(item, "source")) {
                    (Some("volume"), Some(source)) => self.resolved(service, layer, source.value),
                    (Some("bind"), Some(source)) => {
                        self.bound(service, layer, item, source);
                        None
                    }
                    _ => None,
                }
            }
            _ => {
                // What stands behind the colon may be what the variable is.
                let text = self.stack.text(layer, item).and_then(|text| text.resolved.ok());
                let named = text.as_deref().and_then(|text| text.split_once(':')).map(|(source, _)| source);
                named.filter(|source| !source.starts_with(['/', '.', '~'])).map(String::from)
            }
        };
        if let Some(key) = key
            && let Some(found) = self.external(service, "volumes", &key)
            && self.seen.insert(("volume", found.name.clone()))
        {
            self.needed.volumes.push(found);
        }
    }

    /// Adds a file of variables, without which Compose starts nothing.
    fn env_file(&mut self, service: &Service, layer: &Layer, item: NodeId) {
        let file = self.stack.file(layer);
        let required = file.find(item, "required").and_then(|entry| self.stack.text(layer, entry.value));
        if required.is_some_and(|text| text.resolved.as_deref() == Ok("false")) {
            return;
        }
        let id = file.find(item, "path").map_or(item, |path| path.value);
        if let Some(path) = self.resolved(service, layer, id) {
            let name = crate::source::join(&layer.project, &path);
            let place = at(self.stack, layer, id);
            self.needed.files.push(NeededName { service: service.name.clone(), name, place });
        }
    }

    /// Adds a bind mount whose path on the host is not created.
    fn bound(&mut self, service: &Service, layer: &Layer, item: NodeId, source: Pair) {
        let file = self.stack.file(layer);
        let creates = file
            .find(item, "bind")
            .and_then(|bind| file.find(bind.value, "create_host_path"))
            .and_then(|entry| self.stack.text(layer, entry.value)?.resolved.ok());
        if creates.as_deref() != Some("false") {
            return;
        }
        if let Some(path) = self.resolved(service, layer, source.value).filter(|path| !path.starts_with('~'))
        {
            let name = crate::source::join(&layer.project, &path);
            let place = at(self.stack, layer, source.value);
            self.needed.files.push(NeededName { service: service.name.clone(), name, place });
        }
    }

    /// Returns what a key of the project's `networks` or `volumes` names, if Compose does not make it.
    fn external(&mut self, service: &Service, section: &str, key: &str) -> Option<NeededName> {
        let mut external = None;
        let mut name = key.to_string();
        let layers = self.stack.project().iter();
        for layer in layers {
            let file = self.stack.file(layer);
            let Some(declared) = file.find(layer.document, section).and_then(|all| file.find(all.value, key))
            else {
                continue;
            };
            let text = |mapping, key: &str| Some((file.find(mapping, key)?.value, key.to_string()));
            if let Some((id, _)) = text(declared.value, "name") {
                name = self.resolved(service, layer, id)?;
            }
            let Some((id, _)) = text(declared.value, "external") else { continue };
            let place = at(self.stack, layer, declared.key);
            // Older files have the name in here.
            if let Some((id, _)) = text(id, "name") {
                name = self.resolved(service, layer, id)?;
                external = Some(place);
            } else {
                let is_external = self.resolved(service, layer, id).is_some_and(|text| text == "true");
                external = is_external.then_some(place);
            }
        }
        Some(NeededName { service: service.name.clone(), name, place: external? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Snapshot, Target, TargetKind, observe};

    fn needed(compose: &str, env: &str) -> Needed {
        let files = [
            ("docker/docker-compose.yaml", compose),
            ("docker/.env", env),
            ("conf/database/postgresql.conf", ""),
        ];
        let target = Target::new("t", TargetKind::Deployment);
        observe(&target, &Snapshot::from_iter(files)).needed().unwrap()
    }

    fn names(all: &[NeededName]) -> Vec<&str> {
        all.iter().map(|one| one.name.as_str()).collect()
    }

    #[test]
    fn what_the_engine_must_have_is_read_of_every_service_that_is_started() {
        let text = "services:\n  db:\n    image: a/db:1\n    container_name: kasm_db\n    user: '70'\n    networks: [own, made]\n\
                    \x20   volumes: ['data:/d', 'made:/m', './x:/x', {type: volume, source: old, target: /o}]\n\
                    \x20 api: {image: a/api:1, pull_policy: always, platform: linux/arm64}\n\
                    \x20 off: {image: a/off:1, profiles: [no]}\n\
                    \x20 built: {image: a/built:1, build: ., network_mode: 'container:other'}\n\
                    networks:\n  own: {external: true, name: real}\n  made: {}\n  default: {external: {name: dflt}}\n\
                    volumes:\n  data: {external: true}\n  made:\n  old: {external: {name: older}}\n";
        let needed = needed(text, "");
        assert_eq!((needed.service.as_str(), needed.project.as_deref()), ("db", Some("docker")));
        let image =
            |one: &NeededImage| format!("{} {} {:?} {}", one.service, one.reference, one.pull, one.is_built);
        let images: Vec<_> = needed.images.iter().map(image).collect();
        assert_eq!(
            images,
            ["db a/db:1 Missing false", "api a/api:1 Often false", "built a/built:1 Missing true"]
        );
        assert_eq!(needed.images[1].platform.as_deref(), Some("linux/arm64"));
        assert_eq!(needed.images[0].place.line, 3);
        assert_eq!(names(&needed.networks), ["real", "dflt"]);
        assert_eq!(names(&needed.volumes), ["data", "older"]);
        assert_eq!((names(&needed.names), names(&needed.joined)), (vec!["kasm_db"], vec!["other"]));
        assert_eq!((needed.user.as_deref(), needed.unknown.as_slice()), (Some("70"), &[][..]));
    }

    #[test]
    fn what_a_variable_leaves_open_is_said_and_not_guessed() {
        let text = "name: mine\nservices:\n  db:\n    image: 'a/db:${TAG}'\n    container_name: '${NAME}'\n    networks: [own]\n\
                    networks: {own: {external: true, name: '${NET}'}}\n";
        let open = needed(text, "");
        assert_eq!((open.images.len(), open.names.len(), open.networks.len()), (0, 0, 0));
        let said: Vec<_> = open.unknown.iter().map(|one| &one.name[..26]).collect();
        assert_eq!(said.len(), 3, "{said:?}");
        assert_eq!(open.project.as_deref(), Some("mine"));
        let known = needed(text, "TAG=1\nNAME=n\nNET=net\nCOMPOSE_PROJECT_NAME=other\n");
        assert_eq!(known.images[0].reference, "a/db:1");
        assert_eq!((names(&known.networks), names(&known.names)), (vec!["net"], vec!["n"]));
        assert_eq!((known.project.as_deref(), known.unknown.len()), (Some("other"), 0));
    }

    #[test]
    fn folders_that_are_not_created_and_files_of_variables_are_needed() {
        let text = "services:\n  db:\n    image: a/db:1\n    volumes:\n\
                    \x20     - {type: bind, source: ./a, target: /a, bind: {create_host_path: false}}\n\
                    \x20     - {type: bind, source: ./b, target: /b}\n\
                    \x20   env_file: [one.env, {path: /two.env}, {path: three.env, required: false}]\n\
                    \x20 api: {image: a/api:1, env_file: four.env}\n";
        let files = needed(text, "").files;
        assert_eq!(names(&files), ["docker/a", "docker/one.env", "/two.env", "docker/four.env"]);
    }
}
