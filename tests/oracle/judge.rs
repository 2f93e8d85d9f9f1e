//! Holds a plan against what the server reads before and after it.

use std::collections::BTreeSet;

use kasm_db_render::{Action, Plan, observe_with, reconcile};
use model::{Code, Compare, DesiredState};
use pgconf::value::Type;
use testing::postgres::lossy;
use testing::{ConfFiles, Memory, desired, files};

use crate::confs::Conf;
use crate::reading::{Line, Reader, Reading};

/// A conf, a document, and what they lead to.
pub(crate) struct Judged<'a> {
    pub(crate) conf: &'a Conf,
    pub(crate) label: String,
    pub(crate) desired: DesiredState,
    pub(crate) plan: Plan,
    pub(crate) after: Memory,
    /// What the server reads after the edit; nothing where the plan is blocked.
    pub(crate) reading: Option<Reading>,
    /// Wanted values that were left as they are, and whether the server takes them for the same.
    pub(crate) left: Left,
}

/// How many values were left in another spelling.
#[derive(Default)]
pub(crate) struct Left {
    pub(crate) confirmed: usize,
    pub(crate) unknown: usize,
}

/// What a person may let pass, but for an unknown setting: that is for the server to judge.
const ALLOWED: [Code; 3] = [Code::PreloadRemoved, Code::OverriddenByAutoConf, Code::OverriddenByCommand];

/// Plans and judges; `before` is what the server reads in the conf as it is.
pub(crate) fn judge<'a>(
    reader: &mut Reader<'_>,
    conf: &'a Conf,
    before: &Reading,
    (name, document): (&str, &str),
) -> Result<Judged<'a>, String> {
    let desired = desired(document);
    let target = files(&[], Some("postgresql.conf"), None);
    let mut plan = reconcile(&desired, &observe_with(&target, &conf.arguments, &conf.files));
    plan.allow(&ALLOWED.map(|code| code.name().to_string()));
    let label = format!("{} with the document \"{name}\"", conf.name);
    if let Some(finding) = plan.findings.iter().find(|finding| finding.code == Code::NotProved) {
        return Err(format!("{label}: {}", finding.message));
    }
    refusal(&plan, &conf.files, before, desired.unset()).map_err(|why| format!("{label}: {why}"))?;
    let mut judged = Judged {
        conf,
        label,
        desired,
        after: conf.files.clone(),
        plan,
        reading: None,
        left: Left::default(),
    };
    if !judged.plan.is_blocked() {
        judged.after = conf.files.apply(&judged.plan);
        let after = reader.read(&judged.after);
        judged.edit(reader, before, &after).map_err(|why| format!("{}: {why}", judged.label))?;
        judged.reading = Some(after);
    }
    Ok(judged)
}

/// Compares the lines that keep a server from starting with those that a plan is refused for.
///
/// A server that only looks at files stops at the first syntax error of each; the program, which is asked later,
/// names them all.
fn refusal(plan: &Plan, files: &Memory, before: &Reading, unset: &[String]) -> Result<(), String> {
    // What lies outside the files here is missing for this server, and it looks at no name then.
    let unseen = places(plan, files, &[Code::ConfUnseen]);
    let unknown = if unseen.is_empty() { &[Code::ConfUnknown][..] } else { &[] };
    let ours = places(plan, files, &[&[Code::ConfSyntax, Code::ConfInclude], unknown].concat());
    let theirs: BTreeSet<_> = before.fatal(unset).difference(&unseen).cloned().collect();
    // A loop is told at its first turn; the server goes round until it is ten levels deep.
    let is_loop = plan.findings.iter().any(|finding| finding.message.ends_with("includes itself"));
    if ours.is_empty() == theirs.is_empty() && (is_loop || theirs.is_subset(&ours)) {
        return Ok(());
    }
    Err(format!("the server refuses {theirs:?}, the plan {ours:?}"))
}

/// Returns the places of findings as a server would name them.
pub(crate) fn places(plan: &Plan, files: &Memory, codes: &[Code]) -> BTreeSet<(String, usize)> {
    let findings = plan.findings.iter().filter(|finding| codes.contains(&finding.code));
    let places = findings.filter_map(|finding| Some((finding, finding.location.as_ref()?)));
    places
        .map(|(finding, place)| {
            let text = files.0.get(&place.path).map_or(&[][..], Vec::as_slice);
            // An open line at the end of a file: the server takes the end for one of the line before.
            let is_last = !text[place.span.start..].contains(&b'\n');
            let at_end = is_last && finding.message.contains("the end of the line");
            (place.path.clone(), place.line - usize::from(at_end))
        })
        .collect()
}

