//! A database that refuses writes, as after a failover when clients still talk to what is now a replica.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{EndedSessions, HARNESS, Postgres, failure, quoted};
use crate::sandbox::ServiceError;

/// `read_only_sql_transaction`; see <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
const REFUSED: &str = "25006";
/// The most of the log that is read, in bytes.
const LOG_BYTES_MAX: u64 = 64 << 20;
/// How long a line may take from the server into the log.
const LOG_DEADLINE: Duration = Duration::from_secs(2);
/// Pause between two looks for more of the log.
const LOG_EVERY: Duration = Duration::from_millis(2);

/// A database that is read-only. It is a setting of the database and goes with it, so there is nothing to undo when this is
/// dropped without being healed.
#[derive(Debug)]
pub struct ReadOnly {
    database: String,
    log: PathBuf,
    /// Where the log ended before.
    from: u64,
    /// The sessions that were ended so that none was left from before.
    pub ended: EndedSessions,
}

/// What a read-only database did.
#[derive(Clone, Copy, Debug)]
pub struct WasReadOnly {
    /// How many statements were refused because of it.
    pub refused: u64,
    /// The sessions that were ended before.
    pub before: EndedSessions,
    /// The sessions that were ended after, so that none was left that still refused.
    pub after: EndedSessions,
}

impl Postgres {
    /// Makes a database read-only, for every session that does not say otherwise itself, and ends the sessions from before.
    ///
    /// # Errors
    /// When Postgres is not there.
    pub async fn make_read_only(&self, database: &str) -> Result<ReadOnly, ServiceError> {
        let what = || format!("make the database `{database}` read-only");
        let name = quoted(database, what)?;
        let log = self.server.log().to_owned();
        let from = std::fs::metadata(&log).map_err(|error| failure(what(), &error))?.len();
        self.execute(format!("ALTER DATABASE {name} SET default_transaction_read_only = on"), what).await?;
        let ended = self.end_sessions(database).await?;
        Ok(ReadOnly { database: database.to_owned(), log, from, ended })
    }

    /// Lets the database be written again, and ends the sessions that would still refuse.
    ///
    /// # Errors
    /// When Postgres is not there, or its log cannot be read.
    pub async fn make_writable(&self, held: ReadOnly) -> Result<WasReadOnly, ServiceError> {
        let what = || format!("make the database `{}` writable again", held.database);
        let name = quoted(&held.database, what)?;
        self.execute(format!("ALTER DATABASE {name} RESET default_transaction_read_only"), what).await?;
        let after = self.end_sessions(&held.database).await?;
        let before = held.ended;
        // The log is a copy that may lag behind: what was refused is in it when a line is that was written after.
        let mark = format!("fireassay-mark-{:016x}", rand::random::<u64>());
        self.execute(format!("DO $$ BEGIN RAISE LOG '{mark}'; END $$"), what).await?;
        let count = tokio::task::spawn_blocking(move || held.refused(&mark)).await;
        let refused =
            count.map_err(std::io::Error::other).flatten().map_err(|error| failure("read the log", &error))?;
        Ok(WasReadOnly { refused, before, after })
    }
}

impl ReadOnly {
    /// The lines of the log that say so, with the code and the name of the database as in `log_line_prefix`. A statement's
    /// own lines are indented, so that none can pass for one of these.
    /// Reads up to the line with `end` in it, or what has come within a deadline: the log may have been put aside meanwhile.
    fn refused(&self, end: &str) -> std::io::Result<u64> {
        let mut log = File::open(&self.log)?;
        log.seek(SeekFrom::Start(self.from))?;
        let mut log = BufReader::new(log.take(LOG_BYTES_MAX));
        let mark = format!(" {REFUSED} {} ERROR: ", self.database);
        let own = format!(" {HARNESS}{mark}");
        let (mut line, mut count) = (Vec::new(), 0);
        let deadline = Instant::now() + LOG_DEADLINE;
        loop {
            log.read_until(b'\n', &mut line)?;
            if !line.ends_with(b"\n") {
                // Half a line, or none yet.
                if Instant::now() >= deadline {
                    return Ok(count);
                }
                std::thread::sleep(LOG_EVERY);
                continue;
            }
            let text = String::from_utf8_lossy(&line);
            if text.contains(end) {
                return Ok(count);
            }
            count += u64::from(!text.starts_with('\t') && text.contains(&mark) && !text.contains(&own));
            line.clear();
        }
    }
}
