import type { Service } from "@heliograph/api";
import { openConsole } from "./open.ts";

/** Pages for agents and operators. They know nothing but what the REST surface tells whoever signed in. */
export const service: Service = { name: "console", web: openConsole };
