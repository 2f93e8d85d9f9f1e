//! A diff of two contents of a file that no plan leads from one to the other.

use std::sync::Arc;

use model::yaml::Tree;

use super::hunk::{Hunk, Sides, Sign};
use crate::file_kind::FileKind;
use crate::redact::{self, For, Shown};
use crate::secrets::known_of;

/// Returns the hunks between two contents, with hidden what a plan's diff hides.
///
/// There is no plan that says what the change is about, so by their names: images in compose files, the preload
/// list and the settings of pgaudit in a conf. Of a compose file that cannot be read, nothing is shown.
pub fn redacted_between(kind: FileKind, before: &[u8], after: &[u8], context: usize) -> Vec<Hunk> {
    let known = Arc::new(known_of(kind, [before, after]));
    let hiding = |bytes| match (kind, Tree::parse(bytes)) {
        (FileKind::Conf, _) => (redact::settings(bytes), redact::conf(&known)),
        (FileKind::Compose, Ok(tree)) => {
            let tree = Arc::new(tree);
            (redact::images(&tree), redact::compose(&tree, &known, For::People))
        }
        (FileKind::Compose, Err(_)) => (Vec::new(), redact::everything()),
    };
    let ((old_managed, old), (new_managed, new)) = (hiding(before), hiding(after));
    let sides = Sides::new(before, after);
    let (old_lines, new_lines) = sides.lines(context);
    let old = Shown::within(kind, before, old_managed, &old, old_lines);
    let new = Shown::within(kind, after, new_managed, &new, new_lines);
    sides.hunks(context, |sign, index, _| match sign {
        Sign::Added => new.line(index),
        Sign::Same | Sign::Removed => old.line(index),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::unified;

    fn shown(kind: FileKind, before: &str, after: &str) -> String {
        let hunks = redacted_between(kind, before.as_bytes(), after.as_bytes(), 3);
        String::from_utf8(unified("f", &hunks)).unwrap()
    }

    #[test]
    fn images_are_shown_and_an_edit_of_a_password_is_not() {
        let text = shown(
            FileKind::Compose,
            "services: {db: {image: old:1, env: {PW: hunter2}}} # hunter2\n",
            "services: {db: {image: new:2, env: {PW: hunter3}}} # hunter2\n",
        );
        assert_eq!(
            text,
            "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-services: {db: {image: old:1, env: {PW: <hidden>}}} # <hidden>\n\
             +services: {db: {image: new:2, env: {PW: <hidden>}}} # <hidden>\n"
        );
    }

    #[test]
    fn of_a_conf_the_preload_list_and_pgaudit_are_shown() {
        let text = shown(
            FileKind::Conf,
            "shared_preload_libraries = 'pgaudit'\npgaudit.log = 'ddl'\nprimary_conninfo = 'hunter2'\n",
            "#shared_preload_libraries = 'pgaudit'\nPgAudit.Log = 'read'\nprimary_conninfo = 'hunter3'\n",
        );
        assert_eq!(
            text,
            "--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n-shared_preload_libraries = 'pgaudit'\n-pgaudit.log = 'ddl'\n\
             -primary_conninfo = <hidden>\n+#shared_preload_libraries = 'pgaudit'\n+PgAudit.Log = 'read'\n\
             +primary_conninfo = <hidden>\n"
        );
    }

    #[test]
    fn of_what_is_not_yaml_nothing_is_shown() {
        let text = shown(FileKind::Compose, "PW: hunter2\n\t[", "PW: hunter3\n\t[");
        assert!(!text.contains("hunter"), "{text}");
    }
}
