// Reads lines of base64, each a payload; writes each as a line of JSON, as the library sparkplug-payload sees it.
// What JSON or a double cannot carry exactly becomes text.
const sparkplug = require("sparkplug-payload").get("spBv1.0");

const plain = (_key, value) =>
  typeof value === "bigint" || (value && value.constructor && value.constructor.name === "Long")
    ? value.toString()
    : value;

require("readline")
  .createInterface({ input: process.stdin })
  .on("line", (line) => {
    const payload = sparkplug.decodePayload(Buffer.from(line, "base64"));
    for (const metric of payload.metrics || []) {
      if (typeof metric.value === "object" && metric.value !== null) metric.value = metric.value.toString();
    }
    console.log(JSON.stringify(payload, plain));
  });
