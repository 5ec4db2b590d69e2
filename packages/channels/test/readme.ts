// What the README shows, compiled.
import { channelModule } from "@heliograph/channels";

export function example(): string {
  const found = channelModule("email").recipient("Ada@EXAMPLE.com");
  const shown = found.kind === "read" ? found.value.to : found.message; // "Ada@example.com"
  return shown;
}
