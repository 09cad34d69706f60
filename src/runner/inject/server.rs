//! Faults that the servers of the stack have themselves.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{InForce, NotInjected};
use crate::fault::{RewindTo, ServerFault, Share};
use crate::history::{Planted, Recorder, What};
use crate::sandbox::kafka::{PhantomMember, Seen};
use crate::sandbox::postgres::ReadOnly;
use crate::sandbox::redis::MemoryLimit;
use crate::sandbox::{Sandbox, ServiceError};

/// How many places a sentence names.
const PLACES_MAX: usize = 8;

/// How long to wait before looking again whether there is something to act on.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What is in force on a server until it is healed.
pub(in crate::runner) enum Held {
    /// The run's database refuses writes.
    ReadOnly(ReadOnly),
    /// Redis has no memory.
    Memory(MemoryLimit),
    /// A member too many.
    Phantom(PhantomMember),
}

/// A fault on a server that is over.
pub(in crate::runner) struct Over {
    /// What healing did.
    pub(in crate::runner) healed: String,
    /// The evidence that it made a difference, or why it made none.
    pub(in crate::runner) bite: Result<String, String>,
}

/// Does it. What waits for the target's doing gives up when the load has ended.
pub(super) async fn inject(
    sandbox: &Sandbox,
    recorder: &Recorder,
    fault: &ServerFault,
    load_ended: &CancellationToken,
) -> Result<InForce, NotInjected> {
    let stack = sandbox.stack();
    let held = match fault {
        ServerFault::TerminateBackends => {
            let ended = stack.postgres().end_sessions(sandbox.database()).await.map_err(failed)?;
            return match ended.count {
                0 => Err(pointless("the target had no session in its database")),
                _ => Ok(InForce::Done(ended.to_string())),
            };
        }
        ServerFault::Evict { share, seed } => return evict(sandbox, *share, *seed).await,
        ServerFault::Reproduce { topic, count, seed } => {
            return reproduce(sandbox, recorder, topic.as_deref(), count.get().into(), *seed, load_ended).await;
        }
        ServerFault::Poison { topic, records, seed } => {
            return poison(sandbox, recorder, topic.as_deref(), records.get().into(), *seed).await;
        }
        ServerFault::Rewind { group, to } => return rewind(sandbox, group, *to, load_ended).await,
        ServerFault::ReadOnlyPostgres => {
            Held::ReadOnly(stack.postgres().make_read_only(sandbox.database()).await.map_err(failed)?)
        }
        ServerFault::RedisMemoryLimit => Held::Memory(stack.redis().limit_memory().await.map_err(failed)?),
        ServerFault::PhantomMember { group, topic } => {
            let topic = sandbox.topic(topic.as_deref()).map_err(NotInjected::Pointless)?;
            Held::Phantom(stack.kafka().join(&sandbox.in_run(group), topic).await.map_err(pointless)?)
        }
    };
    Ok(InForce::Server(held))
}

impl Held {
    /// Evidence that it has made a difference already, where that can be told without asking a server.
    pub(in crate::runner) fn bite(&self) -> Option<String> {
        match self {
            Self::Phantom(phantom) => rebalanced(&phantom.seen()).ok(),
            Self::Memory(limit) => refused(limit.refused()).ok(),
            Self::ReadOnly(_) => None,
        }
    }

    /// Undoes it.
    pub(in crate::runner) async fn heal(self, sandbox: &Sandbox) -> Result<Over, ServiceError> {
        let stack = sandbox.stack();
        match self {
            Self::ReadOnly(held) => {
                let was = stack.postgres().make_writable(held).await?;
                let statements =
                    if was.refused == 1 { "1 statement was" } else { &format!("{} statements were", was.refused) };
                let bite = match was.refused {
                    0 => Err(format!(
                        "the target tried to write nothing meanwhile, or its sessions say READ WRITE themselves ({})",
                        was.before
                    )),
                    _ => Ok(format!("{statements} refused as read-only, after {}", was.before)),
                };
                Ok(Over { healed: format!("the database can be written again; {}", was.after), bite })
            }
            Self::Memory(limit) => {
                let total = stack.redis().lift(limit).await?;
                let healed = format!("redis has memory again, after refusing {total} commands");
                Ok(Over { healed, bite: refused(total) })
            }
            Self::Phantom(phantom) => {
                let bite = rebalanced(&phantom.leave().await);
                Ok(Over { healed: "the member too many has left".to_owned(), bite })
            }
        }
    }
}

fn refused(commands: u64) -> Result<String, String> {
    match commands {
        0 => Err("nobody asked redis for memory meanwhile".to_owned()),
        1 => Ok("1 command was refused for want of memory".to_owned()),
        _ => Ok(format!("{commands} commands were refused for want of memory")),
    }
}

