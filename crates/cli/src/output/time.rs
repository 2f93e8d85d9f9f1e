//! Times as RFC 3339 has them.

/// Writes seconds since 1970 as RFC 3339 has them, in UTC.
pub(crate) fn time(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years of 400 begin on 1 March of the year 0, so that the leap day is the last of a year.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, year) = if month < 10 { (month + 3, year) } else { (month - 9, year + 1) };
    let year = year + era * 400;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}

/// Writes milliseconds since 1970 as RFC 3339 has them, in UTC; none before 1970.
pub(crate) fn time_with_milliseconds(moment: i64) -> Option<String> {
    let moment = u64::try_from(moment).ok()?;
    let mut text = time(moment / 1_000);
    if !moment.is_multiple_of(1_000) {
        text.truncate(text.len() - 1);
        text.push_str(&format!(".{:03}Z", moment % 1_000));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::{time, time_with_milliseconds};

    #[test]
    fn milliseconds_follow_if_there_are_any() {
        let text = |moment| time_with_milliseconds(moment);
        assert_eq!(text(1_785_000_000_007).as_deref(), Some("2026-07-25T17:20:00.007Z"));
        assert_eq!(text(1_785_000_000_000).as_deref(), Some("2026-07-25T17:20:00Z"));
        assert_eq!(text(-1), None);
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_785_000_000, "2026-07-25T17:20:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(time(seconds), text);
        }
    }
}
