//! `ledger.once`: no intent has more than one effect.

use super::{Found, Seen};
use crate::profile::ledger::facts::Transfer;
use crate::report::text::count;

pub(super) fn judge(seen: &Seen<'_>) -> Found {
    let mut found = Found::default();
    let mut again = 0;
    for (id, intent) in seen.facts.numbered_intents() {
        let effects = seen.books.effects(id);
        if effects.count == 0 || !Seen::moves(intent) {
            continue;
        }
        again += u64::from(intent.sent - intent.sent.min(1));
        if effects.count >= 2 {
            found.blame("double", || {
                let (first, second) = (Transfer(effects.first), Transfer(effects.second));
                let expected = format!("{} takes effect once", seen.intent(id));
                let (one, other) = (seen.posted(first), seen.posted(second));
                let text = format!(
                    "sent {}, it is in the journal {} times: {}{one} and {other}",
                    count(intent.sent.into(), "time"),
                    effects.count,
                    if effects.count > 2 { "first " } else { "" },
                );
                let mut witnesses = seen.course(id);
                witnesses.extend(seen.rows(first));
                witnesses.extend(seen.rows(second));
                (expected, text, witnesses)
            });
        }
    }
    found.saw("sendings of applied keys beyond the first", again, 10);
    found.needs_audit(seen);
    found
}
