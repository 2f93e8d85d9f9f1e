//! A postgresql.conf with everything it includes, read in the server's order.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::bytes::Bytes;
use crate::conf::{Conf, Entry};
use crate::names::Names;

/// Includes nest this deep below the main file (PostgreSQL 12 to 18, `CONF_FILE_MAX_DEPTH`).
const MAX_DEPTH: usize = 10;

/// A file that includes another ten times, ten levels deep, would be read 10^10 times.
const MAX_READS: usize = 2_000;

/// Two thousand includes of a large file would be as many times its settings.
const MAX_SETTINGS: usize = 100_000;

/// Returns files to [`ConfSet::read`]: from a disk, an archive or a test's table.
///
/// Paths are as the server builds them: absolute as written, else joined to the including file's
/// folder, with `.`, `..` and doubled slashes resolved by name.
pub trait Source {
    /// Reads a file.
    fn read(&self, path: &str) -> Found<Bytes>;
    /// Lists the names of the files in a folder, without its folders.
    fn list(&self, folder: &str) -> Found<Vec<String>>;
}

/// What a [`Source`] knows of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<T> {
    /// It is there.
    Yes(T),
    /// It is surely not there.
    No,
    /// It cannot be seen from here, and why.
    Unknown(String),
}

/// A main file, its includes, and every setting in the order in which the server reads them.
#[derive(Clone, Debug)]
pub struct ConfSet {
    files: Vec<(String, Conf)>,
    order: Vec<(usize, usize)>,
    names: Names,
    problems: Vec<Problem>,
}

/// A setting in its file.
#[derive(Clone, Copy, Debug)]
pub struct Assignment<'a> {
    /// The file's path, as the [`Source`] knows it.
    pub path: &'a str,
    /// The file.
    pub conf: &'a Conf,
    /// The entry in the file.
    pub entry: &'a Entry,
}

impl Assignment<'_> {
    /// Returns the name as it is written.
    pub fn name(&self) -> &[u8] {
        self.conf.name(self.entry)
    }

    /// Returns the value as the server stores it.
    pub fn value(&self) -> Vec<u8> {
        self.conf.value(self.entry)
    }
}

/// Something that keeps the server from starting, or us from seeing all of its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, as the [`Source`] knows it.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// The bytes of the file that it is about: the token that does not fit, or the include's value.
    pub span: Range<usize>,
    /// What is wrong.
    pub kind: ProblemKind,
}

/// The kinds of [`Problem`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// A syntax error near this token; empty at the end of the line.
    Syntax(Vec<u8>),
    /// The include's name is empty or blank.
    EmptyName,
    /// The included file is not there.
    Missing(String),
    /// The folder of an `include_dir` is not there.
    MissingFolder(String),
    /// The included file or folder cannot be seen from here: path and reason.
    Unseen(String, String),
    /// The file includes itself, at once or through others.
    Recursion(String),
    /// Includes nest more than ten levels deep.
    TooDeep(String),
    /// More files than this reader is willing to read.
    TooMany,
    /// More settings than this reader is willing to read: the rest is left out.
    TooManySettings,
}

impl ProblemKind {
    /// Returns whether the server would refuse to start; the only other kind is a file we cannot see.
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Self::Unseen(..))
    }
}

impl ConfSet {
    /// Reads `main` (the bytes of the file at `path`) and what it includes.
    ///
    /// `include`, `include_if_exists` and `include_dir` are followed where they stand, relative to the
    /// file that holds them; of a folder the files `*.conf` that do not start with a dot, in the order
    /// of their bytes.
    pub fn read(path: &str, main: impl Into<Bytes>, source: &dyn Source) -> Self {
        let mut reader = Reader { source, set: Self::empty(), known: BTreeMap::new(), reads: 0 };
        let main = reader.add(path, Conf::parse(main));
        reader.walk(main, &mut vec![path.to_string()]);
        let mut set = reader.set;
        set.index(0);
        set
    }

    /// Appends what another file sets, as `postgresql.auto.conf` follows `postgresql.conf`.
    pub fn chain(&mut self, path: &str, bytes: impl Into<Bytes>, source: &dyn Source) {
        let other = Self::read(path, bytes, source);
        let (files, known) = (self.files.len(), self.order.len());
        self.files.extend(other.files);
        self.order.extend(other.order.into_iter().map(|(file, entry)| (files + file, entry)));
        self.problems.extend(other.problems);
        self.index(known);
    }

