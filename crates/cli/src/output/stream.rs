//! A result that comes bit by bit.

use std::io::{BufWriter, Stdout, Write, stdout};

use anstream::ColorChoice;
use ops::Error;

use super::terminal::{Terminal, coloured, ended};

/// Standard output, for as many lines as there will be.
pub(crate) struct Stream {
    out: BufWriter<Stdout>,
    choice: ColorChoice,
    /// Columns of the terminal; `None` where there is none to fit.
    pub(crate) width: Option<usize>,
    open: bool,
    error: Option<Error>,
}

impl Terminal {
    /// Starts a result that comes bit by bit.
    pub(crate) fn stream(&self) -> Stream {
        let out = stdout();
        let choice = self.choice_for(&out);
        let width = self.width();
        Stream { out: BufWriter::with_capacity(64 << 10, out), choice, width, open: true, error: None }
    }
}

impl Stream {
    /// Adds lines in words.
    pub(crate) fn text(&mut self, text: &str) {
        match self.choice {
            ColorChoice::Never => self.bytes(&coloured(text, ColorChoice::Never)),
            _ => self.bytes(text.as_bytes()),
        }
    }

    /// Adds lines whose bytes are exact.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        if self.open {
            let written = self.out.write_all(bytes);
            self.note(written);
        }
    }

    /// Lets the reader see what there is.
    pub(crate) fn flush(&mut self) {
        if self.open {
            let written = self.out.flush();
            self.note(written);
        }
    }

    /// Returns whether somebody may still read.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// Waits, and ends the wait where the reader has gone.
    pub(crate) fn wait(&mut self, time: std::time::Duration) {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let time = Timespec { tv_sec: 0, tv_nsec: i64::from(time.subsec_nanos()) };
        let out = stdout();
        let mut polled = [PollFd::new(&out, PollFlags::empty())];
        if poll(&mut polled, Some(&time)).is_ok_and(|ready| ready > 0)
            && polled[0].revents().intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL)
        {
            self.open = false;
        }
    }

    /// Ends the result.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        self.flush();
        self.error.take().map_or(Ok(()), Err)
    }

    fn note(&mut self, written: std::io::Result<()>) {
        if let Err(error) = written {
            self.open = false;
            self.error = ended(&error).err();
        }
    }
}
