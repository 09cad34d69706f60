//! `pgbench`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use fireassay::sandbox::{Stack, StackConfig};

use crate::Failure;
use crate::figures::{Figure, percentile};
use crate::tool;

/// Times 100,000 accounts.
const SCALE: usize = 5;

const SECONDS: usize = 2;

const DATABASE: &str = "pgbench";

pub(crate) struct Tool(PathBuf);

/// One run of it.
pub(crate) struct Load {
    /// A simple update is a transaction of five statements, each a round trip.
    script: &'static str,
    /// How statements are sent.
    protocol: &'static str,
    clients: usize,
    /// Whether latency is asked for, or throughput.
    calm: bool,
}

impl Load {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        [(8, false), (2, true)].into_iter().flat_map(|(clients, calm)| {
            ["select-only", "simple-update"]
                .into_iter()
                .flat_map(move |script| ["prepared", "simple"].map(|protocol| Self { script, protocol, clients, calm }))
        })
    }

    pub(crate) fn name(&self) -> String {
        format!("pgbench {}, {}, {} clients", self.script, self.protocol, self.clients)
    }
}

impl Tool {
    pub(crate) fn find(config: &StackConfig) -> Result<Self, Failure> {
        tool::beside(config, "postgres", "pgbench").map(Self)
    }

    pub(crate) async fn fill(&self, stack: &Stack) -> Result<(), Failure> {
        stack.postgres().create_database(DATABASE).await?;
        let url = stack.postgres().url(DATABASE, stack.postgres().address());
        tool::run(stack.processes(), &self.0, tool::words(&format!("-i -q -s {SCALE} {url}"))).await?;
        Ok(())
    }

    pub(crate) async fn run(&self, load: &Load, stack: &Stack, at: SocketAddr) -> Result<Figure, Failure> {
        let Load { script, protocol, clients, calm } = load;
        let url = stack.postgres().url(DATABASE, at);
        let folder = tempfile::tempdir()?;
        let log = if *calm { format!("--log --log-prefix={}/log ", folder.path().display()) } else { String::new() };
        let line = format!("-n -b {script} -M {protocol} -c {clients} -T {SECONDS} {log}{url}");
        let text = tool::run(stack.processes(), &self.0, tool::words(&line)).await?;
        if *calm {
            let mut times = Vec::new();
            for file in std::fs::read_dir(folder.path())? {
                // The third column is what the transaction took, in microseconds.
                let text = std::fs::read_to_string(file?.path())?;
                let column = text.lines().filter_map(|line| line.split(' ').nth(2)?.parse().ok());
                times.extend(column.map(Duration::from_micros));
            }
            let [p50, p99] = [50, 99].map(|percent| percentile(&mut times, percent));
            return Ok(Figure::Latency { p50, p99 });
        }
        let after = |start: &str| {
            let mut lines =
                text.lines().filter_map(|line| line.strip_prefix(start)?.split(['/', ' ']).next()?.parse().ok());
            lines.next_back().ok_or_else(|| format!("pgbench does not say `{start}`:\n{text}"))
        };
        let operations = after("number of transactions actually processed: ")?;
        Ok(Figure::Throughput { per_second: after("tps = ")?, operations })
    }
}
