//! The example as a repository of documents would use it: the review is a snapshot.

#[path = "../examples/snapshot_review.rs"]
mod snapshot_review;

use snapshot_review::{DOCUMENT, review, stock};

#[test]
fn a_review_shows_the_effect_of_a_document_and_no_secret() {
    insta::assert_snapshot!(review(DOCUMENT, &stock()).unwrap(), @r"
    services.db.image: postgres:12-alpine -> kasmweb/postgres:1.11.0
    shared_preload_libraries: (not set) -> pgaudit
    pgaudit.log: (not set) -> ddl, role
    needs a new container

    === compose.yaml
    services:
      db:
        image: kasmweb/postgres:1.11.0
        environment:
          POSTGRES_PASSWORD: <hidden>
        command: <hidden>
        volumes: [./postgresql.conf:/conf]

    === postgresql.conf
    # <hidden>
    shared_preload_libraries = 'pgaudit'
    work_mem = 4MB
    pgaudit.log = 'ddl, role'
    ");
}

#[test]
fn a_review_shows_what_stands_in_the_way() {
    let document = DOCUMENT.replace("1.11.0", "1.16.0");
    let review = review(&document, &stock()).unwrap();
    assert!(review.contains("refused: kasmweb/postgres:1.16.0 is PostgreSQL 14"), "{review}");
    assert!(review.contains("    image: postgres:12-alpine\n") && !review.contains("dummy"), "{review}");
}
