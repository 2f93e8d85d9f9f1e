//! What an output format is.

use std::collections::BTreeMap;

use auditlog::AuditEntry;
use live::Scrubber;
use model::explain::Subject as Explained;
use model::{Diagnostic, Ignorable};
use ops::audit::{Tally, View};
use ops::history::History;
use ops::inspect::Inspected;
use ops::recover::Recovered;
use ops::review::{By, Difference};
use ops::saved::format::{SavedFile, SavedImage};
use ops::status::Status;
use ops::upgrade::UpgradePath;
use ops::verify::Verified;
use ops::{Document, Error, Event, FollowUp, Named, Outcome, TargetDir, TargetName};
use render::{Adoption, Managed, Plan};

use super::Detail;
use super::findings::by_name;
use super::report::Report;
use super::sink::Sink;
use super::stream::Stream;

/// A way to write results.
pub(crate) struct Format {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What it can say, besides audit entries.
    pub(crate) reports: &'static [Report],
    /// Starts a result.
    pub(crate) new: fn(Report, Sink, Detail) -> Box<dyn Emitter + Send>,
    /// Writes audit entries, if it can.
    pub(crate) entries: Option<&'static (dyn Entries + Sync)>,
    /// Whether others read it, as a comment or a report: then nothing hidden may be shown in it.
    pub(crate) is_public: bool,
}

impl Format {
    /// Returns whether it can say a report.
    pub(crate) fn says(&self, report: Report) -> bool {
        match report {
            Report::AuditEntries | Report::AuditCount | Report::AuditSummary => self.entries.is_some(),
            _ => self.reports.contains(&report),
        }
    }
}

/// Writes audit entries in one format, as they come.
pub(crate) trait Entries {
    /// Writes what comes before the first entry.
    fn begin(&self, _: &mut Stream) {}

    /// Writes an entry of the file of this name.
    fn entry(&self, name: &str, entry: &AuditEntry<'_>, stream: &mut Stream);
}

impl std::fmt::Debug for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Writes one result in one format, piece by piece: no more than one target is held for it.
///
/// A format says nothing by itself; it has the methods of the reports that its row names.
pub(crate) trait Emitter {
    /// Returns whether programs read it. Everything is in it then, and nothing else is written to standard output.
    fn is_for_programs(&self) -> bool {
        false
    }

    /// Learns what a task of Ansible asks for.
    fn asked(&mut self, _: Asked) {}

    /// Reports that the run is about several documents.
    fn several(&mut self) {}

    /// Begins the plans of a run.
    fn begin_plans(&mut self, _: &PlanHead<'_>) -> Result<(), Error> {
        Ok(())
    }

    /// Begins the plans of a document.
    fn document(&mut self, _name: &str) -> Result<(), Error> {
        Ok(())
    }

    /// Accepts a document that was read; its targets follow if it is valid.
    fn read(&mut self, _: &Document) -> Result<(), Error> {
        Ok(())
    }

    /// Accepts the plan of a target.
    fn plan(&mut self, _: &PlanRow<'_>) -> Result<(), Error> {
        Ok(())
    }

    /// Accepts a document that was checked.
    fn checked(&mut self, _: &Document) -> Result<(), Error> {
        Ok(())
    }

    /// Accepts a document that cannot be read.
    fn unread(&mut self, _: &Named, _: &Error) -> Result<(), Error> {
        Ok(())
    }

    /// Accepts a document that is there for others to extend, and was not checked by itself.
    fn parent(&mut self) {}

