import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { EXIT } from "../../cmd/exit-code.ts";
import { printToken } from "../../cmd/token.ts";

const config = fileURLToPath(new URL("../../config/examples/zocdoc-users.yaml", import.meta.url));

it.each([
  ["zocdoc-user", "user"],
  ["zocdoc-anonymous", "anonymous"],
])("token %s is a usage error: its tokens belong to single visitors", async (name, grant) => {
  const options = { config, raw: false, json: false };
  await expect(printToken(name, options)).rejects.toMatchObject({
    message: `credential ${name} is of grant ${grant}: its tokens belong to single visitors, and are had in the browser (docs/user-logins.md); there is none to fetch here`,
    exitCode: EXIT.usage,
  });
});