impl Judged<'_> {
    /// Judges an edit, or a file that is in order.
    fn edit(&mut self, reader: &mut Reader<'_>, before: &Reading, after: &Reading) -> Result<(), String> {
        self.every_line(after)?;
        let changed = |name: &str| self.plan.changes.iter().any(|change| change.subject == name);
        let (old, new) = (before.last(), after.last());
        // A server that finds a name it does not know tries no value.
        let is_tried = before.fatal(&[]).is_empty();
        let error = |line: &Line| line.error.clone().filter(|_| is_tried);
        for name in old.keys().chain(new.keys()).filter(|name| !changed(name)) {
            let value = |line: Option<&&Line>| line.map(|line| (line.setting.clone(), error(line)));
            if value(old.get(name)) != value(new.get(name)) {
                return Err(format!("`{name}` was {:?} and is {:?}", old.get(name), new.get(name)));
            }
        }
        if after.fatal(&[]).difference(&before.fatal(&[])).next().is_some() {
            return Err(format!("errors that were not there: {:?}", after.fatal(&[])));
        }
        self.changes(reader, before, after)?;
        self.wanted(reader, after)
    }

    /// Compares each line as the server reads it with our own reading.
    fn every_line(&self, after: &Reading) -> Result<(), String> {
        let source = ConfFiles(&self.after);
        let main = self.after.0["postgresql.conf"].clone();
        let mut set = pgconf::ConfSet::read("postgresql.conf", main, &source);
        if let Some(auto) = self.after.0.get("postgresql.auto.conf") {
            set.chain("postgresql.auto.conf", auto.clone(), &source);
        }
        let ours: Vec<_> = set
            .assignments()
            .map(|a| (a.path.to_string(), a.entry.line, a.name().to_vec(), a.value()))
            .collect();
        let lines = after.0.iter().filter_map(|line| Some((line, line.name.clone()?)));
        let theirs: Vec<_> =
            lines.map(|(line, name)| (line.file.clone(), line.line, name, line.setting.clone())).collect();
        if ours == theirs {
            return Ok(());
        }
        let at = ours.iter().zip(&theirs).take_while(|(ours, theirs)| ours == theirs).count();
        Err(format!("the server reads {:?}, we read {:?}", theirs.get(at), ours.get(at)))
    }

    /// Compares each change with the line that the server reads.
    fn changes(&self, reader: &mut Reader<'_>, before: &Reading, after: &Reading) -> Result<(), String> {
        for change in &self.plan.changes {
            let name = &change.subject;
            let now = after.in_files(name);
            let at = if change.action == Action::Remove { before.in_files(name) } else { now };
            let place = at.map(|line| (line.file.as_str(), line.line));
            if place != Some((&change.path, change.line)) {
                return Err(format!(
                    "`{name}` is at {place:?}, the plan says {}:{}",
                    change.path, change.line
                ));
            }
            if now.map(|now| lossy(&now.setting)) != change.after {
                return Err(format!("the server reads {now:?}, the plan says {:?}", change.after));
            }
            // A value that only a start takes up is not tried by a running server.
            let is_tried = reader.contexts.get(name).is_some_and(|context| context != "postmaster");
            if let Some(error) = now.and_then(|now| now.error.as_ref()).filter(|_| is_tried) {
                return Err(format!("the server says of `{name}`: {error}"));
            }
        }
        Ok(())
    }

    /// Looks for everything that the document wants.
    fn wanted(&mut self, reader: &mut Reader<'_>, after: &Reading) -> Result<(), String> {
        let overridden = |name: &str| {
            let is_override = |code| matches!(code, Code::OverriddenByAutoConf | Code::OverriddenByCommand);
            self.plan.findings.iter().any(|f| is_override(f.code) && f.message.contains(&format!("`{name}`")))
        };
        for setting in self.desired.settings().iter().filter(|setting| !overridden(&setting.name)) {
            let name = &setting.name;
            let Some(now) = after.in_files(name) else {
                return Err(format!("`{name}` is not set"));
            };
            let change = self.plan.changes.iter().find(|change| change.subject == *name);
            let is_exact = now.setting == setting.value.as_bytes();
            if change.is_some() && !is_exact {
                return Err(format!("`{name}` should be {:?}: {now:?}", setting.value));
            }
            let Compare::Typed(kind) = setting.compare else {
                let same = match setting.compare {
                    Compare::Classes(set) => model::audit::ClassSet::parse(&now.setting) == Some(set),
                    _ => is_exact,
                };
                if !same {
                    return Err(format!("`{name}` should be {:?}: {now:?}", setting.value));
                }
                continue;
            };
            // Equal by meaning is no change, and only that.
            let then = change.and_then(|change| change.before.as_ref()).map(|text| text.as_bytes().to_vec());
            let other = then.as_ref().unwrap_or(&now.setting);
            if other == setting.value.as_bytes()
                || (change.is_some() && then.is_none())
                || kind == Type::String
            {
                continue;
            }
            match reader.same(name, other, setting.value.as_bytes()) {
                Some(same) if same == change.is_none() => self.left.confirmed += 1,
                None => self.left.unknown += 1,
                Some(same) => {
                    let (other, wanted) = (lossy(other), &setting.value);
                    return Err(format!(
                        "`{name}`: {other:?} and {wanted:?} are the same: the server {same}"
                    ));
                }
            }
        }
        for name in self.desired.unset() {
            if let Some(line) = after.in_files(name) {
                return Err(format!("`{name}` is not unset: {line:?}"));
            }
        }
        Ok(())
    }
}
