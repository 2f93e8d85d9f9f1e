//! `log_timezone`: what the abbreviations of a log mean that mean several things.

use auditlog::time::offset;
use jiff::Timestamp as Moment;
use jiff::tz::TimeZone;

use crate::error::Error;

/// The zone that a server logs in.
#[derive(Clone, Debug)]
pub(crate) struct LogTimezone(Zone);

#[derive(Clone, Debug)]
enum Zone {
    /// Seconds east of UTC.
    Fixed(i32),
    Named(TimeZone),
}

impl LogTimezone {
    /// Reads an offset, or a name as `log_timezone` has it.
    ///
    /// # Errors
    /// It is neither, or this host knows no such zone.
    pub(crate) fn new(text: &str) -> Result<Self, Error> {
        if let Some(seconds) = offset(text) {
            return Ok(Self(Zone::Fixed(seconds)));
        }
        TimeZone::get(text).map(|zone| Self(Zone::Named(zone))).map_err(|_| {
            Error::usage(format!(
                "invalid value `{text}` for `--log-timezone`: this host has no such time zone"
            ))
            .help("write a name such as Asia/Shanghai, or an offset: +08:00")
        })
    }

    /// Returns the seconds east of UTC at a time on the clock of the zone, in milliseconds and as it is written.
    pub(crate) fn offset(&self, wall: i64, text: &[u8]) -> Option<i32> {
        match &self.0 {
            Zone::Fixed(seconds) => Some(*seconds),
            Zone::Named(zone) => named(zone, wall, text),
        }
    }
}

/// Returns the offset that a zone has by its own clock. While clocks are set back, the abbreviation decides.
fn named(zone: &TimeZone, wall: i64, text: &[u8]) -> Option<i32> {
    let clock = TimeZone::UTC.to_datetime(Moment::from_millisecond(wall).ok()?);
    let (earlier, later) = {
        let both = zone.to_ambiguous_timestamp(clock);
        (both.earlier().ok()?, both.later().ok()?)
    };
    let abbreviation = text.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    let is_later = zone.to_offset_info(later).abbreviation().as_bytes() == abbreviation;
    Some(zone.to_offset(if is_later { later } else { earlier }).seconds())
}

#[cfg(test)]
mod tests {
    use auditlog::time::Timestamp;

    use super::*;

    #[test]
    fn an_abbreviation_means_what_it_does_in_the_zone() {
        let hours = |zone: &str, text: &str| {
            let time = Timestamp::parse(text.as_bytes()).unwrap();
            let offset = LogTimezone::new(zone).unwrap().offset(time.wall, text.as_bytes());
            offset.map(|seconds| f64::from(seconds) / 3600.0)
        };
        assert_eq!(hours("Asia/Shanghai", "2026-11-29 09:53:47 CST"), Some(8.0));
        assert_eq!(hours("America/Chicago", "2026-11-29 09:53:47 CST"), Some(-6.0));
        assert_eq!(hours("America/Chicago", "2026-11-01 01:30:00 CDT"), Some(-5.0));
        assert_eq!(hours("America/Chicago", "2026-11-01 01:30:00 CST"), Some(-6.0));
        assert_eq!(hours("Asia/Kolkata", "2026-11-29 09:53:47 IST"), Some(5.5));
        assert_eq!(hours("+02:00", "2026-11-29 09:53:47 IST"), Some(2.0));
        assert!(LogTimezone::new("Nowhere/Here").is_err());
    }
}
