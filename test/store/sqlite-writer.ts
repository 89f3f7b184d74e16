/**
 * A process that writes records `PREFIX0`, `PREFIX1`, … to an SQLite store and prints each number once it is stored,
 * until it has written COUNT or is killed: `node sqlite-writer.ts FILE PREFIX COUNT`.
 */
import { randomBytes } from "node:crypto";
import { writeSync } from "node:fs";
import { createSystemClock } from "../../src/core/clock.ts";
import { openSqliteStore } from "../../src/store/sqlite-store.ts";

const [file = "", prefix = "", count = "0"] = process.argv.slice(2);
const store = await openSqliteStore(file, { clock: createSystemClock(), randomBytes });
// A serving process has its listeners; this one would end while it waits for its turn to write.
const alive = setInterval(() => {}, 60_000);
for (let index = 0; index < Number(count); index += 1) {
  const options = { expiresAtMs: Date.now() + 60_000, class: { name: "all", limit: 1_000_000 } };
  await store.write(`${prefix}${index}`, Buffer.from(`${index}`), options);
  writeSync(1, `${index}\n`);
}
await store.close();
clearInterval(alive);
