"""Programs that load a partner's copied snippets and do with them what stdin asks, a JSON line at a time.

A line is `[function, argument, …]`; what the function returns is printed as a JSON line. `report` starts the
heartbeat for the users given.
"""

PYTHON = """
import json, sys, threading
import snippets

def report(users):
    threading.Thread(target=snippets.report_forever, args=(lambda: users,), daemon=True).start()

def verified(headers, body):
    return snippets.verified(headers, body.encode())

for line in sys.stdin:
    name, *given = json.loads(line)
    act = {"report": report, "verified": verified}.get(name) or getattr(snippets, name)
    print(json.dumps(act(*given)), flush=True)
"""

JAVASCRIPT = """
import { createInterface } from "node:readline";
import * as snippets from "./snippets.mjs";

const calls = {
  new_pkce: () => { const made = snippets.newPkce(); return [made.verifier, made.challenge]; },
  send_to_waiting_list: async (...given) => {
    const sent = await snippets.sendToWaitingList(...given);
    return [sent.redirectTo, sent.state];
  },
  on_return: snippets.onReturn,
  verified: (headers, body) => snippets.verified(headers, Buffer.from(body)),
  report: (users) => { void snippets.reportForever(() => users); return null; },
};
for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...given] = JSON.parse(line);
  console.log(JSON.stringify(await calls[name](...given)));
}
process.exit(0);
"""
