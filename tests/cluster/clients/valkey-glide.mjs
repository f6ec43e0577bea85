// @valkey/valkey-glide with its default options (standalone client); then ordinary use.
import assert from "node:assert/strict";
import { Batch, GlideClient } from "@valkey/valkey-glide";

const client = await GlideClient.createClient({
  addresses: [{ host: "127.0.0.1", port: Number(process.argv[2]) }],
});

assert.equal(await client.ping(), "PONG");
assert.equal(await client.set("k", "v"), "OK");
assert.equal(await client.get("k"), "v");
assert.equal(await client.get("missing"), null);
assert.equal(await client.incr("n"), 1);
assert.equal(await client.rpush("l", ["a", "b"]), 2);
assert.deepEqual(await client.lrange("l", 0, -1), ["a", "b"]);
assert.equal(await client.hset("h", { f: "v" }), 1);
assert.deepEqual(await client.hgetall("h"), [{ field: "f", value: "v" }]);
assert.equal(await client.sadd("s", ["m"]), 1);
assert.deepEqual(await client.smembers("s"), new Set(["m"]));
assert.equal(await client.zadd("z", { m: 1.5 }), 1);
assert.equal(await client.zscore("z", "m"), 1.5);
assert.deepEqual(await client.mget(["{t}1", "{t}2"]), [null, null]);
assert.equal(await client.customCommand(["EVAL", "return ARGV[1]", "1", "k", "arg"]), "arg");

const batch = new Batch(false);                    // a pipeline, not a transaction
for (let n = 0; n < 500; n++) batch.set(`p${n}`, `${n}`).get(`p${n}`);
const results = await client.exec(batch, true);
results.forEach((value, at) => assert.equal(value, at % 2 === 0 ? "OK" : String((at - 1) / 2)));
const together = await Promise.all(Array.from({ length: 500 }, (_, n) => client.get(`p${n}`)));
together.forEach((value, n) => assert.equal(value, String(n)));

await assert.rejects(client.lpush("h", ["x"]), /WRONGTYPE/);
client.close();
console.log("ok");
