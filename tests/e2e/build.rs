//! `kasm-db build` on the engine: an image is built, proves itself, and is deployed.

use crate::bed::{Bed, STOCK, docker, has_no_engine};

/// The base that `scripts/with-engine` makes: without pgaudit, and with a package of it in its own sources.
pub(crate) const BASE: &str = "postgres:15-bookworm";

/// A document that builds an image of this name; `extension` is that of the image.
pub(crate) fn document(bed: &Bed, image: &str, extension: &str) {
    let text = format!(
        "schema: kasm-db/v1\nimage: {image}\npreload:\n  libraries: [pgaudit, pg_stat_statements]\naudit:\n  \
         classes: [read, write, ddl]\nbuild:\n  base: {BASE}\n  extensions:\n    - {extension}\n    \
         - name: pg_stat_statements\ntargets:\n  - name: current\n    deployment: {}\nverify:\n  container: {}\n\
         restart:\n  policy: if_needed\n  timeout: 60s\n",
        bed.tree().display(),
        bed.name
    );
    std::fs::write(bed.root.join("kasm-db.yaml"), text).unwrap();
}

pub(crate) fn image_of(bed: &Bed) -> String {
    format!("kasm-db.test/postgres:15-{}", bed.name)
}

/// Removes an image when the test ends.
pub(crate) struct Image(pub(crate) String);

impl Image {
    /// Reads a file of it.
    pub(crate) fn read(&self, path: &str) -> String {
        docker(&["run", "--rm", "--network", "none", "--entrypoint", "cat", &self.0, path])
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        docker(&["image", "rm", "--force", &self.0]);
    }
}

#[test]
fn an_image_that_was_built_or_loaded_is_deployed_and_audits() {
    if has_no_engine("that an image is built and deployed") {
        return;
    }
    let bed = Bed::running(STOCK);
    let image = Image(image_of(&bed));
    document(&bed, &image.0, "name: pgaudit");
    let run = bed.run("build --run --save image.tar --network host --builder docker").expect(0);
    run.says(&["docker built it, and it proved itself", "image.tar: docker wrote"]);
    let inspect = |format: &str, image: &str| docker(&["image", "inspect", "--format", format, image]);
    let kept = "{{json .Config.Entrypoint}}{{json .Config.Cmd}}{{json .Config.Env}}{{json .Config.User}}\
                {{json .Config.Volumes}}{{json .Config.StopSignal}}{{json .Config.Healthcheck}}";
    assert_eq!(inspect(kept, &image.0), inspect(kept, BASE), "what the base sets stays");
    let labels = inspect("{{json .Config.Labels}}", &image.0);
    assert!(
        labels.contains(&format!("\"org.opencontainers.image.base.name\":\"docker.io/library/{BASE}\"")),
        "{labels}"
    );
    let proof = image.read("/usr/share/doc/kasm-db/proof.txt");
    assert!(
        proof.contains("extension: pgaudit 1.7\n")
            && proof.ends_with("audited: DDL\naudited: READ\naudited: WRITE\n"),
        "{proof}"
    );
    let bill = image.read("/usr/share/doc/kasm-db/packages.cdx.json");
    assert!(bill.contains("\"purl\": \"pkg:deb/debian/postgresql-15-pgaudit@1.7.0-2\""), "{bill}");
    // On a host without a registry.
    docker(&["image", "rm", "--force", &image.0]);
    bed.run("build --load image.tar").expect(0);
    let run = bed.run("apply --yes --no-pull").expect(0);
    run.says(&[" 0 FAIL, 0 skipped."]);
    bed.run("verify --probe").expect(0).says(&["ok    audit ddl", "ok    extension pgaudit in kasm"]);
    assert_eq!(bed.docker(&["inspect", "--format", "{{.Config.Image}}", &bed.name]).trim(), image.0);
}

#[test]
fn an_image_without_pgaudit_is_not_built() {
    if has_no_engine("that an image without pgaudit is not built") {
        return;
    }
    let bed = Bed::new(STOCK);
    let image = image_of(&bed);
    // A package of another name, which has nothing of it.
    document(&bed, &image, "{name: pgaudit, package: postgresql-common}");
    let run = bed.run("build --run --network host --builder docker").expect(1);
    run.says(&["the server does not start with shared_preload_libraries = 'pgaudit,pg_stat_statements'"]);
    document(&bed, &image, "{name: pgaudit, package: postgresql-15-absent}");
    bed.run("build --run --network host --builder docker").expect(1).says(&["postgresql-15-absent"]);
    let there = docker(&["image", "ls", "--quiet", &image]);
    assert_eq!(there, "", "nothing has the name of the image");
    // Nothing of the deployment was written.
    assert!(bed.read("docker/docker-compose.yaml").contains(STOCK));
}
