"""The arrows between the files of a crate, and the circles among them."""

import glob
import os

from .modules import Module, Source, read_crate


def read_workspace(repository):
    """Reads `crates/*/src`; returns all sources and all arrows."""
    sources, found = [], {}
    for folder in sorted(glob.glob(os.path.join(repository, "crates", "*", "src"))):
        roots = [os.path.join(folder, name) for name in ("lib.rs", "main.rs")]
        roots += sorted(glob.glob(os.path.join(folder, "bin", "*.rs")))
        for path in filter(os.path.exists, roots):
            root, more = read_crate(path)
            sources += more
            found.update(arrows(root))
    return sources, found


def arrows(root):
    """Returns which source of a crate uses which other, with the first line that does: {(from, to): line}."""
    found = {}

    def note(module, things, line):
        for thing in things:
            if isinstance(thing, Source) and thing is not module.source:
                key = (module.source, thing)
                found[key] = min(line, found.get(key, line))

    for module in root.all():
        for use in module.uses + module.local_uses:
            things = module.find(use.path, inside=use in module.local_uses)
            if use.name == "*":
                # Which names come in this way is not known: the module itself is taken to be used.
                things = {thing.source if isinstance(thing, Module) else thing for thing in things}
            note(module, things, use.line)
        for path, line in module.paths:
            note(module, module.find(path, inside=True), line)
    return found


def circles(found):
    """Returns the strongly connected components of two and more files, by Tarjan's algorithm."""
    after = {}
    for source, target in found:
        after.setdefault(source, []).append(target)
    number, low, stack, components = {}, {}, [], []

    def visit(node):
        number[node] = low[node] = len(number)
        stack.append(node)
        for other in after.get(node, []):
            if other not in number:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], number[other])
        if low[node] == number[node]:
            component = []
            while not component or component[-1] is not node:
                component.append(stack.pop())
            if len(component) > 1:
                components.append(sorted(component, key=lambda source: source.path))

    for node in list(after):
        if node not in number:
            visit(node)
    return sorted(components, key=lambda component: component[0].path)
