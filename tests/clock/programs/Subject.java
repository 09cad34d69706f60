// Answers for its clocks and waits, one line for each line it is asked: see ../subject.rs.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.time.Instant;
import java.util.Date;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;

public class Subject {
    interface Wait {
        void go() throws Exception;
    }

    static long timed(Wait wait) throws Exception {
        long start = System.nanoTime();
        wait.go();
        return (System.nanoTime() - start) / 1000;
    }

    static long cpu() {
        var system = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        return system.getProcessCpuTime() / 1000;
    }

    public static void main(String[] arguments) throws Exception {
        var lines = new BufferedReader(new InputStreamReader(System.in));
        var scheduler = Executors.newScheduledThreadPool(1);
        var lock = new ReentrantLock();
        var condition = lock.newCondition();
        for (String line; (line = lines.readLine()) != null; System.out.flush()) {
            String[] words = line.split(" ");
            switch (words[0]) {
                case "now" -> {
                    Instant now = Instant.now();
                    long fine = now.getEpochSecond() * 1_000_000_000L + now.getNano();
                    System.out.println(System.currentTimeMillis() * 1_000_000L + " " + System.nanoTime() + " " + fine
                        + " " + new Date().getTime() * 1_000_000L);
                }
                case "waits" -> {
                    long before = cpu();
                    long sleep = timed(() -> Thread.sleep(100));
                    long until = timed(() -> LockSupport.parkUntil(System.currentTimeMillis() + 100));
                    long poll = timed(() -> new LinkedBlockingQueue<String>().poll(100, TimeUnit.MILLISECONDS));
                    // Not awaitUntil: it asks again what time it is, and waits on for as long as a clock stands still.
                    long await = timed(() -> {
                        lock.lock();
                        condition.await(100, TimeUnit.MILLISECONDS);
                        lock.unlock();
                    });
                    long scheduled = timed(() -> {
                        var latch = new CountDownLatch(1);
                        scheduler.schedule(latch::countDown, 100, TimeUnit.MILLISECONDS);
                        latch.await();
                    });
                    System.out.println("sleep=" + sleep + " parkUntil=" + until + " poll=" + poll + " await="
                        + await + " scheduled=" + scheduled + " cpu=" + (cpu() - before));
                }
                case "hold" -> System.out.println(timed(() -> {
                    lock.lock();
                    condition.await(Long.parseLong(words[1]), TimeUnit.MILLISECONDS);
                    lock.unlock();
                }));
                default -> System.out.println("?");
            }
        }
        scheduler.shutdownNow();
    }
}
