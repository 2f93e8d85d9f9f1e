//! Any bytes as a plan file: what is taken for one is written the same again, and nothing in it leads out.

#[allow(dead_code, reason = "the program writes with it, too")]
#[path = "../../crates/cli/src/saved/format.rs"]
mod format;

use format::{Invalid, decode, encode};

pub(crate) fn run(input: &[u8]) {
    match decode(input) {
        Ok(plan) => {
            let text = encode(&plan);
            // Larger than what was read, it may be larger than what is read.
            assert!(
                matches!(decode(&text), Ok(again) if again == plan) || text.len() as u64 > format::MAX_BYTES
            );
            for file in plan.targets.iter().flat_map(|target| &target.files) {
                let leads_out = |part| matches!(part, "" | "." | "..");
                assert!(!file.path.split('/').any(leads_out) && !file.path.contains('\0'), "{}", file.path);
                assert!(
                    file.edits.is_sorted_by(|a, b| a.start <= a.end && a.end <= b.start),
                    "{}",
                    file.path
                );
            }
        }
        // It is a plan file, and its own key is named.
        Err(Invalid::UnknownKey(_)) => {}
        Err(invalid) => {
            let text = invalid.to_string();
            // The bytes may be those of any file: no word of them is repeated.
            assert!(text.is_ascii() && !text.contains("Zq7") && text.len() < 100, "{text}");
        }
    }
}
