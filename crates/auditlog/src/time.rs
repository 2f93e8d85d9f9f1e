//! The times of a log.

/// A time as the server wrote it: the clock on its wall, and how far that is from UTC where it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// Milliseconds since 1970-01-01 00:00:00 on that clock.
    pub wall: i64,
    /// Seconds east of UTC; `None` where the zone's name is not known.
    pub offset: Option<i32>,
}

impl Timestamp {
    /// Reads `2026-11-22 22:46:35.752 UTC` (`%m`, `%t`, csvlog, jsonlog) or `1700000000.123` (`%n`).
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let Some((date, rest)) = text.split_once([' ', 'T']) else {
            let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
            let seconds: i64 = seconds.parse().ok().filter(|seconds| (0..1 << 40).contains(seconds))?;
            return Some(Self { wall: seconds * 1000 + milliseconds(fraction)?, offset: Some(0) });
        };
        let end = rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | '.')).unwrap_or(rest.len());
        let wall = wall(date, &rest[..end])?;
        let zone = rest[end..].trim();
        Some(Self { wall, offset: if zone.is_empty() { None } else { offset(zone) } })
    }

    /// Returns the moment in milliseconds since 1970 in UTC; an unknown zone counts as UTC.
    pub fn moment(&self) -> i64 {
        self.wall - i64::from(self.offset.unwrap_or(0)) * 1000
    }
}

/// Writes a time with an offset in place of its zone's name, as PostgreSQL writes one: `+08`, `-03:30`.
pub(crate) fn with_offset(text: &[u8], seconds: i32) -> Vec<u8> {
    let named = text.iter().rposition(|byte| *byte == b' ').filter(|at| *at > 10).unwrap_or(text.len());
    let (hours, rest) = (seconds.abs() / 3600, seconds.abs() % 3600);
    let sign = if seconds < 0 { '-' } else { '+' };
    let mut offset = format!(" {sign}{hours:02}");
    if rest > 0 {
        offset.push_str(&format!(":{:02}", rest / 60));
    }
    if rest % 60 > 0 {
        offset.push_str(&format!(":{:02}", rest % 60));
    }
    [&text[..named], offset.as_bytes()].concat()
}

/// Reads a date and a time of day, as the clock on the wall shows them; the time may be short or empty.
pub fn wall(date: &str, time: &str) -> Option<i64> {
    let number = |text: &str, length: usize| -> Option<i64> {
        (text.len() == length && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
    };
    let mut parts = date.split('-');
    let (year, month, day) =
        (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let lengths = [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *lengths.get(usize::try_from(month - 1).ok()?)?;
    if parts.next().is_some() || !(1..=length).contains(&day) {
        return None;
    }
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut parts = clock.split(':').filter(|part| !part.is_empty());
    let mut unit = |most: i64| match parts.next() {
        None => Some(0),
        Some(text) => number(text, 2).filter(|value| *value <= most),
    };
    let (hour, minute, second) = (unit(24)?, unit(59)?, unit(60)?);
    if parts.next().is_some() {
        return None;
    }
    let seconds = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    Some(seconds * 1000 + milliseconds(fraction)?)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Counts the days from 1970-01-01; March starts the year, so that a leap day is its last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leaps + (153 * month + 2) / 5 + day - 1 - 719_468
}

fn milliseconds(fraction: &str) -> Option<i64> {
    let mut value = 0;
    for at in 0..3 {
        value = value * 10 + fraction.as_bytes().get(at).map_or(Some(0), |b| char::from(*b).to_digit(10))?;
    }
    Some(i64::from(value))
}

/// Returns the seconds east of UTC of `Z`, `+02`, `-03:30`, `+0530`, or a name.
pub fn offset(zone: &str) -> Option<i32> {
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return named(zone).map(|hours| (hours * 3600.0) as i32),
    };
    let digits: String = digits.chars().filter(|c| *c != ':').collect();
    if !matches!(digits.len(), 1 | 2 | 4 | 6) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part =
        |at: usize, length: usize| digits.get(at..at + length).map_or(Some(0), |text| text.parse().ok());
    let hours: i32 = if digits.len() == 1 { part(0, 1)? } else { part(0, 2)? };
    Some(sign * (hours * 3600 + part(2, 2)? * 60 + part(4, 2)?))
}

/// Hours of the abbreviations that PostgreSQL's `Default` set has and that mean one thing only.
///
/// `CST` is China's too, `IST` India's, Israel's and Ireland's, `PST` that of the Philippines, `BST` that of Bougainville.
fn named(zone: &str) -> Option<f64> {
    Some(match zone.to_ascii_uppercase().as_str() {
        "UTC" | "GMT" | "Z" | "UCT" | "ZULU" | "WET" => 0.0,
        "CET" | "MET" | "WEST" => 1.0,
        "CEST" | "MEST" | "EET" | "SAST" => 2.0,
        "EEST" | "MSK" | "EAT" => 3.0,
        "PKT" => 5.0,
        "NPT" => 5.75,
        "HKT" | "SGT" | "PHT" | "AWST" => 8.0,
        "JST" | "KST" => 9.0,
        "ACST" => 9.5,
        "AEST" => 10.0,
        "ACDT" => 10.5,
        "AEDT" => 11.0,
        "NZST" => 12.0,
        "NZDT" => 13.0,
        "NST" => -3.5,
        "NDT" => -2.5,
        "ADT" => -3.0,
        "EDT" => -4.0,
        "EST" => -5.0,
        "MDT" => -6.0,
        "MST" | "PDT" => -7.0,
        "AKDT" => -8.0,
        "AKST" => -9.0,
        "HST" => -10.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_moments() {
        for (text, moment) in [
            ("1970-01-01 00:00:00 UTC", 0),
            ("2026-11-22 22:46:35.752 UTC", 1_795_387_595_752),
            ("2026-11-22 23:46:35.752 CET", 1_795_387_595_752),
            ("2026-11-22 19:16:35.752 -0330", 1_795_387_595_752),
            ("1795387595.752", 1_795_387_595_752),
            ("2024-02-29 00:00:00 +00", 1_709_164_800_000),
            ("2000-03-01 00:00:00.5 Z", 951_868_800_500),
        ] {
            assert_eq!(Timestamp::parse(text.as_bytes()).map(|time| time.moment()), Some(moment), "{text}");
        }
        for text in ["", "x", "2026-02-29 00:00:00 UTC", "2026-13-01 00:00:00 UTC", "2026-11-22 25:00:00 UTC"]
        {
            assert_eq!(Timestamp::parse(text.as_bytes()), None, "{text}");
        }
        for (text, seconds, expected) in [
            ("2026-11-22 22:46:35.752 CST", 28_800, "2026-11-22 22:46:35.752 +08"),
            ("2026-11-22 22:46:35 NST", -12_600, "2026-11-22 22:46:35 -03:30"),
            ("2026-11-22 22:46:35", 0, "2026-11-22 22:46:35 +00"),
            ("2026-11-22 22:46:35 LMT", -1_172, "2026-11-22 22:46:35 -00:19:32"),
        ] {
            let written = with_offset(text.as_bytes(), seconds);
            assert_eq!(String::from_utf8_lossy(&written), expected);
            assert_eq!(Timestamp::parse(&written).unwrap().offset, Some(seconds), "{text}");
        }
        for zone in ["XYZ", "CST", "CDT", "IST", "PST", "BST"] {
            let time = Timestamp::parse(format!("2026-11-22 00:00:00 {zone}").as_bytes());
            assert_eq!(time.unwrap().offset, None, "{zone}");
        }
    }
}
