//! From a fault as data to the deed, and back.

mod server;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::clock::Skew;
use crate::counterparty::Misbehaviour;
use crate::fault::{Act, AtExchange, ClockChange, Edge, Fault, RedisData};
use crate::history::{InstanceName, ProcessChange, Recorder, What};
use crate::link::{Injection, LinkAct, LinkFault};
use crate::sandbox::{Instance, Killed, ReconnectError, Sandbox, ServiceError, StartError};

pub(super) use self::server::{Held, Over};

/// Why a process cannot be disconnected, after its name.
pub(super) const NO_NETWORK: &str =
    "is a process of this machine, and only a container can be taken out of its network";

/// A fault that has been injected.
pub(super) enum InForce {
    /// The link can tell at any time whether it has bitten.
    Link(Arc<Injection>),
    /// The processes themselves can tell whether it has bitten.
    Clock(Skew),
    /// The gateway can tell at any time whether it has bitten.
    Gateway(Arc<Misbehaviour>),
    /// A server is not as it should be until this is healed.
    Server(Held),
    /// It bit when it was done; the evidence.
    Done(String),
}

/// Why a fault was not injected.
pub(super) enum NotInjected {
    /// There was nothing to do it to.
    Pointless(String),
    /// The stack failed.
    Failed(String),
}

/// Why a fault was not healed.
pub(super) enum NotHealed {
    /// The target's own doing: evidence, not a failure of the environment.
    Target(String),
    /// The stack failed.
    Stack(String),
}

/// Does it. What has to wait for the target gives up when the load has ended.
pub(super) async fn inject(
    sandbox: &Sandbox,
    recorder: &Recorder,
    fault: &Fault,
    load_ended: &CancellationToken,
) -> Result<InForce, NotInjected> {
    let done = match fault {
        Fault::Kill(name) => instance(sandbox, name)?.kill().await.ok_or_else(|| not_running(name))?,
        Fault::Stop(name) => instance(sandbox, name)?.stop().await.ok_or_else(|| not_running(name))?,
        Fault::Pause(name) => instance(sandbox, name)?.pause().await.ok_or_else(|| not_running(name))?,
        Fault::Disconnect(name) => disconnected(instance(sandbox, name)?, name).await?,
        Fault::Restart(name) => {
            let instance = instance(sandbox, name)?;
            let evidence = instance.stop().await.ok_or_else(|| not_running(name))?;
            if let Err(error) = instance.start().await {
                recorder.record(What::Note { text: error.to_string() });
            }
            evidence
        }
        Fault::KillPostgres => killed("postgres", recorder, sandbox.stack().postgres().kill().await)?,
        Fault::KillRedis(_) => killed("redis", recorder, sandbox.stack().redis().kill().await)?,
        Fault::KillKafka => killed("kafka", recorder, sandbox.stack().kafka().kill().await)?,
        Fault::FlushRedis => match sandbox.stack().redis().flush(sandbox.redis_number()).await {
            Ok(0) => return Err(NotInjected::Pointless("the database held no keys to lose".to_owned())),
            Ok(1) => "1 key was lost".to_owned(),
            Ok(keys) => format!("{keys} keys were lost"),
            Err(error) => return Err(NotInjected::Failed(error.to_string())),
        },
        Fault::Partition { edge, direction } => return link(sandbox, edge, LinkFault::Partition(*direction)),
        Fault::Cut { edge } => return link(sandbox, edge, LinkFault::Cut),
        Fault::Latency { edge, delay, jitter } => {
            return link(sandbox, edge, LinkFault::Latency { delay: *delay, jitter: *jitter });
        }
        Fault::Blackhole { edge } => return link(sandbox, edge, LinkFault::Blackhole),
        Fault::Exchange(at) => return link(sandbox, &at.edge, at_exchange(at)),
        Fault::Gateway(at) => {
            let gateway = sandbox.gateway();
            let gateway = gateway.ok_or_else(|| NotInjected::Pointless("the target uses no gateway".to_owned()))?;
            return Ok(InForce::Gateway(gateway.misbehave(*at)));
        }
        Fault::Clock { of, change } => return clock(sandbox, of, *change).await,
        Fault::Server(fault) => return server::inject(sandbox, recorder, fault, load_ended).await,
    };
    Ok(InForce::Done(done))
}

