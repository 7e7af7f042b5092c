// A platform's subscriber without the agent's library: prints rates, discards repeats, asks for what is missing.
//   npm install mqtt && node subscriber.js mqtt://broker.example.cn
const mqtt = require("mqtt");
const zlib = require("zlib");

const LIMIT = { maxOutputLength: 4_000_000 }; // no message has more in it when it is compressed
const LEVELS = 5; // fta/v1/{region}/{enterprise}/{gateway}
const newest = new Map(); // gateway -> newest number up to which nothing is missing
const early = new Map(); // gateway -> numbers that came before those in front of them
const asked = new Map(); // gateway -> newest number that was asked for

const client = mqtt.connect(process.argv[2] ?? "mqtt://127.0.0.1", { protocolVersion: 5 });
client.on("connect", () => client.subscribe("fta/v1/#", { qos: 1 }));

client.on("message", (path, payload, packet) => {
  const gateway = path.split("/").slice(0, LEVELS).join("/");
  const text = payload[0] === 0x78 ? zlib.inflateSync(payload, LIMIT) : payload; // JSON begins with {
  take(gateway, JSON.parse(text), packet.retain);
});

function take(gateway, message, retained) {
  if (message.schema === "fta.bundle/1") {
    for (const one of message.messages) take(gateway, one, retained);
    return;
  }
  if (message.schema === "fta.replay/1") message = message.message;
  if (message.schema === "fta.replay-end/1") return answered(gateway, message);
  if (message.seq !== undefined && !retained && !isNew(gateway, message.seq)) return;
  if (message.schema !== "fta.indicator/1") return;
  for (const { scope, numerator, denominator, rate } of message.figures) {
    const shown = rate === null ? "-" : `${(rate * 100).toFixed(1)}%`;
    console.log(gateway, message.definition.id, scope.id, `${numerator}/${denominator}`, shown);
  }
}

function isNew(gateway, seq) {
  const last = newest.get(gateway) ?? seq - 1;
  const waiting = early.get(gateway) ?? new Set();
  if (seq <= last || waiting.has(seq)) return false;
  waiting.add(seq);
  early.set(gateway, waiting);
  newest.set(gateway, last);
  pass(gateway, []);
  const first = Math.max(newest.get(gateway), asked.get(gateway) ?? 0) + 1;
  const until = Math.min(...waiting) - 1;
  if (waiting.size && first <= until) {
    console.log(gateway, "gap", first, until);
    asked.set(gateway, until);
    ask(gateway, first, until);
  }
  return true;
}

function ask(gateway, first, last) {
  const request = { schema: "fta.replay-request/1", id: `${Date.now()}`, first, last };
  client.publish(`${gateway}/replay/request`, JSON.stringify(request), { qos: 1 });
}

function answered(gateway, { last, gone }) {
  pass(gateway, gone ?? []);
  const until = asked.get(gateway);
  if (last < until) ask(gateway, last + 1, until); // it sends only so much at once
}

function pass(gateway, gone) {
  const waiting = early.get(gateway) ?? new Set();
  for (const { first, last } of gone) for (let seq = first; seq <= last; seq++) waiting.add(seq);
  let last = newest.get(gateway);
  while (waiting.delete(last + 1)) last += 1;
  newest.set(gateway, last);
}
