//! Images that come through anchors, merge keys and `extends`, and others that get theirs from the service.

use model::Code;

use crate::support::{At, edit, edit_files, refuse, warnings};

#[test]
fn an_alias_becomes_a_literal() {
    edit("x-image: &image postgres:12\nservices:\n  db:\n    image: «*image»\n  web:\n    image: *image\n");
}

#[test]
fn an_anchor_moves_to_its_first_alias() {
    edit(
        "
        services:
          db:
            image: «&pg →»«postgres:12» # here
          one:
            image: «*pg→&pg postgres:12»
          two: {image: *pg}
    ",
    );
    edit(
        "services:\n  db:\n    image: «&pg →»'«postgres:12»'\n  one: {image: «*pg→&pg 'postgres:12'», x-a: *pg}\n",
    );
    edit(
        "services:\n  db:\n    image: «&pg →»«!!str →»«postgres:12»\n  one: {image: «*pg→&pg !!str postgres:12»}\n",
    );
    edit(
        "services:\n  db:\n    image: «!!str →»«&pg →»«postgres:12»\n  one: {image: «*pg→&pg !!str postgres:12»}\n",
    );
    // Without an alias it stays.
    edit("services:\n  db:\n    image: &pg «postgres:12»\n");
}

#[test]
fn a_moved_text_gets_the_quotes_that_its_new_place_needs() {
    edit(
        "services:\n  db:\n    image: «&pg →»«${PG:-postgres:12}»\n  one: {image: «*pg→&pg \"${PG:-postgres:12}\"»}\n",
    );
    edit(
        "services:\n  db:\n    image: «&pg →»«${PG:-postgres:12}»\n  one:\n    image: «*pg→&pg ${PG:-postgres:12}»\n",
    );
    edit(
        "services:\n  db:\n    image: «&pg →»|«→-»\n      «postgres:12»\n  one:\n    image: «*pg→&pg \"postgres:12\\n\"»\n",
    );
    edit("services:\n  db:\n    image: «&pg →»>-\n      «postgres:12»\n  one: [«*pg→&pg \"postgres:12\"»]\n");
}

#[test]
fn an_image_from_a_merge_key_is_overridden_by_a_line() {
    edit(
        "
        x-base: &base
          image: postgres:12
        services:
          db:
            <<: *base # the base
        «→    image: NEW
        »    restart: always
          web:
            <<: *base
    ",
    );
    edit(
        "x-a: &a {image: postgres:12}\nx-b: &b {tty: true}\nservices:\n  db:\n    <<: [*b, *a]\n«→    image: NEW\n»",
    );
    edit("x-a: &a {image: postgres:12}\nservices:\n  db:\n    <<: *a«→\n    image: NEW»");
    edit("x-a: &a {image: postgres:12}\r\nservices:\r\n  db:\r\n    <<: *a«→\r\n    image: NEW»");
    edit(
        "x-a: &a {image: postgres:12}\r\nservices:\r\n  db:\r\n    <<: *a\r\n«→    image: NEW\r\n»    tty: true\r\n",
    );
    edit("x-a: &a {image: postgres:12}\nservices:\n  db:\n«→    image: NEW\n»    <<:\n      - *a\n");
    edit("x-a: &a {image: postgres:12}\nservices:\n  db: {«→image: NEW, »<<: *a, tty: true}\n");
    // In quotes `<<` is a key like others.
    edit("x-a: &a {image: postgres:12}\nservices:\n  db:\n    \"<<\": *a\n«→    image: NEW\n»");
}

#[test]
fn an_aliased_service_gets_an_image_of_its_own() {
    edit(
        "
        services:
          base: &base
            image: postgres:12
          db: «*base→{<<: *base, image: NEW}» # same
          web: *base
    ",
    );
}

#[test]
fn an_image_from_extends_is_overridden_by_a_line() {
    edit(
        "
        services:
          base:
            image: postgres:12
          db:
            extends: base
        «→    image: NEW
        »    restart: always
    ",
    );
    edit(
        "services:\n  a: {image: 'postgres:12'}\n  b: {extends: a}\n  db: {«→image: NEW, »extends: {service: b}}\n",
    );
    edit_files(
        At::First,
        &[
            (
                "compose.yaml",
                "services:\n  db:\n    extends: {file: base/pg.yaml, service: pg}\n«→    image: NEW\n»",
            ),
            ("base/pg.yaml", "services:\n  pg:\n    image: postgres:12\n"),
        ],
    );
    let met = [
        ("compose.yaml", "services:\n  db:\n    extends: {file: base/pg.yaml, service: pg}\n"),
        ("base/pg.yaml", "services:\n  pg:\n    extends: {file: ../root.yaml, service: root}\n"),
        ("root.yaml", "services:\n  root:\n    image: kasmweb/postgres:1.16.0\n"),
    ];
    assert!(edit_files(At::First, &met).is_empty());
}

