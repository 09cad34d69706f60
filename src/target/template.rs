//! Templates of a manifest: minijinja, where a variable that is not there is an error and never an empty string.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::sync::{Arc, LazyLock};

use minijinja::{Environment, ErrorKind, Expression, UndefinedBehavior};
use serde_json::{Map, Value};

use crate::source::{list, nearest};

static TEXTS: LazyLock<Environment<'static>> = LazyLock::new(strict);

/// As [`TEXTS`], but what is filled in is percent-encoded: an account named `a/b?c` stays one segment of the path.
static PATHS: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = strict();
    environment.set_formatter(|out, _, value| {
        for byte in value.to_string().into_bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                out.write_char(byte.into())?;
            } else {
                write!(out, "%{byte:02X}")?;
            }
        }
        Ok(())
    });
    environment
});

fn strict() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
}

/// A string that may have variables in it.
#[derive(Clone)]
pub(super) struct Template {
    text: String,
    /// The expression, where it is all that the template consists of.
    expression: Option<Arc<Expression<'static, 'static>>>,
}

/// What is wrong with a template, and how to mend it.
pub(super) struct Misread {
    pub(super) what: String,
    pub(super) help: Option<String>,
}

impl Template {
    /// Parses it and looks whether its variables are among `known`.
    pub(super) fn parse(text: &str, known: &BTreeSet<&str>) -> Result<Self, Misread> {
        for name in variables(text)? {
            if !known.contains(name.as_str()) {
                return Err(unknown(&name, known));
            }
        }
        let inner = text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        let expression = match inner.filter(|inner| !inner.contains("{{") && !inner.contains("}}")) {
            Some(inner) => Some(TEXTS.compile_expression_owned(inner.to_owned()).map_err(|e| misread(&e))?),
            None => None,
        };
        Ok(Self { text: text.to_owned(), expression: expression.map(Arc::new) })
    }

    /// Filled in, as text. `None` when a field that it needs is not there.
    pub(super) fn text(&self, fields: &minijinja::Value) -> Result<Option<String>, String> {
        present(TEXTS.render_str(&self.text, fields.clone()))
    }

    /// Filled in, as a part of a URL.
    pub(super) fn path(&self, fields: &minijinja::Value) -> Result<Option<String>, String> {
        present(PATHS.render_str(&self.text, fields.clone()))
    }

    /// Filled in; a template that is one expression keeps the type of its value.
    pub(super) fn json(&self, fields: &minijinja::Value) -> Result<Option<Value>, String> {
        let Some(expression) = &self.expression else { return Ok(self.text(fields)?.map(Value::String)) };
        match present(expression.eval(fields.clone()))? {
            Some(value) if !value.is_undefined() && !value.is_none() => {
                serde_json::to_value(value).map(Some).map_err(|error| error.to_string())
            }
            _ => Ok(None),
        }
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

/// The fields that templates can use: those that are there and not null.
pub(super) fn context(fields: &Map<String, Value>) -> minijinja::Value {
    let there: Map<String, Value> = fields.iter().filter(|(_, v)| !v.is_null()).map(pair).collect();
    minijinja::value::Serde(there).into()
}

fn pair((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

/// The variables that a template mentions.
pub(super) fn variables(text: &str) -> Result<BTreeSet<String>, Misread> {
    let template = TEXTS.template_from_str(text).map_err(|error| misread(&error))?;
    Ok(template.undeclared_variables(false).into_iter().collect())
}

/// Fills in a text all of whose variables have to be there.
pub(super) fn fill(text: &str, values: &[(&str, &str)]) -> Result<String, String> {
    let context = minijinja::Value::from_pairs(values.iter().copied());
    TEXTS.render_str(text, context).map_err(|error| reason(&error))
}

fn present<T>(result: Result<T, minijinja::Error>) -> Result<Option<T>, String> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::UndefinedError => Ok(None),
        Err(error) => Err(reason(&error)),
    }
}

fn unknown(name: &str, known: &BTreeSet<&str>) -> Misread {
    let known: Vec<_> = known.iter().copied().collect();
    let all = if known.is_empty() { "none".to_owned() } else { list(&known) };
    let near = nearest(name, &known).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    Misread { what: format!("unknown template variable `{name}`"), help: Some(format!("{near}variables here: {all}")) }
}

fn misread(error: &minijinja::Error) -> Misread {
    Misread { what: format!("the template cannot be read: {}", reason(error)), help: None }
}

/// Without the template's name and line: the place is said by whoever asked.
fn reason(error: &minijinja::Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(text: &str) -> Template {
        Template::parse(text, &BTreeSet::from(["amount", "key"])).unwrap_or_else(|m| panic!("{}", m.what))
    }

    fn fields(value: Value) -> minijinja::Value {
        context(value.as_object().unwrap())
    }

    #[test]
    fn one_expression_keeps_its_type() {
        let fields = fields(json!({"amount": i64::MAX, "key": "k"}));
        assert_eq!(parse("{{ amount }}").json(&fields), Ok(Some(json!(i64::MAX))));
        assert_eq!(parse("{{amount}}!").json(&fields), Ok(Some(json!("9223372036854775807!"))));
        assert_eq!(parse("{{ amount }}{{ key }}").json(&fields), Ok(Some(json!("9223372036854775807k"))));
        assert_eq!(parse("{{ key | upper }}").json(&fields), Ok(Some(json!("K"))));
    }

    #[test]
    fn a_hostile_amount_of_any_type_stays_what_it_is() {
        for amount in [json!(1.5), json!("12"), json!(true), json!([1]), json!({"a": 1}), json!(u64::MAX)] {
            let fields = fields(json!({"amount": amount}));
            assert_eq!(parse("{{ amount }}").json(&fields), Ok(Some(amount)));
        }
    }

    #[test]
    fn what_needs_a_missing_field_is_nothing() {
        let fields = fields(json!({"amount": null}));
        assert_eq!(parse("{{ amount }}").json(&fields), Ok(None));
        assert_eq!(parse("x {{ key }}").text(&fields), Ok(None));
        assert_eq!(parse("{{ key | default('none') }}").json(&fields), Ok(Some(json!("none"))));
    }

    #[test]
    fn paths_are_encoded() {
        let fields = fields(json!({"key": "a/b?c#ü%"}));
        assert_eq!(parse("/x/{{ key }}?y=1").path(&fields), Ok(Some("/x/a%2Fb%3Fc%23%C3%BC%25?y=1".into())));
    }

    #[test]
    fn unknown_variables_and_broken_templates_are_told() {
        let error = |text| Template::parse(text, &BTreeSet::from(["postgres", "port"])).err().unwrap();
        let unknown = error("{{ postgress }}");
        assert_eq!(unknown.what, "unknown template variable `postgress`");
        assert_eq!(unknown.help.unwrap(), "did you mean `postgres`? variables here: `port`, `postgres`");
        assert!(error("{{ port ").what.starts_with("the template cannot be read: "));
    }
}
