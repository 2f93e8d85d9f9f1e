//! What is to follow an apply, as it is kept until it is done: enough to go on after a crash, without the
//! document.

use std::time::Duration;

use clap::ValueEnum as _;
use model::document::{Connect, Verify};

use crate::args::SslMode;

/// The first line; another one is of another version.
const HEAD: &str = "kasm-db follow-up 1";

/// The steps in their order; each is written down before it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Stop,
    Start,
    /// The server must answer.
    Healthy,
    /// In place of stopping and starting: the server reads its files again.
    Reload,
    /// The extension is created.
    Extension,
}

const STEPS: &[(Step, &str)] = &[
    (Step::Stop, "stop"),
    (Step::Start, "start"),
    (Step::Healthy, "healthy"),
    (Step::Reload, "reload"),
    (Step::Extension, "extension"),
];

impl Step {
    /// Gives the next one; none where all is done.
    pub(crate) fn next(self) -> Option<Self> {
        match self {
            Self::Stop => Some(Self::Start),
            Self::Start => Some(Self::Healthy),
            Self::Healthy | Self::Reload => Some(Self::Extension),
            Self::Extension => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        STEPS.iter().find(|(step, _)| *step == self).map_or("", |(_, name)| name)
    }
}

/// What is to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FollowUp {
    pub(crate) step: Step,
    pub(crate) stop: Vec<String>,
    pub(crate) start: Vec<String>,
    pub(crate) timeout: Duration,
    pub(crate) connect: Connect,
    pub(crate) container: String,
    pub(crate) user: String,
    pub(crate) database: String,
    /// What the command line says of TLS; `None` where it says nothing.
    pub(crate) sslmode: Option<SslMode>,
    /// The databases that get the extension.
    pub(crate) extensions: Vec<String>,
    /// The generation to go back to where the server does not come up.
    pub(crate) back_to: Option<u64>,
}

impl FollowUp {
    /// Gives the way to the server.
    pub(crate) fn verify(&self) -> Verify {
        Verify {
            connect: self.connect,
            container: Some(self.container.clone()),
            user: Some(self.user.clone()),
            database: Some(self.database.clone()),
        }
    }

    /// Writes it down: a line for each value.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let connect = match self.connect {
            Connect::Docker => "docker",
            Connect::Tcp => "tcp",
            Connect::None => "none",
        };
        let mut lines = vec![
            ("step", self.step.name().to_string()),
            ("timeout", self.timeout.as_secs().to_string()),
            ("connect", connect.to_string()),
            ("container", self.container.clone()),
            ("user", self.user.clone()),
            ("database", self.database.clone()),
        ];
        let sslmode = self.sslmode.and_then(|mode| mode.to_possible_value());
        lines.extend(sslmode.map(|mode| ("sslmode", mode.get_name().to_string())));
        lines.extend(self.stop.iter().map(|argument| ("stop", argument.clone())));
        lines.extend(self.start.iter().map(|argument| ("start", argument.clone())));
        lines.extend(self.extensions.iter().map(|database| ("extension", database.clone())));
        lines.extend(self.back_to.map(|number| ("back_to", number.to_string())));
        let mut text = format!("{HEAD}\n");
        for (key, value) in lines {
            let value = value.replace('\\', "\\\\").replace('\n', "\\n");
            text.push_str(&format!("{key} {value}\n"));
        }
        text.push_str("end\n");
        text.into_bytes()
    }

    /// Reads what [`FollowUp::encode`] wrote; `None` for anything else.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(bytes).ok()?.strip_suffix("end\n")?.lines();
        if lines.next()? != HEAD {
            return None;
        }
        let mut all: Vec<(&str, String)> = Vec::new();
        for line in lines {
            let (key, value) = line.split_once(' ')?;
            all.push((key, unescape(value)?));
        }
        let list = |key| -> Vec<String> {
            all.iter().filter(|(known, _)| *known == key).map(|(_, value)| value.clone()).collect()
        };
        let one = |key| list(key).into_iter().next();
        let step = one("step")?;
        Some(Self {
            step: STEPS.iter().find(|(_, name)| *name == step)?.0,
            stop: list("stop"),
            start: list("start"),
            timeout: Duration::from_secs(one("timeout")?.parse().ok()?),
            connect: match one("connect")?.as_str() {
                "docker" => Connect::Docker,
                "tcp" => Connect::Tcp,
                "none" => Connect::None,
                _ => return None,
            },
            container: one("container")?,
            user: one("user")?,
            database: one("database")?,
            sslmode: match one("sslmode") {
                Some(mode) => Some(SslMode::from_str(&mode, false).ok()?),
                None => None,
            },
            extensions: list("extension"),
            back_to: match one("back_to") {
                Some(number) => Some(number.parse().ok()?),
                None => None,
            },
        })
    }
}

fn unescape(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next()? {
                'n' => '\n',
                '\\' => '\\',
                _ => return None,
            },
            c => c,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_reads_back_and_anything_else_does_not() {
        let record = FollowUp {
            step: Step::Healthy,
            stop: vec!["/a b/stop".into(), "x\n\\end\n".into(), String::new()],
            start: vec!["start".into()],
            timeout: Duration::from_secs(90),
            connect: Connect::Docker,
            container: "kasm_db".into(),
            user: "kasmapp".into(),
            database: "kasm".into(),
            sslmode: Some(SslMode::VerifyCa),
            extensions: vec!["kasm".into(), "other".into()],
            back_to: Some(3),
        };
        let bytes = record.encode();
        assert_eq!(FollowUp::decode(&bytes).as_ref(), Some(&record));
        for end in 0..bytes.len() {
            assert_eq!(FollowUp::decode(&bytes[..end]), None, "{end}");
        }
        let other = String::from_utf8(bytes).unwrap();
        for (from, to) in
            [("up 1", "up 2"), ("healthy", "sleep"), ("docker", "ssh"), ("verify-ca", "no"), ("90", "x")]
        {
            assert_eq!(FollowUp::decode(other.replacen(from, to, 1).as_bytes()), None, "{to}");
        }
    }

    #[test]
    fn every_step_leads_to_the_end() {
        for (step, _) in STEPS {
            let mut step = Some(*step);
            for _ in 0..STEPS.len() {
                step = step.and_then(Step::next);
            }
            assert_eq!(step, None);
        }
    }
}
