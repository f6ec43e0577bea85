// @valkey/valkey-glide's cluster client with its default options; then ordinary use.
import assert from "node:assert/strict";
import { ClusterBatch, GlideClusterClient } from "@valkey/valkey-glide";

const client = await GlideClusterClient.createClient({
  addresses: [{ host: "127.0.0.1", port: Number(process.argv[2]) }],
});

assert.equal(await client.ping(), "PONG");
assert.equal(await client.set("k", "v"), "OK");
assert.equal(await client.get("k"), "v");
assert.equal(await client.incr("n"), 1);
assert.equal(await client.rpush("l", ["a", "b"]), 2);
assert.deepEqual(await client.lrange("l", 0, -1), ["a", "b"]);
assert.deepEqual(await client.mget(["{t}1", "{t}2"]), [null, null]);

const batch = new ClusterBatch(false);             // a pipeline over many slots
for (let n = 0; n < 500; n++) batch.set(`p${n}`, `${n}`).get(`p${n}`);
const results = await client.exec(batch, true);
results.forEach((value, at) => assert.equal(value, at % 2 === 0 ? "OK" : String((at - 1) / 2)));
const together = await Promise.all(Array.from({ length: 500 }, (_, n) => client.get(`p${n}`)));
together.forEach((value, n) => assert.equal(value, String(n)));

const transaction = new ClusterBatch(true).set("{t}a", "1").incr("{t}a");
assert.deepEqual(await client.exec(transaction, true), ["OK", 2]);

await assert.rejects(client.lpush("k", ["x"]), /WRONGTYPE/);
client.close();
console.log("ok");
