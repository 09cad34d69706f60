// Answers for its clocks and waits, one line for each line it is asked: see ../subject.rs.
import { createInterface } from "node:readline";

const timed = async (wait) => {
  const start = process.hrtime.bigint();
  await wait();
  return (process.hrtime.bigint() - start) / 1000n;
};
const cell = new Int32Array(new SharedArrayBuffer(4));
const waits = {
  timeout: () => new Promise((done) => setTimeout(done, 100)),
  atomics: () => Atomics.wait(cell, 0, 0, 100),
  interval: () =>
    new Promise((done) => {
      const timer = setInterval(() => done(clearInterval(timer)), 100);
    }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const [word, ms] = line.split(" ");
  if (word === "now") {
    console.log(`${BigInt(Date.now()) * 1000000n} ${process.hrtime.bigint()} ${new Date().getTime()}000000`);
  } else if (word === "waits") {
    const before = process.cpuUsage();
    const told = [];
    for (const [name, wait] of Object.entries(waits)) told.push(`${name}=${await timed(wait)}`);
    const { user, system } = process.cpuUsage(before);
    console.log(`${told.join(" ")} cpu=${user + system}`);
  } else if (word === "hold") {
    console.log(`${await timed(() => new Promise((done) => setTimeout(done, Number(ms))))}`);
  }
}
