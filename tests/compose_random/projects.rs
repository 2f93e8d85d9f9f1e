//! Random Compose projects: after an edit the database has the wanted image, and every other service has the image that it
//! had.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Mutex;

use testing::compose::Compose;
use testing::{Memory, Random, desired, files};

use crate::{agree, each, seeds};

const NEW: &str = "postgres:16.99";

/// How many projects there are without `KASM_DB_PROJECTS`.
const PROJECTS: u64 = 200;

/// Every feature must be in at least so many of a hundred projects that Compose reads.
const LEAST: usize = 5;

/// What a project may have.
const FEATURES: &[&str] = &[
    "alias",
    "anchored service",
    "block scalar",
    "CRLF",
    "env of an include",
    "env of the project",
    "extends",
    "extends another file",
    "flow",
    "include",
    "include with a mapping",
    "merge",
    "merge list",
    "no image",
    "null image",
    "override",
    "override file",
    "profiles",
    "quotes",
    "reset",
    "several documents",
    "variable",
];

/// The services, in an order in which each may extend those before it.
const SERVICES: &[&str] = &["base", "db", "web", "mig", "job"];

/// A project of random files.
struct Project {
    random: Random,
    files: BTreeMap<String, String>,
    /// Those that Compose is given.
    main: Vec<String>,
    features: BTreeSet<&'static str>,
}

impl Project {
    fn new(seed: u64) -> Self {
        let mut project = Self {
            random: Random(seed),
            files: BTreeMap::new(),
            main: Vec::new(),
            features: BTreeSet::new(),
        };
        project.write();
        project
    }

    fn has(&mut self, feature: &'static str, percent: u64) -> bool {
        let has = self.random.chance(percent);
        if has {
            self.features.insert(feature);
        }
        has
    }

    fn write(&mut self) {
        if self.has("env of the project", 60) {
            let text = self.env();
            self.files.insert(".env".into(), text);
        }
        let lends = self.random.chance(40);
        if lends {
            let text = self.document(&["base", "db"], &[], None, false);
            self.files.insert("lib/common.yml".into(), text);
        }
        let lent = lends.then_some("lib/common.yml");
        let mut included = Vec::new();
        if self.random.chance(45) {
            let sets: [&[&str]; 5] = [&["db"], &["base", "db"], &["db", "job"], &["web"], &["base"]];
            let names = sets[self.random.below(sets.len())];
            let text = self.document(names, &[], None, false);
            self.files.insert("svc/pg.yml".into(), text);
            included.push(("svc/pg.yml", names.to_vec()));
            if self.has("env of an include", 40) {
                let text = self.env();
                self.files.insert("svc/.env".into(), text);
            }
        }
        let mut text = String::new();
        let mut known: Vec<&str> = included.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let documents = if self.has("several documents", 25) { 2 } else { 1 };
        for number in 0..documents {
            if number > 0 {
                text.push_str("---\n");
            }
            // A later document changes what an earlier one has: a service of its own would need an image.
            let is_there = |name: &&str| number == 0 || known.contains(name);
            let all: Vec<&str> = SERVICES.iter().copied().filter(is_there).collect();
            let mut names: Vec<&str> = all.into_iter().filter(|_| self.random.chance(60)).collect();
            if number == 0
                && !names.contains(&"db")
                && !included.iter().any(|(_, names)| names.contains(&"db"))
            {
                names.push("db");
            }
            names.sort_by_key(|name| SERVICES.iter().position(|known| known == name));
            let include = if number == 0 { &included[..] } else { &[] };
            text.push_str(&self.document(&names, include, lent, number > 0));
            known.extend(names);
        }
        self.files.insert("compose.yml".into(), text);
        self.main.push("compose.yml".into());
        if self.has("override file", 35) {
            let all: Vec<&str> = SERVICES.iter().copied().filter(|name| known.contains(name)).collect();
            let names: Vec<&str> = all.into_iter().filter(|_| self.random.chance(40)).collect();
            let text = self.document(&names, &[], None, true);
            self.files.insert("over.yml".into(), text);
            self.main.push("over.yml".into());
        }
        if self.has("CRLF", 20) {
            for text in self.files.values_mut() {
                *text = text.replace('\n', "\r\n");
            }
        }
    }

    fn env(&mut self) -> String {
        let mut text = String::new();
        for name in ["V", "W", "TAG"] {
            if self.random.chance(60) {
                let value = if name == "TAG" {
                    "16.2".to_string()
                } else {
                    format!("postgres:15.{}", self.random.below(9))
                };
                let _ = writeln!(text, "{name}={value}");
            }
        }
        text
    }

