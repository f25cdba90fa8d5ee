// What the back end needs to know, from the environment. A missing value stops the start, by name.

export function load(environment = process.env) {
  const missing = ["FIRSTUSER_URL", "FIRSTUSER_API_KEY"].filter((name) => !environment[name]);
  if (missing.length) throw new Error(`Set ${missing.join(" and ")}; the README says to what.`);
  const port = Number(environment.PORT || 9000);
  const partnerUrl = trimmed(environment.PARTNER_URL || `http://127.0.0.1:${port}`);
  return {
    firstuserUrl: trimmed(environment.FIRSTUSER_URL),
    apiKey: environment.FIRSTUSER_API_KEY,
    // All that are valid now; two of them while FirstUser rotates one.
    webhookSecrets: (environment.FIRSTUSER_WEBHOOK_SECRET || "").split(/[\s,]+/).filter(Boolean),
    partnerUrl,
    returnUrl: `${partnerUrl}/firstuser/callback`, // registered with FirstUser, letter by letter
    origin: new URL(partnerUrl).origin,
    host: environment.HOST || "127.0.0.1",
    port,
  };
}

function trimmed(url) {
  return url.replace(/\/+$/, "");
}
