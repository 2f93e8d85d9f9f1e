//! Numbers on the command line.

/// Reads a number; what Rust's parser says of a text is not for users.
pub(super) fn whole_number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| "use a whole number".to_string())
}

pub(super) fn generation(text: &str) -> Result<u64, String> {
    whole_number(text)
        .map_err(|_: String| "use a whole number; `kasm-db history` lists the generations".to_string())
}

pub(super) fn seconds(text: &str) -> Result<u64, String> {
    whole_number(text)
        .map_err(|_: String| "use a whole number of seconds, without a unit, such as `60`".to_string())
}

pub(super) fn jobs(text: &str) -> Result<u16, String> {
    let jobs = text.parse().ok().filter(|jobs| (1..=1024).contains(jobs));
    jobs.ok_or_else(|| "use a whole number from 1 to 1024".to_string())
}
