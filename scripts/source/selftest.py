"""Small crates whose arrows and circles are known: scripts/circles must find exactly those."""

import os
import tempfile

from . import graph, modules

# Name: the files of a crate, its arrows, its circles. An arrow is `from:line to`.
CASES = {
    "two files import each other": (
        {
            "lib.rs": "mod a;\nmod b;",
            "a.rs": "use crate::b::B;\npub struct A(B);",
            "b.rs": "use crate::a::A;\npub struct B;",
        },
        ["a.rs:1 b.rs", "b.rs:1 a.rs"],
        ["a.rs b.rs"],
    ),
    "a declared module is not an import": (
        {"lib.rs": "mod a;\npub struct Top;", "a.rs": "use crate::Top;"},
        ["a.rs:1 lib.rs"],
        [],
    ),
    "a parent calls its child, which uses the parent's type": (
        {"lib.rs": "mod a;\npub struct Top;\nfn f() { a::g(); }", "a.rs": "use super::Top;\npub fn g() {}"},
        ["a.rs:1 lib.rs", "lib.rs:3 a.rs"],
        ["a.rs lib.rs"],
    ),
    "a re-export is followed to the file that defines": (
        {
            "lib.rs": "mod a;\nmod b;\nmod c;\npub use b::B;",
            "a.rs": "pub struct A;\nfn f(_: crate::B, _: crate::b::Renamed) {}",
            "b.rs": "pub struct B;\npub use super::c::C as Renamed;",
            "c.rs": "use crate::a::A;\npub struct C;",
        },
        ["a.rs:2 b.rs", "a.rs:2 c.rs", "b.rs:2 c.rs", "c.rs:1 a.rs", "lib.rs:4 b.rs"],
        ["a.rs b.rs c.rs"],
    ),
    "a glob re-export is followed too": (
        {
            "lib.rs": "mod a;\nmod b;",
            "a.rs": "pub use super::b::*;",
            "b.rs": "pub fn f() {}\nuse crate::a::f as g;",
        },
        ["a.rs:1 b.rs"],
        [],
    ),
    "nested groups, self and renames": (
        {
            "lib.rs": "mod a;\nmod b;\nmod c;",
            "a.rs": "use crate::{\n    b::{self, deep::{Deep, self as low}},\n    c::C as Other,\n};\n"
            "fn f() { b::g(); low::h(); }",
            "b.rs": "pub mod deep;\npub fn g() {}",
            "b/deep.rs": "pub struct Deep;\npub fn h() {}",
            "c.rs": "pub struct C;\nuse super::b::deep::Deep;",
        },
        ["a.rs:2 b/deep.rs", "a.rs:3 c.rs", "a.rs:5 b.rs", "c.rs:2 b/deep.rs"],
        [],
    ),
    "an imported module makes no arrow, what is named through it does": (
        {
            "lib.rs": "mod a;\nmod b;",
            "a.rs": "use crate::b;\nfn f() -> b::deep::Deep { b::deep::Deep::new() }",
            "b.rs": "pub(crate) mod deep;",
            "b/deep.rs": "pub struct Deep;",
        },
        ["a.rs:2 b/deep.rs"],
        [],
    ),
    "a module and a function of one name": (
        {
            "lib.rs": "mod a;\nmod b;",
            "a.rs": "use crate::b::{escape};\nfn f() { escape(); }",
            "b.rs": "mod escape;\npub use self::escape::escape;",
            "b/escape.rs": "pub fn escape() {}",
        },
        ["a.rs:1 b/escape.rs", "b.rs:2 b/escape.rs"],
        [],
    ),
    "circles that are there for tests only": (
        {
            "lib.rs": "mod a;\nmod b;\n#[cfg(test)]\nmod t;",
            "a.rs": "use crate::b::B;\npub struct A<T, U>(T, U);\n"
            "#[cfg(test)]\n#[allow(unused)]\nuse crate::t::T;",
            "b.rs": "pub struct B;\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n"
            '#[cfg(all(unix, test))]\nfn f<A, B>() -> crate::a::A { "}" }',
            "t.rs": "use crate::a::A;",
        },
        ["a.rs:1 b.rs"],
        [],
    ),
    "other files and folders: path, inline modules, mod.rs": (
        {
            "lib.rs": '#[path = "odd/name.rs"]\nmod a;\n'
            "mod inside {\n    pub mod low;\n    pub struct In;\n}\nmod c;",
            "odd/name.rs": "use crate::inside::low::Low;\npub struct A;",
            "inside/low.rs": "use super::In;\nuse crate::c::C;\npub struct Low;",
            "c/mod.rs": "mod d;\npub struct C(d::D);",
            "c/d.rs": "pub struct D;\nfn f(_: super::super::a::A) {}",
        },
        [
            "c/d.rs:2 odd/name.rs",
            "c/mod.rs:2 c/d.rs",
            "inside/low.rs:1 lib.rs",
            "inside/low.rs:2 c/mod.rs",
            "odd/name.rs:1 inside/low.rs",
        ],
        ["c/d.rs c/mod.rs inside/low.rs odd/name.rs"],
    ),
    "comments, strings, lifetimes and crates outside": (
        {
            "lib.rs": "mod a;\nmod b;\nmod std;",
            "a.rs": "// use crate::b::B;\n/* /* */ use crate::b::B; */\n"
            'const S: &str = r#"\n"use crate::b::B;"#;\n'
            "fn f<'a>(c: &'a str) -> char { let _ = '\"'; '\\'' }\n"
            "use ::std::io;\nuse other::b::B;\npub struct A;",
            "b.rs": "const C: [u8; 2] = { use crate::a; [a::X, 1] };\n"
            "fn f() -> impl Iterator<Item = crate::a::A> {}\npub struct B;",
            "std.rs": "pub mod io {}",
        },
        ["b.rs:1 a.rs"],
        [],
    ),
    "imports in bodies, macros, attributes and impls": (
        {
            "lib.rs": "mod a;\nmod b;\nmod c;\nmod d;",
            "a.rs": "fn f() {\n    use crate::b::g;\n    g();\n}\npub fn made() {}",
            "b.rs": 'table! { Made }\npub fn g() { println!("{}", crate::c::X); }',
            "c.rs": "pub const X: u8 = 1;\n"
            '#[serde(with = "crate::d")]\nstruct S {\n    #[serde(with = "crate::d::D")]\n    x: u8,\n}',
            "d.rs": "pub struct D;\nimpl super::b::Made for D {}\npub(in crate::a) fn h() {}",
        },
        ["a.rs:2 b.rs", "b.rs:2 c.rs", "c.rs:4 d.rs", "d.rs:2 b.rs"],
        ["b.rs c.rs d.rs"],
    ),
}


def run():
    """Returns the exit code."""
    wrong = 0
    for name, (files, arrows, circles) in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            for file, text in files.items():
                path = os.path.join(folder, "src", file)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w", encoding="utf-8") as out:
                    out.write(text)
            root, _ = modules.read_crate(os.path.join(folder, "src/lib.rs"))
            found = graph.arrows(root)

            def short(source, start=os.path.join(folder, "src")):
                return os.path.relpath(source.path, start)

            seen = [f"{short(source)}:{line} {short(target)}" for (source, target), line in found.items()]
            seen_circles = [" ".join(map(short, component)) for component in graph.circles(found)]
        good = sorted(seen) == sorted(arrows) and seen_circles == circles
        wrong += not good
        print(f"{'passed' if good else 'FAILED'}: {name}")
        if not good:
            print(f"  arrows  {sorted(seen)}\n  not     {sorted(arrows)}")
            print(f"  circles {seen_circles}\n  not     {circles}")
    length = _length("fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n")
    print(f"{'passed' if length == 2 else 'FAILED'}: lines without tests: {length} of 2")
    return 1 if wrong or length != 2 else 0


def _length(text):
    with tempfile.NamedTemporaryFile("w", suffix=".rs", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        return modules.Source(file.name).length
