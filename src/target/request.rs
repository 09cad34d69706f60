//! From a call to an HTTP request.

use std::net::SocketAddr;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Request, Url};
use serde_json::{Map, Value};

use super::mapping::OperationMapping;
use super::template;
use crate::history::{Call, RawBody};

/// The largest padded body that is sent. A service that reads this much has no limit worth the name.
const BODY_BYTES_MAX: usize = 64 << 20;

/// The request for `call`, or why there can be none.
pub(super) fn request(mapping: &OperationMapping, address: SocketAddr, call: &Call) -> Result<Request, String> {
    let fields = template::context(&call.fields);
    let path = mapping.path.path(&fields)?.ok_or("the path needs a field that the call does not have")?;
    let url: Url = format!("http://{address}{path}").parse().map_err(|error| format!("the path {path}: {error}"))?;
    let mut request = Request::new(mapping.method.clone(), url);
    for (name, value) in &mapping.headers {
        if let Some(value) = value.text(&fields)?.filter(|value| !value.is_empty()) {
            insert(request.headers_mut(), name, &value)?;
        }
    }
    if let Some(body) = body(mapping, &fields, call.raw.as_ref())? {
        request.headers_mut().entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(body.into());
    }
    Ok(request)
}

/// `GET path`, for probes.
pub(super) fn get(address: SocketAddr, path: &str) -> Result<Request, String> {
    let url = format!("http://{address}{path}").parse().map_err(|error| format!("the path {path}: {error}"))?;
    Ok(Request::new(Method::GET, url))
}

fn insert(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), String> {
    let name: HeaderName = name.parse().map_err(|_| format!("`{name}` is not the name of a header"))?;
    let value: HeaderValue = value.parse().map_err(|_| format!("the value of header {name} cannot be sent"))?;
    headers.insert(name, value);
    Ok(())
}

fn body(
    mapping: &OperationMapping,
    fields: &minijinja::Value,
    raw: Option<&RawBody>,
) -> Result<Option<Vec<u8>>, String> {
    if let Some(RawBody::Text(text)) = raw {
        return Ok(Some(text.clone().into_bytes()));
    }
    let mapped = mapping.body.as_ref().map(|body| body.fill(fields)).transpose()?.flatten();
    match (raw, mapped) {
        (Some(RawBody::Padded { bytes }), mapped) => Ok(Some(padded(mapped, *bytes)?)),
        (_, mapped) => mapped.map(|body| serde_json::to_vec(&body).map_err(|error| error.to_string())).transpose(),
    }
}

/// The mapped body with one member more that makes it large: a service that ignores the size would carry it out.
fn padded(mapped: Option<Value>, bytes: u32) -> Result<Vec<u8>, String> {
    let mut members = match mapped {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    };
    let text = |members: &Map<String, Value>| serde_json::to_vec(members).map_err(|error| error.to_string());
    members.insert("padding".into(), Value::String(String::new()));
    let bytes = usize::try_from(bytes).unwrap_or(BODY_BYTES_MAX).min(BODY_BYTES_MAX);
    let padding = bytes.saturating_sub(text(&members)?.len());
    members.insert("padding".into(), Value::String("x".repeat(padding)));
    text(&members)
}