    /// Writes one document with these services; `over` is one that another one is merged into.
    fn document(
        &mut self,
        names: &[&str],
        include: &[(&str, Vec<&str>)],
        lent: Option<&str>,
        over: bool,
    ) -> String {
        let mut text = String::new();
        let mut anchors = Vec::new();
        if self.random.chance(35) {
            text.push_str("x-image: &img postgres:14.1\n");
            anchors.push("img");
        }
        let mut bases = Vec::new();
        if self.random.chance(30) {
            let image = if self.random.chance(60) { "image: postgres:13.2, " } else { "" };
            let _ = writeln!(text, "x-base: &one {{{image}tty: true}}");
            bases.push("one");
            if self.random.chance(50) {
                text.push_str("x-more: &two\n  image: postgres:13.3\n  init: true\n");
                bases.push("two");
            }
        }
        let mut after = String::new();
        if let [(path, _), ..] = include {
            self.features.insert("include");
            let line = if self.has("include with a mapping", 40) {
                format!("include:\n  - path: ./{path}\n")
            } else {
                format!("include: [{path}]\n")
            };
            if self.random.chance(30) { after = line } else { text.push_str(&line) }
        }
        let mut known: Vec<&str> = include.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        if names.is_empty() {
            text.push_str("services: {}\n");
        } else {
            text.push_str("services:\n");
        }
        for name in names {
            let body = self.service(name, &known, &anchors, &mut bases, lent, over);
            text.push_str(&body);
            known.push(name);
        }
        text + &after
    }

    fn service<'a>(
        &mut self,
        name: &'a str,
        known: &[&str],
        anchors: &[&str],
        bases: &mut Vec<&'a str>,
        lent: Option<&str>,
        over: bool,
    ) -> String {
        if over && name != "db" && self.has("reset", 10) {
            return format!("  {name}: !reset null\n");
        }
        let mut lines: Vec<String> = Vec::new();
        let others: Vec<&str> = known.iter().copied().filter(|other| *other != name).collect();
        let mut gets_one = false;
        if !bases.is_empty() && self.has("merge", 35) {
            if bases.len() > 1 && self.has("merge list", 50) {
                lines.push(format!("<<: [*{}, *{}]", bases[0], bases[1]));
            } else {
                lines.push(format!("<<: *{}", self.random.pick(bases)));
            }
            gets_one = true;
        }
        if !over && !others.is_empty() && self.has("extends", 40) {
            let other = *self.random.pick(&others);
            lines.push(if self.random.chance(50) {
                format!("extends: {other}")
            } else {
                format!("extends: {{service: {other}}}")
            });
            gets_one = true;
        } else if let Some(path) = lent.filter(|_| !over && self.random.chance(40)) {
            self.features.insert("extends another file");
            lines.push(format!("extends: {{file: {path}, service: {}}}", self.random.pick(&["base", "db"])));
            gets_one = true;
        }
        let has_image = if gets_one || over { self.random.chance(40) } else { self.random.chance(98) };
        if has_image {
            let image = self.image(anchors, gets_one || over);
            lines.push(image);
        } else {
            self.features.insert("no image");
        }
        if self.random.chance(30) {
            lines.push("restart: always".into());
        }
        if self.has("profiles", 8) {
            lines.push("profiles: [extra]".into());
        }
        if self.random.chance(30) {
            lines.push(format!("labels: {{from: {name}}}"));
        }
        if self.random.chance(25) {
            let by = self.random.below(lines.len().max(1));
            lines.rotate_left(by);
        }
        let anchor = if self.random.chance(20) && !over {
            self.features.insert("anchored service");
            bases.push(name);
            format!(" &{name}")
        } else {
            String::new()
        };
        let tag = if over && lines.iter().any(|line| line.starts_with("image: p")) && self.has("override", 60)
        {
            " !override"
        } else {
            ""
        };
        if lines.is_empty() {
            lines.push("tty: true".into());
        }
        let is_one_line = lines.iter().all(|line| !line.contains(['\n', '#']));
        if is_one_line && self.has("flow", 15) {
            return format!("  {name}:{anchor}{tag} {{{}}}\n", lines.join(", "));
        }
        let body: String =
            lines.iter().map(|line| format!("    {}\n", line.replace('\n', "\n    "))).collect();
        format!("  {name}:{anchor}{tag}\n{body}")
    }

    fn image(&mut self, anchors: &[&str], may_be_none: bool) -> String {
        let version = format!("postgres:1{}.{}", self.random.below(6), self.random.below(9));
        if may_be_none && self.has("null image", 15) {
            return self.random.pick(&["image:", "image: null", "image: ~"]).to_string();
        }
        if may_be_none && self.has("reset", 15) {
            return "image: !reset null".into();
        }
        if let Some(anchor) = anchors.first()
            && self.has("alias", 40)
        {
            return format!("image: *{anchor}");
        }
        if self.has("variable", 25) {
            let texts = [
                "${V:-postgres:15.1}",
                "${W:-postgres:15.2}",
                "postgres:${TAG:-16.3}",
                "postgres:${TAG-16.4}",
                "$V",
            ];
            // A name that nothing sets is empty, and no image.
            let text = self.random.pick(&texts[..4]);
            return format!("image: \"{text}\"");
        }
        if self.has("quotes", 25) {
            let quote = self.random.pick(&["'", "\""]);
            return format!("image: {quote}{version}{quote}");
        }
        if self.has("block scalar", 10) {
            return format!("image: >-\n  {version}");
        }
        if self.random.chance(15) {
            return format!("image: {version} # pinned");
        }
        if self.random.chance(5) {
            return format!("image: {NEW}");
        }
        format!("image: {version}")
    }
}

