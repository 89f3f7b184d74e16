/**
 * A process of its own for the test of the end: opens the store of each URL of its arguments, uses it, closes it, and does
 * no more. What keeps it alive afterwards was left behind.
 */
import { createVaultBed, redisConfig } from "./vaults.ts";

const bed = createVaultBed();
for (const url of process.argv.slice(2)) {
  const vault = await bed.vault(redisConfig(url, bed.keys));
  const asked = vault.read("session", "A".repeat(43)).then(
    () => "answered",
    () => "unavailable",
  );
  process.stdout.write(`${await asked}\n`);
  await vault.close();
}
// Sockets are closed a turn later.
setImmediate(() =>
  setImmediate(() => {
    const left = process.getActiveResourcesInfo().filter((name) => /Timeout|TCP|TLS|GetAddrInfo/.test(name));
    process.stdout.write(`left:${left.join()}\n`);
  }),
);
