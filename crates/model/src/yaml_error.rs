//! What is wrong with a text that is not YAML, in words for people who do not know the grammar.

use granit_parser::ErrorKind;

use crate::bounds::MAX_DEPTH;

/// Text that is not YAML, or more than this reader takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// The offset of the byte that the message is about.
    pub offset: usize,
    /// What is wrong there, as a sentence part.
    pub message: String,
    /// What to do now.
    pub help: String,
}

/// What a mapping needs; the parser stumbles over a wrong indentation in many ways.
const ALIGN: &str = "start all keys of a mapping in the same column";

const QUOTE: &str = "put the value in quotes";

impl SyntaxError {
    pub(crate) fn new(offset: usize, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { offset, message: message.into(), help: help.into() }
    }

    /// Returns the error of a text that is nested too deep.
    pub(crate) fn too_deep(offset: usize) -> Self {
        let message = format!("nested too deep (more than {MAX_DEPTH} levels)");
        Self::new(offset, message, "remove levels of brackets or indentation")
    }

    /// Words an error that the parser met at an offset of the text.
    pub(crate) fn of(kind: &ErrorKind, text: &str, offset: usize) -> Self {
        use ErrorKind as Kind;
        if matches!(kind, Kind::RecursionLimitExceeded) {
            return Self::too_deep(offset);
        }
        let at = Place { text, offset };
        // In brackets that were forgotten, the parser stumbles over whatever follows on the next lines.
        let opened = match kind {
            Kind::UnclosedFlowCollection { open } => Some((offset, *open)),
            kind if is_about_flow(kind) => {
                at.open_bracket().filter(|(opened, _)| at.is_at_end() || !at.is_on_line_of(*opened))
            }
            _ => None,
        };
        if let Some((opened, bracket)) = opened {
            let (close, of) = if bracket == '[' { (']', "list") } else { ('}', "mapping") };
            let message = format!("the bracket `{bracket}` is not closed");
            // Indented keys below it need no bracket, and one at the end would not help.
            let help = match bracket {
                '{' if at.is_last_of_line(opened) => {
                    format!(
                        "add the matching `{close}`, or remove `{bracket}` if the keys are indented below it"
                    )
                }
                _ => format!("add `{close}` at the end of the {of}"),
            };
            return Self::new(opened, message, help);
        }
        if at.is_conflict_marker() {
            let message = "a merge conflict is not resolved";
            return Self::new(
                offset,
                message,
                "remove the markers, and one of the two versions between them",
            );
        }
        if let (Kind::SimpleKeyExpected | Kind::InvalidSimpleKey, Some(colon)) = (kind, at.tight_colon()) {
            let message = "a space is missing after the colon";
            return Self::new(colon, message, "write `key: value`, with a space after the colon");
        }
        if let (Kind::MappingValueNotAllowed, Some((value, key))) = (kind, at.value_above()) {
            // The value is not shown: it may be a secret of a compose file.
            let message = format!("{key} has a value already, so it cannot have nested keys");
            let help = format!(
                "remove the value, or, if line {} does not belong to {key}, align the two lines",
                at.number()
            );
            return Self::new(value, message, help);
        }
        if let (Kind::ExpectedBlockMappingKey, true, Some(help)) =
            (kind, at.is_first_of_line(), at.alignment())
        {
            return Self::new(offset, "the indentation does not match the keys above", help);
        }
        if let (true, Some(tab)) = (is_about_tabs(kind), at.first_tab()) {
            return Self::new(tab, "a tab is used for indentation", "use spaces for indentation");
        }
        let (message, help) = match kind {
            Kind::UnclosedQuotedScalar | Kind::DocumentIndicatorInQuotedScalar => {
                ("the quote is not closed", "add the closing quote")
            }
            Kind::TabNotAllowed
            | Kind::TabInBlockIndentation
            | Kind::TabInIndentation
            | Kind::TabAtBlockScalarStart => ("a tab is used for indentation", "use spaces for indentation"),
            Kind::TabInPlainScalar => ("a tab is not allowed here", "use spaces, or put the value in quotes"),
            Kind::SimpleKeyExpected | Kind::InvalidSimpleKey => (
                "the line is not `key: value`",
                "write `key: value`, or put a text of several lines in quotes",
            ),
            Kind::MappingValueNotAllowed if at.has_colon_before() && at.line().starts_with("image:") => {
                ("a space follows the second colon", "remove the space: `image: repository:tag`")
            }
            Kind::MappingValueNotAllowed if at.has_colon_before() => (
                "a value cannot contain `: `",
                "remove the space after the colon, or put the whole value in quotes",
            ),
            Kind::MappingValueNotAllowed | Kind::MappingKeyNotAllowed => ("a key is not allowed here", ALIGN),
            Kind::ExpectedBlockMappingKey if at.is_first_of_line() => {
                ("the indentation does not match the keys above", ALIGN)
            }
            Kind::ExpectedBlockMappingKey => {
                ("unexpected text after the value", "remove it, or put the whole value in quotes")
            }
            Kind::ExpectedBlockSequenceEntry => (
                "the indentation does not match the list above",
                "start all keys of an item in the same column, the one after `- `",
            ),
            Kind::InvalidIndentation | Kind::InvalidFlowScalarIndent | Kind::InvalidQuotedScalarIndent => {
                ("the indentation is not deep enough", "indent the line more than the key that it belongs to")
            }
            Kind::ExpectedFlowSequenceSeparator => {
                ("expected `,` or `]` here", "separate the items by commas, and close the list with `]`")
            }
            Kind::ExpectedFlowMappingSeparator => {
                ("expected `,` or `}` here", "separate the keys by commas, and close the mapping with `}`")
            }
            Kind::MismatchedFlowCollectionEnd { open, close } => {
                let message = format!("the bracket `{open}` is closed by `{close}`");
                return Self::new(offset, message, "close each bracket with its own kind");
            }
            Kind::MisplacedFlowCollectionEnd => {
                ("a bracket is closed that was not opened", "remove the bracket, or put the value in quotes")
            }
            Kind::BlockEntryInFlowCollection => {
                ("`- ` is not allowed in brackets", "remove the space after `-`: `-misc` subtracts a class")
            }
            Kind::PlainScalarStartsWithDashFlowIndicator => {
                ("`-` has no name after it", "write the name right after it: `-misc` subtracts a class")
            }
            Kind::BlockSequenceEntryNotAllowed => {
                ("a list item is not allowed here", "start the list on a line of its own, below its key")
            }
            Kind::InvalidTrailingSingleQuotedScalar | Kind::InvalidTrailingDoubleQuotedScalar => {
                ("unexpected text after the closing quote", "remove it, or put the whole value in quotes")
            }
            Kind::UnknownQuotedScalarEscape
            | Kind::InvalidQuotedScalarHexEscape
            | Kind::InvalidLowSurrogateHexEscape
            | Kind::InvalidLowSurrogate
            | Kind::MissingLowSurrogate
            | Kind::UnpairedLowSurrogate
            | Kind::InvalidUnicodeEscape => {
                ("not a valid escape sequence", "write `\\\\` for a backslash, or use single quotes")
            }
            Kind::UnknownAnchor => ("the alias has no anchor", "write the value out"),
            Kind::MissingAnchorOrAliasName => ("`&` or `*` has no name after it", QUOTE),
            Kind::UnexpectedCharacter { character } => {
                let message = format!("a value cannot start with `{}`", character.escape_debug());
                return Self::new(offset, message, QUOTE);
            }
            Kind::InvalidColonPlacement | Kind::InvalidMappingValueWhitespace => {
                ("a colon is not allowed here", QUOTE)
            }
            Kind::CommentNotSeparated | Kind::CommentInterceptedScalar => {
                ("a comment is not allowed here", "put a space before `#`, or put the value in quotes")
            }
            Kind::ZeroBlockScalarIndent | Kind::InvalidBlockScalarHeader | Kind::InvalidBlockScalarIndent => {
                (
                    "not a valid block of text",
                    "indent its lines more than the key, with nothing after `|` or `>`",
                )
            }
            Kind::BomInsideDocument => ("a byte order mark inside the text", "remove it"),
            Kind::ExpectedTagBang
            | Kind::InvalidGlobalTagCharacter
            | Kind::InvalidTagTerminator
            | Kind::MissingTagUri
            | Kind::UnclosedVerbatimTag
            | Kind::InvalidTagEscape
            | Kind::UndeclaredTagHandle => ("not a valid tag", "remove the tag, or put the value in quotes"),
            _ if at.starts_with('%') => ("not a valid directive", "remove the line that starts with `%`"),
            _ if at.is_at_end() => ("the text ends too early", "add what is missing at the end"),
            _ => ("not valid YAML", "put the value in quotes, or check the lines above"),
        };
        Self::new(offset, message, help)
    }
}

