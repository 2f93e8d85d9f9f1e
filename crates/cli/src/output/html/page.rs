//! The frame of a page.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::kept::Rank;

/// The style sheet; it is part of the page.
const STYLE: &str = include_str!("style.css");

/// What a browser may do with the page: apply this style sheet, by its SHA-256, and nothing else.
const POLICY: &str = "default-src 'none'; style-src 'sha256-r214YW03uojYF8YXgKMxlM0MICKd1yuZOzhru3QVXR8='; base-uri 'none'; form-action 'none'";

/// A page.
pub(super) struct Page<'a> {
    pub(super) title: &'a str,
    /// What the run came to, in one sentence.
    pub(super) verdict: &'a str,
    pub(super) rank: Rank,
    pub(super) tiles: Markup,
}

/// Where the content of a page goes. No text of a page has it, as its brackets are escaped there.
const CONTENT: &str = "<!-- content -->";

impl Page<'_> {
    /// Returns what comes before the content and what comes after it: the content is written piece by piece.
    pub(super) fn around(&self) -> (String, String) {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) ": " (self.verdict) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    header class=(self.rank.class()) {
                        h1 { (self.title) }
                        p.verdict { (self.verdict) }
                        (self.tiles)
                    }
                    main { (PreEscaped(CONTENT)) }
                    footer {
                        p { "Values that may be secret are shown as " code { "<hidden>" } ". Written by kasm-db " (env!("CARGO_PKG_VERSION")) "." }
                    }
                }
            }
        };
        let text = page.into_string();
        let (before, after) = text.split_once(CONTENT).unwrap_or((&text, ""));
        (before.to_string(), format!("{after}\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns bytes as base64, which nothing else of the program needs.
    fn base64(bytes: &[u8]) -> String {
        let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut out = String::new();
        for chunk in bytes.chunks(3) {
            let number = (0..3).fold(0, |sum, at| (sum << 8) | u32::from(*chunk.get(at).unwrap_or(&0)));
            for at in 0..4 {
                let digit = digits[(number >> (18 - 6 * at)) as usize & 63];
                out.push(if at <= chunk.len() { char::from(digit) } else { '=' });
            }
        }
        out
    }

    #[test]
    fn the_policy_names_the_style_sheet_of_the_page() {
        assert_eq!((base64(b"Ma"), base64(b"Man")), ("TWE=".into(), "TWFu".into()));
        let hex = commit::Digest::of(STYLE.as_bytes()).to_string();
        let hex = hex.rsplit(':').next().unwrap();
        let bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        let hash = base64(&bytes);
        assert!(POLICY.contains(&format!("'sha256-{hash}'")), "write {hash} into the policy");
    }
}
