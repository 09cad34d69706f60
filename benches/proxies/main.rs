//! What an idle link costs, next to going direct and to toxiproxy, as `redis-benchmark` and `pgbench` see it.
//!
//! `cargo bench --bench proxies`, or with a number of rounds: `cargo bench --bench proxies -- 9`. `ci/toxiproxy` installs
//! toxiproxy, which takes Go. Asserts only that the links read what passed.
//!
//! The links run here, in a runtime as that of `fireassay run`; toxiproxy and the tools are processes of their own. All of
//! them, and the servers, share the machine's cores, so that figures of different runs, or of different machines, cannot be
//! compared: the three ways take turns, and what counts are ratios within a round. On a machine that does other things at
//! the same time, throughput and latency say more of those; the processor's time for an operation says less of them.

mod cpu;
mod figures;
mod pgbench;
mod redis;
mod tool;
mod toxiproxy;

use std::net::SocketAddr;
use std::time::Instant;

use cpu::Cpu;
use figures::{Figures, Way};
use fireassay::fault::Edge;
use fireassay::link::{Link, Protocol, Upstream};
use fireassay::sandbox::{Stack, StackConfig};
use toxiproxy::Toxiproxy;

const ROUNDS: usize = 5;

type Failure = Box<dyn std::error::Error>;

/// The three ways to a server.
struct Ways {
    direct: SocketAddr,
    link: Link,
    toxiproxy: SocketAddr,
}

impl Ways {
    async fn to(
        direct: SocketAddr,
        upstream: Upstream,
        protocol: Protocol,
        toxiproxy: &Toxiproxy,
    ) -> Result<Self, Failure> {
        let name = format!("{protocol:?}").to_lowercase();
        let link = Link::open(Edge::try_from(format!("api-1->{name}"))?, upstream, protocol, 1).await?;
        link.accept();
        Ok(Self { direct, link, toxiproxy: toxiproxy.proxy(&name, direct).await? })
    }

    fn address(&self, way: Way) -> SocketAddr {
        match way {
            Way::Direct => self.direct,
            Way::Link => self.link.address(),
            Way::Toxiproxy => self.toxiproxy,
        }
    }

    fn assert_read(&self) {
        let counters = self.link.counters();
        assert_eq!(counters.degraded_because, None, "{}", self.link.edge());
        assert!(counters.exchanges > 0, "{} is read", self.link.edge());
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let rounds = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(ROUNDS).max(1);
    let config = StackConfig::from_env()?;
    let (redis, pgbench) = (redis::Tool::find(&config)?, pgbench::Tool::find(&config)?);
    let server = toxiproxy::install()?;
    let stack = Stack::start(&config, &|_| ()).await?;
    // Nobody needs it here, and it takes a little of the processor all the time.
    stack.kafka().kill().await?;
    let toxiproxy = Toxiproxy::start(&server, &stack, &config).await?;
    let to_redis = Ways::to(stack.redis().address(), stack.redis().upstream(), Protocol::Redis, &toxiproxy).await?;
    let to_postgres =
        Ways::to(stack.postgres().address(), stack.postgres().upstream(), Protocol::Postgres, &toxiproxy).await?;
    pgbench.fill(&stack).await?;

    let mut figures = Figures::default();
    let begin = Instant::now();
    for round in 0..rounds {
        // Each way comes first as often as the others, and all three right after one another: what else the machine does
        // changes more slowly than that.
        let mut ways = Way::ALL;
        ways.rotate_left(round % Way::ALL.len());
        for load in redis::Load::all() {
            for way in ways {
                let cpu = Cpu::of(way, &toxiproxy);
                let figure = redis.run(&load, &stack, to_redis.address(way)).await?;
                figures.add(load.name(), way, &figure, cpu.used());
            }
        }
        for load in pgbench::Load::all() {
            for way in ways {
                let cpu = Cpu::of(way, &toxiproxy);
                let figure = pgbench.run(&load, &stack, to_postgres.address(way)).await?;
                figures.add(load.name(), way, &figure, cpu.used());
            }
        }
        eprintln!("round {} of {rounds} done after {:.0?}", round + 1, begin.elapsed());
    }
    to_redis.assert_read();
    to_postgres.assert_read();
    stack.stop().await?;
    print!("{figures}");
    Ok(())
}