/// Returns whether an error is about a tab that indents a line.
fn is_about_tabs(kind: &ErrorKind) -> bool {
    use ErrorKind as Kind;
    matches!(
        kind,
        Kind::TabNotAllowed
            | Kind::TabInBlockIndentation
            | Kind::TabInIndentation
            | Kind::TabAtBlockScalarStart
    )
}

/// Returns whether an error may come from a bracket that is still open.
fn is_about_flow(kind: &ErrorKind) -> bool {
    use ErrorKind as Kind;
    matches!(
        kind,
        Kind::UnexpectedEofFlowSequence
            | Kind::UnexpectedEofFlowMapping
            | Kind::UnexpectedEofImplicitFlowMapping
            | Kind::UnexpectedEof
            | Kind::ExpectedFlowSequenceSeparator
            | Kind::ExpectedFlowMappingSeparator
            | Kind::InvalidColonPlacement
            | Kind::InvalidMappingValueWhitespace
            | Kind::InvalidIndentation
            | Kind::InvalidFlowScalarIndent
            | Kind::InvalidSimpleKey
            | Kind::SimpleKeyExpected
            | Kind::MappingValueNotAllowed
            | Kind::BlockEntryInFlowCollection
            | Kind::PlainScalarStartsWithDashFlowIndicator
            | Kind::MismatchedFlowCollectionEnd { .. }
            | Kind::UnexpectedEndOfPlainScalar
            | Kind::ExpectedNodeContent
    )
}

