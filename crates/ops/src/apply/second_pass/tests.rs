use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use live::{Environment, Scrubber};

use crate::apply::{Applied, End, Options, apply};
use crate::each::AHEAD;
use crate::{Context, Documents, Error, Event, Observer, Outcome, Progress, Question, Selection};

const OLD: &str = "work_mem = 4MB\n";
const NEW: &str = "work_mem = 8MB\n";
const TARGETS: usize = 24;

/// Changes files when it is asked whether to apply, so that their targets fail in the second pass; and writes down what it
/// hears.
struct Meddler {
    files: Vec<PathBuf>,
    heard: Mutex<Vec<String>>,
}

impl Observer for Meddler {
    fn event(&self, event: Event<'_>, _: &Scrubber) -> Result<(), Error> {
        let heard = match event {
            Event::Target(target) => format!("target {}", target.map_or("-", |target| &target.target)),
            Event::Applied { root, .. } => format!("applied {}", root.file_name().unwrap().display()),
            Event::Ended { target, end, .. } => format!("ended {} {}", target.target, end.words()),
            Event::Failed(_) => "failed".into(),
            Event::TooManyFailed { .. } => "too many".into(),
            _ => return Ok(()),
        };
        self.heard.lock().unwrap().push(heard);
        Ok(())
    }

    fn confirm(&self, _: Question) -> Result<bool, Error> {
        for file in &self.files {
            std::fs::write(file, format!("{OLD}# by hand\n")).unwrap();
        }
        Ok(true)
    }
}

fn conf(folder: &Path, index: usize) -> PathBuf {
    folder.join(format!("t{index:02}/postgresql.conf"))
}

/// Writes a folder with a document for each target: each has a lock and a history of its own.
fn targets(folder: &Path) -> Vec<PathBuf> {
    let one = |index| {
        let path = conf(folder, index);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, OLD).unwrap();
        let name = format!("{{name: t{index:02}, files: {{postgresql_conf: postgresql.conf}}}}");
        let settings = "postgres_major: 14\nsettings: {work_mem: 8MB}";
        let document = path.with_file_name("kasm-db.yaml");
        std::fs::write(&document, format!("schema: kasm-db/v1\n{settings}\ntargets: [{name}]\n")).unwrap();
        document
    };
    (0..TARGETS).map(one).collect()
}

/// Applies with so many jobs while the files of some targets are changed between the passes.
fn applied(folder: &Path, jobs: usize, spoilt: &[usize], options: &Options) -> (Applied, Vec<String>) {
    let selection =
        Selection { documents: targets(folder), jobs: NonZero::new(jobs), ..Selection::default() };
    let files = spoilt.iter().map(|index| conf(folder, *index)).collect();
    let meddler = Meddler { files, heard: Mutex::default() };
    let documents = Documents::load(&selection).unwrap();
    let context = Context::new(&selection, Environment::default(), Progress::default(), &meddler);
    let applied = apply(&documents, options, &context).unwrap();
    (applied, meddler.heard.into_inner().unwrap())
}

/// Checks that each target has the file that its end says, and returns how they ended.
fn ends(folder: &Path, applied: &Applied) -> Vec<End> {
    let each = applied.targets.iter().enumerate().map(|(index, (name, end))| {
        assert_eq!(name.target, format!("t{index:02}"));
        let text = std::fs::read_to_string(conf(folder, index)).unwrap();
        match end {
            End::Applied => assert_eq!(text, NEW, "{index}"),
            End::NotStarted => assert_eq!(text, OLD, "{index}"),
            _ => assert_eq!(text, format!("{OLD}# by hand\n"), "{index}"),
        }
        *end
    });
    each.collect()
}

#[test]
fn what_is_written_side_by_side_is_reported_in_order_and_target_by_target() {
    for jobs in [1, 2, 7, 100] {
        let folder = tempfile::tempdir().unwrap();
        let (applied, heard) = applied(folder.path(), jobs, &[], &Options::default());
        assert_eq!(applied.outcome, Outcome::Done);
        assert_eq!(ends(folder.path(), &applied), [End::Applied; TARGETS]);
        let begun = heard.iter().rposition(|heard| heard == "target t00").unwrap();
        let wanted: Vec<_> = (0..TARGETS)
            .flat_map(|index| {
                let name = format!("t{index:02}");
                [format!("target {name}"), format!("applied {name}"), format!("ended {name} applied")]
            })
            .chain(["target -".to_string()])
            .collect();
        assert_eq!(heard[begun..], wanted, "{jobs} jobs");
    }
}