/// Undoes what was done to a process; says what it did, nothing when there was nothing to undo.
pub(super) async fn undo(sandbox: &Sandbox, recorder: &Recorder, fault: &Fault) -> Result<String, NotHealed> {
    let stack = sandbox.stack();
    match fault {
        Fault::Kill(name) | Fault::Stop(name) => {
            let Some(instance) = sandbox.instance(name) else { return Ok(String::new()) };
            instance.start().await.map_err(|error| NotHealed::Target(error.to_string()))?;
            Ok(format!("{name} started again"))
        }
        Fault::Pause(name) => {
            let Some(instance) = sandbox.instance(name) else { return Ok(String::new()) };
            instance.resume().await;
            Ok(format!("{name} continues"))
        }
        Fault::Disconnect(name) => {
            let Some(instance) = sandbox.instance(name) else { return Ok(String::new()) };
            instance.reconnect().await.map_err(|error| match error {
                ReconnectError::Docker(error) => NotHealed::Stack(error.to_string()),
                ReconnectError::Target(error) => NotHealed::Target(error.to_string()),
            })?;
            Ok(format!("{name} is in its network again"))
        }
        Fault::KillPostgres => started("postgres", recorder, stack.postgres().start().await),
        Fault::KillRedis(data) => {
            let healed = started("redis", recorder, stack.redis().start(*data).await)?;
            Ok(match data {
                RedisData::Kept => format!("{healed} with its data"),
                RedisData::Lost => format!("{healed} empty"),
            })
        }
        Fault::KillKafka => started("kafka", recorder, stack.kafka().start().await),
        _ => Ok(String::new()),
    }
}

fn instance<'a>(sandbox: &'a Sandbox, name: &InstanceName) -> Result<&'a Instance, NotInjected> {
    sandbox.instance(name).ok_or_else(|| NotInjected::Pointless(format!("the target has no instance {name}")))
}

fn not_running(name: &InstanceName) -> NotInjected {
    NotInjected::Pointless(format!("{name} was not running"))
}

async fn disconnected(instance: &Instance, name: &InstanceName) -> Result<String, NotInjected> {
    if !instance.is_container() {
        return Err(NotInjected::Pointless(format!("{name} {NO_NETWORK}")));
    }
    let done = instance.disconnect().await.map_err(|error| NotInjected::Failed(error.to_string()))?;
    done.ok_or_else(|| not_running(name))
}

fn link(sandbox: &Sandbox, edge: &Edge, fault: LinkFault) -> Result<InForce, NotInjected> {
    let link = sandbox.link(edge).ok_or_else(|| NotInjected::Pointless(format!("there is no link {edge}")))?;
    Ok(InForce::Link(Arc::new(link.inject(fault))))
}

fn at_exchange(at: &AtExchange) -> LinkFault {
    let act = match &at.act {
        Act::CrashBefore | Act::Stall => LinkAct::HoldBefore,
        Act::CrashAfter => LinkAct::HoldAfter,
        Act::CutBefore => LinkAct::CutBefore,
        Act::CutAfter => LinkAct::CutAfter,
        Act::LoseReply => LinkAct::LoseReply,
        Act::Delay(by) => LinkAct::Delay(*by),
        Act::Repeat(how) => LinkAct::Repeat(*how),
        Act::AnswerError(error) => LinkAct::AnswerError(error.clone()),
        Act::Swallow => LinkAct::Swallow,
        Act::FailReply(error) => LinkAct::FailReply(error.clone()),
    };
    LinkFault::Exchange { on: at.on.clone(), pick: at.pick, act }
}

async fn clock(sandbox: &Sandbox, of: &InstanceName, change: ClockChange) -> Result<InForce, NotInjected> {
    let pointless = |why: String| NotInjected::Pointless(why);
    let clock = sandbox.clock(of).ok_or_else(|| pointless(format!("the target has no instance {of}")))?;
    let clock = clock.as_ref().map_err(|why| pointless(format!("the clock of {of} is out of reach: {why}")))?;
    // In a container it is not known before what will run there.
    if let Some(why) = instance(sandbox, of)?.unloadable().await {
        return Err(pointless(format!("the clock of {of} is out of reach: {why}")));
    }
    let skew = clock.change(change).ok_or_else(|| pointless(format!("the clock of {of} was right already")))?;
    Ok(InForce::Clock(skew))
}

fn killed(name: &str, recorder: &Recorder, done: Result<Killed, ServiceError>) -> Result<String, NotInjected> {
    let killed = done.map_err(|error| NotInjected::Failed(error.to_string()))?;
    if killed.pids.is_empty() {
        return Err(NotInjected::Pointless(format!("{name} was not running")));
    }
    let evidence = killed.to_string();
    let change = ProcessChange::Exited { status: evidence.clone(), expected: true };
    recorder.record(What::Process { name: name.to_owned(), change });
    Ok(evidence)
}

fn started(name: &str, recorder: &Recorder, done: Result<(), StartError>) -> Result<String, NotHealed> {
    done.map_err(|error| NotHealed::Stack(error.to_string()))?;
    recorder.record(What::Process { name: name.to_owned(), change: ProcessChange::Ready });
    Ok(format!("{name} started again"))
}
