//! How a target spells a profile's operations: the profile's default contract, with what the manifest says instead.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::Value;
use serde_json_path::JsonPath;
use toml::de::DeValue;

use super::ManifestError;
use super::table::{Item, Result, Table};
use super::template::{self, Misread, Template};
use crate::profile::{Field, Operation, Profile, Publication};
use crate::source::suggest;

/// A profile as a target speaks it.
#[derive(Clone, Debug)]
pub(super) struct Mapping {
    pub(super) operations: BTreeMap<&'static str, OperationMapping>,
    pub(super) publications: BTreeMap<&'static str, PublicationMapping>,
}

/// A record as a target expects it.
#[derive(Clone, Debug)]
pub(super) struct PublicationMapping {
    pub(super) key: Template,
    pub(super) headers: Vec<(String, Template)>,
    pub(super) body: Body,
}

/// An operation as a target speaks it.
#[derive(Clone, Debug)]
pub(super) struct OperationMapping {
    pub(super) method: Method,
    pub(super) path: Template,
    pub(super) headers: Vec<(String, Template)>,
    pub(super) body: Option<Body>,
    pub(super) reply: Vec<FieldPath>,
    pub(super) refusal: Vec<FieldPath>,
    /// Statuses that mean no, besides 4xx.
    pub(super) refused: BTreeSet<u16>,
    /// Statuses that mean neither yes nor no, besides 5xx and the like.
    pub(super) unknown: BTreeSet<u16>,
    /// Read by this query instead.
    pub(super) sql: Option<String>,
}

/// A JSON body with templates in it.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Template(Template),
    Literal(Value),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// Where a field is in JSON.
#[derive(Clone, Debug)]
pub(super) struct FieldPath {
    pub(super) name: &'static str,
    pub(super) path: JsonPath,
    pub(super) required: bool,
}

impl Mapping {
    /// The default contract of `profile`, changed by the manifest's table of that name.
    pub(super) fn read(profile: &'static dyn Profile, table: Option<&Item<'_>>) -> Result<Self> {
        let names = profile.operations().iter().map(|operation| operation.name);
        let names: Vec<_> = names.chain(profile.publications().iter().map(|record| record.name)).collect();
        let changes = table.map(Item::table).transpose()?;
        if let Some(changes) = &changes {
            changes.only(&names)?;
        }
        let mut operations = BTreeMap::new();
        for operation in profile.operations() {
            let mut mapping = OperationMapping::default_of(operation)
                .map_err(|error| built_in(&format!("{}.{}", profile.name(), operation.name), &error))?;
            if let Some(item) = changes.as_ref().and_then(|table| table.get(operation.name)) {
                let is_reading = profile.readings().contains(&operation.name);
                mapping.change(operation, is_reading, &item.table()?)?;
            }
            operations.insert(operation.name, mapping);
        }
        let mut publications = BTreeMap::new();
        for record in profile.publications() {
            let mut mapping = PublicationMapping::default_of(record)
                .map_err(|error| built_in(&format!("{}.{}", profile.name(), record.name), &error))?;
            if let Some(item) = changes.as_ref().and_then(|table| table.get(record.name)) {
                mapping.change(record, &item.table()?)?;
            }
            publications.insert(record.name, mapping);
        }
        Ok(Self { operations, publications })
    }
}

impl PublicationMapping {
    fn default_of(record: &Publication) -> std::result::Result<Self, Misread> {
        let known = published_fields(record)?;
        let known: BTreeSet<_> = known.iter().map(String::as_str).collect();
        let header = |(name, value): &(&str, &str)| Ok(((*name).to_owned(), Template::parse(value, &known)?));
        Ok(Self {
            key: Template::parse(record.key, &known)?,
            headers: record.headers.iter().map(header).collect::<std::result::Result<_, Misread>>()?,
            body: Body::Object(members(record.body, &known)?),
        })
    }

    fn change(&mut self, record: &Publication, table: &Table<'_>) -> Result<()> {
        table.only(&["key", "headers", "body"])?;
        let known = published_fields(record).map_err(|error| built_in(record.name, &error))?;
        let known: BTreeSet<_> = known.iter().map(String::as_str).collect();
        if let Some(item) = table.get("key") {
            self.key = parse(&item, &known)?;
        }
        if let Some(item) = table.get("headers") {
            let headers = item.strings()?;
            let header = |(name, value): (&&str, &Item<'_>)| Ok(((*name).to_owned(), parse(value, &known)?));
            self.headers = headers.iter().map(header).collect::<Result<_>>()?;
        }
        if let Some(item) = table.get("body") {
            item.table()?;
            self.body = Body::read(&item, &known)?;
        }
        Ok(())
    }
}

impl OperationMapping {
    fn default_of(operation: &Operation) -> std::result::Result<Self, Misread> {
        let known = fields_of(operation)?;
        let known: BTreeSet<_> = known.iter().map(String::as_str).collect();
        let (method, path) = request(operation.request, &known)?;
        let header = |(name, value): &(&str, &str)| Ok(((*name).to_owned(), Template::parse(value, &known)?));
        let has_body = !operation.body.is_empty() || takes_body(&method);
        let members = members(operation.body, &known)?;
        Ok(Self {
            body: has_body.then_some(Body::Object(members)),
            method,
            path,
            headers: operation.headers.iter().map(header).collect::<std::result::Result<_, Misread>>()?,
            reply: paths(operation.reply)?,
            refusal: paths(operation.refusal)?,
            refused: BTreeSet::new(),
            unknown: BTreeSet::new(),
            sql: None,
        })
    }

