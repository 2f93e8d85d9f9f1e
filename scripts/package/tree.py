"""A tree of files in memory, and tar archives of it whose bytes depend on nothing else."""

import gzip
import io
import os
import tarfile


class Tree:
    """Files, links and folders by path. Everything belongs to root and has the same time."""

    def __init__(self, epoch):
        self.epoch = epoch
        self.entries = {}

    def file(self, path, content, mode=0o644):
        self._add(path, ("file", content, mode))

    def link(self, path, target):
        self._add(path, ("link", target, 0o777))

    def folder(self, path):
        self._add(path, ("folder", None, 0o755))

    def _add(self, path, entry):
        parent = os.path.dirname(path)
        if parent and parent not in self.entries:
            self.folder(parent)
        self.entries[path] = entry

    def write(self, folder):
        """Writes the tree to a folder that exists, for programs that read it from there."""
        for path, (kind, content, mode) in sorted(self.entries.items()):
            name = os.path.join(folder, path)
            if kind == "folder":
                os.mkdir(name)
            elif kind == "link":
                os.symlink(content, name)
            else:
                with open(name, "wb") as file:
                    file.write(content)
            if kind != "link":
                # Whatever the caller's umask is.
                os.chmod(name, mode)

    def tar(self):
        """Returns the bytes of a tar archive."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for path, (kind, content, mode) in sorted(self.entries.items()):
                info = tarfile.TarInfo(path)
                info.mode, info.mtime = mode, self.epoch
                info.uname = info.gname = "root"
                if kind == "folder":
                    info.type = tarfile.DIRTYPE
                elif kind == "link":
                    info.type, info.linkname = tarfile.SYMTYPE, content
                else:
                    info.size = len(content)
                archive.addfile(info, io.BytesIO(content) if kind == "file" else None)
        return out.getvalue()


def compressed(content):
    """Returns the bytes in gzip's format, without a name and a time."""
    return gzip.compress(content, compresslevel=9, mtime=0)
