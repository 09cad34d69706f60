//! A stack and a target that several runs share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, RwLock};
use tokio_util::sync::CancellationToken;

use super::case::{self, Stage};
use super::containers;
use super::{CaseReport, Planned, Progress, RunError, Sink, Work};
use crate::fault::Plan;
use crate::profile::{self, Profile};
use crate::sandbox::{Backend, ProcessSpec, Processes, Stack, StackConfig, StackError, target_env};
use crate::suite::Suite;
use crate::target::Target;

/// How long a target's build may take.
const BUILD_DEADLINE: Duration = Duration::from_secs(1_800);

/// How many lines of a failed command's output an error shows.
pub(super) const TAIL_LINES: usize = 20;

/// How a session runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the runs' folders go.
    pub runs_dir: PathBuf,
    /// The stack.
    pub stack: StackConfig,
    /// Variables added to every process of the target.
    pub env: Vec<(String, String)>,
    /// Ends every run in order when cancelled.
    pub cancel: CancellationToken,
}

/// Variables added to those of the manifest.
type Environment = Vec<(String, String)>;

/// The name of a database that the target's set-up has filled, or why it could not.
type Template = Result<String, String>;

/// A stack that is up and a target that is built.
#[derive(Debug)]
pub struct Session {
    target: Arc<Target>,
    suite: Arc<Suite>,
    profile: &'static dyn Profile,
    options: Options,
    stack: Arc<Stack>,
    stack_start: Duration,
    /// Template databases by the environment that the target's set-up ran with: a set-up may depend on it.
    templates: Mutex<BTreeMap<Environment, Template>>,
    /// Ordinary runs share; a run that breaks the stack is alone.
    alone: RwLock<()>,
    next_sandbox: AtomicU32,
}

impl Session {
    /// Builds the target and starts the stack, both at once.
    ///
    /// # Errors
    /// When the target and the suite do not fit, the build fails or the stack does not start.
    pub async fn start(
        target: Arc<Target>,
        suite: Arc<Suite>,
        options: Options,
        sink: &dyn Sink,
    ) -> Result<Self, RunError> {
        let profile = profile::named(&suite.profile)
            .ok_or_else(|| RunError::Configuration(format!("there is no profile `{}`", suite.profile)))?;
        if !target.profiles.contains(&suite.profile) {
            return Err(RunError::Configuration(format!(
                "the target `{}` does not implement the profile `{}`; it names {}: add it to `profiles` in its target.toml \
                 or choose another suite",
                target.name,
                suite.profile,
                target.profiles.join(", ")
            )));
        }
        std::fs::create_dir_all(&options.runs_dir).map_err(|error| {
            let folder = options.runs_dir.display();
            RunError::Environment(format!("failed to create {folder}: {error}; choose another folder with --runs-dir"))
        })?;
        let started = Instant::now();
        let preparing = |what: &str| sink.progress(Progress::Preparing(what.to_owned()));
        let start_stack = async {
            let config = options.stack.clone().or(target.backend, &target.images);
            let deed = if config.backend == Some(Backend::External) { "connecting to" } else { "starting" };
            preparing(&format!("{deed} postgres, redis and kafka"));
            let stack = Stack::start(&config, &preparing).await.map_err(no_stack)?;
            Ok((stack, started.elapsed()))
        };
        let work = async { tokio::try_join!(build(&target, &options.runs_dir, &preparing), start_stack) };
        let ((), (stack, stack_start)) = tokio::select! {
            done = work => done?,
            () = options.cancel.cancelled() => return Err(RunError::Interrupted),
        };
        sink.progress(Progress::StackReady { took: stack_start });
        let images =
            options.cancel.run_until_cancelled(containers::images(&target, &stack, &options.runs_dir, &preparing));
        images.await.unwrap_or(Err(RunError::Interrupted))?;
        Ok(Self {
            target,
            suite,
            profile,
            options,
            stack: Arc::new(stack),
            stack_start,
            templates: Mutex::default(),
            alone: RwLock::default(),
            next_sandbox: AtomicU32::new(1),
        })
    }

    /// Stack from nothing to ready.
    #[must_use]
    pub fn stack_start(&self) -> Duration {
        self.stack_start
    }

