"""The list of what is in the program, in CycloneDX's JSON."""

import json

from .image import time


def sbom(about, program, libraries, epoch):
    """Returns the bytes of the list. It has no serial number: the same content has the same bytes."""
    own = component(program)
    own.update({"type": "application", "description": about.description})
    value = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": time(epoch),
            "tools": {"components": [{"type": "application", "name": "scripts/release"}]},
            "component": own,
        },
        "components": [component(library) for library in libraries],
        "dependencies": [
            {"ref": library.purl, "dependsOn": sorted(purls(library, program, libraries))}
            for library in [program, *libraries]
        ],
    }
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def purls(library, program, libraries):
    by_key = {one.key: one.purl for one in [program, *libraries]}
    return (by_key[key] for key in library.uses)


def component(library):
    value = {
        "type": "library",
        "bom-ref": library.purl,
        "name": library.name,
        "version": library.version,
        "purl": library.purl,
        "licenses": [{"expression": library.license}],
    }
    if library.sha256:
        value["hashes"] = [{"alg": "SHA-256", "content": library.sha256}]
    if library.repository:
        value["externalReferences"] = [{"type": "vcs", "url": library.repository}]
    return value
