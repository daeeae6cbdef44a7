//! Tokens.

use std::borrow::Cow;

use super::Mark;

/// A token and where it starts.
#[derive(Clone, Debug)]
pub(in crate::yaml) struct Token<'a> {
    pub(in crate::yaml) kind: TokenKind<'a>,
    pub(in crate::yaml) start: Mark,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::yaml) enum TokenKind<'a> {
    StreamEnd,
    VersionDirective { major: u32, minor: u32 },
    TagDirective { handle: String, prefix: String },
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(String),
    Anchor(String),
    Tag { handle: String, suffix: String },
    Scalar { text: Cow<'a, str>, plain: bool },
}
