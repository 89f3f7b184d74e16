import { expect, it } from "vitest";
import { faultsOf, parse } from "./config-fixture.ts";

const SIX_FAULTS = `
lisen: 127.0.0.1:8080
limits: { body_idle: 60 }
credentials:
  zocdoc:
    provider: zocdoc
    environment: sandbox
    client_id: { env: ZOCDOC_CLIENT_ID }
    client_secret: not-a-real-secret
  unused:
    provider: oauth2
    token_url: https://id.example.com/token
    client_id: { env: ID, file: id }
    client_secret: { env: SECRET }
routes:
  - name: zocdoc
    path: zocdoc/
    credential: zocdoc
  - name: other
    path: /other/
    credential: zocdok
`;

it("six different faults give exactly six lines, each with its place, in the order of the file", () => {
  expect(faultsOf(SIX_FAULTS)).toEqual([
    '2:1 lisen: unknown key (did you mean "listen"?)',
    "3:22 limits.body_idle: expected a duration such as 250ms, 30s, 5m or 1h, not 60; a bare number has no unit, write 60s",
    "9:20 credentials.zocdoc.client_secret: a secret is not written out in the configuration: give { env: NAME } for an environment variable or { file: PATH } for a file",
    "13:16 credentials.unused.client_id: give exactly one of env and file, not both",
    '17:11 routes[0].path: must begin with /, not "zocdoc/"',
    '21:17 routes[1].credential: no credential has the name "zocdok" (did you mean "zocdoc"?)',
  ]);
});

it("gives no configuration, not even a partial one", () => {
  expect(parse(SIX_FAULTS).config).toBeUndefined();
});

it("says nothing of unused credentials while a misspelt name may be the reason", () => {
  expect(parse(SIX_FAULTS).warnings).toEqual([]);
});
