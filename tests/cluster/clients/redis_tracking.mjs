// node-redis with its client-side cache: what was read stays, until keyway says that it changed.
import assert from "node:assert/strict";
import { createClient } from "redis";

const url = `redis://127.0.0.1:${process.argv[2]}`;
const client = createClient({ url, RESP: 3, clientSideCache: { ttl: 0, maxEntries: 1000, evictPolicy: "LRU" } });
const writer = createClient({ url });
for (const one of [client, writer]) {
  one.on("error", (error) => { console.error(error); process.exit(1); });
  await one.connect();
}

for (let round = 0; round < 20; round++) {
  for (let n = 0; n < 20; n++) await writer.set(`cached:${n}`, `${round}`);
  const until = Date.now() + 5000;
  for (let n = 0; n < 20; n++) {
    while ((await client.get(`cached:${n}`)) !== `${round}`) {
      assert.ok(Date.now() < until, `cached:${n} stays stale`);
      await new Promise((go) => setTimeout(go, 1));
    }
  }
}

// What is in the cache is not asked for again.
const asked = async () => Number(/calls_sent:(\d+)/.exec(await writer.info())?.[1] ?? NaN);
await client.get("cached:0");
const before = await asked();
for (let n = 0; n < 200; n++) assert.equal(await client.get("cached:0"), "19");
const after = await asked();
if (!Number.isNaN(after)) assert.ok(after - before < 50, `${after - before} calls for 200 reads from the cache`);
await client.close();
await writer.close();
console.log("ok");
