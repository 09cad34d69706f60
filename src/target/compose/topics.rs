//! Topics that a Compose file creates.

use super::service::Service;

/// Names and partitions of the topics that this service creates, as the tools and images of Kafka are told.
pub(super) fn created_by(service: &Service) -> Vec<(String, u16)> {
    let mut topics = Vec::new();
    let told = service.values().find(|(name, _)| *name == "KAFKA_CREATE_TOPICS").map(|(_, value)| value);
    for topic in told.into_iter().flat_map(|value| value.split(',')) {
        let mut parts = topic.trim().split(':');
        let name = parts.next().unwrap_or_default();
        add(&mut topics, name, parts.next());
    }
    let script = service.command.iter().chain(&service.left_out).map(String::as_str).collect::<Vec<_>>().join(" ");
    let is_between = |c: char| c.is_whitespace() || "\"'`;,[]".contains(c) || c == '=';
    let words: Vec<&str> = script.split(is_between).filter(|word| !word.is_empty()).collect();
    for (at, _) in words.iter().enumerate().filter(|(_, word)| **word == "--topic") {
        // The number stands in the same command, before or after.
        let start = words[..at].iter().rposition(|word| word.contains("kafka-topics")).unwrap_or(0);
        let end = words[at + 1..]
            .iter()
            .position(|word| word.contains("kafka-topics"))
            .map_or(words.len(), |more| at + 1 + more);
        let command = &words[start..end];
        let partitions =
            command.iter().position(|word| *word == "--partitions").and_then(|found| command.get(found + 1));
        add(&mut topics, words.get(at + 1).unwrap_or(&""), partitions.copied());
    }
    topics
}

fn add(topics: &mut Vec<(String, u16)>, name: &str, partitions: Option<&str>) {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let is_name = !name.is_empty() && name.len() <= 200 && name.chars().all(plain);
    if is_name && !topics.iter().any(|(known, _)| known == name) {
        let partitions = partitions.and_then(|text| text.parse().ok()).unwrap_or(1);
        topics.push((name.to_owned(), partitions.clamp(1, 1_000)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_found_in_commands() {
        let script = "kafka-topics --create --partitions 6 --topic payments; kafka-topics --create --topic 'audit.log'";
        let service = Service { command: vec!["-c".into(), script.into()], ..Service::default() };
        assert_eq!(created_by(&service), [("payments".to_owned(), 6), ("audit.log".to_owned(), 1)]);
    }
}