    fn change(&mut self, operation: &Operation, is_reading: bool, table: &Table<'_>) -> Result<()> {
        const HTTP: [&str; 7] = ["request", "headers", "body", "reply", "refusal", "refused", "unknown"];
        if let Some(sql) = table.get("sql") {
            if !is_reading {
                return Err(sql.wrong_key(
                    &format!("`{}` is not a reading and cannot be done by SQL", operation.name),
                    Some("map it onto a request with `request`, `headers`, `body` and `reply`"),
                ));
            }
            table.only(&["sql"])?;
            self.sql = Some(query(&sql)?);
            return Ok(());
        }
        table.only(if is_reading { &["sql", "request", "headers", "reply"] } else { &HTTP })?;
        let known = fields_of(operation).map_err(|error| built_in(operation.name, &error))?;
        let known: BTreeSet<_> = known.iter().map(String::as_str).collect();
        if let Some(item) = table.get("request") {
            (self.method, self.path) = request(item.string()?, &known).map_err(|error| at(&item, &error))?;
            // The default body belongs to the default request: a GET has none, whatever was there.
            self.body = self.body.take().filter(|_| takes_body(&self.method));
        }
        if let Some(item) = table.get("headers") {
            self.headers.clear();
            for (name, value) in item.strings()? {
                if name.parse::<reqwest::header::HeaderName>().is_err() {
                    return Err(value.wrong_key(&format!("`{name}` is not the name of a header"), None));
                }
                self.headers.push((name.to_owned(), parse(&value, &known)?));
            }
        }
        if let Some(item) = table.get("body") {
            item.table()?;
            self.body = Some(Body::read(&item, &known)?);
        }
        if let Some(item) = table.get("reply") {
            change_paths(&mut self.reply, &item)?;
            // A refusal mostly has the shape of a reply; `refusal` below is for those that have not.
            for field in &mut self.refusal {
                if let Some(moved) = self.reply.iter().find(|moved| moved.name == field.name) {
                    field.path = moved.path.clone();
                }
            }
        }
        if let Some(item) = table.get("refusal") {
            change_paths(&mut self.refusal, &item)?;
        }
        self.refused = statuses(table.get("refused"))?;
        self.unknown = statuses(table.get("unknown"))?;
        if let (Some(both), Some(item)) = (self.refused.intersection(&self.unknown).next(), table.get("unknown")) {
            return Err(item.wrong(&format!("status {both} is both refused and unknown"), None));
        }
        Ok(())
    }
}

impl Body {
    fn read(item: &Item<'_>, known: &BTreeSet<&str>) -> Result<Self> {
        Ok(match item.value() {
            DeValue::String(_) => Self::Template(parse(item, known)?),
            DeValue::Integer(_) => Self::Literal(item.integer(i64::MIN..=i64::MAX)?.into()),
            DeValue::Float(float) => Self::Literal(float.as_str().parse::<f64>().map_or(Value::Null, Value::from)),
            DeValue::Boolean(yes) => Self::Literal((*yes).into()),
            DeValue::Datetime(_) => return Err(item.wrong("a date has no form in JSON", Some("write it in quotes"))),
            DeValue::Array(_) => {
                Self::List(item.list()?.iter().map(|item| Self::read(item, known)).collect::<Result<_>>()?)
            }
            DeValue::Table(_) => {
                let member = |(name, item): (&str, Item<'_>)| Ok((name.to_owned(), Self::read(&item, known)?));
                Self::Object(item.table()?.items().into_iter().map(member).collect::<Result<_>>()?)
            }
        })
    }

    /// Filled in. A member whose field is not there is left out.
    pub(super) fn fill(&self, fields: &minijinja::Value) -> std::result::Result<Option<Value>, String> {
        Ok(Some(match self {
            Self::Template(template) => return template.json(fields),
            Self::Literal(value) => value.clone(),
            Self::List(items) => {
                let filled = items.iter().filter_map(|item| item.fill(fields).transpose());
                Value::Array(filled.collect::<std::result::Result<_, _>>()?)
            }
            Self::Object(members) => {
                let filled = members.iter().filter_map(|(name, member)| {
                    member.fill(fields).transpose().map(|value| value.map(|value| (name.clone(), value)))
                });
                Value::Object(filled.collect::<std::result::Result<_, _>>()?)
            }
        }))
    }
}

/// The default paths of `fields`, changed by the manifest's table; for `[events]` as for replies.
pub(super) fn paths(fields: &'static [Field]) -> std::result::Result<Vec<FieldPath>, Misread> {
    let path =
        |field: &Field| Ok(FieldPath { name: field.name, path: json_path(field.path)?, required: field.required });
    fields.iter().map(path).collect()
}

pub(super) fn change_path(fields: &mut [FieldPath], name: &str, item: &Item<'_>) -> Result<()> {
    let known: Vec<_> = fields.iter().map(|field| field.name).collect();
    let Some(field) = fields.iter_mut().find(|field| field.name == name) else {
        return Err(item.wrong_key(&format!("unknown field `{name}`"), Some(&suggest(name, &known))));
    };
    field.path = json_path(item.string()?).map_err(|error| at(item, &error))?;
    Ok(())
}

/// A mistake in a profile's own default mapping, which no manifest can mend.
pub(super) fn built_in(name: &str, error: &Misread) -> ManifestError {
    ManifestError(format!("the built-in mapping of {name} is wrong, please report it: {}", error.what))
}

pub(super) fn parse(item: &Item<'_>, known: &BTreeSet<&str>) -> Result<Template> {
    Template::parse(item.string()?, known).map_err(|error| at(item, &error))
}

fn at(item: &Item<'_>, error: &Misread) -> ManifestError {
    item.wrong(&error.what, error.help.as_deref())
}

fn change_paths(fields: &mut [FieldPath], item: &Item<'_>) -> Result<()> {
    item.table()?.items().iter().try_for_each(|(name, path)| change_path(fields, name, path))
}

/// The fields that calls of an operation have: those that its default mapping uses.
fn fields_of(operation: &Operation) -> std::result::Result<BTreeSet<String>, Misread> {
    let mut fields = template::variables(operation.request)?;
    for (_, header) in operation.headers {
        fields.append(&mut template::variables(header)?);
    }
    fields.extend(operation.body.iter().map(|(_, field)| (*field).to_owned()));
    Ok(fields)
}

/// The fields that calls of a publication have.
fn published_fields(record: &Publication) -> std::result::Result<BTreeSet<String>, Misread> {
    let mut fields = template::variables(record.key)?;
    for (_, header) in record.headers {
        fields.append(&mut template::variables(header)?);
    }
    fields.extend(record.body.iter().map(|(_, field)| (*field).to_owned()));
    Ok(fields)
}

/// The members of a default body.
fn members(body: &[(&str, &str)], known: &BTreeSet<&str>) -> std::result::Result<Vec<(String, Body)>, Misread> {
    let member = |(name, field): &(&str, &str)| {
        Ok(((*name).to_owned(), Body::Template(Template::parse(&format!("{{{{ {field} }}}}"), known)?)))
    };
    body.iter().map(member).collect()
}

fn request(text: &str, known: &BTreeSet<&str>) -> std::result::Result<(Method, Template), Misread> {
    let parts = text.split_once(' ').map(|(method, path)| (method, path.trim()));
    match parts.map(|(method, path)| (method.parse::<Method>(), path)) {
        Some((Ok(method), path))
            if path.starts_with('/') && method.as_str().bytes().all(|b| b.is_ascii_uppercase()) =>
        {
            Ok((method, Template::parse(path, known)?))
        }
        _ => Err(Misread {
            what: format!("`{text}` is not a request"),
            help: Some("write method and path, as in `POST /transfers`".into()),
        }),
    }
}

/// Whether a request that maps no body fields still has a body: an empty JSON object.
fn takes_body(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH].contains(method)
}

fn json_path(text: &str) -> std::result::Result<JsonPath, Misread> {
    JsonPath::parse(text).map_err(|_| Misread {
        what: format!("`{text}` is not a JSONPath"),
        help: Some("write a path from the root, as in `$.payment.id`".into()),
    })
}

fn statuses(item: Option<Item<'_>>) -> Result<BTreeSet<u16>> {
    let Some(item) = item else { return Ok(BTreeSet::new()) };
    let status = |item: &Item<'_>| Ok(u16::try_from(item.integer(200..=599)?).unwrap_or_default());
    item.list()?.iter().map(status).collect()
}

/// A query, without the semicolon that it may end with: it becomes part of another.
fn query(item: &Item<'_>) -> Result<String> {
    let sql = item.string()?.trim().trim_end_matches(';').trim_end();
    let help = Some("write one `select` that gives all rows in their order");
    let starts = |word: &str| sql.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    if !["select", "with", "table", "values", "("].iter().any(|word| starts(word)) {
        return Err(item.wrong("the query is not a `select`", help));
    }
    Ok(sql.to_owned())
}