    /// Sums up the documents that were checked.
    fn totals(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Receives how a target stands.
    fn status(&mut self, _: &TargetName, _: &Status) -> Result<(), Error> {
        Ok(())
    }

    /// Accepts the checks of a target's server.
    fn verified(&mut self, _: &TargetName, _: &Verified) -> Result<(), Error> {
        Ok(())
    }

    /// Accepts what was applied to a target.
    fn history(&mut self, _: &TargetDir, _: &History) -> Result<(), Error> {
        Ok(())
    }

    /// Accepts the target that is rolled back.
    fn target(&mut self, _: &TargetDir) {}

    /// Accepts what an operation says while it runs.
    fn event(&mut self, _: &Event<'_>, _: &Scrubber) -> Result<(), Error> {
        Ok(())
    }

    /// Accepts what was recovered of a target.
    fn recovered(&mut self, _: &TargetDir, _: &Recovered, _: &Scrubber) -> Result<(), Error> {
        Ok(())
    }

    /// Accepts a document that was made.
    fn imported(&mut self, _: &ImportRow<'_>) -> Result<(), Error> {
        Ok(())
    }

    /// Accepts what was found in the files of a target, which may have no name and be of no document.
    fn findings(
        &mut self,
        _document: Option<&str>,
        _target: Option<&str>,
        _: &[Diagnostic],
    ) -> Result<(), Error> {
        Ok(())
    }

    /// Accepts a folder that was rendered or compared.
    fn rendered(&mut self, _: &RenderRow<'_>) -> Result<(), Error> {
        Ok(())
    }

    /// Accepts a build context that was written or compared.
    fn built(&mut self, _: &BuildRow<'_>) -> Result<(), Error> {
        Ok(())
    }

    /// Accepts explanations; without a subject everything is listed.
    fn explained(&mut self, _subject: Option<&str>, _: &[Explained]) -> Result<(), Error> {
        Ok(())
    }

    /// Accepts a document and those that it extends as one.
    fn resolved(&mut self, _: &Document) -> Result<(), Error> {
        Ok(())
    }

    /// Accepts an image that was looked into.
    fn inspected(&mut self, _: &Inspected) -> Result<(), Error> {
        Ok(())
    }

    /// Accepts the path of an upgrade.
    fn upgrade(&mut self, _: &TargetName, _: &UpgradePath) -> Result<(), Error> {
        Ok(())
    }

    /// Accepts a schema.
    fn schema(&mut self, _name: &str, _: &serde_json::Value) -> Result<(), Error> {
        Ok(())
    }

    /// Accepts what the entries of so many files come to.
    fn tally(&mut self, _: &Tally, _files: usize, _: View) -> Result<(), Error> {
        Ok(())
    }

    /// Accepts an error; it may name a document or a target.
    fn error(&mut self, _: &Error) -> Result<(), Error> {
        Ok(())
    }

    /// Accepts what somebody should know.
    fn warning(&mut self, _message: &str, _help: Option<&str>) {}

    /// Learns that the run came to its end, and nothing more will be said of it.
    fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Ends the result, also if the run did not come to its end.
    fn end(&mut self, _: Outcome) -> Result<(), Error> {
        Ok(())
    }

    /// Ends the result of a run that a signal or a fault ends in the middle.
    fn break_off(&mut self, _: &Error) -> Result<(), Error> {
        Ok(())
    }
}

/// What a task of Ansible asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) state: State,
    /// Whether nothing may be written.
    pub(crate) check: bool,
    /// Whether the reply has the files before and after.
    pub(crate) diff: bool,
    /// Whether a restart that the document wants is left to a later run.
    pub(crate) leaves_restart: bool,
}

/// The state that a task of Ansible asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// The files are as the document says, and the database, as far as it is restarted.
    #[default]
    Present,
    /// It is known what would change.
    Planned,
    /// The server does what the document says.
    Verified,
}

impl State {
    /// Every state.
    pub(crate) const ALL: [Self; 3] = [Self::Present, Self::Planned, Self::Verified];

    /// Returns its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Planned => "planned",
            Self::Verified => "verified",
        }
    }
}

/// What the plans of a run have in common.
pub(crate) struct PlanHead<'a> {
    /// The names of the documents.
    pub(crate) documents: Vec<&'a str>,
    /// Of a saved plan: what is not as the plan saw it.
    pub(crate) stale: Option<&'a [String]>,
    /// Of a saved plan: why it is not known whether it still holds.
    pub(crate) unknown: Option<&'a Error>,
}

