"""The container image: the program and nothing else, in the layout of OCI, which `docker load` reads as well."""

import datetime
import hashlib
import json

from .tree import Tree, compressed

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def image(about, contents, third_party, epoch):
    """Returns the bytes of a tar archive with one image, named kasm-db:VERSION."""
    layer = layer_of(contents, third_party, epoch)
    packed = compressed(layer)
    config = encoded(
        {
            "created": time(epoch),
            "architecture": about.engine_arch,
            "os": "linux",
            "config": {
                "Entrypoint": ["/usr/bin/kasm-db"],
                "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
                # Where a document is looked for, unless `-f` names another one.
                "WorkingDir": "/work",
                "Labels": {
                    "org.opencontainers.image.title": "kasm-db",
                    "org.opencontainers.image.description": about.description,
                    "org.opencontainers.image.version": about.version,
                    "org.opencontainers.image.revision": about.revision,
                    "org.opencontainers.image.licenses": about.license,
                },
            },
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest(layer)]},
            "history": [{"created": time(epoch), "created_by": "scripts/release"}],
        }
    )
    manifest = encoded(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described(CONFIG, config),
            "layers": [described(LAYER, packed)],
        }
    )
    tag = f"kasm-db:{about.version}"
    named = {
        "io.containerd.image.name": f"docker.io/library/{tag}",
        "org.opencontainers.image.ref.name": about.version,
    }
    index = {"schemaVersion": 2, "manifests": [{**described(MANIFEST, manifest), "annotations": named}]}
    # Engines that do not know the layout of OCI read this file.
    for_docker = [{"Config": blob(config), "RepoTags": [tag], "Layers": [blob(packed)]}]
    tree = Tree(epoch)
    tree.file("oci-layout", encoded({"imageLayoutVersion": "1.0.0"}))
    tree.file("index.json", encoded(index))
    tree.file("manifest.json", encoded(for_docker))
    for content in (config, manifest, packed):
        tree.file(blob(content), content)
    return tree.tar()


def layer_of(contents, third_party, epoch):
    tree = Tree(epoch)
    tree.file("usr/bin/kasm-db", contents.program, 0o755)
    for name in ("LICENSE-APACHE", "LICENSE-MIT"):
        tree.file(f"usr/share/doc/kasm-db/{name}", contents.texts[name])
    tree.file("usr/share/doc/kasm-db/THIRD-PARTY.txt", third_party)
    tree.folder("work")
    return tree.tar()


def digest(content):
    return hashlib.sha256(content).hexdigest()


def blob(content):
    return "blobs/sha256/" + digest(content)


def described(media_type, content):
    return {"mediaType": media_type, "digest": "sha256:" + digest(content), "size": len(content)}


def encoded(value):
    return json.dumps(value, separators=(",", ":")).encode()


def time(epoch):
    return datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
