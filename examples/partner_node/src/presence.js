// The heartbeat: every 30 seconds FirstUser hears who is in; who leaves is said at once.

import { setTimeout as sleep } from "node:timers/promises";

import { logger } from "./log.js";

const BATCH = 100;
const FIRST_GUESS_S = 30;
const GOODBYE_MS = 5_000;
const log = logger("partner.presence");

export class Presence {
  #firstuser;
  #sessions;
  #timer;
  #beating = Promise.resolve();
  #stopped = false;

  constructor(firstuser, sessions) {
    this.#firstuser = firstuser;
    this.#sessions = sessions;
  }

  // Now, and then every so many seconds as FirstUser asks. A beat that fails is made good by the next one.
  beat() {
    clearTimeout(this.#timer);
    this.#beating = this.#beating.then(async () => {
      const nextIn = await this.#say(this.#sessions.present(), "live");
      clearTimeout(this.#timer);
      if (!this.#stopped) this.#timer = setTimeout(() => this.beat(), nextIn * 1000);
    });
  }

  // Unless they are still in with another browser.
  async left(userId) {
    if (!this.#sessions.present().has(userId)) await this.#say([userId], "left");
  }

  // At shutdown: nobody is in any more.
  async allLeft() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    const goodbye = this.#beating.then(() => this.#say(this.#sessions.present(), "left"));
    await Promise.race([goodbye, sleep(GOODBYE_MS)]);
  }

  async #say(userIds, status) {
    const users = [...userIds].sort();
    let nextIn = FIRST_GUESS_S;
    for (let start = 0; start < users.length; start += BATCH) {
      const batch = users.slice(start, start + BATCH);
      try {
        nextIn = await this.#firstuser.heartbeat(batch, status);
        log.info(`heartbeat status=${status} users=${batch.length}`);
      } catch (error) {
        log.warn(`heartbeat failed: ${error.message}`);
      }
    }
    return nextIn;
  }
}
