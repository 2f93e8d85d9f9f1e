//! What documents and what they extend may not lead out of: the Git work tree, the document's folder, or `--top`.

use std::fs::{create_dir_all, write};
use std::os::unix::fs::symlink;

use serde_json::Value;
use testing::Sandbox;

use crate::PROGRAM;

const BASE: &str = "schema: kasm-db/v1\npreload: {libraries: [pgaudit]}\n";

/// Makes folders `out/in`, a base in each, and a document in the inner one that extends `extends`.
fn nested(extends: &str) -> Sandbox {
    let sandbox = Sandbox::new(PROGRAM);
    let at = |path: &str| sandbox.root().join(path);
    create_dir_all(at("out/in")).unwrap();
    for folder in [".", "out", "out/in"] {
        write(at(folder).join("base.kasm-db.yaml"), BASE).unwrap();
    }
    write(at("out/in/kasm-db.yaml"), format!("schema: kasm-db/v1\nextends: {extends}\n")).unwrap();
    sandbox
}

#[test]
fn outside_of_git_a_document_extends_what_is_in_its_folder() {
    let sandbox = nested("base.kasm-db.yaml");
    sandbox.run("validate -f out/in/kasm-db.yaml").expect(0);
    let sandbox = nested("../base.kasm-db.yaml");
    let run = sandbox.run("validate -f out/in/kasm-db.yaml").expect(3);
    let says = "out/base.kasm-db.yaml: it leads out of [ROOT]/out/in, the folder of the document; `--top DIR` names a folder \
                that holds both";
    assert!(run.stderr.contains(says), "{run}");
    for top in ["out", ".", "/"] {
        sandbox.run(&format!("validate -f out/in/kasm-db.yaml --top {top}")).expect(0);
    }
    // In a folder that is searched, that folder is the top.
    sandbox.run("validate -f out -R").expect(0);
    sandbox.run("validate -f out/in -R").expect(3);
    let run = sandbox.run("validate -f out/in/kasm-db.yaml --top examples").expect(1);
    assert!(run.stderr.contains("it leads out of [ROOT]/examples, which `--top` names"), "{run}");
    let run = sandbox.run("validate -f out/in/kasm-db.yaml --top nothing").expect(1);
    assert!(run.stderr.contains("nothing: cannot resolve the path: no such file"), "{run}");
}

#[test]
fn in_git_the_work_tree_is_the_top_also_that_of_a_submodule() {
    let sandbox = nested("../base.kasm-db.yaml");
    create_dir_all(sandbox.root().join("out/.git")).unwrap();
    sandbox.run("validate -f out/in/kasm-db.yaml").expect(0);
    let mut from_inside = sandbox.command(PROGRAM);
    sandbox.finish(from_inside.current_dir(sandbox.root().join("out/in")).arg("validate")).expect(0);
    write(sandbox.root().join("out/in/.git"), "gitdir: ../.git/modules/in\n").unwrap();
    let run = sandbox.run("validate -f out/in/kasm-db.yaml").expect(3);
    assert!(run.stderr.contains("[ROOT]/out/in, the Git work tree"), "{run}");
    sandbox.run("validate -f out/in/kasm-db.yaml --top out").expect(0);
    let sandbox = nested("../../base.kasm-db.yaml");
    create_dir_all(sandbox.root().join("out/.git")).unwrap();
    sandbox.run("validate -f out/in/kasm-db.yaml").expect(3);
}

