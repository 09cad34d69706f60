//! `pgbench`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use fireassay::sandbox::{Stack, StackConfig};

use crate::Failure;
use crate::figures::{Figure, Said, percentile};
use crate::tool;

/// Clients at once when throughput is measured, and when latency is.
const BUSY_CLIENTS: usize = 8;
const CALM_CLIENTS: usize = 2;

/// Times 100,000 accounts.
const SCALE: usize = 5;

const SECONDS: usize = 2;

const DATABASE: &str = "pgbench";

/// What is executed, and how it is sent. A simple update is five statements in a transaction, each a round trip.
const LOADS: [(&str, &str); 4] = [
    ("select-only", "prepared"),
    ("select-only", "simple"),
    ("simple-update", "prepared"),
    ("simple-update", "simple"),
];

pub(crate) struct Tool(PathBuf);

impl Tool {
    pub(crate) fn find(config: &StackConfig) -> Result<Self, Failure> {
        tool::beside(config, "postgres", "pgbench").map(Self)
    }

    pub(crate) async fn fill(&self, stack: &Stack) -> Result<(), Failure> {
        stack.postgres().create_database(DATABASE).await?;
        let url = stack.postgres().url(DATABASE, stack.postgres().address());
        let scale = SCALE.to_string();
        tool::run(&self.0, ["-i", "-q", "-s", &scale, &url]).await?;
        Ok(())
    }

    pub(crate) async fn measure(&self, stack: &Stack, at: SocketAddr) -> Result<Vec<Said>, Failure> {
        let url = stack.postgres().url(DATABASE, at);
        let mut said = Vec::new();
        for (script, protocol) in LOADS {
            let busy = format!("-n -b {script} -M {protocol} -c {BUSY_CLIENTS} -T {SECONDS}");
            let text = tool::run(&self.0, busy.split(' ').chain([url.as_str()])).await?;
            let rates = text.lines().filter_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
            let what = format!("pgbench {script}, {protocol}, {BUSY_CLIENTS} clients");
            let rate = rates.last().ok_or_else(|| format!("pgbench tells no rate:\n{text}"))?;
            said.push(Said { what, figure: Figure::PerSecond(rate) });
        }
        for (script, protocol) in LOADS {
            let folder = tempfile::tempdir()?;
            let log = folder.path().join("log").display().to_string();
            let calm = format!("-n -b {script} -M {protocol} -c {CALM_CLIENTS} -T {SECONDS} --log --log-prefix={log}");
            tool::run(&self.0, calm.split(' ').chain([url.as_str()])).await?;
            let mut times = Vec::new();
            for file in std::fs::read_dir(folder.path())? {
                // The third column is what the transaction took, in microseconds.
                let text = std::fs::read_to_string(file?.path())?;
                let column = text.lines().filter_map(|line| line.split(' ').nth(2)?.parse().ok());
                times.extend(column.map(Duration::from_micros));
            }
            let [p50, p99] = [50, 99].map(|percent| percentile(&mut times, percent));
            let what = format!("pgbench {script}, {protocol}, {CALM_CLIENTS} clients");
            said.push(Said { what, figure: Figure::Latency { p50, p99 } });
        }
        Ok(said)
    }
}
