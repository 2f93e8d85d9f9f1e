"""Installed trees with the content of `examples/`, and documents for them."""

import os
import shutil

from .program import REPOSITORY

EXAMPLE = os.path.join(REPOSITORY, "examples/existing/opt/kasm/1.11.0")
CONF = "conf/database/postgresql.conf"
MAIN, ROLES = "docker/docker-compose.yaml", "docker/.conf"
# Roles of Kasm's that the example leaves out; none of them runs the database.
MORE = ["guac", "proxy", "redis", "share"]
HEAD = """\
schema: kasm-db/v1
image: kasmweb/postgres:1.11.0
preload:
  libraries: [pgaudit]
audit:
  classes: [read, write, ddl]
verify: {connect: none}
targets:
"""


def small(folder):
    """Makes a tree of two compose files and postgresql.conf."""
    _copy(folder, [MAIN, f"{ROLES}/docker-compose-db.yaml", CONF])


def whole(folder):
    """Makes a tree of ten compose files and postgresql.conf; returns their paths."""
    roles = sorted(os.listdir(os.path.join(EXAMPLE, ROLES)))
    composes = [MAIN, *(f"{ROLES}/{role}" for role in roles)]
    _copy(folder, [*composes, CONF])
    for role in MORE:
        composes.append(f"{ROLES}/docker-compose-{role}.yaml")
        with open(os.path.join(EXAMPLE, ROLES, "docker-compose-app.yaml"), encoding="utf-8") as file:
            text = file.read().replace("kasm_api", f"kasm_{role}").replace("kasmweb/api", f"kasmweb/{role}")
        with open(os.path.join(folder, composes[-1]), "w", encoding="utf-8") as file:
            file.write(text)
    assert len(composes) == 10, composes
    return [*composes, CONF]


def document(path, trees):
    """Writes a document with a target for each tree, which are paths."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(HEAD)
        for tree in trees:
            file.write(f"  - name: {os.path.basename(tree)}\n    deployment: {tree}\n")


def _copy(folder, files):
    for file in files:
        path = os.path.join(folder, file)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.copyfile(os.path.join(EXAMPLE, file), path)
