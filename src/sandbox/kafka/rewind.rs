//! A group whose committed offsets are set back: an operator's reset, offsets that expired, a restored backup.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio_util::sync::CancellationToken;

use super::{ANSWER_DEADLINE, Kafka, failure, is_loading};
use crate::fault::RewindTo;
use crate::sandbox::ServiceError;

/// The longest wait for the last member to be gone: a killed one is missed only after its session's time.
const EMPTY_DEADLINE: Duration = Duration::from_secs(60);
/// Pause between two tries.
const TRY_EVERY: Duration = Duration::from_millis(20);

/// A partition in which a group was set back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewound {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset that was committed.
    pub from: i64,
    /// The offset that is.
    pub to: i64,
}

impl Kafka {
    /// Sets back what a group has committed in these topics. Kafka allows it for a group without members only, so this waits
    /// for them to be gone until `enough` is cancelled. Nothing is returned when nothing was committed, or it is at the
    /// beginning already.
    ///
    /// # Errors
    /// When the group had members all the time, or Kafka is not there.
    pub async fn rewind(
        &self,
        group: &str,
        topics: &[String],
        to: RewindTo,
        enough: CancellationToken,
    ) -> Result<Vec<Rewound>, ServiceError> {
        let failed = |why: &dyn std::fmt::Display| failure(format!("set back the group `{group}`"), why);
        let (mut client, topics) = (self.client(), topics.to_owned());
        client.set("group.id", group).set("enable.auto.commit", "false");
        let name = group.to_owned();
        let work = move || rewind(&client, &name, &topics, to, &enough);
        let done = tokio::task::spawn_blocking(work).await.map_err(|error| failed(&error))?;
        done.map_err(|why| failed(&why))
    }
}

/// A consumer that subscribes to nothing commits as an administrator does.
fn rewind(
    client: &ClientConfig,
    group: &str,
    topics: &[String],
    to: RewindTo,
    enough: &CancellationToken,
) -> Result<Vec<Rewound>, String> {
    let said = |error: KafkaError| error.to_string();
    let end = Instant::now() + EMPTY_DEADLINE;
    let consumer: BaseConsumer = client.create().map_err(said)?;
    loop {
        // Read anew for each try: a member that leaves commits.
        let moves = match moves(&consumer, topics, to) {
            Ok(moves) => moves,
            // While the first group of all is being made, nobody coordinates it yet.
            Err(error) if is_loading(&error) && !enough.is_cancelled() && Instant::now() < end => {
                std::thread::sleep(TRY_EVERY);
                continue;
            }
            Err(error) => return Err(error.to_string()),
        };
        if moves.is_empty() {
            return Ok(moves);
        }
        let mut offsets = TopicPartitionList::new();
        for moved in &moves {
            offsets.add_partition_offset(&moved.topic, moved.partition, Offset::Offset(moved.to)).map_err(said)?;
        }
        match consumer.commit(&offsets, CommitMode::Sync) {
            Ok(()) => return Ok(moves),
            Err(error) if has_members(&error) || is_loading(&error) => {}
            Err(error) => return Err(error.to_string()),
        }
        if enough.is_cancelled() || Instant::now() >= end {
            let members = super::group(&consumer, group).map_err(said)?.members;
            return Err(format!(
                "it still has members ({members}), and only a group without any can be set back; stop them first"
            ));
        }
        std::thread::sleep(TRY_EVERY);
    }
}

fn has_members(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::UnknownMemberId
                | RDKafkaErrorCode::IllegalGeneration
                | RDKafkaErrorCode::RebalanceInProgress
        )
    )
}

fn moves(consumer: &BaseConsumer, topics: &[String], to: RewindTo) -> Result<Vec<Rewound>, KafkaError> {
    let mut asked = TopicPartitionList::new();
    for topic in topics {
        for partition in super::partitions(consumer, topic)? {
            asked.add_partition(topic, partition);
        }
    }
    let mut moves = Vec::new();
    for found in consumer.committed_offsets(asked, ANSWER_DEADLINE)?.elements() {
        let Offset::Offset(from) = found.offset() else { continue };
        let (low, _) = consumer.fetch_watermarks(found.topic(), found.partition(), ANSWER_DEADLINE)?;
        let to = match to {
            RewindTo::Beginning => low,
            RewindTo::Back(by) => from.saturating_sub(i64::from(by.get())).max(low),
        };
        if to < from {
            moves.push(Rewound { topic: found.topic().to_owned(), partition: found.partition(), from, to });
        }
    }
    Ok(moves)
}
