// What the README shows, compiled.
import { parseInbound } from "@heliograph/gateways";

export const example = async (raw: Buffer): Promise<string | undefined> => {
  const gateway = { name: "sim-sms", channel: "sms" } as const;
  const said = await parseInbound("simulator", { raw, contentType: "application/json", gateway });
  return said.text; // "Where is my order?"
};
