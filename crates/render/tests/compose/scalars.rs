//! The service's own `image`, as YAML can write it.

use model::Code;

use crate::support::{At, edit, edit_files, refuse, warnings};

#[test]
fn quotes_and_comments_stay() {
    edit("services:\n  db:\n    image: «postgres:12»\n");
    edit("services:\n  db:\n    image: '«postgres:12»' # twelve\n");
    edit("services:\n  db:\n    image:   \"«postgres:12»\"\t# twelve\n    restart: always\n");
    edit("services: {db: {restart: always, image: «postgres:12», x-a: 1}}\n");
    edit("services: {db: {image: '«postgres:12»'}}\n");
    edit("services:\n  db:\n    image:\n      «postgres:12»\n");
    edit("services:\n  db:\n    \"image\": «postgres:12»\n");
    edit("services:\n  db:\n    image: !!str «postgres:12»\n");
    edit("services:\n  db:\n    image: \"«post\\x67res:12»\"\n");
}

#[test]
fn a_scalar_on_two_lines_becomes_one() {
    edit("services:\n  db:\n    image: «postgres\n      :12»\n");
    edit("services:\n  db:\n    image: \"«postgres:\\\n      12»\"\n");
}

#[test]
fn the_text_of_a_block_scalar_changes_and_its_header_strips_line_ends() {
    edit("services:\n  db:\n    image: |-\n      «postgres:12»\n    restart: always\n");
    edit("services:\n  db:\n    image: >- # folded\n      «postgres:12»\n");
    edit("services:\n  db:\n    image: |2-\n      «postgres:12»\n");
    edit("services:\n  db:\n    image: |-\n      «postgres:12»\n\n    restart: always\n");
    refuse(Code::ImageShape, "services:\n  db:\n    image: |-\n\n      postgres:12\n");
    // An image with a line end behind it is none for Docker.
    edit("services:\n  db:\n    image: |«→-»\n      «postgres:12»\n");
    edit("services:\n  db:\n    image: >«→-» # folded\n      «postgres:12»\n    restart: always\n");
    edit("services:\n  db:\n    image: |«+→-»\n      «postgres:12»\n\n    restart: always\n");
    refuse(Code::ImageShape, "services:\n  db:\n    image: |-\nx-other: |-\n      postgres\n");
    refuse(Code::ImageShape, "services:\n  db:\n    image: >\n\n    restart: always\n");
    edit("services:\n  db:\n    image: |-\n      «postgres:12 \t »\n    restart: always\n");
    edit("services:\n  db:\n    image: >-\n      «postgres:12  »\n  \n");
    edit("services:\n  db:\n    image: |2«+→-»\n      «postgres:12»\n");
    edit("services:\n  db:\n    image: |«→-»\n      «kasmweb/postgres:1.16.0→NEW»\n");
}

#[test]
fn explicit_keys_are_keys() {
    edit("services:\n  ? db\n  : ? image\n    : «postgres:12»\n    ? restart\n    : always\n");
    // A line before such a key would become a part of it.
    refuse(Code::ImageShape, "services:\n  db:\n    ?\n      restart\n    : always\n");
    refuse(Code::ImageShape, "services:\n  db:\n    ?\n      image: a\n");
}

#[test]
fn tags_that_change_nothing_stay() {
    edit("services:\n  db: !override\n    image: !override «postgres:12»\n");
    edit("services: !!map\n  db: !!map\n    !!str image: «postgres:12»\n");
    refuse(Code::ImageShape, "services:\n  db:\n    image: !!binary cG9zdGdyZXM6MTI=\n");
    refuse(Code::ImageShape, "services:\n  db:\n    image: !reset postgres:12\n");
}

#[test]
fn line_ends_and_what_stands_at_both_ends_of_the_file_stay() {
    edit("\u{feff}services:\n  db:\n    image: «postgres:12»\n");
    edit("services:\r\n  db:\r\n    image: «postgres:12»\r\n    restart: always\r\n");
    edit("services:\r\n  db:\n    image: \"«postgres:12»\" \r\n    restart: always\n");
    edit("services:\n  db:\n    image: «postgres:12»");
    edit("services:\n  db:\n    image: «postgres:12»  \n\n \n\n");
    edit("# a\tb\nservices: # \t\n  db:\t# c\n    image: «postgres:12»\t#\td\n");
    edit("services:\r  db:\r    image: «postgres:12»\r");
}

