//! From TOML to a [`Suite`].

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::de::DeTable;

use super::locate::{Place, explain};
use super::{Case, Explore, Requirement, Suite, SuiteError, Tier, check};
use crate::fault::spec::Span;
use crate::fault::{FaultSpec, StormSpec};
use crate::profile::Workload;
use crate::source::Source;

/// A suite as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, bound = "W: DeserializeOwned")]
pub(super) struct SuiteText<W> {
    pub(super) profile: String,
    pub(super) version: u32,
    #[serde(default)]
    pub(super) requirement: Vec<Requirement>,
    #[serde(default)]
    pub(super) case: Vec<CaseText<W>>,
}

/// A case as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, bound = "W: DeserializeOwned")]
pub(super) struct CaseText<W> {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) tier: Tier,
    pub(super) requirements: Vec<String>,
    pub(super) workload: W,
    #[serde(default)]
    pub(super) fault: Vec<FaultSpec>,
    pub(super) explore: Option<ExploreText>,
    pub(super) storm: Option<StormSpec>,
    pub(super) read_every: Option<Span>,
    #[serde(default = "settle")]
    pub(super) settle: Span,
}

/// How a case says that its faults are searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ExploreText {
    Sweep,
    /// With what is drawn from under `storm`.
    Storm,
}

fn settle() -> Span {
    Span(Duration::from_secs(10))
}

/// Reads the suite of a profile whose workloads are `W`.
///
/// # Errors
/// When the text is not a suite of this profile.
pub fn read<W: DeserializeOwned + Workload + 'static>(
    profile: &str,
    path: &str,
    text: &str,
) -> Result<Suite, SuiteError> {
    let source = Source { path, text };
    let wrong = |error: &toml::de::Error, root: Option<&DeTable<'_>>| SuiteError(explain(source, root, error));
    let document = DeTable::parse(text).map_err(|error| wrong(&error, None))?;
    let suite: SuiteText<W> = toml::from_str(text).map_err(|error| wrong(&error, Some(document.get_ref())))?;
    check::suite(profile, &suite, &Place { source, root: document.get_ref() })?;
    Ok(Suite {
        profile: suite.profile,
        version: suite.version,
        requirements: suite.requirement,
        cases: suite.case.into_iter().map(case).collect(),
    })
}

fn case<W: Workload + 'static>(text: CaseText<W>) -> Case {
    Case {
        id: text.id,
        title: text.title,
        tier: text.tier,
        requirements: text.requirements,
        workload: Arc::new(text.workload),
        faults: text.fault,
        explore: text.explore.map(|explore| match explore {
            ExploreText::Sweep => Explore::Sweep,
            ExploreText::Storm => Explore::Storm(text.storm.unwrap_or_default()),
        }),
        read_every: text.read_every.map(|span| span.0),
        settle: text.settle.0,
    }
}
