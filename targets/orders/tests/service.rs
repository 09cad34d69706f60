//! The whole service, two of each role, against a real database and broker and a gateway that does as it is told.
//!
//! `REFERENCE_DEFECTS=name cargo test -p reference-orders --test service` shows what a mistake does: each one fails some
//! test here.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Executor as _};
use tokio::sync::Semaphore;
use world::gateway::Mood;
use world::{CARD, CUSTOMER, TOKEN, World, until};

/// Two worlds at a time: they are heavy, and spend most of their time waiting.
fn in_a_world<F: Future<Output = ()>>(test: impl FnOnce(World) -> F) {
    static ROOM: Semaphore = Semaphore::const_new(2);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let _room = ROOM.acquire().await.unwrap();
        test(World::start(&std::env::var("REFERENCE_DEFECTS").unwrap_or_default()).await).await;
    });
}

#[test]
fn orders_are_paid_or_declined_once_and_nothing_tells_the_card() {
    in_a_world(|world| async move {
        let mut good = Vec::new();
        for n in 0..10 {
            good.push(world.order(1 + n % 2, &format!("k-{n}"), CARD).await);
        }
        let declined = world.order(1, "declined", "4000000000000002").await;
        // The same key again, at the other instance, and with another body.
        let (status, again) = world.send(2, "k-0", CARD, 1999).await.unwrap();
        assert_eq!((status, again["id"].as_str().unwrap()), (201, &*good[0]));
        assert_eq!(world.send(2, "k-0", CARD, 2000).await.unwrap().0, 409);
        assert_eq!(world.send(2, "k-0", "4242424242424243", 1999).await.unwrap().0, 409);
        assert_eq!(world.send(1, "zero", CARD, 0).await.unwrap().0, 422);

        for order in &good {
            world.becomes(order, "PAID").await;
            world.paid_in_order(order).await;
            assert_eq!(world.gateway.charged(order), 1);
            assert_eq!(world.state(order).await.1, 3);
        }
        world.becomes(&declined, "FAILED").await;
        let calls = world.gateway.calls(&declined);
        assert_eq!((calls.len(), world.gateway.charged(&declined)), (1, 0));
        assert_eq!(calls[0].correlation.as_deref(), Some("corr-declined"));
        assert_eq!(calls[0].key.as_ref(), Some(&declined));
        let all = world.get(2, "/orders").await.unwrap();
        assert_eq!(all["orders"].as_array().unwrap().len(), 11);
        assert_eq!(all["orders"][0]["key"], "k-0");
        assert!(world.letters().await.is_empty());

        for record in world.records() {
            assert!(record.correlation.is_some_and(|correlation| correlation.starts_with("corr-")));
            let value = String::from_utf8(record.value).unwrap();
            assert!(value.contains(&format!(r#""order": "{}""#, record.key)), "{}: {value}", record.key);
            assert!(!value.contains(CARD) && !value.contains(TOKEN) && !value.contains(CUSTOMER), "{value}");
        }
        let logs: Vec<String> =
            ["api-1", "api-2", "relay-1", "relay-2", "worker-1", "worker-2"].map(|name| world.log(name)).into();
        for role in logs.chunks(2) {
            assert!(role.concat().contains("corr-k-3") && role.concat().contains(&good[3]), "{role:?}");
        }
        assert!(!logs.concat().contains(CARD) && !logs.concat().contains(TOKEN));
    });
}

#[test]
fn what_cannot_be_processed_is_buried_and_what_follows_is_processed() {
    in_a_world(|world| async move {
        let order = world.order(1, "before", CARD).await;
        world.becomes(&order, "PAID").await;
        let stranger = r#"{"id":"e-x","order":"o-x","version":1,"state":"CREATED","amount":1,"currency":"EUR"}"#;
        for partition in 0..4 {
            world.produce(partition, "poison", b"\0 no json \xff").await;
        }
        world.produce(0, "o-x", stranger.as_bytes()).await;
        // Once more: there is one letter for each event.
        world.produce(0, "o-x", stranger.as_bytes()).await;
        for n in 0..8 {
            let order = world.order(1, &format!("behind-{n}"), CARD).await;
            world.becomes(&order, "PAID").await;
        }
        until("all letters are there", async || world.letters().await.len() >= 5).await;
        let letters = world.letters().await;
        assert_eq!(letters.len(), 5, "{letters:?}");
        let (known, garbage): (Vec<_>, Vec<_>) = letters.iter().partition(|letter| letter["order"] == "o-x");
        assert_eq!((known[0]["event"].as_str(), known[0]["payload"].as_str()), (Some("e-x"), Some(stranger)));
        assert!(garbage.iter().all(|letter| letter["event"].is_null() && letter["order"].is_null()));
        assert!(garbage.iter().all(|letter| letter["payload"].as_str().unwrap().contains("no json")));
        assert_eq!(world.replay(1, "o-x").await.0, 404);
    });
}

#[test]
fn three_failures_are_the_most_and_a_replay_has_its_effect_once() {
    in_a_world(|world| async move {
        world.gateway.will(&[Mood::Fails; 3]);
        let order = world.order(1, "k", CARD).await;
        until("it is given up", async || world.letters().await.len() == 1).await;
        assert_eq!(world.gateway.calls(&order).len(), 3);
        let letter = &world.letters().await[0];
        assert_eq!((letter["order"].as_str(), letter["attempts"].as_i64()), (Some(&*order), Some(3)));
        assert!(letter["payload"].as_str().unwrap().contains(&order), "{letter}");
        assert_eq!(world.state(&order).await, ("PAYMENT_PENDING".to_owned(), 2));

        assert_eq!(world.replay(2, &order).await.0, 202);
        assert_eq!(world.replay(1, &order).await.0, 404);
        world.becomes(&order, "PAID").await;
        world.paid_in_order(&order).await;
        assert_eq!((world.gateway.charged(&order), world.gateway.calls(&order).len()), (1, 4));
        assert_eq!(world.letters().await[0]["replayed"], true);
    });
}

#[test]
fn answers_that_come_late_or_never_are_found_out() {
    in_a_world(|world| async move {
        // So that only the look can tell.
        world.gateway.forgets_keys();
        world.gateway.will(&[Mood::ChargesThenWaits(Duration::from_secs(5))]);
        let lost = world.order(1, "lost", CARD).await;
        world.becomes(&lost, "PAID").await;
        assert_eq!((world.gateway.charged(&lost), world.gateway.calls(&lost).len()), (1, 1));

        // The last of three attempts has its effect after it was given up.
        world.gateway.will(&[Mood::Fails, Mood::Fails, Mood::WaitsThenCharges(Duration::from_millis(2500))]);
        let late = world.order(1, "late", CARD).await;
        until("it is given up", async || world.letters().await.len() == 1).await;
        world.becomes(&late, "PAID").await;
        assert_eq!((world.gateway.charged(&late), world.gateway.calls(&late).len()), (1, 3));
    });
}

#[test]
fn a_throttled_order_waits_and_holds_up_no_other() {
    in_a_world(|mut world| async move {
        world.gateway.will(&[Mood::Throttles(3)]);
        let order = world.order(1, "throttled", CARD).await;
        until("it is throttled", async || world.gateway.calls(&order).len() == 1).await;
        let other = world.order(2, "other", CARD).await;
        world.becomes(&other, "PAID").await;
        assert_eq!(world.gateway.calls(&order).len(), 1);
        // The pause survives those who know of it.
        for worker in ["worker-1", "worker-2"] {
            world.kill(worker);
            world.launch(worker);
        }
        world.becomes(&order, "PAID").await;
        let calls = world.gateway.calls(&order);
        assert_eq!(calls.len(), 2);
        assert!(calls[1].at - calls[0].at >= Duration::from_secs(3));
        assert!(world.letters().await.is_empty());
    });
}

#[test]
fn a_worker_that_dies_or_freezes_in_a_charge_is_succeeded_and_changes_nothing_later() {
    in_a_world(|mut world| async move {
        world.gateway.forgets_keys();
        world.gateway.will(&[Mood::ChargesThenWaits(Duration::from_secs(2))]);
        let order = world.order(1, "killed", CARD).await;
        until("it is charged", async || world.gateway.charged(&order) == 1).await;
        for worker in ["worker-1", "worker-2"] {
            world.kill(worker);
            world.launch(worker);
        }
        world.becomes(&order, "PAID").await;
        assert_eq!((world.gateway.charged(&order), world.gateway.calls(&order).len()), (1, 1));

        world.gateway.will(&[Mood::ChargesThenWaits(Duration::from_millis(300))]);
        world.kill("worker-2");
        let order = world.order(1, "frozen", CARD).await;
        until("it is charged", async || world.gateway.charged(&order) == 1).await;
        world.signal("worker-1", "-STOP");
        world.launch("worker-2");
        world.becomes(&order, "PAID").await;
        world.signal("worker-1", "-CONT");
        let tries =
            async || world.log("worker-1").lines().any(|line| line.contains("settled") && line.contains(&order));
        until("it tries to finish what it began", tries).await;
        world.paid_in_order(&order).await;
        assert_eq!((world.state(&order).await.1, world.gateway.charged(&order)), (3, 1));
        assert!(world.letters().await.is_empty());
    });
}

#[test]
fn what_comes_again_changes_nothing() {
    in_a_world(|mut world| async move {
        let mut orders = Vec::new();
        for n in 0..6 {
            orders.push(world.order(1, &format!("k-{n}"), CARD).await);
        }
        for order in &orders {
            world.becomes(order, "PAID").await;
            world.paid_in_order(order).await;
        }
        let records = world.records();
        for worker in ["worker-1", "worker-2"] {
            world.signal(worker, "-TERM");
            world.ends(worker).await;
            world.launch(worker);
        }
        for record in &records {
            world.produce(0, &record.key, &record.value).await;
        }
        let last = world.order(1, "last", CARD).await;
        world.becomes(&last, "PAID").await;
        // Every event that asks for a payment was looked at twice, but the last.
        let looks = 2 * orders.len() + 1;
        let logs = || ["worker-1", "worker-2"].map(|name| world.log(name)).concat();
        until("the repeats are read", async || logs().matches(r#""recorded":"#).count() >= looks).await;
        for order in &orders {
            assert_eq!(world.state(order).await, ("PAID".to_owned(), 3));
            assert_eq!(world.gateway.calls(order).len(), 1);
        }
        assert!(world.letters().await.is_empty());
    });
}

#[test]
fn without_database_or_broker_it_waits_and_goes_on() {
    in_a_world(|mut world| async move {
        world.stack.kafka().kill().await.unwrap();
        let accepted = world.order(1, "no-broker", CARD).await;
        world.kill("api-1");
        world.launch("api-1");
        world.stack.kafka().start().await.unwrap();
        world.becomes(&accepted, "PAID").await;
        world.paid_in_order(&accepted).await;

        world.gateway.will(&[Mood::ChargesThenWaits(Duration::from_millis(500))]);
        let order = world.order(2, "in-flight", CARD).await;
        until("it is charged", async || world.gateway.charged(&order) == 1).await;
        world.stack.postgres().kill().await.unwrap();
        let begun = Instant::now();
        assert_eq!(world.send(1, "no-database", CARD, 1).await.unwrap().0, 503);
        assert!(begun.elapsed() < Duration::from_secs(5));
        world.stack.postgres().start().await.unwrap();
        world.becomes(&order, "PAID").await;
        world.paid_in_order(&order).await;
        assert_eq!((world.gateway.charged(&order), world.gateway.calls(&order).len()), (1, 1));
        let all = world.get(1, "/orders").await.unwrap();
        assert!(all["orders"].as_array().unwrap().iter().all(|order| order["key"] != "no-database"));
        assert!(world.letters().await.is_empty());
    });
}

#[test]
fn a_worker_that_dies_while_it_writes_an_event_down_loses_nothing() {
    in_a_world(|mut world| async move {
        for table in ["inbox", "payments"] {
            let mut connection = world.connect().await;
            connection.execute("begin").await.unwrap();
            connection.execute(AssertSqlSafe(format!("lock table {table} in exclusive mode"))).await.unwrap();
            let order = world.order(1, table, CARD).await;
            until("a worker waits for the lock", async || world.waiting(table).await > 0).await;
            // Long enough for whoever commits offsets by the clock.
            tokio::time::sleep(Duration::from_millis(1500)).await;
            for worker in ["worker-1", "worker-2"] {
                world.kill(worker);
            }
            connection.execute("rollback").await.unwrap();
            for worker in ["worker-1", "worker-2"] {
                world.launch(worker);
            }
            world.becomes(&order, "PAID").await;
            assert_eq!((world.gateway.charged(&order), world.gateway.calls(&order).len()), (1, 1));
        }
    });
}

#[test]
fn an_order_that_is_not_committed_is_not_accepted() {
    in_a_world(|world| async move {
        let mut connection = world.connect().await;
        connection.execute("begin; lock table outbox in exclusive mode").await.unwrap();
        // It ends when the database gives up waiting for the lock.
        assert_eq!(world.send(1, "k", CARD, 5).await.unwrap().0, 503);
        connection.execute("rollback").await.unwrap();
        let all = world.get(2, "/orders").await.unwrap();
        assert_eq!(all["orders"].as_array().unwrap().len(), 0);
    });
}

#[test]
fn relays_keep_the_order_of_an_orders_events_whatever_is_locked() {
    in_a_world(|mut world| async move {
        let (relays, workers) = (["relay-1", "relay-2"], ["worker-1", "worker-2"]);
        for worker in workers {
            world.kill(worker);
        }
        let order = world.order(1, "k", CARD).await;
        until("it is told that the order is there", async || world.told(&order).len() == 1).await;
        for relay in relays {
            world.kill(relay);
        }
        // Nobody is there to take the event for a while; it is no worse for that.
        tokio::time::sleep(Duration::from_secs(4)).await;
        for worker in workers {
            world.launch(worker);
        }
        world.becomes(&order, "PAID").await;
        let mut connection = world.connect().await;
        connection.execute("begin").await.unwrap();
        let second = "select from outbox where payload->>'version' = '2' for update";
        assert!(connection.fetch_optional(second).await.unwrap().is_some());
        for relay in relays {
            world.launch(relay);
        }
        until("something is published", async || world.told(&order).len() > 1).await;
        connection.execute("rollback").await.unwrap();
        world.paid_in_order(&order).await;
    });
}

#[test]
fn an_intake_that_is_held_up_for_longer_than_its_group_waits_goes_on() {
    in_a_world(|world| async move {
        let mut connection = world.connect().await;
        connection.execute("begin; lock table inbox in exclusive mode").await.unwrap();
        let order = world.order(1, "held-up", CARD).await;
        until("a worker waits for the lock", async || world.waiting("inbox").await > 0).await;
        let out = || ["worker-1", "worker-2"].map(|name| world.log(name)).concat().contains("maximum poll interval");
        // The consumer finds out when it asks for the next record, which it does when this one is done with.
        tokio::time::sleep(Duration::from_secs(12)).await;
        connection.execute("rollback").await.unwrap();
        world.becomes(&order, "PAID").await;
        until("the group had given it up", async || out()).await;
        for n in 0..8 {
            let order = world.order(1, &format!("behind-{n}"), CARD).await;
            world.becomes(&order, "PAID").await;
            assert_eq!(world.gateway.calls(&order).len(), 1);
        }
        assert_eq!(world.gateway.calls(&order).len(), 1);
    });
}
