// What the README shows, compiled.
import { type NewTemplate, decideTemplate } from "../src/decide.ts";

declare const command: NewTemplate;
declare const id: string;
declare const createdAt: string;

export function example(): readonly object[] {
  const decision = decideTemplate(command, { id, createdAt });
  const errors = decision.kind === "invalid" ? decision.errors : []; // [{ path: "languages.en.text", code: "unknown", … }]
  return errors;
}
