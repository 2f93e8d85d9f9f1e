//! Units of numbers.

/// What a number without a unit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nothing that has a unit; a text with a unit is an error.
    None,
    /// Bytes.
    B,
    /// Kilobytes of 1024 bytes.
    KB,
    /// Blocks of 8 kB. The size of a block and of a WAL block is fixed when the server is built; 8 kB is what
    /// everybody has.
    Blocks,
    /// Megabytes.
    MB,
    /// Milliseconds.
    Ms,
    /// Seconds.
    S,
    /// Minutes.
    Min,
}

impl Unit {
    /// Returns the unit's name in `pg_settings.unit`; empty for [`Unit::None`].
    pub const fn name(self) -> &'static str {
        match self {
            Unit::None => "",
            Unit::B => "B",
            Unit::KB => "kB",
            Unit::Blocks => "8kB",
            Unit::MB => "MB",
            Unit::Ms => "ms",
            Unit::S => "s",
            Unit::Min => "min",
        }
    }

    /// Returns the units that a text may use for such a setting, the smallest first; empty for [`Unit::None`].
    ///
    /// Their letter case counts: `8mb` and `5MIN` are errors.
    pub const fn accepted(self) -> &'static [&'static str] {
        match self {
            Unit::None => &[],
            Unit::B | Unit::KB | Unit::Blocks | Unit::MB => &["B", "kB", "MB", "GB", "TB"],
            Unit::Ms | Unit::S | Unit::Min => &["us", "ms", "s", "min", "h", "d"],
        }
    }
}
