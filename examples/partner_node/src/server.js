// The routes. `createPartner(settings)` returns `{server, presence}`; main.js serves it.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import { FirstUser, Refused, Unreachable } from "./firstuser.js";
import { logger } from "./log.js";
import { Pages } from "./pages.js";
import { Presence } from "./presence.js";
import { COOKIE, Sessions } from "./sessions.js";
import * as webhooks from "./webhooks.js";

const USER_ID = /^[A-Za-z0-9._-]{1,64}$/;
const MAX_BODY = 256 * 1024;
const CHAT = readFileSync(new URL("../public/chat.js", import.meta.url));
const log = logger("partner");

export function createPartner(settings) {
  webhooks.check(settings.webhookSecrets);
  const sessions = new Sessions();
  const firstuser = new FirstUser(settings);
  const presence = new Presence(firstuser, sessions);
  const seen = new webhooks.Seen();
  const pages = new Pages(settings.firstuserUrl);
  const secure = settings.partnerUrl.startsWith("https://") ? "; Secure" : "";

  const routes = {
    "GET /": (request) => {
      const session = sessionOf(request);
      if (!session) return pages.welcome();
      return session.admitted ? redirect("/app") : pages.ask(session.userId);
    },

    // Stands for your own sign-up and login: here a name is enough to be somebody.
    "POST /signup": async (request) => {
      const userId = new URLSearchParams((await rawBody(request)).toString()).get("user_id") ?? "";
      if (!USER_ID.test(userId)) {
        return pages.sorry("A name has up to 64 letters, digits, dots and dashes.", 422);
      }
      await end(request);
      const cookie = `${COOKIE}=${sessions.open(userId)}; Path=/; HttpOnly; SameSite=Lax${secure}`;
      return redirect("/", { "Set-Cookie": cookie });
    },

    // Off to the waiting list. State and verifier stay in the session.
    "POST /join": async (request) => {
      const session = sessionOf(request);
      if (!session) return redirect("/");
      try {
        const started = await firstuser.start(session.userId);
        session.remember(started.state, started.verifier);
        log.info(`waitlist started user=${session.userId}`);
        return redirect(started.redirectUrl);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        log.warn(`waitlist start refused user=${session.userId}: ${error.message}`);
        return pages.sorry("The waiting list does not take anyone at the moment.", 503);
      }
    },

    // Back from the waiting list with a code. Only the browser that asked may use it.
    "GET /firstuser/callback": async (request, query) => {
      const session = sessionOf(request);
      const code = query.get("code");
      const verifier = session?.recall(query.get("state"));
      if (!verifier || !code) {
        log.warn("callback refused: the state is not this browser's");
        return pages.sorry("This visit did not start in this browser. Start again.", 400);
      }
      let userId;
      try {
        userId = await firstuser.exchange(code, verifier);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        log.warn(`exchange refused user=${session.userId}: ${error.message}`);
        return pages.sorry("The access code did not work. Start again.", 403);
      }
      if (userId !== session.userId) {
        log.warn(`exchange refused: the code was for ${userId}, not for ${session.userId}`);
        return pages.sorry("That access is someone else's.", 403);
      }
      session.admitted = true;
      presence.beat(); // now, and not in half a minute
      log.info(`access granted user=${userId}`);
      return redirect("/app");
    },

    // The product itself, with FirstUser's chat on the page.
    "GET /app": (request) => {
      const session = sessionOf(request);
      if (!session?.admitted) return redirect("/");
      return pages.product(session.userId);
    },

    "GET /public/chat.js": () => {
      return { status: 200, headers: { "Content-Type": "text/javascript" }, body: CHAT };
    },

    // For the page's widget. Whose token it is, the session says and never the browser.
    "POST /firstuser/widget-token": async (request) => {
      const session = sessionOf(request);
      if (!session?.admitted) return json({ error: "not signed in" }, 401);
      try {
        return json(await firstuser.widgetToken(session.userId), 200, { "Cache-Control": "no-store" });
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        log.warn(`widget token refused user=${session.userId}: ${error.message}`);
        if (error.code === "no_active_grant") sessions.dismiss(session.userId);
        return json({ error: error.code }, 403);
      }
    },

    "POST /logout": async (request) => {
      await end(request);
      const cookie = `${COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax${secure}`;
      return redirect("/", { "Set-Cookie": cookie });
    },

    // Verify the bytes before anything looks into them; 2xx only for what was handled.
    "POST /hooks/firstuser": async (request) => {
      const body = await rawBody(request);
      const refusal = webhooks.refusal(settings.webhookSecrets, request.headers, body);
      if (refusal) {
        log.warn(`webhook refused: ${refusal}`);
        return json({ error: refusal }, 401);
      }
      const event = webhooks.event(body);
      if (!event) {
        log.warn("webhook refused: the body is no event");
        return json({ error: "the body is no event" }, 400);
      }
      const id = request.headers["webhook-id"];
      const duplicate = seen.has(id);
      if (!duplicate) {
        handle(event.type);
        seen.add(id);
      }
      log.info(`webhook id=${id} type=${event.type} duplicate=${duplicate}`);
      return json({ received: true, duplicate });
    },

    "GET /healthz": () => json({ status: "ok" }),
  };

  function sessionOf(request) {
    return sessions.get(cookieOf(request));
  }

  // Of this browser's session, if there is one.
  async function end(request) {
    const session = sessions.close(cookieOf(request));
    if (!session?.admitted) return;
    log.info(`left user=${session.userId}`);
    await presence.left(session.userId);
  }

  async function answer(request) {
    const [path, query] = request.url.split("?", 2);
    const route = routes[`${request.method} ${path}`];
    if (!route) return pages.sorry("There is nothing here.", 404);
    return route(request, new URLSearchParams(query));
  }

  function failed(error) {
    if (error instanceof BodyTooLarge) {
      return json({ error: "the body is too large" }, 413, { Connection: "close" });
    }
    if (error instanceof Unreachable) {
      log.error(`FirstUser cannot be reached: ${error.message}`);
      return pages.sorry("We cannot reach the waiting list. Try again in a minute.", 503);
    }
    log.error(error.stack);
    return pages.sorry("Something went wrong on our side.", 500);
  }

  const server = createServer(async (request, response) => {
    const { status, headers, body } = await answer(request).catch(failed);
    response.writeHead(status, headers).end(body);
  });
  return { server, presence };
}

// What the event means to you. Types that you do not know are none of your business.
function handle(type) {
  if (type === "webhook.test") log.info("the test event of FirstUser has arrived");
}

class BodyTooLarge extends Error {}

async function rawBody(request) {
  const pieces = [];
  let size = 0;
  for await (const piece of request) {
    size += piece.length;
    if (size > MAX_BODY) throw new BodyTooLarge();
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function cookieOf(request) {
  const found = (request.headers.cookie ?? "").split(/; */).find((one) => one.startsWith(`${COOKIE}=`));
  return found?.slice(COOKIE.length + 1);
}

function redirect(location, headers = {}) {
  return { status: 303, headers: { Location: location, ...headers }, body: "" };
}

function json(value, status = 200, headers = {}) {
  return { status, headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(value) };
}
