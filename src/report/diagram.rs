//! The messages around a fault as a small diagram in plain characters: a column for each party, a line for each message.

use std::fmt::Write as _;

use super::phrase;
use super::text::{clean, piece};
use crate::history::{Exchange, FaultChange, History, Moment, Phase, Truth, What};

/// The most lines before and after the first fault bit.
const LINES_MAX: [usize; 2] = [9, 9];

/// Width of a column in characters.
const COLUMN: usize = 14;

/// Room for what is said about a message.
const TEXT_CHARS_MAX: usize = 70;

/// The diagram of a run whose exchanges were recorded; nothing where no message was.
#[must_use]
pub fn diagram(history: &History) -> Vec<String> {
    let rows = around_the_fault(rows(history));
    let parties = parties(&rows);
    if parties.is_empty() {
        return Vec::new();
    }
    let mut head = format!("{:>9}   ", "ms");
    for party in &parties {
        let _ = write!(head, "{party:<COLUMN$}");
    }
    let mut lines = vec![head.trim_end().to_owned()];
    lines.extend(rows.iter().map(|row| row.drawn(&parties)));
    lines
}

/// A line of the diagram.
#[derive(Debug)]
struct Row {
    at: Moment,
    what: Mark,
    text: String,
}

#[derive(Debug)]
enum Mark {
    /// A message between two parties, and whether it arrived.
    Message { from: String, to: String, arrived: bool },
    /// Something happened to a party.
    At(String),
    /// The fault.
    Fault,
}

fn rows(history: &History) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut load = false;
    for event in &history.events {
        match &event.what {
            What::Phase { phase } => load = *phase >= Phase::Load,
            What::Exchange(exchange) if load && exchange.changes => rows.extend(messages(exchange, event.at)),
            What::Process { name, change } if load => {
                rows.push(Row { at: event.at, what: Mark::At(name.clone()), text: phrase::process(change) });
            }
            What::Fault { change: FaultChange::Bit(evidence), .. } => {
                rows.push(Row { at: event.at, what: Mark::Fault, text: piece(evidence) });
            }
            _ => {}
        }
    }
    rows.sort_by_key(|row| row.at);
    rows
}

/// The request and, if one came, the reply.
fn messages(exchange: &Exchange, over: Moment) -> Vec<Row> {
    let Some((from, to)) = exchange.edge.split_once("->") else { return Vec::new() };
    let message = |from: &str, to: &str, arrived| Mark::Message { from: from.into(), to: to.into(), arrived };
    let request = Row {
        at: exchange.sent,
        what: message(from, to, exchange.truth != Truth::NotSent),
        text: piece(&exchange.label),
    };
    let mut rows = vec![request];
    if exchange.answered {
        let code = exchange.code.as_ref().map(|code| format!("{} ", piece(code))).unwrap_or_default();
        let text = format!("{code}{}", phrase::truth(exchange.truth));
        rows.push(Row { at: over, what: message(to, from, !exchange.lost), text });
    }
    rows
}

/// The lines nearest to the first bite; all of the first ones where nothing bit.
fn around_the_fault(mut rows: Vec<Row>) -> Vec<Row> {
    let [before, after] = LINES_MAX;
    let fault = rows.iter().position(|row| matches!(row.what, Mark::Fault)).unwrap_or(0);
    rows.truncate((fault + after + 1).max(before + after));
    rows.drain(..rows.len().saturating_sub(before + after + 1).min(fault.saturating_sub(before)));
    rows
}

/// Who takes part: callers, instances, then the stack.
fn parties(rows: &[Row]) -> Vec<String> {
    let mut parties: Vec<String> = Vec::new();
    for row in rows {
        let names: Vec<&String> = match &row.what {
            Mark::Message { from, to, .. } => vec![from, to],
            Mark::At(name) => vec![name],
            Mark::Fault => Vec::new(),
        };
        for name in names {
            if !parties.contains(name) {
                parties.push(name.clone());
            }
        }
    }
    parties.sort_by_key(|name| (rank(name), name.clone()));
    parties
}

