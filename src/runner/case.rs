//! One run of one case, from the plan to the verdict.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant as StdInstant, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::conclude::conclude;
use super::load::{Callers, Ended};
use super::nemesis::Nemesis;
use super::readings::Readings;
use super::session::run_folder;
use super::settle::Settling;
use super::{CASE_FORMAT, CaseFile, CaseReport, Figures, Judged, Planned, Step, Work, stored};
use crate::fault;
use crate::history::{End, InstanceName, Phase, Recorder, What};
use crate::judgement::Verdict;
use crate::profile::{Profile, Script};
use crate::sandbox::{Blueprint, Instance, Sandbox, Stack, StackConfig};
use crate::suite::{Explore, Suite};
use crate::target::{Driver, EventReader, Target, Watch};

/// How long the set-up of a run may take.
const SETUP_DEADLINE: Duration = Duration::from_secs(30);

/// How long the load of a run may take: a limit for targets that hang, not a length.
const LOAD_DEADLINE: Duration = Duration::from_secs(120);

/// How long the last readings may take.
const AUDIT_DEADLINE: Duration = Duration::from_secs(30);

/// How long a run that is to be cut short may take to end its steps in order.
const CANCEL_GRACE: Duration = Duration::from_secs(2);

/// How long a target at rest is watched, to know what it does without being asked.
const IDLE_WATCH: Duration = Duration::from_millis(500);

/// How often the history is written to disk and the instances are looked at.
const UPKEEP_PAUSE: Duration = Duration::from_millis(50);

/// What a run is given by its session.
pub(super) struct Stage<'a> {
    pub(super) target: &'a Target,
    pub(super) suite: &'a Suite,
    pub(super) profile: &'static dyn Profile,
    pub(super) stack: &'a Arc<Stack>,
    pub(super) config: &'a StackConfig,
    pub(super) runs_dir: &'a Path,
    pub(super) cancel: &'a CancellationToken,
    /// A name that no other run of the session has.
    pub(super) name: String,
    /// The template database, or why there is none.
    pub(super) template: Result<String, String>,
    pub(super) env: Vec<(String, String)>,
}

/// Shows a step to people.
pub(super) type Shown<'a> = &'a (dyn Fn(Step) + Send + Sync);

/// Runs a case. Never fails: what goes wrong is in the report.
pub(super) async fn run(stage: Stage<'_>, planned: &Planned, shown: Shown<'_>) -> CaseReport {
    let clock = StdInstant::now();
    let started_unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let case_file = match resolve(&stage, planned) {
        Ok(case_file) => case_file,
        Err(why) => return unrun(&stage, planned, started_unix, why),
    };
    if let Some(why) = stage.stack.refuses(&case_file.plan) {
        return out_of_reach(planned, case_file, started_unix, &why);
    }
    let (folder, recorder) = match open_folder(&stage, &case_file) {
        Ok(opened) => opened,
        Err(why) => return unrun(&stage, planned, started_unix, why),
    };
    let reduced = case_file.one_behind_the_front.then(|| stage.target.clone().with_one_behind_the_front());
    let stage = Stage { target: reduced.as_ref().unwrap_or(stage.target), ..stage };
    let mut run = Run {
        stage: &stage,
        case: &case_file,
        script: Arc::new(case_file.script.clone()),
        folder: &folder,
        recorder: Arc::new(recorder),
        figures: Figures::default(),
        shown,
    };
    let conducted = run.conduct().await;
    let interrupted = stage.cancel.is_cancelled();
    let why = match &conducted {
        _ if interrupted => End::Interrupted,
        Ok(()) => End::Completed,
        Err(why) => why.clone(),
    };
    let mut error = match &why {
        End::Failed(why) => Some(why.clone()),
        End::Completed | End::Interrupted | End::Stuck(_) => None,
    };
    run.recorder.record(What::End { why });
    if let Err(failure) = run.recorder.flush() {
        error.get_or_insert(failure.to_string());
    }
    shown(Step::Judging);
    let history = run.recorder.snapshot();
    let conclusion = conclude(stage.profile, &case_file, &history);
    let Figures { reset, start, load, settle, .. } = run.figures;
    let whole = conclusion.whole && error.is_none();
    let report = CaseReport {
        fireassay_result: CASE_FORMAT,
        profile: case_file.profile,
        case: case_file.case,
        title: case_file.title,
        regression: case_file.regression,
        target: case_file.target,
        seed: case_file.seed,
        verdict: if error.is_some() { conclusion.verdict.max(Verdict::Inconclusive) } else { conclusion.verdict },
        findings: conclusion.findings,
        faults: conclusion.faults,
        figures: Figures { reset, start, load, settle, ..conclusion.figures },
        error,
        stuck: conclusion.stuck,
        notes: conclusion.notes,
        whole,
        interrupted,
        directory: folder,
        started_unix,
        took: clock.elapsed(),
    };
    store(report)
}

