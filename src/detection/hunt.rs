//! How many runs it takes to find a defect: a fault at every message in turn against faults at random.

use std::fmt::Write as _;

use super::Defect;
use crate::report::markdown::cell;
use crate::report::text::count;

/// The heading under which the table stands on the page of the detection matrix.
const HEADING: &str = "\n## Runs until found: the sweep and storms\n";

/// The columns. A section with others is of no use for going on.
const COLUMNS: &str = "\
| defect | where a fault has to fall | sweep | storm on the scenario | a tenth | storm |
|---|---|---:|---:|---|---:|
";

/// A way of looking for a defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A scenario with one fault at every message in turn.
    Sweep,
    /// The same scenario with one fault at random.
    ScenarioStorm,
    /// A case with many operations and many faults at random.
    Storm,
}

impl Way {
    /// All of them, in the order of the columns.
    pub const ALL: [Self; 3] = [Self::Sweep, Self::ScenarioStorm, Self::Storm];
}

/// How long each way took to find a defect.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// The defect.
    pub defect: Defect,
    /// Runs until it was found; `None`: not within the most. One for each seed, and a list for each of [`Way::ALL`].
    pub runs: [Vec<Option<u32>>; 3],
}

/// Under what conditions was hunted.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// The scenario, by its case.
    pub scenario: String,
    /// The storm, by its case.
    pub storm: String,
    /// Operations of a run of the scenario and of one of the storm.
    pub operations: [u32; 2],
    /// Random faults in a run of the storm.
    pub faults: u16,
    /// The most runs of a storm.
    pub most: u32,
    /// For how many seeds.
    pub seeds: u64,
    /// The command as it would be typed again.
    pub command: String,
}

impl Hunt {
    /// A hunt that has not begun.
    #[must_use]
    pub fn new(defect: Defect) -> Self {
        Self { defect, runs: Default::default() }
    }

    /// Notes how long a way took with one more seed.
    pub fn took(&mut self, way: Way, runs: Option<u32>) {
        self.runs[way as usize].push(runs);
    }

    /// The middle of all seeds, of two the higher; `None`: more than were allowed.
    #[must_use]
    pub fn median(&self, way: Way) -> Option<u32> {
        let mut runs = self.runs[way as usize].clone();
        runs.sort_by_key(|runs| runs.unwrap_or(u32::MAX));
        runs.get(runs.len() / 2).copied().flatten()
    }

    /// Whether the sweep took at most a tenth of the runs of the storm on the same scenario; `None` where that storm, the
    /// most it may take being what it is, leaves it open.
    #[must_use]
    pub fn is_a_tenth(&self, most: u32) -> Option<bool> {
        match (self.median(Way::Sweep), self.median(Way::ScenarioStorm)) {
            (None, _) => Some(false),
            (Some(sweep), Some(storm)) => Some(sweep * 10 <= storm),
            (Some(sweep), None) => (sweep * 10 <= most + 1).then_some(true),
        }
    }
}

/// The page with the hunts in the place of those that it had. Of other `defects` the rows stay, if the same version wrote
/// them.
#[must_use]
pub fn with_hunts(page: &str, hunts: &[Hunt], defects: &[Defect], conditions: &Conditions) -> String {
    let (rest, earlier) = split(page);
    let maker = format!("fireassay {}", env!("CARGO_PKG_VERSION"));
    let earlier = if earlier.contains(&maker) && earlier.contains(COLUMNS) { earlier } else { "" };
    let row_of = |defect: &Defect| {
        let now = hunts.iter().find(|hunt| hunt.defect.name == defect.name).map(|hunt| line(hunt, conditions.most));
        let start = format!("| {} |", cell(&defect.name));
        now.or_else(|| earlier.lines().find(|line| line.starts_with(&start)).map(|line| format!("{line}\n")))
    };
    let Conditions { scenario, storm, operations: [few, many], faults, most, seeds, command } = conditions;
    let mut section = String::from(HEADING);
    let _ = write!(
        section,
        "\n\
         These defects have a window: nothing shows unless a fault falls between two messages. The table says how many runs it\n\
         took until a requirement of `caught by` or `may also break` was violated: the median of {seeds_counted}, and the fewest and the most.\n\n\
         - **sweep**: the case `{scenario}` ({few_counted} in a run) with one fault at one message, the most telling first. Its run\n  \
           without faults counts, and so does a second try of a fault that did not bite.\n\
         - **storm on the scenario**: the same case with one fault at a random moment in each run: a kill, a pause, a restart, a\n  \
           cut, a partition, latency, silence or an emptied Redis, at a random place.\n\
         - **a tenth**: whether the sweep took at most a tenth of the runs of the column before; `open` where that storm found\n  \
           nothing within {most} runs, after which it was stopped, and a tenth of these is less than the sweep took.\n\
         - **storm**: the case `{storm}`, with {many} operations and {faults} faults in a run, those at messages among them. A run\n  \
           of it does the work of about {times} of the scenario, so its numbers of runs and those of the others do not compare.\n\n\
         Runs were counted one after the other. Written by {maker}, for the rows of the defects it names, or of all:\n\n\
         ```console\n$ {command}\n```\n\n{COLUMNS}",
        seeds_counted = count(*seeds, "seed"),
        few_counted = count(u64::from(*few), "operation"),
        times = many / few.max(&1),
    );
    section.extend(defects.iter().filter_map(row_of));
    format!("{rest}{section}")
}

