//! `orders.secret`: no card number and no token that was given to the API is in a log, an event or a dead letter.
//!
//! Each is a number or a word that nobody else would come upon. Logs and the raw events were searched for some of them
//! when the run ended; headers, fields and dead letters are searched here for all.

use serde_json::Value;

use super::{Found, Seen};
use crate::history::{Event, Record, What};
use crate::judgement::Witness;
use crate::profile::orders::contract::LETTERS;
use crate::profile::orders::facts::KEYS;

/// The fields of an order that nobody else may see.
const SECRET_FIELDS: [&str; 2] = ["card", "token"];

/// What was given to the API in confidence.
#[derive(Clone, Copy, Debug)]
struct Secret<'a> {
    field: &'static str,
    text: &'a str,
    /// The number of the intent.
    of: u32,
}

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let secrets = secrets(seen);
    for words in &seen.facts.words {
        for secret in secrets.iter().filter(|secret| words.found.iter().any(|word| **word == *secret.text)) {
            blame(&mut found, *secret, words.event, &words.place);
        }
    }
    let (mut records, mut readings) = (0, 0);
    let mut shown = Shown::default();
    for (number, event) in (0..).zip(seen.events) {
        match &event.what {
            What::Record(record) => {
                records += 1;
                shown.add(number, "an event", &told(record));
            }
            What::Rows { source, added, .. } if source == LETTERS => {
                readings += 1;
                shown.add(number, "a dead letter", &Value::from(added.as_slice()).to_string());
            }
            _ => {}
        }
    }
    for secret in &secrets {
        for (event, place) in shown.find(secret.text) {
            blame(&mut found, *secret, event, place);
        }
    }
    let searched = |place: &str| seen.facts.words.iter().filter(|words| words.place.starts_with(place)).count() as u64;
    let watched = secrets.iter().filter(|secret| seen.script.watch.iter().any(|word| word == secret.text));
    let watched = watched.filter(|secret| was_sent(seen.events, secret.of)).count();
    found.saw("secrets given to the API that were looked for", watched as u64, 2);
    found.saw("logs that were searched", searched("log of "), 1);
    found.saw("topics that were searched", searched("topic "), 1);
    found.saw("events that were searched", records, 1);
    found.saw("readings of the dead letters that were searched", readings, 1);
    found
}

fn secrets<'a>(seen: &Seen<'a>) -> Vec<Secret<'a>> {
    let of = |(of, intent): (u32, &'a crate::profile::script::Intent)| {
        SECRET_FIELDS.into_iter().filter_map(move |field| {
            Some(Secret { field, text: intent.call.fields.get(field)?.as_str().filter(|text| !text.is_empty())?, of })
        })
    };
    (0..).zip(&seen.script.intents).flat_map(of).collect()
}

fn was_sent(events: &[Event], of: u32) -> bool {
    events.iter().any(|event| matches!(&event.what, What::Invoke { intent, .. } if intent.0 == of))
}

/// All that was shown, one after the other, so that each secret is searched for once.
#[derive(Debug, Default)]
struct Shown {
    text: String,
    /// Where each piece begins, of which event it is and what that is.
    pieces: Vec<(usize, u32, &'static str)>,
}

impl Shown {
    fn add(&mut self, event: u32, what: &'static str, text: &str) {
        self.pieces.push((self.text.len(), event, what));
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// The pieces in which a text occurs, each once.
    fn find(&self, text: &str) -> Vec<(u32, &'static str)> {
        let piece = |at: usize| self.pieces.partition_point(|(start, ..)| *start <= at).checked_sub(1);
        let mut found: Vec<_> = self.text.match_indices(text).filter_map(|(at, _)| piece(at)).collect();
        found.dedup();
        found.into_iter().map(|number| (self.pieces[number].1, self.pieces[number].2)).collect()
    }
}

/// All of a record that is kept.
fn told(record: &Record) -> String {
    let mut text = record.key.clone().unwrap_or_default();
    for (name, value) in &record.headers {
        text.push_str(&format!("\n{name}: {value}"));
    }
    for value in record.fields.values() {
        text.push_str(&format!("\n{value}"));
    }
    text
}

/// The secret itself is not told again.
fn blame(found: &mut Found, secret: Secret<'_>, event: u32, place: &str) {
    found.blame("leaked", || {
        let Secret { field, text, of } = secret;
        let masked = text.chars().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect::<String>();
        let expected = format!("the {field} of the order under {} is seen by nobody but the gateway", KEYS.name(of));
        (expected, format!("…{masked} is in {place}"), vec![Witness::Event(event)])
    });
}