impl std::fmt::Display for Project {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.files.iter().try_for_each(|(path, text)| writeln!(f, "# {path}\n{text}"))
    }
}

/// The image of each service.
type Images = BTreeMap<String, Option<String>>;

/// What came of one project.
#[derive(Clone, Copy)]
enum Verdict {
    /// Compose does not read it.
    Unread,
    /// Nothing was to be done, and Compose says so, too.
    Met,
    Edited,
}

fn judge(compose: &Compose, project: &Project) -> Result<Verdict, String> {
    let all: Vec<_> = project.files.iter().map(|(path, text)| (path.as_str(), text.as_bytes())).collect();
    let main: Vec<&str> = project.main.iter().map(String::as_str).collect();
    let Ok(before) = compose.images(&all, &main) else { return Ok(Verdict::Unread) };
    if !before.contains_key("db") {
        return Ok(Verdict::Unread);
    }
    let target = files(&main, None, Some("db"));
    let memory =
        Memory(project.files.iter().map(|(path, text)| (path.clone(), text.clone().into_bytes())).collect());
    let wanted = desired(&format!("schema: kasm-db/v1\nimage: {NEW}\n"));
    let mut plan = testing::plan(&wanted, &target, &memory);
    plan.allow(&["major-change".into(), "not-postgres".into()]);
    if let Some(blocker) = plan.blockers().next() {
        return Err(format!("refused: {} {}", blocker.code, blocker.message));
    }
    let met = before["db"].as_deref() == Some(NEW);
    if plan.files.is_empty() {
        return if met {
            Ok(Verdict::Met)
        } else {
            Err(format!("nothing to do, but Compose says {:?}", before["db"]))
        };
    }
    let mut after = project.files.clone();
    for file in &plan.files {
        after.insert(file.path.clone(), String::from_utf8(file.after.to_vec()).unwrap());
    }
    let changed: String =
        plan.files.iter().map(|file| format!("# {} after\n{}", file.path, after[&file.path])).collect();
    let all: Vec<_> = after.iter().map(|(path, text)| (path.as_str(), text.as_bytes())).collect();
    let got = compose
        .images(&all, &main)
        .map_err(|error| format!("Compose refuses it then: {error}\n{changed}"))?;
    let mut expected: Images = before;
    expected.insert("db".into(), Some(NEW.into()));
    if got != expected {
        return Err(format!("expected {expected:?}\n     got {got:?}\n{changed}"));
    }
    Ok(Verdict::Edited)
}

#[test]
fn compose_reads_what_was_wanted_and_nothing_else() {
    let seeds = seeds("KASM_DB_PROJECTS", PROJECTS);
    let compose = Compose::find().unwrap();
    let seen = Mutex::new((BTreeMap::<&str, usize>::new(), [0usize; 3]));
    let wrong = each(seeds.clone(), |seed| {
        let project = Project::new(seed);
        let verdict = judge(&compose, &project).map_err(|why| format!("{why}\n{project}"))?;
        let mut seen = seen.lock().unwrap();
        seen.1[verdict as usize] += 1;
        if !matches!(verdict, Verdict::Unread) {
            project.features.iter().for_each(|name| *seen.0.entry(name).or_default() += 1);
        }
        Ok(())
    });
    let (features, [unread, met, edited]) = seen.into_inner().unwrap();
    let (count, read) = (seeds.end - seeds.start, met + edited);
    println!("seeds {seeds:?}: {edited} edited, {met} with nothing to do, {unread} that Compose refuses");
    let share = |name: &str| features.get(name).unwrap_or(&0) * 100 / read.max(1);
    FEATURES.iter().for_each(|name| println!("  {name}: {} %", share(name)));
    agree(&wrong);
    let rare: Vec<_> = FEATURES.iter().filter(|name| count >= PROJECTS && share(name) < LEAST).collect();
    assert!(rare.is_empty(), "too few projects have {rare:?}");
}