/// The plan of a target.
pub(crate) struct PlanRow<'a> {
    /// The document that the target is of.
    pub(crate) document: &'a str,
    /// Whether there are other documents, which may have a target of the same name.
    pub(crate) several: bool,
    pub(crate) plan: &'a Plan,
    /// Warnings of the document that are silenced.
    pub(crate) ignored: &'a [Diagnostic],
    /// Warnings that the document silences and did not at the last apply.
    pub(crate) newly_ignored: &'a [Ignorable],
    /// Where the target's folder leads to.
    pub(crate) folder: &'a str,
    /// What an apply does after the files.
    pub(crate) follow_up: Option<&'a FollowUp>,
    /// What the document asks for, and what is there; unknown of a saved plan.
    pub(crate) managed: Option<&'a [Managed]>,
    /// What came of looking into the images.
    pub(crate) images: &'a [SavedImage],
    /// The files of a saved plan that are not as it saw them; the plan has none then.
    pub(crate) saved_files: Option<&'a [SavedFile]>,
    /// The error of an interrupted run that is here.
    pub(crate) interrupted: Option<&'a Error>,
    /// How a saved plan stands with the target.
    pub(crate) saved: Option<SavedRow>,
}

/// How a saved plan stands with a target.
pub(crate) enum SavedRow {
    /// It is what an apply would do.
    Fresh,
    /// It was applied already.
    Applied,
    /// Something has changed since; the error of an apply.
    Stale(Error),
    /// Nothing of this target has changed, and something else has.
    OtherStale,
    /// That is not known.
    Unknown,
}

/// Returns the name of a target that no other one of the run has.
pub(crate) fn target_name(several: bool, document: &str, target: &str) -> String {
    if several { format!("{document}: {target}") } else { target.to_owned() }
}

impl PlanRow<'_> {
    /// Returns a name of the target that no other one of the run has.
    pub(crate) fn name(&self) -> String {
        target_name(self.several, self.document, &self.plan.target.name)
    }

    /// Counts the silenced warnings of the document and of the target, by their names.
    pub(crate) fn ignored(&self) -> BTreeMap<&'static str, usize> {
        by_name(self.ignored.iter().chain(&self.plan.ignored))
    }

    /// Returns how many files change.
    pub(crate) fn files(&self) -> usize {
        self.saved_files.map_or(self.plan.files.len(), <[SavedFile]>::len)
    }
}

/// A document that was made.
pub(crate) struct ImportRow<'a> {
    /// The file that it was written to, if it was.
    pub(crate) path: Option<&'a std::path::Path>,
    pub(crate) text: &'a str,
    pub(crate) adoption: &'a Adoption,
}

/// A folder that was rendered or compared.
pub(crate) struct RenderRow<'a> {
    pub(crate) document: &'a str,
    pub(crate) folder: &'a str,
    pub(crate) files: usize,
    /// How many files were written and removed; `None` if the folder was only compared.
    pub(crate) brought: Option<(usize, usize)>,
    pub(crate) differences: &'a [Difference],
    /// Which version rendered it; `None` if none did.
    pub(crate) by: Option<By>,
}

/// A build context that was written or compared.
pub(crate) struct BuildRow<'a> {
    pub(crate) document: &'a str,
    pub(crate) image: Option<&'a str>,
    pub(crate) base: &'a str,
    pub(crate) folder: &'a str,
    pub(crate) files: usize,
    /// How many files were written and removed; `None` if the folder was only compared.
    pub(crate) brought: Option<(usize, usize)>,
    pub(crate) differences: &'a [Difference],
    /// The base that the Dockerfile in the folder names, if it is not the declared one.
    pub(crate) other_base: Option<&'a str>,
    /// The program that built the image.
    pub(crate) builder: Option<&'static str>,
}