/// A place in the text, and what is written around it.
struct Place<'t> {
    text: &'t str,
    offset: usize,
}

impl<'t> Place<'t> {
    fn before(&self) -> &'t str {
        self.text.get(..self.offset).unwrap_or(self.text)
    }

    fn line_start(&self) -> usize {
        self.before().rfind('\n').map_or(0, |at| at + 1)
    }

    fn line(&self) -> &'t str {
        self.text.get(self.line_start()..).unwrap_or_default().lines().next().unwrap_or_default()
    }

    fn is_at_end(&self) -> bool {
        self.text.get(self.offset..).is_none_or(|rest| rest.trim().is_empty())
    }

    fn is_on_line_of(&self, other: usize) -> bool {
        other >= self.line_start()
    }

    /// Returns whether nothing follows a bracket on its line.
    fn is_last_of_line(&self, bracket: usize) -> bool {
        let rest = self.text.get(bracket + 1..).unwrap_or_default();
        rest.lines().next().is_none_or(|rest| rest.trim().is_empty())
    }

    fn is_first_of_line(&self) -> bool {
        self.before().get(self.line_start()..).is_none_or(|before| before.trim().is_empty())
    }

    fn starts_with(&self, c: char) -> bool {
        self.line().starts_with(c)
    }

    /// Finds the first colon of the line, behind which a space is missing.
    fn tight_colon(&self) -> Option<usize> {
        self.line().find(':').map(|at| self.line_start() + at)
    }

    /// Returns whether the line has a key in front of the place already.
    fn has_colon_before(&self) -> bool {
        self.before().get(self.line_start()..).is_some_and(|before| before.contains(": "))
    }

    /// Returns whether the line is one that Git writes around two versions.
    fn is_conflict_marker(&self) -> bool {
        ["<<<<<<<", "=======", ">>>>>>>"].iter().any(|marker| self.line().starts_with(marker))
    }

    /// Returns the number of the line.
    fn number(&self) -> usize {
        self.before().matches('\n').count() + 1
    }

    /// Finds the first tab in the indentation of the line.
    fn first_tab(&self) -> Option<usize> {
        let line = self.line();
        let indentation = &line[..line.len() - line.trim_start().len()];
        indentation.find('\t').map(|at| self.line_start() + at)
    }

    /// Lists the lines above that are neither empty nor comments, the nearest first: number, offset and text.
    fn above(&self) -> impl Iterator<Item = (usize, usize, &'t str)> {
        let (before, mut end) = (self.text.get(..self.line_start()).unwrap_or_default(), self.line_start());
        let count = self.number() - 1;
        let lines = before.split_inclusive('\n').rev().enumerate().map(move |(index, line)| {
            end -= line.len();
            (count - index, end, line.trim_end())
        });
        lines.filter(|(_, _, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
    }

    /// Finds the plain value of the line above, if this one is indented below it, and names its key.
    fn value_above(&self) -> Option<(usize, String)> {
        let (number, start, above) = self.above().next()?;
        let (key, value) = above.split_once(": ")?;
        let is_plain = !value.trim().is_empty() && !value.trim_start().starts_with(['#', '|', '>', '[', '{']);
        if !is_plain || indentation(self.line()) <= indentation(above) {
            return None;
        }
        let key = match key.trim_start() {
            key if is_word(key) => format!("`{key}`"),
            _ => format!("the key on line {number}"),
        };
        Some((start + above.len() - value.trim_start().len(), key))
    }

    /// Returns how to indent a line that matches no key above it: like the one that it is nearest to.
    fn alignment(&self) -> Option<String> {
        let own = indentation(self.line());
        let mut best: Option<(usize, usize)> = None;
        for (number, _, line) in self.above() {
            let is_key = line.split_once(':').is_some_and(|(key, rest)| {
                is_word(key.trim_start()) && (rest.is_empty() || rest.starts_with(' '))
            });
            let there = indentation(line);
            if is_key && best.is_none_or(|(_, best)| own.abs_diff(there) < own.abs_diff(best)) {
                best = Some((number, there));
            }
            if there == 0 {
                break;
            }
        }
        let (number, spaces) = best?;
        Some(match spaces {
            0 => format!("remove the indentation of line {}, to align it with line {number}", self.number()),
            1 => format!("indent line {} by 1 space, like line {number}", self.number()),
            _ => format!("indent line {} by {spaces} spaces, like line {number}", self.number()),
        })
    }

    /// Finds the innermost bracket that is still open.
    ///
    /// A bracket, quote or comment starts one only where a value can start, so `a[1` is text.
    fn open_bracket(&self) -> Option<(usize, char)> {
        let mut open = Vec::new();
        let (mut quote, mut is_comment, mut last) = (None, false, '\n');
        for (at, c) in self.before().char_indices() {
            let can_start = last.is_whitespace() || matches!(last, '[' | '{' | ',');
            match (quote, c) {
                _ if is_comment => is_comment = c != '\n',
                (Some(closing), _) => quote = quote.filter(|_| c != closing || last == '\\'),
                (None, '"' | '\'') if can_start => quote = Some(c),
                (None, '#') if last.is_whitespace() => is_comment = true,
                (None, '[' | '{') if can_start => open.push((at, c)),
                (None, ']' | '}') => {
                    open.pop();
                }
                _ => {}
            }
            last = c;
        }
        open.pop()
    }
}

/// Returns the number of characters that indent a line.
fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Returns whether a key is a plain word, which is safe to show.
fn is_word(key: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (1..=40).contains(&key.len()) && key.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use crate::yaml::Tree;

    #[test]
    fn every_mistake_is_named_at_its_place_with_what_to_do() {
        let mut wrong = Vec::new();
        for (text, place, message, help) in [
            ("a: [b\nc: d\n", "[", "the bracket `[` is not closed", "add `]` at the end of the list"),
            ("a: {b: c\nd: e\n", "{", "the bracket `{` is not closed", "add `}` at the end of the mapping"),
            (
                "a: {\n  b: c\nd: e\n",
                "{",
                "the bracket `{` is not closed",
                "add the matching `}`, or remove `{`",
            ),
            ("a: [b", "[", "the bracket `[` is not closed", "add `]`"),
            ("a: {b: [c, d}\n", "[", "the bracket `[` is closed by `}`", "close each bracket"),
            ("a:\n\tb: c\n", "\tb", "a tab is used for indentation", "use spaces"),
            ("a: b\nc:d\ne: f\n", ":d", "a space is missing after the colon", "write `key: value`"),
            ("a: \"b\nc: d\n", "\"b", "the quote is not closed", "add the closing quote"),
            ("a: 'b\nc: d\n", "'", "the quote is not closed", "add the closing quote"),
            ("a: b: c\n", ": c", "a value cannot contain `: `", "remove the space after the colon"),
            (
                "a:\n    b: c\n  d: e\n",
                "d",
                "the indentation does not match the keys above",
                "indent line 3 by 4 spaces, like line 2",
            ),
            (
                "a: b\n  c: d\n",
                "b\n",
                "`a` has a value already, so it cannot have nested keys",
                "remove the value, or, if line 2",
            ),
            ("image: a: b\n", ": b", "a space follows the second colon", "remove the space"),
            (
                "a: b\n<<<<<<< HEAD\nc: d\n",
                "<<<<<<<",
                "a merge conflict is not resolved",
                "remove the markers",
            ),
            (
                "- a: b\n c: d\n",
                "c",
                "the indentation does not match the list above",
                "start all keys of an item",
            ),
            ("a: {b: c} d\n", "d", "unexpected text after the value", "remove it"),
            ("a: \"b\" c\n", "c", "unexpected text after the closing quote", "remove it"),
            ("a: \"\\q\"\n", "\"\\q", "not a valid escape sequence", "write `\\\\`"),
            ("a: @b\n", "@", "a value cannot start with `@`", "put the value in quotes"),
            ("a: *b\n", "*", "the alias has no anchor", "write the value out"),
            ("a: b]\nc: ]\n", "]", "a bracket is closed that was not opened", "remove the bracket"),
            ("a: - b\n", "- b", "a list item is not allowed here", "start the list on a line of its own"),
        ] {
            let error = Tree::parse(text.as_bytes()).unwrap_err();
            let expected = text.rfind(place).unwrap();
            if (error.offset, &*error.message) != (expected, message) || !error.help.starts_with(help) {
                wrong.push(format!("{text:?} at {expected}: {error:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn no_mistake_is_told_in_the_words_of_the_parser() {
        let parts = [
            "a", ":", ": ", " ", "\n", "[", "]", "{", "}", ",", "- ", "\t", "\"", "'", "#", "|\n", "%", "!",
            "&", "*",
        ];
        for one in parts {
            for two in parts {
                for three in parts {
                    for four in parts {
                        let Err(error) = Tree::parse(format!("{one}{two}{three}{four}").as_bytes()) else {
                            continue;
                        };
                        for word in [
                            "while parsing",
                            "did not find",
                            "expected <",
                            "simple key",
                            "indicator",
                            "eof",
                            "flow",
                        ] {
                            assert!(
                                !error.message.contains(word),
                                "{one}{two}{three}{four}: {}",
                                error.message
                            );
                        }
                        assert!(!error.help.is_empty());
                    }
                }
            }
        }
    }
}
