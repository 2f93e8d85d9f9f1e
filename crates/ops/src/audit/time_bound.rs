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
}