/// The section of the hunts on a page, so that it stays when the rest is written again.
pub(super) fn section(page: &str) -> &str {
    split(page).1
}

fn split(page: &str) -> (&str, &str) {
    page.split_at(page.find(HEADING).unwrap_or(page.len()))
}

fn line(hunt: &Hunt, most: u32) -> String {
    let told = |way| {
        let runs = &hunt.runs[way as usize];
        let one = |runs: Option<u32>| match (runs, way) {
            (Some(runs), _) => runs.to_string(),
            (None, Way::Sweep) => "never".to_owned(),
            (None, _) => format!("> {most}"),
        };
        let by_size = |runs: &&Option<u32>| runs.unwrap_or(u32::MAX);
        match (runs.iter().min_by_key(by_size), runs.iter().max_by_key(by_size)) {
            (Some(fewest), Some(last)) if fewest != last => {
                format!("{} ({} to {})", one(hunt.median(way)), one(*fewest), one(*last))
            }
            _ => one(hunt.median(way)),
        }
    };
    let tenth = match hunt.is_a_tenth(most) {
        Some(true) => "yes",
        Some(false) => "**no**",
        None => "open",
    };
    let window = hunt.defect.window.as_deref().unwrap_or_default();
    let [sweep, scenario, storm] = Way::ALL.map(told);
    format!("| {} | {} | {sweep} | {scenario} | {tenth} | {storm} |\n", cell(&hunt.defect.name), cell(window))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::Timing;

    fn defect(name: &str) -> Defect {
        Defect {
            name: name.into(),
            summary: String::new(),
            origin: String::new(),
            caught_by: "ledger.once".into(),
            also: Vec::new(),
            case: "retries".into(),
            timing: Timing::Certain,
            luck: None,
            window: Some("between COMMIT and its answer".into()),
        }
    }

    fn hunt(name: &str, runs: [&[Option<u32>]; 3]) -> Hunt {
        Hunt { defect: defect(name), runs: runs.map(<[_]>::to_vec) }
    }

    #[test]
    fn what_was_not_found_is_more_than_any_number() {
        let hunt = hunt("a", [&[Some(2), Some(3), Some(2)], &[None, Some(9), None], &[Some(1), None, Some(4)]]);
        assert_eq!(Way::ALL.map(|way| hunt.median(way)), [Some(2), None, Some(4)]);
        assert_eq!(
            line(&hunt, 40),
            "| a | between COMMIT and its answer | 2 (2 to 3) | > 40 (9 to > 40) | yes | 4 (1 to > 40) |\n"
        );
    }

    #[test]
    fn a_tenth_is_claimed_only_of_what_was_seen() {
        let tenth = |sweep, storm| hunt("a", [&[sweep], &[storm], &[]]).is_a_tenth(40);
        assert_eq!(tenth(Some(3), Some(30)), Some(true));
        assert_eq!(tenth(Some(3), Some(29)), Some(false));
        assert_eq!([tenth(Some(4), None), tenth(Some(5), None)], [Some(true), None]);
        assert_eq!(tenth(None, None), Some(false));
    }

    #[test]
    fn rows_of_other_defects_and_the_rest_of_the_page_stay() {
        let (a, b) = (defect("a"), defect("b"));
        let defects = [a, b];
        let some: &[Option<u32>] = &[Some(2)];
        let conditions = Conditions { most: 40, seeds: 5, operations: [4, 360], ..Conditions::default() };
        let first = with_hunts("# A page\n", &[hunt("b", [some, &[Some(30)], some])], &defects, &conditions);
        let second = with_hunts(&first, &[hunt("a", [some, &[Some(7)], some])], &defects, &conditions);
        assert!(second.starts_with("# A page\n\n## Runs until found"), "{second}");
        let rows: Vec<_> =
            second.lines().filter(|line| line.starts_with("| a |") || line.starts_with("| b |")).collect();
        assert_eq!(
            rows,
            [
                "| a | between COMMIT and its answer | 2 | 7 | **no** | 2 |",
                "| b | between COMMIT and its answer | 2 | 30 | yes | 2 |"
            ]
        );
        assert_eq!(second.matches(HEADING.trim()).count(), 1);
    }
}
