//! What is not as it was when a case was stored.

use crate::runner::CaseFile;
use crate::suite::Suite;
use crate::target::Target;

/// The differences between when a case was stored and now that may explain another outcome, one sentence each. Those that
/// keep it from being run at all are errors of their own: [`crate::runner::fits`].
#[must_use]
pub fn differences(file: &CaseFile, target: &Target, suite: Option<&Suite>) -> Vec<String> {
    let mut found = Vec::new();
    if file.target != target.name {
        found.push(format!("it was found in the target `{}`, and is run against `{}`", file.target, target.name));
    }
    let tool = env!("CARGO_PKG_VERSION");
    if file.tool != tool {
        found.push(format!("it was stored by fireassay {}, and this is {tool}", file.tool));
    }
    let Some(suite) = suite.filter(|suite| suite.profile == file.profile) else { return found };
    if file.suite != suite.version {
        let (was, is) = (file.suite, suite.version);
        found.push(format!(
            "it is of version {was} of the suite {}, and this fireassay has version {is}",
            suite.profile
        ));
    }
    for stored in &file.requirements {
        match suite.requirements.iter().find(|now| now.id == stored.id) {
            None => {
                found.push(format!("the suite {} of this fireassay has no requirement `{}`", suite.profile, stored.id));
            }
            Some(now) if now.text != stored.text => {
                found.push(format!("`{}` reads differently now; it is judged by today's oracle", stored.id));
            }
            Some(_) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{case_file, suite};
    use std::path::Path;

    #[test]
    fn what_may_explain_another_outcome_is_said() {
        let target = Target::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/targets/reference")));
        let target = target.expect("the reference target");
        let same = CaseFile { tool: env!("CARGO_PKG_VERSION").into(), ..case_file() };
        assert_eq!(differences(&same, &target, Some(&suite())), Vec::<String>::new());
        let mut other = CaseFile { tool: "0.0.1".into(), target: "acme".into(), suite: 7, ..same };
        other.requirements[0].text = "Otherwise.".into();
        other.requirements[1].id = "ledger.gone".into();
        assert_eq!(
            differences(&other, &target, Some(&suite())),
            [
                "it was found in the target `acme`, and is run against `reference`".to_owned(),
                format!("it was stored by fireassay 0.0.1, and this is {}", env!("CARGO_PKG_VERSION")),
                "it is of version 7 of the suite ledger, and this fireassay has version 1".into(),
                "`ledger.once` reads differently now; it is judged by today's oracle".into(),
                "the suite ledger of this fireassay has no requirement `ledger.gone`".into(),
            ]
        );
    }
}
