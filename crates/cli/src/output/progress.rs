//! What an operation says while it runs, in words; and its questions.

use std::io::BufRead as _;

use commit::{Outcome as Ended, Recovery, Report};
use live::Scrubber;
use model::Diagnostic;
use ops::follow_up::Step;
use ops::{Error, Event, FilesState, Observer, Question, seconds};
use render::{Needs, Plan, TargetKind};

use super::findings::by_name;
use super::human::{checks, follow_up, plan};
use super::newer::newer_tree;
use super::results::Results;
use super::{Detail, Terminal, count, escape, listed};

/// Words events for a terminal.
pub(crate) struct Progress<'a> {
    pub(crate) terminal: &'a Terminal,
    pub(crate) detail: Detail,
    /// Whether nobody is to be asked.
    pub(crate) no_input: bool,
    pub(crate) results: &'a Results,
}

impl Observer for Progress<'_> {
    fn event(&self, event: Event<'_>, scrubber: &Scrubber) -> Result<(), Error> {
        let note = |text: &str| self.terminal.note(&scrubber.known(text));
        // What is neither a result nor an error.
        let progress = |text: &str| {
            if !self.detail.quiet {
                note(text);
            }
        };
        let result = |text: &str| match self.results.are_for_programs() {
            true => Ok(()),
            false => self.terminal.result(&scrubber.known(text)),
        };
        self.terminal.bar.event(&event);
        self.results.each(|emitter| emitter.event(&event, scrubber))?;
        match event {
            Event::Failed(error) => self.terminal.error(error),
            Event::Recovered(root, recovery) => note(&recovered(&root.display().to_string(), recovery)),
            Event::AlreadyApplied(folder) => {
                result(&format!("{}: already applied, no changes.\n", escape(folder)))?;
            }
            Event::Planned { plan, folder, heading, follow_up } => {
                warnings(plan, heading, self.terminal);
                let mut text = plan::plan(plan, folder, self.detail);
                if let Some(follow_up) = follow_up {
                    text.push_str(&follow_up::text(follow_up, &who()));
                }
                text.push_str(&plan::ignored(&by_name(&plan.ignored), &[]));
                result(&text)?;
                blockers(plan, heading, self.terminal);
            }
            Event::AllowAgain(names) => {
                let flags: Vec<_> = names.iter().map(|name| format!("--allow {name}")).collect();
                let flags = flags.join(" ");
                note(&format!(
                    "  = help: the plan was made with `{flags}`; repeat these options to apply it\n"
                ));
            }
            Event::Back { target, folder, to, files, needs, is_declared, findings } => {
                result(&plan::rollback(target, folder, to, files, needs, self.detail))?;
                if !is_declared {
                    progress(
                        "The document declares something else: change it as well, or the next apply undoes this.\n",
                    );
                }
                show(findings, None, self.terminal);
                if findings.iter().any(Diagnostic::is_error) {
                    self.terminal.state(FilesState::NothingChanged);
                }
            }
            Event::NewerTree(newer) => {
                let newer = escape(&newer.display().to_string());
                let (message, help) = newer_tree(&newer);
                progress(&format!("warning: {message}\n  = help: {help}\n"));
            }
            Event::NothingToRollBack(folder, to) => {
                let folder = escape(folder);
                result(&format!("No changes. The files below {folder} are those of generation {to}.\n"))?;
            }
            Event::Forgotten(folder, had_some) => {
                let folder = escape(folder);
                result(&match had_some {
                    true => format!(
                        "Forgotten: {folder}/.kasm-db is deleted, with the history and the backups.\n"
                    ),
                    false => format!("Nothing to forget: nothing was applied below {folder}.\n"),
                })?;
            }
            Event::LeftOut(names) => {
                let names: Vec<_> = names.iter().map(|name| escape(name)).collect();
                note(&format!("Left out, see above: {}.\n", names.join(", ")));
            }
            Event::TooManyFailed { failed, allowed, is_second_pass } => {
                let failed = count(failed, "target", "targets");
                let what = if is_second_pass { "The run stops here" } else { "Nothing is written" };
                note(&format!("{what}: {failed} failed, and `--max-failures` allows {allowed}.\n"));
            }
            Event::DryRun => note("Dry run: nothing was written.\n"),
            Event::Declined => note("Nothing was written.\n"),
            Event::NotFollowed => note("Nothing was done.\n"),
            Event::Applied { plan, root, is_all, report } => {
                result(&applied(plan, &root.display().to_string(), is_all))?;
                leftovers(report, self.terminal);
            }
            Event::RolledBack { root, needs, is_left, is_followed, report } => {
                let files = count(report.written.len(), "file", "files");
                let root = escape(&root.display().to_string());
                let by = if is_left { "; `kasm-db recover` does it" } else { "" };
                let still = match needs {
                    _ if is_followed => String::new(),
                    Needs::Nothing if is_left => {
                        " An earlier apply is not finished: `kasm-db recover` does it.".into()
                    }
                    Needs::Nothing => String::new(),
                    Needs::Reload => format!(
                        " Still needed: reload the configuration with `SELECT pg_reload_conf();`{by}."
                    ),
                    Needs::Restart => format!(" Still needed: restart the database{by}."),
                    Needs::Recreate => {
                        format!(
                            " Still needed: stop and start the deployment, so that the container is recreated{by}."
                        )
                    }
                };
                result(&format!("Rolled back: {files} below {root} written.{still}\n"))?;
                leftovers(report, self.terminal);
            }
            Event::Left(step) => {
                let what = match step {
                    Step::Reload => "a reload is pending",
                    Step::Extension => "the extension is pending",
                    _ => "a restart is pending",
                };
                note(&format!("Left as it is: {what}. `kasm-db recover` does it.\n"));
            }
            Event::Unfinished(_) => {
                progress("An earlier apply is not finished; `kasm-db recover` resumes it.\n");
            }
            Event::Resumed(step) => {
                progress(&format!("Resuming an earlier apply at its step `{}`.\n", step.name()));
            }
            Event::Down(_, why) => progress(&format!("{}: it is started again.\n", escape(why))),
            Event::Checked(checks) => result(&checks::after_apply(checks, scrubber))?,
            Event::Lags(step) => {
                let what = match step {
                    Step::Reload => "it must reload its files",
                    Step::Extension => "the extension must be created",
                    _ => "it must be stopped and started",
                };
                progress(&format!("The running server does not match its files: {what}.\n"));
            }
            Event::Seen { findings, also } => {
                show(findings, None, self.terminal);
                if findings.iter().any(Diagnostic::is_error) {
                    self.terminal.state(FilesState::NothingChanged);
                }
                if !also.is_empty() {
                    progress(&format!("{}\n", takes_effect(also)));
                }
            }
            Event::ToPull(images) => {
                let images: Vec<_> = images.iter().map(|image| escape(image)).collect();
                progress(&format!("Pulled before anything is written or stopped: {}.\n", images.join(", ")));
            }
            Event::Pull(image) => progress(&format!("pull: {}\n", escape(image))),
            Event::Stale(path) => progress(&format!(
                "{} was replaced since the container was started, which still has the old file: the database is stopped and \
                 started instead of a reload.\n",
                escape(path)
            )),
            Event::Command(what, argv) => progress(&format!("{what}: {}\n", escape(argv))),
            Event::Said(line) => progress(&format!("  | {}\n", escape(line))),
            Event::SaidMore => progress("  | … the rest of the output is not shown\n"),
            Event::NotWaiting => {
                progress("`verify: {connect: none}` is set: not checking whether the database came up.\n");
            }
            Event::Waiting(limit) => {
                progress(&format!("waiting for the database, at most {}\n", seconds(&limit)));
            }
            Event::StillWaiting(time, why) => {
                progress(&format!("still waiting after {}: {}\n", seconds(&time), escape(why)));
            }
            Event::Answers(time) => {
                progress(&format!("the database answers, after {:.1} seconds\n", time.as_secs_f32()));
            }
            Event::Reload => progress("reload: SELECT pg_reload_conf();\n"),
            // The command says it of all targets together.
            Event::Targets(_) | Event::Target(_) | Event::Looked { .. } | Event::Ended { .. } => {}
            // What is being done was said already.
            Event::Next(_) | Event::Followed(_) | Event::PutBack => {}
            Event::PuttingBack => note("The database does not come up: restoring the old files.\n"),
        }
        Ok(())
    }

    fn confirm(&self, question: Question) -> Result<bool, Error> {
        let (question, what, without) = match question {
            Question::Apply { targets: 2.. } => ("Apply all these changes?", "apply", "kasm-db apply --yes"),
            Question::Apply { .. } => ("Apply these changes?", "apply", "kasm-db apply --yes"),
            Question::RollBack => ("Roll back?", "roll back", "kasm-db rollback --yes"),
            Question::Forget { targets: 2.. } => {
                ("Delete the history and backups of all these targets?", "forget", "kasm-db forget --yes")
            }
            Question::Forget { .. } => {
                ("Delete the history and backups in .kasm-db?", "forget", "kasm-db forget --yes")
            }
        };
        if self.results.are_for_programs() {
            let message = format!("cannot ask whether to {what}: this output format shows no plan");
            return Err(Error::usage(message).help(format!("run `{without}`")));
        }
        if self.no_input || !self.terminal.can_ask() {
            let why = match self.no_input {
                true => "`--no-input` is given",
                false => "standard input is not a terminal",
            };
            return Err(Error::usage(format!("cannot ask whether to {what}: {why}"))
                .help(format!("run `{without}` to {what} without a prompt")));
        }
        self.terminal.note(&format!("\n{question} Only `yes` is accepted: "));
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer).map_err(|error| {
            let reason = commit::reason(&error);
            Error::failed(format!("standard input: cannot read the answer: {reason}"))
        })?;
        Ok(answer.trim() == "yes")
    }
}

