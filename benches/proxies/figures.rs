//! The figures of all rounds, and their table.

use std::fmt;
use std::time::Duration;

/// What an idle link is to reach, each time next to toxiproxy.
const THROUGHPUT_MIN: f64 = 1.5;
const ADDED_MAX: f64 = 2.0 / 3.0;

/// How to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Direct,
    Link,
    Toxiproxy,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::Direct, Self::Link, Self::Toxiproxy];
}

/// What one run of a tool said.
pub(crate) enum Figure {
    Throughput { per_second: f64, operations: f64 },
    Latency { p50: Duration, p99: Duration },
}

/// The figures of all rounds.
#[derive(Default)]
pub(crate) struct Figures {
    throughput: Vec<Row>,
    /// Microseconds of the processor for an operation.
    cpu: Vec<Row>,
    p50: Vec<Row>,
    p99: Vec<Row>,
}

/// One figure of a load by ways, in the order of [`Way::ALL`], and by rounds. Latencies are in microseconds.
struct Row {
    what: String,
    rounds: [Vec<f64>; 3],
}

impl Figures {
    /// Adds what a load made of a way, and what its proxy took of the processor meanwhile.
    pub(crate) fn add(&mut self, load: String, way: Way, figure: &Figure, cpu: Duration) {
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        match *figure {
            Figure::Throughput { per_second, operations } => {
                add(&mut self.throughput, load.clone(), way, per_second);
                add(&mut self.cpu, load, way, micros(cpu) / operations);
            }
            Figure::Latency { p50, p99 } => {
                add(&mut self.p50, load.clone(), way, micros(p50));
                add(&mut self.p99, load, way, micros(p99));
            }
        }
    }
}

fn add(rows: &mut Vec<Row>, what: String, way: Way, value: f64) {
    let row = match rows.iter_mut().position(|row| row.what == what) {
        Some(place) => &mut rows[place],
        None => {
            rows.push(Row { what, rounds: Default::default() });
            let last = rows.len() - 1;
            &mut rows[last]
        }
    };
    row.rounds[way as usize].push(value);
}

impl Row {
    /// The median of what `of` makes of each round's direct, linked and toxiproxy's figure, and the least and the most.
    fn over(&self, of: impl Fn(f64, f64, f64) -> f64) -> [f64; 3] {
        let [direct, link, toxiproxy] = &self.rounds;
        let each =
            direct.iter().zip(link).zip(toxiproxy).map(|((direct, link), toxiproxy)| of(*direct, *link, *toxiproxy));
        let mut each: Vec<f64> = each.collect();
        each.sort_by(f64::total_cmp);
        [median(&each), each[0], each[each.len() - 1]]
    }
}

fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

pub(crate) fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times.get(times.len() * percent / 100).copied().unwrap_or_default()
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "medians of {} rounds\n", self.throughput.first().map_or(0, |row| row.rounds[0].len()))?;
        writeln!(
            f,
            "{:48} {:>9} {:>9} {:>9}  {:20}  direct / toxiproxy",
            "operations a second", "direct", "link", "toxiproxy", "link / toxiproxy"
        )?;
        let mut reached = 0;
        for row in &self.throughput {
            let [direct, link, toxiproxy] =
                [row.over(|direct, _, _| direct), row.over(|_, link, _| link), row.over(|_, _, toxi| toxi)]
                    .map(|m| m[0]);
            let [ratio, least, most] = row.over(|_, link, toxiproxy| link / toxiproxy);
            // What a proxy that costs nothing would reach. All of them share the processors with the tool and the server.
            let [bound, ..] = row.over(|direct, _, toxiproxy| direct / toxiproxy);
            let good = ratio >= THROUGHPUT_MIN;
            reached += usize::from(good);
            let mark = if good { ' ' } else { '*' };
            writeln!(
                f,
                "{:48} {direct:9.0} {link:9.0} {toxiproxy:9.0}  {ratio:.2}{mark} ({least:.2} to {most:.2})  {bound:.2}",
                row.what
            )?;
        }
        writeln!(f, "at least {THROUGHPUT_MIN} is wanted: {reached} of {}", self.throughput.len())?;
        writeln!(
            f,
            "\n{:48} {:>9} {:>9} {:>9}  link / toxiproxy",
            "microseconds of the processor an operation", "", "link", "toxiproxy"
        )?;
        for row in &self.cpu {
            let [link, toxiproxy] = [row.over(|_, link, _| link), row.over(|_, _, toxiproxy| toxiproxy)].map(|m| m[0]);
            let [ratio, least, most] = row.over(|_, link, toxiproxy| link / toxiproxy);
            writeln!(f, "{:48} {:9} {link:9.2} {toxiproxy:9.2}  {ratio:.2}  ({least:.2} to {most:.2})", row.what, "")?;
        }
        for (name, rows) in [("p50", &self.p50), ("p99", &self.p99)] {
            let head = format!("{name} in microseconds, added to direct");
            writeln!(f, "\n{head:48} {:>9} {:>9} {:>9}  link / toxiproxy", "direct", "link", "toxiproxy")?;
            let mut reached = 0;
            for row in rows {
                let direct = row.over(|direct, _, _| direct)[0];
                let [link, ..] = row.over(|direct, link, _| link - direct);
                let [toxiproxy, ..] = row.over(|direct, _, toxiproxy| toxiproxy - direct);
                let ratio = link / toxiproxy;
                let good = link <= toxiproxy * ADDED_MAX;
                reached += usize::from(good);
                let mark = if good { ' ' } else { '*' };
                writeln!(f, "{:48} {direct:9.0} {link:+9.0} {toxiproxy:+9.0}  {ratio:.2}{mark}", row.what)?;
            }
            writeln!(f, "at most {ADDED_MAX:.2} is wanted: {reached} of {}", rows.len())?;
        }
        writeln!(f, "\n* misses what is wanted. Latencies of redis-benchmark come in steps of 8 microseconds.")
    }
}
