//! Lines that kasm-db wrote, and those that stood there before.

/// Lines of a file that kasm-db wrote for one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The value: `services.db.image`, or the name of a setting in lower case.
    pub subject: String,
    /// The generation that wrote them.
    pub generation: u64,
    /// Which of the equal ones in the file the lines are, from 0.
    pub nth: usize,
    /// How many equal ones there are.
    pub of: usize,
    /// The lines that stood there before, without line ends; of several, all but the last keep a carriage return. None for
    /// lines that were added.
    pub before: Vec<Vec<u8>>,
    /// The lines that were written, without line ends.
    pub after: Vec<Vec<u8>>,
}