#[test]
fn after_a_target_that_fails_no_more_are_begun_than_are_under_way() {
    for jobs in [1, 2, 5] {
        let folder = tempfile::tempdir().unwrap();
        let (applied, heard) = applied(folder.path(), jobs, &[3], &Options::default());
        assert_eq!(applied.outcome, Outcome::PartlyApplied);
        let ends = ends(folder.path(), &applied);
        assert_eq!(ends[..4], [End::Applied, End::Applied, End::Applied, End::Failed], "{jobs} jobs");
        // Every other job may have begun a target meanwhile, and those that were done before may have been followed by others.
        let written = ends[4..].iter().filter(|end| **end == End::Applied).count();
        assert!(written <= 3 * jobs && (jobs > 1 || written == 0), "{jobs} jobs: {ends:?}");
        assert!(
            ends[4..].iter().all(|end| matches!(end, End::Applied | End::NotStarted)),
            "{jobs} jobs: {ends:?}"
        );
        let not_started = ends.iter().position(|end| *end == End::NotStarted).unwrap();
        assert!(ends[not_started..].iter().all(|end| *end == End::NotStarted), "{jobs} jobs: {ends:?}");
        assert_eq!(heard.iter().filter(|heard| *heard == "failed").count(), 2, "{heard:?}");
    }
}

#[test]
fn up_to_the_failures_that_are_allowed_all_others_are_written() {
    let options = |max| Options { keep_going: true, max_failures: Some(max), ..Options::default() };
    for jobs in [1, 4] {
        let folder = tempfile::tempdir().unwrap();
        let (applied, heard) = applied(folder.path(), jobs, &[1, 5], &options(2));
        let ends = ends(folder.path(), &applied);
        let failed: Vec<_> = (0..TARGETS).filter(|index| ends[*index] == End::Failed).collect();
        assert_eq!(failed, [1, 5]);
        assert_eq!(ends.iter().filter(|end| **end == End::Applied).count(), TARGETS - 2);
        assert!(!heard.contains(&"too many".to_string()));
    }
    for jobs in [1, 4] {
        let folder = tempfile::tempdir().unwrap();
        let (applied, heard) = applied(folder.path(), jobs, &[1, 5], &options(1));
        let ends = ends(folder.path(), &applied);
        assert!(ends.contains(&End::NotStarted), "{ends:?}");
        assert_eq!(heard.iter().filter(|heard| *heard == "too many").count(), 1);
    }
}

/// Sends a signal while the third target is reported, when those behind it have long been written.
struct Signaller {
    progress: Progress,
    answer: Mutex<Option<String>>,
    said: Mutex<Vec<Error>>,
}

impl Observer for Signaller {
    fn event(&self, event: Event<'_>, _: &Scrubber) -> Result<(), Error> {
        match event {
            Event::Applied { root, .. } if root.ends_with("t02") => {
                std::thread::sleep(std::time::Duration::from_millis(500));
                let answer = format!("{:?}", self.progress.signal("SIGTERM"));
                *self.answer.lock().unwrap() = Some(answer);
            }
            Event::Failed(error) => self.said.lock().unwrap().push(error.clone()),
            _ => {}
        }
        Ok(())
    }

    fn confirm(&self, _: Question) -> Result<bool, Error> {
        Ok(true)
    }
}

#[test]
fn a_signal_while_targets_are_reported_is_said_after_all_that_is_written_is_reported() {
    for jobs in [1, 3, 5, 100] {
        let folder = tempfile::tempdir().unwrap();
        let documents = targets(folder.path());
        let selection = Selection { documents, jobs: NonZero::new(jobs), ..Selection::default() };
        let progress = Progress::default();
        let (answer, said) = (Mutex::default(), Mutex::default());
        let signaller = Signaller { progress: progress.clone(), answer, said };
        let documents = Documents::load(&selection).unwrap();
        let context = Context::new(&selection, Environment::default(), progress, &signaller);
        let options = Options { yes: true, keep_going: true, max_failures: Some(9), ..Options::default() };
        let applied = apply(&documents, &options, &context).unwrap();
        assert_eq!(signaller.answer.into_inner().unwrap().as_deref(), Some("WaitsForReport"), "{jobs} jobs");
        assert_eq!(applied.outcome, Outcome::Interrupted, "{jobs} jobs");
        let written = ends(folder.path(), &applied).iter().filter(|end| **end == End::Applied).count();
        assert!(written >= 3 && (jobs > 1 || written == 3), "{jobs} jobs: {written}");
        assert!(written <= 3 + AHEAD * jobs, "{jobs} jobs: {written}");
        let said = signaller.said.into_inner().unwrap();
        let interrupted = said.iter().filter(|error| error.kind == Outcome::Interrupted);
        let helps: Vec<_> = interrupted.map(|error| error.help.clone().unwrap()).collect();
        assert_eq!(helps.len(), 1, "{jobs} jobs: {said:?}");
        assert_eq!(helps[0].split(", ").count(), written, "{jobs} jobs: {helps:?}");
    }
}
