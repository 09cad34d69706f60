//! Whether servers that were given answer, and can do what is needed. They may be starting, so each is tried for a while.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::AdminClient;
use rdkafka::client::DefaultClientContext;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::private::resolve;
use super::urls::{Given, Place, PostgresUrl, RedisUrl};
use super::{ExternalError, ExternalPostgres, ExternalRedis, TRY_DEADLINE};

/// How long each server is tried.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);
/// Pause between two tries.
const TRY_EVERY: Duration = Duration::from_millis(200);
/// The oldest Postgres that drops a database in which somebody is: 13.
const POSTGRES_MIN: i32 = 130_000;
/// How a client of Postgres asks for TLS; see <https://www.postgresql.org/docs/current/protocol-message-formats.html>.
pub(super) const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// What is wrong with a server.
struct Fault {
    /// Whether it may be well in a moment.
    passing: bool,
    why: String,
}

/// All three at once.
pub(super) async fn survey(
    given: &Given,
    not_production: bool,
) -> (Result<ExternalPostgres, ExternalError>, Result<ExternalRedis, ExternalError>, Result<SocketAddr, ExternalError>)
{
    tokio::join!(
        postgres(&given.postgres, not_production),
        redis(&given.redis, not_production),
        kafka(&given.kafka, not_production),
    )
}

async fn postgres(url: &PostgresUrl, not_production: bool) -> Result<ExternalPostgres, ExternalError> {
    let addresses = resolve("postgres", &url.place, not_production).await?;
    patiently("postgres", &url.place, "did not let us in and answer a query", || async {
        let address = reach(&addresses).await?;
        let options = format!("postgres://{}{address}/{}", url.login.0, url.database).parse::<PgConnectOptions>();
        let options = options.map_err(|_| lasting("its URL is not understood by our client"))?;
        let options = options.ssl_mode(PgSslMode::Disable).disable_statement_logging();
        let failed = |error: sqlx::Error| {
            let answered = matches!(error, sqlx::Error::Database(_));
            let starting = error
                .as_database_error()
                .and_then(sqlx::error::DatabaseError::code)
                .is_some_and(|code| code == "57P03");
            let why = error.to_string();
            let hint = if why.contains("no encryption") || why.contains("SSL off") {
                "; it wants TLS, which is not supported: the links have to read what passes"
            } else {
                ""
            };
            Fault { passing: !answered || starting, why: format!("{why}{hint}") }
        };
        let mut connection = PgConnection::connect_with(&options).await.map_err(failed)?;
        let asked = "SELECT current_setting('server_version_num')::int, current_setting('server_version'), \
                     pg_is_in_recovery(), rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user";
        let answer: (i32, String, bool, bool) =
            sqlx::query_as(asked).fetch_one(&mut connection).await.map_err(failed)?;
        // The answer is there; how the session ends is of no interest.
        let _ = connection.close().await;
        let (number, version, is_replica, may_create) = answer;
        if number < POSTGRES_MIN {
            return Err(lasting(&format!("it is version {version}, and 13 is the oldest that will do")));
        }
        if is_replica {
            return Err(lasting("it is a replica, which takes no writes; give its primary"));
        }
        if !may_create {
            return Err(lasting(
                "the user may not create databases, and every run has one of its own; ALTER ROLE … CREATEDB lets him",
            ));
        }
        let offers_tls = offers_tls(address).await.map_err(|error| passing(&error.to_string()))?;
        let (login, database) = (url.login.clone(), url.database.clone());
        Ok(ExternalPostgres { address, login, database, offers_tls, version })
    })
    .await
}

async fn offers_tls(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&SSL_REQUEST).await?;
    Ok(stream.read_u8().await? == b'S')
}

async fn redis(url: &RedisUrl, not_production: bool) -> Result<ExternalRedis, ExternalError> {
    let addresses = resolve("redis", &url.place, not_production).await?;
    patiently("redis", &url.place, "did not answer PING and SELECT", || async {
        let address = reach(&addresses).await?;
        let failed = |error: RedisError| {
            let answered = matches!(error.kind(), ErrorKind::AuthenticationFailed | ErrorKind::Server(_) | ErrorKind::Extension);
            Fault { passing: !answered, why: error.to_string() }
        };
        let client = Client::open(format!("redis://{}{address}/0", url.login.0)).map_err(failed)?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(TRY_DEADLINE))
            .set_response_timeout(Some(TRY_DEADLINE));
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await.map_err(failed)?;
        redis::cmd("PING").exec_async(&mut connection).await.map_err(failed)?;
        let second = redis::cmd("SELECT").arg(1).exec_async(&mut connection).await;
        second.map_err(|error| {
            lasting(&format!("it has only one database ({error}), and every run has one of its own; `databases 16` in its configuration gives it more, and a cluster has never more than one"))
        })?;
        let script = redis::cmd("EVAL").arg("return 1").arg(0).exec_async(&mut connection).await;
        let clients = redis::cmd("CLIENT").arg("LIST").exec_async(&mut connection).await;
        script.and(clients).map_err(|error| {
            lasting(&format!("the user may not use EVAL and CLIENT LIST ({error}), by which a database is found that nobody uses; an ACL rule of `+eval +client|list` lets him"))
        })?;
        Ok(ExternalRedis { address, login: url.login.clone() })
    })
    .await
}

