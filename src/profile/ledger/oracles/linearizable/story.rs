//! Telling what cannot be explained, as a person would: what was seen, what it could have been, what it looks like.

use super::super::Seen;
use super::course::{Course, Source};
use crate::history::Moment;
use crate::judgement::Witness;
use crate::oracle::linearizable::{Explanation, Operation, Possible, Resemblance, What};
use crate::profile::ledger::facts::Terms;

/// The most values that are listed.
const VALUES_MAX: usize = 6;

/// The most transfers of each kind, and other observations, that a story shows.
const SHOWN_MAX: usize = 4;

/// The kind of anomaly.
pub(super) fn kind(course: &Course, explanation: &Explanation) -> &'static str {
    match (course.sources[explanation.observation], &explanation.resembles) {
        (Source::Declined(..), _) => "declined",
        (_, Some(Resemblance::Stale(_))) => "stale",
        (_, Some(Resemblance::Lost(_))) => "lost",
        (_, Some(Resemblance::Twice(_))) => "twice",
        (_, Some(Resemblance::Ahead(_))) => "ahead",
        (_, None) if !explanation.together_with.is_empty() => "back",
        (_, None) => "unexplained",
    }
}

/// What was expected, what was found, and the witnesses.
pub(super) fn tell(seen: &Seen<'_>, course: &Course, explanation: &Explanation) -> (String, String, Vec<Witness>) {
    let teller = Teller { seen, course };
    (teller.expected(explanation), teller.found(explanation), teller.witnesses(explanation))
}

struct Teller<'a> {
    seen: &'a Seen<'a>,
    course: &'a Course,
}

