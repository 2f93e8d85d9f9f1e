//! What the arguments choose.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::CommandFactory as _;
use clap::parser::ValueSource;
use ops::output::Readers;
use ops::{Error, Outputs, Selection, Tree, has_document_name};

use crate::args::{Cli, Command, Global, SinkChoice};
use crate::output::emitter::Format;
use crate::output::report::Report;
use crate::output::results::Results;
use crate::output::sink::Sink;
use crate::output::{Detail, Terminal, human, json, summary};

impl Cli {
    /// Moves documents that a command names without `-f` to those of `-f`, whose source is given.
    ///
    /// # Errors
    /// Folders are to be searched, and none is named; or standard input is to be two things.
    pub(crate) fn take_documents(&mut self, source: Option<ValueSource>) -> Result<(), clap::Error> {
        let named = match &mut self.command {
            Command::Validate(args) => std::mem::take(&mut args.documents),
            Command::Plan(args) => std::mem::take(&mut args.documents),
            Command::Resolve(args) => std::mem::take(&mut args.documents),
            _ => Vec::new(),
        };
        // What the command line names overrides the environment.
        if !named.is_empty() && source != Some(ValueSource::CommandLine) {
            self.global.file.clear();
        }
        self.global.file.extend(named);
        if self.global.recursive && self.global.file.is_empty() {
            let message = "`--recursive` needs a folder: add `-f DIR`";
            return Err(Self::command().error(clap::error::ErrorKind::MissingRequiredArgument, message));
        }
        let plan = match &self.command {
            Command::Apply(args) => args.plan.as_deref(),
            Command::Show(args) => Some(args.plan.as_path()),
            _ => None,
        };
        let stdin = Path::new("-");
        if plan == Some(stdin) && self.global.file.iter().any(|file| file == stdin) {
            let message =
                "the plan and the document cannot both be read from standard input: name a file for one";
            return Err(Self::command().error(clap::error::ErrorKind::ArgumentConflict, message));
        }
        Ok(())
    }
}

impl Global {
    /// Returns what the run is about.
    pub(crate) fn selection(&self) -> Selection {
        let deployment = self.deployment.clone().map(Tree::Deployment);
        Selection {
            documents: self.file.clone(),
            recursive: self.recursive,
            stdin: || Box::new(std::io::stdin().lock()),
            targets: self.target.clone(),
            tree: deployment.or_else(|| self.installer.clone().map(Tree::Installer)),
            root: self.root.clone(),
            top: self.top.clone(),
            allow: self.allow.clone(),
            ignore: self.ignore.clone(),
            lock_timeout: Duration::from_secs(self.lock_timeout),
            jobs: self.jobs.and_then(|jobs| NonZero::new(jobs.into())),
            ..Selection::default()
        }
    }

    /// Returns how much is shown.
    pub(crate) fn detail(&self) -> Detail {
        Detail {
            context: self.context,
            show_secrets: self.show_secrets,
            quiet: self.quiet,
            verbose: self.verbose,
            several: false,
        }
    }
}

impl Command {
    /// Starts the results of the command: one for every choice, or one for people.
    pub(crate) fn results(&self, terminal: Terminal, detail: Detail, outputs: &Outputs) -> Results {
        let (report, choices) = self.formats();
        let mut streams = false;
        // What others must not see is not for them to read in a file either.
        let readers = if detail.show_secrets { Readers::Owner } else { Readers::ByUmask };
        let emitter = |choice: &SinkChoice| {
            let sink = match &choice.file {
                None if !std::mem::replace(&mut streams, true) => Sink::stream(terminal),
                file => Sink::whole(terminal, file.clone(), readers, outputs.clone()),
            };
            ((choice.format.new)(report, sink, detail), choice.file.is_some())
        };
        Results::new(choices.iter().map(emitter).collect())
    }

    /// Returns whether standard output gets nothing of the results before their end.
    pub(crate) fn leaves_output_alone(&self) -> bool {
        let (_, choices) = self.formats();
        choices.iter().all(|choice| choice.file.is_some() || choice.format.name == summary::FORMAT.name)
    }

