// amqplib on Node: promises, confirms, returns, dead letters, errors. AMQP_URL names the broker.
"use strict";

const assert = require("node:assert");
const { randomUUID } = require("node:crypto");
const { once } = require("node:events");
const { after, before, test } = require("node:test");
const amqp = require("amqplib");

let connection;

before(async () => {
  connection = await amqp.connect(process.env.AMQP_URL);
});

after(async () => {
  await connection.close();
});

async function take(channel, queue, count) {
  const got = [];
  await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`only ${got.length} of ${count} came`)), 10000);
    channel.consume(queue, (message) => {
      got.push(message);
      channel.ack(message);
      if (got.length === count) {
        clearTimeout(timer);
        resolve();
      }
    });
  });
  return got;
}

test("publish, consume, acknowledge in order", async () => {
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue("", { exclusive: true });
  await channel.prefetch(10);
  for (let i = 0; i < 500; i++) channel.sendToQueue(queue, Buffer.from(String(i)));
  const got = await take(channel, queue, 500);
  assert.deepStrictEqual(got.map((m) => m.content.toString()), [...Array(500).keys()].map(String));
  await channel.close();
});

test("confirms for persistent messages", async () => {
  const name = `interop.node.${randomUUID()}`;
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue(name, { durable: true });
  for (let i = 0; i < 200; i++) channel.sendToQueue(name, Buffer.alloc(1000, i), { persistent: true });
  await channel.waitForConfirms();
  assert.strictEqual((await channel.checkQueue(name)).messageCount, 200);
  assert.strictEqual((await channel.purgeQueue(name)).messageCount, 200);
  await channel.deleteQueue(name);
  await channel.close();
});

test("a mandatory message without a way is returned before its confirm", async () => {
  const channel = await connection.createConfirmChannel();
  const order = [];
  channel.on("return", (message) => order.push(`return ${message.fields.replyCode}`));
  await new Promise((resolve) => {
    channel.publish("", `interop.nowhere.${randomUUID()}`, Buffer.from("x"), { mandatory: true }, () => {
      order.push("confirm");
      resolve();
    });
  });
  assert.deepStrictEqual(order, ["return 312", "confirm"]);
  await channel.close();
});

test("headers of every kind survive", async () => {
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue("", { exclusive: true });
  const headers = { text: "ä", int: 5, neg: -5, float: 1.5, yes: true, nothing: null, list: [1, "two"], deep: { a: { b: 1 } } };
  channel.sendToQueue(queue, Buffer.from("x"), { headers, correlationId: "c", type: "t", timestamp: 1700000000 });
  const [message] = await take(channel, queue, 1);
  assert.deepStrictEqual(message.properties.headers, headers);
  assert.strictEqual(message.properties.correlationId, "c");
  await channel.close();
});

test("dead letters carry x-death", async () => {
  const channel = await connection.createChannel();
  const dead = (await channel.assertQueue("", { exclusive: true })).queue;
  const { queue } = await channel.assertQueue("", {
    exclusive: true,
    deadLetterExchange: "",
    deadLetterRoutingKey: dead,
    messageTtl: 20,
  });
  channel.sendToQueue(queue, Buffer.from("late"));
  const [message] = await take(channel, dead, 1);
  assert.strictEqual(message.properties.headers["x-death"][0].reason, "expired");
  assert.strictEqual(message.properties.headers["x-death"][0].queue, queue);
  await channel.close();
});

test("a missing queue closes its channel with 404 and no more", async () => {
  const channel = await connection.createChannel();
  const error = once(channel, "error");
  await assert.rejects(channel.checkQueue(`interop.nowhere.${randomUUID()}`), /404/);
  assert.strictEqual((await error)[0].code, 404);
  const other = await connection.createChannel();
  await other.close();
});

test("a large body in both directions", async () => {
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue("", { exclusive: true });
  const body = Buffer.alloc(3 * 1024 * 1024, "abc");
  channel.sendToQueue(queue, body);
  const [message] = await take(channel, queue, 1);
  assert.ok(message.content.equals(body));
  await channel.close();
});
