//! `redis-benchmark`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use fireassay::sandbox::{Redis, StackConfig};

use crate::Failure;
use crate::figures::{Figure, Said};
use crate::tool;

/// Clients at once when throughput is measured, and when latency is.
const BUSY_CLIENTS: usize = 50;
const CALM_CLIENTS: usize = 2;

/// Commands on their way on each connection.
const PIPELINE: usize = 16;

pub(crate) struct Tool(PathBuf);

impl Tool {
    pub(crate) fn find(config: &StackConfig) -> Result<Self, Failure> {
        tool::beside(config, "redis-server", "redis-benchmark").map(Self)
    }

    pub(crate) async fn measure(&self, redis: &Redis, at: SocketAddr) -> Result<Vec<Said>, Failure> {
        let mut said = Vec::new();
        for line in self.run(redis, at, BUSY_CLIENTS, 1, 60_000).await? {
            let what = format!("redis {}, {BUSY_CLIENTS} clients", line.command);
            said.push(Said { what, figure: Figure::PerSecond(line.per_second) });
        }
        for line in self.run(redis, at, BUSY_CLIENTS, PIPELINE, 400_000).await? {
            let what = format!("redis {}, {BUSY_CLIENTS} clients, {PIPELINE} in a pipeline", line.command);
            said.push(Said { what, figure: Figure::PerSecond(line.per_second) });
        }
        for line in self.run(redis, at, CALM_CLIENTS, 1, 30_000).await? {
            let what = format!("redis {}, {CALM_CLIENTS} clients", line.command);
            said.push(Said { what, figure: Figure::Latency { p50: line.p50, p99: line.p99 } });
        }
        Ok(said)
    }

    async fn run(
        &self,
        redis: &Redis,
        at: SocketAddr,
        clients: usize,
        pipeline: usize,
        requests: usize,
    ) -> Result<Vec<Line>, Failure> {
        // The tool takes no password from a URL.
        let url = redis.url(0, at);
        let password = url.strip_prefix("redis://:").and_then(|rest| rest.split('@').next()).ok_or("no password")?;
        let args = format!(
            "-h {} -p {} -a {password} -t get,set -c {clients} -P {pipeline} -n {requests} --csv",
            at.ip(),
            at.port(),
        );
        let text = tool::run(&self.0, args.split(' ')).await?;
        let lines: Vec<_> = text.lines().filter_map(line).collect();
        if lines.len() != 2 {
            return Err(format!("redis-benchmark 6.2 or newer is needed; this one says:\n{text}").into());
        }
        Ok(lines)
    }
}

struct Line {
    command: String,
    per_second: f64,
    p50: Duration,
    p99: Duration,
}

/// The columns are: test, rps, avg_latency_ms, min, p50, p95, p99, max.
fn line(text: &str) -> Option<Line> {
    let cells: Vec<&str> = text.split(',').map(|cell| cell.trim_matches('"')).collect();
    let number = |column: usize| cells.get(column)?.parse::<f64>().ok();
    let time = |column: usize| Some(Duration::from_secs_f64(number(column)? / 1e3));
    Some(Line { command: (*cells.first()?).to_owned(), per_second: number(1)?, p50: time(4)?, p99: time(6)? })
}
