//! The same text at other places, and keys that stand twice.

use model::Code;

use crate::support::{edit, refuse, warnings};

#[test]
fn the_old_name_elsewhere_stays() {
    edit(
        "
        # image: postgres:12
        x-image: postgres:12
        services:
          web:
            image: postgres:12
            labels: {image: postgres:12, \"db.image\": postgres:12}
            command: |
              db:
                image: postgres:12
          db: # image: postgres:12
            # image: postgres:12
            labels:
              - image=postgres:12
            environment: {image: postgres:12}
            image: «postgres:12» # image: postgres:12
            command: [\"image:\", \"postgres:12\"]
            x-db:
              image: postgres:12
        configs:
          db:
            content: |
              services:
                db:
                  image: postgres:12
        db:
          image: postgres:12
    ",
    );
}

#[test]
fn two_images_are_refused_and_other_duplicates_are_said() {
    refuse(Code::DuplicateImage, "services:\n  db:\n    image: postgres:12\n    image: postgres:12\n");
    let plan = edit("services:\n  db:\n    restart: always\n    image: «postgres:12»\n    restart: always\n");
    assert_eq!(warnings(&plan), [Code::DuplicateComposeKey]);
    let plan = edit("services:\n  db:\n    image: «postgres:12»\n  web: {image: a:1, image: b:1}\n");
    assert_eq!(warnings(&plan), [Code::DuplicateComposeKey]);
    // The last of two services counts.
    let plan = edit("services:\n  db:\n    image: a:1\n  db:\n    image: «postgres:12»\n");
    assert_eq!(warnings(&plan), [Code::DuplicateComposeKey]);
}

#[test]
fn long_lines_and_characters_of_all_kinds_stay() {
    let long = "x".repeat(100_000);
    edit(&format!(
        "x-a: {long}\nservices: {{db: {{x-b: \"{long}\", image: «postgres:12», x-c: [{long}]}}}} # {long}\n"
    ));
    edit("x-ä: &ü 日本\nservices:\n  db:\n    labels: {é: *ü, 🐘: 🐘}\n    image: «postgres:12» # 🐘\n");
}
