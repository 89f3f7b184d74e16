import { describe, expect, it } from "vitest";
import { BILLING, faultsOf } from "./config-fixture.ts";

const inRoute = (text: string): string =>
  `${BILLING}routes:\n  - { name: a, path: /a, upstream: "https://up.example.com/", credential: billing, ${text} }`;

describe("an unknown key is refused where it stands, with what was meant when that is close", () => {
  it.each([
    ["lisen: x", 'lisen: unknown key (did you mean "listen"?)'],
    ["Listen: x", 'Listen: unknown key (did you mean "listen"?)'],
    ["nothing-like-it: x", "nothing-like-it: unknown key"],
    ["log: { levle: info }", 'log.levle: unknown key (did you mean "level"?)'],
    ["log: { zzz: info }", "log.zzz: unknown key; expected level, format or access"],
    ["limits: { bodyIdle: 3s }", 'limits.bodyIdle: unknown key (did you mean "body_idle"?)'],
    ["session: { publicurl: x }", 'session.publicurl: unknown key (did you mean "public_url"?)'],
    [inRoute("timeouts: { conect: 5s }"), 'routes[0].timeouts.conect: unknown key (did you mean "connect"?)'],
    [
      inRoute("request_headers: { add: {} }"),
      "routes[0].request_headers.add: unknown key; expected set or remove",
    ],
    [
      BILLING.replace("client_id", "clientid"),
      'credentials.billing.clientid: unknown key (did you mean "client_id"?)',
    ],
    [BILLING.replace("client_id", "region: x\n    client_id"), "credentials.billing.region: unknown key"],
  ])("%j", (text, fault) => {
    expect(faultsOf(text).map((line) => line.replace(/^\d+:\d+ /, ""))).toEqual([fault]);
  });

  it("a misspelt key is one fault: what it was meant for is not missed as well", () => {
    const text = BILLING.replace("client_secret", "client_secert").replace("token_url", "tokenurl");
    expect(faultsOf(text)).toEqual([
      '5:5 credentials.billing.tokenurl: unknown key (did you mean "token_url"?)',
      '7:5 credentials.billing.client_secert: unknown key (did you mean "client_secret"?)',
    ]);
  });
});