/// Writes `result.json`; a report that cannot be stored says so.
fn store(mut report: CaseReport) -> CaseReport {
    let path = report.directory.join("result.json");
    if let Err(error) = write_json(&path, &report) {
        report.error.get_or_insert(error);
        report.verdict = report.verdict.max(Verdict::Inconclusive);
    }
    report
}

/// Everything that is decided before the run: drawn from the seed, or as it was stored. What the target declares, and
/// where it is, is always as it is now.
fn resolve(stage: &Stage<'_>, planned: &Planned) -> Result<CaseFile, String> {
    let requirements = planned.requirements(stage.suite);
    let is_checked = |id: &String| requirements.iter().any(|it| it.id == *id);
    let expected = stage.target.expected.iter().filter(|it| is_checked(&it.requirement));
    let expected = expected.map(|it| (it.requirement.clone(), it.reason.clone())).collect();
    let lacks = stage.target.lacks.iter().filter(|it| is_checked(&it.requirement));
    let lacks = lacks.map(|it| (it.requirement.clone(), it.reason.clone())).collect();
    let (target, manifest) = (stage.target.name.clone(), stage.target.manifest_from_here());
    let tool = env!("CARGO_PKG_VERSION").to_owned();
    let env = stage.env.clone();
    let (case, seed) = match &planned.work {
        Work::Stored(file) => {
            stored::is_whole(file).and_then(|()| stored::fits(file, stage.target)).map_err(|why| why.to_string())?;
            return Ok(CaseFile { tool, target, manifest, env, expected, lacks, ..file.as_ref().clone() });
        }
        Work::Drawn { case, seed } => (case, *seed),
    };
    let misfit = |why: String| format!("the case `{}` does not fit the target `{}`: {why}", case.id, stage.target.name);
    let mut plan =
        fault::resolve(&case.faults, &stage.target.instances(), seed).map_err(|error| misfit(error.to_string()))?;
    let script = case.workload.script(seed, &stage.target.fronts());
    if let Some(Explore::Storm(spec)) = &case.explore {
        let storm = fault::draw_storm(spec, &stage.target.terrain(), script.attempts_least(), seed);
        if storm.steps.is_empty() {
            return Err(misfit("nothing that its storm may draw fits".to_owned()));
        }
        plan = plan.with_storm(storm);
    }
    Ok(CaseFile {
        fireassay_case: CASE_FORMAT,
        tool,
        profile: stage.suite.profile.clone(),
        suite: stage.suite.version,
        case: case.id.clone(),
        title: case.title.clone(),
        tier: case.tier,
        target,
        manifest,
        regression: None,
        env,
        seed,
        requirements,
        expected,
        lacks,
        read_every: case.read_every,
        settle: case.settle,
        script,
        trace: plan.is_at_messages() || case.explore.is_some(),
        to_rest: false,
        one_behind_the_front: case.is_swept(),
        plan,
    })
}

fn open_folder(stage: &Stage<'_>, case_file: &CaseFile) -> Result<(PathBuf, Recorder), String> {
    let folder = run_folder(stage.runs_dir, &case_file.case, case_file.seed).map_err(|error| {
        let runs = stage.runs_dir.display();
        format!("failed to make a folder for the run in {runs}: {error}; choose another with --runs-dir")
    })?;
    let logs = folder.join("logs");
    std::fs::create_dir(&logs).map_err(|error| format!("failed to create {}: {error}", logs.display()))?;
    write_json(&folder.join("case.json"), case_file)?;
    let recorder = Recorder::create(&folder.join("history.jsonl")).map_err(|error| error.to_string())?;
    Ok((folder, recorder))
}

fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<(), String> {
    let failed = |error: std::io::Error| {
        format!(
            "failed to write {}: {error}; free some space there or choose another folder with --runs-dir",
            path.display()
        )
    };
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| failed(error.into()))?;
    text.push(b'\n');
    std::fs::write(path, text).map_err(failed)
}

/// The report of a run that the stack is not to be used for.
fn out_of_reach(planned: &Planned, case_file: CaseFile, started_unix: u64, why: &str) -> CaseReport {
    let findings = case_file.requirements.iter().map(|it| Judged::lacking(it, why)).collect();
    let CaseFile { profile, target, .. } = case_file;
    let report = CaseReport::not_run(planned, "");
    CaseReport { profile, target, verdict: Verdict::NotApplicable, findings, error: None, started_unix, ..report }
}

