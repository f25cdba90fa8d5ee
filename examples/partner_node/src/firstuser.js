// FirstUser's integration API: https://… /api/openapi.json says the rest.

import { createHash, randomBytes } from "node:crypto";

const TIMEOUT_MS = 10_000;

// FirstUser said no; `code` is stable, the text is for people.
export class Refused extends Error {
  constructor(status, code, detail) {
    super(`${status} ${code}: ${detail}`);
    this.status = status;
    this.code = code;
  }
}

// FirstUser cannot be reached.
export class Unreachable extends Error {}

export class FirstUser {
  #settings;

  constructor(settings) {
    this.#settings = settings;
  }

  // Send the user to the waiting list. PKCE binds what comes back to this session:
  // `state` and `verifier` stay in it.
  async start(userId) {
    const state = randomBytes(32).toString("base64url");
    const verifier = randomBytes(48).toString("base64url");
    const said = await this.#post("/waitlist/start", {
      mode: "redirect",
      external_user_id: userId,
      return_url: this.#settings.returnUrl,
      state,
      code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    }, { idempotent: true });
    return { redirectUrl: said.redirect_url, state, verifier };
  }

  // The user who was let in. A code works once: a lost answer is asked for with the same key.
  async exchange(code, verifier) {
    const body = { code, return_url: this.#settings.returnUrl, code_verifier: verifier };
    const said = await this.#post("/access/exchange", body, { idempotent: true });
    return said.user.external_user_id;
  }

  // Up to 100 users; returns in how many seconds the next beat is due.
  async heartbeat(userIds, status) {
    const users = userIds.map((userId) => ({ external_user_id: userId, status }));
    return (await this.#post("/heartbeat", { users })).next_in;
  }

  async widgetToken(userId) {
    return this.#post("/widget/token", { external_user_id: userId, origin: this.#settings.origin });
  }

  // With an Idempotency-Key the request may be sent again when its answer was lost.
  async #post(path, body, { idempotent = false } = {}) {
    const headers = {
      "Authorization": `Bearer ${this.#settings.apiKey}`,
      "Content-Type": "application/json",
      ...(idempotent && { "Idempotency-Key": randomBytes(24).toString("base64url") }),
    };
    const send = () => this.#fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
    let answer;
    try {
      answer = await send();
    } catch (error) {
      if (!idempotent) throw error;
      answer = await send();
    }
    if (answer.ok) return JSON.parse(answer.text);
    throw refused(answer);
  }

  // The whole answer, or `Unreachable`.
  async #fetch(path, request) {
    try {
      const url = `${this.#settings.firstuserUrl}/api/integration/v1${path}`;
      const answer = await fetch(url, { ...request, signal: AbortSignal.timeout(TIMEOUT_MS) });
      return { ok: answer.ok, status: answer.status, text: await answer.text() };
    } catch (error) {
      throw new Unreachable(error.cause?.code ?? error.name);
    }
  }
}

// A problem document, or whatever stood in the way of one.
function refused(answer) {
  try {
    const { code, detail } = JSON.parse(answer.text);
    return new Refused(answer.status, code ?? "unknown", detail ?? "");
  } catch {
    return new Refused(answer.status, "unknown", answer.text.slice(0, 200));
  }
}
