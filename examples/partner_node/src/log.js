// One line for each thing that happened: when, how bad, where, what.

export function logger(name) {
  const say = (level) => (text) =>
    process.stdout.write(`${new Date().toISOString()} ${level} ${name} ${text}\n`);
  return { info: say("INFO"), warn: say("WARNING"), error: say("ERROR") };
}
