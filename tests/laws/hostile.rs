//! Targets and documents that are large or odd on purpose: the results are right, and come in linear
//! time.

use kasm_db_render::{Plan, Target};
use model::{Code, Diagnostic};
use testing::laws::NOTHING;
use testing::{Memory, desired, files_target, plan};

const LARGE: usize = 1 << 20;
const MANY: usize = 100_000;

const DOCUMENT: &str = "\
schema: kasm-db/v1
image: kasmweb/postgres:1.16.1
preload: {libraries: [pgaudit]}
audit: {classes: [read, write, ddl]}
settings: {work_mem: 8MB, my.flag: x}
unset: [log_line_prefix]
";

/// Plans the same document for a conf, once, and again for the result.
fn conf(text: &str) -> Plan {
    let files = Memory::new([("postgresql.conf", text.as_bytes())]);
    planned(&files_target(&files), files)
}

/// Plans the same document for a compose file.
fn compose(text: &str) -> Plan {
    let files = Memory::new([("compose.yaml", text.as_bytes())]);
    let target = files_target(&files);
    assert!(plan(&NOTHING, &target, &files).is_empty());
    let image = "schema: kasm-db/v1\nimage: kasmweb/postgres:1.16.1\n";
    plan(&desired(image), &target, &files)
}

fn planned(target: &Target, mut files: Memory) -> Plan {
    let desired = desired(DOCUMENT);
    let first = plan(&desired, target, &files);
    for file in &first.files {
        files.0.insert(file.path.clone(), file.after.to_vec());
    }
    assert!(plan(&desired, target, &files).is_empty());
    first
}

fn after(plan: &Plan) -> &str {
    std::str::from_utf8(&plan.files[0].after).unwrap()
}

fn blockers(plan: &Plan) -> Vec<Code> {
    let mut codes: Vec<_> = plan.blockers().map(|finding| finding.code).collect();
    codes.dedup();
    codes
}

#[test]
fn a_conf_of_one_long_line_is_planned_or_refused() {
    let long = "x".repeat(LARGE - 64);
    let plan = conf(&format!("# {long}"));
    assert!(!plan.is_blocked() && after(&plan).ends_with("\nwork_mem = 8MB"));
    let plan = conf(&format!("log_line_prefix = '{long}'\n"));
    assert!(!plan.is_blocked() && after(&plan).starts_with("#log_line_prefix = 'xx"));
    let plan = conf(&format!("my.flag = '{long}' # c"));
    assert!(!plan.is_blocked() && after(&plan).starts_with("my.flag = 'x' # c"));
    assert_eq!(blockers(&conf(&format!("a = '{long}"))), [Code::ConfSyntax]);
    assert_eq!(blockers(&conf(&"work_mem ".repeat(MANY))), [Code::ConfSyntax]);
}

#[test]
fn a_conf_of_a_hundred_thousand_duplicates_changes_in_its_last_line() {
    let plan = conf(&"work_mem=1\n".repeat(LARGE / 11));
    assert!(after(&plan).contains("work_mem=1\nwork_mem=8MB\n"));
    assert_eq!(plan.changes.iter().filter(|change| change.subject == "work_mem").count(), 1);
}

#[test]
fn a_conf_of_a_hundred_thousand_commented_candidates_gets_a_line_of_its_own() {
    let plan = conf(&"#work_mem=1\n".repeat(LARGE / 12));
    assert!(after(&plan).contains("#work_mem=1\n") && after(&plan).contains("\nwork_mem = 8MB\n"));
}

#[test]
fn a_conf_of_many_unknown_settings_is_refused_with_a_few_of_them() {
    let lines: String = (0..LARGE / 16).map(|n| format!("nosuch{n:05} = 1\n")).collect();
    let plan = conf(&lines);
    assert_eq!(blockers(&plan), [Code::ConfUnknown]);
    assert!(plan.blockers().count() <= 20);
}

#[test]
fn a_conf_of_a_hundred_thousand_errors_is_refused_with_a_hundred_of_them() {
    let plan = conf(&"!\n".repeat(MANY));
    assert_eq!(blockers(&plan), [Code::ConfSyntax]);
    assert_eq!(plan.blockers().count(), 100);
}

#[test]
fn a_compose_file_of_brackets_is_refused() {
    for open in ["[", "{a: ", "- ", "? ", "&a [", "{"] {
        let plan = compose(&open.repeat(MANY));
        assert_eq!(blockers(&plan), [Code::ComposeSyntax], "{open}");
    }
}

#[test]
fn a_compose_file_with_an_alias_bomb_is_planned() {
    let mut text = String::from("x-a0: &a0 {k: v}\n");
    for n in 1..9_000 {
        let above = n - 1;
        text.push_str(&format!("x-a{n}: &a{n} [*a{above}, *a{above}, *a{above}]\n"));
    }
    text.push_str("services:\n  db:\n    image: a:1\n    x-bomb: *a8999\n");
    let plan = compose(&text);
    assert!(after(&plan).contains("image: kasmweb/postgres:1.16.1\n    x-bomb"));
    assert_eq!(plan.changes.len(), 1);
}

