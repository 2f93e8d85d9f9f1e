//! From a number with a unit to the setting's own unit.

use super::{Unit, ValueError, number};

/// Multiplies a number by the unit that follows it, into the setting's own unit.
///
/// A number of a larger unit is then rounded to whole ones of the next smaller unit: `1.1GB` of kB counts
/// 1126 MB. The order of the operations is the server's, so that the last bit agrees too.
pub(super) fn to_base_unit(number: f64, rest: &[u8], base: Unit) -> Result<f64, ValueError> {
    let rest = number::trim_start(rest);
    if rest.is_empty() {
        return Ok(number);
    }
    if base == Unit::None {
        return Err(ValueError::NotNumber);
    }
    let name = number::trim_end(rest);
    let mut smaller = None;
    for unit in base.accepted() {
        let factor = size(unit) / size(base.name());
        if unit.as_bytes() == name {
            let value = number * factor;
            return Ok(smaller.map_or(value, |step: f64| (value / step).round_ties_even() * step));
        }
        smaller = Some(factor);
    }
    Err(ValueError::unknown_unit(name, base))
}

/// How many bytes or microseconds a unit counts.
fn size(unit: &str) -> f64 {
    match unit {
        "kB" => 1024.0,
        "8kB" => 8192.0,
        "MB" => 1_048_576.0,
        "GB" => 1_073_741_824.0,
        "TB" => 1_099_511_627_776.0,
        "ms" => 1e3,
        "s" => 1e6,
        "min" => 6e7,
        "h" => 3.6e9,
        "d" => 8.64e10,
        // Bytes and microseconds; the units of `Unit` are all above.
        _ => 1.0,
    }
}