impl Teller<'_> {
    fn expected(&self, explanation: &Explanation) -> String {
        let operation = self.operation(explanation.observation);
        let (begin, end) = (operation.invoked, operation.returned.unwrap_or_default());
        let account = self.seen.account(self.course.account);
        let possible = self.possible(&explanation.possible);
        let given = self.given(explanation);
        match self.course.sources[explanation.observation] {
            Source::Declined(id, _) => {
                let asked = self.seen.intent(id);
                format!("between {begin} and {end} the balance of {account} was {possible}{given}, enough for {asked}")
            }
            _ => format!("the balance of {account}, asked for at {begin} and answered at {end}, is {possible}{given}"),
        }
    }

    fn found(&self, explanation: &Explanation) -> String {
        let what = self.operation(explanation.observation).what;
        let told = match self.course.sources[explanation.observation] {
            Source::Declined(_, attempt) => format!("{} declines it for lack of funds", self.instance(attempt)),
            Source::Read(attempt) => format!("{} answers {}", self.instance(attempt), self.observed(what)),
            Source::Posted(_) | Source::Lost(_) => String::new(),
        };
        let looks = match &explanation.resembles {
            Some(Resemblance::Stale(missed)) => {
                let (first, others) = (missed.last().copied(), missed.len().saturating_sub(1));
                let first = first.map(|number| self.acknowledged(number)).unwrap_or_default();
                let others = match others {
                    0 => String::new(),
                    1 => ", and the one after it".to_owned(),
                    _ => format!(", and the {others} after it"),
                };
                match self.course.sources[explanation.observation] {
                    Source::Declined(..) => format!(", as would have been right before {first}{others}"),
                    _ => format!(", as it was before {first}{others}"),
                }
            }
            Some(Resemblance::Lost(number)) => format!(", as if {} had been lost", self.acknowledged(*number)),
            Some(Resemblance::Twice(number)) => format!(", as if {} had moved twice", self.addition(*number)),
            Some(Resemblance::Ahead(number)) => {
                let (addition, begin) = (self.addition(*number), self.operation(*number).invoked);
                format!(", as if {addition}, which nobody asked for before {begin}, had happened")
            }
            None => String::new(),
        };
        told + &looks
    }

    /// The observations that rule out what would explain this one.
    fn given(&self, explanation: &Explanation) -> String {
        let told = explanation.together_with.iter().take(SHOWN_MAX).map(|number| {
            let operation = self.operation(*number);
            let at = operation.returned.unwrap_or_default();
            match self.course.sources[*number] {
                Source::Read(attempt) => {
                    format!("{} answered {} at {at}", self.instance(attempt), self.observed(operation.what))
                }
                Source::Declined(_, attempt) => {
                    let instance = self.instance(attempt);
                    format!("{instance} declined at {at} because it was {}", self.observed(operation.what))
                }
                Source::Posted(_) | Source::Lost(_) => String::new(),
            }
        });
        let told: Vec<_> = told.collect();
        let others = explanation.together_with.len() - told.len();
        let others = if others > 0 { format!(" and {others} more were answered") } else { String::new() };
        if told.is_empty() { others } else { format!(", since {}{others}", told.join(" and ")) }
    }

    fn possible(&self, possible: &Possible) -> String {
        match possible {
            Possible::Values(values) if values.len() <= VALUES_MAX => {
                let told: Vec<_> = values.iter().map(|value| self.money(*value)).collect();
                told.join(" or ")
            }
            Possible::Values(values) => {
                let (least, most) = (values.first().copied(), values.last().copied());
                let ends = [least, most].map(|end| self.money(end.unwrap_or_default()));
                format!("one of {} values from {} to {}", values.len(), ends[0], ends[1])
            }
            Possible::Between(least, most) => {
                format!("between {} and {}", self.money(*least), self.money(*most))
            }
        }
    }

    fn observed(&self, what: What) -> String {
        match what {
            What::Read(value) | What::Add(value) => self.money(value),
            What::Below(bound) => format!("below {}", self.money(bound)),
            What::AtLeast(bound) => format!("at least {}", self.money(bound)),
        }
    }

    /// Everything about what the story names, in the order of events.
    fn witnesses(&self, explanation: &Explanation) -> Vec<Witness> {
        let named: &[usize] = match &explanation.resembles {
            Some(Resemblance::Stale(missed)) => missed,
            Some(Resemblance::Lost(number) | Resemblance::Twice(number) | Resemblance::Ahead(number)) => {
                std::slice::from_ref(number)
            }
            None => &explanation.before,
        };
        // Of many that were missed the earliest begins the story.
        let named = named.iter().rev().take(SHOWN_MAX);
        let others = explanation.during.iter().take(SHOWN_MAX).chain(explanation.together_with.iter().take(SHOWN_MAX));
        let mut shown: Vec<usize> = named.chain(others).copied().chain([explanation.observation]).collect();
        shown.sort_by_key(|number| self.operation(*number).invoked);
        shown.dedup();
        let mut witnesses = Vec::new();
        for number in shown {
            for witness in self.witness(number) {
                if !witnesses.contains(&witness) {
                    witnesses.push(witness);
                }
            }
        }
        witnesses
    }

    fn witness(&self, number: usize) -> Vec<Witness> {
        match self.course.sources[number] {
            Source::Posted(transfer) => match self.seen.books.posted(transfer).intent {
                Some(intent) => [vec![Witness::Intent(intent)], self.seen.rows(transfer)].concat(),
                None => self.seen.rows(transfer),
            },
            Source::Lost(intent) => vec![Witness::Intent(intent)],
            Source::Read(attempt) | Source::Declined(_, attempt) => self.seen.attempt(attempt),
        }
    }

    fn operation(&self, number: usize) -> Operation {
        let nothing = Operation { invoked: Moment::default(), returned: None, what: What::Add(0) };
        self.course.operations.as_ref().and_then(|all| all.get(number)).copied().unwrap_or(nothing)
    }

    /// What was added, and by what.
    fn addition(&self, number: usize) -> String {
        match self.course.sources[number] {
            Source::Posted(transfer) => {
                let intent = self.seen.books.posted(transfer).intent;
                intent.map_or_else(|| self.seen.posted(transfer), |intent| self.seen.intent(intent))
            }
            Source::Lost(intent) => self.seen.intent(intent),
            Source::Read(_) | Source::Declined(..) => String::new(),
        }
    }

    fn acknowledged(&self, number: usize) -> String {
        let end = self.operation(number).returned;
        let end = end.map(|end| format!(", acknowledged at {end}")).unwrap_or_default();
        format!("{}{end}", self.addition(number))
    }

    fn instance(&self, attempt: crate::history::AttemptId) -> String {
        let attempt = self.seen.facts.attempts.get(attempt.0 as usize);
        let name = attempt.and_then(|attempt| self.seen.facts.instances.get(attempt.to.0 as usize));
        name.map(ToString::to_string).unwrap_or_default()
    }

    fn money(&self, amount: impl Into<i128>) -> String {
        let amount = amount.into();
        match self.seen.terms(self.course.account) {
            Some(Terms { currency, .. }) => self.seen.money(amount, currency),
            None => amount.to_string(),
        }
    }
}
