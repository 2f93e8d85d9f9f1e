//! How a case is written and checked.

use kasm_db_render::{Plan, Snapshot, Target, TargetKind, observe, reconcile};
use model::Code;

/// The image that every case wants.
pub(crate) const IMAGE: &str = "kasmweb/postgres:1.16.0";

const FILE: &str = "compose.yaml";

/// Where the files of a case belong.
#[derive(Clone, Copy)]
pub(crate) enum At {
    /// All of them are given to Compose, in this order, and the service is `db`.
    Db,
    /// Only the first one is given to Compose.
    First,
    /// The service is found by its name.
    Found,
    /// They lie in a deployment.
    Deployment,
}

fn plan(files: &Snapshot, paths: &[String], at: At, document: &str) -> Plan {
    let kind = match at {
        At::Deployment => TargetKind::Deployment,
        _ => TargetKind::Files {
            compose: paths
                .iter()
                .take(if matches!(at, At::First) { 1 } else { paths.len() })
                .cloned()
                .collect(),
            postgresql_conf: None,
            service: (!matches!(at, At::Found)).then(|| "db".into()),
        },
    };
    let target = Target::new("case", kind);
    let desired = model::read("kasm-db.yaml", document.as_bytes()).desired.unwrap();
    let mut plan = reconcile(&desired, &observe(&target, files));
    plan.allow(&["major-change".into()]);
    plan
}

fn wanting() -> String {
    format!("schema: kasm-db/v1\nimage: {IMAGE}\n")
}

/// Takes away the indentation that a text has for the reader's sake.
fn dedent(text: &str) -> String {
    let Some(text) = text.strip_prefix('\n') else { return text.to_string() };
    let indent = text.len() - text.trim_start_matches(' ').len();
    let lines = text.split_inclusive('\n').map(|line| line.get(indent..).unwrap_or_default());
    lines.collect()
}

/// Reads a case: `«old→new»` is a change, `«old»` becomes the image; `NEW` is the image.
fn sides(text: &str) -> (String, String) {
    let text = dedent(text);
    let (mut before, mut after) = (String::new(), String::new());
    let mut rest = text.as_str();
    while let Some((same, changed)) = rest.split_once('«') {
        let (changed, behind) = changed.split_once('»').unwrap();
        let (old, new) = changed.split_once('→').unwrap_or((changed, "NEW"));
        before.extend([same, old]);
        after.extend([same, new]);
        rest = behind;
    }
    before.push_str(rest);
    after.push_str(rest);
    (before, after.replace("NEW", IMAGE))
}

#[track_caller]
fn same(path: &str, expected: &str, got: &[u8]) {
    let got = String::from_utf8_lossy(got);
    if expected != got {
        let diff = similar::TextDiff::from_lines(expected, &*got);
        let diff = diff.unified_diff().header("expected", "got").to_string();
        panic!("{path}\n{diff}\nexpected {expected:?}\n     got {got:?}");
    }
}

/// Checks what becomes of some files, and the four laws; gives the plan.
#[track_caller]
pub(crate) fn edit_files(at: At, cases: &[(&str, &str)]) -> Plan {
    let sides: Vec<_> = cases.iter().map(|(path, text)| (path.to_string(), sides(text))).collect();
    let paths: Vec<_> = sides.iter().map(|(path, _)| path.clone()).collect();
    let before: Snapshot = sides.iter().map(|(path, (before, _))| (path.as_str(), before.as_str())).collect();
    let nothing = plan(&before, &paths, at, "schema: kasm-db/v1\n");
    assert!(nothing.is_empty(), "an edit where nothing is wanted");

    let first = plan(&before, &paths, at, &wanting());
    let errors: Vec<_> =
        first.blockers().map(|blocker| format!("{}: {}", blocker.code, blocker.message)).collect();
    assert!(errors.is_empty(), "refused: {errors:?}");
    let after = before.with(first.files.iter().map(|file| (file.path.clone(), file.after.clone())));
    for (path, (_, expected)) in &sides {
        same(path, expected, after.bytes(path).unwrap());
    }
    let second = plan(&after, &paths, at, &wanting());
    assert!(second.is_empty() && !second.is_blocked(), "the second plan is not empty: {:?}", second.findings);
    first
}

/// Checks what becomes of one file.
#[track_caller]
pub(crate) fn edit(text: &str) -> Plan {
    edit_files(At::Db, &[(FILE, text)])
}

/// Checks that some files are refused with a code.
#[track_caller]
pub(crate) fn refuse_files(at: At, code: Code, cases: &[(&str, &str)]) -> Plan {
    let before: Snapshot = cases.iter().map(|(path, text)| (*path, dedent(text))).collect();
    let paths: Vec<_> = cases.iter().map(|(path, _)| path.to_string()).collect();
    let plan = plan(&before, &paths, at, &wanting());
    let codes: Vec<_> = plan.blockers().map(|blocker| blocker.code).collect();
    assert_eq!(codes, [code], "{:?}", plan.findings);
    assert!(plan.is_blocked());
    plan
}

/// Checks that one file is refused.
#[track_caller]
pub(crate) fn refuse(code: Code, text: &str) -> Plan {
    refuse_files(At::Db, code, &[(FILE, text)])
}

/// Plans for bytes that need not be text; must come back whatever they are.
pub(crate) fn survive(bytes: &[u8]) -> Plan {
    let files = Snapshot::from_iter([(FILE, bytes)]);
    plan(&files, &[FILE.to_string()], At::Found, &wanting())
}

/// Lists the codes of a plan's warnings, but for those about the PostgreSQL major.
pub(crate) fn warnings(plan: &Plan) -> Vec<Code> {
    let major = [Code::MajorChange, Code::UnknownCurrentMajor];
    plan.warnings().map(|warning| warning.code).filter(|code| !major.contains(code)).collect()
}