    /// Returns the files that results go to, and refuses one that the command line names as an input or for another result.
    ///
    /// # Errors
    /// There is one, or a result that others read would show secrets.
    pub(crate) fn check_outputs(&self, global: &Global) -> Result<Outputs, Error> {
        let (_, choices) = self.formats();
        let public = choices.iter().find(|choice| choice.format.is_public);
        if let Some(public) = public.filter(|_| global.show_secrets) {
            let message = format!(
                "`--show-secrets` cannot be used with the format `{}`, which others read",
                public.format.name
            );
            return Err(Error::usage(message).help("remove `--show-secrets`, or use another format"));
        }
        let mut outputs: Vec<_> = choices.into_iter().filter_map(|choice| choice.file).collect();
        let mut inputs = global.file.clone();
        if inputs.is_empty() {
            inputs.push(PathBuf::from("kasm-db.yaml"));
        }
        match self {
            Self::Plan(args) => {
                outputs.extend(args.out.clone());
                inputs.extend(args.inspect.iter().flatten().map(PathBuf::from));
            }
            Self::Show(args) => inputs.push(args.plan.clone()),
            _ => {}
        }
        // The error of a search that fails must not replace one of the documents that it would have found.
        let searched = if global.recursive { &global.file[..] } else { &[] };
        let folders: Vec<_> = searched.iter().filter_map(|path| path.canonicalize().ok()).collect();
        let is_below = |path: &PathBuf| folders.iter().any(|folder| path.starts_with(folder));
        let is_document = |path: &&PathBuf| {
            has_document_name(path) && path.canonicalize().is_ok_and(|path| is_below(&path))
        };
        inputs.extend(outputs.iter().filter(is_document).cloned());
        Outputs::new(outputs, &inputs)
    }

    /// Returns what the command reports, and in which formats.
    fn formats(&self) -> (Report, Vec<SinkChoice>) {
        let one = |report, format: &'static Format| (report, vec![SinkChoice { format, file: None }]);
        let several = |report, choices: &[SinkChoice], summary: bool| {
            let summary = summary.then_some(SinkChoice { format: &summary::FORMAT, file: None });
            match choices {
                [] if summary.is_none() => one(report, &human::FORMAT),
                _ => (report, choices.iter().cloned().chain(summary).collect()),
            }
        };
        match self {
            Self::Validate(args) => one(Report::Validate, args.format),
            Self::Plan(args) => several(Report::Plan, &args.format, args.summary),
            Self::Show(args) => several(Report::Show, &args.format, args.summary),
            Self::Apply(args) if args.summary => one(Report::Apply, &summary::FORMAT),
            Self::Apply(args) => one(Report::Apply, args.format),
            Self::Ansible(_) => one(Report::Apply, &json::ansible::FORMAT),
            Self::Status(args) => one(Report::Status, args.format),
            Self::Verify(args) => one(Report::Verify, args.format),
            Self::History(args) => one(Report::History, args.format),
            Self::Rollback(args) => one(Report::Rollback, args.format),
            Self::Forget(args) => one(Report::Apply, args.format),
            Self::Recover(args) => one(Report::Recover, args.format),
            Self::Import(args) => one(Report::Import, args.format),
            Self::Render(args) => one(Report::Render, args.format),
            Self::Build(args) => one(Report::Build, args.format),
            Self::Audit(args) if args.count.is_some() => one(Report::AuditCount, args.format),
            Self::Audit(args) if args.summary => one(Report::AuditSummary, args.format),
            Self::Audit(args) => one(Report::AuditEntries, args.format),
            Self::Explain(args) => one(Report::Explain, args.format),
            Self::Resolve(args) => one(Report::Resolve, args.format),
            Self::UpgradePlan(args) => one(Report::UpgradePlan, args.format),
            Self::Inspect(args) => one(Report::Inspect, args.format),
            Self::Schema(args) => one(Report::Schema, args.format),
            Self::Completions(_) | Self::Man(_) | Self::Version(_) => (Report::Schema, Vec::new()),
        }
    }
}