async fn kafka(places: &[Place], not_production: bool) -> Result<SocketAddr, ExternalError> {
    let mut addresses = Vec::new();
    for place in places {
        addresses.extend(resolve("kafka", place, not_production).await?);
    }
    let Some(first) = places.first() else { return Err(ExternalError::NotGiven("--kafka".to_owned())) };
    let tried = "did not answer an administrator's request for its brokers";
    let advertised = patiently("kafka", first, tried, || async {
        reach(&addresses).await?;
        let servers = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let brokers = tokio::task::spawn_blocking(move || brokers(&servers)).await;
        let brokers = brokers.map_err(|error| lasting(&error.to_string()))?;
        let mut brokers = brokers.map_err(|why| passing(&format!("{why}; TLS and SASL are not supported")))?;
        match brokers.len() {
            0 => Err(passing("it names no broker that serves")),
            1 => Ok(brokers.remove(0)),
            many => {
                let named = brokers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                Err(lasting(&format!("it has {many} brokers ({named}), and fireassay can put links before one only; use a Kafka with one broker")))
            }
        }
    })
    .await?;
    let addresses = resolve("kafka", &advertised, not_production).await.map_err(|error| match error {
        ExternalError::Unresolved { why, .. } => advertises(first, &advertised, &why),
        other => other,
    })?;
    reach(&addresses).await.map_err(|fault| advertises(first, &advertised, &fault.why))
}

fn advertises(given: &Place, advertised: &Place, why: &str) -> ExternalError {
    ExternalError::Unusable {
        server: "kafka",
        at: given.to_string(),
        tried: format!(
            "says that it is at {advertised}, which every client then connects to, and there it was not reached"
        ),
        why: format!("{why}; mend its advertised.listeners"),
    }
}

/// What the metadata say. The client can only ask in a blocking way.
fn brokers(servers: &str) -> Result<Vec<Place>, String> {
    let said = |error: rdkafka::error::KafkaError| error.to_string();
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", servers).create().map_err(said)?;
    let admin = Arc::new(admin);
    let found = admin.inner().fetch_metadata(None, TRY_DEADLINE).map_err(said)?;
    let broker = |broker: &rdkafka::metadata::MetadataBroker| Place {
        host: broker.host().to_owned(),
        port: u16::try_from(broker.port()).unwrap_or_default(),
    };
    Ok(found.brokers().iter().map(broker).collect())
}

/// The first of the addresses that accepts a connection.
async fn reach(addresses: &[SocketAddr]) -> Result<SocketAddr, Fault> {
    let mut why = Vec::new();
    for address in addresses {
        match tokio::time::timeout(TRY_DEADLINE, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Ok(*address),
            Ok(Err(error)) => why.push(format!("{address}: {error}")),
            Err(_) => why.push(format!("{address}: no answer within {} s", TRY_DEADLINE.as_secs())),
        }
    }
    Err(passing(&why.join(", ")))
}

/// Tries until it works, what is wrong will not pass, or the time is up.
async fn patiently<T, F>(
    server: &'static str,
    place: &Place,
    tried: &str,
    attempt: impl Fn() -> F,
) -> Result<T, ExternalError>
where
    F: Future<Output = Result<T, Fault>>,
{
    let end = Instant::now() + ANSWER_DEADLINE;
    loop {
        let fault = match tokio::time::timeout_at(end, attempt()).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(fault)) => fault,
            Err(_) => passing("no answer"),
        };
        let at = place.to_string();
        if !fault.passing {
            return Err(ExternalError::Unusable { server, at, tried: "cannot be used".to_owned(), why: fault.why });
        }
        if Instant::now() + TRY_EVERY >= end {
            let tried = format!("{tried} within {} s", ANSWER_DEADLINE.as_secs());
            return Err(ExternalError::Unusable { server, at, tried, why: fault.why });
        }
        tokio::time::sleep(TRY_EVERY).await;
    }
}

fn passing(why: &str) -> Fault {
    Fault { passing: true, why: why.to_owned() }
}

fn lasting(why: &str) -> Fault {
    Fault { passing: false, why: why.to_owned() }
}
