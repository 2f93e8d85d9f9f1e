"""The archive: one folder that works wherever it is unpacked."""

from .contents import put
from .tree import Tree, compressed

# Where shells look for a file by its name.
COMPLETIONS = {"bash": "kasm-db", "zsh": "_kasm-db", "fish": "kasm-db.fish"}


def archive(name, contents, third_party, epoch):
    """Returns the bytes of a `.tar.gz` whose only folder is `name`."""
    tree = Tree(epoch)
    top = name + "/"
    tree.file(top + "kasm-db", contents.program, 0o755)
    for shell, file in COMPLETIONS.items():
        tree.file(f"{top}completions/{shell}/{file}", contents.completions[shell])
    for page, text in contents.man.items():
        tree.file(f"{top}man/man{page[-1]}/{page}", text)
    for files in (contents.schemas, contents.examples, contents.docs):
        put(tree, top, files)
    for file, text in contents.texts.items():
        tree.file(top + file, text)
    tree.file(top + "THIRD-PARTY.txt", third_party)
    return compressed(tree.tar())
