//! A terminal with a program in it, and somebody who reads and answers.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// A program in a terminal.
pub struct InTerminal {
    /// The program.
    pub child: Child,
    master: File,
    /// What the program has written to the terminal.
    pub said: String,
}

impl InTerminal {
    /// Starts a program whose standard input and standard error are a terminal.
    pub fn start(command: Command) -> Self {
        Self::with(command, false)
    }

    /// Starts a program whose three standard streams are a terminal.
    pub fn start_whole(command: Command) -> Self {
        Self::with(command, true)
    }

    fn with(mut command: Command, is_whole: bool) -> Self {
        let master = File::from(openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap());
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let slave = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let open = || File::options().read(true).write(true).open(&slave).unwrap();
        if is_whole {
            command.stdout(open());
        }
        let child = command.stdin(open()).stderr(open()).spawn().unwrap();
        Self { child, master, said: String::new() }
    }

    /// Reads until the program has said this.
    pub fn wait_for(&mut self, text: &str) {
        let mut buffer = [0; 4096];
        while !self.said.contains(text) {
            let count = self.master.read(&mut buffer).unwrap_or_else(|e| panic!("{e} in {}", self.said));
            self.said.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    }

    /// Types a text.
    pub fn answer(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }

    /// Reads to the end; gives the exit code.
    pub fn end(&mut self) -> Option<i32> {
        let mut buffer = [0; 4096];
        // The terminal of a program that has ended is an error, not an end.
        while let Ok(count @ 1..) = self.master.read(&mut buffer) {
            self.said.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        self.child.wait().unwrap().code()
    }
}
