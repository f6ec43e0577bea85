// redis (node-redis) with its default options; then ordinary use.
import assert from "node:assert/strict";
import { createClient } from "redis";

const client = createClient({ url: `redis://127.0.0.1:${process.argv[2]}` });
client.on("error", (error) => { console.error(error); process.exit(1); });
await client.connect();

assert.equal(await client.ping(), "PONG");
assert.equal(await client.set("k", "v"), "OK");
assert.equal(await client.get("k"), "v");
assert.equal(await client.get("missing"), null);
assert.equal(await client.incr("n"), 1);
assert.equal(await client.rPush("l", ["a", "b"]), 2);
assert.deepEqual(await client.lRange("l", 0, -1), ["a", "b"]);
assert.equal(await client.hSet("h", { f: "v" }), 1);
assert.deepEqual({ ...(await client.hGetAll("h")) }, { f: "v" });
assert.equal(await client.sAdd("s", "m"), 1);
assert.equal(await client.zAdd("z", { score: 1.5, value: "m" }), 1);
assert.equal(await client.zScore("z", "m"), 1.5);
assert.deepEqual(await client.mGet(["{t}1", "{t}2"]), [null, null]);
assert.equal(await client.eval("return ARGV[1]", { keys: ["k"], arguments: ["arg"] }), "arg");

// node-redis pipelines what is asked for in one turn of the event loop.
const written = await Promise.all(Array.from({ length: 500 }, (_, n) => client.set(`p${n}`, `${n}`)));
assert.ok(written.every((reply) => reply === "OK"));
const read = await Promise.all(Array.from({ length: 500 }, (_, n) => client.get(`p${n}`)));
read.forEach((value, n) => assert.equal(value, String(n)));

await assert.rejects(client.lPush("h", "x"), /WRONGTYPE/);
await client.close();
console.log("ok");
