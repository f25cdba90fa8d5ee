// Browser sessions, in memory: the cookie holds a random id and nothing else. Yours are in your database.

import { randomBytes } from "node:crypto";

export const COOKIE = "partner_session";
const MAX_SESSIONS = 10_000;
const MAX_PENDING = 5; // tabs of one browser that are on their way through the waiting list

// `admitted`: FirstUser has said yes. Pending: the PKCE verifier by the state that was sent along.
export class Session {
  #pending = new Map();

  constructor(userId) {
    this.userId = userId;
    this.admitted = false;
  }

  remember(state, verifier) {
    this.#pending.set(state, verifier);
    dropOldest(this.#pending, MAX_PENDING);
  }

  // The verifier, once. undefined: this browser never asked, or has had its answer.
  recall(state) {
    const verifier = this.#pending.get(state);
    this.#pending.delete(state);
    return verifier;
  }
}

export class Sessions {
  #open = new Map();

  // The value of the new session's cookie.
  open(userId) {
    const id = randomBytes(32).toString("base64url");
    this.#open.set(id, new Session(userId));
    dropOldest(this.#open, MAX_SESSIONS);
    return id;
  }

  get(id) {
    return this.#open.get(id);
  }

  close(id) {
    const session = this.#open.get(id);
    this.#open.delete(id);
    return session;
  }

  // The users who are in, in however many browsers.
  present() {
    const admitted = [...this.#open.values()].filter((session) => session.admitted);
    return new Set(admitted.map((session) => session.userId));
  }

  // Their access has ended.
  dismiss(userId) {
    for (const session of this.#open.values()) {
      if (session.userId === userId) session.admitted = false;
    }
  }
}

export function dropOldest(map, most) {
  if (map.size > most) map.delete(map.keys().next().value);
}
