"""Python's Redis client, in the ways services use it."""

import sys

import redis


def work(url, protocol):
    client = redis.Redis.from_url(url, protocol=protocol, decode_responses=True)
    client.flushall()
    client.set("a", "1", nx=True, ex=60)
    client.get("a")
    client.incr("a")
    client.hset("h", mapping={"x": "1", "y": "2"})
    client.hgetall("h")
    client.set("large", "x" * 5_000)
    client.get("large")
    try:
        client.lpush("a", "1")
    except redis.ResponseError:
        pass

    with client.pipeline(transaction=False) as pipe:
        for n in range(20):
            pipe.set(f"key-{n}", n)
        pipe.execute()
    with client.pipeline(transaction=True) as pipe:
        pipe.incrby("a", 5).decrby("b", 5).execute()

    # Another connection changes what this one watches.
    with client.pipeline() as pipe:
        pipe.watch("a")
        client.incr("a")
        pipe.multi()
        pipe.set("a", "0")
        try:
            pipe.execute()
        except redis.WatchError:
            pass

    script = client.register_script("return redis.call('incr', KEYS[1])")
    script(keys=["a"])
    script(keys=["a"])
    try:
        client.eval("redis.call('incr', KEYS[1]) return redis.call('lpush', KEYS[1], 'x')", 1, "a")
    except redis.ResponseError:
        pass

    client.xgroup_create("stream", "workers", mkstream=True)
    entry = client.xadd("stream", {"transfer": "1"})
    client.xreadgroup("workers", "me", {"stream": ">"}, count=10, block=100)
    client.xack("stream", "workers", entry)
    client.xreadgroup("workers", "me", {"stream": ">"}, count=10, block=10)

    pubsub = client.pubsub()
    pubsub.subscribe("news", "weather")
    pubsub.psubscribe("n*")
    for _ in range(3):
        pubsub.get_message(timeout=5)
    client.publish("news", "hello")
    for _ in range(2):
        pubsub.get_message(timeout=5)
    pubsub.unsubscribe()
    pubsub.punsubscribe()
    for _ in range(3):
        pubsub.get_message(timeout=5)
    pubsub.close()
    client.close()


for protocol in (2, 3):
    work(sys.argv[1], protocol)
