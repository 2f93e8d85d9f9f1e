"""The licenses of everything that is linked into the program, with the notices that come with them."""

import os
import re

TEXT = re.compile(r"(licen[cs]e|copying|notice|copyright|unlicense)", re.IGNORECASE)


def third_party(libraries):
    """Returns one text: each library with its license, and each distinct text once, with those that it is of."""
    lines = ["What is linked into kasm-db besides its own crates, and under which license:", ""]
    texts = {}
    for library in libraries:
        if library.purl.startswith("pkg:cargo/") and library.folder is None:
            continue
        lines.append(f"{library.name} {library.version}: {library.license}")
        for text in texts_of(library.folder) if library.folder else ():
            texts.setdefault(text, []).append(f"{library.name} {library.version}")
    lines += [
        "",
        "glibc is linked statically. Its sources are those of the distribution that the program was built on; build kasm-db",
        "from its own sources to link it with another one.",
    ]
    for text, names in texts.items():
        lines += ["", "-" * 80, ", ".join(names), "-" * 80, "", text]
    return ("\n".join(lines) + "\n").encode()


def texts_of(folder):
    """Returns the texts in the top folder of a crate, and in its folder of licenses."""
    found = []
    for top, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if top == folder and TEXT.match(name))
        for name in sorted(files):
            # A source file may have such a name, too.
            if (TEXT.search(name) or top != folder) and not name.endswith((".rs", ".toml", ".py", ".sh")):
                with open(os.path.join(top, name), encoding="utf-8", errors="replace") as file:
                    found.append("\n".join(line.rstrip() for line in file.read().strip().splitlines()))
    return found
