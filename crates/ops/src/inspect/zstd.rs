//! What zstd compressed, as a stream.

use std::io::{self, Cursor, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// How far back a repetition may reach, and so how much is kept: as much as the program `zstd` takes.
const WINDOW: u64 = 128 << 20;

/// Reads all frames, one after the other: builders write several, and some that are to be skipped.
pub(super) struct Zstd<R> {
    from: R,
    frame: FrameDecoder,
}

impl<R: Read> Zstd<R> {
    /// Starts to read.
    pub(super) fn new(from: R) -> Self {
        let mut frame = FrameDecoder::new();
        frame.set_max_window_size(WINDOW);
        Self { from, frame }
    }

    /// Begins the next frame; says whether there is one.
    fn next_frame(&mut self) -> io::Result<bool> {
        loop {
            let mut magic = Vec::new();
            (&mut self.from).take(4).read_to_end(&mut magic)?;
            if magic.is_empty() {
                return Ok(false);
            }
            match self.frame.reset(Cursor::new(magic).chain(&mut self.from)) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    if io::copy(&mut (&mut self.from).take(length), &mut io::sink())? < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(damaged(error)),
            }
        }
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.frame.can_collect() > 0 {
                return self.frame.read(buffer);
            }
            if !self.frame.is_finished() {
                let some = BlockDecodingStrategy::UptoBlocks(1);
                self.frame.decode_blocks(&mut self.from, some).map_err(damaged)?;
            } else if !self.next_frame()? {
                return Ok(0);
            }
        }
    }
}

fn damaged(error: FrameDecoderError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf abc | zstd -c`: a frame with a checksum.
    const ABC: &[u8] =
        &[0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0x19, 0, 0, b'a', b'b', b'c', 0x99, 0x09, 0x77, 0xad];

    /// A frame with five bytes that are to be skipped.
    const SKIPPED: &[u8] = &[0x50, 0x2a, 0x4d, 0x18, 5, 0, 0, 0, 1, 2, 3, 4, 5];

    fn read(bytes: &[u8]) -> io::Result<String> {
        let mut text = String::new();
        Zstd::new(bytes).read_to_string(&mut text).map(|_| text)
    }

    #[test]
    fn all_frames_are_read_and_those_to_be_skipped_are_not() {
        assert_eq!(read(&[SKIPPED, ABC, SKIPPED, ABC, SKIPPED].concat()).unwrap(), "abcabc");
        assert_eq!(read(&[]).unwrap(), "");
    }

    #[test]
    fn damaged_bytes_are_an_error_and_nothing_else() {
        let whole = [ABC, SKIPPED, ABC].concat();
        for length in 1..whole.len() {
            let cut = read(&whole[..length]);
            let is_end = [ABC.len(), ABC.len() + SKIPPED.len()].contains(&length);
            assert_eq!(cut.is_ok(), is_end, "{length}: {cut:?}");
        }
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut other = whole.clone();
                other[at] ^= 1 << bit;
                // Whether it is noticed depends on the byte; it neither panics nor gives more than it could.
                assert!(read(&other).map_or(0, |text| text.len()) < 1000, "{at} {bit}");
            }
        }
    }

    #[test]
    fn a_frame_that_wants_more_memory_than_the_program_takes_is_refused() {
        // Windows of 128 MiB and of 256 MiB.
        let frame = |window: u8| [0x28, 0xb5, 0x2f, 0xfd, 0, window, 0x19, 0, 0, b'a', b'b', b'c'];
        assert_eq!(read(&frame(17 << 3)).unwrap(), "abc");
        assert!(read(&frame(18 << 3)).is_err());
    }
}
