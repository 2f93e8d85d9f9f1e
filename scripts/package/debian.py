"""The Debian package, built by dpkg-deb from a tree of ours."""

import email.utils
import hashlib
import os
import subprocess
import tempfile

from .contents import put
from .tree import Tree, compressed

# There is no address of a person or a list: a package must name one.
MAINTAINER = os.environ.get("KASM_DB_MAINTAINER", "kasm-db authors <kasm-db@packages.invalid>")

COMPLETIONS = {
    "bash": "usr/share/bash-completion/completions/kasm-db",
    "zsh": "usr/share/zsh/vendor-completions/_kasm-db",
    "fish": "usr/share/fish/vendor_completions.d/kasm-db.fish",
}

OVERRIDES = b"""# It is linked statically, as it also runs where nothing else is.
kasm-db: shared-library-lacks-prerequisites [usr/bin/kasm-db]
# The database of an image, which scripts read while it is built.
kasm-db: uses-dpkg-database-directly [usr/bin/kasm-db]
# A part of the example, which is the start of a repository.
kasm-db: package-contains-vcs-control-file [usr/share/doc/kasm-db/examples/gitops/.gitignore]
# It is not made for the archive of Debian.
kasm-db: initial-upload-closes-no-bugs [usr/share/doc/kasm-db/changelog.Debian.gz:1]
"""


def version_of(version):
    """Returns Debian's version: a pre-release sorts before the release."""
    return version.replace("-", "~", 1) + "-1"


def package(path, about, contents, third_party, epoch):
    """Writes the package to a path."""
    tree = installed(about, contents, third_party, epoch)
    size = sum((len(content) + 1023) // 1024 for kind, content, _ in tree.entries.values() if kind == "file")
    sums = "".join(
        f"{hashlib.md5(content).hexdigest()}  {name}\n"
        for name, (kind, content, _) in sorted(tree.entries.items())
        if kind == "file"
    )
    tree.file("DEBIAN/control", control(about, size + len(tree.entries)).encode())
    tree.file("DEBIAN/md5sums", sums.encode())
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        tree.write(folder)
        # With several threads the compressed bytes would depend on their number.
        options = ["--root-owner-group", "-Zxz", "--threads-max=1"]
        subprocess.run(
            ["dpkg-deb", *options, "--build", folder, path],
            check=True,
            stdout=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "SOURCE_DATE_EPOCH": str(epoch)},
        )


def installed(about, contents, third_party, epoch):
    tree = Tree(epoch)
    tree.file("usr/bin/kasm-db", contents.program, 0o755)
    for shell, path in COMPLETIONS.items():
        tree.file(path, contents.completions[shell])
    for page, text in contents.man.items():
        tree.file(f"usr/share/man/man{page[-1]}/{page}.gz", compressed(text))
    put(tree, "usr/share/kasm-db/", contents.schemas)
    doc = "usr/share/doc/kasm-db/"
    put(tree, doc, contents.examples)
    tree.file(doc + "README.md", contents.texts["README.md"])
    tree.file(doc + "copyright", copyright_of(contents, epoch).encode())
    tree.file(doc + "changelog.gz", compressed(contents.texts["CHANGELOG.md"]))
    tree.file(doc + "changelog.Debian.gz", compressed(changes(about, epoch).encode()))
    tree.file(doc + "third-party.txt.gz", compressed(third_party))
    tree.file("usr/share/lintian/overrides/kasm-db", OVERRIDES)
    return tree


def control(about, kibibytes):
    return f"""Package: kasm-db
Version: {version_of(about.version)}
Architecture: {about.debian_arch}
Maintainer: {MAINTAINER}
Installed-Size: {kibibytes}
Suggests: docker.io | docker-ce
Section: admin
Priority: optional
Description: config-as-code for the database of Kasm Workspaces
 kasm-db reads a document that declares the image of the database of a Kasm
 Workspaces deployment, its preloaded libraries, what pgaudit logs, and other
 settings of PostgreSQL.
 .
 It plans the smallest change of compose files and postgresql.conf, shows it,
 applies it to all files or none, rolls back, and checks the running server.
"""


def changes(about, epoch):
    return f"""kasm-db ({version_of(about.version)}) unstable; urgency=medium

  * Version {about.version}; changelog.gz has its changes.

 -- {MAINTAINER}  {email.utils.formatdate(epoch)}
"""


def copyright_of(contents, epoch):
    mit = contents.texts["LICENSE-MIT"].decode().split("\n\n", 2)
    year = email.utils.formatdate(epoch).split()[3]
    holder = mit[1].removeprefix("Copyright (c) ").strip()
    text = "\n".join(" " + (line or ".") for line in mit[2].rstrip().splitlines())
    return f"""Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: kasm-db
Comment: third-party.txt.gz has the licenses of everything that is linked into
 the program.

Files: *
Copyright: {year} {holder}
License: Expat or Apache-2.0

License: Expat
{text}

License: Apache-2.0
 On Debian systems, the text of the Apache License, version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
"""