/// Returns the user that commands run as.
fn who() -> String {
    match rustix::process::geteuid().as_raw() {
        0 => "root".into(),
        uid => format!("the user {uid}"),
    }
}

/// Returns what the recovery of an interrupted run did.
pub(crate) fn recovered(root: &str, recovery: &Recovery) -> String {
    let below = escape(root);
    let mut text = match &recovery.outcome {
        Ended::Nothing => String::new(),
        Ended::Finished(generation) => {
            let (what, files) = (escape(&generation.what), generation.files.len());
            let files = count(files, "file has its", "files have their");
            format!("Recovered: an interrupted {what} was finished, and {files} new content below {below}.\n")
        }
        Ended::Undone(generation) => {
            let (what, files) = (escape(&generation.what), generation.files.len());
            let files = count(files, "file is", "files are");
            format!("Recovered: an interrupted {what} was reverted, and {files} as before below {below}.\n")
        }
    };
    for leftover in &recovery.leftovers {
        text.push_str(&format!("warning: cleaning up failed: {}\n", escape(&leftover.to_string())));
    }
    text
}

/// Returns what takes effect with a restart, though the document does not name it.
pub(crate) fn takes_effect(also: &[String]) -> String {
    let also: Vec<_> = also.iter().map(|one| escape(one)).collect();
    format!("With the restart these take effect, too, which the document does not name: {}.", also.join(", "))
}

