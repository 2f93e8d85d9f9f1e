//! One command, one file, one function.

pub(crate) mod apply;
pub(crate) mod audit;
pub(crate) mod completions;
pub(crate) mod explain;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod man;
pub(crate) mod plan;
pub(crate) mod recover;
pub(crate) mod render;
pub(crate) mod rollback;
pub(crate) mod schema;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod validate;
pub(crate) mod verify;

use std::io::BufRead as _;

use ::render::Plan;
use commit::Root;
use model::{DesiredState, Diagnostic};

use crate::args::{Format, Global, Sink};
use crate::disk::Disk;
use crate::document::{Loaded, Named, load_all};
use crate::exit::{Exit, Failure, state};
use crate::output::{Terminal, diagnostics, escape, listed};
use crate::permissions;
use crate::saved::Planned;
use crate::target::{self, Place, places};

/// Shows what is wrong with the document, and gives the desired state if nothing is.
fn desired<'a>(loaded: &'a Loaded, terminal: &Terminal) -> Result<&'a DesiredState, Exit> {
    for diagnostic in &loaded.reading.diagnostics {
        if diagnostic.is_error() || !terminal.quiet {
            terminal.note(&diagnostics::with_source(diagnostic, &|path| loaded.text(path)));
        }
    }
    loaded.reading.desired.as_ref().ok_or_else(|| {
        terminal.state(state::NOTHING_CHANGED);
        Exit::Invalid
    })
}

/// Lists the targets of a run that is about none of the document but its targets. A tree that the command line
/// names needs no document.
fn places_of(global: &Global, terminal: &Terminal) -> Result<Vec<Place>, Failure> {
    if let Some(place) = target::named(global) {
        return Ok(vec![place]);
    }
    let mut all = Vec::new();
    for (named, loaded) in load_all(global)? {
        let loaded = loaded?;
        let desired = desired(&loaded, terminal)
            .map_err(|exit| Failure::new(exit, format!("{}: is not valid", loaded.name)))?;
        if !is_for_others(&named, desired, global, terminal) {
            all.extend(places(desired, &loaded.folder, global)?);
        }
    }
    if all.is_empty() { Err(no_targets()) } else { Ok(all) }
}

/// Asks before files are written.
fn confirmed(question: &str, without: &str, global: &Global, terminal: &Terminal) -> Result<bool, Failure> {
    if global.no_input || !terminal.can_ask() {
        let what = question.trim_end_matches('?').trim_end_matches(" this").to_lowercase();
        return Err(Failure::new(Exit::Usage, format!("there is nobody to ask whether to {what}"))
            .help(format!("use `{without}` where nobody can answer")));
    }
    terminal.note(&format!("\n{question} Only `yes` goes on: "));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(|error| {
        let reason = commit::reason(&error);
        Failure::new(Exit::Error, format!("standard input: can not read the answer: {reason}"))
    })?;
    Ok(answer.trim() == "yes")
}

/// Tells whether a document that a folder was searched for is there for others to extend: it has no targets.
fn is_for_others(named: &Named, desired: &DesiredState, global: &Global, terminal: &Terminal) -> bool {
    let is = named.found
        && desired.targets().is_empty()
        && global.deployment.is_none()
        && global.installer.is_none();
    if is && global.verbose > 0 {
        terminal
            .note(&format!("{}: skipped, it names no target\n", escape(&named.path.display().to_string())));
    }
    is
}

/// The error of a run whose documents are all there for others to extend.
fn no_targets() -> Failure {
    Failure::new(Exit::Usage, "no document that was found names a target")
        .help("add `targets:` to one, or use `--deployment DIR` or `--installer DIR`")
}

/// A target, and the document that it is of.
#[derive(Clone, Debug)]
pub(crate) struct Whose {
    pub(crate) document: String,
    pub(crate) target: String,
    /// Whether there are other documents, which may have a target of the same name.
    pub(crate) several: bool,
}

impl Whose {
    /// Gives a name that no other target of the run has.
    pub(crate) fn label(&self) -> String {
        if self.several { format!("{}: {}", self.document, self.target) } else { self.target.clone() }
    }
}

