import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { connectRaw, head } from "../support/raw-client.ts";
import { outcome, startVisitorLab } from "../support/visitor-lab.ts";

const LOGIN_REQUIRED = { status: 401, code: "LOGIN_REQUIRED" };
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** A session id with something about it changed; still one field value. */
function mutationOf(id: string): fc.Arbitrary<string> {
  const at = fc.nat(id.length - 1);
  const anything = fc.string({
    unit: fc.constantFrom(...ALPHABET, ..."=+/.,%~\"'\\@\t \xe9"),
    maxLength: 60,
  });
  return fc.oneof(
    fc
      .tuple(at, fc.constantFrom(...ALPHABET))
      .map(([index, other]) => id.slice(0, index) + other + id.slice(index + 1)),
    at.map((length) => id.slice(0, length)),
    anything.map((more) => id + more),
    anything.map((more) => `${more};${id}`),
    anything,
    fc.constantFrom(
      id.toUpperCase(),
      `"${id}"`,
      `${id}=`,
      encodeURIComponent(`${id} `),
      [...id].reverse().join(""),
    ),
  );
}

describe("a session id that is none of ours", () => {
  it("a thousand times over, as cookie and as header, is 401 and never a fault", async () => {
    await using lab = await startVisitorLab();
    const id = lab.sessions.add("user");
    const client = await connectRaw(lab.proxy.port);
    await fc.assert(
      fc.asyncProperty(mutationOf(id), fc.boolean(), async (mutated, asCookie) => {
        fc.pre(mutated.trim() !== id && mutated !== "" && !mutated.startsWith(`${id};`));
        // What is behind a semicolon is another cookie's, and so may be what is before the first.
        fc.pre(!asCookie || mutated.split(";").every((part) => part.trim() !== id));
        client.send(
          head("GET /user/a", asCookie ? `Cookie: pillion=${mutated}` : `Pillion-Session: ${mutated}`),
        );
        expect(outcome(await client.answer())).toEqual(LOGIN_REQUIRED);
      }),
      { numRuns: 1_000 },
    );
    client.socket.destroy();
    expect(lab.upstream.requests).toEqual([]);
  });

  it("of 15 KiB is 401 as well, in either field", async () => {
    await using lab = await startVisitorLab();
    const long = "a".repeat(15 * 1_024);
    for (const field of [
      `Cookie: pillion=${long}`,
      `Cookie: x=${long}; pillion=x`,
      `Pillion-Session: ${long}`,
    ])
      expect(outcome(await lab.ask("GET /user/a", field))).toEqual(LOGIN_REQUIRED);
    const login = await lab.ask("GET /.pillion/login/user", `Cookie: pillion-login=${long}`);
    expect(login.status).toBe(303);
  });

  it("beside a good one in another field is refused or ignored, never mixed with it", async () => {
    await using lab = await startVisitorLab();
    const good = `pillion=${lab.sessions.add("user")}`;
    expect((await lab.ask("GET /user/a", `Cookie: ${good}`, "Pillion-Session: x")).status).toBe(401);
    expect((await lab.ask("GET /user/a", `Cookie: ${good}`, "Cookie: pillion=x")).status).toBe(401);
    expect((await lab.ask("GET /user/a", `Cookie: ${good}`, "Pillion_Session: x")).status).toBe(200);
    expect((await lab.ask("GET /user/a", `Cookie: ${good}`, "Connection: cookie")).status).toBe(200);
  });
});
