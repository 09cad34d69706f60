//! Real Postgres and Redis: what a client hears is an error or success, and the server is as it would be.

use fireassay::fault::ErrorReply;
use fireassay::link::{LinkAct, Protocol};
use fireassay::sandbox::{Stack, StackConfig};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use super::{done, link, on};

/// One stack for all: it is heavy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_servers_and_their_clients_agree() {
    let stack = Stack::start(&StackConfig::from_env().unwrap(), &|_| ()).await.unwrap();
    postgres(&stack).await;
    redis(&stack).await;
    super::kafka::answers(&stack).await;
}

fn code(error: &sqlx::Error) -> String {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).expect("a SQLSTATE").into_owned()
}

async fn rows(connection: &mut PgConnection) -> Vec<i32> {
    sqlx::query_scalar("SELECT n FROM t ORDER BY n").fetch_all(connection).await.unwrap()
}

async fn postgres(stack: &Stack) {
    let server = stack.postgres();
    server.create_database("answers").await.unwrap();
    let (link, notes) = link(server.address(), Protocol::Postgres).await;
    let mut client = PgConnection::connect(&server.url("answers", link.address())).await.unwrap();
    client.execute("CREATE TABLE t (n int)").await.unwrap();
    let serialization = || LinkAct::AnswerError(Some(ErrorReply::Postgres("40001".into())));
    let insert = |n: i32, simple: bool| {
        let sql = if simple { format!("INSERT INTO t VALUES ({n})") } else { "INSERT INTO t VALUES ($1)".to_owned() };
        (AssertSqlSafe(sql), n)
    };
    for simple in [false, true] {
        client.execute("TRUNCATE t").await.unwrap();
        let run = async |client: &mut PgConnection, n: i32| {
            let (sql, n) = insert(n, simple);
            if simple {
                sqlx::raw_sql(sql).execute(client).await
            } else {
                sqlx::query(sql).bind(n).execute(client).await
            }
        };
        // Outside of a transaction.
        let fault = link.inject(on("INSERT*", serialization()));
        let error = run(&mut client, 1).await.unwrap_err();
        assert_eq!(code(&error), "40001");
        assert_eq!(done(&fault), "answered INSERT INTO t VALUES (?) with 40001 in its place (NotSent)");
        assert_eq!(notes.last("INSERT").await, "INSERT INTO t VALUES (?): NotSent 40001");
        run(&mut client, 2).await.unwrap();
        assert_eq!(rows(&mut client).await, [2]);

        // In one: the server's is aborted as well, so that the commit is none.
        let fault = link.inject(on("INSERT*", LinkAct::AnswerError(None)));
        sqlx::raw_sql("BEGIN").execute(&mut client).await.unwrap();
        assert_eq!(code(&run(&mut client, 3).await.unwrap_err()), "57014");
        assert_eq!(code(&run(&mut client, 4).await.unwrap_err()), "25P02");
        sqlx::raw_sql("COMMIT").execute(&mut client).await.unwrap();
        assert_eq!(notes.last("COMMIT").await, "COMMIT: Refused ROLLBACK");
        assert_eq!(done(&fault), "answered INSERT INTO t VALUES (?) with 57014 in its place (NotSent)");
        assert_eq!(rows(&mut client).await, [2]);

        // At its end.
        let fault = link.inject(on("COMMIT", serialization()));
        let mut transaction = client.begin().await.unwrap();
        run(&mut transaction, 5).await.unwrap();
        assert_eq!(code(&transaction.commit().await.unwrap_err()), "40001");
        assert_eq!(done(&fault), "answered COMMIT with 40001 in its place (NotSent)");
        assert_eq!(rows(&mut client).await, [2]);

        // After its end.
        let fault = link.inject(on("COMMIT", LinkAct::FailReply(None)));
        let mut transaction = client.begin().await.unwrap();
        run(&mut transaction, 6).await.unwrap();
        assert_eq!(code(&transaction.commit().await.unwrap_err()), "40003");
        assert_eq!(done(&fault), "answered COMMIT with 40003 after it was done (Applied)");
        assert_eq!(notes.last("COMMIT").await, "COMMIT: Applied 40003");
        assert_eq!(rows(&mut client).await, [2, 6]);
    }
    assert_eq!(link.counters().degraded_because, None);
    assert_eq!(link.counters().opened, 1, "all of it by one connection");
    client.close().await.unwrap();
}

