import { createJsonSchema } from "../src/config/json-schema.ts";
import { providers } from "../src/provider/index.ts";

export function printSchema(): void {
  process.stdout.write(`${JSON.stringify(createJsonSchema(providers), null, 2)}\n`);
}
