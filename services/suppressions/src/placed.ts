import { streamOf, uuid5 } from "@heliograph/contracts";
import type { EventLog, Metadata } from "@heliograph/log";

/** Lets a period's id lead to its recipient. Safe to repeat; written before the period starts. Gives whose it is: another's where another request with the key was first. */
export async function place(
  log: EventLog,
  suppressionId: string,
  name: string,
  metadata: Metadata,
): Promise<{ readonly name: string; readonly metadata: Metadata }> {
  const stream = streamOf("suppression", suppressionId);
  const event = {
    id: uuid5(suppressionId, "placed"),
    type: "SuppressionPlaced",
    data: { suppression_id: suppressionId, name },
    metadata,
  };
  const [outcome] = await log.append([{ stream, expected: "no_stream", events: [event] }]);
  if (outcome!.kind === "invalid") throw new Error(`${stream}: ${outcome!.message}`);
  if (outcome!.kind === "appended") return { name, metadata };
  const [first] = await log.readStream(stream, { limit: 1 });
  if (first?.type !== "SuppressionPlaced") throw new Error(`${stream} leads nowhere`);
  return { name: first.data.name, metadata: first.metadata };
}

/** The name of the recipient that a period of this partner belongs to. */
export async function placeOf(
  log: EventLog,
  partner: string,
  suppressionId: string,
): Promise<string | undefined> {
  const [event] = await log.readStream(streamOf("suppression", suppressionId), { limit: 1 });
  return event?.type === "SuppressionPlaced" && event.metadata.partner === partner
    ? event.data.name
    : undefined;
}