async fn redis(stack: &Stack) {
    let server = stack.redis();
    let (link, _notes) = link(server.address(), Protocol::Redis).await;
    let client = redis::Client::open(server.url(0, link.address())).unwrap();
    let mut client = client.get_multiplexed_async_connection().await.unwrap();
    let oom = || LinkAct::AnswerError(Some(ErrorReply::Redis("OOM command not allowed".into())));
    let told = "answered SET with OOM in its place (NotSent)";

    // Alone, and then among others of a pipeline.
    let fault = link.inject(on("SET", oom()));
    let error = redis::cmd("SET").arg("a").arg(1).query_async::<()>(&mut client).await.unwrap_err();
    assert_eq!(error.code(), Some("OOM"), "{error}");
    assert_eq!(done(&fault), told);
    let fault = link.inject(on("SET", oom()));
    let mut pipe = redis::pipe();
    pipe.cmd("INCR").arg("b").ignore().cmd("SET").arg("a").arg(1).ignore().cmd("INCR").arg("b");
    assert!(pipe.query_async::<()>(&mut client).await.is_err());
    assert_eq!(done(&fault), told);
    let found: (Option<i32>, i32) = redis::cmd("MGET").arg("a").arg("b").query_async(&mut client).await.unwrap();
    assert_eq!(found, (None, 2));

    // In a transaction, which is spoilt.
    let fault = link.inject(on("SET", oom()));
    let mut pipe = redis::pipe();
    pipe.atomic().cmd("INCR").arg("b").ignore().cmd("SET").arg("a").arg(1).ignore();
    assert!(pipe.query_async::<()>(&mut client).await.is_err());
    assert_eq!(done(&fault), told);
    let fault = link.inject(on("EXEC", LinkAct::AnswerError(None)));
    let mut pipe = redis::pipe();
    pipe.atomic().cmd("INCR").arg("b").ignore();
    assert!(pipe.query_async::<()>(&mut client).await.is_err());
    assert_eq!(done(&fault), "answered EXEC with LOADING in its place (NotSent)");
    assert_eq!(redis::cmd("INCR").arg("b").query_async::<i32>(&mut client).await.unwrap(), 3);

    // After it was done.
    let fault = link.inject(on("INCR", LinkAct::FailReply(None)));
    assert!(redis::cmd("INCR").arg("b").query_async::<i32>(&mut client).await.is_err());
    assert_eq!(done(&fault), "answered INCR with ERR after it was done (Applied)");
    assert_eq!(redis::cmd("GET").arg("b").query_async::<i32>(&mut client).await.unwrap(), 4);

    // An acknowledgement that never was.
    let mut ask = async |line: &str| {
        let mut words = line.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        command.arg(words.collect::<Vec<_>>());
        command.query_async::<redis::Value>(&mut client).await.unwrap()
    };
    ask("XGROUP CREATE s g 0 MKSTREAM").await;
    ask("XADD s 1-1 k v").await;
    ask("XREADGROUP GROUP g me STREAMS s >").await;
    let fault = link.inject(on("XACK", LinkAct::Swallow));
    assert_eq!(ask("XACK s g 1-1").await, redis::Value::Int(1));
    assert_eq!(done(&fault), "swallowed XACK and answered that it had worked (NotSent)");
    let redis::Value::Array(pending) = ask("XPENDING s g").await else { panic!("what is pending") };
    assert_eq!(pending[0], redis::Value::Int(1));
    assert_eq!(ask("XACK s g 1-1").await, redis::Value::Int(1));
    assert_eq!(link.counters().degraded_because, None);
}
