// The same with node-redis, in RESP3 and with its cache of what it has read (CLIENT TRACKING).
import assert from "node:assert/strict";
import { createClient } from "redis";

const port = Number(process.argv[2]);
const open = async (options = {}) => {
  const client = createClient({ socket: { port }, ...options });
  client.on("error", (error) => { console.error(error); process.exit(1); });
  return client.connect();
};
const redis = await open();

assert.equal(await redis.set("session:1", "ann", { EX: 1800, NX: true }), "OK");
assert.equal(await redis.get("session:1"), "ann");
await redis.hSet("h", { a: 1, b: 2 });
assert.deepEqual(await redis.multi().hIncrBy("h", "a", 5).hGet("h", "a").exec(), [6, "6"]);
const waiting = await open();
const job = waiting.blPop("jobs", 10);
await redis.rPush("jobs", "first");
assert.deepEqual({ ...(await job) }, { key: "jobs", element: "first" });
await redis.zAdd("board", [{ score: 1, value: "a" }, { score: 2, value: "b" }]);
assert.deepEqual((await redis.zRangeWithScores("board", 0, -1)).map(({ value }) => value), ["a", "b"]);
await redis.sAdd("ids", ["3", "1", "2"]);
assert.deepEqual(await redis.sort("ids", { DIRECTION: "DESC" }), ["3", "2", "1"]);
const listener = await open();
const heard = new Promise((resolve) => listener.subscribe("news", resolve));
await new Promise((resolve) => setTimeout(resolve, 0));
while ((await redis.publish("news", "text")) === 0);
assert.equal(await heard, "text");
await assert.rejects(redis.eval("return 1"), /the embedded store has no scripts/);
for (const client of [redis, waiting, listener]) await (client.close?.() ?? client.quit());
console.log("ok");
