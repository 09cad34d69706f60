//! What a health check of a Compose file asks.

use std::time::Duration;

use serde_json::Value;

use super::service::scalar;

/// A health check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Health {
    /// The path that it gets over HTTP.
    pub(super) path: Option<String>,
    /// The port that it gets it from.
    pub(super) port: Option<u16>,
    /// What it runs, in one line.
    pub(super) test: String,
    /// How long a start may take without counting.
    pub(super) start: Option<Duration>,
}

/// Nothing where there is none, or it is switched off.
pub(super) fn read(value: &Value) -> Option<Health> {
    if value.get("disable").and_then(Value::as_bool) == Some(true) {
        return None;
    }
    let words = match value.get("test")? {
        Value::Array(items) => items.iter().filter_map(scalar).collect(),
        other => vec![scalar(other)?],
    };
    if words.first().is_some_and(|word| word == "NONE") {
        return None;
    }
    let how = usize::from(words.first().is_some_and(|word| word == "CMD" || word == "CMD-SHELL"));
    let test = words[how..].join(" ");
    let (path, port) = url(&test).unzip();
    let start = value.get("start_period").and_then(scalar).and_then(|text| humantime::parse_duration(&text).ok());
    Some(Health { path, port: port.flatten(), test, start })
}

/// Path and port of the first URL in a command.
fn url(test: &str) -> Option<(String, Option<u16>)> {
    let start = test.find("http://")?;
    let rest = &test[start + "http://".len()..];
    let end = rest.find(|c: char| c.is_whitespace() || "\"'`|;&<>()".contains(c)).unwrap_or(rest.len());
    let rest = &rest[..end];
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = path.split('#').next().unwrap_or_default();
    let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    // Without a port it is the one of HTTP.
    Some((if path.is_empty() { "/".to_owned() } else { path.to_owned() }, port.or(Some(80))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(test: Value, expected: Option<(Option<&str>, Option<u16>)>) {
        let health = read(&json!({ "test": test }));
        assert_eq!(health.as_ref().map(|health| (health.path.as_deref(), health.port)), expected);
    }

    #[test]
    fn the_path_is_found_in_what_it_runs() {
        check(json!(["CMD", "curl", "-f", "http://localhost:8080/health"]), Some((Some("/health"), Some(8080))));
        check(
            json!("wget -q -O- 'http://127.0.0.1:3000/api/up?full=1' || exit 1"),
            Some((Some("/api/up?full=1"), Some(3000))),
        );
        check(json!(["CMD-SHELL", "curl http://localhost|grep ok"]), Some((Some("/"), Some(80))));
        check(json!(["CMD", "./ready"]), Some((None, None)));
        check(json!(["NONE"]), None);
    }
}
