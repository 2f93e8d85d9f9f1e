"""A fleet: so many trees, and a document for each of them."""

import os
import random
import shutil

from . import compose, conf

SEED = 18
# How often a tree has what should not be there, of 100.
OFTEN = 8
IMAGE, NEW_IMAGE = "postgres:14-alpine", "kasmweb/postgres:1.16.0"
# What is declared: nothing that is not there, what changes in every tree, and an image alone.
DOCUMENTS = {
    "same": f"image: {IMAGE}\nsettings: {{max_connections: 100, logging_collector: on, log_timezone: UTC}}\n",
    "changed": f"image: {NEW_IMAGE}\npreload: {{libraries: [pgaudit]}}\n",
    "image": f"image: {NEW_IMAGE}\n",
}
# Warnings of every document and of every old file would be what is measured.
COMMON = "verify: {connect: none}\nignore: [mutable-tag, no-digest, duplicate-compose-key]\n"


class Fleet:
    """Trees below a folder."""

    def __init__(self, folder, number):
        self.folder = folder
        self.trees = [os.path.join(folder, "trees", f"site-{index:05}") for index in range(number)]
        self.composes = sorted(compose.files(_site("", random.Random(SEED))))
        names = conf.names()
        self.bytes = 0
        for index, tree in enumerate(self.trees):
            site = _site(os.path.basename(tree), random.Random(SEED * 1_000_003 + index))
            for path, text in {**compose.files(site), conf.PATH: conf.text(site, names)}.items():
                self.bytes += _write(os.path.join(tree, path), site["ends"](text))
            for name, declared in DOCUMENTS.items():
                document = os.path.join(self.documents(name), f"{os.path.basename(tree)}.kasm-db.yaml")
                target = f"targets:\n  - name: {os.path.basename(tree)}\n    deployment: ../trees/{os.path.basename(tree)}\n"
                _write(document, f"schema: kasm-db/v1\n{declared}{COMMON}{target}")

    def documents(self, name):
        """Returns the folder of the documents that declare this."""
        return os.path.join(self.folder, name)

    def some(self, name, number):
        """Returns the arguments that name the documents of the first trees."""
        if number >= len(self.trees):
            return ["-R", "-f", self.documents(name)]
        folder = f"{self.documents(name)}-{number}"
        for tree in self.trees[:number]:
            document = f"{os.path.basename(tree)}.kasm-db.yaml"
            os.makedirs(folder, exist_ok=True)
            shutil.copyfile(os.path.join(self.documents(name), document), os.path.join(folder, document))
        return ["-R", "-f", folder]

    def files(self, number=None):
        """Returns the paths of the compose files and of `postgresql.conf` of the first trees."""
        trees = self.trees[:number]
        composes = [os.path.join(tree, path) for tree in trees for path in self.composes]
        return composes, [os.path.join(tree, conf.PATH) for tree in trees]


def _site(name, rng):
    """Returns what is different in each tree."""
    has = lambda: rng.randrange(100) < OFTEN  # noqa: E731
    ends = lambda text: text  # noqa: E731
    if has():
        ends = lambda text: text.replace("\n", "\r\n")  # noqa: E731
    elif has():
        ends = lambda text: text.rstrip("\n")  # noqa: E731
    services = list(compose.SERVICES)
    return {
        "name": name,
        "release": rng.choice(["1.16.0", "1.16.1", "1.17.0", "1.18.1"]),
        "password": f"{rng.getrandbits(96):024x}",
        "redis_password": f"{rng.getrandbits(96):024x}",
        "log_size": rng.randrange(5, 50),
        "work_mem": rng.randrange(4, 64),
        "note": "x" * rng.randrange(20, 400) if has() else "",
        "environment": [("LOG_LEVEL", "info"), ("ZONE", f"zone-{rng.randrange(100)}"), ("WORKERS", rng.randrange(2, 16))],
        "twice": rng.sample(services, 2) if has() else [],
        "assigned_twice": has(),
        "ends": ends,
    }


def _write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    # Line ends are as they are.
    with open(path, "w", encoding="utf-8", newline="") as file:
        return file.write(text)
