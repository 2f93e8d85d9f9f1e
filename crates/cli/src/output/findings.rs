//! Findings in observed files; one cause in several files is one.

use std::collections::BTreeMap;

use model::{Code, Diagnostic};

use super::diagnostics;

/// Renders findings in observed files; one cause in several files is one.
pub(crate) fn listed(findings: &[Diagnostic], errors_only: bool) -> Vec<String> {
    let mut shown: Vec<&Diagnostic> = Vec::new();
    for finding in findings {
        let same = |other: &&Diagnostic| (other.code, &other.message) == (finding.code, &finding.message);
        let is_wanted = !errors_only || finding.is_error();
        if is_wanted && !shown.iter().any(same) {
            shown.push(finding);
        }
    }
    let places = |finding: &Diagnostic| -> Vec<_> {
        let same = findings.iter().filter(|o| (o.code, &o.message) == (finding.code, &finding.message));
        same.filter_map(|other| other.location.as_ref()).collect()
    };
    shown.into_iter().map(|finding| diagnostics::without_source(finding, &places(finding))).collect()
}

/// Counts findings by their names.
pub(crate) fn by_name<'a>(
    findings: impl IntoIterator<Item = &'a Diagnostic>,
) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for one in findings {
        *counts.entry(one.code.name()).or_default() += 1;
    }
    counts
}

/// Returns whether a warning is about how the document pins its image, which stays so for years.
pub(crate) fn is_repeated(diagnostic: &Diagnostic) -> bool {
    matches!(diagnostic.code, Code::NoDigest | Code::MutableTag)
}
