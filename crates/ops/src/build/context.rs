//! The files of a build context: the same document gives the same bytes.

use std::collections::BTreeMap;

use commit::Digest;
use model::{Image, Origin};
use serde_json::{Value, json};

use super::dockerfile;
use super::input::{Input, certificate};

/// The name of the file that Renovate reads, too.
pub(super) const DOCKERFILE: &str = "Dockerfile";

/// Returns all files of the context, by their paths.
pub(super) fn files(input: &Input<'_>) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::from([
        (DOCKERFILE.to_string(), dockerfile::text(input).into_bytes()),
        ("prove.sh".to_string(), include_bytes!("prove.sh").to_vec()),
    ]);
    if !input.packages().is_empty() {
        files.insert("install.sh".into(), include_bytes!("install.sh").to_vec());
    }
    if !input.sources().is_empty() {
        files.insert("compile.sh".into(), include_bytes!("compile.sh").to_vec());
        files.insert("sources.cdx.json".into(), pretty(&bill(input)));
    }
    if !input.certificates.is_empty() {
        files.insert("certificates.sh".into(), include_bytes!("certificates.sh").to_vec());
    }
    for (index, text) in input.certificates.iter().enumerate() {
        files.insert(certificate(index), text.clone());
    }
    let needed = files.keys().filter(|path| *path != DOCKERFILE).map(|path| format!("!{path}\n"));
    let ignored = format!(
        "# Only what the Dockerfile copies is sent to the builder.\n*\n{}",
        needed.collect::<String>()
    );
    files.insert(".dockerignore".into(), ignored.into_bytes());
    let text = pretty(&manifest(input, &files));
    files.insert("manifest.json".into(), text);
    files
}

/// Returns what goes into the image, for people and programs.
fn manifest(input: &Input<'_>, files: &BTreeMap<String, Vec<u8>>) -> Value {
    let build = input.build;
    let extension = |extension: &model::BuiltExtension| {
        let mut row = json!({"name": extension.name});
        match &extension.origin {
            Origin::Base => row["origin"] = "base".into(),
            Origin::Package(package) => {
                row["origin"] = "package".into();
                row["package"] = package.as_str().into();
            }
            Origin::Source { url, sha256, version } => {
                row["origin"] = "source".into();
                row["url"] = url.as_str().into();
                row["sha256"] = sha256.as_str().into();
                row["version"] = (*version).into();
            }
        }
        row
    };
    json!({
        "format": "kasm-db/build-context",
        "image": input.image.map(Image::as_str),
        "base": {
            "name": build.base.as_str(),
            "digest": build.base.digest(),
            "postgresql_major": build.major,
            "distribution": build.distribution.name(),
        },
        "extensions": build.extensions.iter().map(extension).collect::<Vec<_>>(),
        "shared_preload_libraries": input.proof.preload,
        "audited_classes": input.proof.logged,
        "platforms": build.platforms,
        "files": files.iter().map(|(path, text)| (path.clone(), Value::from(Digest::of(text).to_string())))
            .collect::<serde_json::Map<_, _>>(),
    })
}

/// Returns the bill of materials of what is compiled, in the form of CycloneDX.
fn bill(input: &Input<'_>) -> Value {
    let component = |extension: &model::BuiltExtension| {
        let Origin::Source { url, sha256, version } = &extension.origin else { return None };
        let mut component = json!({
            "type": "library",
            "name": extension.name,
            "externalReferences": [{
                "type": "distribution",
                "url": url,
                "hashes": [{"alg": "SHA-256", "content": sha256}],
            }],
        });
        if let Some(version) = version {
            component["version"] = (*version).into();
        }
        Some(component)
    };
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "components": input.build.extensions.iter().filter_map(component).collect::<Vec<_>>(),
    })
}

fn pretty(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}
