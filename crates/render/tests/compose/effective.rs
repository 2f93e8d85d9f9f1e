//! What Compose really runs: which files it reads, which services it starts, and where their folders are.

use model::Code;

use crate::support::{At, edit, edit_files, refuse, refuse_files, warnings};

const DB: &str = "services:\n  db:\n    container_name: kasm_db\n    image: postgres:12\n";

#[test]
fn compose_file_in_the_env_of_a_deployment_names_the_files() {
    let over = "services:\n  db:\n    image: «postgres:13»\n";
    for env in [
        "COMPOSE_FILE=docker-compose.yaml:extra.yaml\n",
        "COMPOSE_PATH_SEPARATOR=,\nCOMPOSE_FILE=docker-compose.yaml,extra.yaml\n",
        "X=extra\nCOMPOSE_FILE=\"docker-compose.yaml:${X}.yaml\"\n",
    ] {
        edit_files(
            At::Deployment,
            &[("docker/.env", env), ("docker/docker-compose.yaml", DB), ("docker/extra.yaml", over)],
        );
    }
    // Without it the file beside the others is none of the project.
    let other = "services:\n  db:\n    image: postgres:13\n";
    let main = DB.replace("postgres:12", "«postgres:12»");
    edit_files(At::Deployment, &[("docker/docker-compose.yaml", &main), ("docker/extra.yaml", other)]);
    edit_files(
        At::Deployment,
        &[
            ("docker/.env", "COMPOSE_FILE=\n"),
            ("docker/docker-compose.yaml", &main),
            ("docker/extra.yaml", other),
        ],
    );
    refuse_files(
        At::Deployment,
        Code::ComposeReference,
        &[("docker/.env", "COMPOSE_FILE=${NOWHERE}.yaml\n"), ("docker/docker-compose.yaml", DB)],
    );
}

#[test]
fn a_database_that_no_profile_starts_is_refused() {
    let with = format!("{DB}    profiles: [db, all]\n");
    refuse_files(At::Deployment, Code::NoService, &[("docker/docker-compose.yaml", &with)]);
    let with = with.replace("postgres:12", "«postgres:12»");
    for env in ["COMPOSE_PROFILES=db\n", "COMPOSE_PROFILES=x,all\n", "COMPOSE_PROFILES=\"*\"\n"] {
        edit_files(At::Deployment, &[("docker/.env", env), ("docker/docker-compose.yaml", &with)]);
    }
}

#[test]
fn what_a_variable_of_the_shell_decides_is_not_known() {
    // `:-` would take its default for a variable that is set to something that nobody knows here.
    let file = "services:\n  db:\n    image: «${IMAGE:-kasmweb/postgres:1.16.0}»\n";
    edit_files(At::First, &[("compose.yaml", file), (".env", "IMAGE=${REGISTRY}postgres:15\n")]);
    let met = "services:\n  db:\n    image: ${IMAGE:-kasmweb/postgres:1.16.0}\n";
    assert!(edit_files(At::First, &[("compose.yaml", met), (".env", "OTHER=1\n")]).is_empty());
}

#[test]
fn a_null_image_beside_extends_is_filled() {
    edit("services:\n  base: {image: postgres:12}\n  db:\n    image:«→ NEW»\n    extends: base\n");
    edit("services:\n  base: {image: postgres:12}\n  db: {image: «null→NEW», extends: base}\n");
    edit("services:\n  base: {image: postgres:12}\n  db:\n    image: «~→NEW»\n    extends: base\n");
}

#[test]
fn a_service_of_a_provider_has_no_image() {
    refuse(Code::ImageShape, "services:\n  db:\n    provider: {type: cloud}\n");
}

#[test]
fn a_comment_may_follow_a_quote_without_a_blank() {
    edit("services:\n  db:\n    image: «\"postgres:12\"→\"NEW\"»# why\n    tty: 'x'# more\n");
    refuse(Code::ComposeSyntax, "services:\n  db: {image: x}# why\n  - a\n");
}

#[test]
fn an_include_by_url_is_a_warning_at_its_place() {
    let plan =
        edit("include:\n  - oci://registry.example.com/more:1\nservices:\n  db:\n    image: «postgres:12»\n");
    assert_eq!(warnings(&plan), [Code::ComposeReference]);
    let place = plan.warnings().find_map(|warning| warning.location.clone()).unwrap();
    assert_eq!((place.line, place.column), (2, 5));
}

#[test]
fn a_file_in_utf_16_is_named_as_such() {
    let plan = crate::support::survive(b"\xff\xfes\0e\0r\0v\0");
    assert!(plan.blockers().any(|blocker| blocker.message == "saved as UTF-16"), "{:?}", plan.findings);
}

#[test]
fn a_base_is_what_its_document_and_its_includes_make_of_it() {
    edit_files(
        At::First,
        &[
            (
                "compose.yml",
                "services:\n  db: {tty: true}\n  job:\n    extends: db\n«→    image: postgres:12\n»include: [svc/pg.yml]\n",
            ),
            (
                "svc/pg.yml",
                "services:\n  db:\n    image: «postgres:12»\n  own: {«→image: postgres:12, »extends: db}\n",
            ),
        ],
    );
    // What is included wins over a base in another file.
    edit_files(
        At::First,
        &[
            ("compose.yml", "include: [b.yml]\nservices:\n  db:\n    extends: {file: c.yml, service: db}\n"),
            ("b.yml", "services:\n  db: {image: «postgres:12»}\n"),
            ("c.yml", "services:\n  db: {image: kasmweb/postgres:1.16.0}\n"),
        ],
    );
}