    /// Notes the names from one place in the order on.
    fn index(&mut self, from: usize) {
        for &(file, entry) in &self.order[from..] {
            let conf = &self.files[file].1;
            self.names.push(conf.name(&conf.entries()[entry]));
        }
    }

    fn empty() -> Self {
        Self { files: Vec::new(), order: Vec::new(), names: Names::default(), problems: Vec::new() }
    }

    /// Returns every file that was read, the main one first.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Conf)> {
        self.files.iter().map(|(path, conf)| (path.as_str(), conf))
    }

    /// Returns the main file.
    pub fn main(&self) -> &Conf {
        &self.files[0].1
    }

    /// Returns every setting in the server's reading order, without the include directives.
    ///
    /// A file that is included twice is read twice.
    pub fn assignments(&self) -> impl DoubleEndedIterator<Item = Assignment<'_>> {
        (0..self.order.len()).map(|index| self.assignment(index))
    }

    fn assignment(&self, index: usize) -> Assignment<'_> {
        let (file, entry) = self.order[index];
        let (path, conf) = &self.files[file];
        Assignment { path, conf, entry: &conf.entries()[entry] }
    }

    /// Returns every setting with one of these names, in whatever letter case, in the server's reading order.
    pub fn assignments_of(&self, names: &[&str]) -> Vec<Assignment<'_>> {
        let mut found: Vec<usize> = Vec::new();
        for name in names {
            let is_named =
                |index: &usize| self.assignment(*index).name().eq_ignore_ascii_case(name.as_bytes());
            found.extend(self.names.candidates(name.as_bytes()).filter(is_named));
        }
        found.sort_unstable();
        found.dedup();
        found.into_iter().map(|index| self.assignment(index)).collect()
    }

    /// Returns the setting that counts: the last one of `name`, in whatever letter case.
    pub fn effective(&self, name: &str) -> Option<Assignment<'_>> {
        self.assignments_of(&[name]).pop()
    }

    /// Returns what is wrong, in reading order.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

/// Where a problem is: its line and its bytes.
type At = (usize, Range<usize>);

struct Reader<'a> {
    source: &'a dyn Source,
    set: ConfSet,
    known: BTreeMap<String, usize>,
    reads: usize,
}

