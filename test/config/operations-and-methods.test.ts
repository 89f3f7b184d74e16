import { describe, expect, it } from "vitest";
import { configOf, faultsOf } from "./config-fixture.ts";

const ZOCDOC =
  "credentials: { z: { provider: zocdoc, environment: sandbox, client_id: x, client_secret: { env: S } } }\n";
const route = (text: string): string => `${ZOCDOC}routes:\n  - { name: a, path: /a, credential: z, ${text} }`;

const ROTATE = { method: "POST", path: "/v1/credentials/rotate" };

describe("methods, allow and deny", () => {
  it("are read as written", () => {
    const [first] = configOf(
      route('methods: [GET, PATCH], allow: ["* /v1/*", "GET /a b|c"], deny: ["POST /v1/*/x"]').replace(
        "/a b",
        "/a",
      ),
    ).routes;
    expect(first?.methods).toEqual(new Set(["GET", "PATCH"]));
    expect(first?.allow).toEqual([
      { method: "*", path: "/v1/*" },
      { method: "GET", path: "/a|c" },
    ]);
    expect(first?.deny).toEqual([{ method: "POST", path: "/v1/*/x" }, ROTATE]);
  });

  it("a route without deny has its credential's: Zocdoc's rotation of the client secret", () => {
    expect(configOf(route("")).routes[0]?.deny).toEqual([ROTATE]);
  });

  it.each(["deny: []", 'allow: ["* /*"]', 'allow: ["POST /v1/credentials/*"]'])(
    "%s does not lift the credential's own denial",
    (text) => {
      expect(configOf(route(text)).routes[0]?.deny).toEqual([ROTATE]);
    },
  );

  it("an allow that names the operation to the letter lifts it", () => {
    expect(configOf(route('allow: ["POST /v1/credentials/rotate"]')).routes[0]?.deny).toEqual([]);
  });

  it.each([
    ["methods: [get]", /methods\[0\]: unknown method "get" \(did you mean "GET"\?\)/],
    ["methods: [FETCH]", /methods\[0\]: unknown method "FETCH"/],
    ["methods: [TRACE]", /methods\[0\]: TRACE is never forwarded/],
    ["methods: [CONNECT]", /methods\[0\]: CONNECT is never forwarded/],
    ["methods: []", /methods: must not be an empty list/],
    ["methods: GET", /methods: expected a list, not text/],
    ["allow: []", /allow: must not be an empty list/],
    ["deny: [POST]", /deny\[0\]: expected "METHOD \/path", such as .*, not "POST"/],
    ['deny: ["/x"]', /deny\[0\]: expected "METHOD \/path"/],
    ['deny: ["POST x"]', /deny\[0\]: the path must begin with \//],
    ['deny: ["POST  /x"]', /deny\[0\]: expected "METHOD \/path"/],
    ['deny: ["post /x"]', /deny\[0\]: unknown method "post" \(did you mean "POST"\?\)/],
    ['deny: ["POST /a/../x"]', /deny\[0\]: the path must not hold \. or \.\. segments/],
    ['deny: ["POST //x"]', /deny\[0\]: the path must not hold \/\//],
    ['deny: ["POST /x?y"]', /deny\[0\]: the path must not hold \? or #/],
    ['deny: ["POST /x%7Cy"]', /deny\[0\]: the path is compared decoded/],
    ['deny: ["POST /x*"]', /deny\[0\]: \* stands for one whole segment/],
    ["deny: [5]", /deny\[0\]: expected "METHOD \/path", not 5/],
  ])("{ %s } is refused", (text, fault) => {
    const faults = faultsOf(route(text));
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(fault);
  });
});
