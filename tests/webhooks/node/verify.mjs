// What the library of npm says of each line on stdin: {secret, headers, body in base64} → genuine | refused
import { createInterface } from "node:readline";
import { Webhook } from "standardwebhooks";

for await (const line of createInterface({ input: process.stdin })) {
  const { secret, headers, body } = JSON.parse(line);
  try {
    new Webhook(secret).verify(Buffer.from(body, "base64"), headers);
    console.log("genuine");
  } catch (error) {
    // It parses the body as JSON once the signature is good: what does not parse was genuine, too.
    console.log(error instanceof SyntaxError ? "genuine" : "refused");
  }
}