    /// Runs one case with one seed. Never fails: what goes wrong is in the report. `run` of `total` is for people.
    pub async fn run_one(&self, planned: &Planned, run: usize, total: usize, sink: &dyn Sink) -> CaseReport {
        let exclusive = planned.is_exclusive();
        let _shared;
        let _alone;
        if exclusive {
            _alone = self.alone.write().await;
        } else {
            _shared = self.alone.read().await;
        }
        sink.progress(Progress::Started { run, case: planned.case().to_owned(), seed: planned.seed(), total });
        let not_applicable = CaseReport::not_applicable(planned, &self.suite, &self.target);
        let report = match (not_applicable, self.stack.lost().await) {
            (Some(report), _) => report,
            (None, Some(server)) => self.refuse(planned, server),
            (None, None) => self.run_in_sandbox(planned, run, sink).await,
        };
        sink.progress(Progress::Finished { run, report: Box::new(report.clone()) });
        report
    }

    /// The report of a run that cannot be tried because an earlier one lost a server.
    fn refuse(&self, planned: &Planned, server: &str) -> CaseReport {
        let why =
            format!("{server} is not running since an earlier run, which says why; nothing can be run without it");
        let report = CaseReport::not_run(planned, why);
        CaseReport { profile: self.suite.profile.clone(), target: self.target.name.clone(), ..report }
    }

    async fn run_in_sandbox(&self, planned: &Planned, run: usize, sink: &dyn Sink) -> CaseReport {
        let env = environment(&self.options.env, planned);
        let stage = Stage {
            target: &self.target,
            suite: &self.suite,
            profile: self.profile,
            stack: &self.stack,
            config: &self.options.stack,
            runs_dir: &self.options.runs_dir,
            cancel: &self.options.cancel,
            name: self.stack.name(&format!("run_{}", self.next_sandbox.fetch_add(1, Ordering::Relaxed))),
            template: self.template(&env).await,
            env,
        };
        let shown = |step| sink.progress(Progress::Stepped { run, step });
        case::run(stage, planned, &shown).await
    }

    /// Why a plan is not carried out on this stack; `None` when it can be.
    #[must_use]
    pub fn refuses(&self, plan: &Plan) -> Option<String> {
        self.stack.refuses(plan)
    }

    /// Stops the stack.
    pub async fn finish(self, sink: &dyn Sink) {
        if let Err(left) = self.stack.stop().await {
            let text = format!("something is left on the servers, and the next run on this machine removes it: {left}");
            sink.progress(Progress::Note(text));
        }
    }

    /// The template database that the target's set-up filled with this environment.
    async fn template(&self, env: &[(String, String)]) -> Result<String, String> {
        let mut templates = self.templates.lock().await;
        if let Some(known) = templates.get(env) {
            // A set-up that failed is not tried again: it would fail again, and take its time each time.
            return known.clone();
        }
        let name = self.stack.name(&format!("template_{}", templates.len() + 1));
        self.stack.postgres().create_database(&name).await.map_err(|error| error.to_string())?;
        let filled = self.set_up(&name, env).await.map(|()| name);
        templates.insert(env.to_vec(), filled.clone());
        filled
    }

    async fn set_up(&self, database: &str, env: &[(String, String)]) -> Result<(), String> {
        let Some(setup) = &self.target.setup else { return Ok(()) };
        let log = self.options.runs_dir.join(format!("setup-{}-{database}.log", std::process::id()));
        if let Some(image) = &setup.image {
            let run = containers::set_up(&self.target, &self.stack, image, database, env, &log, setup.deadline);
            let ended = self.options.cancel.run_until_cancelled(run).await;
            let (status, tail) = ended.ok_or("interrupted during the target's set-up")??;
            return set_up_as(status, &tail, &log, setup.deadline);
        }
        let url = self.stack.postgres().url(database, self.stack.postgres().address());
        let Some(rendered) = self.target.render_setup(&url).map_err(|error| error.to_string())? else { return Ok(()) };
        let spec = ProcessSpec {
            name: "setup".to_owned(),
            program: rendered.program,
            args: rendered.arguments,
            env: target_env().into_iter().chain(rendered.env).chain(env.iter().cloned()).collect(),
            clear_env: true,
            directory: self.target.directory.clone(),
            log: log.clone(),
            user: None,
        };
        let process = self.stack.processes().spawn(&spec).map_err(|error| error.to_string())?;
        let cancelled = self.options.cancel.run_until_cancelled(process.wait(setup.deadline)).await;
        let Some(status) = cancelled else { return Err("interrupted during the target's set-up".to_owned()) };
        set_up_as(status, &process.log_tail(TAIL_LINES), &log, setup.deadline)
    }
}

