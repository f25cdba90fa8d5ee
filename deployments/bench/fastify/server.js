// The reference of the service benches: what a good minimal server does for the same calls, a row each.
// Environment: PORT, DATABASE_URL, POOL, STATEMENTS and API_KEYS (JSON: name → SQL, key → integration id).
import { createHash, randomBytes } from "node:crypto";
import Fastify from "fastify";
import pg from "pg";

const statements = JSON.parse(process.env.STATEMENTS);
const apiKeys = new Map(Object.entries(JSON.parse(process.env.API_KEYS)));
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: Number(process.env.POOL) });
const app = Fastify({ logger: false });
const prefix = "/api/integration/v1";

const query = (name, values) => pool.query({ name, text: statements[name], values });

function caller(request) {
  const integration = apiKeys.get(request.headers.authorization?.slice("Bearer ".length));
  if (integration === undefined) {
    throw Object.assign(new Error("The API key is missing or not valid."), { statusCode: 401 });
  }
  return integration;
}

const heartbeat = {
  body: {
    type: "object",
    required: ["users"],
    properties: {
      users: {
        type: "array",
        minItems: 1,
        maxItems: 100,
        items: {
          type: "object",
          required: ["external_user_id"],
          properties: {
            external_user_id: { type: "string", minLength: 1, maxLength: 200 },
            status: { enum: ["live", "left"] },
          },
        },
      },
    },
  },
  response: {
    200: {
      type: "object",
      properties: {
        accepted: { type: "integer" },
        rejected: { type: "integer" },
        live_ttl: { type: "integer" },
        next_in: { type: "integer" },
      },
    },
  },
};

const exchange = {
  body: {
    type: "object",
    required: ["code"],
    properties: {
      code: { type: "string", minLength: 1, maxLength: 200 },
      return_url: { type: "string", maxLength: 2000 },
    },
  },
};

app.get("/api/healthz", async () => ({ status: "ok" }));

app.post(`${prefix}/heartbeat`, { schema: heartbeat }, async (request) => {
  const integration = caller(request);
  let accepted = 0;
  for (const user of request.body.users) {
    const values = [integration, user.external_user_id, new Date(), user.status ?? "live"];
    accepted += (await query("heartbeat", values)).rowCount;
  }
  return { accepted, rejected: request.body.users.length - accepted, live_ttl: 90, next_in: 30 };
});

app.post(`${prefix}/access/exchange`, { schema: exchange }, async (request, reply) => {
  const integration = caller(request);
  const now = new Date();
  const grant = `grt_${randomBytes(10).toString("hex")}`;
  const code = createHash("sha256").update(request.body.code).digest();
  const values = [integration, code, grant, now, `request ${request.id}`, request.body.return_url];
  const [found] = (await query("exchange", values)).rows;
  if (found === undefined) {
    return reply.code(400).send({ code: "invalid_grant" });
  }
  const user = { id: found.user_id, object: "user", external_user_id: found.external_user_id };
  return {
    grant: {
      id: grant,
      object: "grant",
      user_id: found.user_id,
      external_user_id: found.external_user_id,
      entry_id: found.entry_id,
      created_at: now,
      revoked_at: null,
    },
    user,
  };
});

app.get(`${prefix}/users/live`, async (request) => {
  const integration = caller(request);
  const limit = Number(request.query.limit);
  const now = new Date();
  const since = new Date(now.getTime() - 90_000);
  const page = await query("live_page", [integration, since, limit + 1]);
  const counted = await query("live_count", [integration, since]);
  const data = page.rows.slice(0, limit).map(({ external_user_id, last_seen, status }) => ({
    external_user_id,
    last_seen,
    status,
  }));
  return {
    object: "list",
    data,
    has_more: page.rows.length > limit,
    next_cursor: null,
    count: Number(counted.rows[0].count),
    as_of: now,
    window_seconds: 90,
  };
});

app.get(`${prefix}/me`, async (request) => (await query("me", [caller(request)])).rows[0]);

await app.listen({ host: "127.0.0.1", port: Number(process.env.PORT) });
