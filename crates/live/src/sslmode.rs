//! How far the server has to prove who it is, over TCP.

use std::fmt;
use std::str::FromStr;

/// How far the server has to prove who it is, as libpq's `sslmode` says it. Those of libpq's modes with which whoever
/// is in between chooses are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    /// No TLS at all.
    Disable,
    /// TLS, with whatever certificate.
    Require,
    /// A certificate of a known authority, for whatever name.
    VerifyCa,
    /// A certificate of a known authority, for this host.
    VerifyFull,
}

/// A text that is not the name of a mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not one of disable, require, verify-ca, verify-full")]
pub struct UnknownSslMode(pub String);

impl SslMode {
    /// All of them, from the least strict on.
    pub const ALL: [Self; 4] = [Self::Disable, Self::Require, Self::VerifyCa, Self::VerifyFull];

    /// Returns the name: `verify-full`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

impl fmt::Display for SslMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SslMode {
    type Err = UnknownSslMode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mode = Self::ALL.into_iter().find(|mode| mode.name() == text);
        mode.ok_or_else(|| UnknownSslMode(text.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_is_read_by_its_name_and_nothing_else_is() {
        for mode in SslMode::ALL {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        for text in ["prefer", "allow", "VERIFY-FULL", ""] {
            assert_eq!(text.parse::<SslMode>(), Err(UnknownSslMode(text.into())));
        }
    }
}
