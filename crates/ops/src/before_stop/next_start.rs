//! What the server would read at its next start: whether it would come up with that, and with the declared values.

use std::collections::BTreeMap;

use live::facts::Line;
use live::{AutoConf, Running};
use model::postgres::{self, Context as When};
use model::{Code, Diagnostic};
use render::{Edit, NextStart, ObservedState, RefusedLine, ServersFiles, Ways};

use super::asked::{Asked, NextImage};
use super::seen::Seen;
use super::stopping::BeforeStop;
use crate::opened::on_disk;
use crate::path::quoted;

impl BeforeStop<'_> {
    /// Finds a file of the target that the container has an old version of.
    pub(super) fn stale(&self, asked: &Asked, after: &ObservedState) -> Option<String> {
        let (Some(docker), Some(container), Some(_)) = (&asked.docker, &asked.container, &asked.running)
        else {
            return None;
        };
        let is_stale = |(inside, here): &(&str, &str)| {
            let here = on_disk(self.rooted, here).ok();
            here.is_some_and(|here| {
                matches!(live::is_stale(docker, container, inside, &here), Ok(Some(true)))
            })
        };
        after.conf_files().find(is_stale).map(|(_, here)| here.to_string())
    }

    /// Finds `postgresql.auto.conf`; `None` if there is surely none, or nothing that runs could read one.
    pub(super) fn auto_conf(&self, asked: &Asked, after: &ObservedState) -> Result<Option<AutoConf>, String> {
        let running = asked.running.as_ref();
        let inside = running.and_then(Running::auto_conf).or_else(|| after.auto_conf_path());
        let on_disk = match (&asked.docker, &asked.container, &inside) {
            (Some(docker), Some(container), Some(inside)) => live::auto_conf(docker, container, inside),
            (Some(_), Some(_), None) => Err("nothing says where the server keeps its data".into()),
            _ => Err("the server's container is not seen".into()),
        };
        let shown = match (running.map(|running| &running.files), inside) {
            (Some(Ok(files)), Some(inside)) => {
                let bytes = files.get(&inside).cloned().unwrap_or_default();
                let on_host = on_disk.as_ref().ok().and_then(|found| found.on_host.clone());
                return Ok(Some(AutoConf { inside, on_host, bytes }));
            }
            (Some(Err(why)), _) => Some(why.clone()),
            _ => None,
        };
        match on_disk {
            Ok(found) => Ok(Some(found)),
            Err(_) if asked.container.is_none() && running.is_none() => Ok(None),
            Err(why) => Err(shown.unwrap_or(why)),
        }
    }

    pub(super) fn next_start(
        &self,
        asked: &Asked,
        image: &NextImage,
        after: &ObservedState,
        auto: Option<&AutoConf>,
        seen: &mut Seen,
    ) {
        let major = self.major.or_else(|| asked.running.as_ref().map(Running::major));
        let servers = servers_files(asked, after, auto);
        let Some(next) = after.next_start(major, &servers, self.ways(asked, auto)) else { return };
        seen.findings.extend(next.would_not_start());
        seen.findings.extend(self.libraries(asked, image, &next));
        let refused = asked.running.iter().flat_map(|running| &running.refused).map(refused_line);
        let more = next.refused_by_server(&refused.collect::<Vec<_>>());
        // One line is one reason.
        for finding in more.into_iter().chain(next.differs(self.declared)) {
            let place = |finding: &Diagnostic| finding.location.as_ref().map(|at| (at.path.clone(), at.line));
            if place(&finding).is_none() || !seen.findings.iter().any(|other| place(other) == place(&finding))
            {
                seen.findings.push(finding);
            }
        }
        seen.foreign = next.foreign();
        if let Some(running) = &asked.running {
            seen.also = self.also(&next, running);
        }
    }

    fn ways(&self, asked: &Asked, auto: Option<&AutoConf>) -> Ways {
        let edit = auto.and_then(|auto| match (&auto.on_host, &asked.container) {
            (Some(path), _) => Some(Edit { sed: "sed".into(), path: quoted(&path.display().to_string()) }),
            (None, Some(container)) => Some(Edit {
                sed: format!(
                    "docker run --rm --network none --user 0 --volumes-from {} --entrypoint sed {}",
                    quoted(&container.name),
                    quoted(&container.image_id)
                ),
                path: quoted(&auto.inside),
            }),
            (None, None) => None,
        });
        Ways { has_server: asked.running.is_some(), edit }
    }

    /// Finds libraries that the image lacks from which the server is to start.
    fn libraries(&self, asked: &Asked, image: &NextImage, next: &NextStart<'_>) -> Vec<Diagnostic> {
        let items = next.libraries();
        let missing = match (image, &asked.running, &asked.way) {
            (NextImage::Same, Some(running), Some(way)) => running.missing_libraries(way, &items),
            (NextImage::Other(_, facts), ..) => facts.as_ref().map(|facts| facts.missing_libraries(&items)),
            (NextImage::Same | NextImage::Unknown, ..) => None,
        };
        let whose = match image {
            NextImage::Other(name, _) => name.as_str(),
            _ => asked.container.as_ref().map_or("the server", |container| container.image.as_str()),
        };
        let missing = missing.unwrap_or_default();
        missing.iter().map(|library| next.library_missing(library, whose)).collect()
    }

    /// Lists what else gets another value.
    fn also(&self, next: &NextStart<'_>, running: &Running) -> Vec<String> {
        let is_postmaster = |name: &&str| {
            let row = postgres::lookup(name, running.major());
            row.is_some_and(|row| row.context == When::Postmaster) && !self.declared.has(name)
        };
        let changed = |name: &str| {
            let now = running.settings.get(&name.to_ascii_lowercase())?;
            match next.value(name) {
                Some(at) => {
                    let text = String::from_utf8_lossy(&at.value).into_owned();
                    let is_same = running.has(&name.to_ascii_lowercase(), &text);
                    (!is_same).then(|| format!("{name} ({})", at.place))
                }
                // Others than a file set it, or nothing did.
                None if now.source != "configuration file" || now.value == now.boot => None,
                None => Some(format!("{name} (no file sets it any more)")),
            }
        };
        postgres::names(running.major()).filter(is_postmaster).filter_map(changed).collect()
    }
}

/// Returns the files that count besides those of the target.
fn servers_files(asked: &Asked, after: &ObservedState, auto: Option<&AutoConf>) -> ServersFiles {
    let own: Vec<_> = after.conf_files().map(|(inside, _)| inside.to_string()).collect();
    let files = asked.running.iter().flat_map(|running| running.files.iter().flatten());
    let is_other = |path: &String| !own.contains(path) && auto.is_none_or(|auto| auto.inside != *path);
    let others: BTreeMap<_, _> = files
        .filter(|(path, _)| is_other(path))
        .map(|(path, bytes)| (path.clone(), bytes.clone().into()))
        .collect();
    ServersFiles { auto: auto.map(|auto| (auto.inside.clone(), auto.bytes.clone().into())), others }
}

fn refused_line(line: &Line) -> RefusedLine {
    RefusedLine {
        name: line.name.clone(),
        value: line.value.clone(),
        file: line.file.clone(),
        line: line.line as usize,
        error: line.error.clone(),
    }
}

pub(super) fn unknown(why: &str) -> Diagnostic {
    Diagnostic::error(
        Code::NextStartUnknown,
        format!("what the server reads at its next start cannot be seen: {why}"),
    )
    .help("run as root where the container runs, or name a superuser under `verify: {user: …}`")
}
