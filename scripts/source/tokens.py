"""Splits Rust text into tokens, and finds the items that are compiled for tests only."""

import re
from typing import NamedTuple


class Token(NamedTuple):
    text: str
    line: int


PARTS = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*)
  | (?P<block>/\*)
  | (?P<raw>[bc]?r(?P<hashes>\#*)"(?s:.*?)"(?P=hashes))
  | (?P<string>[bc]?"(?s:\\.|[^"\\])*")
  | (?P<char>b?'(?:\\(?:x[0-9a-fA-F]{2}|u\{[^}]*\}|.)|[^\\'\n])')
  | (?P<lifetime>'\w+)
  | (?P<name>(?:r\#)?[^\W\d]\w*)
  | (?P<number>\d\w*)
  | (?P<sign>::|.)
    """,
    re.VERBOSE,
)
BLOCK = re.compile(r"/\*|\*/")
CLOSING = {"(": ")", "[": "]", "{": "}"}
# Items in which a brace is a part of an expression or of a list, and items in which a comma ends nothing.
TO_SEMICOLON = {"use", "const", "static", "let", "type"}
ITEMS = {"fn", "impl", "struct", "enum", "union", "trait", "mod", "unsafe", "async", "extern", *TO_SEMICOLON}


def tokens(text):
    """Returns the tokens of a file without comments; strings keep their quotes, characters become `''`."""
    found, at, line = [], 0, 1
    while at < len(text):
        match = PARTS.match(text, at)
        end = match.end()
        if match["block"]:
            end = _block_end(text, end)
        elif match["raw"] or match["string"]:
            content = (match["raw"] or match["string"]).partition('"')[2].rstrip("#")
            found.append(Token('"' + content, line))
        elif match["char"] or match["lifetime"]:
            found.append(Token("''", line))
        elif not match["space"]:
            found.append(Token(match[0].removeprefix("r#"), line))
        line += text.count("\n", at, end)
        at = end
    return found


def _block_end(text, at):
    """Returns where a block comment ends; they nest."""
    depth = 1
    while depth:
        mark = BLOCK.search(text, at)
        if mark is None:
            return len(text)
        depth += 1 if mark[0] == "/*" else -1
        at = mark.end()
    return at


def closing(found, at):
    """Returns the position of the bracket that closes the one at `at`."""
    stack = []
    for place in range(at, len(found)):
        text = found[place].text
        if text in CLOSING:
            stack.append(CLOSING[text])
        elif stack and text == stack[-1]:
            stack.pop()
            if not stack:
                return place
    raise ValueError(f"line {found[at].line}: nothing closes `{found[at].text}`")


def item_end(found, at):
    """Returns the position behind the item, statement, field or arm that begins at `at`."""
    first = _head(found, at)
    while at < len(found):
        text = found[at].text
        if text in CLOSING:
            at = closing(found, at)
            if text == "{" and first not in TO_SEMICOLON:
                return at + 1
        elif text == ";" or (text == "," and first not in ITEMS):
            return at + 1
        elif text in CLOSING.values():
            return at
        at += 1
    return at


def _head(found, at):
    """Returns the word that says what an item is; `const fn` is a `fn`."""
    if found[at].text == "pub":
        at += 1
        if found[at].text == "(":
            at = closing(found, at) + 1
    words = [token.text for token in found[at : at + 2]]
    return "fn" if words[0] == "const" and words[-1] in ("fn", "unsafe", "async", "extern") else words[0]


def is_for_tests(attribute):
    """Whether the tokens between the brackets of an attribute are `cfg(test)` or `cfg(all(…, test, …))`."""
    words = [token.text for token in attribute]
    if words[:2] != ["cfg", "("]:
        return False
    return words[2:] == ["test", ")"] or (words[2:4] == ["all", "("] and _has_plain_test(words[4:]))


def _has_plain_test(words):
    depth = 0
    for word in words:
        depth += {"(": 1, ")": -1}.get(word, 0)
        if word == "test" and depth == 0:
            return True
    return False


def without_tests(found):
    """Returns the tokens without test-only items, and the line ranges of those items."""
    kept, ranges, at = [], [], 0
    while at < len(found):
        if found[at].text == "#" and at + 1 < len(found) and found[at + 1].text == "[":
            close = closing(found, at + 1)
            if is_for_tests(found[at + 2 : close]):
                end = item_end(found, _behind_attributes(found, close + 1))
                ranges.append((found[at].line, found[end - 1].line))
                at = end
                continue
            kept += found[at : close + 1]
            at = close + 1
            continue
        kept.append(found[at])
        at += 1
    return kept, ranges


def _behind_attributes(found, at):
    while at + 1 < len(found) and found[at].text == "#" and found[at + 1].text == "[":
        at = closing(found, at + 1) + 1
    return at
