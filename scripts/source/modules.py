"""The module tree of a crate, and the file in which the thing that a path names is defined."""

import os
import re
from typing import NamedTuple

from .tokens import closing, item_end, tokens, without_tests

NAMING = {"struct", "enum", "union", "trait", "type", "const", "static", "fn"}
QUOTED_PATH = re.compile(r'"(crate|self|super)(::\w+)+"')
# A `use` of itself, or of a crate outside, comes to nothing.
DEEPEST = 64


class Use(NamedTuple):
    path: list
    line: int
    name: str  # What it is called here; `*` for all.


class Module:
    """A module: a file, or a part of one."""

    def __init__(self, source, parent, folder):
        self.source, self.parent, self.folder = source, parent, folder
        self.children, self.defined = {}, set()
        self.uses, self.local_uses, self.paths = [], [], []

    @property
    def root(self):
        return self.parent.root if self.parent else self

    def all(self):
        yield self
        for child in self.children.values():
            yield from child.all()

    # What a path names. An answer is a set of modules and of sources (the file that defines something).

    def find(self, path, inside=False, seen=frozenset()):
        """Resolves a path; `inside` also with the `use` items in function bodies."""
        key = (self, tuple(path), inside)
        if key in seen or len(seen) > DEEPEST:
            return set()
        seen = seen | {key}
        first, rest = path[0], path[1:]
        if first == "crate":
            found = {self.root}
        elif first == "self":
            found = {self}
        elif first == "super":
            found = {self.parent} if self.parent else set()
        else:
            found = self._named(first, inside, seen)
        while rest:
            modules = {thing for thing in found if isinstance(thing, Module)}
            if not modules:
                # What follows is a variant, a method or a constant of it.
                return found
            name, rest = rest[0], rest[1:]
            found = set()
            for module in modules:
                if name == "super":
                    found |= {module.parent} if module.parent else set()
                elif name == "self":
                    found |= {module}
                else:
                    # What is not seen to be defined comes out of a macro there.
                    found |= module._named(name, False, seen)
                    if not found and not module._imports(name):
                        found.add(module.source)
        return found

    def _imports(self, name):
        return any(use.name == name for use in self.uses)

    def _named(self, name, inside, seen):
        """What a name stands for in this module; it can be a module and a function at once."""
        found = set()
        if name in self.children:
            found.add(self.children[name])
        if name in self.defined:
            found.add(self.source)
        uses = self.uses + self.local_uses if inside else self.uses
        for use in uses:
            if use.name == name:
                found |= self.find(use.path, inside, seen)
        if not found:
            for use in uses:
                if use.name == "*":
                    for thing in self.find(use.path, inside, seen):
                        if isinstance(thing, Module) and thing is not self:
                            found |= thing._named(name, False, seen)
        return found


class Source:
    """A file of a crate."""

    def __init__(self, path):
        self.path = path
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.lines = text.splitlines()
        self.tokens, ranges = without_tests(tokens(text))
        left_out = {line for first, last in ranges for line in range(first, last + 1)}
        self.length = len(self.lines) - len(left_out)


def read_crate(root):
    """Reads the crate whose root file is `root`; returns its root module and its sources."""
    sources = []
    return _read_file(root, None, os.path.dirname(root), sources), sources


def _read_file(path, parent, folder, sources):
    source = Source(path)
    sources.append(source)
    module = Module(source, parent, folder)
    _items(module, source.tokens, sources, os.path.dirname(path))
    return module


def _items(module, found, sources, beside):
    """Reads the items of a module; `beside` is where `#[path]` starts."""
    at, path = 0, None
    while at < len(found):
        text = found[at].text
        if text == "#":
            bracket = at + 1 + (found[at + 1].text == "!")
            end = closing(found, bracket) + 1
            inner = [token.text for token in found[bracket + 1 : end - 1]]
            if inner[:2] == ["path", "="]:
                path = inner[2].strip('"')
            _code(module, found[bracket + 1 : end - 1])
            at = end
            continue
        if text == "pub":
            at += 1
            if at < len(found) and found[at].text == "(":
                at = closing(found, at) + 1
            continue
        end = item_end(found, at)
        if text == "mod":
            _module(module, found[at:end], path, sources, beside)
        elif text == "use":
            module.uses += _uses(found[at + 1 : end - 1])
        else:
            _define(module, found[at:end])
            _code(module, found[at:end])
        at, path = end, None


def _module(module, item, path, sources, beside):
    name = item[1].text
    folder = os.path.join(module.folder, name)
    if item[2].text == "{":
        child = module.children[name] = Module(module.source, module, folder)
        _items(child, item[3:-1], sources, folder)
        return
    if path:
        file = os.path.normpath(os.path.join(beside, path))
        folder = os.path.dirname(file)
    else:
        file = folder + ".rs"
        if not os.path.exists(file):
            file = os.path.join(folder, "mod.rs")
    module.children[name] = _read_file(file, module, folder, sources)


def _define(module, item):
    """Notes the name that an item defines, if it does."""
    for place, token in enumerate(item[:-1]):
        if token.text == "impl" or token.text in "{(<;":
            return
        if token.text == "macro_rules":
            module.defined.add(item[place + 2].text)
            return
        if token.text in NAMING and item[place + 1].text not in NAMING | {"unsafe", "extern", "async"}:
            name = item[place + 2 if item[place + 1].text == "mut" else place + 1].text
            module.defined.add(name)
            return


def _uses(found):
    """Flattens what stands between `use` and `;`."""
    flat = []

    def tree(at, before):
        path = list(before)
        if found[at].text == "::":
            # A crate outside, whatever modules there are.
            path.append("::")
            at += 1
        while True:
            token = found[at]
            if token.text == "{":
                end = closing(found, at)
                at += 1
                while at < end:
                    at = tree(at, path)
                    if found[at].text == ",":
                        at += 1
                return end + 1
            if token.text == "*":
                flat.append(Use(path, token.line, "*"))
                return at + 1
            if not (token.text == "self" and path):
                path.append(token.text)
            at += 1
            if at < len(found) and found[at].text == "::":
                at += 1
                continue
            name = path[-1]
            if at < len(found) and found[at].text == "as":
                name = found[at + 1].text
                at += 2
            flat.append(Use(path, token.line, name))
            return at

    tree(0, [])
    return flat


def _code(module, found):
    """Notes the paths in code, and the `use` items in it."""
    at = 0
    while at < len(found):
        token = found[at]
        if QUOTED_PATH.fullmatch(token.text) and at and found[at - 1].text == "=":
            # serde and its like take paths as strings.
            module.paths.append((token.text.strip('"').split("::"), token.line))
        # `use<'a>` in a type says what it captures.
        captures = at + 1 < len(found) and found[at + 1].text == "<"
        if token.text == "use" and not captures:
            end = next(place for place in range(at, len(found)) if found[place].text == ";")
            module.local_uses += _uses(found[at + 1 : end])
            at = end + 1
            continue
        if (
            token.text == "pub"
            and at + 2 < len(found)
            and found[at + 1].text == "("
            and found[at + 2].text == "in"
        ):
            # Who may see it is not who is used.
            at = closing(found, at + 1) + 1
            continue
        if not token.text.isidentifier() or (at and found[at - 1].text in (".", "::")):
            at += 1
            continue
        path, at = [token.text], at + 1
        while at + 1 < len(found) and found[at].text == "::" and found[at + 1].text.isidentifier():
            path.append(found[at + 1].text)
            at += 2
        if len(path) > 1:
            module.paths.append((path, token.line))
