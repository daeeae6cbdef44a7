//! Tokens to events: YAML's grammar as libyaml has it, with the words that go-yaml has for mistakes.

use std::borrow::Cow;
use std::collections::HashMap;

use super::read::YamlError;
use super::scan::{Scanner, Token, TokenKind};

/// What `!!` stands for.
pub(super) const YAML_NAMESPACE: &str = "tag:yaml.org,2002:";

/// What a document is made of. An anchor is a number, 0 for none.
#[derive(Debug)]
pub(super) enum Event<'a> {
    DocumentStart,
    DocumentEnd,
    StreamEnd,
    Alias {
        anchor: usize,
        name: String,
    },
    /// `plain`: what it means is to be told from its text.
    Scalar {
        text: Cow<'a, str>,
        plain: bool,
        anchor: usize,
        tag: Option<String>,
    },
    Sequence {
        anchor: usize,
    },
    SequenceEnd,
    Mapping {
        anchor: usize,
    },
    MappingEnd,
}

impl Event<'_> {
    /// 0: none.
    pub(super) fn anchor(&self) -> usize {
        match self {
            Self::Scalar { anchor, .. } | Self::Sequence { anchor } | Self::Mapping { anchor } => {
                *anchor
            }
            _ => 0,
        }
    }
}

#[derive(Clone, Copy)]
enum State {
    DocumentStart { implicit: bool },
    DocumentContent,
    DocumentEnd,
    BlockNode,
    BlockSequence { first: bool },
    IndentlessSequence,
    BlockMappingKey { first: bool },
    BlockMappingValue,
    FlowSequence { first: bool },
    PairKey,
    PairValue,
    PairEnd,
    FlowMappingKey { first: bool },
    FlowMappingValue { empty: bool },
    End,
}

pub(super) struct Events<'a> {
    scanner: Scanner<'a>,
    state: State,
    states: Vec<State>,
    tags: Vec<(String, String)>,
    /// The anchor that each name has at this point; a name can be given again.
    anchors: HashMap<String, usize>,
    anchors_given: usize,
    /// Of the event that was given last, counted from 1.
    pub(super) line: usize,
}

type Parsed<'a> = Result<Event<'a>, YamlError>;

impl<'a> Events<'a> {
    /// `is_cut`: after the text comes what cannot be read.
    pub(super) fn new(text: &'a str, is_cut: bool) -> Self {
        Self {
            scanner: Scanner::new(text, is_cut),
            state: State::DocumentStart { implicit: true },
            states: Vec::new(),
            tags: Vec::new(),
            anchors: HashMap::new(),
            anchors_given: 0,
            line: 1,
        }
    }

