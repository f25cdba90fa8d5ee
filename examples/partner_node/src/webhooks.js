// Webhooks by the Standard Webhooks specification: signature over the raw bytes, then once for each id.

import { createHmac, timingSafeEqual } from "node:crypto";

import { dropOldest } from "./sessions.js";

const TOLERANCE_S = 300;
const MAX_REMEMBERED = 10_000;

// null for a genuine message, else why not. Whatever a stranger sends, it throws nothing.
export function refusal(secrets, headers, body, now = Date.now() / 1000) {
  const id = headers["webhook-id"];
  const timestamp = headers["webhook-timestamp"];
  const signatures = (headers["webhook-signature"] ?? "").split(" ").filter(Boolean);
  if (!id || !timestamp || !signatures.length) return "a webhook header is missing";
  if (!/^[0-9]{1,11}$/.test(timestamp)) return "the timestamp is not a number";
  if (Math.abs(now - Number(timestamp)) > TOLERANCE_S) return "the timestamp is more than five minutes away";
  const signed = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
  const wanted = secrets.map((secret) => signature(secret, signed));
  // All of them are compared, so that the time taken says nothing.
  const matches = wanted.flatMap((one) => signatures.map((given) => same(one, Buffer.from(given))));
  return matches.includes(true) ? null : "no signature matches";
}

// `{type, timestamp, data}`; null for anything else.
export function event(body) {
  try {
    const found = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
    return typeof found?.type === "string" ? found : null;
  } catch {
    return null;
  }
}

// The ids that were handled. In your database: a unique column, written with what the event did.
export class Seen {
  #ids = new Map();

  has(id) {
    return this.#ids.has(id);
  }

  add(id) {
    this.#ids.set(id, true);
    dropOldest(this.#ids, MAX_REMEMBERED);
  }
}

// At the start: a secret that is none would refuse everything later.
export function check(secrets) {
  const whole = /^(whsec_)?([A-Za-z0-9+/]{4})+([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
  if (!secrets.every((secret) => whole.test(secret))) {
    throw new Error("FIRSTUSER_WEBHOOK_SECRET is not whsec_ and base64: copy it whole.");
  }
}

function signature(secret, signed) {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  return Buffer.from(`v1,${createHmac("sha256", key).update(signed).digest("base64")}`);
}

function same(one, other) {
  return one.length === other.length && timingSafeEqual(one, other);
}
