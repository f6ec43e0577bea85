// A BullMQ application: producers, several workers, delays, retries, priorities, a flow of jobs, events.
// Every job is done exactly once and none is lost. All keys of its queues share one hash tag.
import assert from "node:assert/strict";
import { FlowProducer, Queue, QueueEvents, Worker } from "bullmq";

const JOBS = 300;
const connection = { host: "127.0.0.1", port: Number(process.argv[2]) };
const shared = { connection, prefix: "{bull}" };
const name = "work";

const queue = new Queue(name, shared);
const events = new QueueEvents(name, shared);
await events.waitUntilReady();
let completedEvents = 0;
events.on("completed", () => { completedEvents += 1; });

const attempts = new Map();                     // job's number -> how often a worker took it
const finished = new Map();                     // job's number -> how often it was completed
const started = Date.now();
let earliestDelayed = Infinity;

async function work(job) {
  const { n, kind } = job.data;
  attempts.set(n, (attempts.get(n) ?? 0) + 1);
  if (kind === "delayed") earliestDelayed = Math.min(earliestDelayed, Date.now() - started);
  if (kind === "retried" && job.attemptsMade === 0) throw new Error("the first attempt fails");
  await job.updateProgress(50);
  return n * 2;
}

const workers = Array.from({ length: 4 }, () => new Worker(name, work, { ...shared, concurrency: 5 }));
for (const worker of workers) {
  worker.on("completed", (job) => finished.set(job.data.n, (finished.get(job.data.n) ?? 0) + 1));
  worker.on("error", (error) => { console.error(error); process.exit(1); });
  await worker.waitUntilReady();
}

const options = {
  plain: {}, delayed: { delay: 500 }, retried: { attempts: 3, backoff: 100 }, first: { priority: 1 },
};
const kinds = Object.keys(options);
const jobs = [];
for (let n = 0; n < JOBS; n++) {
  const kind = kinds[n % kinds.length];
  jobs.push({ name: kind, data: { n, kind }, opts: options[kind] });
}
await queue.addBulk(jobs.slice(0, JOBS / 2));
await Promise.all(jobs.slice(JOBS / 2).map((job) => queue.add(job.name, job.data, job.opts)));

const last = await queue.add("plain", { n: JOBS, kind: "plain" });
assert.equal(await last.waitUntilFinished(events, 10000), JOBS * 2);

const flow = new FlowProducer(shared);
const family = await flow.add({
  name: "plain", queueName: name, data: { n: JOBS + 1, kind: "plain" },
  children: [2, 3, 4].map((n) => ({ name: "plain", queueName: name, data: { n: JOBS + n, kind: "plain" } })),
});
assert.equal(await family.job.waitUntilFinished(events, 10000), (JOBS + 1) * 2);

const total = JOBS + 5;
const deadline = Date.now() + 20000;
while (finished.size < total && Date.now() < deadline) await new Promise((go) => setTimeout(go, 20));

assert.equal(finished.size, total);
for (const [n, times] of finished) {
  assert.equal(times, 1, `job ${n} was completed ${times} times`);
  const isRetried = n < JOBS && kinds[n % kinds.length] === "retried";
  assert.equal(attempts.get(n), isRetried ? 2 : 1, `job ${n} was taken ${attempts.get(n)} times`);
}
assert.ok(earliestDelayed >= 450, `a delayed job ran after ${earliestDelayed} ms`);
const counts = await queue.getJobCounts();
assert.equal(counts.completed, total);
assert.equal(counts.failed + counts.waiting + counts.active + counts.delayed, 0);

// Pause, resume, and what a job keeps.
await queue.pause();
const held = await queue.add("plain", { n: 9999, kind: "plain" });
assert.equal(await queue.isPaused(), true);
await queue.resume();
assert.equal(await held.waitUntilFinished(events, 10000), 9999 * 2);
const job = await queue.getJob(held.id);
assert.equal(job.progress, 50);
assert.ok(completedEvents > 0);

await flow.close();
await Promise.all(workers.map((worker) => worker.close()));
await events.close();
await queue.obliterate({ force: true });
await queue.close();
console.log("ok");
