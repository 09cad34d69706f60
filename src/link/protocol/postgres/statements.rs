//! Prepared statements and portals of a connection: which SQL a Bind or an Execute means.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::frame::take_text;
use super::shape::Shape;

/// The most statements remembered; those prepared later are not known when they are executed.
const STATEMENTS_MAX: usize = 2_048;

/// The most portals remembered; the oldest is forgotten. Transactions rarely have more than one.
const PORTALS_MAX: usize = 64;

/// The longest name remembered; Postgres itself cuts names off before.
const NAME_MAX: usize = 128;

#[derive(Debug, Default)]
pub(super) struct Statements {
    named: HashMap<Box<[u8]>, Arc<Shape>>,
    portals: VecDeque<(Box<[u8]>, Arc<Shape>)>,
}

impl Statements {
    /// The body of a Parse, of which the end may be missing.
    pub(super) fn parse(&mut self, mut body: &[u8]) -> Arc<Shape> {
        let name = take_text(&mut body);
        let shape = Arc::new(Shape::of(take_text(&mut body)));
        self.named.remove(name);
        if self.named.len() < STATEMENTS_MAX && name.len() <= NAME_MAX {
            self.named.insert(name.into(), Arc::clone(&shape));
        }
        shape
    }

    /// The body of a Bind.
    pub(super) fn bind(&mut self, mut body: &[u8]) -> Arc<Shape> {
        let portal = take_text(&mut body);
        let shape = self.named.get(take_text(&mut body)).map_or_else(|| Arc::new(Shape::unknown()), Arc::clone);
        self.forget_portal(portal);
        if portal.len() <= NAME_MAX {
            if self.portals.len() == PORTALS_MAX {
                self.portals.pop_front();
            }
            self.portals.push_back((portal.into(), Arc::clone(&shape)));
        }
        shape
    }

    /// The body of an Execute.
    pub(super) fn execute(&self, mut body: &[u8]) -> Arc<Shape> {
        let portal = take_text(&mut body);
        let known = self.portals.iter().find(|(name, _)| **name == *portal);
        known.map_or_else(|| Arc::new(Shape::unknown()), |(_, shape)| Arc::clone(shape))
    }

    /// The body of a Close.
    pub(super) fn close(&mut self, body: &[u8]) {
        match body {
            [b'S', name @ ..] => drop(self.named.remove(take_text(&mut &*name))),
            [b'P', name @ ..] => self.forget_portal(take_text(&mut &*name)),
            _ => {}
        }
    }

    fn forget_portal(&mut self, portal: &[u8]) {
        self.portals.retain(|(name, _)| **name != *portal);
    }
}
