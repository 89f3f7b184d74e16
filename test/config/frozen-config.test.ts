import { expect, it } from "vitest";
import { BILLING, configOf } from "./config-fixture.ts";

it("a configuration is frozen as a whole", () => {
  const config = configOf(
    `${BILLING}routes: [{ name: a, path: /a, credential: billing, upstream: "https://a.example/" }]`,
  );
  const [route] = config.routes;
  const billing = config.credentials.get("billing");
  for (const part of [
    config,
    config.limits,
    config.routes,
    route,
    route?.timeouts,
    route?.path.segments,
    billing,
    billing?.spec,
  ]) {
    expect(part).toBeDefined();
    expect(Object.isFrozen(part)).toBe(true);
  }
  expect(route?.credential).toBe(billing);
});
