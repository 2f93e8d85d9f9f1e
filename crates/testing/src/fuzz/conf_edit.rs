//! Any conf, any wishes: the laws of editing hold.
//!
//! The input is lines of wishes, a line `---`, and the conf. A wish is `name=value`, `name~value` for a
//! value that may stay bare, or `name` alone for a setting that should be commented out. Without the
//! line, the whole input is the conf.

use pgconf::Quoting;

// The tests of pgconf need no other crate than pgconf, and take their laws from no other.
#[path = "../../../pgconf/tests/laws/check.rs"]
mod check;

use check::{Wish, check};

const RULE: &[u8] = b"---\n";

/// Runs the target with one input.
pub fn run(input: &[u8]) {
    let rule = input.windows(RULE.len()).position(|window| window == RULE);
    let (wishes, conf) = match rule {
        Some(at) => (wishes(&input[..at]), &input[at + RULE.len()..]),
        None => (wishes(b"work_mem=8MB\nport~1\nlog_line_prefix\n"), input),
    };
    check(conf, &wishes);
}

fn wishes(lines: &[u8]) -> Vec<Wish> {
    let wish = |line: &[u8]| {
        let at = line.iter().position(|b| matches!(b, b'=' | b'~'));
        let name = String::from_utf8_lossy(&line[..at.unwrap_or(line.len())]).into_owned();
        let quoting = if at.is_some_and(|at| line[at] == b'~') { Quoting::Bare } else { Quoting::Quoted };
        Wish { name, value: at.map(|at| line[at + 1..].to_vec()), quoting }
    };
    lines.split(|&b| b == b'\n').filter(|line| !line.is_empty()).take(20).map(wish).collect()
}
