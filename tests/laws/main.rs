//! The four laws for whole plans: over generated targets, over a corpus of real files, over hostile ones.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "the crate reads no files, its tests do")]

mod adoption;
mod compose;
mod corpus;
mod documents;
mod hostile;
mod meaning;
mod rendering;

use model::{Code, Image};
use proptest::prelude::*;
use testing::laws::laws;
use testing::{Memory, desired, files_target};

use documents::IMAGES;

fn config(cases: u32) -> ProptestConfig {
    let more = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let cases = more.unwrap_or(cases);
    // A failing case belongs into a test of its own, not into a file beside the sources.
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn the_laws_hold_for_compose_files_with_a_conf(
        compose in compose::compose(IMAGES),
        conf in documents::conf(),
        document in documents::document(),
    ) {
        let files = Memory::new([("compose.yaml", compose.text.as_bytes()), ("postgresql.conf", &conf)]);
        let target = files_target(&files);
        laws(&desired(&document), &target, &files);
    }

    #[test]
    fn the_laws_hold_for_a_conf_alone(conf in documents::conf(), document in documents::document()) {
        let files = Memory::new([("postgresql.conf", &conf)]);
        laws(&desired(&document), &files_target(&files), &files);
    }

    #[test]
    fn the_image_becomes_the_wanted_one_and_every_other_service_keeps_its_own(
        compose in compose::compose(IMAGES),
        image in prop::sample::select(IMAGES),
    ) {
        image_law(&compose, image)?;
    }

    #[test]
    fn a_document_made_from_what_is_there_plans_nothing(
        conf in documents::conf(),
        document in documents::document(),
    ) {
        let files = Memory::new([("postgresql.conf", &conf)]);
        let target = files_target(&files);
        let desired = desired(&document);
        let (_, after) = laws(&desired, &target, &files);
        let (again, unchanged) = laws(&desired, &target, &after);
        prop_assert!(again.is_empty());
        prop_assert_eq!(after, unchanged);
    }
}

/// Compares the plan's result with what another YAML reader takes it for.
fn image_law(compose: &compose::Compose, image: &str) -> Result<(), TestCaseError> {
    let files = Memory::new([("compose.yaml", compose.text.as_bytes())]);
    let target = files_target(&files);
    let (plan, after) = laws(&desired(&format!("schema: kasm-db/v1\nimage: {image}\n")), &target, &files);
    let text = &compose.text;
    let unproved = plan.findings.iter().any(|finding| finding.code == Code::NotProved);
    prop_assert!(!unproved, "no way to change the image in {text}");
    let before = meaning::of(text.as_bytes());
    prop_assert!(before.is_some(), "no YAML was generated: {text}");
    let changed = after.get("compose.yaml");
    let (before, after) = (before.unwrap(), meaning::of(changed).unwrap());
    prop_assert_eq!(&before.rest, &after.rest);
    let comments = |text: &[u8]| text.iter().filter(|&&b| b == b'#').count();
    prop_assert_eq!(comments(text.as_bytes()), comments(changed), "a comment is lost in {}", text);
    prop_assert!(!plan.changes.is_empty() || before.images == after.images);
    for ((name, was), (_, is)) in before.images.iter().zip(&after.images) {
        if name != compose.service {
            prop_assert_eq!(was, is, "the image of {} changed in {}", name, text);
        } else if !plan.files.is_empty() {
            prop_assert_eq!(is.as_deref(), Some(image));
        } else if !plan.is_blocked() && was.as_ref().is_some_and(|was| !was.contains('$')) {
            let was = Image::parse(was.as_deref().unwrap_or_default()).unwrap();
            prop_assert!(Image::parse(image).unwrap().is_met_by(&was));
        }
    }
    Ok(())
}
