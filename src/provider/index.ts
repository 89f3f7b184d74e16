import type { ProviderDefinition } from "../config/provider-definition.ts";
import { oauth2 } from "./oauth2.ts";
import { qmatic } from "./qmatic.ts";
import { fixedHeader } from "./static.ts";
import { zocdoc } from "./zocdoc.ts";

/** Every provider there is. A further one is a file beside these and a line here. */
export const providers: readonly ProviderDefinition[] = [zocdoc, qmatic, oauth2, fixedHeader];