/// The report of a run that could not begin.
fn unrun(stage: &Stage<'_>, planned: &Planned, started_unix: u64, why: String) -> CaseReport {
    CaseReport {
        fireassay_result: CASE_FORMAT,
        profile: stage.suite.profile.clone(),
        case: planned.case().to_owned(),
        title: planned.title().to_owned(),
        regression: planned.regression().map(str::to_owned),
        target: stage.target.name.clone(),
        seed: planned.seed(),
        verdict: Verdict::Inconclusive,
        findings: Vec::new(),
        faults: Vec::new(),
        figures: Figures::default(),
        error: Some(why),
        stuck: None,
        notes: Vec::new(),
        whole: false,
        interrupted: false,
        directory: stage.runs_dir.to_owned(),
        started_unix,
        took: Duration::ZERO,
    }
}

/// A run under way.
struct Run<'a> {
    stage: &'a Stage<'a>,
    case: &'a CaseFile,
    script: Arc<Script>,
    folder: &'a Path,
    recorder: Arc<Recorder>,
    figures: Figures,
    shown: Shown<'a>,
}

impl<'a> Run<'a> {
    /// Sandbox up, all phases, sandbox down. An error says what kept the run from its end.
    async fn conduct(&mut self) -> Result<(), End> {
        let template = self.stage.template.clone().map_err(failed)?;
        (self.shown)(Step::Reset);
        let clock = StdInstant::now();
        let blueprint = Blueprint {
            config: self.stage.config,
            target: self.stage.target,
            template: &template,
            name: &self.stage.name,
            logs: &self.folder.join("logs"),
            env: &self.stage.env,
            seed: self.case.seed,
            gateway: self.stage.profile.has_gateway(),
            traced: self.case.trace,
            profile: self.stage.profile.name(),
            clocks: &self.case.plan.clocks(),
        };
        let sandbox = Sandbox::make(self.stage.stack, blueprint, &self.recorder).await;
        let sandbox = Arc::new(sandbox.map_err(failed)?);
        self.figures.reset = clock.elapsed();
        let recorder = Arc::clone(&self.recorder);
        let cancel = self.stage.cancel;
        let overdue = async {
            cancel.cancelled().await;
            tokio::time::sleep(CANCEL_GRACE).await;
        };
        let phases = tokio::select! {
            done = self.phases(&sandbox) => done,
            failure = upkeep(&recorder, &sandbox) => Err(End::Failed(failure)),
            () = overdue => Ok(()),
        };
        let down = sandbox.take_down().await.map_err(failed);
        phases.and(down)
    }

    async fn phases(&mut self, sandbox: &Arc<Sandbox>) -> Result<(), End> {
        let stage = self.stage;
        (self.shown)(Step::Starting);
        let clock = StdInstant::now();
        tokio::select! {
            started = sandbox.start() => started.map_err(failed)?,
            () = stage.cancel.cancelled() => return Ok(()),
        }
        self.figures.start = clock.elapsed();
        let driver = Driver::new(
            stage.target,
            stage.profile,
            sandbox.front_addresses(&stage.target.front),
            &sandbox.database_url(),
        )
        .and_then(|driver| driver.publishing(&sandbox.stack().kafka().address().to_string(), sandbox.prefix()))
        .map_err(failed)?;
        let events = self.read_events(sandbox).await?;
        let events = events.as_ref();
        let callers = Arc::new(Callers::new(
            Arc::clone(&self.script),
            driver,
            Arc::clone(&self.recorder),
            stage.target.fronts(),
            stage.cancel.clone(),
        ));
        let readings = Readings::new(Arc::clone(&self.recorder), stage.profile.readings());

        self.enter(Phase::Setup, Step::Setup);
        callers.set_up(Instant::now() + SETUP_DEADLINE).await.map_err(End::Stuck)?;
        if stage.cancel.is_cancelled() {
            return Ok(());
        }
        let recorder = Arc::clone(&self.recorder);
        let ended = |name: &InstanceName| sandbox.instance(name).is_none_or(Instance::has_ended);
        let settling = Settling {
            profile: stage.profile,
            callers: &callers,
            readings: &readings,
            events,
            recorder: &recorder,
            ended: &ended,
            cancel: stage.cancel,
        };
        if self.case.trace || stage.profile.begins_at_rest() {
            self.warmed_up(sandbox, settling).await;
        }
        if self.case.trace {
            self.recorder.record(What::Rested);
            if self.case.plan.is_of_gateway() {
                // Long enough to see what the target does without being asked.
                tokio::time::sleep(IDLE_WATCH).await;
            }
        }
        let nemesis = self.load(sandbox, &callers, &readings, settling).await.map_err(failed)?;
        if !stage.cancel.is_cancelled() {
            nemesis.delivered(Instant::now() + self.case.settle).await;
            self.settle(settling).await;
        }
        if !stage.cancel.is_cancelled() {
            self.audit(&callers, &readings, events, &ended).await;
        }
        nemesis.conclude();
        for text in sandbox.complaints() {
            // Where messages are looked for, what cannot be read is missing without a trace.
            let is_search = self.case.trace && self.case.plan.is_of_gateway();
            self.recorder.record(if is_search { What::Blind { why: text } } else { What::Note { text } });
        }
        Ok(())
    }

