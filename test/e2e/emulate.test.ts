import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { signIn } from "../support/emulator-user.ts";
import { runPillion, type StartedProcess, spawnPillion } from "../support/pillion-process.ts";
import { send } from "./support/http-client.ts";

const REDIRECT_URI = "http://localhost:3000/back?from=pillion";
const VERIFIER = "v".repeat(43);

describe("pillion emulate", () => {
  let emulate: StartedProcess;
  let service: string;
  beforeAll(async () => {
    const redirects = ["--redirect-uri", "https://app.example/cb", "--redirect-uri", REDIRECT_URI];
    const args = [...redirects, "--no-refresh-rotation", "--refresh-idle", "60", "--refresh-lifetime", "1"];
    emulate = spawnPillion(["emulate", "--port", "0", ...args]);
    service = (await emulate.printed(/http:\/\/127\.0\.0\.1:\d+\/zocdoc\/sandbox(?=\/authorize)/))[0];
    await emulate.printed(/drain|routes:/);
  });
  afterAll(() => emulate.stop());

  it("prints the users' clients, their redirect URIs, and the users", () => {
    const text = emulate.stdout();
    expect(text).toMatch(/^ {2}zocdoc\/sandbox +zocdoc-sandbox-user-client /m);
    for (const redirectUri of [
      "http://localhost:8080/.pillion/callback",
      "http://127.0.0.1:8080/.pillion/callback",
      "https://app.example/cb",
      REDIRECT_URI,
    ]) {
      expect(text).toContain(`    ${redirectUri}\n`);
    }
    expect(text).toContain("  patient@example.com\n");
  });

  it("signs a user in at the redirect URI given, with refresh tokens as the flags say", async () => {
    const query = new URLSearchParams({
      response_type: "code",
      client_id: "zocdoc-sandbox-user-client",
      redirect_uri: REDIRECT_URI,
      scope: "external.appointment.read offline_access",
      audience: "DeveloperApiPatient-Sandbox",
      code_challenge: createHash("sha256").update(VERIFIER).digest("base64url"),
      code_challenge_method: "S256",
    });
    const redirect = await signIn(`${service}/authorize?${query}`);
    expect(redirect.href).toMatch(/^http:\/\/localhost:3000\/back\?from=pillion&code=[\w-]+&iss=/);
    const post = (body: Record<string, unknown>) =>
      send(`${service}/oauth/token`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ client_id: "zocdoc-sandbox-user-client", ...body }),
      });
    const { json } = await post({
      grant_type: "authorization_code",
      code: redirect.searchParams.get("code"),
      redirect_uri: REDIRECT_URI,
      code_verifier: VERIFIER,
    });
    const refresh = { grant_type: "refresh_token", refresh_token: json.refresh_token };
    const answers = [await post(refresh)];
    expect(answers[0]?.json).not.toHaveProperty("refresh_token");
    while (answers.at(-1)?.status === 200) answers.push(await post(refresh));
    expect(answers.at(-1)?.json.error).toBe("invalid_grant");
  });

  it.each(["/relative", "javascript:alert(1)", "http://localhost/#fragment", "nonsense"])(
    "refuses the redirect URI %j: exit 2",
    async (redirectUri) => {
      const { exitCode, stderr } = await runPillion(["emulate", "--redirect-uri", redirectUri]);
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining("without a fragment")]);
    },
  );
});
