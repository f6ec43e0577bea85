// redis' (node-redis) createCluster with its default options; then ordinary use.
import assert from "node:assert/strict";
import { createCluster } from "redis";

const port = Number(process.argv[2]);
const client = createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${port}` }] });
client.on("error", (error) => { console.error(error); process.exit(1); });
await client.connect();
assert.equal(client.masters.length, 1);
assert.equal(client.masters[0].port, port);

assert.equal(await client.set("k", "v"), "OK");
assert.equal(await client.get("k"), "v");
assert.equal(await client.incr("n"), 1);
assert.equal(await client.rPush("l", ["a", "b"]), 2);
assert.deepEqual(await client.lRange("l", 0, -1), ["a", "b"]);
assert.equal(await client.hSet("h", { f: "v" }), 1);
assert.deepEqual({ ...(await client.hGetAll("h")) }, { f: "v" });
assert.deepEqual(await client.mGet(["{t}1", "{t}2"]), [null, null]);
assert.equal(await client.eval("return ARGV[1]", { keys: ["k"], arguments: ["arg"] }), "arg");

const written = await Promise.all(Array.from({ length: 500 }, (_, n) => client.set(`p${n}`, `${n}`)));
assert.ok(written.every((reply) => reply === "OK"));
const read = await Promise.all(Array.from({ length: 500 }, (_, n) => client.get(`p${n}`)));
read.forEach((value, n) => assert.equal(value, String(n)));

assert.deepEqual(await client.multi().set("{t}a", "1").incr("{t}a").exec(), ["OK", 2]);

await assert.rejects(client.lPush("h", "x"), /WRONGTYPE/);
await client.close();
console.log("ok");
