import { setTimeout as delay } from "node:timers/promises";
import { serve } from "../../test/e2e/support/serve.ts";
import { type Finding, type Scale, scaled } from "./finding.ts";
import { startBoundsUpstream, startCallers } from "./upstream.ts";

const countOf = (outcomes: ReadonlyMap<string, number>): string =>
  [...outcomes].map(([outcome, count]) => `${outcome} ${count} times`).join(", ");

const only = (outcomes: ReadonlyMap<string, number>, allowed: readonly string[]): boolean =>
  outcomes.size > 0 && [...outcomes.keys()].every((outcome) => allowed.includes(outcome));

/** Reload upon reload while a thousand requests are in flight. */
export async function reloads(scale: Scale): Promise<Finding> {
  const callers = scaled(1_000, scale);
  const rounds = scaled(50, scale);
  await using upstream = await startBoundsUpstream();
  const configuration = (round: number): string => `reload: { watch: false }
limits: { connections: 2048 }
routes:
  - name: plain
    path: /plain/
    credential: none
    upstream: ${upstream.origin}/
    request_headers: { set: { X-Round: "${round}" } }
`;
  await using pillion = await serve(configuration(0));
  const load = startCallers(`${pillion.origin}/plain/ok?after=50`, callers);
  await delay(1_000 * scale.scale);
  for (let round = 1; round <= rounds; round += 1) {
    pillion.configure(configuration(round));
    pillion.signal("SIGHUP");
    await pillion.logged("config_reloaded", round - 1);
    await delay(50);
  }
  await load.end();
  return {
    ok: only(load.outcomes, ["200"]),
    text: `${rounds} reloads with ${callers} requests in flight: ${countOf(load.outcomes)} (limit: nothing but 200)`,
  };
}

/** SIGTERM while requests keep coming: who was let in gets an answer. */
export async function sigterm(scale: Scale): Promise<Finding> {
  const callers = scaled(500, scale);
  await using upstream = await startBoundsUpstream();
  await using pillion = await serve(`drain: { delay: 500ms, timeout: 20s }
routes: [{ name: plain, path: /plain/, credential: none, upstream: "${upstream.origin}/" }]
`);
  const load = startCallers(`${pillion.origin}/plain/ok?after=20`, callers, { untilFailure: true });
  await delay(2_000 * scale.scale + 300);
  pillion.signal("SIGTERM");
  const exitCode = await pillion.exited();
  await load.over();
  return {
    ok: exitCode === 0 && only(load.outcomes, ["200", "last"]),
    text:
      `SIGTERM with ${callers} requests in flight: exit code ${exitCode}, ${countOf(load.outcomes)} ` +
      "(limit: nothing but 200, and a last answer that says Connection: close)",
  };
}
