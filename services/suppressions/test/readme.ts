// What the README shows, compiled.
import { keywordOf } from "../src/keywords/recognise.ts";

export function example(): string | undefined {
  const found = keywordOf({ channel: "sms", text: " Arrêt! " });
  const asked = found?.keyword; // "stop", in French
  return asked;
}
