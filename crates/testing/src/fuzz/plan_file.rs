//! Any bytes as a plan file: what is taken for one is written the same again, and nothing in it leads out.

use kasm_db::parts::{MAX_BYTES, decode, encode};
use serde_json::Value;

/// Runs the target with one input.
pub fn run(input: &[u8]) {
    match decode(input) {
        Ok(plan) => {
            let text = encode(&plan);
            // Larger than what was read, it may be larger than what is read.
            assert!(matches!(decode(&text), Ok(again) if again == plan) || text.len() as u64 > MAX_BYTES);
            let text: Value = serde_json::from_slice(&text).unwrap();
            for file in array(&text["targets"]).flat_map(|target| array(&target["files"])) {
                let path = file["path"].as_str().unwrap();
                let leads_out = |part| matches!(part, "" | "." | "..");
                assert!(!path.split('/').any(leads_out) && !path.contains('\0'), "{path}");
                let number = |edit: &Value, key| edit[key].as_u64().unwrap();
                let in_order = |a: &&Value, b: &&Value| {
                    number(a, "start") <= number(a, "end") && number(a, "end") <= number(b, "start")
                };
                assert!(array(&file["edits"]).collect::<Vec<_>>().is_sorted_by(in_order), "{path}");
            }
        }
        // It is a plan file, and its own key is named.
        Err(text) if text.starts_with("was changed by hand: kasm-db writes no key `") => {}
        Err(text) => {
            // The bytes may be those of any file: no word of them is repeated.
            assert!(text.is_ascii() && !text.contains("Zq7") && text.len() < 100, "{text}");
        }
    }
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().unwrap().iter()
}
