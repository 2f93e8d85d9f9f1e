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
const ALIGN: &str = "let all keys of a mapping start in the same column";

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
            Kind::MappingValueNotAllowed if at.is_below_a_value() => (
                "the key above has a value, and cannot have keys as well",
                "remove that value, or align this line with the key above",
            ),
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
                "let all keys of an item start in the same column, the one after `- `",
            ),
            Kind::InvalidIndentation | Kind::InvalidFlowScalarIndent | Kind::InvalidQuotedScalarIndent => (
                "the indentation is not deep enough",
                "indent the line deeper than the key that it belongs to",
            ),
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
                ("a comment is not allowed here", "put a space in front of `#`, or the value in quotes")
            }
            Kind::ZeroBlockScalarIndent | Kind::InvalidBlockScalarHeader | Kind::InvalidBlockScalarIndent => {
                (
                    "not a valid block of text",
                    "indent its lines deeper than the key, with nothing after `|` or `>`",
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

    /// Returns whether the line is indented below one that is a key with a plain value.
    fn is_below_a_value(&self) -> bool {
        let indentation = |line: &str| line.len() - line.trim_start().len();
        let before = self.text.get(..self.line_start()).unwrap_or_default();
        let is_text = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
        let above = before.lines().rev().find(is_text).unwrap_or_default();
        let value = above.split_once(": ").map_or("", |(_, value)| value.trim());
        indentation(self.line()) > indentation(above)
            && !value.is_empty()
            && !value.starts_with(['#', '|', '>', '[', '{'])
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
            ("a:\n\tb: c\n", "b", "a tab is used for indentation", "use spaces"),
            ("a: b\nc:d\ne: f\n", ":d", "a space is missing after the colon", "write `key: value`"),
            ("a: \"b\nc: d\n", "\"b", "the quote is not closed", "add the closing quote"),
            ("a: 'b\nc: d\n", "'", "the quote is not closed", "add the closing quote"),
            ("a: b: c\n", ": c", "a value cannot contain `: `", "remove the space after the colon"),
            ("a:\n    b: c\n  d: e\n", "d", "the indentation does not match the keys above", "let all keys"),
            (
                "a: b\n  c: d\n",
                ": d",
                "the key above has a value, and cannot have keys as well",
                "remove that value",
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
                "let all keys of an item",
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