/// Whether a phantom made the target's members share anew.
fn rebalanced(seen: &Seen) -> Result<String, String> {
    match seen {
        Seen { rebalances: 0, found: 0, .. } => Err("the group never let it in".to_owned()),
        Seen { rebalances: 0, found, .. } => Err(format!("the group of {found} never let it in")),
        Seen { others: 0, .. } => Err("the group had no other member".to_owned()),
        Seen { others, partitions, .. } => {
            let members = if *others == 1 { "member" } else { "members" };
            let held = match partitions.len() {
                0 => "no partition".to_owned(),
                1 => format!("partition {}", first_few(partitions.iter().map(ToString::to_string))),
                _ => format!("partitions {}", first_few(partitions.iter().map(ToString::to_string))),
            };
            Ok(format!("{others} other {members} had to share with it, and it got {held}"))
        }
    }
}

async fn evict(sandbox: &Sandbox, share: Share, seed: u64) -> Result<InForce, NotInjected> {
    let evicted = sandbox.stack().redis().evict(sandbox.redis_number(), share, seed).await.map_err(failed)?;
    match evicted.gone {
        0 => Err(pointless("the database held no keys to lose")),
        gone => Ok(InForce::Done(format!("{gone} of {} keys are gone", evicted.of))),
    }
}

async fn reproduce(
    sandbox: &Sandbox,
    recorder: &Recorder,
    topic: Option<&str>,
    count: usize,
    seed: u64,
    load_ended: &CancellationToken,
) -> Result<InForce, NotInjected> {
    let topic = sandbox.topic(topic).map_err(NotInjected::Pointless)?;
    let plain = sandbox.plain(topic);
    let copied = loop {
        let copied = sandbox.stack().kafka().reproduce(topic, count, seed).await.map_err(pointless)?;
        // A slow machine may have published nothing yet.
        if !copied.is_empty() || load_ended.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_none() {
            break copied;
        }
    };
    if copied.is_empty() {
        return Err(pointless(format!(
            "no record of the topic {plain} could be had: there is none yet, or none came in time"
        )));
    }
    for record in &copied {
        recorder.record(What::Reproduced {
            topic: plain.to_owned(),
            partition: record.partition,
            of: record.of,
            offset: record.to,
        });
    }
    let to = copied.iter().map(|record| format!("{}/{} as {}", record.partition, record.of, record.to));
    let records = if copied.len() == 1 { "record" } else { "records" };
    Ok(InForce::Done(format!("{} {records} of {plain} came again: {}", copied.len(), first_few(to))))
}

async fn poison(
    sandbox: &Sandbox,
    recorder: &Recorder,
    topic: Option<&str>,
    records: usize,
    seed: u64,
) -> Result<InForce, NotInjected> {
    let topic = sandbox.topic(topic).map_err(NotInjected::Pointless)?;
    let plain = sandbox.plain(topic);
    let put = sandbox.stack().kafka().poison(topic, records, seed).await.map_err(pointless)?;
    for record in &put {
        recorder.record(What::Planted(Planted {
            topic: plain.to_owned(),
            partition: record.partition,
            offset: record.offset,
            key: Some(record.key.clone()),
            payload: record.payload.clone(),
            readable: false,
        }));
    }
    let places = put.iter().map(|record| format!("{}/{} ({})", record.partition, record.offset, record.sort));
    let what = if put.len() == 1 { "record that nobody can act on is" } else { "records that nobody can act on are" };
    Ok(InForce::Done(format!("{} {what} in {plain}: {}", put.len(), first_few(places))))
}

async fn rewind(
    sandbox: &Sandbox,
    group: &str,
    to: RewindTo,
    load_ended: &CancellationToken,
) -> Result<InForce, NotInjected> {
    let kafka = sandbox.stack().kafka();
    let rewound = kafka.rewind(&sandbox.in_run(group), sandbox.topics(), to, load_ended.clone()).await;
    let rewound = rewound.map_err(pointless)?;
    if rewound.is_empty() {
        return Err(pointless(format!("the group {group} has committed nothing to be set back")));
    }
    let places = rewound.iter().map(|moved| {
        format!("{}/{} from {} to {}", sandbox.plain(&moved.topic), moved.partition, moved.from, moved.to)
    });
    Ok(InForce::Done(format!("{group} was set back: {}", first_few(places))))
}

/// As many as a sentence can bear.
fn first_few(all: impl Iterator<Item = String>) -> String {
    let all: Vec<_> = all.collect();
    let named = all[..all.len().min(PLACES_MAX)].join(", ");
    match all.len().saturating_sub(PLACES_MAX) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
fn failed(error: ServiceError) -> NotInjected {
    NotInjected::Failed(error.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
fn pointless(why: impl ToString) -> NotInjected {
    NotInjected::Pointless(why.to_string())
}