impl Reader<'_> {
    fn add(&mut self, path: &str, conf: Conf) -> usize {
        let index = self.set.files.len();
        for error in conf.errors() {
            let near = conf.bytes()[error.near.clone()].to_vec();
            self.report(path, &(error.line, error.near.clone()), ProblemKind::Syntax(near));
        }
        self.set.files.push((path.to_string(), conf));
        self.known.insert(path.to_string(), index);
        index
    }

    fn report(&mut self, path: &str, (line, span): &At, kind: ProblemKind) {
        self.set.problems.push(Problem { path: path.to_string(), line: *line, span: span.clone(), kind });
    }

    fn walk(&mut self, file: usize, stack: &mut Vec<String>) {
        for index in 0..self.set.files[file].1.entries().len() {
            let (path, conf) = &self.set.files[file];
            let entry = &conf.entries()[index];
            let directive = conf.name(entry).to_ascii_lowercase();
            let required = match &directive[..] {
                b"include" | b"include_dir" => true,
                b"include_if_exists" => false,
                _ if self.set.order.len() < MAX_SETTINGS => {
                    self.set.order.push((file, index));
                    continue;
                }
                _ => {
                    let (path, at) = (path.clone(), (entry.line, entry.name.clone()));
                    let told = self.set.problems.iter().any(|p| p.kind == ProblemKind::TooManySettings);
                    if !told {
                        self.report(&path, &at, ProblemKind::TooManySettings);
                    }
                    return;
                }
            };
            let (path, at) = (path.clone(), (entry.line, entry.value.clone()));
            let value = String::from_utf8_lossy(&conf.value(entry)).into_owned();
            if value.trim_ascii().is_empty() {
                self.report(&path, &at, ProblemKind::EmptyName);
                continue;
            }
            let target = join(&path, &value);
            if directive == b"include_dir" {
                self.folder(&path, &at, &target, stack);
            } else {
                self.file(&path, &at, &target, required, stack);
            }
        }
    }

    fn folder(&mut self, path: &str, at: &At, folder: &str, stack: &mut Vec<String>) {
        match self.source.list(folder) {
            Found::No => self.report(path, at, ProblemKind::MissingFolder(folder.to_string())),
            Found::Unknown(why) => self.report(path, at, ProblemKind::Unseen(folder.to_string(), why)),
            Found::Yes(mut names) => {
                names.retain(|name| !name.starts_with('.') && name.ends_with(".conf") && name.len() > 5);
                names.sort();
                for name in names {
                    self.file(path, at, &format!("{}/{name}", folder.trim_end_matches('/')), true, stack);
                }
            }
        }
    }

    fn file(&mut self, path: &str, at: &At, target: &str, required: bool, stack: &mut Vec<String>) {
        self.reads += 1;
        let problem = if self.reads > MAX_READS {
            if self.reads > MAX_READS + 1 {
                return;
            }
            ProblemKind::TooMany
        } else if stack.iter().any(|above| above == target) {
            ProblemKind::Recursion(target.to_string())
        } else if stack.len() > MAX_DEPTH {
            ProblemKind::TooDeep(target.to_string())
        } else {
            let found = match self.known.get(target) {
                Some(&index) => Found::Yes(index),
                None => match self.source.read(target) {
                    Found::Yes(bytes) => Found::Yes(self.add(target, Conf::parse(bytes))),
                    Found::No => Found::No,
                    Found::Unknown(why) => Found::Unknown(why),
                },
            };
            match found {
                Found::Yes(index) => {
                    stack.push(target.to_string());
                    self.walk(index, stack);
                    stack.pop();
                    return;
                }
                Found::No if !required => return,
                Found::No => ProblemKind::Missing(target.to_string()),
                Found::Unknown(why) => ProblemKind::Unseen(target.to_string(), why),
            }
        };
        self.report(path, at, problem);
    }
}

/// Joins an include's name to the folder of the file that holds it.
fn join(including: &str, name: &str) -> String {
    let folder = including.rfind('/').map_or("", |slash| &including[..=slash]);
    let joined = if name.starts_with('/') { name.to_string() } else { format!("{folder}{name}") };
    normalize(&joined)
}

/// Resolves `.`, `..` and doubled slashes by name, as the server does before it compares paths.
pub fn normalize(path: &str) -> String {
    // The paths of folders often end with a slash, and have nothing else to be resolved.
    let plain = path.trim_end_matches('/');
    if is_normal(plain) {
        return plain.to_string();
    }
    let root = if path.starts_with('/') { "/" } else { "" };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if !root.is_empty() => {}
            _ => parts.push(part),
        }
    }
    format!("{root}{}", parts.join("/"))
}

