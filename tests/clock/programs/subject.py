# Answers for its clocks and waits, one line for each line it is asked: see ../subject.rs.
import datetime, queue, select, sys, threading, time


def timed(wait):
    start = time.monotonic_ns()
    wait()
    return (time.monotonic_ns() - start) // 1000


def from_queue():
    try:
        queue.Queue().get(timeout=0.1)
    except queue.Empty:
        pass


taken = threading.Lock()
taken.acquire()
WAITS = {
    "sleep": lambda: time.sleep(0.1),
    "event": lambda: threading.Event().wait(0.1),
    "lock": lambda: taken.acquire(timeout=0.1),
    "queue": from_queue,
    "select": lambda: select.select([], [], [], 0.1),
}

for line in sys.stdin:
    word, *rest = line.split()
    if word == "now":
        utc = datetime.datetime.now(datetime.timezone.utc).timestamp()
        print(time.time_ns(), time.monotonic_ns(), int(utc * 1e9))
    elif word == "waits":
        cpu = time.process_time_ns()
        told = [f"{name}={timed(wait)}" for name, wait in WAITS.items()]
        print(*told, f"cpu={(time.process_time_ns() - cpu) // 1000}")
    elif word == "hold":
        print(timed(lambda: threading.Event().wait(int(rest[0]) / 1000)))
    sys.stdout.flush()
