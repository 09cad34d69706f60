//! `redis-benchmark`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use fireassay::sandbox::{Stack, StackConfig};

use crate::Failure;
use crate::figures::Figure;
use crate::tool;

const COMMANDS: [&str; 2] = ["get", "set"];

pub(crate) struct Tool(PathBuf);

/// One run of it.
pub(crate) struct Load {
    command: &'static str,
    clients: usize,
    /// Commands on their way on each connection.
    pipeline: usize,
    requests: u32,
    /// Whether latency is asked for, or throughput.
    calm: bool,
}

impl Load {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let busy = |command| Self { command, clients: 50, pipeline: 1, requests: 60_000, calm: false };
        let each = move |command| {
            [
                busy(command),
                Self { pipeline: 16, requests: 400_000, ..busy(command) },
                Self { clients: 2, requests: 30_000, calm: true, ..busy(command) },
            ]
        };
        COMMANDS.into_iter().flat_map(each)
    }

    pub(crate) fn name(&self) -> String {
        let pipeline = if self.pipeline > 1 { format!(", {} in a pipeline", self.pipeline) } else { String::new() };
        format!("redis {}, {} clients{pipeline}", self.command, self.clients)
    }
}

impl Tool {
    pub(crate) fn find(config: &StackConfig) -> Result<Self, Failure> {
        tool::beside(config, "redis-server", "redis-benchmark").map(Self)
    }

    pub(crate) async fn run(&self, load: &Load, stack: &Stack, at: SocketAddr) -> Result<Figure, Failure> {
        let Load { command, clients, pipeline, requests, calm } = load;
        // The tool takes no password from a URL.
        let url = stack.redis().url(0, at);
        let password = url.strip_prefix("redis://:").and_then(|rest| rest.split('@').next()).ok_or("no password")?;
        let (host, port) = (at.ip(), at.port());
        let line =
            format!("-h {host} -p {port} -a {password} -t {command} -c {clients} -P {pipeline} -n {requests} --csv");
        let text = tool::run(stack.processes(), &self.0, tool::words(&line)).await?;
        let figure = text.lines().find_map(|line| figure(line, *requests, *calm));
        figure.ok_or_else(|| format!("redis-benchmark 6.2 or newer is needed; this one says:\n{text}").into())
    }
}

/// The columns are: test, rps, avg_latency_ms, min, p50, p95, p99, max.
fn figure(line: &str, operations: u32, calm: bool) -> Option<Figure> {
    let cells: Vec<&str> = line.split(',').map(|cell| cell.trim_matches('"')).collect();
    let number = |column: usize| cells.get(column)?.parse::<f64>().ok();
    let time = |column: usize| Some(Duration::from_secs_f64(number(column)? / 1e3));
    let (p50, p99) = (time(4)?, time(6)?);
    Some(if calm {
        Figure::Latency { p50, p99 }
    } else {
        Figure::Throughput { per_second: number(1)?, operations: operations.into() }
    })
}