    /// Waits until what the set-up asked for has been done to its end, so that it is not mistaken for the load's, and a fault
    /// finds everybody at work.
    async fn warmed_up(&self, sandbox: &Sandbox, settling: Settling<'_>) {
        let deadline = Instant::now() + SETUP_DEADLINE;
        // Only where messages are looked for does it matter what the target changes without being asked.
        let changes = || if self.case.trace { sandbox.changes() } else { 0 };
        let mut rested = settling.rest(deadline, &changes, &|| false).await;
        while rested.is_ok() && !self.stage.cancel.is_cancelled() {
            let busy = match sandbox.stack().kafka().unshared_group(sandbox.prefix()).await {
                Ok(None) => break,
                Ok(Some(group)) => format!("the group {} that shared out its partitions", sandbox.plain(&group)),
                Err(error) => error.to_string(),
            };
            if Instant::now() >= deadline {
                rested = Err(busy);
            } else {
                tokio::time::sleep(UPKEEP_PAUSE).await;
            }
        }
        if let Err(busy) = rested {
            let limit = humantime::format_duration(SETUP_DEADLINE);
            let why =
                format!("a target at rest before the load: within {limit} after the set-up there was still {busy}");
            self.recorder.record(What::Blind { why });
        }
    }

    /// What is looked for in what the target says.
    fn watch(&self) -> Result<Option<Watch>, End> {
        Watch::new(&self.script.watch).map_err(|error| failed(format!("the texts to look for do not fit: {error}")))
    }

    /// Starts to record events; `None` for a target that declares none, whose events then are not judged.
    async fn read_events(&self, sandbox: &Sandbox) -> Result<Option<EventReader>, End> {
        let Some(mapping) = self.stage.target.events(self.stage.profile.name()) else {
            self.recorder.record(What::Eventless);
            return Ok(None);
        };
        let brokers = sandbox.stack().kafka().address().to_string();
        let recorder = Arc::clone(&self.recorder);
        let watch = self.watch()?;
        EventReader::start(&brokers, sandbox.prefix(), mapping, watch, recorder).await.map(Some).map_err(failed)
    }