/// Goes through the targets of every document that the command line names; the worst of what `see` gives counts.
///
/// A target that can not be looked at does not keep the others from being.
fn each_place(
    global: &Global,
    terminal: &Terminal,
    see: &mut dyn FnMut(&DesiredState, &Place, &Whose) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let documents = load_all(global)?;
    let several = documents.len() > 1;
    let (mut exit, mut seen) = (Exit::Done, false);
    for (named, loaded) in documents {
        let document = loaded.and_then(|loaded| {
            let desired = match desired(&loaded, terminal) {
                Ok(desired) => desired,
                Err(ended) => return Ok(ended),
            };
            if is_for_others(&named, desired, global, terminal) {
                return Ok(Exit::Done);
            }
            let mut exit = Exit::Done;
            for place in places(desired, &loaded.folder, global)? {
                seen = true;
                let target = place.target.name.clone();
                let whose = Whose { document: loaded.name.clone(), target, several };
                exit = exit.worse(see(desired, &place, &whose).unwrap_or_else(|failure| {
                    terminal.failure(&failure);
                    failure.exit
                }));
            }
            Ok(exit)
        });
        exit = exit.worse(match document {
            Ok(ended) => ended,
            Err(failure) if several => {
                terminal.failure(&failure);
                failure.exit
            }
            Err(failure) => return Err(failure),
        });
    }
    if !seen && exit == Exit::Done { Err(no_targets()) } else { Ok(exit) }
}

/// Plans one target; nothing is overruled yet.
fn make_plan(desired: &DesiredState, target: &::render::Target, root: &Root, global: &Global) -> Planned {
    let disk = Disk::new(root, global.root.as_deref());
    let observed = ::render::observe(target, &disk);
    let plan = ::render::reconcile(desired, &observed);
    Planned { plan, snapshot: observed.into_snapshot(), folder: root.path().display().to_string() }
}

/// Gives the plan that stands: with what the files' permissions say to it, and without what was overruled.
fn judged(planned: &Planned, root: &Root, purpose: permissions::For, global: &Global) -> Plan {
    let mut plan = planned.plan.clone();
    // Where nothing is written, it is nobody's business who else could.
    if !plan.files.is_empty() {
        plan.findings.extend(permissions::findings(&planned.snapshot, root, purpose));
    }
    plan.allow(&global.allow);
    plan
}

/// Shows blockers and warnings of a plan.
///
/// Of several targets, `heading` says whose they are: the plans themselves go to another stream.
fn findings(plan: &Plan, heading: bool, terminal: &Terminal) {
    show(&plan.findings, heading.then_some(plan.target.name.as_str()), terminal);
    if plan.is_blocked() {
        terminal.state(state::NOTHING_CHANGED);
    }
}

/// Shows findings; one cause in several files is shown once.
fn show(findings: &[Diagnostic], heading: Option<&str>, terminal: &Terminal) {
    for (index, text) in listed(findings, terminal.quiet).iter().enumerate() {
        if let Some(heading) = heading.filter(|_| index == 0) {
            terminal.note(&format!("{}:\n", escape(heading)));
        }
        terminal.note(text);
    }
}

/// A result in one format.
enum Written {
    Text(String),
    /// Exact bytes.
    Bytes(Vec<u8>),
}

impl From<String> for Written {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// Writes a result in every format that is asked for, or for people.
fn each_sink(
    sinks: &[Sink],
    terminal: &Terminal,
    write: impl Fn(Format) -> Result<Written, Failure>,
) -> Result<(), Failure> {
    let human = [Sink { format: Format::Human, file: None }];
    for sink in if sinks.is_empty() { &human[..] } else { sinks } {
        match (write(sink.format)?, sink.file.as_deref()) {
            (Written::Text(text), None) => terminal.result(&text)?,
            (Written::Text(text), Some(file)) => terminal.text_file(file, &text)?,
            (Written::Bytes(bytes), None) => terminal.bytes(&bytes)?,
            (Written::Bytes(bytes), Some(file)) => terminal.file(file, &bytes)?,
        }
    }
    Ok(())
}

/// Refuses names that no blocker has: a misspelt one would overrule nothing and say nothing.
fn check_allowed(global: &Global) -> Result<(), Failure> {
    let known = || model::Code::ALL.iter().filter(|code| code.risk().is_some()).map(|code| code.name());
    for name in &global.allow {
        if !known().any(|known| known == name) {
            let names: Vec<_> = known().collect();
            return Err(Failure::new(
                Exit::Usage,
                format!("nothing that may be overruled is called `{name}`"),
            )
            .help(format!("the names are {}", names.join(", "))));
        }
    }
    Ok(())
}

/// Gives the exit code of a plan that stands as it is.
fn exit_of(plan: &Plan, detailed: bool) -> Exit {
    if plan.is_blocked() {
        exit_of_blockers(&plan.findings)
    } else if detailed && !plan.is_empty() {
        Exit::Differences
    } else {
        Exit::Done
    }
}

/// Gives the exit code where something stands in the way: what can not be read is no refusal.
fn exit_of_blockers(findings: &[Diagnostic]) -> Exit {
    let unreadable = |code| matches!(code, model::Code::Unreadable | model::Code::NoComposeFile);
    let mut blockers = findings.iter().filter(|finding| finding.is_error());
    if blockers.any(|finding| unreadable(finding.code)) { Exit::Error } else { Exit::Refused }
}