/// Returns whether nothing of a path that does not end with a slash is to be resolved.
fn is_normal(path: &str) -> bool {
    let below = path.strip_prefix('/').unwrap_or(path);
    // Paths are short: to look at each byte is faster than to search them for slashes.
    below.as_bytes().split(|byte| *byte == b'/').all(|part| !matches!(part, b"" | b"." | b".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_normal_already_stays_as_it_is() {
        for path in [
            "", "/", "a", "/a/b", "a/", "//a", "a//b", "./a", "a/./b", "a/..", "../a", "/..", "a/.b", ".a",
            "a/b..c", "..a",
        ] {
            let slow = {
                let root = if path.starts_with('/') { "/" } else { "" };
                let mut parts: Vec<&str> = Vec::new();
                for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
                    match part {
                        ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
                        ".." if !root.is_empty() => {}
                        part => parts.push(part),
                    }
                }
                format!("{root}{}", parts.join("/"))
            };
            assert_eq!(normalize(path), slow, "{path}");
        }
    }

    struct Table(BTreeMap<&'static str, &'static str>);

    impl Source for Table {
        fn read(&self, path: &str) -> Found<Bytes> {
            if path.starts_with("/") {
                return Found::Unknown("not on this host".into());
            }
            self.0.get(path).map_or(Found::No, |text| Found::Yes((*text).into()))
        }
        fn list(&self, folder: &str) -> Found<Vec<String>> {
            let prefix = format!("{folder}/");
            let names = self.0.keys().filter_map(|k| k.strip_prefix(&prefix)).filter(|n| !n.contains('/'));
            let names: Vec<_> = names.map(String::from).collect();
            if names.is_empty() { Found::No } else { Found::Yes(names) }
        }
    }

    fn read(files: &[(&'static str, &'static str)]) -> (Vec<String>, Vec<String>) {
        let table = Table(files.iter().copied().collect());
        let set = ConfSet::read("c/main.conf", table.0["c/main.conf"], &table);
        let settings = set.assignments().map(|a| {
            format!("{}:{} {}={}", a.path, a.entry.line, a.name().escape_ascii(), a.value().escape_ascii())
        });
        let problems = set.problems().iter().map(|p| {
            let near = &table.0[&*p.path][p.span.clone()];
            format!("{}:{} {near} {:?}", p.path, p.line, p.kind)
        });
        (settings.collect(), problems.collect())
    }

    #[test]
    fn includes_are_read_in_place_relative_to_their_file() {
        let (settings, problems) = read(&[
            (
                "c/main.conf",
                "a=1\nInclude = 'sub/x.conf'\ninclude_if_exists 'none.conf'\na=3\ninclude_dir 'd'\n",
            ),
            ("c/sub/x.conf", "a=2\ninclude '../y.conf'\n"),
            ("c/y.conf", "b=1\n"),
            ("c/d/20.conf", "a=5\n"),
            ("c/d/10.conf", "a=4\n"),
            ("c/d/.hidden.conf", "a=9\n"),
            ("c/d/note.txt", "!\n"),
        ]);
        assert_eq!(
            settings,
            [
                "c/main.conf:1 a=1",
                "c/sub/x.conf:1 a=2",
                "c/y.conf:1 b=1",
                "c/main.conf:4 a=3",
                "c/d/10.conf:1 a=4",
                "c/d/20.conf:1 a=5",
            ]
        );
        assert_eq!(problems, [""; 0]);
    }

    #[test]
    fn what_the_server_refuses_of_an_include_is_a_problem() {
        let (_, problems) = read(&[
            (
                "c/main.conf",
                "include ''\ninclude 'no.conf'\ninclude_dir 'no'\ninclude 'main.conf'\ninclude '/x/y'\ninclude 'bad.conf'\n",
            ),
            ("c/bad.conf", "\n= 1\n"),
        ]);
        assert_eq!(
            problems,
            [
                "c/main.conf:1 '' EmptyName",
                "c/main.conf:2 'no.conf' Missing(\"c/no.conf\")",
                "c/main.conf:3 'no' MissingFolder(\"c/no\")",
                "c/main.conf:4 'main.conf' Recursion(\"c/main.conf\")",
                "c/main.conf:5 '/x/y' Unseen(\"/x/y\", \"not on this host\")",
                "c/bad.conf:2 = Syntax([61])",
            ]
        );
    }

    #[test]
    fn ten_levels_of_includes_are_read_and_eleven_are_not() {
        struct Deep(usize);
        impl Source for Deep {
            fn read(&self, path: &str) -> Found<Bytes> {
                let level: usize = path.parse().unwrap();
                Found::Yes(if level == self.0 {
                    "a=1".into()
                } else {
                    format!("include '{}'", level + 1).into()
                })
            }
            fn list(&self, _: &str) -> Found<Vec<String>> {
                Found::No
            }
        }
        assert_eq!(ConfSet::read("0", "include '1'", &Deep(10)).problems(), []);
        let eleven = ConfSet::read("0", "include '1'", &Deep(11));
        assert_eq!(eleven.problems()[0].kind, ProblemKind::TooDeep("11".into()));
    }

    #[test]
    fn a_bomb_of_includes_is_given_up() {
        struct Bomb;
        impl Source for Bomb {
            fn read(&self, path: &str) -> Found<Bytes> {
                let level: usize = path.parse().unwrap();
                Found::Yes(format!("include '{}'\n", level + 1).repeat(20).into())
            }
            fn list(&self, _: &str) -> Found<Vec<String>> {
                Found::No
            }
        }
        let set = ConfSet::read("0", "include '1'", &Bomb);
        assert_eq!(set.problems().iter().filter(|p| p.kind == ProblemKind::TooMany).count(), 1);
    }
}
