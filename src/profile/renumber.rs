//! A script out of which steps were taken: what nobody needs any more goes, and what is left is numbered anew.

use std::collections::{BTreeMap, BTreeSet};

use super::Script;
use super::names::Pattern;
use crate::history::{Call, IntentId};

/// With the intents whose replies these need.
pub(super) fn with_bound(script: &Script, mut all: BTreeSet<IntentId>) -> BTreeSet<IntentId> {
    let mut open: Vec<_> = all.iter().copied().collect();
    while let Some(id) = open.pop() {
        let binds = script.intents.get(id.0 as usize).map_or(&[][..], |intent| &intent.binds);
        open.extend(binds.iter().map(|bind| bind.intent).filter(|other| all.insert(*other)));
    }
    all
}

/// Without the intents that nobody sends or needs; the others are numbered anew. Keys are names of this pattern, and
/// follow their intents' numbers, by which effects are found.
pub(super) fn renumber(mut script: Script, keys_are: Pattern) -> Script {
    let listed = [&script.setup, &script.probes, &script.audit].into_iter().flatten().copied();
    let kept = listed.chain(script.clients.iter().flatten().map(|step| step.intent)).collect();
    let kept = with_bound(&script, kept);
    let numbers: BTreeMap<IntentId, IntentId> = kept.iter().copied().zip((0..).map(IntentId)).collect();
    let new = |id: IntentId| numbers.get(&id).copied().unwrap_or(id);
    // A key belongs to the intent that it was made for; if that has gone, to the first that is left with it.
    let mut keys: BTreeMap<u32, u32> = BTreeMap::new();
    for (old, now) in &numbers {
        let key = script.intents.get(old.0 as usize).and_then(|intent| key_of(&intent.call, keys_are));
        if let Some(key) = key {
            let owner = numbers.get(&IntentId(key)).unwrap_or(now);
            keys.entry(key).or_insert(owner.0);
        }
    }
    let mut intents = Vec::new();
    for old in numbers.keys() {
        let Some(mut intent) = script.intents.get(old.0 as usize).cloned() else { continue };
        if let Some(key) = key_of(&intent.call, keys_are).and_then(|key| keys.get(&key)) {
            intent.call.fields.insert("key".into(), keys_are.name(*key).into());
        }
        for bind in &mut intent.binds {
            bind.intent = new(bind.intent);
        }
        intents.push(intent);
    }
    script.intents = intents;
    for id in script.setup.iter_mut().chain(&mut script.probes).chain(&mut script.audit) {
        *id = new(*id);
    }
    for step in script.clients.iter_mut().flatten() {
        step.intent = new(step.intent);
    }
    script
}

fn key_of(call: &Call, keys_are: Pattern) -> Option<u32> {
    keys_are.number(call.fields.get("key")?.as_str()?)
}