    async fn load(
        &mut self,
        sandbox: &Arc<Sandbox>,
        callers: &Arc<Callers>,
        readings: &Readings,
        settling: Settling<'_>,
    ) -> Result<Nemesis<'a>, String> {
        let of = self.script.clients.iter().map(|steps| steps.len() as u64).sum();
        self.enter(Phase::Load, Step::Load { sent: 0, of });
        let clock = StdInstant::now();
        let load_ended = CancellationToken::new();
        let recorder = Arc::clone(&self.recorder);
        let nemesis = Nemesis::new(
            Arc::clone(sandbox),
            recorder,
            &self.case.plan,
            callers.sent(),
            load_ended.clone(),
            self.shown,
        );
        let load = async {
            nemesis.armed().await;
            let through = callers.load(Instant::now() + LOAD_DEADLINE).await;
            if self.case.trace {
                // What the callers asked for may go on after they have been answered, and meet its fault there.
                let deadline = Instant::now() + self.case.settle;
                let is_search = self.case.plan.is_of_gateway();
                let done = || !is_search && !self.case.to_rest && !nemesis.waits_for_exchange();
                let rested = settling.rest(deadline, &|| sandbox.changes(), &done).await;
                if let Err(busy) = rested
                    && is_search
                {
                    let why = format!("all that the load changes: after it there was still {busy}");
                    self.recorder.record(What::Blind { why });
                }
            }
            load_ended.cancel();
            through
        };
        let (through, (), (), ()) = tokio::join!(
            load,
            nemesis.carry_out(),
            self.read_meanwhile(callers, readings, &load_ended),
            self.show_load(callers, of, &load_ended),
        );
        if !through && !self.stage.cancel.is_cancelled() {
            let limit = humantime::format_duration(LOAD_DEADLINE);
            self.recorder.record(What::Note {
                text: format!("the load was cut short after {limit}: the target is too slow for it"),
            });
        }
        self.figures.load = clock.elapsed();
        nemesis.failure().map_or(Ok(nemesis), Err)
    }

    async fn settle(&mut self, settling: Settling<'_>) {
        self.enter(Phase::Settle, Step::Settling(String::new()));
        let clock = StdInstant::now();
        let shown = self.shown;
        let deadline = Instant::now() + self.case.settle;
        settling.settle(deadline, &|what| shown(Step::Settling(what))).await;
        self.figures.settle = clock.elapsed();
    }

    async fn audit(&mut self, callers: &Callers, readings: &Readings, events: Option<&EventReader>, ended: Ended<'_>) {
        self.enter(Phase::Audit, Step::Audit);
        let deadline = Instant::now() + AUDIT_DEADLINE;
        callers.audit(deadline, ended).await;
        if let Err(why) = readings.take(callers.driver()).await {
            self.recorder.record(What::Blind { why: format!("the last reading failed: {why}") });
        }
        if let Some(events) = events {
            match events.caught_up(deadline.saturating_duration_since(Instant::now())).await {
                Ok(found) => {
                    self.recorder.record(What::EventsRead);
                    self.say_found(format!("topic {}", events.plain_topic()), found);
                }
                Err(why) => _ = self.recorder.record(What::Blind { why: why.to_string() }),
            }
        }
        self.look_through_logs().await;
    }

    /// Looks for the script's texts in what each instance has printed.
    async fn look_through_logs(&self) {
        let Ok(Some(watch)) = self.watch() else { return };
        for name in self.stage.target.instances() {
            let (path, watch) = (self.folder.join("logs").join(format!("{name}.log")), watch.clone());
            let looking = tokio::task::spawn_blocking(move || watch.look_through(std::fs::File::open(path)?));
            match looking.await.map_err(std::io::Error::other).and_then(|found| found) {
                Ok(found) => self.say_found(format!("log of {name}"), found),
                Err(error) => {
                    let why = format!("what {name} printed: {error}");
                    self.recorder.record(What::Blind { why });
                }
            }
        }
    }

    fn say_found(&self, place: String, found: BTreeSet<String>) {
        if !self.script.watch.is_empty() {
            self.recorder.record(What::Words { place, found: found.into_iter().collect() });
        }
    }

    /// Repeats the readings during the load. What fails is the faults' doing; the first failure is noted.
    async fn read_meanwhile(&self, callers: &Callers, readings: &Readings, load_ended: &CancellationToken) {
        let Some(pause) = self.case.read_every else { return };
        let mut noted = false;
        while load_ended.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            match load_ended.run_until_cancelled(readings.take(callers.driver())).await {
                Some(Err(why)) if !noted => {
                    noted = true;
                    self.recorder.record(What::Note { text: format!("a reading during the load failed: {why}") });
                }
                _ => {}
            }
        }
    }

    async fn show_load(&self, callers: &Callers, of: u64, load_ended: &CancellationToken) {
        let sent = callers.sent();
        while load_ended.run_until_cancelled(tokio::time::sleep(UPKEEP_PAUSE)).await.is_some() {
            (self.shown)(Step::Load { sent: u64::from(*sent.borrow()), of });
        }
    }

    fn enter(&self, phase: Phase, step: Step) {
        self.recorder.record(What::Phase { phase });
        (self.shown)(step);
    }
}

/// An end for which the target cannot be judged.
#[expect(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
fn failed(error: impl ToString) -> End {
    End::Failed(error.to_string())
}

/// Keeps the history on disk up to date and notices what ends by itself. Returns when the run cannot go on: its history
/// cannot be kept, or a server of the stack is gone without a fault having done it.
async fn upkeep(recorder: &Arc<Recorder>, sandbox: &Sandbox) -> String {
    loop {
        tokio::time::sleep(UPKEEP_PAUSE).await;
        sandbox.instances().for_each(Instance::notice_exit);
        if let Some(lost) = sandbox.stack().lost_by_itself() {
            return lost;
        }
        let recorder = Arc::clone(recorder);
        match tokio::task::spawn_blocking(move || recorder.flush()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error.to_string(),
            Err(error) => return format!("the task that writes the history failed: {error}"),
        }
    }
}
