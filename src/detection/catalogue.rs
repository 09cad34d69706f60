//! `defects.toml`: the mistakes that a target can make on request.

use serde::Deserialize;

use crate::suite::Suite;

/// All defects of a target, in the order of the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// The defects.
    #[serde(rename = "defect")]
    pub defects: Vec<Defect>,
}

/// A mistake that a target makes on request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defect {
    /// What switches it on, for example `check-then-insert`.
    pub name: String,
    /// What the service does wrong, one line.
    pub summary: String,
    /// Where such a mistake comes from in real life.
    pub origin: String,
    /// The requirement that has to be violated.
    pub caught_by: String,
    /// Requirements that the defect may violate as well, being wrong about them too.
    #[serde(default)]
    pub also: Vec<String>,
    /// The case in which it has to be caught.
    pub case: String,
    /// How surely a run of the case shows it.
    pub timing: Timing,
    /// What the run has to hit by luck; there exactly where the timing is [`Timing::Likely`].
    #[serde(default)]
    pub luck: Option<String>,
    /// Between which two messages a fault has to fall for it to show; there where nothing else shows it.
    #[serde(default)]
    pub window: Option<String>,
}

/// How surely a run shows a defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timing {
    /// Each run does.
    Certain,
    /// Random timing decides, run by run.
    Likely,
}

/// Why a catalogue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The text is no catalogue.
    #[error("{path}: {why}")]
    Toml {
        /// The file.
        path: String,
        /// What is wrong, with line and column.
        why: String,
    },
    /// Two defects have one name.
    #[error("{path}: the defect `{name}` is there twice; names are unique")]
    Twice {
        /// The file.
        path: String,
        /// The name.
        name: String,
    },
    /// Luck is claimed without a reason, or explained where none is needed.
    #[error(
        "{path}: the defect `{defect}`: `timing = \"likely\"` and `luck = \"what a run has to hit\"` go together; \
         give both or neither"
    )]
    Luck {
        /// The file.
        path: String,
        /// The defect's name.
        defect: String,
    },
    /// A defect speaks of something that the suite does not have.
    #[error("{path}: the defect `{defect}` names the {kind} `{id}`, which the suite {profile} does not have")]
    Unknown {
        /// The file.
        path: String,
        /// The defect's name.
        defect: String,
        /// `case` or `requirement`.
        kind: &'static str,
        /// The id that is not there.
        id: String,
        /// The suite's profile.
        profile: String,
    },
}

impl Catalogue {
    /// Reads a catalogue whose defects are to be caught by `suite`. `path` is for messages.
    ///
    /// # Errors
    /// When the text is no catalogue, or names cases and requirements that the suite does not have.
    pub fn read(path: &str, text: &str, suite: &Suite) -> Result<Self, CatalogueError> {
        let catalogue: Self = toml::from_str(text).map_err(|error| CatalogueError::Toml {
            path: path.to_owned(),
            why: error.to_string().trim_end().to_owned(),
        })?;
        for (index, defect) in catalogue.defects.iter().enumerate() {
            if catalogue.defects[..index].iter().any(|other| other.name == defect.name) {
                return Err(CatalogueError::Twice { path: path.to_owned(), name: defect.name.clone() });
            }
            if (defect.timing == Timing::Likely) != defect.luck.is_some() {
                return Err(CatalogueError::Luck { path: path.to_owned(), defect: defect.name.clone() });
            }
            let unknown = |kind, id: &str| CatalogueError::Unknown {
                path: path.to_owned(),
                defect: defect.name.clone(),
                kind,
                id: id.to_owned(),
                profile: suite.profile.clone(),
            };
            if !suite.cases.iter().any(|case| case.id == defect.case) {
                return Err(unknown("case", &defect.case));
            }
            let mut named = std::iter::once(&defect.caught_by).chain(&defect.also);
            if let Some(id) = named.find(|id| !suite.requirements.iter().any(|requirement| requirement.id == **id)) {
                return Err(unknown("requirement", id));
            }
        }
        Ok(catalogue)
    }

    /// The defect with this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Defect> {
        self.defects.iter().find(|defect| defect.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::suite;

    #[test]
    fn luck_needs_a_reason() {
        let text = "[[defect]]\nname = 'n'\nsummary = 's'\norigin = 'o'\ncaught_by = 'ledger.acked'\n\
                    case = 'retries'\ntiming = 'likely'\n";
        let refused = Catalogue::read("defects.toml", text, &suite()).expect_err("no reason");
        assert!(refused.to_string().contains("give both or neither"), "{refused}");
        let with_reason = format!("{text}luck = 'a cut has to fall between two messages'\n");
        assert!(Catalogue::read("defects.toml", &with_reason, &suite()).is_ok());
    }
}
