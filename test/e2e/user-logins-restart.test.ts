import { expect, it } from "vitest";
import { eventually } from "./support/eventually.ts";
import { signInThere, startLoginLab } from "./support/login-lab.ts";

/** Whatever ends TLS there hands the request on with the Host it came with. */
const PUBLIC_URL = "https://appointments.example.com";

it("a session over https has its cookie for this host alone, and outlives the process's death", async () => {
  await using lab = await startLoginLab({ publicUrl: PUBLIC_URL });
  const browser = lab.browser();
  const asked = await browser.visit(`${PUBLIC_URL}/my/v1/me`);
  expect(asked.cookiesSet).toContainEqual(
    expect.stringMatching(
      /^__Host-pillion-login=[\w-]{43}; Max-Age=600; Path=\/; HttpOnly; SameSite=Lax; Secure$/,
    ),
  );
  const back = await signInThere(browser, asked, "alice");
  expect(JSON.parse(back.text)).toMatchObject({ sub: "alice" });
  expect(back.cookiesSet).toContainEqual(
    expect.stringMatching(
      /^__Host-pillion=[\w-]{43}; Max-Age=2592000; Path=\/; HttpOnly; SameSite=Lax; Secure$/,
    ),
  );
  const cookie = browser.cookie(PUBLIC_URL, "__Host-pillion");

  await lab.restart();
  const again = await browser.script(`${PUBLIC_URL}/my/v1/me`);
  expect(again).toMatchObject({ status: 200, json: { sub: "alice" } });
  expect(again.headers["set-cookie"]).toBeUndefined();
  expect(browser.cookie(PUBLIC_URL, "__Host-pillion")).toBe(cookie);
  expect(lab.server.tokenRequests.map((sent) => sent.get("grant_type"))).toEqual(["authorization_code"]);

  const out = await browser.script(`${PUBLIC_URL}/.pillion/logout`, { method: "POST" });
  expect(out.status).toBe(204);
  await lab.restart();
  browser.plant(PUBLIC_URL, `__Host-pillion=${cookie}; Path=/; Secure`);
  expect((await browser.script(`${PUBLIC_URL}/my/v1/me`)).status).toBe(401);
});

it("a login begun before a restart is finished after it, and a refresh token from before is used once", async () => {
  await using lab = await startLoginLab();
  const { publicUrl, server } = lab;
  const browser = lab.browser();
  server.accessTokenSeconds = 2;
  const asked = await browser.visit(`${publicUrl}/my/v1/me`);
  await lab.restart();
  const back = await signInThere(browser, asked, "alice");
  expect(JSON.parse(back.text)).toMatchObject({ sub: "alice" });

  server.accessTokenSeconds = 3_600;
  const until = performance.now() + 2_050;
  await lab.restart();
  await eventually("the access token has expired", async () => performance.now() > until);
  const answers = await Promise.all([1, 2, 3].map(() => browser.script(`${publicUrl}/my/v1/me`)));
  expect(answers.map(({ json }) => json.sub)).toEqual(["alice", "alice", "alice"]);
  expect(server.tokenRequests.map((sent) => sent.get("grant_type"))).toEqual([
    "authorization_code",
    "refresh_token",
  ]);
  expect(server.refusals).toEqual([]);
});