#[test]
fn a_base_that_is_missing_is_said() {
    let plan = edit("services:\n  db:\n    extends: {file: base.yaml, service: pg}\n«→    image: NEW\n»");
    assert_eq!(warnings(&plan), [Code::ComposeReference]);
    let plan = edit("services:\n  db:\n    extends: nobody\n    image: «postgres:12»\n");
    assert_eq!(warnings(&plan), [Code::ComposeReference]);
    let plan =
        edit("services:\n  db:\n    extends: {file: \"${BASE}\", service: pg}\n    image: «postgres:12»\n");
    assert_eq!(warnings(&plan), [Code::ComposeReference]);
    // A circle of bases.
    let plan =
        edit("services:\n  db: {extends: a, image: «postgres:12»}\n  a: {extends: b}\n  b: {extends: a}\n");
    assert_eq!(warnings(&plan), [Code::ComposeReference]);
}

#[test]
fn others_that_merge_the_service_keep_the_old_image() {
    edit(
        "
        services:
          db: &db
            image: «postgres:12»
            restart: always
          one:
            <<: *db
        «→    image: postgres:12
        »    tty: true
          two: «*db→{<<: *db, image: postgres:12}»
          three: {«→image: postgres:12, »<<: *db}
          four:
            <<: *db
            image: redis:7
    ",
    );
    edit("services:\n  db: &db {image: «\"${PG}\"→\"NEW\"»}\n  one: {«→image: \"${PG}\", »<<: *db}\n");
    edit("services:\n  db: &db\n    image: «${PG}»\n  one: {«→image: \"${PG}\", »<<: *db}\n");
}

#[test]
fn others_that_extend_the_service_keep_the_old_image() {
    edit(
        "
        services:
          db:
            image: «postgres:12»
          one:
            extends: db
        «→    image: postgres:12
        »  two:
            extends:
              service: one
          three:
            extends: {file: compose.yaml, service: db}
        «→    image: postgres:12
        »",
    );
    edit_files(
        At::Db,
        &[
            ("compose.yaml", "services:\n  db:\n    image: «postgres:12»\n"),
            (
                "more.yaml",
                "services:\n  one:\n    extends: {file: compose.yaml, service: db}\n«→    image: postgres:12\n»",
            ),
        ],
    );
}

#[test]
fn others_that_inherit_through_the_service_keep_the_old_image() {
    edit(
        "
        x-base: &base
          image: &pg postgres:12
        services:
          db: &db
            <<: *base
        «→    image: NEW
        »  one:
            <<: *db
        «→    image: postgres:12
        »  two:
            extends: db
        «→    image: postgres:12
        »  three:
            <<: *base
    ",
    );
    edit(
        "services:\n  a: &a {image: postgres:12}\n  db: «*a→{<<: *a, image: NEW}»\n  b: {«→image: postgres:12, »extends: db}\n  c: *a\n",
    );
}

#[test]
fn a_service_that_services_merge_is_changed_where_it_is_written() {
    edit(
        "
        x-services: &services
          db:
            image: «postgres:12»
        services:
          <<: *services
          web:
            image: nginx:1
    ",
    );
    edit("x-all: &all {db: {image: «postgres:12»}}\nservices: *all\n");
}

#[test]
fn a_built_image_is_refused_where_nothing_names_it() {
    refuse(Code::BuiltImage, "services:\n  db:\n    build: ./postgres\n");
    refuse(Code::BuiltImage, "services:\n  base: {build: .}\n  db: {extends: base}\n");
    refuse(Code::BuiltImage, "services:\n  db:\n    build: .\n    image:\n");
    let plan = edit("services:\n  db:\n    build: .\n    image: «postgres:12»\n");
    assert_eq!(warnings(&plan), [Code::BuiltImage]);
}

#[test]
fn an_image_that_another_document_replaces_or_takes_away_needs_no_line_of_its_own() {
    let db = "services:\n  db: &db\n    image: «postgres:12»\n  job:\n    <<: *db\n";
    let image = "services:\n  job:\n    image: postgres:11\n";
    let nothing = "services:\n  job: !reset null\n";
    for (main, over) in [("include: [svc.yaml]\n", image), ("include: [svc.yaml]\n", nothing)] {
        edit_files(At::First, &[("compose.yaml", &format!("{main}{over}")), ("svc.yaml", db)]);
    }
    let several = format!("{db}---\n{nothing}");
    edit_files(At::First, &[("compose.yaml", &several)]);
    // Its base has the same image, and does not count either.
    let extends = format!("{db}    extends: {{service: db}}\n---\n{nothing}");
    edit_files(At::First, &[("compose.yaml", &extends)]);
}
