import { deterministicId } from "@heliograph/contracts";

/** The same for every send of the same attempt: providers and recipients recognise a second one by it. */
export const attemptIdOf = (messageId: string, attempt: number): string =>
  deterministicId("atp", messageId, String(attempt));

/** The id that the simulated provider gives: it embeds the attempt's, so the same attempt always has the same one. */
export const simulatedMessageId = (attemptId: string): string => `sim_${attemptId.slice(4)}`;