/// Why there is no stack, by who has to mend it.
#[expect(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
fn no_stack(error: StackError) -> RunError {
    match &error {
        StackError::External(why) if why.is_mistake() => RunError::Stack(error.to_string()),
        _ => RunError::Environment(error.to_string()),
    }
}

/// What became of a set-up, by how it ended.
fn set_up_as(status: Option<ExitStatus>, tail: &str, log: &Path, deadline: Duration) -> Result<(), String> {
    match status {
        Some(status) if status.success() => {
            // Only a failed set-up's output is worth keeping.
            let _ = std::fs::remove_file(log);
            Ok(())
        }
        Some(status) => Err(format!("the target's set-up failed ({status}); its last lines:\n{tail}")),
        None => Err(format!(
            "the target's set-up did not end within {}; raise `deadline` in [setup] or mend it; its last lines:\n{tail}",
            humantime::format_duration(deadline)
        )),
    }
}

/// The variables of a run: those of the session and of the run, and those of a stored case that neither of them sets.
fn environment(session: &[(String, String)], planned: &Planned) -> Environment {
    let mut env: Environment = session.iter().chain(&planned.env).cloned().collect();
    if let Work::Stored(file) = &planned.work {
        let restored = file.env.iter().filter(|(name, _)| !env.iter().any(|(set, _)| set == name));
        env = restored.cloned().chain(env.clone()).collect();
    }
    env
}

/// Runs the manifest's build command, if it has one.
///
/// It has a guardian of its own, as the stack is still starting. It keeps the user's environment: tools that build need it.
async fn build(target: &Target, runs_dir: &Path, preparing: &(dyn Fn(&str) + Send + Sync)) -> Result<(), RunError> {
    let command = target.render_build().map_err(|error| RunError::Environment(error.to_string()))?;
    let Some(command) = command else { return Ok(()) };
    preparing("building the target");
    let line = target.build.as_deref().unwrap_or_default().join(" ");
    build_with(target, runs_dir, command.program, command.arguments, &line).await
}

/// Runs a command that builds something of the target; `line` is how people write it.
pub(super) async fn build_with(
    target: &Target,
    runs_dir: &Path,
    program: PathBuf,
    args: Vec<String>,
    line: &str,
) -> Result<(), RunError> {
    let words = [program.display().to_string()].into_iter().chain(args.iter().cloned()).collect();
    let failed = |why: String, log: Option<PathBuf>| {
        let directory = target.directory.clone();
        let folder = directory.display();
        let what = format!("failed to build the target `{}` with `{line}` in {folder}: {why}", target.name);
        RunError::Build { what, directory, command: words, log }
    };
    let log = runs_dir.join(format!("build-{}.log", std::process::id()));
    let spec = ProcessSpec {
        name: "build".to_owned(),
        program,
        args,
        env: Vec::new(),
        clear_env: false,
        directory: target.directory.clone(),
        log: log.clone(),
        user: None,
    };
    let processes =
        Processes::start().map_err(|error| RunError::Environment(StackError::Guardian(error).to_string()))?;
    let process = match processes.spawn(&spec) {
        Ok(process) => process,
        Err(error) => return Err(failed(error.to_string(), None)),
    };
    let status = process.wait(BUILD_DEADLINE).await;
    let tail = process.log_tail(TAIL_LINES);
    match status {
        Some(status) if status.success() => {
            // Only a failed build's output is worth keeping.
            let _ = std::fs::remove_file(&log);
            Ok(())
        }
        Some(status) => Err(failed(format!("{status}; its last lines:\n{tail}"), Some(log))),
        None => {
            let limit = humantime::format_duration(BUILD_DEADLINE);
            Err(failed(format!("it did not end within {limit}; its last lines:\n{tail}"), Some(log)))
        }
    }
}

/// Makes a new folder below `runs_dir` whose name says when, which case and which seed.
pub(super) fn run_folder(runs_dir: &Path, case: &str, seed: u64) -> std::io::Result<PathBuf> {
    let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
    let stamp: String = now.chars().filter(char::is_ascii_alphanumeric).collect();
    for number in 1_u32.. {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let folder = runs_dir.join(format!("{stamp}-{case}-{seed}{suffix}"));
        match std::fs::create_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| folder),
        }
    }
    unreachable!("a folder name is free long before the numbers end")
}
