import { createJsonSchema } from "../../src/config/json-schema.ts";
import { providers } from "../../src/provider/index.ts";
import { commandsPage } from "./commands-page.ts";
import { configurationPage } from "./configuration-page.ts";
import { errorsPage } from "./errors-page.ts";
import { metricsPage } from "./metrics-page.ts";

/** Every file of the project that is made of its code, by path. Pure. */
export function generatedFiles(): ReadonlyMap<string, string> {
  return new Map([
    ["config/pillion.schema.json", `${JSON.stringify(createJsonSchema(providers), null, 2)}\n`],
    ["docs/reference/commands.md", commandsPage()],
    ["docs/reference/configuration.md", configurationPage()],
    ["docs/reference/errors.md", errorsPage()],
    ["docs/reference/metrics.md", metricsPage()],
  ]);
}