#[test]
fn a_compose_file_with_a_bomb_of_merge_keys_is_planned() {
    let mut text = String::from("x-a0: &a0 {image: a:1}\n");
    for n in 1..60 {
        let above = n - 1;
        text.push_str(&format!("x-a{n}: &a{n} {{<<: [*a{above}, *a{above}, *a{above}]}}\n"));
    }
    text.push_str("services:\n  db:\n    <<: *a59\n    container_name: kasm_db\n");
    let plan = compose(&text);
    assert!(after(&plan).contains("    <<: *a59\n    image: kasmweb/postgres:1.16.1\n"));
}

#[test]
fn a_compose_file_of_many_services_changes_in_one_of_them() {
    let services: String = (0..12_000).map(|n| format!("  s{n:06}: {{image: \"a:{n:06}\"}}\n")).collect();
    let plan = compose(&format!("services:\n{services}  db: {{image: \"a:1\"}}\n"));
    assert!(after(&plan).ends_with("  db: {image: \"kasmweb/postgres:1.16.1\"}\n"));
}

#[test]
fn a_compose_file_of_too_many_values_is_refused_where_reading_stops() {
    let list = "x,".repeat(MANY);
    let bomb = format!("x-a: &a [{list}]\nx-b: [{}]\n", "*a,".repeat(MANY));
    let keys = "x: 1\n".repeat(MANY);
    for (text, line) in [(&bomb, 1), (&keys, 24_998)] {
        let plan = compose(&format!("{text}services: {{db: {{image: \"a:1\"}}}}\n"));
        let refused = plan.blockers().next().unwrap();
        assert_eq!(refused.code, Code::ComposeSyntax);
        assert_eq!(refused.message, "more than 50000 keys and values; no more are read");
        assert!(refused.location.as_ref().unwrap().line.abs_diff(line) < 4, "{refused:?}");
    }
}

#[test]
fn a_conf_of_too_many_settings_or_libraries_is_refused() {
    let lines: String = (0..LARGE / 8).map(|n| format!("a.b = {}\n", n % 9)).collect();
    let plan = conf(&lines[..LARGE - 8]);
    assert_eq!(blockers(&plan), [Code::ConfInclude]);
    let refused = plan.blockers().next().unwrap();
    assert_eq!(refused.message, "more than 100,000 settings are read; here it stops");
    assert_eq!(refused.location.as_ref().unwrap().line, 100_001);
    let plan = conf(&format!("shared_preload_libraries = '{}a'\n", "a,".repeat(MANY)));
    assert_eq!(blockers(&plan), [Code::ConfList]);
    assert!(plan.blockers().next().unwrap().message.ends_with("lists more than 1000 libraries"));
}

#[test]
fn a_command_of_too_many_words_is_read_as_far_as_it_goes() {
    let words = "-c work_mem=1MB ".repeat(MANY / 2);
    let plan = compose(&format!("services: {{db: {{image: \"a:1\", command: postgres {words}}}}}\n"));
    assert!(after(&plan).contains("image: \"kasmweb/postgres:1.16.1\""));
}

/// Reads a document and gives its errors.
fn errors(text: &str) -> Vec<Diagnostic> {
    let reading = model::read("kasm-db.yaml", text.as_bytes());
    let mut errors = reading.diagnostics;
    errors.retain(Diagnostic::is_error);
    assert_eq!(errors.is_empty(), reading.desired.is_some());
    errors
}

#[test]
fn a_document_of_brackets_or_of_one_long_line_is_refused() {
    for open in ["[", "{a: ", "- ", "? ", "{"] {
        assert_eq!(errors(&open.repeat(MANY))[0].code, Code::NotADocument, "{open}");
        let text = format!("schema: kasm-db/v1\nx-deep:\n  {}", open.repeat(MANY));
        assert_eq!(errors(&text)[0].code, Code::DocumentSyntax, "{open}");
    }
    let long = "x".repeat(LARGE - 64);
    assert!(!errors(&long).is_empty());
    assert_eq!(errors(&format!("schema: kasm-db/v1\nimage: {long}\n"))[0].code, Code::WrongValue);
    assert_eq!(errors(&"x".repeat(LARGE + 1))[0].code, Code::DocumentSyntax);
}

#[test]
fn a_document_with_an_alias_bomb_is_refused() {
    let mut text = String::from("schema: kasm-db/v1\nx-a0: &a0 [x]\n");
    for n in 1..100 {
        let above = n - 1;
        text.push_str(&format!("x-a{n}: &a{n} [*a{above}, *a{above}]\n"));
    }
    let errors = errors(&text);
    assert!(errors.iter().all(|error| error.code == Code::DocumentFeature));
}

#[test]
fn a_document_of_too_many_values_is_one_error() {
    let keys = |count: usize| {
        let keys = (1..count).map(|n| format!("k{n}: 1\n")).collect::<String>();
        format!("schema: kasm-db/v1\n{keys}")
    };
    let [error] = &errors(&keys(80_000))[..] else { panic!("one error") };
    assert_eq!(error.message, "more than 50000 keys and values; no more are read");
    let [error] = &errors(&keys(10_500))[..] else { panic!("one error") };
    assert_eq!(error.message, "more than 20000 keys and values; a document cannot have more");
    assert_eq!(error.location.as_ref().unwrap().line, 10_000);
}

#[test]
fn a_document_of_many_settings_is_read() {
    let settings: String = (0..3_000).map(|n| format!("  my.s{n}: {n}\n")).collect();
    let desired = desired(&format!("schema: kasm-db/v1\nsettings:\n{settings}"));
    assert_eq!(desired.settings().len(), 3_000);
}
