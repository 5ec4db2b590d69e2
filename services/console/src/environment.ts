import { environments, type Environment } from "@heliograph/contracts";

export const isEnvironment = (text: string): text is Environment =>
  (environments as readonly string[]).includes(text);