    pub(super) fn next(&mut self) -> Parsed<'a> {
        self.line = self.scanner.peek()?.start.line + 1;
        match self.state {
            State::DocumentStart { implicit } => self.document_start(implicit),
            State::DocumentContent => self.document_content(),
            State::DocumentEnd => self.document_end(),
            State::BlockNode => self.node(true, false),
            State::BlockSequence { first } => self.block_sequence(first),
            State::IndentlessSequence => self.indentless_sequence(),
            State::BlockMappingKey { first } => self.block_mapping_key(first),
            State::BlockMappingValue => self.block_mapping_value(),
            State::FlowSequence { first } => self.flow_sequence(first),
            State::PairKey => self.pair_key(),
            State::PairValue => self.pair_value(),
            State::PairEnd => {
                self.state = State::FlowSequence { first: false };
                Ok(Event::MappingEnd)
            }
            State::FlowMappingKey { first } => self.flow_mapping_key(first),
            State::FlowMappingValue { empty } => self.flow_mapping_value(empty),
            State::End => Ok(Event::StreamEnd),
        }
    }

    fn kind(&mut self) -> Result<&TokenKind<'a>, YamlError> {
        Ok(&self.scanner.peek()?.kind)
    }

    fn skip(&mut self) {
        self.scanner.take();
    }

    /// Takes the next token if it is this one.
    fn accept(&mut self, kind: &TokenKind<'_>) -> Result<bool, YamlError> {
        let found = self.kind()? == kind;
        if found {
            self.skip();
        }
        Ok(found)
    }

    fn next_is(&mut self, kinds: &[TokenKind<'_>]) -> Result<bool, YamlError> {
        Ok(kinds.contains(self.kind()?))
    }

    fn pop(&mut self) {
        self.state = self.states.pop().unwrap_or(State::End);
    }

    /// A node, after which `then` follows.
    fn node_then(&mut self, then: State, block: bool, indentless: bool) -> Parsed<'a> {
        self.states.push(then);
        self.node(block, indentless)
    }

    /// A node that is not there, after which `then` follows.
    fn empty_then(&mut self, then: State) -> Parsed<'a> {
        self.state = then;
        Ok(Event::Scalar { text: Cow::Borrowed(""), plain: true, anchor: 0, tag: None })
    }

    /// go-yaml counts the lines of these mistakes from 0 and leaves the first one out.
    fn error<T>(&mut self, message: &str) -> Result<T, YamlError> {
        let line = self.scanner.peek()?.start.line;
        Err(YamlError::new(line, message))
    }

    fn document_start(&mut self, implicit: bool) -> Parsed<'a> {
        if !implicit {
            while self.accept(&TokenKind::DocumentEnd)? {}
        }
        match self.kind()? {
            TokenKind::StreamEnd => {
                self.state = State::End;
                Ok(Event::StreamEnd)
            }
            TokenKind::VersionDirective { .. }
            | TokenKind::TagDirective { .. }
            | TokenKind::DocumentStart => {
                self.directives()?;
                if !self.accept(&TokenKind::DocumentStart)? {
                    return self.error("did not find expected <document start>");
                }
                self.states.push(State::DocumentEnd);
                self.state = State::DocumentContent;
                Ok(Event::DocumentStart)
            }
            _ if implicit => {
                self.states.push(State::DocumentEnd);
                self.state = State::BlockNode;
                Ok(Event::DocumentStart)
            }
            _ => self.error("did not find expected <document start>"),
        }
    }

    fn directives(&mut self) -> Result<(), YamlError> {
        let mut version = false;
        loop {
            match self.kind()?.clone() {
                TokenKind::VersionDirective { .. } if version => {
                    return self.error("found duplicate %YAML directive");
                }
                TokenKind::VersionDirective { major: 1, minor: 1 } => version = true,
                TokenKind::VersionDirective { .. } => {
                    return self.error("found incompatible YAML document");
                }
                TokenKind::TagDirective { handle, prefix } => {
                    if self.tags.iter().any(|(known, _)| *known == handle) {
                        return self.error("found duplicate %TAG directive");
                    }
                    self.tags.push((handle, prefix));
                }
                _ => return Ok(()),
            }
            self.skip();
        }
    }

    fn document_content(&mut self) -> Parsed<'a> {
        match self.kind()? {
            TokenKind::VersionDirective { .. }
            | TokenKind::TagDirective { .. }
            | TokenKind::DocumentStart
            | TokenKind::DocumentEnd
            | TokenKind::StreamEnd => {
                let then = self.states.pop().unwrap_or(State::End);
                self.empty_then(then)
            }
            _ => self.node(true, false),
        }
    }

    fn document_end(&mut self) -> Parsed<'a> {
        self.accept(&TokenKind::DocumentEnd)?;
        self.tags.clear();
        self.state = State::DocumentStart { implicit: false };
        Ok(Event::DocumentEnd)
    }

    fn node(&mut self, block: bool, indentless: bool) -> Parsed<'a> {
        if let TokenKind::Alias(name) = self.kind()? {
            let name = name.clone();
            let Some(anchor) = self.anchors.get(&name).copied() else {
                return Err(YamlError::new(0, format!("unknown anchor '{name}' referenced")));
            };
            self.skip();
            self.pop();
            return Ok(Event::Alias { anchor, name });
        }
        let (anchor, tag) = self.properties()?;
        if indentless && *self.kind()? == TokenKind::BlockEntry {
            self.state = State::IndentlessSequence;
            return Ok(Event::Sequence { anchor });
        }
        self.state = match self.kind()? {
            TokenKind::Scalar { .. } => {
                let Some(Token { kind: TokenKind::Scalar { text, plain }, .. }) =
                    self.scanner.take()
                else {
                    return self.error("did not find expected node content");
                };
                self.pop();
                return Ok(Event::Scalar { text, plain, anchor, tag });
            }
            TokenKind::FlowSequenceStart => State::FlowSequence { first: true },
            TokenKind::FlowMappingStart => State::FlowMappingKey { first: true },
            TokenKind::BlockSequenceStart if block => State::BlockSequence { first: true },
            TokenKind::BlockMappingStart if block => State::BlockMappingKey { first: true },
            _ if anchor != 0 || tag.is_some() => {
                self.pop();
                return Ok(Event::Scalar { text: Cow::Borrowed(""), plain: true, anchor, tag });
            }
            _ => return self.error("did not find expected node content"),
        };
        match self.state {
            State::FlowSequence { .. } | State::BlockSequence { .. } => {
                Ok(Event::Sequence { anchor })
            }
            _ => Ok(Event::Mapping { anchor }),
        }
    }

    /// An anchor and a tag, in any order.
    fn properties(&mut self) -> Result<(usize, Option<String>), YamlError> {
        let mut anchor = 0;
        let mut tag = None;
        loop {
            match self.kind()? {
                TokenKind::Anchor(name) if anchor == 0 => {
                    let name = name.clone();
                    self.anchors_given += 1;
                    anchor = self.anchors_given;
                    self.anchors.insert(name, anchor);
                }
                TokenKind::Tag { handle, suffix } if tag.is_none() => {
                    let (handle, suffix) = (handle.clone(), suffix.clone());
                    tag = Some(self.resolve_tag(&handle, &suffix)?);
                }
                _ => return Ok((anchor, tag)),
            }
            self.skip();
        }
    }

    fn resolve_tag(&mut self, handle: &str, suffix: &str) -> Result<String, YamlError> {
        if handle.is_empty() {
            return Ok(suffix.to_owned());
        }
        let declared = self.tags.iter().find(|(known, _)| known == handle);
        match (declared, handle) {
            (Some((_, prefix)), _) => Ok(format!("{prefix}{suffix}")),
            (None, "!") => Ok(format!("!{suffix}")),
            (None, "!!") => Ok(format!("{YAML_NAMESPACE}{suffix}")),
            _ => self.error("found undefined tag handle"),
        }
    }

    fn block_sequence(&mut self, first: bool) -> Parsed<'a> {
        if first {
            self.skip();
        }
        let again = State::BlockSequence { first: false };
        if self.accept(&TokenKind::BlockEntry)? {
            return match self.next_is(&[TokenKind::BlockEntry, TokenKind::BlockEnd])? {
                false => self.node_then(again, true, false),
                true => self.empty_then(again),
            };
        }
        if !self.accept(&TokenKind::BlockEnd)? {
            return self.error("did not find expected '-' indicator");
        }
        self.pop();
        Ok(Event::SequenceEnd)
    }

    /// A sequence that is not further in than the key it belongs to.
    fn indentless_sequence(&mut self) -> Parsed<'a> {
        use TokenKind::{BlockEnd, BlockEntry, Key, Value};
        if !self.accept(&BlockEntry)? {
            self.pop();
            return Ok(Event::SequenceEnd);
        }
        match self.next_is(&[BlockEntry, Key, Value, BlockEnd])? {
            false => self.node_then(State::IndentlessSequence, true, false),
            true => self.empty_then(State::IndentlessSequence),
        }
    }

    fn block_mapping_key(&mut self, first: bool) -> Parsed<'a> {
        use TokenKind::{BlockEnd, Key, Value};
        if first {
            self.skip();
        }
        if self.accept(&Key)? {
            return match self.next_is(&[Key, Value, BlockEnd])? {
                false => self.node_then(State::BlockMappingValue, true, true),
                true => self.empty_then(State::BlockMappingValue),
            };
        }
        if !self.accept(&BlockEnd)? {
            return self.error("did not find expected key");
        }
        self.pop();
        Ok(Event::MappingEnd)
    }

    fn block_mapping_value(&mut self) -> Parsed<'a> {
        use TokenKind::{BlockEnd, Key, Value};
        let then = State::BlockMappingKey { first: false };
        if self.accept(&Value)? && !self.next_is(&[Key, Value, BlockEnd])? {
            return self.node_then(then, true, true);
        }
        self.empty_then(then)
    }

    fn flow_sequence(&mut self, first: bool) -> Parsed<'a> {
        use TokenKind::{FlowEntry, FlowSequenceEnd, Key};
        if first {
            self.skip();
        }
        if !self.next_is(&[FlowSequenceEnd])? {
            if !first && !self.accept(&FlowEntry)? {
                return self.error("did not find expected ',' or ']'");
            }
            if self.accept(&Key)? {
                self.state = State::PairKey;
                return Ok(Event::Mapping { anchor: 0 });
            }
            if !self.next_is(&[FlowSequenceEnd])? {
                return self.node_then(State::FlowSequence { first: false }, false, false);
            }
        }
        self.skip();
        self.pop();
        Ok(Event::SequenceEnd)
    }

    /// The key of a mapping of one pair: `[a: b]`.
    fn pair_key(&mut self) -> Parsed<'a> {
        use TokenKind::{FlowEntry, FlowSequenceEnd, Value};
        if !self.next_is(&[Value, FlowEntry, FlowSequenceEnd])? {
            return self.node_then(State::PairValue, false, false);
        }
        self.skip();
        self.empty_then(State::PairValue)
    }

    fn pair_value(&mut self) -> Parsed<'a> {
        use TokenKind::{FlowEntry, FlowSequenceEnd, Value};
        if self.accept(&Value)? && !self.next_is(&[FlowEntry, FlowSequenceEnd])? {
            return self.node_then(State::PairEnd, false, false);
        }
        self.empty_then(State::PairEnd)
    }

    fn flow_mapping_key(&mut self, first: bool) -> Parsed<'a> {
        use TokenKind::{FlowEntry, FlowMappingEnd, Key, Value};
        if first {
            self.skip();
        }
        if !self.next_is(&[FlowMappingEnd])? {
            if !first && !self.accept(&FlowEntry)? {
                return self.error("did not find expected ',' or '}'");
            }
            if self.accept(&Key)? {
                let then = State::FlowMappingValue { empty: false };
                return match self.next_is(&[Value, FlowEntry, FlowMappingEnd])? {
                    false => self.node_then(then, false, false),
                    true => self.empty_then(then),
                };
            }
            if !self.next_is(&[FlowMappingEnd])? {
                return self.node_then(State::FlowMappingValue { empty: true }, false, false);
            }
        }
        self.skip();
        self.pop();
        Ok(Event::MappingEnd)
    }

    fn flow_mapping_value(&mut self, empty: bool) -> Parsed<'a> {
        use TokenKind::{FlowEntry, FlowMappingEnd, Value};
        let then = State::FlowMappingKey { first: false };
        if !empty && self.accept(&Value)? && !self.next_is(&[FlowEntry, FlowMappingEnd])? {
            return self.node_then(then, false, false);
        }
        self.empty_then(then)
    }
}
