//! What values a setting takes, as advice for somebody who wrote another one.

use pgconf::value::{Type, Unit};

use super::Setting;

/// Returns what to write for a setting: its values or range, and an example.
pub fn advice(setting: &Setting) -> String {
    match &setting.value {
        Type::Bool => "write `true` or `false`".to_string(),
        Type::Integer { unit, min, max } => {
            let (least, most) = (i64::from(*min), i64::from(*max));
            let what = kind(*unit, "a whole number");
            format!(
                "write {what} from {} to {}, such as `{}`",
                number(least, *unit),
                number(most, *unit),
                example(least, most, *unit)
            )
        }
        Type::Real { unit, min, max } => {
            let what = kind(*unit, "a number");
            let name = unit.name();
            // The greatest real has 309 digits.
            let most = if *max > 1e15 { String::new() } else { format!(" to {max}{name}") };
            let example = if (*min..=*max).contains(&0.5) { 0.5 } else { *min };
            format!("write {what} from {min}{name}{most}, such as `{example}{name}`")
        }
        Type::Enum { values, .. } => format!("use one of: {}", values.join(", ")),
        Type::String => "write a text".to_string(),
    }
}

fn kind(unit: Unit, number: &'static str) -> &'static str {
    match unit {
        Unit::None => number,
        Unit::B | Unit::KB | Unit::Blocks | Unit::MB => "a size",
        Unit::Ms | Unit::S | Unit::Min => "a time",
    }
}

/// Returns a number of units as it may be written; 0 and what is less have a meaning of their own, without a unit.
fn number(number: i64, unit: Unit) -> String {
    match unit {
        _ if number <= 0 => number.to_string(),
        Unit::Blocks => format!("{}kB", number * 8),
        unit => format!("{number}{}", unit.name()),
    }
}

/// Returns a value that is within the range: a usual one if possible.
fn example(least: i64, most: i64, unit: Unit) -> String {
    let usual: &[(i64, &str)] = match unit {
        Unit::None => &[(100, "100"), (10, "10"), (1, "1")],
        Unit::B => &[(8 << 10, "8kB")],
        Unit::KB => &[(64 << 10, "64MB"), (1 << 10, "1MB")],
        Unit::Blocks => &[(16 << 10, "128MB"), (128, "1MB")],
        Unit::MB => &[(1 << 10, "1GB"), (16, "16MB")],
        Unit::Ms => &[(5_000, "5s"), (10, "10ms")],
        Unit::S => &[(30, "30s"), (1, "1s")],
        Unit::Min => &[(5, "5min")],
    };
    let fits = usual.iter().find(|(number, _)| (least..=most).contains(number));
    fits.map_or_else(|| number(most, unit), |(_, text)| (*text).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::{MAJORS, check, lookup, names};

    #[test]
    fn advice_has_range_unit_and_example() {
        let of = |name: &str| advice(lookup(name, 16).unwrap());
        assert_eq!(of("work_mem"), "write a size from 64kB to 2147483647kB, such as `64MB`");
        assert_eq!(of("shared_buffers"), "write a size from 128kB to 8589934584kB, such as `128MB`");
        assert_eq!(of("max_connections"), "write a whole number from 1 to 262143, such as `100`");
        assert_eq!(of("statement_timeout"), "write a time from 0 to 2147483647ms, such as `5s`");
        assert_eq!(of("seq_page_cost"), "write a number from 0, such as `0.5`");
        assert_eq!(of("log_statement"), "use one of: none, ddl, mod, all");
        assert_eq!(of("log_connections"), "write `true` or `false`");
    }

    #[test]
    fn every_example_is_a_value_that_the_server_takes() {
        for major in MAJORS {
            for setting in names(major).filter_map(|name| lookup(name, major)) {
                let advice = advice(setting);
                let Some((_, example)) = advice.split_once("such as `") else { continue };
                let example = example.trim_end_matches('`');
                let checked = check(setting, example.as_bytes(), major);
                assert!(checked.is_ok(), "{}: {example}: {checked:?}", setting.name);
            }
        }
    }
}
