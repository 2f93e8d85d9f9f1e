//! Tar archives, read as a stream: header after header, with names of any length and numbers of any size. Nothing is written.

use std::io::{self, Read};

use super::fault::Fault;

/// The size of a header, and what contents are padded to.
const BLOCK: usize = 512;

/// How long a name may be, and the extended header that holds it.
const LONGEST_NAME: u64 = 1 << 16;

/// How many headers of headers may follow each other.
const MOST_EXTENSIONS: usize = 8;

/// An archive that is read.
pub(super) struct Tar<R> {
    from: R,
    /// What is left of the contents of the entry.
    left: u64,
    padding: u64,
}

/// An entry of an archive.
pub(super) struct Entry {
    /// Its name as it is written.
    pub(super) name: Vec<u8>,
    pub(super) kind: Kind,
    /// What it links to, if it is a link.
    pub(super) link: Vec<u8>,
    pub(super) size: u64,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Symlink,
    HardLink,
    /// A device, a pipe, …
    Other,
}

/// What extended headers say of the entry behind them.
#[derive(Default)]
struct Extended {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

impl<R: Read> Tar<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, left: 0, padding: 0 }
    }

    /// Reads on to the next entry; `None` at the end. What was not read of the entry before is skipped.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, Fault> {
        let mut extended = Extended::default();
        for _ in 0..MOST_EXTENSIONS {
            self.skip()?;
            let Some(header) = self.header()? else { return Ok(None) };
            let size = number(&header[124..136])?;
            match header[156] {
                b'L' => extended.name = Some(until_nul(&self.small(size)?).to_vec()),
                b'K' => extended.link = Some(until_nul(&self.small(size)?).to_vec()),
                b'x' => extended.read(&self.small(size)?)?,
                // What it says holds for all entries, and nothing of that matters here.
                b'g' => self.begin(size),
                b'S' => {
                    return Err(Fault::malformed(
                        "a file in it has holes (GNU sparse), which kasm-db does not read",
                    ));
                }
                kind => return Ok(Some(self.entry(&header, kind, size, extended))),
            }
        }
        Err(Fault::malformed("too many extended headers follow each other"))
    }

    fn entry(&mut self, header: &[u8; BLOCK], kind: u8, size: u64, extended: Extended) -> Entry {
        let kind = match kind {
            // Before POSIX a folder was a file whose name ends with a slash.
            0 if until_nul(&header[..100]).ends_with(b"/") => Kind::Folder,
            0 | b'0' | b'7' => Kind::File,
            b'1' => Kind::HardLink,
            b'2' => Kind::Symlink,
            b'5' => Kind::Folder,
            _ => Kind::Other,
        };
        let size = match kind {
            Kind::File => extended.size.unwrap_or(size),
            Kind::Other => size,
            _ => 0,
        };
        self.begin(size);
        let own = || {
            let name = until_nul(&header[..100]);
            let prefix = if &header[257..263] == b"ustar\0" { until_nul(&header[345..500]) } else { b"" };
            if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
        };
        Entry {
            name: extended.name.unwrap_or_else(own),
            link: extended.link.unwrap_or_else(|| until_nul(&header[157..257]).to_vec()),
            kind,
            size,
        }
    }

    fn begin(&mut self, size: u64) {
        self.left = size;
        self.padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
    }

    /// Reads the whole contents of a header of headers.
    fn small(&mut self, size: u64) -> Result<Vec<u8>, Fault> {
        if size > LONGEST_NAME {
            return Err(Fault::TooLarge("64 KiB in a header"));
        }
        self.begin(size);
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads past what is left of an entry.
    fn skip(&mut self) -> Result<(), Fault> {
        let left = self.left.saturating_add(std::mem::take(&mut self.padding));
        self.left = 0;
        let skipped = io::copy(&mut (&mut self.from).take(left), &mut io::sink())?;
        if skipped < left { Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()) } else { Ok(()) }
    }

    fn header(&mut self) -> Result<Option<[u8; BLOCK]>, Fault> {
        let mut header = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.from.read(&mut header[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        if header.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        // The sum counts its own eight bytes as blanks.
        let sum = |signed: bool| -> i64 {
            let value = |byte: u8| if signed { i64::from(byte.cast_signed()) } else { i64::from(byte) };
            let byte = |(at, byte): (usize, &u8)| if (148..156).contains(&at) { 32 } else { value(*byte) };
            header.iter().enumerate().map(byte).sum()
        };
        let written = i64::try_from(number(&header[148..156])?).unwrap_or(-1);
        if written != sum(false) && written != sum(true) {
            return Err(Fault::malformed("it is not a tar archive, or a header in it is damaged"));
        }
        Ok(Some(header))
    }
}

/// Reads the contents of the entry.
impl<R: Read> Read for Tar<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let read = self.from.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        Ok(read)
    }
}

impl Extended {
    /// Reads the records of a pax header: `LENGTH KEY=VALUE\n`.
    fn read(&mut self, mut records: &[u8]) -> Result<(), Fault> {
        let bad = || Fault::malformed("an extended header in it is damaged");
        while !records.is_empty() {
            let blank = records.iter().position(|byte| *byte == b' ').ok_or_else(bad)?;
            let length =
                std::str::from_utf8(&records[..blank]).ok().and_then(|text| text.parse::<usize>().ok());
            let length =
                length.filter(|length| *length > blank + 1 && *length <= records.len()).ok_or_else(bad)?;
            let record = records[blank + 1..length].strip_suffix(b"\n").ok_or_else(bad)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(bad)?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match key {
                b"path" => self.name = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => {
                    let size = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                    self.size = Some(size.ok_or_else(bad)?);
                }
                key if key.starts_with(b"GNU.sparse.") => {
                    return Err(Fault::malformed(
                        "a file in it has holes (GNU sparse), which kasm-db does not read",
                    ));
                }
                _ => {}
            }
            records = &records[length..];
        }
        Ok(())
    }
}

/// Reads a number of a header: octal digits, or bytes if the first bit is set.
fn number(field: &[u8]) -> Result<u64, Fault> {
    let bad = || Fault::malformed("it is not a tar archive, or a number in a header is damaged");
    if field[0] & 0x80 != 0 {
        let (high, low) = field.split_at(field.len() - 8);
        if field[0] != 0x80 || high[1..].iter().any(|byte| *byte != 0) {
            return Err(bad());
        }
        return Ok(low.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)) & (u64::MAX >> 1));
    }
    let text = std::str::from_utf8(field).map_err(|_| bad())?.trim_matches(['\0', ' ']);
    if text.is_empty() { Ok(0) } else { u64::from_str_radix(text, 8).map_err(|_| bad()) }
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}
