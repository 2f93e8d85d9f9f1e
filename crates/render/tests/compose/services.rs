//! Which service is the database.

use model::Code;

use crate::support::{At, edit_files, refuse_files};

const FILE: &str = "compose.yaml";

#[test]
fn the_container_name_counts_before_the_key() {
    edit_files(
        At::Found,
        &[(
            FILE,
            "
        services:
          db:
            image: postgres:12
          postgres:
            container_name: \"kasm_db\"
            image: «postgres:12»
    ",
        )],
    );
    edit_files(
        At::Found,
        &[(FILE, "services:\n  db: {image: postgres:12}\n  kasm_db: {image: «postgres:12»}\n")],
    );
    edit_files(
        At::Found,
        &[(FILE, "services:\n  db: {image: «postgres:12»}\n  web: {image: postgres:12}\n")],
    );
    edit_files(
        At::Found,
        &[(
            FILE,
            "x-s: &s {pg: {container_name: kasm_db, image: «postgres:12»}}\nservices:\n  <<: *s\n  db: {image: a:1}\n",
        )],
    );
}

#[test]
fn two_services_with_the_container_name_are_refused_and_listed() {
    let plan = refuse_files(
        At::Found,
        Code::AmbiguousService,
        &[(
            FILE,
            "
        services:
          one: {container_name: kasm_db, image: postgres:12}
          two: {container_name: kasm_db, image: postgres:12}
    ",
        )],
    );
    let message = &plan.blockers().next().unwrap().message;
    assert_eq!(message, "2 services may be the database: `one` (compose.yaml:2), `two` (compose.yaml:3)");
}

#[test]
fn another_database_under_the_key_is_refused() {
    refuse_files(At::Found, Code::NotPostgres, &[(FILE, "services:\n  db:\n    image: mysql:8\n")]);
    refuse_files(
        At::Found,
        Code::NotPostgres,
        &[(FILE, "services:\n  db:\n    image: example.org/mirror/mariadb:11\n")],
    );
    edit_files(At::Found, &[(FILE, "services:\n  db:\n    container_name: kasm_db\n    image: «mysql:8»\n")]);
}

#[test]
fn a_file_without_the_service_is_refused() {
    refuse_files(At::Found, Code::NoService, &[(FILE, "services:\n  web: {image: nginx:1}\n")]);
    refuse_files(At::Found, Code::NoService, &[(FILE, "")]);
    refuse_files(At::Found, Code::NoService, &[(FILE, "services: []\n")]);
    refuse_files(At::Found, Code::NoService, &[(FILE, "- services\n")]);
}

#[test]
fn a_file_for_compose_1_is_told_from_one_without_the_service() {
    for (file, expected) in [
        ("db:\n  image: postgres:9.4\n  links: [web]\nweb:\n  build: .\n", "no `services` in compose.yaml"),
        ("main:\n  build: ./database\n", "no `services` in compose.yaml"),
        ("x-base: {image: postgres:12}\nvolumes: {data: {}}\n", "no database service in compose.yaml"),
        (
            "db: {image: postgres:12}\nservices: {web: {image: nginx:1}}\n",
            "no database service in compose.yaml",
        ),
    ] {
        let plan = refuse_files(At::Found, Code::NoService, &[(FILE, file)]);
        assert_eq!(plan.blockers().next().unwrap().message, expected, "{file}");
    }
}
