/** Writes the references anew: `npm run docs`. A test fails while one of them is stale. */
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { generatedFiles } from "./pages.ts";

const project = resolve(import.meta.dirname, "../..");
for (const [path, text] of generatedFiles()) writeFileSync(join(project, path), text);
