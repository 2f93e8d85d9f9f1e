"""Trees of files in memory: what is there, byte for byte, and how to put it there again."""

import hashlib
import os
import re
import stat
from typing import NamedTuple

# A record of ours says when it was made. Two states that differ in nothing else are one state.
# The note says where the box is.
CLOCK = re.compile(rb"^(time|sha256) [0-9a-f]+$|^note .*$", re.M)

# Written beside a target, and ours alone.
TEMPORARY = re.compile(r"\.kasm-db-(new|old)$")

# Where the journal and the generations are, below the root; what of it only a run under way has.
STATE = ".kasm-db"
UNFINISHED = re.compile(r"/journal$|\.new$|\.next$")
KEPT = re.compile(STATE + r"(/(\.gitignore|layout|managed|private(/lock)?|(private/)?generations(/.*)?))?")
GENERATION = re.compile(STATE + r"/(private/)?generations/\d+")
# What everybody may read of it; in the folder of an earlier version that is nothing.
PUBLIC = re.compile(STATE + r"(/(\.gitignore|layout(\.new)?|managed(\.\w+)?|generations(/\d+(/manifest(\.new)?)?)?))?")


class Entry(NamedTuple):
    """What a name stands for; `twin` is the first path of the same inode, if that is not this one."""

    kind: str  # file, dir, link or other
    mode: int
    uid: int
    gid: int
    xattrs: tuple
    content: bytes
    twin: str

    def attributes(self):
        return self.kind, oct(self.mode), self.uid, self.gid, self.xattrs


def read(root):
    """Reads everything below a folder: relative path to `Entry`. The folder itself is `.`."""
    found, inodes = {".": _entry(root, {}, ".")}, {}
    pending = [""]
    while pending:
        folder = pending.pop()
        for name in sorted(os.listdir(os.path.join(root, folder))):
            path = os.path.join(folder, name)
            found[path] = _entry(os.path.join(root, path), inodes, path)
            if found[path].kind == "dir":
                pending.append(path)
    return found


def _entry(path, inodes, name):
    status = os.lstat(path)
    mode = stat.S_IMODE(status.st_mode)
    owner = status.st_uid, status.st_gid
    if stat.S_ISLNK(status.st_mode):
        return Entry("link", 0, *owner, (), os.fsencode(os.readlink(path)), "")
    if stat.S_ISDIR(status.st_mode):
        return Entry("dir", mode, *owner, _xattrs(path), b"", "")
    if not stat.S_ISREG(status.st_mode):
        return Entry("other", mode, *owner, (), b"", "")
    twin = inodes.setdefault((status.st_dev, status.st_ino), name) if status.st_nlink > 1 else name
    with open(path, "rb") as file:
        return Entry("file", mode, *owner, _xattrs(path), file.read(), "" if twin == name else twin)


def _xattrs(path):
    names = (n for n in os.listxattr(path) if not n.startswith("security."))
    return tuple(sorted((name, os.getxattr(path, name)) for name in names))


def write(tree, root):
    """Makes a tree below a folder that is not there yet."""
    os.makedirs(root, exist_ok=True)
    ordered = sorted(tree.items())
    for path, entry in ordered:
        there = os.path.normpath(os.path.join(root, path))
        if path != "." and not os.path.isdir(os.path.dirname(there)):
            # A file system that lost the folder has lost what is in it.
            continue
        if entry.kind == "dir":
            os.makedirs(there, mode=0o700, exist_ok=True)
        elif entry.kind == "link":
            os.symlink(entry.content, there)
        elif entry.kind == "file" and entry.twin in tree:
            os.link(os.path.join(root, entry.twin), there)
        elif entry.kind == "file":
            with open(there, "wb") as file:
                file.write(entry.content)
            _attributes(there, entry)
    for path, entry in reversed(ordered):
        there = os.path.normpath(os.path.join(root, path))
        if entry.kind == "dir" and os.path.isdir(there):
            _attributes(there, entry)


def _attributes(path, entry):
    if os.geteuid() == 0:
        os.chown(path, entry.uid, entry.gid)
    os.chmod(path, entry.mode)
    for name, value in entry.xattrs:
        os.setxattr(path, name, value)


def fixture(path, root):
    """Makes one of the trees of `tests/fixtures` below a folder."""
    made = {}
    with open(path, encoding="utf-8") as file:
        for line in file.read().replace("[ROOT]", root).splitlines():
            if line[0] in "|\\":
                text = line[1:] + ("\n" if line[0] == "|" else "")
                made[name] = made[name]._replace(content=made[name].content + text.encode())
            elif line[0] != "#":
                kind, mode, name = line.split(" ", 2)
                made[name] = Entry("dir" if kind == "folder" else "file", int(mode, 8), 0, 0, (), b"", "")
    write(made, root)


def copy(source, target):
    """Copies a folder with owners, modes, attributes and links."""
    write(read(source), target)


def digest(tree):
    """Names a state: two trees with one digest behave alike in every later run."""
    total = hashlib.sha256()
    for path, entry in sorted(tree.items()):
        content = entry.content
        if f"/{STATE}/" in f"/{path}":
            content = CLOCK.sub(b"", content)
        total.update(repr((path, entry._replace(content=content))).encode())
    return total.digest()


def stamps(root):
    """Everything that a write anywhere below a folder would move, the folder itself included."""
    seen = []
    for folder, _, files in os.walk(root):
        for path in [folder, *(os.path.join(folder, name) for name in files)]:
            status = os.lstat(path)
            seen.append((path, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size))
    return sorted(seen)
