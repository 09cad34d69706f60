//! How long the stack takes: `cargo bench --bench stack`. Prints medians; asserts nothing.

use std::time::{Duration, Instant};

use fireassay::fault::RedisData;
use fireassay::sandbox::{Stack, StackConfig};

const STARTS: usize = 5;
const RESETS: usize = 30;
const KILLS: usize = 5;
/// Tables of the template, as many as a small service has.
const TABLES: usize = 12;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let config = StackConfig::from_env()?;
    let mut starts = Vec::new();
    let mut stops = Vec::new();
    for _ in 0..STARTS {
        let begin = Instant::now();
        let stack = Stack::start(&config, &|line| println!("  {line} after {:.0?}", begin.elapsed())).await?;
        starts.push(begin.elapsed());
        let end = Instant::now();
        stack.stop().await?;
        drop(stack);
        stops.push(end.elapsed());
    }
    show("stack: nothing to ready", starts);
    show("stack: ready to gone", stops);

    let stack = Stack::start(&config, &|_| ()).await?;
    resets(&stack).await?;
    kills(&stack).await?;
    stack.stop().await?;
    Ok(())
}

/// What each run pays for a world of its own.
async fn resets(stack: &Stack) -> Result<(), Failure> {
    make_template(stack).await?;
    let (mut databases, mut topics, mut numbers, mut all, mut drops) =
        <(Vec<_>, Vec<_>, Vec<_>, Vec<_>, Vec<_>)>::default();
    for run in 0..RESETS {
        let name = format!("run_{run}");
        let begin = Instant::now();
        let (database, topic, number) = tokio::join!(
            timed(stack.postgres().create_from_template(&name, "template")),
            async {
                let new = [(format!("{name}.events"), 4)];
                timed(stack.kafka().create_topics(&new)).await
            },
            timed(stack.redis().take_database()),
        );
        all.push(begin.elapsed());
        databases.push(database?.0);
        topics.push(topic?.0);
        numbers.push(number?.0);
        let end = Instant::now();
        stack.postgres().drop_database(&name).await?;
        stack.kafka().delete_topics(&[format!("{name}.events")]).await?;
        drops.push(end.elapsed());
    }
    show("reset: database from template", databases);
    show("reset: topic of 4 partitions", topics);
    show("reset: redis database", numbers);
    show("reset: all three at once", all);
    show("after a run: drop database and topic", drops);
    Ok(())
}

async fn kills(stack: &Stack) -> Result<(), Failure> {
    let (mut postgres, mut redis, mut kafka) = <(Vec<_>, Vec<_>, Vec<_>)>::default();
    for _ in 0..KILLS {
        let begin = Instant::now();
        stack.postgres().kill().await?;
        stack.postgres().start().await?;
        postgres.push(begin.elapsed());
        let begin = Instant::now();
        stack.redis().kill().await?;
        stack.redis().start(RedisData::Kept).await?;
        redis.push(begin.elapsed());
        let begin = Instant::now();
        stack.kafka().kill().await?;
        stack.kafka().start().await?;
        kafka.push(begin.elapsed());
    }
    show("postgres: kill to query", postgres);
    show("redis: kill to PING", redis);
    show("kafka: kill to metadata", kafka);
    Ok(())
}

async fn make_template(stack: &Stack) -> Result<(), Failure> {
    use sqlx::{Connection as _, Executor as _};
    let postgres = stack.postgres();
    postgres.create_database("template").await?;
    let mut connection = sqlx::PgConnection::connect(&postgres.url("template", postgres.address())).await?;
    for table in 0..TABLES {
        let create = format!("CREATE TABLE t{table} (id bigint PRIMARY KEY, body text UNIQUE)");
        connection.execute(sqlx::AssertSqlSafe(create)).await?;
    }
    connection.close().await?;
    Ok(())
}

async fn timed<T, E>(work: impl Future<Output = Result<T, E>>) -> Result<(Duration, T), E> {
    let begin = Instant::now();
    let done = work.await?;
    Ok((begin.elapsed(), done))
}

fn show(what: &str, mut took: Vec<Duration>) {
    took.sort();
    let (median, worst) = (took[took.len() / 2], took[took.len() - 1]);
    println!("{what:<40} median {median:>9.1?}   worst {worst:>9.1?}   of {}", took.len());
}
