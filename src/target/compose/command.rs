//! Topics, groups and services that the words of a command name.

use super::address::Hosts;
use super::phrase::Phrase;
use super::variables::{Others, listed, named, of_topic, prefixed, stranger};

/// What a word of a command says.
#[derive(Clone, Copy, Debug)]
struct Value<'a> {
    /// The option that it belongs to, without hyphens; empty where it belongs to none.
    option: &'a str,
    /// What of the word stands before it.
    head: &'a str,
    text: &'a str,
}

/// The value that each word is, or has in it behind its `=`.
fn values(words: &[String]) -> impl Iterator<Item = Value<'_>> {
    let before = std::iter::once("").chain(words.iter().map(String::as_str));
    words.iter().zip(before).map(|(word, before)| match (option(word), option(before)) {
        (Some((option, Some(text))), _) => Value { option, head: &word[..word.len() - text.len()], text },
        (None, Some((option, None))) => Value { option, head: "", text: word },
        _ => Value { option: "", head: "", text: word },
    })
}

/// The name of an option, and its value if that is in the same word.
fn option(word: &str) -> Option<(&str, Option<&str>)> {
    let option = word.strip_prefix('-')?.trim_start_matches('-');
    Some(option.split_once('=').map_or((option, None), |(name, value)| (name, Some(value))))
}

/// Puts the prefix before the topics and groups that options name, as before those of variables.
pub(super) fn name_topics(words: &mut [Phrase], topics: &mut Vec<String>) {
    let texts = plain(words);
    for (word, value) in words.iter_mut().zip(values(&texts)) {
        if let Some(names) = of_topic(value.option, value.text, topics) {
            *word = Phrase::plain(value.head).then(names);
        }
    }
}

/// The hosts that a command names, as variables do.
pub(super) fn hosts(words: &[String]) -> impl Iterator<Item = &str> {
    values(words).flat_map(|value| named(value.option, value.text))
}

/// What is to be said of the services that a command names.
pub(super) fn strangers(words: &[Phrase], hosts: &Hosts, others: Others<'_>) -> Vec<String> {
    values(&plain(words)).filter_map(|value| stranger(value.option, value.text, hosts, others)).collect()
}

/// Puts the prefix before words that are called as topics are that others name, and says where that may be wrong.
pub(super) fn take_known(words: &mut [Phrase], topics: &[(String, u16)], speaks_kafka: bool) -> Vec<String> {
    let is_known = |text: &str| listed(text).all(|name| topics.iter().any(|(topic, _)| topic == name));
    let texts = plain(words);
    let mut remarks = Vec::new();
    for (at, value) in values(&texts).enumerate().filter(|(_, value)| is_known(value.text)) {
        // The first word may be the program.
        let is_taken = at > 0 && speaks_kafka;
        if is_taken {
            words[at] = Phrase::plain(value.head).then(prefixed(listed(value.text)));
        }
        let what = match is_taken {
            true => "was taken for the topic of that name; see whether it is",
            false => "is the name of a topic as well; if it is that topic, put `{{ prefix }}` before it",
        };
        remarks.push(format!("the command: `{}` {what}", value.text));
    }
    let is_option = |value: &Value<'_>| of_topic(value.option, value.text, &mut Vec::new()).is_some();
    remarks.extend(in_scripts(words, |value| is_known(value.text) || (speaks_kafka && is_option(value))));
    remarks
}

/// What is to be said of names within a script, which is not taken apart: a shell may make anything of it.
fn in_scripts(words: &[Phrase], is_name: impl Fn(&Value<'_>) -> bool) -> Option<String> {
    let is_between = |c: char| c.is_whitespace() || "\"'`;()".contains(c);
    let mut names = Vec::new();
    for script in words.iter().flat_map(Phrase::texts).filter(|text| text.contains(char::is_whitespace)) {
        let within: Vec<String> = script.split(is_between).filter(|word| !word.is_empty()).map(str::to_owned).collect();
        names.extend(values(&within).filter(&is_name).map(|value| format!("`{}`", value.text)));
    }
    let names = (!names.is_empty()).then(|| names.join(", "))?;
    Some(format!(
        "the command has a script with {names} in it: put `{{{{ prefix }}}}` before each that is a topic or a group, and see that the topics are under [kafka]"
    ))
}

/// The words as they are, with nothing where a variable stands: that one is done.
fn plain(words: &[Phrase]) -> Vec<String> {
    words.iter().map(|word| word.as_plain().unwrap_or_default().to_owned()).collect()
}
