/**
 * Sends malformed requests, generated from a seed, to a running Pillion with a strict recorder behind each kind of route,
 * and judges every one: rejected, or exactly the well-formed messages that its bytes hold, each with exactly one
 * Authorization, ours. After each case the process answers something harmless.
 *
 *     npm run attacks -- [--count 20000] [--seed 1] [--from 0] [--only INDEX] [--minutes 15]
 *
 * Prints a reproduction of each mismatch; exit code 1 when there was one. Ends by itself after `--minutes`.
 */
import { parseArgs } from "node:util";
import { runAttacks } from "./attacks/run.ts";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "20000" },
    seed: { type: "string" },
    from: { type: "string", default: "0" },
    only: { type: "string" },
    minutes: { type: "string", default: "15" },
  },
});
const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
const startMs = performance.now();
const summary = await runAttacks({
  seed,
  from: Number(values.only ?? values.from),
  count: values.only === undefined ? Number(values.count) : 1,
  deadlineMs: startMs + Number(values.minutes) * 60_000,
  report({ lane, generated, why, received }) {
    console.log(`MISMATCH ${why}
  on the route of kind ${lane}, after ${generated.mutations.join(", ")}
  sent ${JSON.stringify(generated.bytes.slice(0, 4_000))} cut at ${JSON.stringify(generated.cuts)}
  received ${JSON.stringify(received.slice(0, 1_000))}
  again: npm run attacks -- --seed ${seed} --only ${generated.index}`);
  },
});
const { cases, rejected, forwarded, both, mismatches, canaries } = summary;
const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
console.log(
  `seed ${seed}: ${cases} malformed requests in ${seconds} s: ${rejected} rejected, ${forwarded} forwarded as well-formed ` +
    `messages, ${both} forwarded up to the fault, ${mismatches} mismatches; ${canaries} of ${cases} canaries served`,
);
if (mismatches > 0 || canaries !== cases || cases === 0) process.exitCode = 1;