#[test]
fn a_missing_value_is_written() {
    edit("services:\n  db:\n    image:«→ NEW»\n    restart: always\n");
    edit("services:\n  db:\n    image:«→ NEW» # later\n");
    edit("services:\n  db:\n    image:«→ NEW»");
    edit("services:\n  db:\n    image: «~»\n");
    edit("services:\n  db:\n    image: «null»\n");
    edit("services: {db: {image:«→ NEW» , restart: always}}\n");
    refuse(Code::ImageShape, "services: {db: {image, restart: always}}\n");
    refuse(Code::ImageShape, "services:\n  db:\n    ? image\n    ? restart\n    : always\n");
}

#[test]
fn what_is_not_a_text_is_refused() {
    refuse(Code::ImageShape, "services:\n  db:\n    image: [postgres:12]\n");
    refuse(Code::ImageShape, "services:\n  db:\n    image: {name: postgres}\n");
    refuse(Code::ImageShape, "services:\n  db: [image, postgres:12]\n");
    refuse(Code::ImageShape, "services:\n  db: postgres:12\n");
}

#[test]
fn json_stays_json() {
    edit(r#"{"services": {"db": {"image": "«postgres:12»", "restart": "always"}}}"#);
    edit(r#"{"services": {"db": {«→"image": "NEW", »"restart": "always"}}}"#);
    edit(
        "{\n  \"services\": {\n    \"db\": {\n      «→\"image\": \"NEW\",\n      »\"restart\": \"always\"\n    }\n  }\n}\n",
    );
    edit(r#"{"services": {"db": {«→"image": "NEW"»}}}"#);
}

#[test]
fn what_yaml_1_1_reads_otherwise_is_text_here() {
    edit("services:\n  db:\n    image: «12:30»\n    tty: no\n    init: on\n    user: 0o70\n");
    edit("services:\n  db:\n    image: «1.10»\n");
    edit("yes: &no {y: n}\nservices:\n  db:\n    image: «postgres:12»\n    x-no: *no\n");
}

#[test]
fn references_compare_as_docker_completes_them() {
    for same in [
        "kasmweb/postgres:1.16.0",
        "docker.io/kasmweb/postgres:1.16.0",
        "index.docker.io/kasmweb/postgres:1.16.0",
        "\"kasmweb/postgres:1.16.0\"",
    ] {
        let plan = edit(&format!("services:\n  db:\n    image: {same}\n"));
        assert!(plan.is_empty());
    }
    let digest = format!("kasmweb/postgres:1.16.0@sha256:{}", "a".repeat(64));
    assert!(edit(&format!("services:\n  db:\n    image: {digest}\n")).is_empty());
    // The digest of an old tag goes with it.
    edit(&format!("services:\n  db:\n    image: «postgres:12@sha256:{}»\n", "a".repeat(64)));
    edit("services:\n  db:\n    image: «localhost:5000/kasmweb/postgres:1.16.0»\n");
    edit("services:\n  db:\n    image: «example.org:443/postgres»\n");
}

#[test]
fn a_variable_becomes_a_literal_unless_it_is_the_image_already() {
    for variable in ["${IMAGE}", "${IMAGE:-postgres:12}", "$IMAGE", "postgres:${TAG:-12}", "${A:-${B:-x}}"] {
        let plan = edit(&format!("services:\n  db:\n    image: «{variable}»\n"));
        assert_eq!(warnings(&plan), [Code::ImageFromVariable]);
    }
    edit("services:\n  db:\n    image: \"«${IMAGE:-postgres:12}»\"\n");
    // `$$` is a dollar sign.
    assert_eq!(warnings(&edit("services:\n  db:\n    image: «postgres:$$12»\n")), []);
    let resolved = [
        ("compose.yaml", "services:\n  db:\n    image: kasmweb/postgres:${TAG}\n"),
        (".env", "# the tag\nexport TAG='1.16.0'\n"),
    ];
    assert!(edit_files(At::First, &resolved).is_empty());
    let other = [
        ("compose.yaml", "services:\n  db:\n    image: «kasmweb/postgres:${TAG}»\n"),
        (".env", "TAG=1.11.0\n"),
    ];
    edit_files(At::First, &other);
    assert!(edit("services:\n  db:\n    image: ${IMAGE:-kasmweb/postgres:1.16.0}\n").is_empty());
}
