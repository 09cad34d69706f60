//! What a run leaves: the case as it was resolved, and what came of it.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fault::Plan;
use crate::history::StepId;
use crate::judgement::{Finding, Verdict};
use crate::profile::Script;
use crate::suite::{Level, Requirement, Suite, Tier};
use crate::target::Target;

/// Version of `case.json` and `result.json`.
pub const CASE_FORMAT: u32 = 2;

/// `case.json`: everything that was decided before the run started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseFile {
    /// [`CASE_FORMAT`].
    pub fireassay_case: u32,
    /// Version of the tool.
    pub tool: String,
    /// The profile.
    pub profile: String,
    /// Version of the suite.
    pub suite: u32,
    /// The case's id.
    pub case: String,
    /// The case's title.
    pub title: String,
    /// The case's tier.
    pub tier: Tier,
    /// The target's name.
    pub target: String,
    /// The target's manifest, as seen from the folder in which the run was started.
    #[serde(default)]
    pub manifest: PathBuf,
    /// The hash of the regression that it is, if it is one: then it shows one thing, and need not see more than that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regression: Option<String>,
    /// Variables that were added to the target's environment.
    pub env: Vec<(String, String)>,
    /// The seed.
    pub seed: u64,
    /// The requirements it is judged by, whole, so that a report needs no suite.
    pub requirements: Vec<Requirement>,
    /// The target's declared failures among them: requirement and reason.
    pub expected: Vec<(String, String)>,
    /// Those among them that the target declares not to apply to it: requirement and what it lacks.
    #[serde(default)]
    pub lacks: Vec<(String, String)>,
    /// How often the readings are repeated during the load, besides the final audit.
    #[serde(default, with = "humantime_serde", skip_serializing_if = "Option::is_none")]
    pub read_every: Option<Duration>,
    /// How long the target may take to recover and drain after the last fault was healed.
    #[serde(default = "settle", with = "humantime_serde")]
    pub settle: Duration,
    /// What the callers do.
    pub script: Script,
    /// What goes wrong.
    pub plan: Plan,
    /// Whether the exchanges on every link are recorded, the load begins with a target at rest and ends when it rests again.
    #[serde(default)]
    pub trace: bool,
    /// Whether a traced load goes on until the target rests, even when every fault has bitten before.
    #[serde(default)]
    pub to_rest: bool,
    /// Whether roles that callers do not ask have one instance: which of several takes work up is luck, and another run
    /// would not have the same messages at the same place.
    #[serde(default)]
    pub one_behind_the_front: bool,
}

/// As most cases have it; for files that do not say.
fn settle() -> Duration {
    Duration::from_secs(10)
}

/// `result.json`: what came of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseReport {
    /// [`CASE_FORMAT`].
    pub fireassay_result: u32,
    /// The profile.
    pub profile: String,
    /// The case's id.
    pub case: String,
    /// The case's title.
    pub title: String,
    /// The hash of the regression that was replayed, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regression: Option<String>,
    /// The target's name.
    pub target: String,
    /// The seed.
    pub seed: u64,
    /// The worst of the findings' verdicts; `Inconclusive` also when a fault did not bite or the run did not end in order.
    pub verdict: Verdict,
    /// One for each requirement of the case.
    pub findings: Vec<Judged>,
    /// One for each step of the plan.
    pub faults: Vec<FaultReport>,
    /// Counts and times.
    pub figures: Figures,
    /// Why the run could not be brought to its end, if so: the environment failed, the target did not start.
    pub error: Option<String>,
    /// What kept the target, once it had started, from being given any load.
    #[serde(default)]
    pub stuck: Option<String>,
    /// What else a reader should know of how the run went; at most [`NOTES_MAX`].
    #[serde(default)]
    pub notes: Vec<String>,
    /// Whether the run ended in order, every fault bit, no instance stayed away and nothing was owed at the end.
    #[serde(default)]
    pub whole: bool,
    /// Whether the run was cut short by the user.
    pub interrupted: bool,
    /// The folder with `case.json`, `history.jsonl`, `result.json` and the instances' logs.
    pub directory: PathBuf,
    /// Wall-clock start, seconds since 1970 (for reports only).
    pub started_unix: u64,
    /// How long the run took.
    #[serde(with = "humantime_serde")]
    pub took: Duration,
}

/// The most notes that a report keeps; the history has all of them.
pub const NOTES_MAX: usize = 5;

impl CaseReport {
    /// The report of a run that never came to anything.
    #[must_use]
    pub fn not_run(planned: &super::Planned, why: impl Into<String>) -> Self {
        Self {
            fireassay_result: CASE_FORMAT,
            profile: String::new(),
            case: planned.case().to_owned(),
            title: planned.title().to_owned(),
            regression: planned.regression().map(str::to_owned),
            target: String::new(),
            seed: planned.seed(),
            verdict: Verdict::Inconclusive,
            findings: Vec::new(),
            faults: Vec::new(),
            figures: Figures::default(),
            error: Some(why.into()),
            stuck: None,
            notes: Vec::new(),
            whole: false,
            interrupted: false,
            directory: PathBuf::new(),
            started_unix: 0,
            took: Duration::ZERO,
        }
    }

