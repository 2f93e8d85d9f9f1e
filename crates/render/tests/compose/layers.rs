//! Several documents and several files that Compose merges.

use model::Code;

use crate::support::{At, edit, edit_files, refuse_files, warnings};

const BASE: (&str, &str) = ("compose.yaml", "services:\n  db:\n    image: postgres:12\n");

#[test]
fn the_last_document_with_an_image_counts() {
    edit(
        "services:\n  db:\n    image: a:1\n---\nservices:\n  db:\n    image: «b:1»\n---\nservices:\n  db:\n    tty: true\n",
    );
    edit(
        "services:\n  db:\n    image: «a:1»\n---\nservices:\n  db:\n    image:\n...\n---\nservices:\n  db: ~\n",
    );
}

#[test]
fn an_image_in_an_override_file_is_changed_there() {
    edit_files(At::Db, &[BASE, ("over.yaml", "services:\n  db:\n    image: «postgres:13»\n")]);
    edit_files(
        At::Db,
        &[
            ("compose.yaml", "services:\n  db:\n    image: «postgres:12»\n"),
            ("over.yaml", "services:\n  db:\n    restart: always\n"),
        ],
    );
    // Compose passes over null.
    edit_files(
        At::Db,
        &[
            ("compose.yaml", "services:\n  db:\n    image: «postgres:12»\n"),
            ("over.yaml", "services:\n  db:\n    image:\n"),
        ],
    );
    edit_files(
        At::Db,
        &[
            BASE,
            ("over.yaml", "services:\n  base: {image: a:1}\n  db:\n    extends: base\n«→    image: NEW\n»"),
        ],
    );
}

#[test]
fn a_deployment_has_the_override_files_that_compose_takes() {
    for (main, over) in [
        ("docker/docker-compose.yaml", "docker/docker-compose.override.yaml"),
        ("docker/docker-compose.yaml", "docker/docker-compose.override.yml"),
        ("docker/compose.yml", "docker/compose.override.yaml"),
    ] {
        edit_files(
            At::Deployment,
            &[
                (main, "services:\n  db: {image: postgres:12}\n"),
                (over, "services:\n  db: {image: «postgres:13»}\n"),
            ],
        );
    }
    edit_files(
        At::Deployment,
        &[
            ("docker/docker-compose.yaml", "services:\n  db: {image: «postgres:12»}\n"),
            ("docker/.conf/docker-compose-all.yaml", "services:\n  db: {image: '«postgres:12»'}\n"),
            ("docker/.conf/docker-compose-agent.yaml", "services:\n  kasm_agent: {image: postgres:12}\n"),
            ("docker/other.yaml", "services:\n  db: {image: postgres:12}\n"),
        ],
    );
}

#[test]
fn reset_takes_away_and_override_replaces() {
    let over = |text| [BASE, ("over.yaml", text)];
    refuse_files(At::Db, Code::ImageShape, &over("services:\n  db:\n    image: !reset null\n"));
    refuse_files(At::Db, Code::ImageShape, &over("services:\n  db: !reset {}\n"));
    edit_files(At::Db, &over("services:\n  db:\n    image: !override «postgres:13»\n"));
    edit_files(At::Db, &over("services:\n  db: !override\n«→    image: NEW\n»    restart: always\n"));
    edit_files(At::Db, &over("services: !override\n  db:\n    image: «postgres:13»\n"));
    edit_files(
        At::Db,
        &[
            BASE,
            ("over.yaml", "services:\n  db: !reset null\n"),
            ("last.yaml", "services:\n  db:\n    image: «postgres:13»\n"),
        ],
    );
}

#[test]
fn included_files_count_before_the_document_that_includes_them() {
    let main = |text| ("compose.yaml", text);
    let part = ("sub/part.yaml", "services:\n  db:\n    image: «postgres:12»\n");
    edit_files(At::First, &[main("include: [sub/part.yaml]\nservices:\n  web: {image: nginx:1}\n"), part]);
    edit_files(At::First, &[main("include:\n  - path: sub/part.yaml\n"), part]);
    edit_files(
        At::First,
        &[
            main("include:\n  - path: [sub/base.yaml, sub/part.yaml]\n"),
            part,
            ("sub/base.yaml", "services:\n  db: {image: a:1}\n"),
        ],
    );
    let fixed = ("sub/part.yaml", "services:\n  db:\n    image: postgres:12\n");
    edit_files(
        At::First,
        &[main("include: [sub/part.yaml]\nservices:\n  db:\n    image: «postgres:13»\n"), fixed],
    );
    // Of two that are included, the first wins.
    edit_files(
        At::First,
        &[
            main("include: [sub/part.yaml, other.yaml]\n"),
            part,
            ("other.yaml", "services:\n  db: {image: a:1}\n"),
        ],
    );
    edit_files(
        At::First,
        &[
            main("include: [sub/part.yaml]\nservices:\n  db: {«→image: NEW, »extends: base}\n"),
            ("sub/part.yaml", "services:\n  base: {image: a:1}\n"),
        ],
    );
}

#[test]
fn an_included_project_has_its_own_folder_and_variables() {
    let part = ("sub/part.yaml", "services:\n  db:\n    image: kasmweb/postgres:${TAG:-1}\n");
    let included = ("compose.yaml", "include: [sub/part.yaml]\n");
    assert!(edit_files(At::First, &[included, part, ("sub/.env", "TAG=1.16.0\n")]).is_empty());
    // The including project's own environment wins.
    let both = [included, part, ("sub/.env", "TAG=1\n"), (".env", "TAG=1.16.0\n")];
    assert!(edit_files(At::First, &both).is_empty());
    let named = [
        (
            "compose.yaml",
            "include:\n  - path: sub/part.yaml\n    env_file: pg.env\n    project_directory: .\n",
        ),
        part,
        ("pg.env", "TAG=1.16.0\n"),
    ];
    assert!(edit_files(At::First, &named).is_empty());
}

#[test]
fn what_cannot_be_included_is_refused() {
    refuse_files(
        At::First,
        Code::ComposeReference,
        &[("compose.yaml", "include: [no.yaml]\nservices:\n  db: {image: a:1}\n")],
    );
    refuse_files(
        At::First,
        Code::ComposeReference,
        &[("compose.yaml", "include: [compose.yaml]\nservices:\n  db: {image: a:1}\n")],
    );
    let plan = edit_files(
        At::First,
        &[("compose.yaml", "include: [\"${WHERE}.yaml\"]\nservices:\n  db: {image: «a:1»}\n")],
    );
    assert_eq!(warnings(&plan), [Code::ComposeReference]);
}
