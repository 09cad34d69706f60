//! What a batch of the extended protocol does, as its messages come by.

use std::sync::Arc;

use super::frame::Frame;
use super::shape::{Shape, joined};
use super::statements::Statements;
use crate::link::protocol::{Label, Unreadable};

/// The most different statements of a batch that are named.
const STATEMENTS_MAX: usize = 8;

/// The messages of a batch so far.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Executed, without those that come several times in a row.
    executed: Vec<Arc<Shape>>,
    /// Prepared or bound last, and not executed yet.
    bound: Option<Arc<Shape>>,
    prepared: Option<Arc<Shape>>,
    closed: bool,
    changes: bool,
    commits_inside: bool,
    copies_in: bool,
}

impl Batch {
    /// Adds a message, of which the end may be missing.
    pub(super) fn add(&mut self, frame: Frame<'_>, statements: &mut Statements) -> Result<(), Unreadable> {
        match frame.kind {
            b'P' => {
                let shape = statements.parse(frame.body);
                self.prepared = Some(Arc::clone(&shape));
                self.bound = None;
            }
            b'B' => self.bound = Some(statements.bind(frame.body)),
            b'E' => self.execute(statements.execute(frame.body)),
            b'Q' => self.execute(Arc::new(Shape::of(super::frame::take_text(&mut &*frame.body)))),
            b'F' => {
                let text = "function call".to_owned();
                self.execute(Arc::new(Shape { text, changes: true, ..Shape::default() }));
            }
            b'C' => {
                statements.close(frame.body);
                self.closed = true;
            }
            b'D' | b'H' | b'S' | b'X' => {}
            b'd' | b'c' | b'f' => {}
            _ => return Err(Unreadable("a message has a type that Postgres does not have")),
        }
        Ok(())
    }

    fn execute(&mut self, shape: Arc<Shape>) {
        self.bound = None;
        self.changes |= shape.changes;
        self.commits_inside |= shape.commits_inside;
        self.copies_in = shape.copies_in;
        if self.executed.len() < STATEMENTS_MAX && self.executed.last() != Some(&shape) {
            self.executed.push(shape);
        }
    }

    pub(super) fn executes(&self) -> bool {
        !self.executed.is_empty()
    }

    /// Whether some of it may stand even if it fails.
    pub(super) fn commits_inside(&self) -> bool {
        self.commits_inside
    }

    /// Whether the client is to send data next.
    pub(super) fn copies_in(&self) -> bool {
        self.copies_in
    }

    /// What it is called if it `ends` with what has been added, or if it goes on: then what is bound will be executed.
    pub(super) fn label(&self, ends: bool) -> Label {
        let bound = if ends { None } else { self.bound.as_ref().or(self.prepared.as_ref()) };
        let mut shapes = self.executed.iter().chain(bound).peekable();
        let text = if shapes.peek().is_some() {
            let text = joined(shapes.map(|shape| shape.text.as_str()));
            if text.is_empty() { "empty".to_owned() } else { text }
        } else if let Some(prepared) = &self.prepared {
            joined([format!("prepare {}", prepared.text).as_str()].into_iter())
        } else if self.bound.is_some() {
            "bind".to_owned()
        } else if self.closed {
            "close".to_owned()
        } else {
            "sync".to_owned()
        };
        Label { text, changes: self.changes || bound.is_some_and(|shape| shape.changes) }
    }
}