    /// Why it says nothing of the target: its environment failed, or nothing of it was to be done.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        let not_applicable = || {
            (self.verdict == Verdict::NotApplicable).then(|| {
                let reason = self.findings.iter().find_map(|judged| judged.lacks.clone());
                format!("not applicable: {}", reason.unwrap_or_default())
            })
        };
        self.error.clone().or_else(not_applicable)
    }

    /// The report of a case of which nothing applies to the target, or whose faults cannot be done to it, so that it is not
    /// worth a run; `None` when something does.
    #[must_use]
    pub fn not_applicable(planned: &super::Planned, suite: &Suite, target: &Target) -> Option<Self> {
        let required = planned.requirements(suite);
        let out_of_reach = planned.out_of_reach(target);
        let judged = |it: &Requirement| {
            let lack = target.lack(&it.id).map(|lack| lack.reason.as_str());
            Some(Judged::lacking(it, lack.or(out_of_reach.as_deref())?))
        };
        let findings = required.iter().map(judged).collect::<Option<Vec<_>>>()?;
        let (profile, target) = (suite.profile.clone(), target.name.clone());
        let report = Self::not_run(planned, "");
        Some(Self { profile, target, verdict: Verdict::NotApplicable, findings, error: None, ..report })
    }
}

/// A finding and what it counts for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The requirement.
    pub requirement: Requirement,
    /// What the oracles found.
    pub finding: Finding,
    /// What it comes to, after the target's declared failures.
    pub verdict: Verdict,
    /// Why a violation was expected, where it was.
    pub expected: Option<String>,
    /// What the target lacks for it, or the stack may not be done, where the requirement does not apply.
    #[serde(default)]
    pub lacks: Option<String>,
}

impl Judged {
    /// A requirement that does not apply, because the target lacks this.
    #[must_use]
    pub fn lacking(requirement: &Requirement, lack: &str) -> Self {
        let finding = Finding {
            requirement: requirement.id.clone(),
            anomalies: Vec::new(),
            anomalies_total: 0,
            evidence: Vec::new(),
        };
        let (requirement, lacks) = (requirement.clone(), Some(lack.to_owned()));
        Self { requirement, finding, verdict: Verdict::NotApplicable, expected: None, lacks }
    }

    /// Whether the requirement is a must.
    #[must_use]
    pub fn is_must(&self) -> bool {
        self.requirement.level == Level::Must
    }
}

/// What came of one step of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultReport {
    /// The step.
    pub step: StepId,
    /// The fault, for people: `kill api-2 after 57 operations`.
    pub fault: String,
    /// The evidence that it made a difference; `None`: it did not.
    pub bit: Option<String>,
    /// Why it did not, where known.
    pub missed: Option<String>,
}

/// Counts and times of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Intents that were sent at least once.
    pub intents: u64,
    /// Attempts sent.
    pub attempts: u64,
    /// Attempts by outcome.
    pub ok: u64,
    /// See [`Figures::ok`].
    pub refused: u64,
    /// See [`Figures::ok`].
    pub unknown: u64,
    /// Readings taken.
    pub readings: u64,
    /// Event records consumed.
    pub records: u64,
    /// Database, topics, Redis and links, without the instances' own start.
    #[serde(with = "humantime_serde")]
    pub reset: Duration,
    /// Spawning the instances until all were ready.
    #[serde(with = "humantime_serde")]
    pub start: Duration,
    /// The load phase.
    #[serde(with = "humantime_serde")]
    pub load: Duration,
    /// The settling, up to its deadline where something was still owed then.
    #[serde(with = "humantime_serde")]
    pub settle: Duration,
    /// How long the target took to recover: from when nothing was in its way any more, because the last fault was healed, and
    /// nothing new came, because the load was through, until new work had gone through and nothing was pending. `None` when it
    /// did not get there. It comes out of the history.
    #[serde(default, with = "humantime_serde", skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Duration>,
}

/// What all runs together left.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// One for each run, in the order of the request; runs that were never started are missing.
    pub cases: Vec<CaseReport>,
    /// How many runs of the request were never started.
    pub unstarted: usize,
    /// Whether the user cut it short.
    pub interrupted: bool,
    /// Stack from nothing to ready.
    #[serde(with = "humantime_serde")]
    pub stack_start: Duration,
    /// Everything.
    #[serde(with = "humantime_serde")]
    pub took: Duration,
}

/// What the runner is doing. `run` is the index into the request.
#[derive(Clone, Debug)]
pub enum Progress {
    /// The stack and the target's build are being prepared; the text says what is going on or done: `kafka is ready`.
    Preparing(String),
    /// What a reader should know of the stack.
    Note(String),
    /// The stack is ready.
    StackReady {
        /// From nothing.
        took: Duration,
    },
    /// A run started.
    Started {
        /// Which.
        run: usize,
        /// The case's id.
        case: String,
        /// The seed.
        seed: u64,
        /// Of how many runs.
        total: usize,
    },
    /// A run made a step.
    Stepped {
        /// Which.
        run: usize,
        /// Into what.
        step: Step,
    },
    /// A run ended.
    Finished {
        /// Which.
        run: usize,
        /// What came of it.
        report: Box<CaseReport>,
    },
}

/// The steps of a run that are shown while it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The sandbox is made.
    Reset,
    /// The instances start.
    Starting,
    /// The script's set-up is sent.
    Setup,
    /// Load; attempts sent and the number the script has without retries.
    Load {
        /// Sent so far.
        sent: u64,
        /// In the script.
        of: u64,
    },
    /// A fault was injected.
    Fault(String),
    /// Waiting for the target to recover and drain; what is pending.
    Settling(String),
    /// Last readings.
    Audit,
    /// The oracles.
    Judging,
}

/// Receives progress. Must not block for long.
pub trait Sink: Send + Sync {
    /// Called for every step, from any task.
    fn progress(&self, progress: Progress);
}

/// Shows nothing.
impl Sink for () {
    fn progress(&self, _: Progress) {}
}