#[test]
fn a_link_is_followed_within_the_work_tree_and_not_out_of_it() {
    let sandbox = nested("base.kasm-db.yaml");
    let at = |path: &str| sandbox.root().join(path);
    create_dir_all(at("out/.git/modules")).unwrap();
    write(at("out/.git/modules/kasm-db.yaml"), BASE).unwrap();
    write(at("kasm-db.yaml"), BASE).unwrap();
    let outside = at("kasm-db.yaml");
    for (name, to, code) in [
        ("beside", "in/kasm-db.yaml", 0),
        ("absolute", at("out/in/kasm-db.yaml").to_str().unwrap(), 0),
        ("twice", "beside", 0),
        ("up-and-back", "in/../in/kasm-db.yaml", 0),
        ("out", "../kasm-db.yaml", 1),
        ("out-and-back", "../out/in/kasm-db.yaml", 1),
        ("absolutely-out", outside.to_str().unwrap(), 1),
        ("twice-out", "out", 1),
        ("out-by-dots", at("out/../kasm-db.yaml").to_str().unwrap(), 1),
        ("git", ".git/modules/kasm-db.yaml", 1),
        ("host", "/etc/hostname", 1),
        ("process", "/proc/self/environ", 1),
        ("nothing", "nowhere", 1),
        ("out-to-nothing", "../nowhere", 1),
    ] {
        symlink(to, at("out").join(name)).unwrap();
        let run = sandbox.run(&format!("validate -f out/{name}")).expect(code);
        if code == 1 && name != "nothing" {
            let says = if name == "git" {
                "Git's own folder"
            } else {
                "it leads out of [ROOT]/out, the Git work tree"
            };
            assert!(run.stderr.contains(says), "{name}: {run}");
        }
    }
    let run = sandbox.run("validate -f out/out").expect(1);
    assert!(run.stderr.contains("help: use `--top DIR` with a folder that holds all documents"), "{run}");
    sandbox.run("validate -f out/out --top .").expect(0);
    // The caller's own link to the work tree is followed.
    symlink("out", at("mine")).unwrap();
    sandbox.run("validate -f mine/in/kasm-db.yaml").expect(0);
    sandbox.run("validate -f mine/beside").expect(0);
    sandbox.run("validate -f mine -R").expect(0);
}

#[test]
fn a_link_to_a_folder_out_of_the_work_tree_is_not_searched_and_no_name_in_it_is_told() {
    let sandbox = nested("base.kasm-db.yaml");
    let at = |path: &str| sandbox.root().join(path);
    create_dir_all(at("out/.git")).unwrap();
    create_dir_all(at("elsewhere")).unwrap();
    write(at("elsewhere/secret.kasm-db.yaml"), BASE).unwrap();
    // A work tree of its own does not make it another's.
    create_dir_all(at("elsewhere/.git")).unwrap();
    symlink("../elsewhere", at("out/sites")).unwrap();
    for options in ["-f out/sites -R", "-f out/sites/secret.kasm-db.yaml", "-f out/sites/../kasm-db.yaml"] {
        let run = sandbox.run(&format!("validate {options}")).expect(1);
        assert!(run.stderr.contains("it leads out of [ROOT]/out, the Git work tree"), "{options}: {run}");
        assert_eq!(run.to_string().contains("secret"), options.contains("secret"), "{run}");
    }
    sandbox.run("validate -f out -R").expect(0);
}

#[test]
fn standard_input_has_the_working_directory_for_a_folder() {
    let sandbox = nested("base.kasm-db.yaml");
    let run = |extends: &str, options: &str| {
        let script =
            format!("echo '{{schema: kasm-db/v1, extends: {extends}}}' | {PROGRAM} validate -f - {options}");
        sandbox.finish(sandbox.command("sh").current_dir(sandbox.root().join("out")).args(["-c", &script]))
    };
    run("base.kasm-db.yaml", "").expect(0);
    run("in/base.kasm-db.yaml", "").expect(0);
    let refused = run("../base.kasm-db.yaml", "").expect(3);
    assert!(refused.stderr.contains("it leads out of [ROOT]/out"), "{refused}");
    run("../base.kasm-db.yaml", "--top ..").expect(0);
}

#[test]
fn programs_are_told_which_document_is_refused() {
    let sandbox = nested("base.kasm-db.yaml");
    create_dir_all(sandbox.root().join("out/.git")).unwrap();
    write(sandbox.root().join("kasm-db.yaml"), BASE).unwrap();
    symlink("../../kasm-db.yaml", sandbox.root().join("out/in/eu.kasm-db.yaml")).unwrap();
    let run = sandbox.run("validate -f out/in -R --format json").expect(1);
    let json: Value = serde_json::from_slice(&run.bytes).unwrap();
    assert_eq!((&json["outcome"], &json["exit_code"]), (&"failed".into(), &1.into()));
    assert_eq!(json["errors"][0]["document"], "out/in/eu.kasm-db.yaml", "{json:#}");
}

#[test]
fn what_is_not_a_document_is_named_and_not_quoted() {
    let sandbox = Sandbox::new(PROGRAM);
    write(sandbox.root().join("kasm-db.yaml"), "image: a b\npassword: hunter2\n").unwrap();
    let run = sandbox.run("validate").expect(3);
    assert!(run.stderr.starts_with("error[KDB009]: kasm-db.yaml is not a kasm-db document"), "{run}");
    assert!(!run.to_string().contains("hunter2") && !run.to_string().contains("a b"), "{run}");
}
