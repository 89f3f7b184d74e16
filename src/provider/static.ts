import { editableField } from "../config/header-rules.ts";
import { defineProvider } from "../config/provider-definition.ts";
import { secretReference } from "../config/reference-schemas.ts";

/** A fixed header field from a secret: an API key, or a token that somebody else renews. */
export const fixedHeader = defineProvider({
  name: "static",
  description: "A fixed header field whose value is a secret, such as an API key.",
  keys: {
    header: editableField.describe("Name of the header field.").meta({ examples: ["X-API-Key"] }),
    value: secretReference
      .describe("Its value: { env: NAME } or { file: PATH }.")
      .meta({ examples: [{ file: "secrets/api-key" }] }),
  },
  sharedKeys: [],
  tenantFiles: { references: ["value"], texts: [] },
  // The field's own name is added by the configuration, from each spec.
  injectedFields: [],
  defaultDeny: [],
  defaultUpstream: () => undefined,
  createSpec: (values, { references }) => ({
    kind: "static",
    provider: "static",
    header: values.header,
    value: references.secret(values.value),
  }),
});
