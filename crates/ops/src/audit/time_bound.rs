//! `--since` and `--until`.

use std::time::{SystemTime, UNIX_EPOCH};

use auditlog::time::{Timestamp, offset, wall};

/// A time to compare entries with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// A moment: milliseconds since 1970 in UTC.
    Moment(i64),
    /// A time on the wall of the server, whatever its zone: milliseconds as on that clock.
    Wall(i64),
}

impl Bound {
    /// Returns whether a time is before this one.
    pub(crate) fn is_after(self, time: &Timestamp) -> bool {
        match self {
            Self::Moment(bound) => time.moment() < bound,
            Self::Wall(bound) => time.wall < bound,
        }
    }

    /// Returns whether the zone of an entry matters.
    pub(crate) fn needs_zone(self) -> bool {
        matches!(self, Self::Moment(_))
    }
}

/// Reads a time: how long ago (`90s`, `30m`, `2h`, `7d`, `1w`), or a date with or without a time and a zone.
pub(crate) fn parse_bound(text: &str) -> Option<Bound> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis());
    parse(text, i64::try_from(now).unwrap_or(i64::MAX))
}

/// Returns what is wrong with a text that is not a time, and what to write.
pub(crate) fn not_a_bound(text: &str) -> (String, String) {
    let text = text.trim();
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_unit = !unit.is_empty() && unit.chars().all(char::is_alphabetic);
    if is_unit && unit.len() < text.len() && !UNITS.contains(&unit) {
        let units = UNITS.join(", ");
        return (format!("`{unit}` is not a unit"), format!("use one of the units {units}, as in `2h`"));
    }
    let number = |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<u32>().ok())?;
    if let [day, month, year] = text.split('.').collect::<Vec<_>>()[..]
        && let (Some(day @ 1..=31), Some(month @ 1..=12), Some(year @ 1000..=9999)) =
            (number(day), number(month), number(year))
    {
        let help = format!("write the date as `{year}-{month:02}-{day:02}`");
        return ("not a date in the format YYYY-MM-DD".into(), help);
    }
    let help = "write how long ago, such as `90s`, `30m`, `2h`, `1d` or `1w`, or a date, such as `2026-11-22`, \
                `2026-11-22T10:30` or `2026-11-22T10:30+02:00`";
    ("not a time".into(), help.into())
}

/// The units of how long ago something was.
const UNITS: [&str; 5] = ["s", "m", "h", "d", "w"];

fn parse(text: &str, now: i64) -> Option<Bound> {
    let text = text.trim();
    if let Some((number, unit)) = text.split_at_checked(text.len().checked_sub(1)?) {
        let unit = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            "w" => 604_800,
            _ => 0,
        };
        if unit > 0 && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) {
            let ago = number.parse::<i64>().ok()?.checked_mul(unit * 1000)?;
            return now.checked_sub(ago).map(Bound::Moment);
        }
    }
    let (date, rest) = match text.split_at_checked(10) {
        Some((date, rest)) => (date, rest.trim_start_matches(['T', ' '])),
        None => return None,
    };
    let end = rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | '.')).unwrap_or(rest.len());
    let wall = wall(date, &rest[..end])?;
    match rest[end..].trim() {
        "" => Some(Bound::Wall(wall)),
        zone => Some(Bound::Moment(wall - i64::from(offset(zone)?) * 1000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        for (text, bound) in [
            ("2h", Bound::Moment(1_000_000_000 - 7_200_000)),
            ("0s", Bound::Moment(1_000_000_000)),
            ("1970-01-02", Bound::Wall(86_400_000)),
            ("1970-01-01T01:30", Bound::Wall(5_400_000)),
            ("1970-01-01 01:30:00.5", Bound::Wall(5_400_500)),
            ("1970-01-01T01:30Z", Bound::Moment(5_400_000)),
            ("1970-01-01T01:30+01:30", Bound::Moment(0)),
        ] {
            assert_eq!(parse(text, 1_000_000_000), Some(bound), "{text}");
        }
        for text in ["", "h", "2x", "1970-1-1", "1970-01-32", "yesterday", "1970-01-01T01:30XYZ", "ü"] {
            assert_eq!(parse(text, 0), None, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_time_is_told_by_what_it_looks_like() {
        for (text, why, help) in [
            ("5x", "`x` is not a unit", "use one of the units s, m, h, d, w, as in `2h`"),
            ("5min", "`min` is not a unit", "use one of the units"),
            ("22.11.2026", "not a date in the format YYYY-MM-DD", "write the date as `2026-11-22`"),
            ("1.2.2026", "not a date in the format YYYY-MM-DD", "write the date as `2026-02-01`"),
            ("11.22.2026", "not a time", "write how long ago"),
            ("yesterday", "not a time", "write how long ago"),
            ("99999999999999999999w", "not a time", "write how long ago"),
        ] {
            let (found, advice) = not_a_bound(text);
            assert_eq!(found, why, "{text}");
            assert!(advice.starts_with(help), "{text}: {advice}");
        }
    }
}
