//! The Dockerfile of a context, and the base that one names.

use std::fmt::Write as _;

use model::Image;
use model::schema::ADDRESS;

use super::input::Input;

/// Where in the image the proof and the bills of materials are.
const DOCUMENTS: &str = "/usr/share/doc/kasm-db/";

/// What a builder may set as the time of everything that is added. The final stage does not have it.
const TIME: &str = "ARG SOURCE_DATE_EPOCH\n";

/// Stands behind the base on the first line with `FROM`.
const AS_BASE: &str = " AS base";

/// Returns the text of the Dockerfile.
///
/// What is added comes from stages of its own, so that the final image has the user, entrypoint, volumes, stop signal,
/// environment and health check of the base. The last stage copies a file from the stage that proves the image: no builder
/// can skip that one.
pub(super) fn text(input: &Input<'_>) -> String {
    let mut out = String::from(
        "# `kasm-db build` wrote this from kasm-db.yaml. Of a change, only that of the base is taken over.\n\
         # The stages that run as root are left behind, and the user of the server is that of the base.\n\
         # hadolint global ignore=DL3002,DL3059,DL3066\n",
    );
    let base = input.build.base.as_str();
    let _ = writeln!(out, "FROM {base}{AS_BASE}");
    let has_certificates = !input.certificates.is_empty();
    if has_certificates {
        let _ = write!(out, "\nFROM base AS certificates\nUSER root\n{TIME}");
        out.push_str("COPY certificates/ /usr/local/share/ca-certificates/\nCOPY certificates.sh /tmp/\n");
        out.push_str("RUN sh /tmp/certificates.sh\n");
    }
    let from = if has_certificates { "certificates" } else { "base" };
    let packages = input.packages();
    if !packages.is_empty() {
        let _ = write!(out, "\nFROM {from} AS packages\nUSER root\n{TIME}COPY install.sh /tmp/\n");
        let _ = writeln!(out, "RUN sh /tmp/install.sh {}", packages.join(" "));
    }
    let sources = input.sources();
    if !sources.is_empty() {
        let _ = write!(out, "\nFROM {from} AS compiled\nUSER root\n{TIME}COPY compile.sh /tmp/\n");
        let _ = writeln!(out, "COPY sources.cdx.json /added{DOCUMENTS}");
        if !input.is_alpine() {
            let _ = writeln!(out, "ENV PG_MAJOR={}", input.build.major);
        }
        for (name, url, sha256) in &sources {
            let _ = write!(out, "RUN sh /tmp/compile.sh {name} \\\n    {url} \\\n    {sha256}\n");
        }
    }
    out.push_str("\nFROM base AS image\n");
    if has_certificates {
        out.push_str("COPY --from=certificates /added/ /\n");
    }
    if !packages.is_empty() {
        out.push_str("COPY --from=packages /added/ /\n");
    }
    if !sources.is_empty() {
        out.push_str("COPY --from=compiled /added/ /\n");
    }
    let proof = &input.proof;
    let mut arguments = vec![
        input.build.major.to_string(),
        format!("'{}'", proof.preload),
        format!("'{}'", proof.extensions.join(" ")),
    ];
    if !proof.classes.is_empty() {
        arguments.push(format!("'{}'", proof.classes));
        arguments.push(format!("'{}'", proof.logged.join(" ")));
    }
    let _ = write!(out, "\nFROM image AS proof\n{TIME}COPY prove.sh /tmp/\nUSER postgres\n");
    let _ = writeln!(out, "RUN sh /tmp/prove.sh /tmp/added{DOCUMENTS}proof.txt {}", arguments.join(" "));
    out.push_str("\nFROM image\nCOPY --chown=0:0 --from=proof /tmp/added/ /\nARG REVISION=\n");
    for (name, value) in labels(input) {
        let _ = writeln!(out, "LABEL {name}={value}");
    }
    out
}

/// Returns the labels, with the declared ones over those that are known, in the order of their names.
fn labels(input: &Input<'_>) -> std::collections::BTreeMap<String, String> {
    let base = &input.build.base;
    let name = base.as_str().split('@').next().unwrap_or_default();
    let own = |name: &str, value: &str| (format!("org.opencontainers.image.{name}"), quoted(value));
    let mut all = std::collections::BTreeMap::from([
        own("base.name", &full(base, name)),
        ("org.opencontainers.image.revision".to_string(), "\"$REVISION\"".to_string()),
    ]);
    all.extend(base.digest().map(|digest| own("base.digest", digest)));
    all.extend(input.image.and_then(Image::tag).map(|tag| own("version", tag)));
    if !ADDRESS.is_empty() {
        all.extend([own("source", ADDRESS)]);
    }
    all.extend(input.build.labels.iter().map(|(name, value)| (name.clone(), quoted(value))));
    all
}

/// Returns the name of a base with its registry, as OCI wants it in the label.
fn full(base: &Image, name: &str) -> String {
    let tag = base.tag().map(|tag| format!(":{tag}")).unwrap_or_default();
    if name.is_empty() { String::new() } else { format!("{}{tag}", base.repository()) }
}

/// Returns a text in double quotes, in which a builder replaces nothing.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '$') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// Returns the base that a Dockerfile names; `None` if it is not one that was written here.
pub(super) fn base(dockerfile: &[u8]) -> Option<Image> {
    let text = std::str::from_utf8(dockerfile).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("FROM "))?;
    Image::parse(line.trim_end().strip_suffix(AS_BASE)?.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_the_text_that_was_declared() {
        assert_eq!(quoted(r#"a "b" \ $HOME"#), r#""a \"b\" \\ \$HOME""#);
    }

    #[test]
    fn the_base_of_a_dockerfile_is_its_first_stage() {
        let of = |text: &str| base(text.as_bytes()).map(|image| image.to_string());
        assert_eq!(
            of("# x\nFROM postgres:16.5-bookworm AS base\n\nFROM base AS x\n").as_deref(),
            Some("postgres:16.5-bookworm")
        );
        assert_eq!(of("FROM postgres:16\n"), None);
        assert_eq!(of("FROM $X AS base\n"), None);
        assert_eq!(of(""), None);
    }
}