fn rank(name: &str) -> u8 {
    match name {
        "client" => 0,
        "postgres" => 2,
        "redis" => 3,
        "kafka" => 4,
        _ => 1,
    }
}

impl Row {
    fn drawn(&self, parties: &[String]) -> String {
        let mut columns = vec![b' '; parties.len() * COLUMN];
        let place = |name: &str| parties.iter().position(|party| party == name).map(|index| index * COLUMN + 3);
        for index in 0..parties.len() {
            columns[index * COLUMN + 3] = b'|';
        }
        match &self.what {
            Mark::Message { from, to, arrived } => {
                if let (Some(from), Some(to)) = (place(from), place(to)) {
                    arrow(&mut columns, from, to, *arrived);
                }
            }
            Mark::At(name) => {
                if let Some(at) = place(name) {
                    columns[at] = b'*';
                }
            }
            Mark::Fault => {}
        }
        let tenths = self.at.0 / 100_000;
        let mark = if matches!(self.what, Mark::Fault) { "!! " } else { "" };
        let columns = String::from_utf8_lossy(&columns).into_owned();
        let text = clean(&self.text, TEXT_CHARS_MAX);
        format!("{:>7}.{}   {columns}{mark}{text}", tenths / 10, tenths % 10)
    }
}

/// `|---------->|`, or `|-----x     |` where it did not arrive.
fn arrow(columns: &mut [u8], from: usize, to: usize, arrived: bool) {
    let (low, high) = (from.min(to), from.max(to));
    columns[low + 1..high].fill(b'-');
    if arrived {
        let (tip, head) = if from < to { (high - 1, b'>') } else { (low + 1, b'<') };
        columns[tip] = head;
        return;
    }
    let middle = usize::midpoint(low, high);
    let unreached = if from < to { middle + 1..high } else { low + 1..middle };
    columns[unreached].fill(b' ');
    columns[middle] = b'x';
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::history::{Event, ProcessChange, StepId};

    fn exchange(sent: u64, over: u64, edge: &str, label: &str, truth: Truth, lost: bool) -> Event {
        let exchange = Exchange {
            sent: Moment(sent * 1_000_000),
            edge: edge.into(),
            connection: 1,
            label: label.into(),
            changes: true,
            truth,
            code: None,
            answered: truth != Truth::NotSent,
            lost,
        };
        Event { at: Moment(over * 1_000_000), what: What::Exchange(exchange) }
    }

    #[test]
    fn a_reply_that_is_lost_ends_halfway() {
        let at = |at: u64, what| Event { at: Moment(at * 1_000_000), what };
        let bit = FaultChange::Bit("api-1 was killed after COMMIT was answered (Applied)".into());
        let gone = ProcessChange::Exited { status: "signal: 9 (SIGKILL)".into(), expected: true };
        let history = History {
            events: vec![
                exchange(1, 2, "api-1->postgres", "before the load", Truth::Applied, false),
                at(10, What::Phase { phase: Phase::Load }),
                exchange(12, 13, "api-1->postgres", "insert into keys", Truth::Pending, false),
                exchange(14, 15, "api-1->postgres", "COMMIT", Truth::Applied, true),
                at(16, What::Process { name: "api-1".into(), change: gone }),
                at(17, What::Fault { step: StepId(0), change: bit }),
                exchange(11, 18, "client->api-1", "POST /transfers", Truth::NotSent, false),
            ],
        };
        expect![[r#"
            :       ms   client        api-1         postgres
            :     11.0      |------x      |             |          POST /transfers
            :     12.0      |             |------------>|          insert into keys
            :     13.0      |             |<------------|          done, not committed
            :     14.0      |             |------------>|          COMMIT
            :     15.0      |             |      x------|          applied
            :     16.0      |             *             |          gone: signal: 9 (SIGKILL)
            :     17.0      |             |             |          !! api-1 was killed after COMMIT was answered (Applied)
        "#]]
        .assert_eq(&diagram(&history).iter().map(|line| format!(":{line}\n")).collect::<String>());
    }

    #[test]
    fn nothing_is_drawn_of_a_run_without_messages() {
        assert!(diagram(&History::default()).is_empty());
    }
}