/// Returns what was written, and, if that is all that is done, what is still needed.
fn applied(plan: &Plan, root: &str, is_all: bool) -> String {
    let files = count(plan.files.len(), "file", "files");
    let root = escape(root);
    let still = if is_all { still_needed(plan.needs(), &plan.target.kind, &root) } else { String::new() };
    format!("Applied: {files} below {root} written.{still}\n")
}

/// Returns what is still needed, with the command that does it.
fn still_needed(needs: Needs, kind: &TargetKind, root: &str) -> String {
    let with = match kind {
        TargetKind::Files { .. } => "with `docker compose up -d --force-recreate` in its folder".to_string(),
        _ => format!("with `{root}/bin/stop` and then `{root}/bin/start`"),
    };
    match needs {
        Needs::Nothing => String::new(),
        Needs::Reload => {
            " Still needed: reload the configuration with `SELECT pg_reload_conf();` on the server.".into()
        }
        Needs::Restart => format!(" Still needed: restart the database {with}."),
        Needs::Recreate => {
            format!(
                " Still needed: stop and start the deployment {with}, so that the container is recreated."
            )
        }
    }
}

/// Returns what of a commit is not as it should be, though the files are.
fn leftovers(report: &Report, terminal: &Terminal) {
    for leftover in &report.leftovers {
        terminal.note(&format!(
            "warning: the files are written, but cleaning up failed: {}\n",
            escape(&leftover.to_string())
        ));
    }
    for lost in &report.lost_xattrs {
        let path = lost.path.display().to_string();
        terminal.note(&format!("warning: {} lost its attribute {}\n", escape(&path), escape(&lost.name)));
    }
}

/// Shows the warnings of a plan, which come before it.
///
/// Of several targets, `heading` says whose they are: the plans themselves go to another stream.
pub(crate) fn warnings(plan: &Plan, heading: Option<&str>, terminal: &Terminal) {
    let warnings: Vec<_> = plan.warnings().cloned().collect();
    show(&warnings, heading, terminal);
}

/// Shows the blockers of a plan, which come after it: the last lines on a terminal are those that are read.
pub(crate) fn blockers(plan: &Plan, heading: Option<&str>, terminal: &Terminal) {
    let blockers: Vec<_> = plan.blockers().cloned().collect();
    show(&blockers, heading, terminal);
    if plan.is_blocked() {
        terminal.state(FilesState::NothingChanged);
    }
}

/// Shows findings; one cause in several files is shown once.
pub(crate) fn show(findings: &[Diagnostic], heading: Option<&str>, terminal: &Terminal) {
    for (index, text) in listed(findings, terminal.quiet).iter().enumerate() {
        if let Some(heading) = heading.filter(|_| index == 0) {
            terminal.note(&format!("{}:\n", escape(heading)));
        }
        terminal.note(text);
    }
}
