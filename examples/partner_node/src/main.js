// `node src/main.js`: serve until SIGTERM, then say goodbye for everyone who is in.

import { logger } from "./log.js";
import { createPartner } from "./server.js";
import { load } from "./settings.js";

const log = logger("partner");

function main() {
  const settings = load();
  const { server, presence } = createPartner(settings);
  const stop = async () => {
    server.close();
    await presence.allLeft();
    process.exit(0);
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  server.once("error", (error) => {
    log.error(error.message);
    process.exit(1);
  });
  server.listen(settings.port, settings.host, () => log.info(`listening on ${settings.partnerUrl}`));
  presence.beat();
}

try {
  main();
} catch (error) {
  log.error(error.message);
  process.exitCode = 1;
}
