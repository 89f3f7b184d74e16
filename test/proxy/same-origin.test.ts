import { afterEach, describe, expect, it } from "vitest";
import { outcome, startVisitorLab, type VisitorLab } from "../support/visitor-lab.ts";
import { HANDSHAKE } from "../support/websocket-upstream.ts";

const ROUTES = ["/none/a", "/machine/a", "/user/a", "/anonymous/a"];
const ENDPOINTS = ["/.pillion/logout", "/.pillion/sessions", "/.pillion/sessions/callback"];
const FOREIGN: readonly (readonly [string, readonly string[]])[] = [
  ["another site by Fetch Metadata", ["Sec-Fetch-Site: cross-site"]],
  ["a foreign Origin", ["Origin: https://evil.example"]],
  ["Origin null", ["Origin: null"]],
  [
    "a foreign Origin that says it is the same",
    ["Origin: https://evil.example", "Sec-Fetch-Site: same-origin"],
  ],
];
const REFUSED = { status: 403, code: "ORIGIN_NOT_ALLOWED" };

describe("O08: a request of a foreign page, with the visitor's cookie", () => {
  let lab: VisitorLab;
  afterEach(() => lab[Symbol.asyncDispose]());

  it.each(FOREIGN)(
    "(%s) is refused on every route and endpoint, and as a handshake",
    async (_what, fields) => {
      lab = await startVisitorLab();
      const id = lab.sessions.add("user", "anonymous");
      const cookie = `Cookie: pillion=${id}`;
      for (const path of [...ROUTES, ...ENDPOINTS]) {
        for (const method of ["POST", "PUT", "DELETE"]) {
          const answer = await lab.ask(`${method} ${path}`, "Content-Length: 0", cookie, ...fields);
          expect({ path, method, ...outcome(answer) }).toEqual({ path, method, ...REFUSED });
        }
      }
      for (const path of ROUTES) {
        const answer = await lab.ask(`GET ${path}`, ...HANDSHAKE, cookie, ...fields);
        expect({ path, ...outcome(answer) }).toEqual({ path, ...REFUSED });
      }
      expect(lab.upstream.sockets.size).toBe(0);
      expect(lab.sessions.has(id)).toBe(true);
    },
  );
});

describe("a request that the cookie authenticates and that may change something", () => {
  let lab: VisitorLab;
  afterEach(() => lab[Symbol.asyncDispose]());

  const ask = (line: string, ...fields: readonly string[]) =>
    lab.ask(line, "Content-Length: 0", `Cookie: pillion=${lab.sessions.add("user", "anonymous")}`, ...fields);

  it.each([
    ["nothing", []],
    ["another host of this site", ["Sec-Fetch-Site: same-site"]],
    ["the address bar", ["Sec-Fetch-Site: none"]],
    ["a listed origin", ["Origin: https://listed.example"]],
  ])("is refused if it shows %s", async (_what, fields) => {
    lab = await startVisitorLab({ access: { origins: ["https://listed.example"] } });
    for (const line of ["POST /user/a", "PATCH /anonymous/a", "DELETE /user/a", "POST /.pillion/logout"])
      expect({ line, ...outcome(await ask(line, ...fields)) }).toEqual({ line, ...REFUSED });
    for (const path of ["/user/a", "/anonymous/a"]) {
      const cookie = `Cookie: pillion=${lab.sessions.add("user", "anonymous")}`;
      const answer = await lab.ask(`GET ${path}`, ...HANDSHAKE, cookie, ...fields);
      expect({ path, ...outcome(answer) }).toEqual({ path, ...REFUSED });
    }
    expect(lab.upstream.requests).toEqual([]);
    expect(lab.sessions.loggedOut).toEqual([]);
  });

  it.each([
    ["Fetch Metadata", ["Sec-Fetch-Site: same-origin"]],
    ["its own Origin", ["Origin: http://localhost"]],
    ["the public Origin", ["Origin: https://app.example"]],
  ])("is served if it shows that it is same-origin by %s", async (_what, fields) => {
    lab = await startVisitorLab({ session: { publicUrl: new URL("https://app.example/") } });
    const served = async (line: string) => {
      const cookie = `Cookie: __Host-pillion=${lab.sessions.add("user", "anonymous")}`;
      return (await lab.ask(line, "Content-Length: 0", cookie, ...fields)).status;
    };
    expect(await served("POST /user/a")).toBe(200);
    expect(await served("DELETE /anonymous/a")).toBe(200);
    expect(await served("POST /.pillion/logout")).toBe(204);
  });

  it("on the public host must come from its https: in the clear anybody may have written the page", async () => {
    lab = await startVisitorLab({ session: { publicUrl: new URL("https://app.example/") } });
    const cookie = `Cookie: __Host-pillion=${lab.sessions.add("user")}`;
    const at = ["Host: app.example", "Content-Length: 0", cookie];
    expect(outcome(await lab.ask("POST /user/a", ...at, "Origin: http://app.example"))).toEqual(REFUSED);
    expect((await lab.ask("POST /user/a", ...at, "Origin: https://app.example")).status).toBe(200);
  });

  it.each(["GET", "HEAD", "OPTIONS"])("%s changes nothing and shows nothing", async (method) => {
    lab = await startVisitorLab({ answer: (_request, response) => void response.writeHead(204).end() });
    expect((await ask(`${method} /user/a`)).status).toBe(204);
  });

  it("is refused for an ambiguous cookie too, which might be the visitor's", async () => {
    lab = await startVisitorLab();
    const answer = await lab.ask("POST /anonymous/a", "Content-Length: 0", "Cookie: pillion=a; pillion=b");
    expect(outcome(answer)).toEqual(REFUSED);
  });
});

describe("a request with Pillion-Session", () => {
  let lab: VisitorLab;
  afterEach(() => lab[Symbol.asyncDispose]());

  it.each([
    ["alone", []],
    ["beside a cookie, which then counts for nothing", [`Cookie: pillion=${"x".repeat(43)}`]],
  ])("%s shows nothing: no page of another can send it", async (_what, fields) => {
    lab = await startVisitorLab();
    const header = `Pillion-Session: ${lab.sessions.add("user")}`;
    expect((await lab.ask("POST /user/a", "Content-Length: 0", header, ...fields)).status).toBe(200);
    expect((await lab.ask("POST /.pillion/logout", header, ...fields)).status).toBe(204);
  });
});
