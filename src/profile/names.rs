//! Dense numbers for names. The harness's own names carry their number and are found without hashing.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

/// Numbers below this come from a name's own digits; a target that makes up larger ones only loses the short cut.
const NUMBERED_MAX: usize = 1 << 24;

const NONE: u32 = u32::MAX;

/// A table of names, numbered from 0 in the order in which they were first seen.
#[derive(Clone, Debug, Default)]
pub struct Names {
    names: Vec<Arc<str>>,
    /// By the number that is written in the name.
    numbered: Vec<u32>,
    hashed: HashMap<Arc<str>, u32, RandomState>,
    pattern: Option<Pattern>,
}

/// How the harness writes a numbered name: a prefix and the number, padded with zeros to a width.
#[derive(Clone, Copy, Debug)]
pub struct Pattern {
    /// What comes before the number.
    pub prefix: &'static str,
    /// The least number of digits.
    pub width: usize,
}

impl Pattern {
    /// The number written in `text`, if it is written exactly as the harness writes it.
    #[must_use]
    pub fn number(self, text: &str) -> Option<u32> {
        let digits = text.strip_prefix(self.prefix)?;
        let padded = digits.len() == self.width || (digits.len() > self.width && !digits.starts_with('0'));
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        (padded && plain).then(|| digits.parse().ok()).flatten()
    }

    /// The name with this number.
    #[must_use]
    pub fn name(self, number: u32) -> String {
        format!("{}{number:0width$}", self.prefix, width = self.width)
    }
}

impl Names {
    /// A table in which names of this pattern are found without hashing.
    #[must_use]
    pub fn numbered(pattern: Pattern) -> Self {
        Self { pattern: Some(pattern), ..Self::default() }
    }

    /// The number of `name`, a new one if it was not seen before.
    pub fn intern(&mut self, name: &str) -> u32 {
        if let Some(slot) = self.slot(name) {
            if self.numbered.len() <= slot {
                self.numbered.resize(slot + 1, NONE);
            }
            if self.numbered[slot] == NONE {
                self.numbered[slot] = u32::try_from(self.names.len()).unwrap_or(NONE);
                self.names.push(name.into());
            }
            return self.numbered[slot];
        }
        if let Some(&id) = self.hashed.get(name) {
            return id;
        }
        let id = u32::try_from(self.names.len()).unwrap_or(NONE);
        let name: Arc<str> = name.into();
        self.names.push(name.clone());
        self.hashed.insert(name, id);
        id
    }

    /// The name with this number; empty if there is none.
    #[must_use]
    pub fn name(&self, id: u32) -> &str {
        self.names.get(id as usize).map_or("", |name| name)
    }

    /// How many names there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is no name yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    fn slot(&self, name: &str) -> Option<usize> {
        let number = self.pattern?.number(name)? as usize;
        (number < NUMBERED_MAX).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_look_alikes_apart() {
        let pattern = Pattern { prefix: "a-", width: 4 };
        let mut names = Names::numbered(pattern);
        let spellings = ["a-0007", "a-7", "a-00007", "a-12345", "A-0007", "a-+007", "", "a-", "a-99999999999"];
        let ids: Vec<_> = spellings.iter().map(|name| names.intern(name)).collect();
        assert_eq!(ids, (0..9).collect::<Vec<_>>());
        for (id, name) in spellings.iter().enumerate() {
            assert_eq!(names.intern(name), ids[id]);
            assert_eq!(names.name(ids[id]), *name);
        }
        assert_eq!(pattern.name(7), "a-0007");
        assert_eq!(pattern.number(&pattern.name(123_456)), Some(123_456));
    }
}
